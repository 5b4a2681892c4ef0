"""A keeper is killed after it has made a process and before it could write down which: the command may have ended by then."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.process.execution_bench import QUICK
from tests.waiting import wait_until
from watchbell import clock
from watchbell.execution import Bundles, Process, adoption, runtime_root, tracking
from watchbell.execution.proc import read_stat
from watchbell.execution.process import Census, current_boot_id
from watchbell.execution.record import Meta


@pytest.fixture
def make_run(tmp_path):
    """Return a run of which is only known that its start was asked for."""
    bundles = Bundles(runtime_root(tmp_path), tmp_path / "active", 1 << 30)
    bundles.prepare()

    def make(name: str) -> tracking.Run:
        bundle = bundles.claim(name, 1)
        meta = Meta(time.time(), clock.boot_time(), current_boot_id(), QUICK, (0, 0))
        Path(bundle.status).write_bytes(meta.encode() + b"\n")
        return tracking.track(name, bundle, QUICK, None, None, is_kept=True, now=clock.monotonic(), elapsed=0.0)

    yield make
    shutil.rmtree(runtime_root(tmp_path), ignore_errors=True)


@pytest.fixture
def end_command():
    """Return a command that has ended and that nobody has waited for, as the kernel leaves it to us."""
    made = []

    def end(code: int) -> Process:
        made.append(subprocess.Popen(["sh", "-c", f"exit {code}"], start_new_session=True))
        pid = made[-1].pid
        state = wait_until(lambda: (found := read_stat(pid)) and found.state == "Z" and found, 10, "its end")
        return Process(pid, state.start_ticks, current_boot_id())

    yield end
    for process in made:
        process.wait()


def test_the_only_process_that_nobody_knows_is_the_commands_own(make_run, end_command):
    other, run = make_run("other"), make_run("unnamed")
    other.process = end_command(3)
    ended = end_command(7)

    adoption.inherit(run, [other, run], Census())

    assert run.process == ended
    assert adoption.read_end(run).wait_status == 7 << 8


def test_of_two_that_nobody_knows_none_is_taken_for_it(make_run, end_command):
    run = make_run("unnamed")
    end_command(3)
    end_command(7)

    adoption.inherit(run, [run], Census())

    assert run.process is None
    assert adoption.read_end(run) is None


def test_one_that_is_older_than_the_order_to_start_is_not_taken_for_it(make_run, end_command):
    end_command(3)
    began = clock.boot_time()
    wait_until(lambda: clock.boot_time() > began + 0.02, 5, "the next tick of the kernel's clock")
    run = make_run("unnamed")

    adoption.inherit(run, [run], Census())

    assert run.process is None
