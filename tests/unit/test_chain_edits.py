"""Links and steps that change while a chain runs: what waits is judged anew, and nothing waits for what will not come."""

from __future__ import annotations

import pytest

from tests.database import DEFAULTS, NOW, add_task
from tests.unit.test_following import OK, began, end, follow, rows
from tests.unit.test_groups import run_of
from tests.unit.turning import all_runs
from watchbell.services import tasks, undoing
from watchbell.services.following import Follower
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.store.tasks import Task


def edit(db: Database, task: Task, **fields: object) -> None:
    tasks.update(db, task.id, fields, now=NOW, actor="ann", defaults=DEFAULTS)


def delete(db: Database, task: Task) -> None:
    tasks.delete(db, task.id, now=NOW, actor="ann")


def runs_of(db: Database, task: Task) -> list[Run]:
    """Return the runs of a task, the oldest first."""
    return [run for run in all_runs(db) if run.task_id == task.id]


@pytest.fixture
def fan(db: Database) -> dict[str, Task]:
    """Return tasks of which b and c run after a, and d after both; the chain has begun and b has succeeded."""
    made = {"a": add_task(db, "a"), "b": add_task(db, "b", after=["a"]), "c": add_task(db, "c", after=["a"])}
    made["d"] = add_task(db, "d", after=["b", "c"])
    began(db, made["a"])
    follow(db)
    end(db, run_of(db, made["b"]), OK)
    follow(db)
    assert rows(db, made["d"]) == []
    return made


def test_an_end_is_not_forgotten_when_another_link_is_added_or_removed(db: Database, fan: dict[str, Task]) -> None:
    add_task(db, "x", after=["c"])
    edit(db, fan["d"], after=["b", "c", "x"])
    follow(db)
    edit(db, fan["d"], after=["b", "c"])
    end(db, run_of(db, fan["c"]), OK)
    follow(db)

    assert rows(db, fan["d"]) == [("queued", "because b succeeded (run #2); because c succeeded (run #3)")]


@pytest.mark.on_both
def test_a_child_starts_when_the_link_that_it_waited_for_is_removed(db: Database, fan: dict[str, Task]) -> None:
    edit(db, fan["d"], after=["b"])

    follow(db)

    assert rows(db, fan["d"]) == [("queued", "because b succeeded (run #2)")]


@pytest.mark.on_both
def test_a_child_starts_when_the_step_that_it_waited_for_is_deleted(db: Database, fan: dict[str, Task]) -> None:
    delete(db, fan["c"])

    follow(db)

    assert rows(db, fan["d"]) == [("queued", "because b succeeded (run #2)")]


def test_a_child_starts_when_its_join_becomes_one_that_holds_already(db: Database, fan: dict[str, Task]) -> None:
    edit(db, fan["d"], join="any")

    follow(db)

    assert rows(db, fan["d"]) == [("queued", "because b succeeded (run #2)")]


def test_a_child_is_skipped_when_what_remains_of_its_parents_did_not_end_as_wanted(db: Database) -> None:
    a = add_task(db, "a")
    b, c = add_task(db, "b", after=["a"]), add_task(db, "c", after=["a"])
    d = add_task(db, "d", after=[{"task": "b", "on": "failed"}, "c"])
    began(db, a)
    follow(db)
    end(db, run_of(db, b), OK)
    follow(db)
    delete(db, c)

    follow(db)

    assert rows(db, d) == [("skipped", "not started because b succeeded (run #2)")]


def test_the_deletion_of_the_task_that_began_the_chain_splits_no_join(db: Database, fan: dict[str, Task]) -> None:
    delete(db, fan["a"])
    end(db, run_of(db, fan["c"]), OK)

    follow(db)

    assert rows(db, fan["d"]) == [("queued", "because b succeeded (run #2); because c succeeded (run #3)")]


def test_two_chains_whose_first_task_was_deleted_are_not_joined_with_one_another(db: Database) -> None:
    made = {"a": add_task(db, "a"), "b": add_task(db, "b", after=["a"], overlap="queue_all")}
    made["c"] = add_task(db, "c", after=["a"], overlap="queue_all")
    made["d"] = add_task(db, "d", after=["b", "c"], overlap="queue_all")
    began(db, made["a"]), began(db, made["a"])
    follow(db)
    delete(db, made["a"])
    first_b, second_c = runs_of(db, made["b"])[0], runs_of(db, made["c"])[1]
    end(db, first_b, OK), end(db, second_c, OK)
    follow(db)
    assert rows(db, made["d"]) == []
    end(db, runs_of(db, made["b"])[1], OK)
    follow(db)

    (run,) = runs_of(db, made["d"])
    assert (run.group_id, len(run.parents or ())) == (2, 2)


@pytest.mark.on_both
def test_a_parent_that_will_not_come_any_more_is_named_by_the_row_of_its_child(db: Database) -> None:
    a = add_task(db, "a")
    b, x = add_task(db, "b", after=["a"]), add_task(db, "x", after=["a"])
    add_task(db, "c", after=["x"])
    d = add_task(db, "d", after=["b", "c"])
    e = add_task(db, "e", after=["d"])
    began(db, a)
    follow(db)
    end(db, run_of(db, b), OK)
    follow(db)
    delete(db, x)
    follow(db)

    assert rows(db, d) == [("skipped", "not started because c will not run in this chain any more")]
    assert rows(db, e) == [("skipped", "not started because d was skipped (run #4)")]


def test_a_link_to_a_step_that_was_over_before_it_was_made_is_not_waited_for(db: Database) -> None:
    a = add_task(db, "a")
    b, c, x = (add_task(db, name, after=["a"]) for name in "bcx")
    d = add_task(db, "d", after=["c", "x"])
    began(db, a)
    follow(db)
    end(db, run_of(db, b), OK), end(db, run_of(db, c), OK)
    follow(db)
    edit(db, d, after=["b", "c", "x"])
    end(db, run_of(db, x), OK)
    follow(db)

    assert rows(db, d) == [("skipped", "not started because b had ended before it was waited for (run #2)")]


def test_a_link_with_another_end_is_another_link(db: Database, fan: dict[str, Task]) -> None:
    edit(db, fan["d"], after=[{"task": "b", "on": "finished"}, "c"])
    end(db, run_of(db, fan["c"]), OK)
    follow(db)

    assert rows(db, fan["d"]) == [("skipped", "not started because b had ended before it was waited for (run #2)")]


@pytest.mark.on_both
def test_an_independent_parent_that_is_taken_away_leaves_the_others_joined(db: Database) -> None:
    a, other = add_task(db, "a"), add_task(db, "other")
    b, c = add_task(db, "b", after=["a"]), add_task(db, "c", after=["a"])
    d = add_task(db, "d", after=["b", "c", "other"])
    began(db, a)
    follow(db)
    end(db, run_of(db, b), OK)
    follow(db)
    delete(db, other)
    follow(db)
    end(db, run_of(db, c), OK)
    follow(db)

    assert [state for state, _reason in rows(db, d)] == ["queued"]


def test_a_parent_with_a_schedule_of_its_own_that_is_added_is_waited_for_by_the_next_chain_only(
    db: Database, fan: dict[str, Task]
) -> None:
    other = add_task(db, "other")
    edit(db, fan["d"], after=["b", "c", "other"])
    end(db, run_of(db, fan["c"]), OK)
    follow(db)
    assert rows(db, fan["d"]) == [("skipped", "not started because other will not run in this chain any more")]
    began(db, other), began(db, fan["a"])
    follow(db)
    end(db, run_of(db, fan["b"]), OK), end(db, run_of(db, fan["c"]), OK)
    follow(db)

    assert [state for state, _reason in rows(db, fan["d"])] == ["skipped", "queued"]


def test_steps_that_wait_for_a_task_of_its_own_schedule_are_joined_with_what_comes_after_those(db: Database) -> None:
    root, other = add_task(db, "root"), add_task(db, "other")
    a = add_task(db, "a", after=["root"])
    d = add_task(db, "d", after=["root", "other"])
    e = add_task(db, "e", after=["a", "d"])
    began(db, root)
    follow(db)
    end(db, run_of(db, a), OK)
    began(db, other)
    follow(db)
    end(db, run_of(db, d), OK)
    follow(db)

    assert [state for state, _reason in rows(db, e)] == ["queued"]


def test_a_chain_of_which_every_link_is_gone_leaves_no_child_without_a_row(db: Database, fan: dict[str, Task]) -> None:
    delete(db, fan["b"]), delete(db, fan["c"])
    follow(db)

    assert rows(db, fan["d"]) == [("skipped", "not started because nothing is left after which it would run")]


def test_a_restored_step_that_ended_while_it_was_deleted_is_not_waited_for(db: Database, fan: dict[str, Task]) -> None:
    delete(db, fan["c"])
    undoing.restore(db, fan["c"].id, now=NOW, actor="ann")
    follow(db)

    assert [state for state, _reason in rows(db, fan["d"])] == ["skipped"]


def test_a_follower_asks_for_a_turn_when_links_have_changed(db: Database, fan: dict[str, Task]) -> None:
    follower = Follower()
    follower.look(db)
    assert not follower.should_follow(has_results=False)
    delete(db, fan["b"]), delete(db, fan["c"])
    follower.look(db)

    assert follower.has_links
    assert follower.should_follow(has_results=False)
