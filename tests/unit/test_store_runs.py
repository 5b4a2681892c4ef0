"""Reading runs: paging by key, filters, search as it is written, and counts."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.database import NOW, add_run, add_task, run_row
from watchbell.domain.run_state import RunState
from watchbell.services import runs
from watchbell.services.runs import RunFilter
from watchbell.store import history, ledger, newest_runs
from watchbell.store import runs as store
from watchbell.store.runs import Run
from watchbell.store.session import Database

pytestmark = pytest.mark.on_both


@pytest.fixture
def many(db: Database) -> list[Run]:
    """Put 120 runs of three tasks into the ledger, of any state, trigger and age."""
    rng = random.Random(7)
    tasks = [add_task(db, name) for name in ("backup", "report", "clean")]
    rows = [
        run_row(
            rng.choice(tasks),
            rng.choice(list(RunState)),
            trigger=rng.choice(["schedule", "manual"]),
            due_at=NOW - timedelta(minutes=rng.randrange(1000)),
            reason=rng.choice(["", "host down", "skip on overlap"]),
        )
        for _ in range(120)
    ]
    with db.write() as session:
        ledger.insert_runs(session, rows)
        return list(history.list_runs(session, limit=1000))


FILTERS = [
    ({}, "1 = 1"),
    ({"task_id": 2}, "task_id = 2"),
    ({"states": ["failed", "lost"]}, "state IN ('failed', 'lost')"),
    ({"trigger": "manual"}, "trigger = 'manual'"),
    ({"search": "BACK down"}, "task_name LIKE '%back%' AND reason LIKE '%down%'"),
    ({"since": NOW - timedelta(minutes=300)}, "due_at >= '2026-11-22 07:00:00.000000'"),
    (
        {"task_id": 1, "trigger": "schedule", "states": ["queued"]},
        "task_id=1 AND trigger='schedule' AND state='queued'",
    ),
    ({"task_id": 404}, "1 = 0"),
]


@pytest.mark.parametrize(("filters", "where"), FILTERS, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("limit", [1, 7, 50, 500])
def test_paging_backwards_shows_every_run_once_in_order(
    db: Database, many: list[Run], filters: dict, where: str, limit: int
) -> None:
    seen: list[int] = []
    with db.read() as session:
        while page := history.list_runs(session, **filters, before_id=seen[-1] if seen else None, limit=limit):
            assert len(page) <= limit
            seen += [run.id for run in page]
        expected = list(session.execute(text(f"SELECT id FROM run WHERE {where} ORDER BY id DESC")).scalars())
        count = history.count_runs(session, **filters)

    assert seen == expected
    assert count == len(expected)


@pytest.mark.parametrize(("filters", "where"), FILTERS, ids=lambda value: str(value)[:40])
def test_paging_forwards_shows_the_same_runs(db: Database, many: list[Run], filters: dict, where: str) -> None:
    pages: list[list[int]] = []
    with db.read() as session:
        while page := history.list_runs(session, **filters, after_id=pages[-1][0] if pages else 0, limit=9):
            pages.append([run.id for run in page])
        expected = list(session.execute(text(f"SELECT id FROM run WHERE {where} ORDER BY id DESC")).scalars())

    assert [number for page in reversed(pages) for number in page] == expected


def test_a_run_that_comes_in_meanwhile_shifts_no_page(db: Database, many: list[Run]) -> None:
    with db.read() as session:
        first = history.list_runs(session, limit=10)
    with db.read() as session:
        expected = history.list_runs(session, before_id=first[-1].id, limit=10)

    add_run(db, add_task(db, "late"))

    with db.read() as session:
        second = history.list_runs(session, before_id=first[-1].id, limit=10)
    assert [run.id for run in second] == [run.id for run in expected]


def test_a_time_leads_to_its_runs_however_unevenly_they_came(db: Database) -> None:
    rng = random.Random(11)
    task, at, rows = add_task(db), NOW - timedelta(days=30), []
    for _ in range(900):
        at += rng.choice([timedelta(), timedelta(seconds=1), timedelta(minutes=7), timedelta(hours=rng.random() * 4)])
        rows.append(run_row(task, created_at=at, due_at=at - timedelta(seconds=rng.randrange(5000))))
    with db.write() as session:
        ledger.insert_runs(session, rows)
        session.execute(text("DELETE FROM run WHERE id BETWEEN 100 AND 250 OR id % 7 = 0"))

    moments = [row["due_at"] + timedelta(seconds=rng.choice([-1, 0, 1])) for row in rng.sample(rows, 120)]
    with db.read() as session:
        everything = history.list_runs(session, limit=1000)
        for since in [*moments, NOW - timedelta(days=31), NOW + timedelta(days=300)]:
            expected = [run.id for run in everything if run.due_at >= since]
            assert [run.id for run in history.list_runs(session, since=since, limit=1000)] == expected
            assert history.count_runs(session, since=since, task_id=task.id) == len(expected)


def test_a_search_looks_at_so_many_runs_and_leads_on_to_the_older_ones(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "SEARCHED", 10)
    task = add_task(db)
    numbers = [add_run(db, task, reason="needle" if n in {3, 4, 22} else "hay").id for n in range(30)]

    seen: list[int] = []
    before, looks = None, 0
    while True:
        page = runs.list_page(db, RunFilter(search="needle"), before_id=before)
        seen += [run.id for run in page.runs]
        looks += 1
        assert page.is_partial == page.has_older
        if not page.has_older:
            break
        before = page.older_before

    assert seen == [numbers[22], numbers[4], numbers[3]]
    assert looks == 4


def test_a_search_finds_the_runs_of_a_task_by_its_name_however_old_they_are(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "SEARCHED", 5)
    old, noise = add_task(db, "yearly report"), add_task(db, "noise")
    expected = [add_run(db, old).id for _ in range(3)]
    for _ in range(20):
        add_run(db, noise)
    expected.append(add_run(db, noise, reason="waits for the yearly report").id)

    page = runs.list_page(db, RunFilter(search="report yearly"), limit=2)
    rest = runs.list_page(db, RunFilter(search="report yearly"), before_id=page.older_before, limit=2)

    assert [run.id for run in (*page.runs, *rest.runs)] == sorted(expected, reverse=True)
    assert (page.filtered, page.has_older, rest.has_older) == (4, True, False)


def test_counting_goes_no_further_than_its_bound(db: Database, many: list[Run]) -> None:
    with db.read() as session:
        assert history.count_runs(session, at_most=50) == 50


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("100%", ["at 100% load"]),
        ("a_b", ["a_b"]),
        ("\\", ["C:\\temp"]),
        ("%", ["at 100% load"]),
        ("_", ["a_b"]),
        ("AxB", ["axb"]),
        ("load at", ["at 100% load"]),
        ("' OR 1=1 --", []),
        ("\udcff", []),
        ("  ", ["C:\\temp", "a_b", "at 100% load", "axb"]),
    ],
    ids=ascii,
)
def test_a_search_finds_what_is_written_and_no_pattern(db: Database, search: str, found: list[str]) -> None:
    task = add_task(db)
    for reason in ("at 100% load", "a_b", "axb", "C:\\temp"):
        add_run(db, task, reason=reason)

    with db.read() as session:
        reasons = sorted(run.reason for run in history.list_runs(session, search=search))

    assert reasons == found


@pytest.mark.parametrize("number", [0, -1, 404, 2**63, -(2**63) - 1, 10**40])
def test_a_run_with_an_impossible_number_is_not_there(db: Database, number: int) -> None:
    run = add_run(db, add_task(db))

    with db.read() as session:
        assert store.find_run(session, number) is None
        assert store.find_attempt(session, run.id, number) is None


def test_occurrences_are_counted_and_not_rows(db: Database) -> None:
    task = add_task(db)
    add_run(db, task, RunState.MISSED, stands_for=5000)
    add_run(db, task, RunState.MISSED)
    add_run(db, task, RunState.SUCCEEDED)
    add_run(db, task, RunState.FAILED, due_at=NOW - timedelta(seconds=1))

    with db.read() as session:
        assert history.count_by_state(session, NOW) == {"missed": 5001, "succeeded": 1}


def test_active_runs_are_listed_by_their_moment_and_ended_ones_never(db: Database) -> None:
    task = add_task(db)
    late = add_run(db, task, RunState.RUNNING, due_at=NOW)
    early = add_run(db, task, RunState.QUEUED, due_at=NOW - timedelta(hours=1))
    add_run(db, task, RunState.SUCCEEDED)

    with db.read() as session:
        both = store.list_in_state(session, [RunState.QUEUED, RunState.RUNNING, RunState.SUCCEEDED])
        one = store.list_in_state(session, [RunState.QUEUED, RunState.RUNNING], limit=1)

    assert [run.id for run in both] == [early.id, late.id]
    assert [run.id for run in one] == [early.id]


def test_the_newest_runs_are_told_for_each_task(db: Database, many: list[Run]) -> None:
    with db.read() as session:
        found = newest_runs.list_per_task(session, [1, 2, 404], limit=5)

    for number in (1, 2):
        expected = sorted((run.id for run in many if run.task_id == number), reverse=True)[:5]
        assert [run.id for run in found[number]] == expected
    assert found[404] == []


QUERIES = [
    ("the newest of a task", lambda s: history.list_runs(s, task_id=1, limit=30)),
    ("the newest of all", lambda s: history.list_runs(s, limit=30)),
    ("an older page", lambda s: history.list_runs(s, before_id=50, limit=30)),
    ("the active ones", lambda s: store.list_in_state(s, [RunState.RUNNING])),
    ("an occurrence", lambda s: store.find_run_by_key(s, 1, "x")),
    ("the transitions", lambda s: store.list_events(s, 1)),
]


@pytest.mark.parametrize(("what", "query"), QUERIES, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.embedded
def test_no_page_makes_the_database_sort_or_read_all_runs(db: Database, many: list[Run], what: str, query) -> None:
    statements: list[tuple[str, object]] = []
    with db.read() as session:
        raw = session.connection().connection.driver_connection
        raw.set_trace_callback(statements.append)
        query(session)
        raw.set_trace_callback(None)
        plans = [row[3] for sql in statements for row in raw.execute(f"EXPLAIN QUERY PLAN {sql}")]

    assert plans, what
    for step in plans:
        assert "USE TEMP B-TREE" not in step, (what, plans)
        assert not step.startswith("SCAN") or step == "SCAN run", (what, plans)
