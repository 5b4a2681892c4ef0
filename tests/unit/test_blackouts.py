"""Blackout windows, and that what a preview promises is what a clock then makes rows of: with calendars, windows and clock changes."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.database import DEFAULTS, NOW, add_task
from tests.unit.test_calendar_rule import A_DAY, calendar_around, entry, weekdays
from watchbell.domain.blackouts import Blackout, build_blackout, marker
from watchbell.domain.schedule import CalendarRule, DSTRule, Schedule, ScheduleKind, occurrences, to_json
from watchbell.domain.task_definition import Defaults
from watchbell.errors import Conflict, InputError, VersionConflict
from watchbell.scheduler.plan import Plan
from watchbell.services import blackouts, calendars, pauses, tasks
from watchbell.services.turns import Turn, take_turn
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.store.tasks import Task

NIGHT = {"name": "night", "from_time": "22:00", "to_time": "02:00", "zone": "Europe/Berlin"}


def window(**fields: object) -> Blackout:
    return build_blackout({**NIGHT, **fields}, default_zone="UTC")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "moment", "covered"),
    [
        ({}, "2026-11-22 20:59", False),
        ({}, "2026-11-22 21:00", True),
        ({}, "2026-11-23 00:59", True),
        ({}, "2026-11-23 01:00", False),
        # It belongs to the day on which it begins, which is a Sunday here.
        ({"weekdays": "sun"}, "2026-11-23 00:30", True),
        ({"weekdays": "mon"}, "2026-11-23 00:30", False),
        # Two o'clock comes by the clock of the zone, whatever it does in between.
        ({}, "2026-10-25 00:00", False),
        ({}, "2026-10-24 23:59", True),
        ({"from_time": "00:00", "to_time": "00:00"}, "2026-10-25 12:00", True),
        ({"from_time": "", "to_time": "", "starts": "2026-11-22 12:00", "ends": "2026-11-22 13:00"}, "2026-11-22 11:59", True),
        ({"from_time": "", "to_time": "", "starts": "2026-11-22 12:00", "ends": "2026-11-22 13:00"}, "2026-11-22 12:00", False),
    ],
)  # fmt: skip
def test_a_window_holds_what_its_clock_says(fields: dict[str, object], moment: str, covered: bool) -> None:
    assert window(**fields).covers(at(moment)) is covered


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"), ({"zone": "Mars"}, "zone"), ({"from_time": "25:00"}, "from_time"), ({"to_time": ""}, "to_time"),
        ({"starts": "2030-01-01 10:00"}, "starts"), ({"weekdays": "day"}, "weekdays"), ({"shape": "round"}, "shape"),
        ({"from_time": "", "to_time": "", "starts": "2030-01-02 10:00", "ends": "2030-01-01 10:00"}, "ends"),
    ],
)  # fmt: skip
def test_what_is_no_window_is_refused_at_its_field(fields: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as refused:
        window(**fields)

    assert [problem.field for problem in refused.value.problems] == [field]


def test_a_window_is_made_changed_and_removed_and_concerns_some_tasks_or_all(db: Database) -> None:
    one, other = add_task(db, "one"), add_task(db, "other")
    made = blackouts.create(db, {**NIGHT, "tasks": ["one"]}, now=NOW, actor="ann", default_zone="UTC")
    due = next(occurrences(Schedule(ScheduleKind.CRON, ("30 23 * * *",)), NOW, 1))

    assert blackouts.marked(db, one.id, [due])[0].note == "blackout night"
    assert not blackouts.marked(db, other.id, [due])[0].is_left_out
    changed = blackouts.update(
        db, made.row.id, {"tasks": [], "name": "nights"}, now=NOW, actor="ann", expected_version=1
    )
    assert (changed.tasks, changed.row.version) == ([], 2)
    assert blackouts.marked(db, other.id, [due])[0].note == "blackout nights"
    with pytest.raises(Conflict):
        blackouts.create(db, {**NIGHT, "name": "nights"}, now=NOW, actor="ann", default_zone="UTC")
    with pytest.raises(InputError, match="there is no task 'none'"):
        blackouts.create(db, {**NIGHT, "tasks": ["none"]}, now=NOW, actor="ann", default_zone="UTC")
    with pytest.raises(VersionConflict):
        blackouts.remove(db, made.row.id, now=NOW, actor="ann", expected_version=1)
    blackouts.remove(db, made.row.id, now=NOW, actor="ann")
    assert blackouts.load(db) == ()


def make_rows(db: Database, task: Task, begin: datetime, end: datetime, step: timedelta) -> None:
    """Let a frozen clock go on step by step, and a plan and turns make rows of what becomes due."""
    plan = Plan(DEFAULTS.host)
    plan.read([task])
    now = begin
    holds = dataclasses.replace(pauses.load_holds(db, now=now))
    while now <= end:
        due = plan.take_due(now, 50, begin - A_DAY, holds.blackouts)
        if due:
            take_turn(db, Turn(now=now, holder="me", actor="scheduler@x", room=0, due=due, holds=holds))
            for one in due:
                plan.settle(one)
        now += step


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([("Europe/Berlin", datetime(2027, 3, 28)), ("Europe/Berlin", datetime(2027, 10, 31)), ("America/New_York", datetime(2027, 3, 14))]),
    st.sampled_from(["30 2 * * *", "0 9 * * *", "0,30 1,2,23 * * *", "0 9 * * fri"]),
    st.sampled_from(list(CalendarRule)), st.sampled_from(list(DSTRule)), st.lists(entry, max_size=4), weekdays,
    st.sampled_from([("22:00", "02:30"), ("01:00", "03:00"), ("08:00", "08:30")]),
)  # fmt: skip
def test_what_the_preview_promises_is_what_the_clock_then_makes_rows_of(
    db: Database, change: tuple[str, datetime], text: str, rule: CalendarRule, dst: DSTRule,
    drawn: list[tuple[int, int, str]], week: str, night: tuple[str, str],
) -> None:  # fmt: skip
    zone, day = change
    middle = day.replace(tzinfo=UTC)
    calendar = calendar_around(middle, drawn, week)
    schedule = Schedule(ScheduleKind.CRON, (text,), zone=zone, dst=dst, calendar=calendar, calendar_rule=rule)
    begin, end = middle - 6 * A_DAY, middle + 4 * A_DAY
    task = add_task(db, f"t{len(tasks.list_page(db).tasks)}", kind="manual")
    task.schedule, task.zone, task.cursor_at = to_json(schedule), zone, begin
    nightly = build_blackout({"name": "night", "from_time": night[0], "to_time": night[1]}, default_zone=zone)
    for view in blackouts.list_all(db):
        blackouts.remove(db, view.row.id, now=NOW, actor="ann")
    fields = {"name": "night", "from_time": night[0], "to_time": night[1], "zone": zone}
    blackouts.create(db, fields, now=NOW, actor="ann", default_zone=zone)
    mark = marker([nightly], task.id)

    promised = [mark(one) for one in occurrences(schedule, begin, 1000, end)]
    make_rows(db, task, begin, end, timedelta(minutes=10))

    with db.read() as session:
        rows = session.scalars(select(Run).where(Run.task_id == task.id)).all()
    made = {run.occurrence_key: run for run in rows}
    assert set(made) == {one.key for one in promised}
    for one in promised:
        run = made[one.key]
        assert run.due_at == one.due_at
        if one.is_left_out:
            assert (run.state, run.reason) == ("skipped", one.note)
        else:
            # There is no room in these turns, so what is to start waits; what overlaps with that is skipped for another reason.
            assert run.state == "queued" or "still" in run.reason or "run #" in run.reason, run.reason


def test_a_task_form_shows_what_a_window_leaves_out(db: Database) -> None:
    blackouts.create(db, {**NIGHT, "zone": "UTC"}, now=NOW, actor="ann", default_zone="UTC")
    defaults = Defaults("UTC", "ann", "h", calendars.finder(db))
    task = tasks.create(
        db, {"name": "late", "command": "true", "cron": "0 23 * * *"}, now=NOW, actor="ann", defaults=defaults
    )

    found = blackouts.marked(db, task.id, tasks.upcoming(task, after=NOW, limit=2))

    assert [one.note for one in found] == ["blackout night"] * 2
