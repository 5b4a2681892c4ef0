"""The ends of runs are followed in a scheduler's turn: each child whose turn comes has one row, whatever happens meanwhile."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.database import NOW, add_run, add_task
from tests.unit.turning import HOLDER, all_runs, result_of
from watchbell.domain.run_state import RunState
from watchbell.errors import Unavailable
from watchbell.services import pauses, tasks, transitions
from watchbell.services.following import Follower
from watchbell.services.turns import Turn, Turned, take_turn
from watchbell.store import chains as store
from watchbell.store import events, runs
from watchbell.store import tasks as task_store
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.store.tasks import Task

OK, BAD = RunState.SUCCEEDED, RunState.FAILED


def link(db: Database, child: Task, *parents: Task, on: str = "succeeded", join: str = "all") -> None:
    """Let a task run after others."""
    with db.write() as session:
        store.put_links(session, child.id, {one.id: on for one in parents}, events.newest_id(session))
        found = task_store.find_task(session, child.id)
        assert found is not None
        found.join, found.change = join, task_store.next_change(session)


def follow(db: Database, **values: Any) -> Turned:
    """Take a turn that follows what has ended; nothing is started unless there is room."""
    return take_turn(
        db, Turn(**{"now": NOW, "holder": HOLDER, "actor": "scheduler@x", "room": 0, **values}), Follower()
    )


def end(db: Database, run: Run, state: RunState) -> None:
    """Let a queued run end so, as it would after its start."""
    through = (
        []
        if state in {RunState.SKIPPED, RunState.MISSED, RunState.CANCELLED}
        else [RunState.CLAIMED, RunState.STARTING]
    )
    with db.write() as session:
        fresh = runs.find_run(session, run.id)
        assert fresh is not None
        assert transitions.move(session, fresh, [*through, state], now=NOW, actor="test")


def began(db: Database, task: Task, state: RunState = OK) -> Run:
    """Let a task have a run of its own, which ends so."""
    run = add_run(db, task, key="")
    end(db, run, state)
    return run


def rows(db: Database, task: Task) -> list[tuple[str, str]]:
    """Return state and reason of the runs of a task that a chain made."""
    return [(run.state, run.reason) for run in all_runs(db) if run.task_id == task.id and run.trigger == "chain"]


@pytest.fixture
def abc(db: Database) -> tuple[Task, Task, Task]:
    return add_task(db, "a"), add_task(db, "b"), add_task(db, "c")


@pytest.mark.on_both
def test_a_child_comes_to_the_queue_and_starts_in_the_turn_that_stores_the_end_of_its_parent(
    db: Database, abc: tuple[Task, Task, Task]
) -> None:
    a, b, _c = abc
    link(db, b, a)
    add_run(db, a)
    (ticket,) = follow(db, room=5).tickets

    (child,) = follow(db, room=5, claims=False, results=[result_of(ticket, state=RunState.STARTING)]).tickets

    run = all_runs(db)[-1]
    assert (child.task_id, child.trigger, run.state, run.reason) == (
        b.id,
        "chain",
        "starting",
        "because a succeeded (run #1)",
    )
    assert (run.group_id, run.round, run.parents, run.local_time) == (1, 0, [1], "")


@pytest.mark.parametrize(
    ("on", "state", "expected"),
    [
        ("succeeded", OK, ("queued", "because a succeeded (run #1)")),
        ("succeeded", BAD, ("skipped", "not started because a failed (run #1)")),
        ("succeeded", RunState.CANCELLED, ("skipped", "not started because a was cancelled (run #1)")),
        ("failed", RunState.TIMED_OUT, ("queued", "because a took too long (run #1)")),
        ("failed", RunState.LOST, ("queued", "because a was lost (run #1)")),
        ("failed", OK, ("skipped", "not started because a succeeded (run #1)")),
        ("finished", BAD, ("queued", "because a failed (run #1)")),
    ],
)
def test_each_end_of_a_parent_is_a_row_of_its_child(
    db: Database, abc: tuple[Task, Task, Task], on: str, state: RunState, expected: tuple[str, str]
) -> None:
    a, b, _c = abc
    link(db, b, a, on=on)
    began(db, a, state)

    follow(db)
    follow(db)

    assert rows(db, b) == [expected]


def test_a_skipped_child_passes_that_on_through_the_whole_chain_in_one_turn(db: Database) -> None:
    chain = [add_task(db, f"step-{number}") for number in range(8)]
    for parent, child in itertools.pairwise(chain):
        link(db, child, parent)
    began(db, chain[0], BAD)

    assert not follow(db).is_behind

    assert rows(db, chain[1]) == [("skipped", "not started because step-0 failed (run #1)")]
    assert rows(db, chain[7]) == [("skipped", "not started because step-6 was skipped (run #7)")]
    assert {run.group_id for run in all_runs(db)[1:]} == {1}


@pytest.mark.parametrize("state", [RunState.SKIPPED, RunState.MISSED])
def test_a_root_that_was_never_started_begins_no_round(
    db: Database, abc: tuple[Task, Task, Task], state: RunState
) -> None:
    a, b, _c = abc
    link(db, b, a, on="finished")
    began(db, a, state)

    follow(db)

    assert rows(db, b) == []


@pytest.mark.on_both
def test_a_fan_is_joined_within_its_own_group_when_two_groups_are_on_their_way(db: Database) -> None:
    a, b, c, d = (add_task(db, name, overlap="queue_all") for name in "abcd")
    link(db, b, a), link(db, c, a), link(db, d, b, c)
    began(db, a), began(db, a)
    follow(db)
    first, second = ([r for r in all_runs(db) if r.group_id == group] for group in (1, 2))

    end(db, first[0], OK), end(db, second[1], OK)
    follow(db)
    assert rows(db, d) == []
    end(db, second[0], BAD), end(db, first[1], OK)
    follow(db)

    made = [(r.group_id, r.state) for r in all_runs(db) if r.task_id == d.id]
    assert sorted(made) == [(1, "queued"), (2, "skipped")]


def test_any_of_several_starts_the_child_once_in_a_group(db: Database) -> None:
    a, b, c, d = (add_task(db, name) for name in "abcd")
    link(db, b, a), link(db, c, a), link(db, d, b, c, join="any")
    began(db, a)
    follow(db)
    for run in all_runs(db)[1:]:
        end(db, run, OK)

    follow(db)

    assert rows(db, d) == [("queued", "because b succeeded (run #2)")]


@pytest.mark.on_both
def test_parents_with_schedules_of_their_own_are_joined_across_their_runs(
    db: Database, abc: tuple[Task, Task, Task]
) -> None:
    a, b, c = abc
    link(db, c, a, b)
    began(db, a), began(db, a)
    follow(db)
    assert rows(db, c) == []
    began(db, b)
    follow(db)
    assert rows(db, c) == [("queued", "because a succeeded (run #2); because b succeeded (run #3)")]

    # What has led to a run counts for no other one.
    began(db, b)
    follow(db)
    assert len(rows(db, c)) == 1
    began(db, a, BAD)
    follow(db)

    assert [state for state, _reason in rows(db, c)] == ["queued", "skipped"]


def test_what_keeps_a_child_from_starting_is_said_in_its_row(db: Database, abc: tuple[Task, Task, Task]) -> None:
    a, b, c = abc
    link(db, b, a), link(db, c, a)
    tasks.set_enabled(db, b.id, False, now=NOW, actor="ann")
    pauses.pause(db, pauses.task_scope(c.id), now=NOW, actor="ann", reason="no disk")
    began(db, a)

    follow(db)

    assert rows(db, b) == [("skipped", "it was disabled when its turn came; because a succeeded (run #1)")]
    ((state, reason),) = rows(db, c)
    assert state == "skipped"
    assert reason.startswith("because a succeeded (run #1); the task is paused by ann")


def test_a_child_that_still_runs_meets_its_next_turn_by_its_policy(db: Database, abc: tuple[Task, Task, Task]) -> None:
    a, b, _c = abc
    link(db, b, a)
    began(db, a), began(db, a)

    follow(db)

    assert [state for state, _reason in rows(db, b)] == ["queued", "skipped"]
    assert "overlap" in rows(db, b)[1][1]


def test_what_was_over_before_a_link_was_made_starts_nothing(db: Database, abc: tuple[Task, Task, Task]) -> None:
    a, b, c = abc
    link(db, c, a)
    began(db, a)
    link(db, b, a)

    follow(db)

    assert (len(rows(db, b)), len(rows(db, c))) == (0, 1)


def test_a_deleted_parent_is_waited_for_no_more(db: Database, abc: tuple[Task, Task, Task]) -> None:
    a, b, c = abc
    link(db, c, a, b)
    tasks.delete(db, b.id, now=NOW, actor="ann")
    began(db, a)

    follow(db)

    assert len(rows(db, c)) == 1


def test_a_turn_that_is_lost_between_the_end_of_a_parent_and_the_birth_of_its_child_is_made_up_for_once(
    db: Database, abc: tuple[Task, Task, Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, _c = abc
    link(db, b, a)
    began(db, a)

    def killed(*_values: object) -> None:
        raise Unavailable("killed before the commit")

    with monkeypatch.context() as patched:
        patched.setattr(store, "set_followed", killed)
        with pytest.raises(Unavailable):
            follow(db)
    assert rows(db, b) == []

    follow(db), follow(db)

    assert len(rows(db, b)) == 1


def test_an_end_that_is_followed_twice_makes_no_second_child(db: Database, abc: tuple[Task, Task, Task]) -> None:
    a, b, _c = abc
    link(db, b, a)
    began(db, a)
    follow(db)
    with db.write() as session:
        store.set_followed(session, 0)

    follow(db)

    assert len(rows(db, b)) == 1


def test_a_follower_asks_for_a_turn_only_when_an_end_concerns_a_child(
    db: Database, abc: tuple[Task, Task, Task]
) -> None:
    a, b, c = abc
    follower = Follower()
    follower.look(db)
    began(db, a)
    follower.look(db)
    assert not follower.has_links
    assert not follower.should_follow(has_results=True)

    link(db, b, a)
    began(db, c)
    follower.look(db)
    assert follower.has_links
    assert not follower.should_follow(has_results=False)
    began(db, a)
    follower.look(db)

    assert follower.should_follow(has_results=False)
