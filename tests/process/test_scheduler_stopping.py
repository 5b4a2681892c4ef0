"""Stopping in good order, storms of signals and reboots: commands go on, and what became of them is told truly."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time

import pytest

from tests.process.lives import list_processes
from tests.waiting import crowd, wait_until
from watchbell import clock
from watchbell.execution import runtime_root
from watchbell.services import triggers

pytestmark = pytest.mark.fault

#: A stop is over in this time, whatever runs.
STOP_SECONDS = 2.0
OTHER_BOOT = "00000000-0000-4000-8000-000000000000"


def run_many(lab, count, seconds) -> None:
    """Ask for runs of several tasks, each with an exit code of its own."""
    for number in range(count):
        task = lab.add_task(f"job-{number}", seconds, number + 10)
        triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester")


def wait_for_starts(lab, count) -> None:
    lab.wait(lambda: len(lab.effect_lines("START")) == count, f"{count} commands to start")


def assert_all_true(lab, count) -> None:
    done = "SELECT count(*) FROM run WHERE state = 'failed' AND exit_code = task_id + 9"
    lab.wait(lambda: lab.rows(done)[0][0] == count, f"{count} true exit codes: {lab.states()}")
    assert len(lab.effect_lines("START")) == len(lab.effect_lines("END")) == count


def test_a_stop_takes_two_seconds_at_most_and_commands_go_on(make_lab):
    lab = make_lab(max_running=60)
    run_many(lab, 50, 4)
    life = lab.start()
    wait_for_starts(lab, 50)
    began = time.monotonic()

    code = life.stop()

    assert (code, time.monotonic() - began < STOP_SECONDS * crowd()) == (0, True)
    assert lab.effect_lines("END") == []
    assert len(list_processes(lab.token)) >= 50
    stopped = lab.rows("SELECT * FROM scheduler")[0]
    assert stopped["stopped_at"]
    assert "SIGTERM" in stopped["stop_reason"]
    assert stopped["running"] == 50
    assert not lab.config.pid_path.exists()
    with lab.running():
        assert_all_true(lab, 50)


def test_a_storm_of_signals_is_one_stop(lab):
    run_many(lab, 5, 1)
    life = lab.start()
    wait_for_starts(lab, 5)

    for number in [signal.SIGHUP, *[signal.SIGTERM, signal.SIGINT] * 20]:
        if not life.ended(0):
            life.signal(number)

    assert life.reap(STOP_SECONDS) == 0
    with lab.running():
        assert_all_true(lab, 5)


def test_a_hangup_does_not_end_the_scheduler(lab):
    with lab.running() as life:
        for _ in range(10):
            life.signal(signal.SIGHUP)
        run_many(lab, 1, 0)

        assert_all_true(lab, 1)


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.1, 0.2, 0.3])
def test_a_stop_during_the_start_loses_nothing(lab, moment):
    run_many(lab, 8, 0.3)
    life = lab.start()
    life.ended(moment)
    if not life.ended(0):
        life.signal(signal.SIGTERM)
    # Before it has set its handlers the signal ends it as it ends any program.
    assert life.reap() in {0, -signal.SIGTERM}

    with lab.running():
        assert_all_true(lab, 8)


def test_a_freeze_of_the_scheduler_makes_it_late_only(lab):
    lab.add_task("tick", 0, 0, every="1s", catch_up="all")
    with lab.running() as life:
        wait_for_starts(lab, 1)
        life.signal(signal.SIGSTOP)
        assert not life.ended(3)
        life.signal(signal.SIGCONT)

        lab.wait(lambda: len(lab.effect_lines("END")) >= 5, "what was due meanwhile to be run")
    moments = [row["due_at"] for row in lab.rows("SELECT due_at FROM run ORDER BY due_at")]
    assert len(moments) == len(set(moments))
    assert int(moments[-1][17:19]) - int(moments[0][17:19]) in {len(moments) - 1, len(moments) - 61}


def kill_commands(lab) -> None:
    """Kill every process of every command, and those that they were just making, too."""

    def none_is_left() -> bool:
        found = list_processes(lab.token)
        for pid in found:
            # It may have ended since it was listed.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not found

    wait_until(none_is_left, 10, "all processes to be gone")


def reboot(lab) -> None:
    """Make it look as after a reboot: other boot ids in the rows, no processes, and nothing left on tmpfs."""
    kill_commands(lab)
    shutil.rmtree(runtime_root(lab.home), ignore_errors=True)
    lab.execute("UPDATE scheduler SET boot_id = ?", OTHER_BOOT)
    lab.execute("UPDATE attempt SET boot_id = ? WHERE boot_id IS NOT NULL", OTHER_BOOT)


@pytest.mark.parametrize("point", ["", "after the keeper is asked", "after the ticket is committed"])
def test_a_reboot_makes_runs_lost_and_says_so(lab, point):
    task = lab.add_task("job", 30, 7)
    triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester")
    life = lab.start(point)
    if point:
        life.reap()
    else:
        lab.wait_for_state(1, "running")
        life.kill()
    reboot(lab)

    with lab.running():
        row = lab.wait_for_state(1, "lost")
    assert "host rebooted" in row["reason"]
    assert len(lab.effect_lines("START")) <= 1
    assert not list_processes(lab.token)


def test_a_reboot_starts_again_what_may_be_repeated(lab):
    task = lab.add_task("job", 0.5, 7, uncertain="run_again")
    triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester")
    life = lab.start()
    lab.wait_for_state(1, "running")
    life.kill()
    reboot(lab)

    with lab.running():
        row = lab.wait_for_state(1, "failed", "lost")
    assert (row["state"], row["exit_code"], row["attempts"]) == ("failed", 7, 2)
    assert [line[1] for line in lab.effect_lines("START")] == ["1", "2"]


def test_a_command_that_was_killed_with_all_who_waited_for_it_is_lost(lab):
    task = lab.add_task("job", 30, 0)
    triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester")
    life = lab.start()
    lab.wait_for_state(1, "running")
    life.kill_with_keeper()
    kill_commands(lab)

    with lab.running():
        row = lab.wait_for_state(1, "lost", "failed", "succeeded")
    assert row["state"] == "lost"
