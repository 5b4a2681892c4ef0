"""Templates of tasks at the shell and for programs: kept from a task, used for new ones, removed."""

from __future__ import annotations

from tests.api_fixtures import Program
from tests.database import add_task
from tests.shell import home, shell  # noqa: F401 - fixtures.
from watchbell.errors import EXIT_CONFLICT, EXIT_NOT_FOUND, EXIT_USAGE
from watchbell.services import tasks
from watchbell.store.session import Database

# ruff: noqa: F811


def test_a_task_begins_from_a_template_at_the_shell(shell):
    shell("task", "add", "backup", "--command", "tar", "--cron", "0 2 * * *", "--env", "A=1", "--zone", "UTC")

    assert "backup is a template now" in shell("task", "template", "save", "backup").out
    assert [one["name"] for one in shell("task", "template", "list", "--json").json()] == ["backup"]
    made = shell("task", "add", "other", "--template", "backup", "--env", "B=2", "--cron", "0 3 * * *", "--json").json()
    assert (made["command"], made["environment"]) == ("tar", {"A": "1", "B": "2"})
    assert made["schedule"]["expressions"] == ["0 3 * * *"] and made["version"] == 1
    assert shell("task", "add", "other", "--template", "backup").code == EXIT_CONFLICT
    assert shell("task", "add", "x", "--template", "none").code == EXIT_NOT_FOUND
    assert shell("task", "add", "x", "--template", "backup", "--dry-run").code == EXIT_USAGE
    assert shell("task", "template", "remove", "backup").code == 0
    assert "no template yet" in shell("task", "template", "list").out
    assert shell("task", "show", "other").code == 0


def test_programs_keep_use_and_remove_templates(program: Program, db: Database) -> None:
    task = add_task(db, "backup", cron="0 2 * * *", command="tar", owner="ben", tags="a")

    saved = program.want(200, "POST", f"/api/v2/tasks/{task.id}/template")
    made = program.want(201, "POST", f"/api/v2/task-templates/{saved['id']}/tasks", {"name": "two", "retries": 2})

    assert [one["name"] for one in program.get("/api/v2/task-templates")["items"]] == ["backup"]
    assert (made["command"], made["tags"], made["retries"]) == ("tar", ["a"], 2)
    # It belongs to whoever made it.
    assert made["owner"] != "ben" and tasks.get(db, task.id).version == 1
    program.want(409, "POST", f"/api/v2/task-templates/{saved['id']}/tasks", {"name": "two"})
    program.want(422, "POST", f"/api/v2/task-templates/{saved['id']}/tasks", {"name": "three", "cron": "never"})
    program.want(204, "DELETE", f"/api/v2/task-templates/{saved['id']}")
    program.want(404, "POST", f"/api/v2/task-templates/{saved['id']}/tasks", {"name": "three"})
