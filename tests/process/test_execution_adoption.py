"""A scheduler may die at any moment: the command goes on, and a later one gets its true result."""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

import pytest

from tests.process.execution_bench import QUICK, is_alive, kept_bytes, make_bench, marked_processes
from tests.waiting import crowd, wait_until
from watchbell.execution import Limits, Process, runtime_root
from watchbell.execution.adoption import refuse
from watchbell.execution.proc import read_stat
from watchbell.execution.process import find_leader
from watchbell.execution.record import parse_record
from watchbell.execution.tracking import Phase

#: A scheduler in small: it launches one command, says who its process is, watches, and waits to be killed.
LAUNCHER = """
import dataclasses, json, sys, time
from pathlib import Path
from watchbell.execution import *
home, text, limits = Path(sys.argv[1]), sys.argv[2], Limits(*json.loads(sys.argv[3]))
bundles = Bundles(runtime_root(home), home / "active", 1 << 30)
bundles.prepare()
watcher = Watcher(bundles, home / "output")
watcher.start()
bundle = bundles.claim("r1", 1)
watcher.launch("r1", bundle, Command(shell_command(text), {"PATH": "/usr/bin:/bin"}, str(home)), limits)
while (found := watcher.started("r1")) is None:
    time.sleep(0.001)
print(json.dumps([dataclasses.asdict(found[0]), watcher._kept[0].keeper_pid]), flush=True)
time.sleep(600)
"""


#: A record of an end with exit code 5.
WHOLE = b"[]\npid 4711 1600000000000000000\nend 1280 1.010000 2.020000 9000 1 2 3 4 5 6 1700000000000000000\n"


@pytest.fixture
def bench(tmp_path):
    made = make_bench(tmp_path)
    yield made
    made.watcher.stop()
    shutil.rmtree(runtime_root(tmp_path), ignore_errors=True)


def launch_and_kill(home: Path, text: str, limits: Limits = QUICK, *, keeper_too: bool = False) -> Process:
    """Start a command from another process and kill that one -9; return the identity of the command's own process."""
    arguments = [sys.executable, "-c", LAUNCHER, str(home), text, json.dumps(dataclasses.astuple(limits))]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, start_new_session=True) as launcher:
        process, keeper = json.loads(launcher.stdout.readline())
        if keeper_too:
            # First the one that would take over from the other.
            os.kill(launcher.pid, signal.SIGSTOP)
            os.kill(keeper, signal.SIGKILL)
        launcher.kill()
    return Process(**process)


def adopt_no_orphans() -> None:
    """Be no subreaper any more: a scheduler that starts later is no ancestor of what an earlier one has left."""
    assert ctypes.CDLL(None).prctl(36, 0, 0, 0, 0) == 0


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
    assert time.monotonic() - began < 1.0 + 1.5 * crowd()


def test_an_adopted_tree_is_cancelled_whole(bench, tmp_path):
    launch_and_kill(tmp_path, "trap '' TERM; setsid sleep 60 & while :; do sleep 0.05; done")
    bundle = bench.bundles.find("r1", 1)
    bench.watcher.adopt("r1", bundle)
    wait_until(lambda: len(marked_processes(bundle.token)) >= 2)

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

    bench.watcher.adopt("r1", refuse(bench.bundles, "r1", 1))

    outcome = bench.wait().outcome
    assert (outcome.not_started, outcome.lost) == (True, False)
    bench.finished.clear()
    assert bench.run(f"touch {effect}").outcome.not_started
    assert not effect.exists()


def test_a_start_that_is_refused_is_refused_wherever_it_was_about_to_be_made(bench):
    refused = refuse(bench.bundles, "r1", 1)

    assert [place.status for place in bench.bundles.places("r1", 1) if Path(place.status).exists()] == [
        f"{place.root}/r1.1.status" for place in bench.bundles.places("r1", 1)
    ]
    assert refused.on_tmpfs


def test_a_keeper_whose_asker_is_dead_starts_nothing_more(bench, tmp_path):
    """What was asked for but not begun when the scheduler died is left to the next life."""
    effect = tmp_path / "effect"
    keeper = bench.watcher._kept[0].keeper_pid
    os.kill(keeper, signal.SIGSTOP)
    bench.launch(f"touch {effect}")
    bench.watcher.stop()

    os.kill(keeper, signal.SIGCONT)

    wait_until(lambda: not is_alive(keeper))
    assert not effect.exists()
    assert bench.bundles.find("r1", 1) is None
    bench.watcher = make_bench(tmp_path).watcher


def test_a_keeper_that_dies_costs_no_result(bench, tmp_path):
    """Its commands come to the scheduler, which waits for them itself, and starts another keeper."""
    _, process = bench.start("while [ ! -e go-on ]; do sleep 0.02; done; echo done; exit 6")
    bench.start("while [ ! -e go-on ]; do sleep 0.02; done; kill -9 $$", run_id="r2")
    keeper = bench.watcher._kept[0].keeper_pid

    os.kill(keeper, signal.SIGKILL)

    wait_until(lambda: bench.watcher._kept[0].keeper_pid != keeper)
    assert is_alive(process.pid)
    (tmp_path / "go-on").touch()
    finished = bench.wait()
    assert (finished.outcome.exit_code, kept_bytes(finished)) == (6, b"done\n")
    assert finished.usage.user_seconds is not None
    assert bench.wait("r2").outcome.signal == signal.SIGKILL
    assert bench.run("exit 7", run_id="r3").outcome.exit_code == 7


def test_a_keeper_that_dies_beside_an_end_is_left_to_who_buries_it(tmp_path):
    """What comes to the scheduler from a dead keeper is no stranger's, before anybody has heard of that death."""
    bench = make_bench(tmp_path, keepers=2)
    one, two = bench.watcher._kept
    bench.start("while [ ! -e end-one ]; do sleep 0.02; done; exit 5")
    bench.start("while [ ! -e end-two ]; do sleep 0.02; done; exit 6", run_id="r2")
    first, second = one.keeper_pid, two.keeper_pid
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: one.keeper_pid != first)
    reap = bench.watcher._orphans.reap

    def reap_after_a_death(*given):
        if two.keeper_pid == second and is_alive(second):
            os.kill(second, signal.SIGKILL)
            wait_until(lambda: (found := read_stat(second)) is None or found.state == "Z")
        reap(*given)

    bench.watcher._orphans.reap = reap_after_a_death
    (tmp_path / "end-one").touch()

    assert bench.wait().outcome.exit_code == 5
    wait_until(lambda: two.keeper_pid != second)
    (tmp_path / "end-two").touch()
    assert bench.wait("r2").outcome.exit_code == 6
    bench.watcher.stop()
    shutil.rmtree(runtime_root(tmp_path), ignore_errors=True)


def test_what_was_asked_of_a_keeper_that_dies_is_never_started_twice(bench, tmp_path):
    effect = tmp_path / "effect"
    keeper = bench.watcher._kept[0].keeper_pid
    os.kill(keeper, signal.SIGSTOP)
    for number in range(20):
        bench.launch(f"echo {number} >> {effect}; exit 3", run_id=f"k{number}")

    os.kill(keeper, signal.SIGKILL)

    outcomes = [bench.wait(f"k{number}").outcome for number in range(20)]
    assert all(outcome.not_started and outcome.exit_code is None for outcome in outcomes)
    assert not effect.exists()


def test_when_scheduler_and_keeper_die_together_the_command_goes_on_and_its_end_is_unknown(bench, tmp_path):
    adopt_no_orphans()
    process = launch_and_kill(tmp_path, "while [ ! -e go-on ]; do sleep 0.02; done; exit 6", keeper_too=True)

    bench.watcher.adopt("r1", bench.bundles.find("r1", 1), process)
    assert "r1" in bench.watcher.live()
    (tmp_path / "go-on").touch()

    assert bench.wait().outcome.lost


def test_a_command_that_is_just_being_taken_over_is_not_taken_to_have_ended(bench, tmp_path):
    adopt_no_orphans()
    process = launch_and_kill(tmp_path, "while [ ! -e go-on ]; do sleep 0.02; done", keeper_too=True)

    class Slow(deque):
        def append(self, run):
            looked = run.outputs[0].looked
            super().append(run)
            # The watching thread sees it, and does what is due for it, before the other one goes on.
            os.eventfd_write(bench.watcher._wake, 1)
            wait_until(lambda: run.outputs[0].looked > looked or run.phase is not Phase.RUNNING)

    bench.watcher._incoming = Slow()
    bench.watcher.adopt("r1", bench.bundles.find("r1", 1), process)

    assert is_alive(process.pid)
    assert not bench.watcher.live()["r1"].is_ending
    (tmp_path / "go-on").touch()
    assert bench.wait().outcome.lost


def test_a_second_adoption_of_what_was_never_started_says_so_again(bench):
    bundle = refuse(bench.bundles, "r1", 1)
    bench.watcher.adopt("r1", bundle)
    bench.wait()
    bench.finished.clear()

    bench.watcher.adopt("r1", bundle)

    assert bench.wait().outcome.not_started


def test_a_reboot_is_told(bench, tmp_path):
    bundle, process = bench.claim("b1"), None
    Path(bundle.status).write_bytes(b"[]\npid 4711 1\n")
    process = Process(os.getpid(), 1, "00000000-0000-0000-0000-000000000000")

    bench.watcher.adopt("b1", bundle, process)

    outcome = bench.wait("b1").outcome
    assert (outcome.lost, outcome.reason) == (True, "host rebooted")


def test_a_result_that_was_recorded_before_a_reboot_counts(bench):
    bundle = bench.claim("b1")
    Path(bundle.status).write_bytes(WHOLE)

    bench.watcher.adopt("b1", bundle, Process(4711, 1, "00000000-0000-0000-0000-000000000000"))

    finished = bench.wait("b1")
    assert (finished.outcome.exit_code, finished.outcome.lost) == (5, False)
    assert (finished.usage.user_seconds, finished.usage.system_seconds) == (1.01, 2.02)
    assert finished.outcome.ended_at.timestamp() == 1_700_000_000


def test_neither_process_nor_result_is_lost(bench):
    bundle = bench.claim("b1")
    Path(bundle.status).write_bytes(WHOLE[:-1])

    bench.watcher.adopt("b1", bundle)

    outcome = bench.wait("b1").outcome
    assert (outcome.lost, outcome.exit_code) == (True, None)


def test_a_stranger_with_the_recorded_number_is_left_alone(bench):
    """The status file names a living process that is not ours, as after the reuse of a pid."""
    bundle = bench.claim("b1")
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        Path(bundle.status).write_bytes(b"[]\npid %d 1\n" % stranger.pid)
        from_stat = int(Path(f"/proc/{stranger.pid}/stat").read_text().rsplit(")", 1)[1].split()[19])

        assert find_leader(bundle, stranger.pid) is None
        wrong = Process(stranger.pid, from_stat - 1, Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        bench.watcher.adopt("b1", bundle, wrong)

        assert bench.wait("b1").outcome.lost
        assert stranger.poll() is None
        stranger.kill()


def test_a_run_that_was_stopped_for_its_output_is_resumed_by_the_adopter(bench, tmp_path):
    process = launch_and_kill(tmp_path, "while [ ! -e go-on ]; do sleep 0.02; done; exit 5")
    os.killpg(process.pid, signal.SIGSTOP)
    wait_until(lambda: Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "TD")
    (tmp_path / "go-on").touch()

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


def test_every_bundle_is_listed_for_adoption_with_what_it_was_started_under(bench):
    for number in range(5):
        bench.run("true", run_id=f"l{number}")

    assert {bundle.name for bundle in bench.bundles.list()} == {f"l{number}.1" for number in range(5)}
    for bundle in list(bench.bundles.list()):
        assert bundle.read_meta().limits == QUICK
        bench.bundles.remove(bundle)
    assert list(bench.bundles.list()) == []


def test_half_a_record_is_no_result():
    for length in range(len(WHOLE)):
        assert parse_record(WHOLE[:length]).wait_status is None
    assert parse_record(WHOLE).wait_status == 5 << 8
