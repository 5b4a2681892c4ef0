"""A keeper that does not answer is ended: what runs is taken over, what was not begun is never begun by it."""

from __future__ import annotations

import os
import re
import shutil
import signal
from pathlib import Path

import pytest

from tests.fault import dead_mount
from tests.process.execution_bench import Bench, make_bench, marked_processes
from tests.waiting import wait_until
from watchbell.execution import Bundles, Watcher, runtime_root


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def bench(tmp_path, told):
    bundles = Bundles(runtime_root(tmp_path), tmp_path / "active", 1 << 30)
    bundles.prepare()
    watcher = Watcher(bundles, tmp_path / "output", keepers=2, tell=told.append)
    watcher.start()
    made = Bench(tmp_path, bundles, watcher)
    yield made
    made.watcher.stop()
    shutil.rmtree(runtime_root(tmp_path), ignore_errors=True)


def stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T")


def keepers(bench: Bench) -> list[int]:
    return [kept.keeper_pid for kept in bench.watcher._kept]


def children() -> set[int]:
    """Return the children of all threads: a keeper belongs to the one that has started it."""
    return {int(pid) for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()}


def test_a_keeper_that_is_stopped_before_it_greets_is_replaced_as_well(bench, told):
    before, gone = children(), keepers(bench)[0]

    os.kill(gone, signal.SIGKILL)
    newborn = wait_until(lambda: children() - before, 10, "the one that takes its place", interval=0)
    for pid in newborn:
        os.kill(pid, signal.SIGSTOP)

    wait_until(lambda: told, 40, "somebody to be told of it")
    wait_until(lambda: gone not in keepers(bench), 20, "one that greets to take its place")
    assert newborn.isdisjoint(keepers(bench)) or not bench.watcher._kept[0].silence
    assert bench.watcher.is_alive()
    # What is asked of the one that was stopped is known not to have started, and a scheduler gives it another start.
    wait_until(lambda: bench.run("true").outcome.exit_code == 0, 30, "commands to run again")


def test_what_a_stopped_keeper_had_started_gives_its_true_result(bench, told, tmp_path):
    bench.start("while [ ! -e go-on ]; do sleep 0.02; done; echo late; exit 7")
    hanging = next(kept.keeper_pid for kept in bench.watcher._kept if len(kept))

    stop(hanging)
    wait_until(lambda: told, 30, "somebody to be told")
    (tmp_path / "go-on").touch()

    finished = bench.wait()
    assert (finished.outcome.exit_code, finished.stdout.data) == (7, b"late\n")
    words = re.search(rf"PID {hanging}\) did not answer for (\d+) s", told[0])
    assert words and int(words[1]) >= 5, told
    assert hanging not in keepers(bench)


def test_a_keeper_that_answers_is_left_alone_however_long_its_commands_take(bench, told):
    before = keepers(bench)

    bench.run("sleep 7")

    assert keepers(bench) == before
    assert told == []


def test_a_start_that_a_stopped_keeper_had_not_begun_never_happens(bench, told, tmp_path):
    for pid in keepers(bench):
        stop(pid)
    before = keepers(bench)

    for number in range(6):
        bench.launch("echo ran >>ran", run_id=f"r{number}")
    outcomes = [bench.wait(f"r{number}").outcome for number in range(6)]
    for pid in before:
        # Those that were asked are dead by now; to let them go on changes nothing.
        if Path(f"/proc/{pid}").exists():
            os.kill(pid, signal.SIGCONT)

    assert all(outcome.not_started for outcome in outcomes), outcomes
    assert bench.run("echo after", run_id="later").outcome.exit_code == 0
    assert not (tmp_path / "ran").exists()


def test_new_starts_go_to_the_keeper_that_answers(bench, told):
    stop(keepers(bench)[0])
    bench.launch("true", run_id="waits")
    bench.launch("true", run_id="goes")
    wait_until(lambda: bench.watcher._kept[0].silence or told, 10, "the silence to be noticed")

    for number in range(8):
        assert bench.run("true", run_id=f"n{number}").outcome.exit_code == 0

    assert bench.wait("waits").outcome.not_started
    assert bench.wait("goes").outcome.exit_code == 0


def test_a_command_that_could_not_become_its_program_yet_is_watched_until_it_can(bench, told, tmp_path):
    with dead_mount.mounted(tmp_path / "dead") as is_mounted:
        script = tmp_path / "script"
        # The kernel itself goes to the disk that does not answer, on behalf of who starts it.
        script.write_text(f"#!{tmp_path / 'dead' / 'sh'}\n" if is_mounted else "#!/bin/sh\nexit 126\n")
        script.chmod(0o755)
        bench.launch((str(script),))
        bench.launch("echo other", run_id="other")

        assert bench.wait("other").outcome.exit_code == 0
        if is_mounted:
            wait_until(lambda: told, 30, "the keeper to be replaced")
            assert "r1" not in bench.finished

    # With the disk gone the program is not there: the command's own process says so.
    outcome = bench.wait().outcome
    assert outcome.exit_code not in (None, 0), (outcome, told)
    assert marked_processes(bench.claim().token) == []


def test_a_keeper_of_an_earlier_life_that_hangs_keeps_its_runs_as_they_are(tmp_path, told):
    first = make_bench(tmp_path)
    bundle, process = first.start("while [ ! -e go-on ]; do sleep 0.02; done; exit 9")
    keeper = first.watcher._kept[0].keeper_pid
    stop(keeper)
    first.watcher.stop()

    watcher = Watcher(first.bundles, tmp_path / "output", tell=told.append)
    watcher.start()
    second = Bench(tmp_path, first.bundles, watcher)
    watcher.adopt("r1", bundle, process)
    (tmp_path / "go-on").touch()
    wait_until(lambda: told, 30, "somebody to be told")
    assert "has ended, but its keeper" in told[0]
    assert second.finished == {}
    os.kill(keeper, signal.SIGCONT)

    assert second.wait().outcome.exit_code == 9
    watcher.stop()
    shutil.rmtree(runtime_root(tmp_path), ignore_errors=True)
