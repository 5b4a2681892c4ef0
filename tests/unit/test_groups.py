"""The runs of a chain as one group: its steps, what took the time, and running a step again with what comes after it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.api_fixtures import Program
from tests.database import DEFAULTS, NOW, add_run, add_task
from tests.unit.test_following import BAD, OK, began, end, follow, rows
from tests.unit.turning import all_runs
from tests.web_fixtures import Enter, Person
from watchbell.domain.chain_paths import critical_path, layers
from watchbell.domain.run_state import RunState
from watchbell.errors import Conflict, NotFound
from watchbell.services import decisions, groups, tasks, triggers, why
from watchbell.services.triggers import QuotaReached
from watchbell.services.why import Asked
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.store.tasks import Task
from watchbell.web.pictures import chain


@pytest.fixture
def fan(db: Database) -> dict[str, Task]:
    """Return four tasks: b and c run after a, and d after both."""
    made = {"a": add_task(db, "a"), "b": add_task(db, "b", after=["a"]), "c": add_task(db, "c", after=["a"])}
    return {**made, "d": add_task(db, "d", after=["b", "c"])}


def run_of(db: Database, task: Task) -> Run:
    """Return the newest run of a task."""
    return next(run for run in reversed(all_runs(db)) if run.task_id == task.id)


def again(db: Database, run: Run) -> Run:
    return groups.again(db, run.id, now=NOW, actor="ann")


def failed_fan(db: Database, fan: dict[str, Task]) -> None:
    """Let a run of the fan end in which b fails."""
    began(db, fan["a"])
    follow(db)
    end(db, run_of(db, fan["b"]), BAD), end(db, run_of(db, fan["c"]), OK)
    follow(db)


def test_a_step_that_failed_is_run_again_and_what_comes_after_it_follows_in_a_round_of_its_own(
    db: Database, fan: dict[str, Task]
) -> None:
    failed_fan(db, fan)
    assert rows(db, fan["d"]) == [("skipped", "not started because b failed (run #2)")]

    made = again(db, run_of(db, fan["b"]))
    assert (made.group_id, made.round, made.rerun_of, made.trigger) == (1, 1, 2, "manual")
    assert made.reason == "run again by ann in its chain, as run #2"
    follow(db)
    assert len(rows(db, fan["d"])) == 1
    end(db, made, OK)
    follow(db)

    # What c had come to counts still; it was not run again.
    assert rows(db, fan["d"])[1:] == [("queued", "because b succeeded (run #5); because c succeeded (run #3)")]
    assert run_of(db, fan["d"]).round == 1
    assert len(rows(db, fan["c"])) == 1


def test_the_first_task_run_again_lets_no_later_one_start_by_an_end_of_before(
    db: Database, fan: dict[str, Task]
) -> None:
    began(db, fan["a"])
    follow(db)
    end(db, run_of(db, fan["b"]), OK), end(db, run_of(db, fan["c"]), OK)
    follow(db)
    end(db, run_of(db, fan["d"]), OK)

    end(db, again(db, run_of(db, fan["a"])), OK)
    follow(db)
    end(db, run_of(db, fan["b"]), OK)
    follow(db)
    assert len(rows(db, fan["d"])) == 1
    end(db, run_of(db, fan["c"]), OK)
    follow(db)

    assert [state for state, _reason in rows(db, fan["d"])] == ["succeeded", "queued"]


def test_a_parent_with_a_schedule_of_its_own_that_is_run_again_brings_the_others_back_that_waited_with_it(
    db: Database,
) -> None:
    a, b = add_task(db, "a"), add_task(db, "b")
    c = add_task(db, "c", after=["a", "b"])
    began(db, a), began(db, b, BAD)
    follow(db)
    assert [state for state, _reason in rows(db, c)] == ["skipped"]

    end(db, again(db, run_of(db, b)), OK)
    follow(db)

    assert [state for state, _reason in rows(db, c)] == ["skipped", "queued"]


def test_a_lost_step_that_a_person_lets_run_again_is_followed_too(db: Database) -> None:
    a = add_task(db, "a", uncertain="ask")
    b = add_task(db, "b", after=["a"])
    lost = add_run(db, a, RunState.LOST, decision="open")

    made = decisions.decide(db, lost.id, "run_again", now=NOW, actor="ann")
    end(db, made, OK)
    follow(db)

    assert rows(db, b) == [("queued", f"because a succeeded (run #{made.id})")]
    assert run_of(db, b).group_id == lost.id


@pytest.mark.parametrize(
    ("state", "words"), [(RunState.RUNNING, "is still running"), (RunState.SUCCEEDED, "is no step of a chain")]
)
def test_what_is_not_over_or_in_no_chain_is_not_run_again_in_one(db: Database, state: RunState, words: str) -> None:
    run = add_run(db, add_task(db), state)

    with pytest.raises(Conflict, match=words):
        again(db, run)
    with pytest.raises(NotFound):
        groups.again(db, 99, now=NOW, actor="ann")


def test_a_step_is_run_again_no_more_often_than_runs_by_hand_may_wait(
    db: Database, fan: dict[str, Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    failed_fan(db, fan)
    run = run_of(db, fan["b"])
    monkeypatch.setattr(triggers, "MOST_WAITING", 2)
    again(db, run), again(db, run)

    with pytest.raises(QuotaReached, match="wait already"):
        again(db, run)


def test_a_group_tells_its_steps_its_rounds_and_what_is_still_to_come(db: Database, fan: dict[str, Task]) -> None:
    began(db, fan["a"])
    with pytest.raises(NotFound, match="run 1 began no chain"):
        groups.find(db, 1)
    follow(db)

    group = groups.find(db, 1)
    assert [(step.task_name, groups.state_of(step)) for step in group.steps] == [
        ("a", "succeeded"), ("b", "queued"), ("c", "queued"), ("d", ""),
    ]  # fmt: skip
    assert (group.is_active, group.rounds, group.name) == (True, 1, "a")

    end(db, run_of(db, fan["b"]), BAD), end(db, run_of(db, fan["c"]), OK)
    follow(db)
    assert groups.find(db, 1).ended_at == NOW
    again(db, run_of(db, fan["b"]))
    group = groups.find(db, 1)
    assert (group.rounds, len(group.runs), group.is_active) == (2, 5, True)


def _at(seconds: int) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("parents", "ended", "path"),
    [
        ({1: [], 2: [1], 3: [1], 4: [2, 3]}, {1: 1, 2: 5, 3: 9, 4: 10}, [1, 3, 4]),
        # A branch may end last, and what never started took no time.
        ({1: [], 2: [1], 3: [1], 4: [2]}, {1: 1, 2: 2, 3: 9}, [1, 3]),
        ({1: [], 2: [7]}, {1: 1, 2: 2}, [2]),
        ({1: [2], 2: [1]}, {1: 1, 2: 2}, [1, 2]),
        ({1: []}, {}, []),
    ],
)
def test_the_path_that_took_the_time_leads_back_by_the_last_end_each(
    parents: dict[int, list[int]], ended: dict[int, int], path: list[int]
) -> None:
    assert critical_path(parents, {run: _at(seconds) for run, seconds in ended.items()}) == path


@pytest.mark.parametrize(
    ("parents", "found"),
    [
        ({1: [], 2: [1], 3: [1], 4: [2, 3]}, [[1], [2, 3], [4]]),
        ({4: [1, 3], 3: [2], 2: [1], 1: []}, [[1], [2], [3], [4]]),
        ({1: [9]}, [[1]]),
        ({}, []),
    ],
)
def test_each_task_is_drawn_below_all_that_it_runs_after(parents: dict[int, list[int]], found: list[list[int]]) -> None:
    assert layers(parents, parents) == found


def test_a_loop_that_rows_of_another_time_make_is_drawn_all_the_same() -> None:
    assert sorted(one for row in layers({1: [2], 2: [1], 3: [2]}, [1, 2, 3]) for one in row) == [1, 2, 3]


def test_the_picture_has_a_box_for_each_task_and_no_two_in_one_place(db: Database, fan: dict[str, Task]) -> None:
    add_task(db, "e", after=["a", {"task": "d", "on": "failed"}], join="any")

    steps = groups.around(db, fan["b"].id)
    drawn = chain.draw(groups.around(db, fan["a"].id), here=fan["a"].id)

    # Its brother c is neither before it nor behind it.
    assert [step.task_name for step in steps] == ["b", "a", "d", "e"]
    assert drawn is not None
    spots = [(box.x, box.y) for box in drawn.boxes]
    assert len(set(spots)) == 5
    assert sorted(line.on for line in drawn.lines) == ["failed", *["succeeded"] * 5]
    assert all(box.x >= 0 and box.x + drawn.box_width <= drawn.width for box in drawn.boxes)
    assert chain.draw([]) is None
    assert groups.around(db, add_task(db, "alone").id) == []


def test_a_chain_of_a_thousand_is_no_picture_and_its_page_is_quick_to_lay_out() -> None:
    parents = {number: [number - 1] if number else [] for number in range(1000)}

    assert len(layers(parents, parents)) == 1000


def test_the_page_of_a_group_shows_its_picture_all_its_runs_and_the_way_to_run_a_step_again(
    admin: Person, enter: Enter, db: Database, fan: dict[str, Task]
) -> None:
    failed_fan(db, fan)

    page = admin.see("/runs/groups/1")
    assert "2 of 4 tasks succeeded, 1 did not end well, 1 was not started." in page.text
    assert {one.text for one in page.select(".wb-chain .wb-flow__name")} == {"a", "b", "c", "d"}
    assert page.select_one('form[action="/runs/2/chain"][data-confirm]')
    assert "not started because b failed" in page.text.lower()
    viewer = enter("viewer")
    assert not viewer.see("/runs/groups/1").select('form[action="/runs/2/chain"]')
    assert viewer.post("/runs/2/chain").status_code == 403

    made = admin.post("/runs/2/chain")
    assert (made.status_code, made.location) == (303, "/runs/groups/1")
    page = admin.see("/runs/groups/1")
    assert "run again in part once" in page.text
    assert page.select_one("#all-runs")
    assert len(admin.get("/runs/groups/1.json").json) == 5
    assert admin.get("/runs/groups/1.csv").text.count("\n") == 6
    assert admin.get("/runs/groups/2").status_code == 404
    run = admin.see("/runs/4")
    assert run.select_one('a[href="/runs/groups/1"]')
    assert "the tasks that it runs after had ended" in admin.see("/runs/4?tab=why").text
    assert admin.see("/runs/4?tab=why").select('a[href="/runs/2"]')
    assert admin.post("/runs/5/chain").location == "/runs/5"


def test_the_page_of_a_task_shows_its_chain(admin: Person, db: Database, fan: dict[str, Task]) -> None:
    began(db, fan["a"])

    page = admin.see(f"/tasks/{fan['d'].id}")

    assert {one["href"] for one in page.select(".wb-chain a")} == {f"/tasks/{task.id}" for task in fan.values()}
    assert "After all of b, c." in page.text
    assert not admin.see(f"/tasks/{add_task(db, 'alone').id}").select(".wb-chain")


def test_the_api_tells_a_group_and_runs_a_step_again(program: Program, db: Database, fan: dict[str, Task]) -> None:
    failed_fan(db, fan)

    told = program.get("/api/v2/run-groups/1")
    made = program.want(201, "POST", "/api/v2/runs/2/rerun", {"in_chain": True})

    assert [(step["task_name"], step["state"]) for step in told["steps"]] == [
        ("a", "succeeded"), ("b", "failed"), ("c", "succeeded"), ("d", "skipped"),
    ]  # fmt: skip
    assert told["steps"][3]["after"] == [{"task_id": 2, "on": "succeeded"}, {"task_id": 3, "on": "succeeded"}]
    assert (made["group_id"], made["round"]) == (1, 1)
    assert program.call("POST", "/api/v2/runs/2/rerun", {"in_chain": True, "exactly": True}).status_code == 422
    assert program.call("GET", "/api/v2/run-groups/2").status_code == 404
    assert program.call("POST", f"/api/v2/runs/{made['id']}/rerun", {"in_chain": True}).status_code == 409


def _why(db: Database, task: Task, at: datetime) -> why.Why:
    return why.why(db, task.id, Asked(at), now=NOW + timedelta(days=1))


def test_why_a_task_without_a_schedule_ran_or_did_not_is_told_by_its_chain(db: Database, fan: dict[str, Task]) -> None:
    began(db, fan["a"])
    follow(db)
    tasks.update(db, fan["b"].id, {"comment": "x"}, now=NOW, actor="ann", defaults=DEFAULTS)

    ran: Any = _why(db, fan["b"], NOW)
    did_not: Any = _why(db, fan["b"], NOW + timedelta(hours=1))

    assert ran.runs[0].reason == "because a succeeded (run #1)"
    assert did_not.sentences[:2] == ["it has no schedule and runs after other tasks: a", "its turn did not come then"]
