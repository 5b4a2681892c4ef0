"""The scheduler seen from outside, with real schedulers and real strangers."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import stat
import subprocess
import threading
from datetime import timedelta

import pytest

from tests.process.programs import end_scheduler
from tests.waiting import crowd, wait_until
from watchbell import clock
from watchbell.control import pidfile, process, pulse
from watchbell.control.detached import StartFailed
from watchbell.control.pidfile import DamagedPIDFile, Owner
from watchbell.control.pulse import PulseWriter
from watchbell.domain.presence import STALL_SECONDS, SchedulerState
from watchbell.errors import AlreadyRunning, NotRunning, WatchbellError
from watchbell.execution import proc
from watchbell.execution.process import current_boot_id
from watchbell.services import triggers


@pytest.fixture
def place(lab):
    """Give an installation whose scheduler is gone when the test ends, whoever started it."""
    yield lab
    end_scheduler(lab.home)


@pytest.fixture
def stranger():
    """Give a process that has nothing to do with us."""
    sleeper = subprocess.Popen(["sleep", "600"])
    yield sleeper
    sleeper.kill()
    sleeper.wait()


def status(place):
    return process.status(place.config, place.db, now=clock.now())


def test_a_started_scheduler_has_beaten_and_belongs_to_nobody(place):
    started = process.start(place.config, place.db)

    found = proc.read_stat(started.pid)
    assert started.state is SchedulerState.RUNNING
    assert started.message.startswith("Running since ")
    assert found.session == started.pid
    assert found.parent != os.getpid()
    assert started.pid not in (proc.read_own_children() or [])
    assert place.rows("SELECT 1 FROM heartbeat")


def test_a_stopped_scheduler_leaves_no_zombie_and_no_pid_file(place):
    pid = process.start(place.config, place.db).pid

    outcome = process.stop(place.config, place.db, actor="ann")

    assert outcome == process.StopOutcome(pid, still_running=0)
    assert not place.config.pid_path.exists()
    wait_until(lambda: proc.read_stat(pid) is None, 5, "the process to be waited for by init")
    found = status(place)
    assert found.state is SchedulerState.STOPPED
    assert found.message.startswith("Stopped by ann at ")
    assert found.was_stopped


def test_the_pid_file_is_private_and_names_the_process(place):
    pid = process.start(place.config, place.db).pid

    assert stat.S_IMODE(place.config.pid_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.config.log_path.stat().st_mode) == 0o600
    assert place.config.pid_path.read_text().splitlines()[0] == str(pid)


def test_a_second_start_is_refused_with_the_owners_pid(place):
    pid = process.start(place.config, place.db).pid

    with pytest.raises(AlreadyRunning, match=f"PID {pid}"):
        process.start(place.config, place.db)


def test_of_two_starts_at_once_one_wins_and_the_other_says_so(place):
    answers = []

    def try_it():
        try:
            answers.append(process.start(place.config, place.db, timeout=10 * crowd()).state)
        except AlreadyRunning as error:
            answers.append(error.code)

    threads = [threading.Thread(target=try_it) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30 * crowd())

    assert sorted(answers) == ["already_running", SchedulerState.RUNNING]
    assert len(place.rows("SELECT 1 FROM scheduler")) == 1


def test_a_scheduler_that_someone_else_started_is_stopped_like_any_other(place):
    life = place.start()
    life.wait_for_beat()

    outcome = process.stop(place.config, place.db)

    assert outcome.pid == life.pid
    assert life.reap() == 0


def test_a_stop_says_how_many_commands_go_on(place):
    life = place.start()
    life.wait_for_beat()
    task = place.add_task("long", seconds=60)
    triggers.run_now(place.db, task.id, now=clock.now(), actor="ann")
    wait_until(place.effect_lines, 10, "the command to start")

    outcome = process.stop(place.config, place.db)

    assert outcome.still_running == 1
    assert "1 command goes on" in outcome.message
    assert proc.read_stat(int(place.effect_lines()[0][6])) is not None
    assert life.reap() == 0


def test_stopping_what_does_not_run_says_so(place):
    with pytest.raises(NotRunning):
        process.stop(place.config, place.db)


def reused(stranger):
    """Return what an old scheduler may have left that had the number of a process of today."""
    ticks = proc.read_stat(stranger.pid).start_ticks
    return {
        "only a number": f"{stranger.pid}\n",
        "another start": f"{stranger.pid}\n{ticks - 1} {current_boot_id()}\n",
        "another boot": f"{stranger.pid}\n{ticks} 00000000-0000-0000-0000-000000000000\n",
    }


@pytest.mark.parametrize("case", ["only a number", "another start", "another boot"])
def test_a_stale_pid_that_a_stranger_has_now_is_never_signalled_and_start_works(place, stranger, case):
    place.config.pid_path.write_text(reused(stranger)[case])

    with pytest.raises(NotRunning):
        process.stop(place.config, place.db)
    started = process.start(place.config, place.db)

    assert started.pid != stranger.pid
    assert stranger.poll() is None


@pytest.mark.parametrize("case", ["only a number", "another start", "another boot"])
def test_a_held_lock_with_a_strangers_pid_beside_it_stops_nobody(place, stranger, case):
    life = place.start()
    life.wait_for_beat()
    place.config.pid_path.write_text(reused(stranger)[case])

    with pytest.raises(WatchbellError, match="left alone"):
        process.stop(place.config, place.db)

    assert stranger.poll() is None
    assert not life.ended(0)


@pytest.mark.parametrize("text", ["", "hello", "-1\n", "0\n", "99999999999\n", "12 34\n", "12\nx y\n", "\0\0"])
def test_garbage_in_the_pid_file_is_an_error_and_stays_to_be_seen(place, text):
    place.config.pid_path.write_text(text)

    with pytest.raises(DamagedPIDFile, match="something else than a PID"):
        process.start(place.config, place.db)

    assert place.config.pid_path.read_text() == text
    assert "something else than a PID" in status(place).message
    assert place.start().reap() == DamagedPIDFile.exit_code


def test_garbage_in_the_pid_file_of_a_running_scheduler_stops_nobody(place):
    life = place.start()
    life.wait_for_beat()
    place.config.pid_path.write_text("hello")

    with pytest.raises(DamagedPIDFile):
        process.stop(place.config, place.db)

    assert not life.ended(0)
    assert status(place).state is SchedulerState.RUNNING


def test_a_killed_scheduler_is_told_from_a_stopped_one_and_can_be_started_again(place):
    life = place.start()
    life.wait_for_beat()
    life.kill()

    found = status(place)

    assert found.state is SchedulerState.STOPPED
    assert found.message.startswith("Ended without a word: killed or crashed; last heartbeat ")
    assert not found.was_stopped
    assert process.start(place.config, place.db).state is SchedulerState.RUNNING


def test_a_scheduler_whose_loop_does_not_turn_is_stalled_though_its_process_lives(place):
    life = place.start()
    life.wait_for_beat()
    life.signal(signal.SIGSTOP)
    # As if it had been suspended for so long already.
    said = wait_until(lambda: pulse.read(place.config), 5, "its pulse")
    PulseWriter(place.config).write(dataclasses.replace(said, at=said.at - 21))

    found = status(place)

    assert found.state is SchedulerState.STALLED
    assert re.fullmatch("No tick for 2[1-9] s.", found.message)
    assert STALL_SECONDS < 21


def test_a_scheduler_of_which_only_the_row_is_known_is_judged_by_its_last_beat(place):
    life = place.start()
    life.wait_for_beat()
    pulse.path_of(place.config).unlink()
    beat_at = status(place).beat_at

    found = process.status(place.config, place.db, now=beat_at + timedelta(seconds=21))

    assert found.state is SchedulerState.STALLED
    assert found.message == "No tick for 21 s."


def test_a_suspended_scheduler_can_be_stopped(place):
    life = place.start()
    life.wait_for_beat()
    life.signal(signal.SIGSTOP)

    assert process.stop(place.config, place.db).pid == life.pid

    assert life.reap() == 0


def test_a_lock_without_a_heartbeat_is_a_scheduler_that_is_starting(place):
    with pidfile.hold(place.config):
        found = status(place)

    assert found.state is SchedulerState.STARTING
    assert found.pid == os.getpid()


def test_a_scheduler_that_calls_this_machine_otherwise_is_known_and_stopped(place, make_lab):
    other = make_lab(hostname="alias")
    life = other.start()
    life.wait_for_beat()

    found = status(place)

    assert found.state is SchedulerState.RUNNING
    assert found.host == "alias"
    assert process.stop(place.config, place.db, actor="ann").pid == life.pid
    assert life.reap() == 0
    assert place.rows("SELECT stop_reason FROM scheduler")[0]["stop_reason"] == "stopped by ann"


def test_a_start_that_fails_says_why_in_the_words_of_the_log(place):
    place.execute("UPDATE alembic_version SET version_num = 'from_the_future'")

    with pytest.raises(StartFailed, match="made by a newer Watchbell") as caught:
        process.start(place.config, place.db)

    assert caught.value.lines
    assert pidfile.is_held(place.config) is False


def test_a_restart_starts_also_what_did_not_run(place):
    first = process.restart(place.config, place.db)

    second = process.restart(place.config, place.db, actor="ann")

    assert second.pid != first.pid
    assert second.state is SchedulerState.RUNNING


def test_a_process_that_we_may_not_signal_is_alive():
    first = Owner(1, proc.read_stat(1).start_ticks, current_boot_id())
    child = os.fork()
    if child == 0:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresuid(65534, 65534, 65534)
        os._exit(0 if pidfile.is_alive(first) else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_lock_may_be_looked_at_while_somebody_takes_it(place):
    stop = threading.Event()

    def look():
        while not stop.is_set():
            pidfile.is_held(place.config)

    looker = threading.Thread(target=look)
    looker.start()
    try:
        for _ in range(20):
            with pidfile.hold(place.config):
                assert pidfile.is_held(place.config)
    finally:
        stop.set()
        looker.join()
