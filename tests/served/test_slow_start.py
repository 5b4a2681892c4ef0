"""Where the scheduler takes longer to begin than a request waits, the answer is that it is starting, which is no failure."""

from __future__ import annotations

import pytest

from tests.process.programs import end_scheduler
from tests.waiting import wait_until
from tests.web_fixtures import Person
from watchbell import clock
from watchbell.cli.main import main
from watchbell.control import process
from watchbell.domain.presence import SchedulerState
from watchbell.errors import EXIT_FAILURE
from watchbell.web import realtime
from watchbell.web.factory import create_app


@pytest.fixture
def place(make_lab, monkeypatch):
    """Give an installation in which nobody waits for a first heartbeat."""
    lab = make_lab(auth="off")
    monkeypatch.setattr(process, "ANSWER_SECONDS", 0.0)
    yield lab
    end_scheduler(lab.home)


@pytest.fixture
def person(place):
    app = create_app(place.config)
    yield Person(app.test_client())
    realtime.end(app)
    app.extensions["watchbell.database"].close()


def wait_for_it(place, pid=None):
    """Wait until the scheduler runs, and return its number."""

    def runs():
        found = process.status(place.config, place.db, now=clock.now())
        return found.pid if found.state is SchedulerState.RUNNING and pid in {None, found.pid} else None

    return wait_until(runs, 60, "the scheduler to run")


def test_a_request_for_a_slow_start_is_answered_with_a_scheduler_that_is_starting(place, person):
    started = person.client.post("/api/v2/scheduler/start")
    first = wait_for_it(place, started.json["pid"])
    page = person.post("/scheduler/restart", follow_redirects=True)
    second = wait_for_it(place)

    assert (started.status_code, started.json["state"]) == (200, "starting")
    assert started.json["message"] == "Starting: the first heartbeat is still to come."
    assert first != second and f"The scheduler is starting, pid {second}" in page.text
    noted = place.rows("SELECT action FROM audit_entry WHERE action LIKE 'scheduler.%' ORDER BY id")
    assert [row["action"] for row in noted] == ["scheduler.start", "scheduler.stop", "scheduler.start"]


def test_the_older_family_and_the_shell_say_that_a_slow_scheduler_is_starting(place, person, monkeypatch, capsys):
    told = person.client.post("/api/scheduler/start").json
    first = wait_for_it(place)
    monkeypatch.setitem(process.restart.__kwdefaults__, "timeout", 0.0)
    code = main(["--home", str(place.home), "scheduler", "restart"])
    second = wait_for_it(place)

    late = "; its first heartbeat is still to come"
    assert told == {"success": True, "message": f"Scheduler started (PID {first}){late}", "start_time": None}
    assert code == EXIT_FAILURE
    assert (
        "Starting: the first heartbeat is still to come." in (said := capsys.readouterr().out) and str(second) in said
    )
