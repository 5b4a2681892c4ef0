"""Versions of tasks: who changed what, bringing one back, and running exactly one of them."""

from __future__ import annotations

import pytest

from tests.api_fixtures import Program
from tests.database import DEFAULTS, NOW, add_run, add_task
from tests.web_fixtures import Enter, Person
from watchbell.domain.run_state import RunState
from watchbell.errors import Conflict, NotFound, VersionConflict
from watchbell.services import revisions, runs, tasks, triggers
from watchbell.store.session import Database
from watchbell.store.tasks import Task

DAY = {"name": "day", "default": "monday"}


@pytest.fixture
def task(db: Database) -> Task:
    """Give a task of three versions, of which the second one had a parameter and another queue."""
    made = add_task(db, command="one", environment={"API_TOKEN": "s3cret-1", "LANG": "C"})
    second = {"command": "two", "parameters": [DAY], "queue": "nightly", "environment": {"API_TOKEN": "s3cret-2"}}
    for fields in (second, {"command": "<b>three</b>", "parameters": [], "queue": "default"}):
        made = tasks.update(db, made.id, fields, now=NOW, actor="ben", defaults=DEFAULTS)
    return made


def test_a_list_of_versions_says_what_each_has_changed(db: Database, task: Task) -> None:
    _task, found, has_older = revisions.list_page(db, task.id, limit=2)
    _task, older, is_more = revisions.list_page(db, task.id, limit=2, before=2)

    assert [(one.revision.version, one.revision.by, set(one.changed or ())) for one in found] == [
        (3, "ben", {"command", "parameters", "queue"}),
        (2, "ben", {"command", "parameters", "queue", "environment"}),
    ]
    assert has_older
    assert [(one.revision.version, one.changed) for one in older] == [(1, None)]
    assert not is_more


def test_a_version_that_is_restored_becomes_a_new_one(db: Database, task: Task) -> None:
    tasks.set_enabled(db, task.id, False, now=NOW, actor="ann")

    restored = revisions.restore(db, task.id, 2, now=NOW, actor="ann", expected_version=3)

    assert (restored.version, restored.command, restored.enabled) == (4, "two", False)
    assert tasks.revision(db, task.id, 4).definition == tasks.revision(db, task.id, 2).definition
    # What it says already makes no further version.
    assert revisions.restore(db, task.id, 2, now=NOW, actor="ann").version == 4


def test_a_version_is_not_restored_over_what_somebody_has_saved_since(db: Database, task: Task) -> None:
    with pytest.raises(VersionConflict):
        revisions.restore(db, task.id, 1, now=NOW, actor="ann", expected_version=2)
    with pytest.raises(NotFound):
        revisions.restore(db, task.id, 9, now=NOW, actor="ann")
    tasks.update(db, task.id, {"name": "other"}, now=NOW, actor="ann", defaults=DEFAULTS)
    add_task(db, "backup")
    with pytest.raises(Conflict, match="another task is called"):
        revisions.restore(db, task.id, 1, now=NOW, actor="ann")


def test_a_run_of_a_version_goes_by_its_definition(db: Database, task: Task) -> None:
    made = triggers.run_now(db, task.id, now=NOW, actor="ann", version=2, given={"day": "friday"})

    detail = runs.get_detail(db, made.id)
    assert (made.task_version, made.queue, made.parameters) == (2, "nightly", {"day": "friday"})
    assert detail.definition["command"] == "two"
    assert made.reason.endswith("version 2 of the task")
    again = triggers.run_exactly(db, made, now=NOW, actor="ann")
    assert (again.task_version, again.parameters, again.rerun_of) == (2, {"day": "friday"}, made.id)
    like = triggers.run_like(db, made, now=NOW, actor="ann")
    assert (like.task_version, like.parameters, like.rerun_of) == (3, None, None)
    with pytest.raises(NotFound, match="no version 9"):
        triggers.run_now(db, task.id, now=NOW, actor="ann", version=9)


def test_the_page_of_a_version_shows_what_it_changed_and_hides_secrets(admin: Person, db: Database, task: Task) -> None:
    listed = admin.see(f"/tasks/{task.id}/revisions")
    page = admin.see(f"/tasks/{task.id}/revisions/3")
    second = admin.see(f"/tasks/{task.id}/revisions/2")

    assert [link.text for link in listed.select("tbody .wb-cell--main a")] == ["Version 3", "Version 2", "Version 1"]
    assert "<b>three</b>" in page.select_one("#changes ins").text  # type: ignore[union-attr]
    assert page.select_one("form[action$=restore]") is None
    assert second.select_one("form[action$=restore]") is not None
    assert "s3cret" not in second.text
    assert "another value" in second.select_one("#changes").text  # type: ignore[union-attr]
    assert "Both say the same" not in admin.see(f"/tasks/{task.id}/revisions/2?against=3").text
    assert admin.get(f"/tasks/{task.id}/revisions.json").get_json()[0]["changed"] == ["command", "parameters", "queue"]
    assert "command parameters queue" in admin.get(f"/tasks/{task.id}/revisions.csv").text
    assert admin.get(f"/tasks/{task.id}/revisions/9").status_code == 404
    run = add_run(db, task, RunState.SUCCEEDED)
    assert admin.see(f"/runs/{run.id}?tab=definition").select_one(f'a[href="/tasks/{task.id}/revisions/3"]') is not None


def test_a_version_is_restored_from_its_page_and_that_is_taken_back(admin: Person, db: Database, task: Task) -> None:
    late = admin.post(f"/tasks/{task.id}/revisions/1/restore", {"in_force": "2"}, follow_redirects=True)
    assert "has changed this task meanwhile" in late.text

    done = admin.post(f"/tasks/{task.id}/revisions/1/restore", {"in_force": "3"})
    page = admin.see(done.location)
    assert tasks.get(db, task.id).command == "one"
    assert page.select_one(f'form[action="/tasks/{task.id}/revisions/3/restore"] input[value="4"]') is not None


def test_an_earlier_version_is_run_by_who_may_edit_only(admin: Person, enter: Enter, db: Database, task: Task) -> None:
    operator = enter("operator")
    earlier = triggers.run_now(db, task.id, now=NOW, actor="ann", version=2)
    fields = {"asked": "1", "version": "2", "param.day": "sunday"}

    assert operator.get(f"/tasks/{task.id}/run?version=2").status_code == 403
    assert operator.post(f"/tasks/{task.id}/run", fields).status_code == 403
    assert operator.post(f"/runs/{earlier.id}/exactly").status_code == 403
    assert "two" in admin.see(f"/tasks/{task.id}/run?version=2").select_one("pre").text  # type: ignore[union-attr]
    made = admin.post(f"/tasks/{task.id}/run", fields)
    found = runs.get(db, int(made.location.rpartition("/")[2]))
    assert (found.task_version, found.parameters) == (2, {"day": "sunday"})
    assert admin.post(f"/runs/{earlier.id}/exactly").status_code == 303
    mine = triggers.run_now(db, task.id, now=NOW, actor="ann")
    assert operator.post(f"/runs/{mine.id}/exactly").status_code == 303


def test_the_api_runs_and_restores_versions(program: Program, task: Task) -> None:
    place = f"/api/v2/tasks/{task.id}"

    assert program.get(f"{place}/revisions/2")["definition"]["command"] == "two"
    program.get(f"{place}/revisions/9", 404)
    made = program.want(201, "POST", f"{place}/runs", {"revision": 2, "parameters": {"day": "x"}})
    assert (made["task_version"], made["parameters"]) == (2, {"day": "x"})
    program.want(404, "POST", f"{place}/runs", {"revision": 9})
    again = program.want(201, "POST", f"/api/v2/runs/{made['id']}/rerun", {"exactly": True})
    assert (again["task_version"], again["rerun_of"]) == (2, made["id"])
    program.want(428, "POST", f"{place}/revisions/1/restore")
    stale = program.want(412, "POST", f"{place}/revisions/1/restore", headers={"If-Match": '"2"'})
    assert stale["current"]["version"] == 3
    assert program.want(200, "POST", f"{place}/revisions/1/restore", headers={"If-Match": '"3"'})["command"] == "one"


def test_a_change_that_names_an_old_version_does_not_touch_the_parameters(program: Program, task: Task) -> None:
    body = {"parameters": [DAY], "parameter_sets": {"x": {"day": "y"}}}

    stale = program.want(412, "PATCH", f"/api/v2/tasks/{task.id}", body, headers={"If-Match": '"2"'})

    assert stale["current"]["parameters"] == []
    changed = program.want(200, "PATCH", f"/api/v2/tasks/{task.id}", body, headers={"If-Match": '"3"'})
    assert changed["parameter_sets"] == {"x": {"day": "y"}}
