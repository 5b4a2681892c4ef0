"""Why a task ran at a moment, or why it did not: every reason that the ledger can give, on the page, for programs and at the shell."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from tests.database import NOW, add_run, add_task
from tests.waiting import spends_at_most
from tests.web_fixtures import Person
from watchbell.domain.run_state import RunState
from watchbell.domain.task_definition import Defaults
from watchbell.services import blackouts, calendars, tasks, why
from watchbell.services.why import Why, WhyKind
from watchbell.store.session import Database
from watchbell.store.tasks import Task

A_DAY = timedelta(days=1)


def defaults(db: Database) -> Defaults:
    return Defaults("UTC", "ann", "h", calendars.finder(db))


def make(db: Database, *, now: datetime = NOW, **fields: object) -> Task:
    given = {"name": "daily", "command": "true", "cron": "30 2 * * *", "zone": "UTC", **fields}
    return tasks.create(db, given, now=now, actor="ann", defaults=defaults(db))


def ask(db: Database, task: Task, text: str, *, now: datetime = NOW) -> Why:
    return why.why(db, task.id, why.read_asked(text, task.zone, now), now=now)


def said(answer: Why) -> str:
    return "; ".join(answer.sentences)


def test_a_moment_with_a_row_is_answered_by_the_row(db: Database) -> None:
    task = make(db)
    run = add_run(db, task, RunState.SKIPPED, due_at=datetime(2026, 11, 23, 2, 30, tzinfo=UTC), reason="blackout night")

    answer = ask(db, task, "2026-11-23 02:30", now=NOW + 2 * A_DAY)

    assert (answer.kind, said(answer), [one.id for one in answer.runs]) == (
        WhyKind.RUN, f"run #{run.id} is skipped: blackout night", [run.id],
    )  # fmt: skip


def test_a_moment_to_come_is_told_with_what_will_become_of_it(db: Database) -> None:
    calendars.create(db, {"name": "off", "weekdays": "sat,sun"}, now=NOW, actor="ann")
    task = make(db, calendar="off")
    moved = make(db, name="moved", calendar="off", calendar_rule="next", cron="30 2 28 * *")

    will_run = ask(db, task, "2026-11-23 02:30")
    assert (will_run.kind, "its row is made then" in said(will_run)) == (WhyKind.NOT_YET, True)
    left_out = ask(db, task, "2026-11-28 02:30")
    assert left_out.kind is WhyKind.WILL_BE_LEFT_OUT and "2026-11-28 is a day of calendar off" in said(left_out)
    elsewhere = ask(db, moved, "2026-11-28 02:30")
    assert elsewhere.kind is WhyKind.MOVED and "2026-11-30 02:30:00 UTC instead" in said(elsewhere)
    assert "moved from 2026-11-28 02:30" in said(ask(db, moved, "2026-11-30 02:30"))
    blackouts.create(
        db, {"name": "night", "from_time": "02:00", "to_time": "03:00"}, now=NOW, actor="a", default_zone="UTC"
    )
    assert "blackout night" in said(ask(db, task, "2026-11-23 02:30"))


def test_a_moment_without_a_row_says_who_made_switched_or_changed_the_task(db: Database) -> None:
    task = make(db)
    later = NOW + 10 * A_DAY

    assert ask(db, task, "2026-11-20 02:30", now=later).kind is WhyKind.MADE_LATER
    tasks.set_enabled(db, task.id, False, now=NOW + A_DAY, actor="bob")
    disabled = ask(db, tasks.get(db, task.id), "2026-11-25 02:30", now=later)
    assert disabled.kind is WhyKind.DISABLED and "disabled 2026-11-23 12:00:00 UTC by bob" in said(disabled)
    tasks.set_enabled(db, task.id, True, now=NOW + 4 * A_DAY, actor="ann")
    assert ask(db, tasks.get(db, task.id), "2026-11-25 02:30", now=later).kind is WhyKind.DISABLED
    tasks.update(db, task.id, {"cron": "45 3 * * *"}, now=NOW + 6 * A_DAY, actor="cid", defaults=defaults(db))
    edited = ask(db, tasks.get(db, task.id), "2026-11-27 03:45", now=later)
    assert (
        edited.kind is WhyKind.EDITED
        and "version 1 was in force" in said(edited)
        and "version 2 it would" in said(edited)
    )
    assert edited.version == 1
    not_due = ask(db, tasks.get(db, task.id), "2026-11-29 12:00", now=later)
    assert not_due.kind is WhyKind.NOT_DUE and not_due.before is not None and not_due.after is not None
    assert (f"{not_due.before.due_at:%d %H:%M}", f"{not_due.after.due_at:%d %H:%M}") == ("29 03:45", "30 03:45")


def test_days_hands_clock_changes_and_what_is_not_kept_have_words_of_their_own(db: Database) -> None:
    bounded = make(db, not_before="2026-12-01", not_after="2026-12-31")
    assert ask(db, bounded, "2026-11-25 02:30").kind is WhyKind.OUTSIDE_ITS_DAYS
    assert "the task has ended 2026-12-31" in said(ask(db, bounded, "2027-01-01 02:30"))
    assert ask(db, make(db, name="hand", cron="", kind="manual"), "2026-11-25 02:30").kind is WhyKind.MANUAL
    berlin = make(db, name="berlin", zone="Europe/Berlin")
    gap = ask(db, berlin, "2027-03-28 02:30")
    assert gap.kind is WhyKind.CLOCK_CHANGE
    assert "02:30 does not exist on 2027-03-28" in said(gap) and "is due at 03:00" in said(gap)
    strict = make(db, name="strict", zone="Europe/Berlin", dst="skip")
    assert "nothing takes its place" in said(ask(db, strict, "2027-03-28 02:30"))
    old = make(db, name="old")
    add_run(db, old, RunState.SUCCEEDED, due_at=NOW + 5 * A_DAY)
    with db.write() as session:
        found = session.get(Task, old.id)
        assert found is not None
        found.cursor_at = NOW + 6 * A_DAY
    assert ask(db, old, "2026-11-24 02:30", now=NOW + 6 * A_DAY).kind is WhyKind.NOT_KEPT


def test_a_row_that_stands_for_many_moments_answers_for_each(db: Database) -> None:
    task = make(db)
    first, last = datetime(2026, 11, 23, 2, 30, tzinfo=UTC), datetime(2026, 11, 27, 2, 30, tzinfo=UTC)
    key = "range:cal:2026-11-23T02:30:00/0@UTC..cal:2026-11-27T02:30:00/0@UTC"
    run = add_run(db, task, RunState.MISSED, due_at=last, occurrence_key=key, stands_for=5, reason="5 occurrences")
    with db.write() as session:
        found = session.get(Task, task.id)
        assert found is not None
        found.cursor_at = last

    answer = ask(db, task, f"{first + A_DAY:%Y-%m-%d %H:%M}", now=NOW + 9 * A_DAY)

    assert [one.id for one in answer.runs] == [run.id]


@pytest.mark.parametrize("text", ["soon", "2026-13-01 10:00", "x" * 200])
def test_what_is_no_moment_is_asked_for_again(admin: Person, db: Database, text: str) -> None:
    task = make(db)

    answer = admin.get(f"/tasks/{task.id}/why?at={text}")

    assert (answer.status_code == 422 and "is not a date and a time" in answer.text) or "does not exist" in answer.text


def test_page_and_twin_say_the_same_and_the_task_leads_there(admin: Person, db: Database) -> None:
    task = make(db)

    page = admin.see(f"/tasks/{task.id}/why?at=2030-01-01+02:31")
    told = admin.get(f"/tasks/{task.id}/why.json?at=2030-01-01T02:31").json
    assert told is not None
    assert (told["kind"], told["sentences"]) == ("not_due", ["it is not due then"])
    assert "It is not due then." in page.text and "2030-01-01 02:30:00 UTC" in page.text
    assert admin.see(f"/tasks/{task.id}").select_one(f"a[href='/tasks/{task.id}/why']")
    assert admin.get("/tasks/999/why").status_code == 404


def test_asking_is_quick_however_often_a_task_is_due(db: Database) -> None:
    task = add_task(db, "often", every="1s", unit="")
    asked = why.Asked(NOW + timedelta(days=40))

    answer = spends_at_most(
        1, lambda: why.why(db, task.id, dataclasses.replace(asked, length=timedelta(seconds=1)), now=NOW)
    )

    assert answer.kind is WhyKind.NOT_YET
