"""What a change would do before it is made: the runs that come, go and move are those that then really do."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tests.database import DEFAULTS, NOW, add_run, add_task
from watchbell.domain.blackouts import build_blackout
from watchbell.domain.run_changes import Moment, difference
from watchbell.domain.run_state import RunState
from watchbell.scheduler.plan import Plan
from watchbell.services import blackouts, calendars, simulation, tasks
from watchbell.services.simulation import DAYS, Edit, Simulation
from watchbell.store.session import Database
from watchbell.store.tasks import Task

UNTIL = NOW + timedelta(days=DAYS)
BERLIN = ZoneInfo("Europe/Berlin")


def of_edit(db: Database, task: Task | None, **fields: Any) -> Simulation:
    base = tasks.definition_of(task) if task is not None else None
    definition = tasks.check(fields, now=NOW, defaults=DEFAULTS, base=base)
    return simulation.of_edits(db, [Edit(task, definition)], now=NOW)


def starts(db: Database) -> set[tuple[str, datetime]]:
    """Return what a scheduler starts in the days to come, its clock put on from moment to moment."""
    plan = Plan(DEFAULTS.host)
    plan.read(tasks.list_changed(db, 0))
    windows, found = blackouts.load(db), set()
    while (at := plan.next_at()) is not None and at <= UNTIL:
        for due in plan.take_due(at, 1000, NOW, windows):
            found |= {(due.name, v.occurrence.due_at) for v in due.verdicts if not v.occurrence.is_left_out}
            plan.settle(due)
    return found


CRONS = some.builds(
    "{} {} {} * {}".format,
    some.sampled_from(["0", "15", "0,30", "*/20"]),
    some.sampled_from(["2", "3", "2-4", "*/6"]),
    some.sampled_from(["*", "1", "*/10"]),
    some.sampled_from(["*", "mon-fri", "sun"]),
)
WHEN = some.one_of(
    some.fixed_dictionaries(
        {"cron": CRONS, "zone": some.sampled_from(["UTC", "Europe/Berlin", "America/New_York"])},
        optional={"dst": some.sampled_from(["skip", "both"]), "not_before": some.just("2026-11-30")},
    ),
    some.fixed_dictionaries({"every": some.sampled_from([5, 36, 50]), "unit": some.just("hours")}),
    some.just({"kind": "manual"}),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(WHEN, WHEN, some.booleans(), some.booleans())
def test_what_is_told_is_what_then_happens(
    db: Database, before: dict[str, Any], after: dict[str, Any], has_window: bool, enabled: bool
) -> None:
    with db.rehearse() as session:
        own = db.within(session)
        if has_window:
            fields = {"name": "night", "from_time": "02:00", "to_time": "03:10", "weekdays": ["sat", "sun"]}
            blackouts.create(own, fields, now=NOW, actor="me", default_zone="Europe/Berlin")
        task = add_task(own, "changed", now=NOW, **before)
        add_task(own, "other", cron="5 2 * * *", now=NOW)
        once = starts(own)

        found = of_edit(own, task, **after, enabled=enabled)

        tasks.update(own, task.id, {**after, "enabled": enabled}, now=NOW, actor="me", defaults=DEFAULTS)
        then = starts(own)
    assert found.added.count + found.moved.count == len(then - once)
    assert found.removed.count + found.moved.count == len(once - then)
    for change in (*found.added.first, *found.moved.first):
        assert (change.task, change.after) in then - once
    for change in (*found.removed.first, *found.moved.first):
        assert (change.task, change.before) in once - then
    assert found.is_same == (once == then)


def test_a_later_hour_moves_each_run_on_its_own_day(db: Database) -> None:
    task = add_task(db, cron="0 2 * * *", zone="Europe/Berlin", now=NOW)

    found = of_edit(db, task, cron="30 5 * * *")

    assert (found.added.count, found.removed.count, found.moved.count, found.tasks) == (0, 0, DAYS, 1)
    first = found.moved.first[0]
    assert first.before == datetime(2026, 11, 23, 2, 0, tzinfo=BERLIN)
    assert first.after == datetime(2026, 11, 23, 5, 30, tzinfo=BERLIN)
    assert len(found.moved.first) == simulation.NAMED


def test_a_task_to_be_made_adds_its_runs_and_one_to_be_deleted_takes_them(db: Database) -> None:
    task = add_task(db, "old", cron="0 0 * * 1", now=NOW)
    made = tasks.check({"name": "new", "command": "true", "cron": "0 6 * * *"}, now=NOW, defaults=DEFAULTS)

    found = simulation.of_edits(db, [Edit(None, made), Edit(task, None)], now=NOW)

    assert (found.added.count, found.removed.count, found.moved.count, found.tasks) == (DAYS, 5, 0, 2)
    assert {change.task for change in found.added.first} == {"new"}


def test_a_calendar_that_is_changed_moves_the_runs_of_the_tasks_that_name_it(db: Database) -> None:
    calendar = calendars.create(db, {"name": "closed", "days": "2026-12-24"}, now=NOW, actor="me")
    finder = calendars.finder(db)
    given: dict[str, Any] = {"name": "a", "command": "true", "cron": "0 9 * * *", "calendar": "closed"}
    for name, rule in (("a", "leave_out"), ("b", "next")):
        fields = {**given, "name": name, "calendar_rule": rule, "cron": "0 9 * * mon"}
        defaults = dataclasses.replace(DEFAULTS, calendars=finder)
        tasks.create(db, fields, now=NOW, actor="me", defaults=defaults)

    found = simulation.of_calendar(db, "closed", days="2026-11-30", weekdays="", now=NOW)
    once = starts(db)
    calendars.update(db, calendar.row.id, {"days": "2026-11-30"}, now=NOW, actor="me")
    then = starts(db)

    assert [(change.task, change.before) for change in found.removed.first] == [("a", at(30, 9))]
    assert [(c.task, c.before, c.after) for c in found.moved.first] == [("b", at(30, 9), at(31, 9))]
    assert once - then == {("a", at(30, 9)), ("b", at(30, 9))}
    assert then - once == {("b", at(31, 9))}


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """Return a moment of the days that follow the first of November."""
    return datetime(2026, 11, 1, hour, minute, tzinfo=UTC) + timedelta(days=day - 1)


def test_a_blackout_takes_runs_away_and_its_end_brings_them_back(db: Database) -> None:
    task = add_task(db, "hourly", cron="0 * * * *", now=NOW)
    add_task(db, "unconcerned", cron="0 * * * *", now=NOW)
    fields = {"name": "freeze", "starts": "2026-11-23 08:00", "ends": "2026-11-23 11:00"}
    window = build_blackout(fields, default_zone="UTC", task_ids=[task.id])

    found = simulation.of_blackout(db, None, window, now=NOW)

    assert [change.before for change in found.removed.first] == [at(23, 8), at(23, 9), at(23, 10)]
    assert {change.task for change in found.removed.first} == {"hourly"}
    assert not found.added.count and not found.moved.count
    blackouts.create(db, {**fields, "tasks": ["hourly"]}, now=NOW, actor="me", default_zone="UTC")
    back = simulation.of_blackout(db, window, None, now=NOW)
    assert [change.after for change in back.added.first] == [at(23, 8), at(23, 9), at(23, 10)]


def test_the_peak_counts_what_runs_take_and_collisions_name_who_starts_together(db: Database) -> None:
    for number in range(5):
        add_task(db, f"night-{number}", cron="0 2 * * *", now=NOW)
    for hour in range(6, 22):
        add_task(db, f"day-{hour}", cron=f"0 {hour} * * *", now=NOW)
    slow = add_task(db, "slow", cron="0 1 * * *", now=NOW)
    add_run(db, slow, RunState.SUCCEEDED, created_at=NOW, started_at=NOW, ended_at=NOW + timedelta(minutes=61))
    task = add_task(db, "mine", cron="0 4 * * *", now=NOW)

    found = of_edit(db, task, cron="0 2 * * *").load

    assert found.before is not None and found.after is not None
    assert (found.before.runs, found.before.at) == (6, at(23, 2))
    assert (found.after.runs, found.after.at) == (7, at(23, 2))
    assert {"mine", "slow", "night-0"} <= set(found.after.tasks)
    (collision,) = found.collisions
    assert (collision.at, collision.days, collision.before, collision.after) == (at(23, 2), DAYS, 5, 6)
    assert "mine" in collision.tasks and "slow" not in collision.tasks
    assert of_edit(db, task, cron="30 4 * * *").load.collisions == []


def test_what_is_due_very_often_is_compared_as_far_as_it_is_worked_out(db: Database) -> None:
    task = add_task(db, every=60, unit="seconds", now=NOW)

    found = of_edit(db, task, every=90, unit="seconds")

    assert found.compared_until is not None and NOW < found.compared_until < UNTIL
    assert found.removed.count and not found.is_same


def test_nothing_changes_when_only_other_fields_do(db: Database) -> None:
    task = add_task(db, cron="0 2 * * *", now=NOW)

    assert of_edit(db, task, command="false", tags=["x"]).is_same


MOMENTS = some.lists(some.integers(1, 200), unique=True, max_size=12)


@given(MOMENTS, MOMENTS)
def test_each_moment_that_differs_is_told_once_and_pairs_keep_their_order(old: list[int], new: list[int]) -> None:
    sides = [
        [Moment(NOW + timedelta(hours=one), f"{side}{one}") for one in hours]
        for side, hours in (("a", old), ("b", new))
    ]

    found = difference(*sides, since=NOW, until=NOW + timedelta(days=9), zone="Europe/Berlin")

    hours = [[None if one is None else int((one - NOW).total_seconds() // 3600) for one in both] for both in found]
    assert sorted(one for one, _ in hours if one is not None) == sorted(set(old) - set(new))
    assert sorted(other for _, other in hours if other is not None) == sorted(set(new) - set(old))
    for one, other in found:
        assert one is None or other is None or one.astimezone(BERLIN).date() == other.astimezone(BERLIN).date()
