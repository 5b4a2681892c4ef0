"""Making and changing tasks: what an edit may do, and that it never starts a moment that has passed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.database import DEFAULTS, NOW, add_run, add_task
from watchbell.domain.run_state import RunState
from watchbell.errors import Conflict, InputError, NotFound
from watchbell.services import runs, tasks, upcoming
from watchbell.store import events
from watchbell.store.session import Database
from watchbell.store.tasks import Task

LATER = NOW + timedelta(hours=1)


def _update(db: Database, task: Task, *, now=LATER, expected_version: int | None = None, **fields: object) -> Task:
    return tasks.update(db, task.id, fields, now=now, actor="bob", defaults=DEFAULTS, expected_version=expected_version)


def _events(db: Database) -> list[str]:
    with db.read() as session:
        return [event.type for event in events.list_after(session, 0)]


def test_a_new_task_counts_from_now(db: Database) -> None:
    task = add_task(db, every="10m")

    assert (task.version, task.cursor_at, task.next_due_at) == (1, NOW, NOW + timedelta(minutes=10))
    assert (task.owner, task.host, task.created_by, task.updated_by) == ("ann", "", "ann", "ann")
    assert _events(db) == ["task_created"]
    assert tasks.revision(db, task.id, 1).definition["command"] == "true"


def test_a_task_for_now_is_due_at_once(db: Database) -> None:
    task = tasks.create(db, {"name": "once", "command": "true", "at": "now"}, now=NOW, actor="ann", defaults=DEFAULTS)

    assert task.next_due_at == NOW


def test_a_task_that_is_moved_to_now_is_due_at_once(db: Database) -> None:
    task = add_task(db)

    edited = tasks.update(db, task.id, {"at": "now"}, now=LATER, actor="ann", defaults=DEFAULTS)

    assert edited.next_due_at == LATER


def test_a_task_that_is_made_disabled_has_no_next_moment(db: Database) -> None:
    task = add_task(db, every="10m", enabled=False)

    assert task.next_due_at is None
    assert tasks.upcoming(task, after=NOW, limit=9) == []


def test_nothing_is_stored_of_a_task_that_is_refused(db: Database) -> None:
    with pytest.raises(InputError):
        add_task(db, every="never")

    assert tasks.list_page(db).total == 0
    assert _events(db) == []


def test_a_taken_name_is_refused_with_one_that_is_free(db: Database) -> None:
    add_task(db, "backup")
    add_task(db, "backup-2")

    with pytest.raises(Conflict, match=r"called 'backup' already \(for example: backup-3\)$"):
        add_task(db, "backup")
    assert add_task(db, "backup-3")


def test_a_task_keeps_its_own_name_but_takes_no_other_ones(db: Database) -> None:
    first, second = add_task(db, "first"), add_task(db, "second")

    assert _update(db, first, name="first", command="x").name == "first"
    with pytest.raises(Conflict):
        _update(db, second, name="first")


def test_the_name_of_a_deleted_task_is_free_again(db: Database) -> None:
    old = add_task(db, "backup")
    tasks.delete(db, old.id, now=NOW, actor="ann")

    new = add_task(db, "backup")

    assert new.id != old.id
    assert tasks.find_by_name(db, "backup").id == new.id


@pytest.mark.parametrize("directory", ["/nowhere/at/all", "/etc/hostname"])
def test_a_directory_that_is_not_there_is_refused_with_one_that_is(db: Database, directory: str) -> None:
    with pytest.raises(InputError) as caught:
        add_task(db, directory=directory)

    (problem,) = caught.value.problems
    assert problem.field == "directory"
    assert add_task(db, directory=problem.example)


def test_a_directory_of_another_host_cannot_be_looked_for_here(db: Database) -> None:
    assert add_task(db, directory="/nowhere/at/all", host="elsewhere").directory == "/nowhere/at/all"


def test_a_task_whose_directory_has_gone_can_still_be_renamed(db: Database, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    task = add_task(db, directory=str(tmp_path / "work"))
    (tmp_path / "work").rmdir()

    assert _update(db, task, name="other", directory=str(tmp_path / "work")).name == "other"


def test_an_edit_makes_a_version_and_keeps_the_old_one(db: Database) -> None:
    task = add_task(db, command="old")

    edited = _update(db, task, command="new")

    assert (edited.version, edited.updated_by, edited.updated_at) == (2, "bob", LATER)
    assert [tasks.revision(db, task.id, v).definition["command"] for v in (1, 2)] == ["old", "new"]
    assert _events(db) == ["task_created", "task_updated"]


def test_saving_without_a_change_changes_nothing(db: Database) -> None:
    task = add_task(db, every="10m")

    same = _update(db, task, name="backup", command="true", every="10m")

    assert (same.version, same.change, same.updated_at) == (1, task.change, NOW)
    assert _events(db) == ["task_created"]


def test_who_saves_an_old_version_is_told_who_was_faster(db: Database) -> None:
    task = add_task(db)
    _update(db, task, command="theirs", expected_version=1)

    with pytest.raises(Conflict, match=r"^bob has changed this task meanwhile \(version 2, yours was 1\)"):
        _update(db, task, command="mine", expected_version=1)

    assert tasks.get(db, task.id).command == "theirs"


def test_an_edit_of_the_command_leaves_what_is_due_due(db: Database) -> None:
    task = add_task(db, every="10m")

    edited = _update(db, task, command="new")

    assert edited.cursor_at == NOW


@pytest.mark.parametrize(
    "fields",
    [{"every": "7m"}, {"cron": "*/5 * * * *"}, {"zone": "Asia/Tokyo"}, {"at": "2026-11-22 18:00"}, {"kind": "manual"}],
    ids=str,
)
def test_a_new_schedule_counts_from_the_edit(db: Database, fields: dict[str, object]) -> None:
    task = add_task(db, every="10m")

    edited = _update(db, task, **fields)

    # A single moment may be the very one of the edit, but none before it.
    assert LATER - timedelta(microseconds=1) <= edited.cursor_at <= LATER
    assert edited.next_due_at is None or edited.next_due_at > LATER


def test_a_cursor_ahead_of_the_clock_is_never_set_back(db: Database) -> None:
    task = add_task(db, every="10m")

    edited = _update(db, task, every="5m", now=NOW - timedelta(hours=3))

    assert edited.cursor_at == NOW


@pytest.mark.parametrize("way", ["switch", "form"])
@pytest.mark.parametrize(
    "schedule",
    [
        {"every": "10m"},
        {"cron": "*/10 * * * *"},
        {"at": "2026-11-22 12:30"},
        {"at": "2026-11-22 12:30\n2026-11-22 18:00"},
    ],
    ids=str,
)
def test_moments_that_passed_while_a_task_was_disabled_are_not_due_any_more(
    db: Database, schedule: dict[str, object], way: str
) -> None:
    task = add_task(db, enabled=False, **schedule)

    if way == "switch":
        enabled = tasks.set_enabled(db, task.id, True, now=LATER, actor="bob")
    else:
        enabled = _update(db, task, enabled=True)

    assert enabled.next_due_at is None or enabled.next_due_at > LATER
    assert runs.list_page(db).runs == []


def test_another_moment_does_not_bring_one_back_that_has_passed(db: Database) -> None:
    task = add_task(db, at="2026-11-22 12:30", enabled=False)
    _update(db, task, at="2026-11-22 12:30\n2026-11-22 18:00")

    enabled = tasks.set_enabled(db, task.id, True, now=LATER, actor="bob")

    assert enabled.next_due_at == NOW.replace(hour=18)


CHANGES = {
    "changed": lambda db, task: _update(db, task, every="7m"),
    "disabled": lambda db, task: tasks.set_enabled(db, task.id, False, now=LATER, actor="bob"),
    "deleted": lambda db, task: tasks.delete(db, task.id, now=LATER, actor="bob"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_moment_that_was_due_when_its_task_was_changed_is_told_as_missed(db: Database, what: str) -> None:
    task = add_task(db, every="20m")

    changed = CHANGES[what](db, task)

    found = runs.list_page(db).runs
    assert [(run.state, run.due_at, run.ended_at) for run in found] == [
        ("missed", NOW + timedelta(minutes=minutes), LATER) for minutes in (60, 40, 20)
    ]
    assert {run.reason for run in found} == {f"the task was {what} before it could be started"}
    assert {run.occurrence_key for run in found} == {f"utc:2026-11-22T{at}:00Z" for at in ("12:20", "12:40", "13:00")}
    assert [event.actor for event in runs.get_detail(db, found[0].id).events] == ["bob"]
    assert changed.cursor_at == LATER


def test_a_moment_that_has_its_row_already_gets_no_second_one(db: Database) -> None:
    task = add_task(db, every="1h")
    run = add_run(db, task, RunState.RUNNING, key="utc:2026-11-22T13:00:00Z")

    tasks.set_enabled(db, task.id, False, now=LATER, actor="bob")

    assert [(found.id, found.state) for found in runs.list_page(db).runs] == [(run.id, "running")]


def test_a_task_that_was_off_has_nothing_left_over(db: Database) -> None:
    task = add_task(db, every="20m", enabled=False)

    _update(db, task, every="7m")
    tasks.delete(db, task.id, now=LATER, actor="bob")

    assert runs.list_page(db).runs == []


def test_a_long_past_that_is_left_over_is_told_by_one_row(db: Database) -> None:
    task = add_task(db, every="1s")

    tasks.set_enabled(db, task.id, False, now=LATER, actor="bob")

    (run,) = runs.list_page(db).runs
    assert (run.stands_for, run.due_at) == (3600, LATER)
    assert run.reason == "3600 occurrences; the task was disabled before it could be started"


def test_enabling_twice_is_enabling_once(db: Database) -> None:
    task = add_task(db, every="10m")

    again = tasks.set_enabled(db, task.id, True, now=LATER, actor="bob")

    assert (again.change, again.cursor_at, again.updated_by) == (task.change, NOW, "ann")


def test_enabling_and_disabling_is_no_new_version(db: Database) -> None:
    task = add_task(db, every="10m")

    off = tasks.set_enabled(db, task.id, False, now=LATER, actor="bob")

    assert (off.enabled, off.version, off.next_due_at, off.updated_by) == (False, 1, None, "bob")
    assert off.change > task.change


def test_a_copy_is_disabled_under_a_free_name_and_has_no_runs(db: Database) -> None:
    task = add_task(db, every="10m", overlap="allow", environment="A=1", tags="x", directory="/tmp")
    add_run(db, task, RunState.SUCCEEDED)

    copies = [tasks.copy(db, task.id, now=LATER, actor="bob") for _ in range(2)]

    assert [copy.name for copy in copies] == ["backup-2", "backup-3"]
    for copy in copies:
        assert (copy.enabled, copy.version, copy.created_by, copy.next_due_at) == (False, 1, "bob", None)
        before, after = tasks.definition_of(task).to_json(), tasks.definition_of(copy).to_json()
        assert after == {**before, "name": copy.name}
        assert runs.list_page(db, runs.RunFilter(task_id=copy.id)).filtered == 0


def test_a_copy_of_the_longest_name_still_has_a_name_that_is_accepted(db: Database) -> None:
    task = add_task(db, "x" * 100)

    copy = tasks.copy(db, task.id, now=NOW, actor="ann")

    assert _update(db, copy, comment="renamed").name == copy.name


def test_a_run_shows_the_version_that_it_ran(db: Database) -> None:
    task = add_task(db, command="old")
    run = add_run(db, task, RunState.RUNNING)
    _update(db, task, command="new")

    assert runs.get_detail(db, run.id).definition["command"] == "old"


@pytest.mark.parametrize("number", [404, 0, -1, 10**40])
def test_a_task_that_is_not_there_is_not_found_by_anything(db: Database, number: int) -> None:
    for call in (
        lambda: tasks.get(db, number),
        lambda: tasks.set_enabled(db, number, True, now=NOW, actor="x"),
        lambda: tasks.copy(db, number, now=NOW, actor="x"),
        lambda: tasks.delete(db, number, now=NOW, actor="x"),
        lambda: tasks.update(db, number, {}, now=NOW, actor="x", defaults=DEFAULTS),
    ):
        with pytest.raises(NotFound):
            call()


def test_a_deleted_task_cannot_be_changed(db: Database) -> None:
    task = add_task(db)
    tasks.delete(db, task.id, now=NOW, actor="ann")

    with pytest.raises(NotFound):
        tasks.delete(db, task.id, now=NOW, actor="ann")
    with pytest.raises(NotFound):
        _update(db, task, command="x")


def test_a_task_is_found_by_name_or_by_number(db: Database) -> None:
    task = add_task(db, "backup")

    assert tasks.find_by_name(db, "backup").id == tasks.find_by_name(db, str(task.id)).id == task.id


@pytest.mark.parametrize("name", ["", "BACKUP", "404", "9" * 30, "²", "\udcff", "x" * 10_240])
def test_a_name_that_nobody_has_is_not_found(db: Database, name: str) -> None:
    add_task(db, "backup")

    with pytest.raises(NotFound) as caught:
        tasks.find_by_name(db, name)

    assert len(caught.value.message) < 200
    assert caught.value.message.encode()


def test_what_comes_next_is_told_across_tasks_in_its_order(db: Database) -> None:
    add_task(db, "ten", every="10m")
    add_task(db, "seven", every="7m")
    add_task(db, "off", every="1m", enabled=False)
    add_task(db, "by hand")

    found = upcoming.list_upcoming(db, now=NOW, limit=5)

    told = [(task.name, (occurrence.due_at - NOW).seconds // 60) for task, occurrence in found]
    # The anchor of an interval is the moment at which it was made, and it is a moment of its own.
    assert told == [("seven", 7), ("ten", 10), ("seven", 14), ("ten", 20), ("seven", 21)]


def test_what_comes_later_than_the_hours_asked_for_is_left_out(db: Database) -> None:
    add_task(db, every="1h")

    assert len(upcoming.list_upcoming(db, now=NOW, hours=3)) == 3


def test_what_comes_is_counted_as_it_is_listed_and_no_further_than_asked(db: Database) -> None:
    add_task(db, "a", every="1h")
    add_task(db, "b", every="1h")
    add_task(db, "c", cron="0 */6 * * *", zone="Europe/Berlin")
    add_task(db, "off", every="1h", enabled=False)
    add_task(db, "ahead", at=(NOW + timedelta(hours=2)).isoformat())
    add_task(db, "far", at=(NOW + timedelta(hours=30)).isoformat())
    listed = len(upcoming.list_upcoming(db, now=NOW, limit=1000))

    assert upcoming.count(db, now=NOW, at_most=1000) == listed > 50
    assert upcoming.count(db, now=NOW, at_most=7) == 7
    assert upcoming.count(db, now=NOW, at_most=2) == 2


def test_a_sort_that_does_not_exist_is_refused(db: Database) -> None:
    with pytest.raises(InputError, match="sort: must be one of"):
        tasks.list_page(db, sort="password")
