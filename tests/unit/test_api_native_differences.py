"""Two versions of a task laid against each other, for programs."""

from __future__ import annotations

from tests.api_fixtures import Program
from tests.database import DEFAULTS, NOW, add_task
from tests.web_fixtures import Enter
from watchbell.services import tasks
from watchbell.store.session import Database

ANY = {"If-Match": "*"}


def test_the_fields_in_which_two_versions_differ_are_told(program: Program) -> None:
    new = {"name": "a", "command": "true", "cron": "0 2 * * *", "environment": {"API_TOKEN": "hush"}}
    number = program.want(201, "POST", "/api/v2/tasks", new)["id"]
    program.want(200, "PATCH", f"/api/v2/tasks/{number}", {"cron": "0 3 * * *", "retries": 2}, headers=ANY)
    program.want(200, "PATCH", f"/api/v2/tasks/{number}", {"environment": {"API_TOKEN": "other"}}, headers=ANY)

    def told(version: int, query: str = "") -> tuple[int | None, dict[str, tuple[object, object]]]:
        path = f"/api/v2/tasks/{number}/revisions/{version}/differences{query}"
        found = program.want(200, "GET", path)
        return found["against"], {one["field"]: (one["before"], one["after"]) for one in found["differences"]}

    against, changed = told(2)
    assert (against, changed["policies.retries"]) == (1, (0, 2))
    assert changed["schedule.expressions"] == (["0 2 * * *"], ["0 3 * * *"]) and set(changed) == {
        "policies.retries",
        "schedule.expressions",
    }
    assert told(3) == (2, {"environment": ({"API_TOKEN": "hush"}, {"API_TOKEN": "other"})})
    assert set(told(3, "?against=1")[1]) == {"environment", *changed}
    assert told(1, "?against=1") == (1, {})
    # The first one has nothing before it and is told whole.
    first, whole = told(1)
    assert first is None and whole["name"] == (None, "a")
    program.want(404, "GET", f"/api/v2/tasks/{number}/revisions/3/differences?against=9")
    program.want(422, "GET", f"/api/v2/tasks/{number}/revisions/3/differences?against=x")


def test_who_may_not_edit_is_told_that_a_secret_has_changed_and_not_to_what(enter: Enter, db: Database) -> None:
    task = add_task(db, "a", environment={"API_TOKEN": "hush"})
    tasks.update(db, task.id, {"environment": {"API_TOKEN": "other"}}, now=NOW, actor="ann", defaults=DEFAULTS)

    (one,) = enter("viewer").get(f"/api/v2/tasks/{task.id}/revisions/2/differences").json["differences"]  # type: ignore[index]

    assert one["before"] == one["after"] == {"API_TOKEN": "••••••"}
