"""The scheduler as the daemon of one pipeline: started, asked, read and stopped, each answer true."""

from __future__ import annotations

import dataclasses
import os
import signal
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.process.programs import end_scheduler
from tests.waiting import wait_until
from watchbell import clock
from watchbell.config import Config
from watchbell.control import cron_control, process
from watchbell.domain.presence import SchedulerState
from watchbell.domain.task_definition import Defaults
from watchbell.errors import InputError, NotFound
from watchbell.services import cron_task, pauses, runs, tasks
from watchbell.services.runs import RunFilter
from watchbell.store import schema
from watchbell.store.session import Database

DEFAULTS = Defaults(zone="UTC", owner="tester", host="")
SCRIPTS = {
    "good.py": "print('fine')",
    "bad.py": "import sys; sys.exit('no such table')",
    "slow.py": "import time; time.sleep(60)",
}


@dataclasses.dataclass
class Daemon:
    """An installation whose pipeline is started and stopped."""

    config: Config
    db: Database

    def start(self, seconds: int = 60) -> cron_control.Answer:
        return cron_control.start(self.config, self.db, seconds, now=clock.now(), actor="tester")

    def stop(self) -> cron_control.Answer:
        return cron_control.stop(self.config, self.db, now=clock.now(), actor="tester")

    def status(self) -> cron_control.CronStatus:
        return cron_control.status(self.config, self.db, now=clock.now())

    def lines(self, **options: int) -> list[str]:
        return list(cron_control.logs(self.config, self.db, **options).lines)

    def clear(self) -> cron_control.Answer:
        return cron_control.clear_logs(self.config, self.db, now=clock.now(), actor="tester")

    def task(self):
        return tasks.find_by_name(self.db, "pipeline")

    def wait_for(self, words: str, count: int = 1) -> list[str]:
        wait_until(lambda: sum(words in line for line in self.lines()) >= count, 40, f"{words!r} in the log")
        return self.lines()


@pytest.fixture
def make_daemon(tmp_path):
    made = []

    def make(*scripts: str, **settings: object) -> Daemon:
        home, folder = tmp_path / "home", tmp_path / "scripts"
        folder.mkdir(exist_ok=True)
        for name, text in SCRIPTS.items():
            (folder / name).write_text(text)
        given = {"cron_scripts": ",".join(scripts), "cron_folder": str(folder), **settings} if scripts else settings
        config = Config.load(
            {"home": home, "zone": "Europe/Berlin", "sample_task": "off", **given}, environ={**os.environ}
        )
        home.mkdir(exist_ok=True)
        db = Database.open(config.database_url)
        schema.upgrade(db)
        made.append((home, db))
        return Daemon(config, db)

    yield make
    for home, db in made:
        db.close()
        end_scheduler(home)


def test_a_scheduler_that_takes_long_to_begin_is_said_to_be_on_its_way(make_daemon, monkeypatch):
    monkeypatch.setattr(process, "ANSWER_SECONDS", 0.0)
    daemon = make_daemon("good.py")

    started = daemon.start()

    assert started.success
    assert started.message.endswith("; its first heartbeat is still to come")
    wait_until(lambda: daemon.status().is_running, 40, "the scheduler to run")


def test_a_pipeline_is_made_started_asked_and_stopped(make_daemon):
    daemon = make_daemon("good.py", "bad.py", "missing.py")
    assert daemon.status() == cron_control.CronStatus(False, None, "Daemon is not running")
    assert daemon.stop() == cron_control.Answer(success=False, message="Daemon is not running")
    assert (daemon.lines(), daemon.clear().message) == ([], "No log file to clear")

    started = daemon.start(90)
    running = daemon.status()

    assert started == cron_control.Answer(
        success=True, message=f"Daemon started successfully with interval: 90 seconds (PID: {running.pid})"
    )
    assert running == cron_control.CronStatus(True, running.pid, f"Daemon is running (PID: {running.pid})")
    os.kill(running.pid, 0)
    # The interval is the one that was asked for, to the second, and the first cycle runs at once.
    task = daemon.task()
    assert (task.schedule["every"], task.schedule["unit"]) == (90, "seconds")
    assert timedelta(seconds=80) < task.next_due_at - clock.now() <= timedelta(seconds=90)
    lines = daemon.wait_for("execution completed")
    assert [
        line[22:] for line in lines if "[1/3]" in line or "[2/3]" in line or "[3/3]" in line or "Error" in line
    ] == [
        "[1/3] Running good.py...",
        "[1/3] ✓ good.py completed successfully",
        "[2/3] Running bad.py...",
        "[2/3] ✗ bad.py failed with exit code 1",
        " Error: no such table",
        "[3/3] Running missing.py...",
        "[3/3] ERROR: missing.py not found!",
    ]
    assert f"Pipeline daemon started (PID: {running.pid}, Interval: 90s)" in "\n".join(lines)
    local = datetime.strptime(next(line for line in lines if "execution started" in line)[1:20], "%Y-%m-%d %H:%M:%S")
    assert abs(local.replace(tzinfo=ZoneInfo("Europe/Berlin")) - clock.now()) < timedelta(minutes=2)

    again = daemon.start(30)
    assert again == cron_control.Answer(success=False, message=f"Daemon is already running (PID: {running.pid})")
    assert daemon.task().schedule["every"] == 90
    assert daemon.lines(lines=2) == lines[-2:]

    stopped = daemon.stop()
    assert stopped == cron_control.Answer(success=True, message="Daemon stopped successfully")
    assert process.status(daemon.config, daemon.db, now=clock.now()).state is SchedulerState.STOPPED
    assert not daemon.status().is_running
    assert daemon.status().message.startswith("Daemon is not running. Stopped by tester at ")
    assert daemon.lines() == lines
    assert daemon.clear() == cron_control.Answer(success=True, message="Logs cleared successfully")
    assert daemon.lines() == []


def test_started_again_it_runs_at_once_with_its_new_interval(make_daemon):
    daemon = make_daemon("good.py")
    daemon.start(3600)
    daemon.wait_for("execution completed")
    daemon.stop()

    assert daemon.start(10).success
    daemon.wait_for("execution completed", 3)

    found = runs.list_page(daemon.db, RunFilter(task_id=daemon.task().id)).runs
    assert [run.trigger for run in reversed(found)][:3] == ["asap", "asap", "schedule"]
    assert found[0].due_at - found[1].due_at <= timedelta(seconds=11)


def test_a_scheduler_that_runs_for_others_takes_the_pipeline_on(make_daemon):
    daemon = make_daemon("good.py")
    found = process.start(daemon.config, daemon.db)
    before = daemon.status()
    assert not before.is_running
    assert before.message.startswith(
        f"Daemon is not running: the scheduler is (PID: {found.pid}), but it does not start"
    )
    assert daemon.stop().success is False
    assert process.status(daemon.config, daemon.db, now=clock.now()).is_alive

    assert daemon.start().success

    assert daemon.status() == cron_control.CronStatus(True, found.pid, f"Daemon is running (PID: {found.pid})")


def test_a_daemon_that_was_killed_does_not_run_and_can_be_started(make_daemon):
    daemon = make_daemon("good.py")
    daemon.start()
    pid = daemon.status().pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not daemon.status().is_running, 10, "its end to be seen")

    assert daemon.status().message.startswith("Daemon is not running. Ended without a word: killed or crashed")
    assert daemon.start().success
    assert daemon.status().pid != pid


def test_a_stop_says_what_goes_on(make_daemon):
    daemon = make_daemon("slow.py")
    daemon.start()
    daemon.wait_for("Running slow.py")

    stopped = daemon.stop()

    assert stopped.success
    assert (
        stopped.message == "Daemon stopped successfully; 1 command goes on and will be looked after by the next start"
    )
    assert daemon.lines()[-1].endswith("[1/1] Running slow.py...")


def test_a_pause_is_told(make_daemon):
    daemon = make_daemon("good.py")
    daemon.start()
    scope = pauses.task_scope(daemon.task().id)
    pauses.pause(daemon.db, scope, now=clock.now(), actor="ann", reason="the disk is changed")

    message = daemon.status().message

    assert f"Daemon is running (PID: {daemon.status().pid}), but it does not start: " in message
    assert "paused by ann" in message


def test_a_task_that_was_made_otherwise_keeps_what_it_runs(make_daemon):
    daemon = make_daemon(cron_task="mine")
    fields = {"name": "mine", "command": "echo own", "kind": "manual", "enabled": False}
    tasks.create(daemon.db, fields, now=clock.now(), actor="tester", defaults=DEFAULTS)

    cron_task.switch_on(daemon.db, daemon.config, 15, now=clock.now(), actor="tester")

    found = tasks.find_by_name(daemon.db, "mine")
    assert (found.command, found.enabled, found.schedule["every"]) == ("echo own", True, 15)


def test_what_cannot_be_started_says_why(make_daemon):
    with pytest.raises(NotFound, match=r"there is no task 'pipeline': make it .* WATCHBELL_CRON_SCRIPTS"):
        make_daemon().start()
    with pytest.raises(InputError, match="interval_seconds: must be at least 10"):
        make_daemon("good.py").start(9)
    with pytest.raises(InputError, match="directory: /no/such is not a directory"):
        make_daemon("good.py", cron_folder="/no/such").start()
    assert not make_daemon().status().is_running
