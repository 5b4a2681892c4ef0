"""A scheduler may die at any moment: the command goes on, and a later one gets its true result."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.process.execution_bench import ENVIRONMENT, QUICK, is_alive, kept_bytes, make_bench, marked_processes
from tests.waiting import wait_until
from watchbell.execution import AlreadyStarted, Command, Limits, Process, launch, runtime_root, shell_command
from watchbell.execution.process import find_shim

#: A scheduler in small: it launches one command, says who the shim is, watches, and waits to be killed.
LAUNCHER = """
import dataclasses, json, sys, time
from pathlib import Path
from watchbell.execution import *
home, text, limits = Path(sys.argv[1]), sys.argv[2], Limits(*json.loads(sys.argv[3]))
bundles = Bundles(runtime_root(home), home / "active", 1 << 30)
bundles.prepare()
watcher = Watcher(bundles, home / "output")
watcher.start()
bundle = bundles.claim("r1", 1, limits, started=time.time())
process = launch(bundle, Command(shell_command(text), {"PATH": "/usr/bin:/bin"}, str(home)))
watcher.watch("r1", bundle, process, limits)
print(json.dumps(dataclasses.asdict(process)), flush=True)
time.sleep(600)
"""


@pytest.fixture
def bench(tmp_path):
    made = make_bench(tmp_path)
    yield made
    made.watcher.stop()
    shutil.rmtree(runtime_root(tmp_path), ignore_errors=True)


def launch_and_kill(home: Path, text: str, limits: Limits = QUICK) -> Process:
    """Start a command from another process and kill that one -9; return the identity of the shim."""
    arguments = [sys.executable, "-c", LAUNCHER, str(home), text, json.dumps(dataclasses.astuple(limits))]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, start_new_session=True) as launcher:
        line = launcher.stdout.readline()
        launcher.kill()
    return Process(**json.loads(line))


def test_a_run_that_goes_on_is_adopted_and_gives_its_true_result(bench, tmp_path):
    text = "echo before; while [ ! -e go-on ]; do sleep 0.02; done; echo after; echo err >&2; exit 7"
    process = launch_and_kill(tmp_path, text)
    bundle = bench.bundles.find("r1", 1)

    bench.watcher.adopt("r1", bundle, process)
    assert "r1" in bench.watcher.live()
    (tmp_path / "go-on").touch()

    finished = bench.wait()
    assert (finished.outcome.exit_code, finished.outcome.lost) == (7, False)
    assert kept_bytes(finished, "stdout") == b"before\nafter\n"
    assert kept_bytes(finished, "stderr") == b"err\n"
    assert finished.usage.user_seconds is not None


def test_a_run_whose_identity_was_never_stored_is_found_by_its_mark(bench, tmp_path):
    launch_and_kill(tmp_path, "while [ ! -e go-on ]; do sleep 0.02; done; exit 7")

    bench.watcher.adopt("r1", bench.bundles.find("r1", 1))
    (tmp_path / "go-on").touch()

    assert bench.wait().outcome.exit_code == 7


def test_a_run_that_ended_meanwhile_gives_its_result_and_its_time(bench, tmp_path):
    process = launch_and_kill(tmp_path, "sleep 0.1; seq 1 20000; exit 9")
    wait_until(lambda: not is_alive(process.pid))
    ended = time.time()

    bench.watcher.adopt("r1", bench.bundles.find("r1", 1), process)

    finished = bench.wait()
    assert finished.outcome.exit_code == 9
    assert abs(finished.outcome.ended_at.timestamp() - ended) < 2
    assert kept_bytes(finished) == b"".join(b"%d\n" % number for number in range(1, 20_001))


def test_output_after_the_death_of_the_scheduler_costs_the_command_nothing(bench, tmp_path):
    """Not even a SIGPIPE: it writes far more than any pipe holds while nobody is there."""
    process = launch_and_kill(tmp_path, "sleep 0.2; head -c 3000000 /dev/zero && echo wrote all >&2")
    wait_until(lambda: not is_alive(process.pid))

    bench.watcher.adopt("r1", bench.bundles.find("r1", 1), process)

    finished = bench.wait()
    assert finished.outcome.exit_code == 0
    assert kept_bytes(finished, "stderr") == b"wrote all\n"
    assert finished.stdout.size == 3_000_000


def test_the_time_limit_counts_from_the_first_start(bench, tmp_path):
    limits = Limits(time_seconds=1.0, grace_seconds=0.2)
    process = launch_and_kill(tmp_path, "while :; do sleep 0.05; done", limits)
    began = time.monotonic()

    bench.watcher.adopt("r1", bench.bundles.find("r1", 1), process)

    assert bench.wait().outcome.timed_out
    assert time.monotonic() - began < 1.0 + 1.5


def test_an_adopted_tree_is_cancelled_whole(bench, tmp_path):
    launch_and_kill(tmp_path, "trap '' TERM; setsid sleep 60 & while :; do sleep 0.05; done")
    bundle = bench.bundles.find("r1", 1)
    bench.watcher.adopt("r1", bundle)
    wait_until(lambda: len(marked_processes(bundle.token)) >= 3)

    bench.watcher.cancel("r1")

    assert bench.wait().outcome.cancelled
    assert marked_processes(bundle.token) == []


def test_what_an_adopted_run_left_behind_is_swept_though_it_is_no_child_of_ours(bench, tmp_path):
    process = launch_and_kill(tmp_path, "setsid sleep 60 & sleep 0.1; exit 2")
    wait_until(lambda: not is_alive(process.pid))
    bundle = bench.bundles.find("r1", 1)
    assert marked_processes(bundle.token) != []

    bench.watcher.adopt("r1", bundle, process)

    assert (bench.wait().outcome.exit_code, bench.wait().outcome.left_behind) == (2, 1)
    assert marked_processes(bundle.token) == []


def test_without_a_mark_nothing_was_started_and_nothing_will_be(bench, tmp_path):
    effect = tmp_path / "effect"
    bundle = bench.claim()

    bench.watcher.adopt("r1", bundle)

    outcome = bench.wait().outcome
    assert (outcome.not_started, outcome.lost) == (True, False)
    with pytest.raises(AlreadyStarted):
        launch(bundle, Command(shell_command(f"touch {effect}"), ENVIRONMENT, "/tmp"))
    assert not effect.exists()


def test_a_second_adoption_of_what_was_never_started_says_so_again(bench):
    bundle = bench.claim()
    bench.watcher.adopt("r1", bundle)
    bench.wait()
    bench.finished.clear()

    bench.watcher.adopt("r1", bundle)

    assert bench.wait().outcome.not_started


def test_a_reboot_is_told(bench, tmp_path):
    bundle, process = bench.claim("b1"), None
    Path(bundle.status).write_bytes(b"4711\n")
    process = Process(os.getpid(), 1, "00000000-0000-0000-0000-000000000000")

    bench.watcher.adopt("b1", bundle, process)

    outcome = bench.wait("b1").outcome
    assert (outcome.lost, outcome.reason) == (True, "host rebooted")


def test_a_result_that_was_recorded_before_a_reboot_counts(bench):
    bundle = bench.claim("b1")
    Path(bundle.status).write_bytes(b"4711\n0m0.01s 0m0.02s\n0m1.00s 0m2.00s\nend 5\n")

    bench.watcher.adopt("b1", bundle, Process(4711, 1, "00000000-0000-0000-0000-000000000000"))

    finished = bench.wait("b1")
    assert (finished.outcome.exit_code, finished.outcome.lost) == (5, False)
    assert (finished.usage.user_seconds, finished.usage.system_seconds) == (1.01, 2.02)


def test_neither_process_nor_result_is_lost(bench):
    bundle = bench.claim("b1")
    Path(bundle.status).write_bytes(b"4711\n0m0.01s 0m0.02s\n0m1.0")

    bench.watcher.adopt("b1", bundle)

    outcome = bench.wait("b1").outcome
    assert (outcome.lost, outcome.exit_code) == (True, None)


def test_a_stranger_with_the_recorded_number_is_left_alone(bench):
    """The status file names a living process that is not ours, as after the reuse of a pid."""
    bundle = bench.claim("b1")
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        Path(bundle.status).write_bytes(b"%d\n" % stranger.pid)
        from_stat = int(Path(f"/proc/{stranger.pid}/stat").read_text().rsplit(")", 1)[1].split()[19])

        assert find_shim(bundle, stranger.pid) is None
        wrong = Process(stranger.pid, from_stat - 1, Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        bench.watcher.adopt("b1", bundle, wrong)

        assert bench.wait("b1").outcome.lost
        assert stranger.poll() is None
        stranger.kill()


def test_a_run_that_was_stopped_for_its_output_is_resumed_by_the_adopter(bench, tmp_path):
    process = launch_and_kill(tmp_path, "sleep 0.3; exit 5")
    os.killpg(process.pid, signal.SIGSTOP)
    wait_until(lambda: Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T")

    bench.watcher.adopt("r1", bench.bundles.find("r1", 1), process)

    assert bench.wait().outcome.exit_code == 5


def test_a_watcher_that_stops_leaves_the_command_to_the_next(bench, tmp_path):
    bundle, process = bench.start("while [ ! -e go-on ]; do sleep 0.02; done; exit 8")
    bench.watcher.stop()
    assert is_alive(process.pid)

    second = make_bench(tmp_path)
    second.watcher.adopt("r1", bundle, process)
    (tmp_path / "go-on").touch()

    assert second.wait().outcome.exit_code == 8
    bench.watcher = second.watcher


def test_every_bundle_is_listed_for_adoption(bench):
    names = {bench.claim(f"l{number}").name for number in range(5)}

    assert {bundle.name for bundle in bench.bundles.list()} == names
    for bundle in list(bench.bundles.list()):
        assert bundle.read_meta().limits == QUICK
        bench.bundles.remove(bundle)
    assert list(bench.bundles.list()) == []
