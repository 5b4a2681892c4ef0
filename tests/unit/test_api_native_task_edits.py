"""The same values for many tasks in the native family: told first, all or none, and nobody's change is lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.api_fixtures import Program
from tests.database import DEFAULTS, NOW, add_task
from watchbell.services import tasks
from watchbell.store.session import Database
from watchbell.store.tasks import Task

EDIT = "/api/v2/tasks/edit"


@pytest.fixture
def three(db: Database) -> list[Task]:
    return [add_task(db, name, cron="0 2 * * *", tags="nightly", queue=name) for name in "abc"]


def seen(found: Sequence[Task]) -> list[dict[str, int]]:
    return [{"id": task.id, "version": task.version} for task in found]


def states(db: Database, found: Sequence[Task]) -> list[tuple[int, str]]:
    return [(now.version, now.policies["queue"]) for now in (tasks.get(db, task.id) for task in found)]


def test_a_dry_run_by_a_filter_tells_what_the_edit_then_does(program: Program, db: Database, three: list[Task]) -> None:
    add_task(db, "other")
    asked = {"set": {"cron": "0 3 * * *", "queue": "a"}, "add_tags": ["x"]}

    told = program.want(200, "POST", EDIT, {**asked, "filter": {"tag": "nightly"}, "dry_run": True})
    before = states(db, three)
    named = [{"id": one["task_id"], "version": one["version"]} for one in told["items"]]
    done = program.want(200, "POST", EDIT, {**asked, "tasks": named}, headers={"Idempotency-Key": "k"})

    assert before == [(1, "a"), (1, "b"), (1, "c")]
    assert told["dry_run"] and told["changed"] == 3 and told["simulation"]["moved"]["count"] == 90
    assert [one["differences"] for one in done["items"]] == [one["differences"] for one in told["items"]]
    assert [(one["version_before"], one["version"]) for one in done["items"]] == [(1, 2)] * 3
    assert states(db, three) == [(2, "a")] * 3


def test_what_a_task_has_already_is_unchanged(program: Program, db: Database, three: list[Task]) -> None:
    done = program.want(200, "POST", EDIT, {"set": {"queue": "b"}, "tasks": seen(three)})

    assert [one["outcome"] for one in done["items"]] == ["changed", "unchanged", "changed"]
    assert (done["changed"], done["simulation"]) == (2, None)


def test_an_edit_based_on_an_older_version_changes_nothing_and_names_the_task(
    program: Program, db: Database, three: list[Task]
) -> None:
    based_on = seen(three)
    tasks.update(db, three[1].id, {"comment": "mine"}, now=NOW, actor="ben", defaults=DEFAULTS)

    problem = program.want(412, "POST", EDIT, {"set": {"queue": "x"}, "tasks": based_on})

    assert problem["type"] == "/problems/version-conflict"
    assert problem["current"]["items"] == [{"task_id": three[1].id, "name": "b", "version": 2}]
    assert states(db, three) == [(1, "a"), (2, "b"), (1, "c")]


@pytest.mark.parametrize(
    ("body", "status", "names"),
    [
        ({"tasks": [{"id": 1}], "set": {"queue": "x"}}, 428, "task 1"),
        ({"filter": {"tag": "nightly"}, "set": {"queue": "x"}}, 428, "dry_run"),
        ({"filter": {"tag": "none"}, "set": {"queue": "x"}, "dry_run": True}, 422, "filter"),
        ({"set": {"queue": "x"}}, 422, "tasks"),
        ({"tasks": [{"id": 1, "version": 1}]}, 422, "set"),
        ({"tasks": [{"id": 1, "version": 1}], "set": {"name": "x"}}, 422, "set.name"),
        ({"tasks": [{"id": 1, "version": 1}], "set": {"cron": "never"}}, 422, "set.cron"),
        ({"tasks": [{"id": 1, "version": 1}], "parameter_defaults": {"day": "x"}}, 422, "parameter_defaults"),
        ({"tasks": [{"id": 99, "version": 1}], "set": {"queue": "x"}}, 404, "99"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    program: Program, db: Database, three: list[Task], body: dict[str, Any], status: int, names: str
) -> None:
    problem = program.want(status, "POST", EDIT, body)

    assert names in problem["detail"] or names in [one["field"] for one in problem["errors"]]
    assert states(db, three) == [(1, "a"), (1, "b"), (1, "c")]
