"""Values that single lines of a schedule give their runs: what may be said, which line counts, and what the rows record."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.api_fixtures import Program
from tests.database import DEFAULTS, NOW, add_task
from tests.shell import home, migrated_file, shell  # noqa: F401 - fixtures.
from tests.unit.form_fields import edit_fields, soup
from tests.web_fixtures import Person
from watchbell import clock, errors
from watchbell.domain import line_checks
from watchbell.domain.day_calendar import DayCalendar
from watchbell.domain.schedule import (
    CalendarRule,
    Schedule,
    build_schedule,
    line_values,
    next_occurrence,
    occurrences,
)
from watchbell.domain.task_definition import TaskDefinition
from watchbell.domain.task_document import entry_of, read_document
from watchbell.errors import InputError
from watchbell.scheduler.plan import Plan
from watchbell.services import tasks, triggers
from watchbell.services.turns import Turn, take_turn
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.store.tasks import Task

# ruff: noqa: F811
DAYS, SUNDAYS = "0 3 * * *", "0 3 * * sun"
TARGET = {"name": "target", "type": "choice", "choices": ["staging", "live"], "default": "staging"}
NOTE = {"name": "note"}
#: Sundays stand first, so that they count where both lines are due.
TWO_LINES = {
    "cron": [SUNDAYS, DAYS, "0 9 * * *"],
    "parameters": [TARGET, NOTE],
    "line_values": {SUNDAYS: {"target": "live"}, "*": {"note": "a b"}},
}


ONE_PARAMETER = {**TWO_LINES, "parameters": [NOTE], "line_values": {SUNDAYS: {"note": "c"}, "*": {"note": "a b"}}}


def schedule_of(**fields: object) -> Schedule:
    return build_schedule(fields, now=NOW, default_zone="Europe/Berlin")


def given_at(plan: Schedule, after: datetime) -> dict[str, str]:
    found = next_occurrence(plan, after)
    assert found is not None
    return line_values.given_by(plan, found.line)


@pytest.mark.parametrize(
    "value",
    [
        {SUNDAYS: {"target": "live", "note": "a b"}, "*": {"note": 1}},
        f"*: note=1\n\n{SUNDAYS}:  target=live 'note=a b'",
        ["note=1", "0  3 * * sun: target=live note='a b'"],
    ],
)
def test_values_are_said_as_objects_or_as_lines_of_text(value: object) -> None:
    plan = schedule_of(cron=[SUNDAYS, DAYS], line_values=value)

    assert plan.line_values == {"*": {"note": "1"}, SUNDAYS: {"target": "live", "note": "a b"}}
    assert schedule_of(cron=[SUNDAYS, DAYS], line_values=line_values.as_text(plan)) == plan
    # What ends a line for other readers stays within a value.
    odd = schedule_of(cron=DAYS, line_values={"*": {"note": "a\u2028b: c='d", "empty": ""}})
    assert schedule_of(cron=DAYS, line_values=line_values.as_text(odd)) == odd


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"0 4 * * *": {"a": "b"}}, "'0 4 * * *' is no line of the schedule"),
        (f"{SUNDAYS}: a=b\n{SUNDAYS}: c=d", "stands there twice"),
        ("0 3 * * sun: live", "must be a line, a colon, and NAME=VALUE"),
        ("*: a='b", "a quotation has no end"),
        ({SUNDAYS: "live"}, "must be an object of values by their names"),
        ({SUNDAYS: {"a": ["b"]}}, "must be an object of values by their names"),
        (7, "must be an object of values by their lines"),
    ],
)
def test_what_is_no_value_of_a_line_is_refused(value: object, said: str) -> None:
    with pytest.raises(InputError) as refused:
        schedule_of(cron=[SUNDAYS, DAYS], line_values=value)

    assert [problem.field for problem in refused.value.problems] == ["line_values"]
    assert said in refused.value.problems[0].message


def test_moments_intervals_and_words_have_values_too() -> None:
    at = ["2026-12-01 09:30", "2026-12-02T09:30"]
    moments = schedule_of(at=at, line_values="2026-12-02 09:30: a=2\n*: a=1")
    interval = schedule_of(every="5m", line_values={"*": {"a": "1"}})

    assert [line_values.given_by(moments, one.line)["a"] for one in occurrences(moments, NOW, 9)] == ["1", "2"]
    assert schedule_of(at=at, line_values=line_values.as_text(moments)) == moments
    assert given_at(interval, NOW) == {"a": "1"}
    with pytest.raises(InputError, match="no line of the schedule"):
        schedule_of(every="5m", line_values={"5m": {"a": "1"}})
    with pytest.raises(InputError, match="only by hand"):
        schedule_of(kind="manual", line_values={"*": {"a": "1"}})


LINES = st.sampled_from(["* * * * *", "*/2 * * * *", "0 * * * *", "30 2 * * *", "0 3 * * *", "0 3 * * sun", "@daily"])


@settings(max_examples=40, deadline=None)
@given(st.lists(LINES, min_size=1, max_size=4, unique=True), st.integers(0, 5 * 86_400))
def test_of_lines_that_are_due_at_one_moment_the_first_one_counts(lines: list[str], seconds: int) -> None:
    # Around the end of summer time, where a local time comes twice.
    after = datetime(2026, 10, 23, tzinfo=UTC) + timedelta(seconds=seconds)
    plan = schedule_of(cron=lines, line_values={"*": {"a": "b"}})
    found = next_occurrence(plan, after)
    alone = [next_occurrence(schedule_of(cron=line), after) for line in lines]

    assert found is not None
    assert found.line == [one is not None and one.due_at == found.due_at for one in alone].index(True)
    # A list of moments, which is made in another way, says the same of each.
    walked, at = list(occurrences(plan, after, 12)), after
    for one in walked:
        assert one == next_occurrence(plan, at)
        at = one.due_at


def test_a_moment_that_a_calendar_moves_keeps_the_values_of_its_line() -> None:
    calendar = DayCalendar("off", "2026-11-29")
    plan = dataclasses.replace(schedule_of(cron=["0 9 * * *", SUNDAYS], line_values={SUNDAYS: {"a": "1"}}),
                               calendar=calendar, calendar_rule=CalendarRule.NEXT)  # fmt: skip

    moved = [
        one for one in occurrences(plan, datetime(2026, 11, 28, 12, tzinfo=UTC), 5) if one.note and not one.is_left_out
    ]

    assert [(one.due_at.day, line_values.given_by(plan, one.line)) for one in moved] == [(30, {"a": "1"})]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"line_values": {SUNDAYS: {"day": "x"}}}, "0 3 * * sun, day: is not a parameter of this task"),
        ({"line_values": {SUNDAYS: {"target": "moon"}}}, "0 3 * * sun, target: must be one of staging, live"),
        ({"line_values": {"*": {"note": "-rf"}}, "command": "rm ${param:note}"}, "*, note: must not begin with -"),
        (
            {"line_values": {SUNDAYS: {"day": "x"}}, "parameters": [{"name": "day", "required": True}]},
            "day is required",
        ),
    ],
)
def test_a_task_takes_what_a_run_by_hand_would_be_given(db: Database, fields: dict[str, object], said: str) -> None:
    with pytest.raises(InputError) as refused:
        add_task(db, **{**TWO_LINES, **fields})

    assert said in " ".join(problem.message for problem in refused.value.problems)


def test_what_is_required_may_come_from_the_lines(db: Database) -> None:
    task = add_task(db, cron=[SUNDAYS, DAYS], parameters=[{"name": "day", "required": True}],
                    line_values={SUNDAYS: {"day": "sun"}, DAYS: {"day": "any"}})  # fmt: skip

    for left in ({SUNDAYS: {"day": "sun"}}, {SUNDAYS: {"day": "sun"}, DAYS: {"day": ""}}, None):
        with pytest.raises(InputError, match="required"):
            tasks.update(db, task.id, {"line_values": left}, now=NOW, actor="ann", defaults=DEFAULTS)


def test_an_edit_of_the_times_keeps_the_values_of_the_lines_that_stay(db: Database) -> None:
    task = add_task(db, **TWO_LINES)

    def edited(**fields: object) -> object:
        tasks.update(db, task.id, fields, now=NOW, actor="ann", defaults=DEFAULTS)
        return tasks.definition_of(tasks.get(db, task.id)).schedule.line_values

    assert edited(cron=[DAYS, SUNDAYS]) == {SUNDAYS: {"target": "live"}, "*": {"note": "a b"}}
    assert edited(zone="Asia/Tokyo") == {SUNDAYS: {"target": "live"}, "*": {"note": "a b"}}
    assert edited(cron=[DAYS]) == {"*": {"note": "a b"}}
    assert edited(line_values={DAYS: {"target": "live"}}) == {DAYS: {"target": "live"}}
    with pytest.raises(InputError, match="is not a parameter of this task"):
        edited(parameters=[NOTE])
    assert edited(parameters=[NOTE], line_values=None) == {}


def make_rows(db: Database, task: Task, *, now: datetime) -> None:
    plan = Plan(DEFAULTS.host)
    plan.read([task])
    due = plan.take_due(now, 50, NOW)
    take_turn(db, Turn(now=now, holder="me", actor="scheduler@x", room=0, due=due))


def rows_of(db: Database, task: Task) -> Sequence[Run]:
    with db.read() as session:
        return session.scalars(select(Run).where(Run.task_id == task.id).order_by(Run.due_at)).all()


def recorded(db: Database, task: Task) -> list[tuple[str, object]]:
    return [(f"{run.due_at:%d %H}", run.parameters) for run in rows_of(db, task)]


def test_rows_record_what_their_line_gives_and_no_edit_changes_that(db: Database) -> None:
    task = add_task(db, catch_up="all", catch_up_window_seconds=9 * 86_400, latest_start_seconds=60, **TWO_LINES)
    monday = datetime(2026, 11, 30, 3, 0, 30, tzinfo=UTC)
    make_rows(db, task, now=monday - timedelta(days=1))
    first = recorded(db, task)

    assert dict(first)["29 03"] == {"target": "live", "note": "a b"}
    assert dict(first)["28 03"] == {"target": "staging", "note": "a b"}
    assert dict(first)["28 09"] == {"target": "staging", "note": "a b"}
    # The 29th at 09:00 and the 30th at 03:00 have no row yet when somebody changes what the lines give.
    changes = {"line_values": {DAYS: {"target": "live", "note": "new"}}, "cron": [DAYS, SUNDAYS]}
    changed = tasks.update(db, task.id, changes, now=monday, actor="bob", defaults=DEFAULTS)
    make_rows(db, changed, now=monday + timedelta(days=1))
    rows = recorded(db, task)

    assert rows[: len(first)] == first
    assert dict(rows)["29 09"] == {"target": "staging", "note": "a b"}
    assert dict(rows)["30 03"] == {"target": "staging", "note": "a b"}
    assert dict(rows)["01 03"] == {"target": "live", "note": "new"}
    # Whoever runs one of them again gives it the same, and a run by hand has the defaults.
    missed = next(run for run in rows_of(db, task) if f"{run.due_at:%d %H}" == "30 03")
    again = triggers.run_like(db, missed, now=monday, actor="bob")
    assert (missed.state, again.parameters) == ("missed", {"target": "staging", "note": "a b"})
    assert triggers.run_now(db, task.id, now=monday, actor="bob").parameters == {"target": "staging", "note": ""}


def test_where_no_line_gives_anything_the_rows_record_nothing(db: Database) -> None:
    task = add_task(db, cron=DAYS, parameters=[TARGET])
    make_rows(db, task, now=datetime(2026, 11, 23, 3, tzinfo=UTC))

    assert recorded(db, task) == [("23 03", None)]
    assert line_checks.values_of_lines(tasks.definition_of(task).schedule, ()) is None


def test_values_go_through_form_api_and_files_and_are_shown(admin: Person, program: Program, db: Database) -> None:
    task = add_task(db, **ONE_PARAMETER)

    fields = edit_fields(admin, task.id)
    assert fields["line_values"].splitlines() == ["*: note='a b'", "0 3 * * sun: note=c"]
    assert admin.post(f"/tasks/{task.id}/edit", fields).status_code == 303
    kept = tasks.definition_of(tasks.get(db, task.id))
    assert kept == tasks.definition_of(task)
    wrong = admin.post(f"/tasks/{task.id}/edit", {**fields, "line_values": "0 4 * * *: note=d"})
    assert "is no line of the schedule" in soup(wrong.text).select_one("#line_values-error").text  # type: ignore[union-attr]
    page = admin.see(f"/tasks/{task.id}").text
    assert "0 3 * * sun: note=c" in page

    told = program.want(200, "GET", f"/api/v2/tasks/{task.id}")
    assert told["line_values"] == ONE_PARAMETER["line_values"]
    moments = program.want(200, "GET", f"/api/v2/tasks/{task.id}/next?n=20")["items"]
    assert {str(one["parameters"]) for one in moments if one["local_time"].endswith("T09:00:00")} == {"{'note': 'a b'}"}
    assert {"note": "c"} in [one["parameters"] for one in moments]
    body = {"line_values": {"*": {"note": "e"}}}
    changed = program.want(200, "PATCH", f"/api/v2/tasks/{task.id}", body, headers={"If-Match": "*"})
    assert changed["line_values"] == body["line_values"]
    refused = program.want(
        422, "PATCH", f"/api/v2/tasks/{task.id}", {"line_values": {"x": {}}}, headers={"If-Match": "*"}
    )
    assert "line_values" in str(refused)
    compared = admin.see(f"/tasks/{task.id}/revisions/{changed['version']}").text
    assert "*: note=e" in compared

    document = read_document({"watchbell": 1, "tasks": [entry_of(kept)]}, {})
    assert document.definition(document.tasks[0], now=NOW, defaults=DEFAULTS, earlier=None) == kept
    without = {**entry_of(kept), "schedule": {"cron": ONE_PARAMETER["cron"], "zone": "UTC"}}
    emptied = read_document({"watchbell": 1, "tasks": [without]}, {})
    # What a file leaves out is the default, and not what is there.
    assert not emptied.definition(emptied.tasks[0], now=NOW, defaults=DEFAULTS, earlier=kept).schedule.line_values
    assert TaskDefinition.from_json(kept.to_json()) == kept


def test_the_preview_says_what_each_moment_gives(admin: Person) -> None:
    fields = {
        "kind": "cron",
        "cron": f"{SUNDAYS}\n{DAYS}",
        "zone": "UTC",
        "line_values": f"{SUNDAYS}: target=live",
        "preview": "1",
    }
    page = soup(admin.post("/tasks/new", fields).text)

    moments = [line.text for line in page.select("#preview .wb-moments li")]
    assert len(moments) == 10
    assert {"Sun" in text for text in moments if "target=live" in text} == {True}
    assert {"target=live" in text for text in moments if "Sun" in text} == {True}


def test_two_who_have_changed_them_are_asked(admin: Person, db: Database) -> None:
    task = add_task(db, **ONE_PARAMETER)
    mine = {**edit_fields(admin, task.id), "line_values": "*: note=mine"}
    tasks.update(db, task.id, {"line_values": {DAYS: {"note": "x"}}}, now=NOW, actor="bob", defaults=DEFAULTS)

    answer = admin.post(f"/tasks/{task.id}/edit", mine)

    assert answer.status_code == 409
    assert soup(answer.text).select_one("[name=take-line_values]") is not None


def test_the_command_line_takes_and_shows_them(shell) -> None:
    shell("task", "add", "report", "--command", "true", "--cron", SUNDAYS, "--cron", DAYS, "--parameter", "target=staging",
          "--line-value", f"{SUNDAYS}: target=live", "--line-value", "*: target=any")  # fmt: skip

    assert "*: target=any; 0 3 * * sun: target=live" in shell("task", "show", "report").out
    refused = shell("task", "edit", "report", "--line-value", "0 9 * * *: target=x")
    assert (refused.code, "--line-value: '0 9 * * *' is no line" in refused.err) == (errors.EXIT_USAGE, True)
    gone = shell("task", "edit", "report", "--line-value", "", "--json").json()
    assert "line_values" not in gone["schedule"]


def test_the_list_of_next_runs_says_what_each_moment_gives(admin: Person, db: Database) -> None:
    task = add_task(db, now=clock.now(), every="10m", parameters=[NOTE], line_values={"*": {"note": "a b"}})
    add_task(db, "other", now=clock.now(), every="10m")

    cells = {row.text: row.select_one("code") for row in admin.see("/next-runs").select("tbody tr")}
    assert {found.text for found in cells.values() if found is not None} == {"note='a b'"}
    rows = admin.get("/next-runs.json").get_json()
    assert {(row["task_id"] == task.id, row["parameters"]) for row in rows} == {(True, "note='a b'"), (False, "")}
