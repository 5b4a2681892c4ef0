"""A keeper outlives whoever asked it for commands, but not the last of these commands."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys

from tests.process.execution_bench import is_alive, make_bench
from tests.waiting import wait_until
from watchbell.execution import keeper, runtime_root


def test_it_ends_with_its_last_command_once_nobody_asks_any_more(tmp_path):
    bench = make_bench(tmp_path)
    bench.start("while [ ! -e go-on ]; do sleep 0.02; done")
    number = bench.watcher._kept[0].keeper_pid

    bench.watcher.stop()
    assert is_alive(number)
    (tmp_path / "go-on").touch()

    wait_until(lambda: not is_alive(number))
    shutil.rmtree(runtime_root(tmp_path), ignore_errors=True)


def test_it_ends_at_once_when_the_asker_is_gone_before_it_could_greet():
    ours, its = socket.socketpair()
    with its:
        argv = (sys.executable, "-I", "-S", keeper.__file__, str(its.fileno()))
        # The asker is gone before the keeper runs its first instruction.
        ours.close()
        process = subprocess.Popen(argv, pass_fds=[its.fileno()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    try:
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
