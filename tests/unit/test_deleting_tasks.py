"""Deleting tasks: what becomes of their runs, and who has to wait meanwhile."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from tests.api_fixtures import Program
from tests.database import DEFAULTS, NOW, add_run, add_task, run_row
from tests.web_fixtures import Person
from watchbell import clock
from watchbell.domain.run_state import RunState
from watchbell.errors import Conflict, InputError, NotFound
from watchbell.services import deleted_tasks, pauses, retention, runs, tasks, undoing
from watchbell.store import events, ledger, waiting
from watchbell.store import tasks as store
from watchbell.store.session import Database
from watchbell.store.tasks import Task

LATER = NOW + timedelta(hours=1)
SOON = LATER + timedelta(minutes=2)


def test_deleting_cancels_what_waits_and_leaves_what_runs(db: Database) -> None:
    task, other = add_task(db, every="10m"), add_task(db, "other")
    waiting = [add_run(db, task), add_run(db, task, RunState.RETRY_WAIT)]
    going_on = [add_run(db, task, RunState.RUNNING), add_run(db, task, RunState.SUCCEEDED)]
    foreign = add_run(db, other)

    gone = tasks.delete(db, task.id, now=LATER, actor="bob")

    assert (gone.deleted_at, gone.enabled, gone.next_due_at) == (LATER, False, None)
    for run in waiting:
        found = runs.get_detail(db, run.id)
        assert (found.run.state, found.run.ended_at, found.task_exists) == ("cancelled", LATER, False)
        assert [event.reason for event in found.events] == ["the task was deleted"]
    assert [runs.get(db, run.id).state for run in (*going_on, foreign)] == ["running", "succeeded", "queued"]


def _queue(db: Database, task: Task, count: int) -> list[int]:
    with db.write() as session:
        return list(ledger.insert_runs(session, [run_row(task, may_overlap=True) for _ in range(count)]).values())


def test_deleting_a_task_with_a_long_queue_keeps_no_other_writer_waiting_for_long(db: Database) -> None:
    task = add_task(db, overlap="allow")
    queued = _queue(db, task, 1700)
    transactions: list[str] = []

    statements: list[str] = []
    event.listen(db.engine, "commit", lambda _connection: transactions.append("commit"))
    event.listen(db.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    tasks.delete(db, task.id, now=LATER, actor="bob")

    assert len(transactions) == 4
    # A handful in each transaction, however many runs there are.
    assert len(statements) < 60
    for run_id in (queued[0], queued[-1]):
        found = runs.get_detail(db, run_id)
        assert (found.run.state, found.run.ended_at, found.run.reason) == ("cancelled", LATER, "the task was deleted")
        assert [(e.from_state, e.to_state, e.actor) for e in found.events] == [("queued", "cancelled", "bob")]
    with db.read() as session:
        assert not waiting.has_queued(session)
        told = [told.run_id for told in events.list_after(session, 0, 5000) if told.type == "run_cancelled"]
    assert sorted(told) == queued


def test_a_deletion_that_was_cut_short_starts_nothing_and_is_finished_at_the_next_start(db: Database) -> None:
    task, other = add_task(db, overlap="allow"), add_task(db, "other")
    queued = _queue(db, task, 3)
    tried, foreign = add_run(db, task, may_overlap=True, attempts=1), add_run(db, other)
    with db.write() as session:
        session.get(Task, task.id).deleted_at = NOW

    with db.read() as session:
        assert {row.id for row in waiting.list_startable(session, 100, now=NOW)} == {tried.id, foreign.id}
    tasks.finish_deletions(db, now=LATER, actor="watchbell")

    assert {runs.get(db, run_id).state for run_id in queued} == {"cancelled"}
    assert runs.get(db, foreign.id).state == "queued"


def test_what_a_deleted_task_ran_can_still_be_read(db: Database) -> None:
    task = add_task(db, command="the command")
    run = add_run(db, task, RunState.SUCCEEDED)
    tasks.delete(db, task.id, now=LATER, actor="bob")

    assert runs.get_detail(db, run.id).definition["command"] == "the command"


@pytest.mark.on_both
def test_a_deletion_is_taken_back_with_runs_versions_and_schedule(db: Database) -> None:
    task = add_task(db, every="10m")
    tasks.update(db, task.id, {"command": "false"}, now=NOW, actor="ann", defaults=DEFAULTS)
    run, waiting_run = add_run(db, task, RunState.SUCCEEDED), add_run(db, task)
    tasks.delete(db, task.id, now=LATER, actor="bob")

    back = undoing.restore(db, task.id, now=SOON, actor="ann")

    assert (back.id, back.deleted_at, back.enabled, back.version) == (task.id, None, True, 2)
    assert tasks.revision(db, task.id, 1).definition["command"] == "true"
    assert back.next_due_at is not None
    assert back.next_due_at > SOON
    assert runs.get_detail(db, run.id).task_exists
    assert runs.get(db, waiting_run.id).state == "cancelled"
    assert [told.type for told in _events(db)][-1] == "task_created"
    assert undoing.restore(db, task.id, now=SOON, actor="ann").enabled


def test_moments_that_passed_meanwhile_are_not_due_any_more(db: Database) -> None:
    task = add_task(db, every="1m")
    tasks.delete(db, task.id, now=LATER, actor="bob")
    moment = LATER + timedelta(minutes=5, seconds=30)

    back = undoing.restore(db, task.id, now=moment, actor="ann")

    assert back.cursor_at == moment
    assert back.next_due_at == LATER + timedelta(minutes=6)


def test_a_deletion_is_taken_back_for_thirty_days_but_not_where_the_name_is_taken(db: Database) -> None:
    task, other = add_task(db), add_task(db, "other")
    for deleted in (task, other):
        tasks.delete(db, deleted.id, now=LATER, actor="bob")
    with pytest.raises(Conflict, match="more than 30 days ago"):
        undoing.restore(db, other.id, now=LATER + timedelta(days=30), actor="ann")
    assert undoing.restore(db, other.id, now=LATER + timedelta(days=29, hours=23), actor="ann").enabled
    add_task(db, task.name)
    with pytest.raises(Conflict, match="another task is called"):
        undoing.restore(db, task.id, now=SOON, actor="ann")
    with pytest.raises(InputError):
        undoing.restore(db, task.id, now=SOON, actor="ann", name="x" * 200)
    back = undoing.restore(db, task.id, now=SOON, actor="ann", name="backup-2")
    assert (back.name, back.version, tasks.revision(db, task.id, 2).definition["name"]) == ("backup-2", 2, "backup-2")
    with pytest.raises(NotFound):
        undoing.restore(db, 999, now=SOON, actor="ann")


@pytest.mark.parametrize("way", ["disabled", "paused"])
def test_what_did_not_start_by_itself_when_it_was_deleted_does_not_afterwards(db: Database, way: str) -> None:
    task = add_task(db, every="10m", enabled=way != "disabled")
    if way == "paused":
        pauses.pause(db, pauses.task_scope(task.id), now=NOW, actor="ann", reason="", until=None)
    tasks.delete(db, task.id, now=LATER, actor="bob")

    assert not undoing.restore(db, task.id, now=SOON, actor="ann").enabled


def test_tasks_that_were_deleted_together_come_back_together_and_one_in_the_way_keeps_none_away(db: Database) -> None:
    on, off, taken, earlier = (add_task(db, name, enabled=name != "off") for name in ("on", "off", "taken", "earlier"))
    tasks.delete(db, earlier.id, now=NOW, actor="bob")
    for task in (on, off, taken):
        tasks.delete(db, task.id, now=LATER, actor="bob")
    add_task(db, "taken")

    done = undoing.restore_all(db, undoing.list_deleted(db, LATER), now=SOON, actor="ann")

    assert [(part.name, part.outcome) for part in done] == [("on", "restored"), ("off", "restored"), ("taken", "")]
    assert "another task is called 'taken'" in done[2].reason
    assert (tasks.get(db, on.id).enabled, tasks.get(db, off.id).enabled) == (True, False)
    assert undoing.find_deleted(db, earlier.id).name == "earlier"


def test_what_waits_is_cancelled_to_its_end_before_a_deletion_is_taken_back(db: Database) -> None:
    task = add_task(db, overlap="allow")
    _queue(db, task, 3)
    with db.write() as session:
        session.get(Task, task.id).deleted_at = LATER
    with pytest.raises(Conflict, match="still being cancelled"):
        undoing.restore(db, task.id, now=SOON, actor="ann")
    tasks.finish_deletions(db, now=LATER, actor="watchbell")

    undoing.restore(db, task.id, now=SOON, actor="ann")
    (asked,) = _queue(db, task, 1)
    tasks.finish_deletions(db, now=LATER, actor="watchbell")

    assert runs.get(db, asked).state == "queued"


def _events(db: Database) -> list[events.Event]:
    with db.read() as session:
        return list(events.list_after(session, 0, 500))


@pytest.mark.on_both
def test_after_thirty_days_a_task_goes_for_good_with_its_last_run(db: Database, tmp_path: Path) -> None:
    kept, empty, old = (add_task(db, name) for name in ("kept", "empty", "old"))
    for task in (kept, empty, old):
        tasks.delete(db, task.id, now=LATER, actor="bob")
    add_run(db, kept, RunState.SUCCEEDED, created_at=LATER, ended_at=LATER + timedelta(days=25))
    add_run(db, old, RunState.SUCCEEDED, created_at=LATER, ended_at=LATER)
    alive = add_task(db, "alive")

    def passes(days: int) -> list[str]:
        look = retention.Pass(db, retention.Rules(days=20), now=LATER + timedelta(days=days), output_root=tmp_path)
        while look.step().more:
            pass
        with db.read() as session:
            found = [store.find_task(session, task.id, deleted=True) for task in (kept, empty, old, alive)]
        return [task.name for task in found if task is not None]

    assert passes(29) == ["kept", "empty", "old", "alive"]
    assert [one.task.name for one in deleted_tasks.list_all(db, now=LATER + timedelta(days=29))] == [
        "empty",
        "kept",
        "old",
    ]
    assert deleted_tasks.list_all(db, now=LATER + timedelta(days=30)) == []
    assert passes(31) == ["kept", "alive"]
    assert passes(60) == ["alive"]
    add_task(db, "old")


def test_deleted_tasks_are_listed_and_restored_on_their_page_in_the_api_and_by_the_command(
    admin: Person, program: Program, db: Database
) -> None:
    task, other = add_task(db, "backup", cron="0 2 * * *", now=clock.now()), add_task(db, "other", now=clock.now())
    for one in (task, other):
        admin.post(f"/tasks/{one.id}/delete")
    taker = add_task(db, "backup", now=clock.now())

    page = admin.see("/tasks/deleted")
    rows = {row.select_one("a").text: row for row in page.select("#deleted tbody tr")}  # type: ignore[union-attr]
    assert set(rows) == {"backup", "other"} and "another task has this name" in rows["backup"].text
    assert [row["name"] for row in admin.get("/tasks/deleted.json?q=oth").get_json()] == ["other"]
    assert "other" in admin.get("/tasks/deleted.csv").text
    admin.post(f"/tasks/{other.id}/restore")
    assert tasks.get(db, other.id).name == "other"
    form = admin.get(f"/tasks/{task.id}")
    assert form.status_code == 410 and 'value="backup-2"' in form.text

    (told,) = program.get("/api/v2/deleted-tasks")["items"]
    assert (told["id"], told["name_is_taken"]) == (task.id, True)
    path = f"/api/v2/deleted-tasks/{task.id}/restore"
    assert "under another name" in str(program.want(409, "POST", path, {}))
    program.want(404, "POST", "/api/v2/deleted-tasks/999/restore", {})
    back = program.want(200, "POST", path, {"name": "backup-2"})
    assert (back["id"], back["name"], back["enabled"], back["version"]) == (task.id, "backup-2", True, 2)
    assert program.get("/api/v2/deleted-tasks")["items"] == []
    assert tasks.get(db, taker.id).name == "backup"
