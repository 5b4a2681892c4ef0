"""What a server is asked about tasks besides what they are: what changes would do, their versions, and those that were deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from watchbell.cli import remote_rows
from watchbell.cli.source import RevisionRow, TaskRow
from watchbell.client import Client
from watchbell.errors import NotFound

#: What the server gives at a time.
_MOST_ROWS = 1000


class RemoteForesight:
    """Answers by asking a server."""

    _client: Client

    def foresee_task(self, task: TaskRow | None, fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Return what it would do to make or to change a task."""
        body = {**remote_rows.sendable(fields), "task_id": task.id if task is not None else None}
        return self._ask("/tasks/preview", body)

    def foresee_deletion(self, task: TaskRow) -> Mapping[str, Any]:
        """Return what it would do to delete a task."""
        body = {"action": "delete", "ids": [task.id], "dry_run": True}
        found: Mapping[str, Any] = self._client.ask("POST", "/tasks/bulk", body=body)["simulation"]
        return found

    def foresee_calendar(self, found: Mapping[str, Any] | None, fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Return what it would do to make or to change a calendar."""
        return self._ask("/calendars/preview", {**fields, "calendar_id": found["id"] if found is not None else None})

    def foresee_blackout(
        self, found: Mapping[str, Any] | None, fields: Mapping[str, object] | None
    ) -> Mapping[str, Any]:
        """Return what it would do to make, to change or to remove a blackout."""
        number = found["id"] if found is not None else None
        return self._ask("/blackouts/preview", {**(fields or {}), "blackout_id": number, "remove": fields is None})

    def _ask(self, path: str, body: Mapping[str, object]) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._client.ask("POST", path, body=dict(body))
        return found


class RemoteEdits:
    """Answers by asking a server."""

    _client: Client

    def missing_interpreter(self, task: TaskRow) -> str:
        """Return nothing: what is on the machine of the server, its page and its doctor tell."""
        return ""

    def foresee_edit(
        self,
        tasks: Sequence[TaskRow] | None,
        chosen: Mapping[str, Any],
        changes: Mapping[str, Any],
        tell: Callable[[int], None],
    ) -> Mapping[str, Any]:
        """Return what would change, and nothing does."""
        tell(0)
        whom = {"filter": dict(chosen)} if tasks is None else {"tasks": [{"id": task.id} for task in tasks]}
        return self._edit({**whom, **_body(changes), "dry_run": True})

    def edit_tasks(self, seen: Mapping[int, int], changes: Mapping[str, Any]) -> Mapping[str, Any]:
        """Change tasks."""
        tasks = [{"id": number, "version": version} for number, version in seen.items()]
        return self._edit({"tasks": tasks, **_body(changes)})

    def undo_edit(self, items: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Give tasks back what they had before an edit."""
        found: Mapping[str, Any] = self._client.ask("POST", "/tasks/edit/undo", body={"items": list(items)})
        return found

    def order_tasks(
        self,
        action: str,
        ids: Sequence[int] | None,
        chosen: Mapping[str, Any],
        *,
        dry_run: bool,
        reason: str = "",
        until: datetime | None = None,
    ) -> Mapping[str, Any]:
        """Do one thing with many tasks."""
        whom: dict[str, Any] = {"filter": dict(chosen)} if ids is None else {"ids": list(ids)}
        body = {"action": action, **whom, "reason": reason, "until": until.isoformat() if until else None}
        found: Mapping[str, Any] = self._client.ask("POST", "/tasks/bulk", body={**body, "dry_run": dry_run})
        return found

    def _edit(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._client.ask("POST", "/tasks/edit", body=dict(body))
        return found


def _body(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {**changes, "set": remote_rows.sendable(changes["set"])}


class RemoteTemplates:
    """Answers by asking a server."""

    _client: Client

    def list_templates(self) -> Sequence[Mapping[str, Any]]:
        """Return all templates by name."""
        return list(map(_template, self._client.ask("GET", "/task-templates")["items"]))

    def find_template(self, name: str) -> Mapping[str, Any]:
        """Return the template of a name or an id."""
        listed = self.list_templates()
        found = next((one for one in listed if one["name"] == name), None)
        found = found or next((one for one in listed if str(one["id"]) == name), None)
        if found is None:
            raise NotFound(f"there is no template {name[:100]!r}")
        return found

    def save_template(self, task: TaskRow) -> Mapping[str, Any]:
        """Keep what a task says as a template of its name."""
        return _template(self._client.ask("POST", f"/tasks/{task.id}/template"))

    def delete_template(self, template: Mapping[str, Any]) -> None:
        """Delete a template."""
        self._client.ask("DELETE", f"/task-templates/{template['id']}")

    def add_of_template(self, template: Mapping[str, Any], fields: Mapping[str, object]) -> TaskRow:
        """Make a task that says what a template says, but for these fields."""
        body = remote_rows.sendable(fields)
        return remote_rows.task_row(self._client.ask("POST", f"/task-templates/{template['id']}/tasks", body=body))


def _template(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**body, "saved_at": datetime.fromisoformat(body["saved_at"])}


class RemotePast:
    """Answers by asking a server."""

    _client: Client

    def list_revisions(self, task: TaskRow, limit: int) -> Sequence[RevisionRow]:
        """Return the newest versions of a task."""
        asked = {"limit": min(limit, _MOST_ROWS)}
        return [
            remote_rows.row_of(body)
            for body in self._client.ask("GET", f"/tasks/{task.id}/revisions", query=asked)["items"]
        ]

    def restore_revision(self, task: TaskRow, version: int) -> TaskRow:
        """Let a task say again what it said in a version."""
        return remote_rows.task_row(
            self._client.ask("POST", f"/tasks/{task.id}/revisions/{version}/restore", version=task.version)
        )

    def list_tags(self) -> Sequence[Mapping[str, Any]]:
        """Return the tags of tasks."""
        found: Sequence[Mapping[str, Any]] = self._client.ask("GET", "/tags")["items"]
        return found

    def list_deleted(self) -> Sequence[Mapping[str, Any]]:
        """Return the tasks that were deleted and can be restored."""
        found = self._client.ask("GET", "/deleted-tasks")["items"]
        return list(map(remote_rows.read_body, found))

    def undelete_task(self, task_id: int, name: str) -> TaskRow:
        """Take the deletion of a task back."""
        return remote_rows.task_row(self._client.ask("POST", f"/deleted-tasks/{task_id}/restore", body={"name": name}))
