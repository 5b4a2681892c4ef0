"""What a clock that was set back does to tasks, by cron's rule, and to what waits for a time."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.database import NOW, add_run, add_task
from watchbell.domain.incidents import IncidentKind
from watchbell.domain.run_state import RunState
from watchbell.domain.schedule import Occurrence
from watchbell.domain.schedule.model import instant_key
from watchbell.services import clock_changes, heartbeats, incidents
from watchbell.services.clock_changes import Pass, named
from watchbell.store.heartbeats import Scheduler
from watchbell.store.incidents import Incident
from watchbell.store.runs import find_run
from watchbell.store.session import Database
from watchbell.store.tasks import Task, find_task

KINDS = {
    "interval": {"every": "10m", "anchor_at": NOW - timedelta(days=9)},
    "wildcard": {"cron": "*/5 * * * *"},
    "fixed": {"cron": "30 9 * * *"},
    "days": {"every": "1d", "anchor_at": NOW - timedelta(days=9)},
    "moment": {"at": (NOW + timedelta(days=30)).isoformat()},
    "manual": {},
}


def set_back(db: Database, hours: float) -> datetime:
    after = NOW - timedelta(hours=hours)
    data = {"before": NOW.isoformat(), "after": after.isoformat(), "seconds": -hours * 3600}
    kind = IncidentKind.CLOCK_SET_BACK.value
    clock_changes.set_back(
        db, Incident(at=after, kind=kind, message="it was", host="watchtower", incarnation="x", data=data)
    )
    return after


def read(db: Database, task: Task) -> Task:
    with db.read() as session:
        found = find_task(session, task.id)
    assert found is not None
    return found


@pytest.mark.parametrize(("hours", "going_on"), [(2, {"interval", "wildcard"}), (3, {"interval", "wildcard"}),
                                                 (24, {"interval", "wildcard", "fixed", "days"})])  # fmt: skip
def test_tasks_go_on_by_the_rule_of_cron(db: Database, hours: float, going_on: set[str]) -> None:
    made = {name: add_task(db, name, now=NOW, **fields) for name, fields in KINDS.items()}
    after = set_back(db, hours)

    found = {name: read(db, task) for name, task in made.items()}

    assert {name for name, task in found.items() if task.cursor_at == after} == going_on
    assert {name for name, task in found.items() if task.change > made[name].change} == going_on
    assert all(task.cursor_at == NOW for name, task in found.items() if name not in going_on)
    assert [incident.kind for incident in incidents.list_newest(db)] == ["clock_set_back"]


def test_what_waits_for_a_time_waits_no_longer_than_before(db: Database) -> None:
    task = add_task(db)
    wait, late = NOW + timedelta(minutes=5), NOW + timedelta(hours=1)
    retry = add_run(db, task, RunState.RETRY_WAIT, retry_at=wait)
    queued = add_run(db, task, RunState.QUEUED, start_by=late)
    set_back(db, 24)

    with db.read() as session:
        again, waiting = find_run(session, retry.id), find_run(session, queued.id)

    assert again is not None
    assert waiting is not None
    assert again.retry_at == wait - timedelta(days=1)
    assert waiting.start_by == late - timedelta(days=1)


def test_each_pass_gives_an_occurrence_a_key_of_its_own_and_the_newest_pass_wins() -> None:
    def at(hours: float) -> Occurrence:
        due = NOW + timedelta(hours=hours)
        return Occurrence(due, instant_key(due), due.replace(tzinfo=None), 0, "UTC")

    old = Pass(NOW, NOW - timedelta(hours=5))
    new = Pass(NOW - timedelta(hours=1), NOW - timedelta(hours=3))

    keys = [named([new, old], at(hours)).key for hours in (-6, -4, -2, -0.5, 1)]

    marks = [key.partition("+")[2] for key in keys]
    assert marks == ["", "2026-11-22T07:00:00Z", "2026-11-22T09:00:00Z", "2026-11-22T07:00:00Z", ""]
    assert keys[0] == at(-6).key


def test_a_clock_set_back_while_nothing_ran_is_noticed_once(db: Database) -> None:
    beat = NOW + timedelta(days=2)
    life = Scheduler(
        incarnation="x", user="ann", host="watchtower", environment="production", session_id="1", version="1", pid=1,
        start_ticks=1, boot_id="b", started_at=beat, beat_at=beat,
    )  # fmt: skip
    heartbeats.begin(db, life)

    def notice() -> str:
        return clock_changes.notice(db, host="watchtower", incarnation="y", now=NOW)

    assert notice() == "The clock was set back by at least 2 days while no scheduler was running."
    assert notice() == ""
    (found,) = clock_changes.list_passes(db, now=NOW)
    assert (found.before, found.after) == (beat, NOW)
    assert clock_changes.list_passes(db, now=beat) == []
