"""Chains on either database: parents that end at one moment, links that come back with a task, and those that go with one for good."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.database import NOW, add_task
from tests.unit.test_following import OK, began, end, follow, rows
from tests.unit.test_groups import run_of
from tests.unit.turning import all_runs
from watchbell.services import chain_graph, retention, tasks, undoing
from watchbell.store import chains as store
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.store.tasks import Task

pytestmark = pytest.mark.on_both
GROUPS = 2


def together(*acts: Callable[[], object]) -> None:
    """Do several things at one moment, each in a thread of its own, and return when all are done; raises what one raises."""
    gate = threading.Barrier(len(acts))
    failed: list[BaseException] = []

    def run(act: Callable[[], object]) -> None:
        try:
            gate.wait(60)
            act()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


@pytest.mark.parametrize("join", ["all", "any"])
def test_two_parents_that_end_at_one_moment_start_their_child_once(db: Database, join: str) -> None:
    kept = {"overlap": "queue_all"}
    a, b = add_task(db, "a"), add_task(db, "b", after=["a"], **kept)
    c, d = add_task(db, "c", after=["a"], **kept), add_task(db, "d", after=["b", "c"], join=join, **kept)

    def finish(run: Run) -> None:
        end(db, run, OK)
        # Each as a scheduler of its own, which follows whatever has ended by then.
        follow(db)

    for _ in range(GROUPS):
        began(db, a)
        follow(db)
        first, second = run_of(db, b), run_of(db, c)
        together(lambda one=first: finish(one), lambda one=second: finish(one), lambda: follow(db))

    made = [run for run in all_runs(db) if run.task_id == d.id]
    assert sorted((run.group_id, run.state) for run in made) == sorted(
        (run.id, "queued") for run in all_runs(db) if run.task_id == a.id
    )
    if join == "all":
        assert {len(run.parents or ()) for run in made} == {2}


def test_an_edit_at_the_moment_when_the_last_parent_ends_starts_the_child_once(db: Database) -> None:
    a = add_task(db, "a")
    b, c = add_task(db, "b", after=["a"]), add_task(db, "c", after=["a"])
    d = add_task(db, "d", after=["b", "c"])
    began(db, a)
    follow(db)
    end(db, run_of(db, b), OK)
    follow(db)
    last = run_of(db, c)
    together(lambda: end(db, last, OK), lambda: tasks.delete(db, b.id, now=NOW, actor="ann"), lambda: follow(db))
    follow(db)

    ((state, reason),) = rows(db, d)
    assert state == "queued"
    assert "because c succeeded (run #3)" in reason


def test_a_deleted_step_comes_back_with_its_links_and_what_has_come_by_them(db: Database) -> None:
    a = add_task(db, "a")
    b, c = add_task(db, "b", after=["a"]), add_task(db, "c", after=["a"])
    d = add_task(db, "d", after=["b", "c"], tags=["billing/nightly"])
    began(db, a)
    follow(db)
    end(db, run_of(db, b), OK)
    follow(db)
    tasks.delete(db, b.id, now=NOW, actor="ann")
    undoing.restore(db, b.id, now=NOW, actor="ann")
    follow(db)
    assert rows(db, d) == []
    end(db, run_of(db, c), OK)
    follow(db)

    assert rows(db, d) == [("queued", "because b succeeded (run #2); because c succeeded (run #3)")]
    assert [task.name for task in tasks.list_page(db, tag="billing").tasks] == ["d"]


def test_a_task_that_goes_for_good_takes_its_links_and_what_came_by_them_along(db: Database, tmp_path: Path) -> None:
    a, b = add_task(db, "a"), add_task(db, "b")
    c = add_task(db, "c", after=["a", "b"])
    began(db, a)
    follow(db)
    tasks.delete(db, a.id, now=NOW, actor="ann")

    look = retention.Pass(db, retention.Rules(days=20), now=NOW + timedelta(days=31), output_root=tmp_path)
    while look.step().more:
        continue

    with db.read() as session:
        graph = chain_graph.read(session)
        assert (list(graph.parents[c.id]), graph.gone) == ([b.id], [])
        assert store.list_arrivals(session, c.id, 0) == []
        assert session.get(Task, a.id) is None
    began(db, b)
    follow(db)
    assert [state for state, _reason in rows(db, c)] == ["queued"]
