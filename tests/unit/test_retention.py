"""Retention: what is older than it is to be kept goes with all that belongs to it, and nothing else ever does."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError

from tests.database import NOW, add_run, add_task, refusing, run_row
from tests.unit.run_rows import add_attempt, add_output
from watchbell.config import Config
from watchbell.domain.run_state import ACTIVE, FINAL, RunState
from watchbell.services import accounts, retention, runs, tasks, totals
from watchbell.services.fleet_retention import OrderRules
from watchbell.services.retention import Pass, Rules
from watchbell.store import ledger
from watchbell.store import retention as store
from watchbell.store.heartbeats import Heartbeat, Scheduler
from watchbell.store.incidents import Incident
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.store.tasks import Task

pytestmark = pytest.mark.on_both

DAY = timedelta(days=1)


def old_run(db: Database, task: Task, days: float, state: RunState = RunState.SUCCEEDED, **values: Any) -> Run:
    at = NOW - days * DAY
    ended = at if state in FINAL else None
    return add_run(db, task, state, **{"created_at": at, "due_at": at, "ended_at": ended, **values})


def prune(db: Database, rules: Rules, root: Path = Path("/nowhere"), *, limit: int = 500) -> int:
    """Make a whole pass and return how many runs it has deleted."""
    work = Pass(db, rules, now=NOW, output_root=root)
    deleted = 0
    while (done := work.step(limit)).more:
        deleted += done.runs
    return deleted


def left(db: Database, table: str = "run", number: str = "id") -> list[int]:
    with db.read() as session:
        return list(session.execute(text(f"SELECT {number} FROM {table} ORDER BY 1")).scalars())


def test_runs_go_by_their_age(db: Database) -> None:
    task = add_task(db)
    old, young = old_run(db, task, 90.001), old_run(db, task, 89.999)
    newest = old_run(db, task, 1)

    assert prune(db, Rules(days=90)) == 1

    assert left(db) == [young.id, newest.id]
    assert old.id not in left(db)


def test_runs_go_by_their_number_for_each_task_by_itself(db: Database) -> None:
    many, few = add_task(db, "many"), add_task(db, "few")
    kept = [old_run(db, few, 1).id for _ in range(3)]
    numbers = [old_run(db, many, 1).id for _ in range(7)]

    assert prune(db, Rules(runs=3), limit=2) == 4

    assert left(db) == kept + numbers[-3:]


def test_a_task_has_rules_of_its_own_that_go_before_those_of_the_server(db: Database) -> None:
    long, short = add_task(db, "long", keep_days=1000), add_task(db, "short", keep_days=2, keep_runs=2)
    kept = [old_run(db, long, days).id for days in (999, 500, 1)]
    gone = [old_run(db, short, days).id for days in (3, 1.9, 1.8)]
    kept += [old_run(db, short, 1).id for _ in range(2)]

    assert prune(db, Rules(days=10, runs=100)) == len(gone)

    assert left(db) == kept


def test_without_rules_everything_is_kept(db: Database) -> None:
    task = add_task(db)
    for days in (20_000, 100, 1):
        old_run(db, task, days)

    assert prune(db, Rules()) == 0


def test_zero_in_the_settings_stands_for_ever(tmp_path: Path) -> None:
    bounds = ("days", "runs", "output_mib", "execution_days", "executions", "device_jobs")
    config = Config.load({"home": tmp_path, **{f"retention_{bound}": 0 for bound in bounds}}, {})
    assert Rules.of(config) == Rules()
    assert Rules.of(Config.load({"home": tmp_path}, {})) == Rules(
        90, 10_000, 10 * 1024**3, OrderRules(90, 10_000, 1_000_000)
    )


@pytest.mark.parametrize("rules", [Rules(days=1), Rules(runs=1)], ids=["age", "number"])
def test_what_is_not_over_or_not_decided_or_the_newest_always_stays(db: Database, rules: Rules) -> None:
    task, other = add_task(db), add_task(db, "other")
    kept = [old_run(db, task, 100, state) for state in sorted(ACTIVE)]
    kept.append(old_run(db, task, 100, RunState.LOST))
    with db.write() as session:
        session.execute(text("UPDATE run SET decision = 'open' WHERE state = 'lost'"))
    gone = [old_run(db, task, 100, state) for state in sorted(FINAL)]
    kept += [old_run(db, task, 100), old_run(db, other, 100)]

    assert prune(db, rules, limit=3) == len(gone)

    assert left(db) == [run.id for run in kept]


def test_all_that_belongs_to_a_run_goes_with_it_and_its_files(db: Database, tmp_path: Path) -> None:
    task = add_task(db)
    for days in (100, 1):
        run = old_run(db, task, days)
        for number in (1, 2):
            attempt = add_attempt(db, run, number=number)
            name = f"{run.id}.{number}.out"
            (tmp_path / name).write_bytes(b"x")
            add_output(db, attempt, None, file=name)
            add_output(db, attempt, b"little", "stderr")
        with db.write() as session:
            row = ledger.event_row(run.id, RunState.RUNNING, [RunState.CANCELLING], at=NOW, actor="x", fence=1)
            ledger.add_events(session, [row])
    (tmp_path / "7.1.outer").write_bytes(b"no output of ours")

    assert prune(db, Rules(days=30), tmp_path) == 1

    assert (left(db), left(db, "attempt"), left(db, "run_event"), len(left(db, "output", "attempt_id"))) == (
        [2],
        [3, 4],
        [2],
        4,
    )
    assert sorted(path.name for path in tmp_path.iterdir() if "watchbell.db" not in path.name) == [
        "2.1.out",
        "2.2.out",
        "7.1.outer",
    ]


def test_a_row_can_make_no_other_file_go(db: Database, tmp_path: Path) -> None:
    root = tmp_path / "output"
    root.mkdir()
    (tmp_path / "1.1.out").write_bytes(b"precious")
    task = add_task(db)
    add_output(db, add_attempt(db, old_run(db, task, 100)), None, file="../1.1.out")
    old_run(db, task, 1)

    assert prune(db, Rules(days=1), root) == 1

    assert (tmp_path / "1.1.out").read_bytes() == b"precious"


def test_files_are_there_until_their_rows_are_gone_for_good(db: Database, tmp_path: Path) -> None:
    task = add_task(db)
    run = old_run(db, task, 100)
    (tmp_path / "1.1.out").write_bytes(b"x")
    add_output(db, add_attempt(db, run), None, file="1.1.out")
    old_run(db, task, 1)

    there: list[bool] = []
    event.listen(db.engine, "commit", lambda _connection: there.append((tmp_path / "1.1.out").exists()))
    work = Pass(db, Rules(days=1), now=NOW, output_root=tmp_path)
    with refusing(db, "DELETE ON run", "the disk is full"):
        work.step()
        with pytest.raises(IntegrityError, match="full"):
            work.step()
        assert left(db, "output", "attempt_id") == [1]

    assert (work.step().runs, left(db)) == (1, [2])
    assert set(there) == {True}
    assert not (tmp_path / "1.1.out").exists()


def test_no_transaction_is_longer_than_it_is_told(db: Database) -> None:
    task = add_task(db)
    with db.write() as session:
        at = NOW - 100 * DAY
        rows = [run_row(task, RunState.SUCCEEDED, created_at=at, ended_at=at) for _ in range(95)]
        ledger.insert_runs(session, rows)
    work = Pass(db, Rules(days=1), now=NOW, output_root=Path())

    steps = []
    while (done := work.step(20)).more:
        steps.append(done.runs)

    assert max(steps) == 20
    assert sum(steps) == 94


def test_daily_totals_outlive_the_runs(db: Database) -> None:
    task = add_task(db)
    old_run(db, task, 100)
    old_run(db, task, 1)

    assert prune(db, Rules(days=30)) == 1

    found = totals.list_days(db, since=(NOW - 100 * DAY).date(), until=NOW.date())
    assert [(total.day, total.runs) for total in found] == [
        ((NOW - 100 * DAY).date(), 1),
        ((NOW - DAY).date(), 1),
    ]
    assert totals.verify(db) == []


def test_runs_of_deleted_tasks_go_as_well(db: Database) -> None:
    task = add_task(db)
    old_run(db, task, 100)
    old_run(db, task, 99)
    tasks.delete(db, task.id, now=NOW, actor="ann")

    assert prune(db, Rules(days=30)) == 1
    assert left(db) == [2]


def test_a_preview_says_what_would_go_and_changes_nothing(db: Database) -> None:
    first, second = add_task(db, "first"), add_task(db, "second")
    for task, days in ((first, 100), (first, 90), (second, 50), (first, 1), (second, 1)):
        old_run(db, task, days)
    _add_events(db, NOW - 8 * DAY, NOW - 6 * DAY)

    found = retention.preview(db, Rules(days=30), now=NOW)

    assert (dict(found.by_task), found.runs, found.others["outbox"]) == ({first.id: 2, second.id: 1}, 3, 1)
    assert len(left(db)) == 5
    assert prune(db, Rules(days=30)) == found.runs


def _add_events(db: Database, *moments: datetime) -> None:
    with db.write() as session:
        session.execute(text("DELETE FROM outbox"))
        ledger.add_outbox(
            session,
            [{"type": "x", "task_id": None, "run_id": None, "data": {}, "at": moment} for moment in moments],
        )


def test_events_that_everybody_has_heard_of_go_after_a_week(db: Database) -> None:
    _add_events(db, NOW - 8 * DAY, NOW - 7.1 * DAY, NOW - 6.9 * DAY, NOW)

    prune(db, Rules())

    with db.read() as session:
        assert len(session.execute(text("SELECT id FROM outbox")).all()) == 2


def _life(db: Database, name: str, days: float) -> None:
    at = NOW - days * DAY
    with db.write() as session:
        session.add(
            Scheduler(
                incarnation=name, user="ann", host="h", environment="production", session_id="1", version="0", pid=1,
                start_ticks=1, boot_id="b", started_at=at, beat_at=at, running=0, stopped_at=at,
            )
        )  # fmt: skip
        session.flush()
        session.add(Heartbeat(incarnation=name, at=at, running=0))


def test_lives_of_schedulers_go_after_a_month_unless_they_hold_a_run_or_are_the_newest(db: Database) -> None:
    for name, days in (("gone", 60), ("holds", 50), ("young", 20)):
        _life(db, name, days)
    add_run(db, add_task(db), RunState.RUNNING, holder="holds")

    prune(db, Rules())

    with db.read() as session:
        assert set(session.execute(text("SELECT incarnation FROM scheduler")).scalars()) == {"holds", "young"}
        assert session.execute(text("SELECT incarnation FROM heartbeat")).scalars().all() == ["young"]


def test_the_newest_life_stays_however_long_ago_it_was(db: Database) -> None:
    _life(db, "older", 200)
    _life(db, "last", 100)

    prune(db, Rules())

    with db.read() as session:
        assert session.execute(text("SELECT incarnation FROM scheduler")).scalars().all() == ["last"]


def test_incidents_and_logins_go_in_their_time(db: Database) -> None:
    account = accounts.ensure_first(db, now=NOW - 400 * DAY)
    with db.write() as session:
        session.add_all(Incident(at=NOW - days * DAY, kind="held_up", message="late", data={}) for days in (366, 364))
    accounts.make_link(db, account.username, now=NOW - 40 * DAY)
    accounts.make_link(db, account.username, now=NOW)

    prune(db, Rules())

    with db.read() as session:
        assert len(session.execute(text("SELECT 1 FROM incident")).all()) == 1
        assert len(session.execute(text("SELECT 1 FROM login_link")).all()) == 1


def test_totals_of_long_ago_go_at_last(db: Database) -> None:
    with db.write() as session:
        for days, task in ((1200, 1), (1200, 2), (1150, 1), (1000, 1)):
            day = (NOW - days * DAY).date().isoformat()
            session.execute(
                text("INSERT INTO run_day VALUES (:day, :task, 'failed', 1, 1, 0, 0)"), {"day": day, "task": task}
            )

    prune(db, Rules(), limit=1)

    kept = totals.list_days(db, since=(NOW - 2000 * DAY).date(), until=NOW.date())
    assert [total.day for total in kept] == [(NOW - 1000 * DAY).date()]


def test_the_page_of_a_run_that_was_deleted_is_not_found(db: Database) -> None:
    task = add_task(db)
    run = old_run(db, task, 100)
    old_run(db, task, 1)
    prune(db, Rules(days=1))

    with pytest.raises(runs.RunDeleted, match="kept") as told:
        runs.get_detail(db, run.id)
    assert told.value.run_id == run.id
    with pytest.raises(Exception, match="there is no run 99") as unknown:
        runs.get_detail(db, 99)
    assert not isinstance(unknown.value, runs.RunDeleted)


def test_a_run_that_has_come_to_life_meanwhile_is_not_deleted(db: Database) -> None:
    run = old_run(db, add_task(db), 100, RunState.RUNNING)
    with db.write() as session:
        assert store.delete_runs(session, [run.id]).runs == 0
    assert left(db) == [run.id]
