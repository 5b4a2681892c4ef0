"""The source of commands that is a server elsewhere, asked over HTTP with a token."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from watchbell.cli import remote_rows
from watchbell.cli.chain_sources import RemoteChains
from watchbell.cli.environment_sources import RemoteEnvironments
from watchbell.cli.remote_tasks import RemoteEdits, RemoteForesight, RemotePast, RemoteTemplates
from watchbell.cli.source import (
    Counts,
    PauseRow,
    Piece,
    RunDetail,
    RunList,
    RunQuery,
    RunRow,
    RunVerdict,
    TaskList,
    TaskRow,
)
from watchbell.client import Client, Run
from watchbell.errors import InputError, NotFound

if TYPE_CHECKING:
    from watchbell.control.process import SchedulerStatus, StopOutcome
    from watchbell.services.queues import QueueView

#: What the server gives at a time.
_LEAST_BYTES, _MOST_BYTES = 4, 256 * 1024
_MOST_ROWS = 1000


class RemoteSource(RemoteChains, RemoteEdits, RemoteEnvironments, RemoteForesight, RemotePast, RemoteTemplates):
    """Answers by asking the server at an address."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list_tasks(
        self,
        *,
        search: str = "",
        enabled: bool | None = None,
        owner: str | None = None,
        team: str | None = None,
        tag: str | None = None,
    ) -> TaskList:
        """Return the tasks that fit, by name."""
        filters = {"search": search or None, "enabled": enabled, "owner": owner, "team": team, "tag": tag}
        rows = [remote_rows.task_row(task.fields) for task in self._client.list_tasks(**filters)]
        total = int(self._client.ask("GET", "/overview")["total_tasks"])
        return TaskList(rows, self._newest_of(rows), total)

    def _newest_of(self, tasks: Sequence[TaskRow]) -> Mapping[int, RunRow]:
        """Return the newest run of each task: most of them are among the newest runs of all."""
        wanted = {task.id for task in tasks}
        page = self._client.ask("GET", "/runs", query={"limit": 1000}) if wanted else {"items": [], "next": None}
        found: dict[int, RunRow] = {}
        for body in page["items"]:
            if body["task_id"] in wanted:
                found.setdefault(body["task_id"], Run.of(body))
        for task_id in wanted - found.keys() if page["next"] is not None else ():
            for run in self._client.ask("GET", "/runs", query={"task": task_id, "limit": 1})["items"]:
                found[task_id] = Run.of(run)
        return found

    def find_task(self, name: str) -> TaskRow:
        """Return the task of a name or an id."""
        try:
            return remote_rows.task_row(self._client.find_task(name).fields)
        except NotFound:
            if not (name.isascii() and name.isdigit()):
                raise
        return remote_rows.task_row(self._client.get_task(int(name)).fields)

    def list_moments(self, task: TaskRow, limit: int) -> Sequence[datetime]:
        """Return a task's next moments."""
        if not task.enabled:
            return []
        page = self._client.ask("GET", f"/tasks/{task.id}/next", query={"n": limit * 10})
        starting = [moment for moment in page["items"] if not moment["is_left_out"]]
        return [datetime.fromisoformat(moment["due_at"]) for moment in starting[:limit]]

    def check_task(self, fields: Mapping[str, object]) -> None:
        """Let whatever is wrong be found when the task is made: only the server knows its directories and names."""

    def add_task(self, fields: Mapping[str, object]) -> TaskRow:
        """Make a task."""
        return remote_rows.task_row(self._client.ask("POST", "/tasks", body=remote_rows.sendable(fields)))

    def change_task(self, task: TaskRow, fields: Mapping[str, object]) -> TaskRow:
        """Change a task unless somebody else has changed it since it was looked at."""
        body = self._client.ask("PATCH", f"/tasks/{task.id}", body=remote_rows.sendable(fields), version=task.version)
        return remote_rows.task_row(body)

    def enable_task(self, task: TaskRow, *, enabled: bool) -> TaskRow:
        """Enable or disable a task."""
        return remote_rows.task_row(self._client.ask("POST", f"/tasks/{task.id}/{'enable' if enabled else 'disable'}"))

    def delete_task(self, task: TaskRow) -> TaskRow:
        """Delete a task."""
        self._client.ask("DELETE", f"/tasks/{task.id}", version=task.version)
        return task

    def trigger_task(
        self,
        task: TaskRow,
        *,
        key: str | None = None,
        asap: bool = False,
        given: Mapping[str, object] | None = None,
        version: int | None = None,
    ) -> RunRow:
        """Ask for a run."""
        return self._client.run_task(task.id, asap=asap, key=key, parameters=given, revision=version)

    def read_bundle(self, run_id: int) -> bytes:
        """Return the zip of files that run a run again elsewhere."""
        data: bytes = self._client.ask("GET", f"/runs/{run_id}/bundle")
        return data

    def run_again(self, run_id: int, *, exactly: bool) -> RunRow:
        """Ask for another run like this one."""
        return Run.of(self._client.ask("POST", f"/runs/{run_id}/rerun", body={"exactly": exactly}))

    def list_runs(self, query: RunQuery) -> RunList:
        """Return the runs that fit, newest first."""
        asked = {
            "task": query.task_id,
            "state": list(query.states) or None,
            "since": query.since.isoformat() if query.since is not None else None,
            "before": query.before_id,
            "decision": "open" if query.undecided else None,
        }
        found: list[Run] = []
        while True:
            page = self._client.ask("GET", "/runs", query={**asked, "limit": min(query.limit - len(found), _MOST_ROWS)})
            found += [Run.of(body) for body in page["items"]]
            if page["next"] is None or len(found) >= query.limit:
                return RunList(found, has_older=page["next"] is not None)
            asked["before"] = page["next"]

    def find_run(self, run_id: int) -> RunRow:
        """Return a run."""
        return self._client.get_run(run_id)

    def show_run(self, run_id: int) -> RunDetail:
        """Return all about a run."""
        body = self._client.ask("GET", f"/runs/{run_id}")
        steps = [remote_rows.step_result(step) for step in body["steps"]]
        attempts = [remote_rows.row_of(attempt) for attempt in body["attempt_list"]]
        return RunDetail(
            run=Run.of(body),
            attempts=attempts,
            events=[remote_rows.row_of(event) for event in body["transitions"]],
            definition=body["definition"],
            task_exists=body["task_exists"],
            steps=steps,
            steps_of={attempts[-1].number: steps} if attempts else {},
        )

    def read_output(self, run_id: int, stream: str, offset: int, limit: int, attempt: int | None = None) -> Piece:
        """Return a part of what a run has written."""
        first = piece = self._read_piece(run_id, stream, offset, limit, attempt)
        data = first.data
        # A server gives less at a time; what stands behind a gap is another part.
        while piece.data and len(data) < limit and piece.next_offset == first.offset + len(data) < piece.size:
            more = self._read_piece(run_id, stream, piece.next_offset, limit - len(data), attempt)
            if more.offset != piece.next_offset:
                break
            piece, data = more, data + more.data
        return dataclasses.replace(piece, data=data, offset=first.offset)

    def _read_piece(self, run_id: int, stream: str, offset: int, limit: int, attempt: int | None) -> Piece:
        """Return as much of a part as the server gives at a time."""
        most = min(max(limit, _LEAST_BYTES), _MOST_BYTES)
        asked = {"stream": stream, "offset": offset, "limit": most, "attempt": attempt, "encoding": "base64"}
        body = self._client.ask("GET", f"/runs/{run_id}/output", query=asked)
        data = base64.b64decode(body["data"])[:limit]
        end = body["offset"] + len(data) if len(data) == limit else body["next_offset"]
        return Piece(data, body["offset"], end, body["size"], body["is_complete"])

    def wait_for_run(self, run_id: int, seconds: float) -> RunRow:
        """Return a run as soon as it has ended, or as it is after so many seconds."""
        return self._client.wait(run_id, timeout=seconds)

    def cancel_run(self, run_id: int) -> RunRow:
        """Ask for a run's end."""
        return self._client.cancel_run(run_id)

    def decide(self, run_id: int, choice: str) -> RunRow:
        """Decide about a lost run."""
        return Run.of(self._client.ask("POST", f"/runs/{run_id}/decide", body={"choice": choice}))

    def find_verdict(self, run_id: int) -> RunVerdict:
        """Return what a run was like."""
        return remote_rows.verdict_told(self._client.ask("GET", f"/runs/{run_id}/verdict"))

    def expect(self, run_id: int, *, undo: bool = False) -> RunVerdict:
        """Say that an unusual run was as it should be, or take it back."""
        return remote_rows.verdict_told(self._client.ask("POST", f"/runs/{run_id}/{'retract' if undo else 'expect'}"))

    def count(self) -> Counts:
        """Return the numbers of today, which begins at midnight in the server's zone."""
        body = self._client.ask("GET", "/overview")
        queues = self.list_queues()
        return Counts(
            tasks=body["total_tasks"],
            enabled=body["enabled_tasks"],
            running=sum(queue.in_flight for queue in queues),
            waiting=sum(queue.queued for queue in queues),
            today=body["today"],
        )

    def find_pause(self, scope: str) -> PauseRow | None:
        """Return the pause of a scope."""
        return next((pause for pause in self.list_pauses() if pause.scope == scope), None)

    def list_pauses(self) -> Sequence[PauseRow]:
        """Return all pauses in force."""
        return [remote_rows.row_of(pause) for pause in self._client.ask("GET", "/pauses")["items"]]

    def pause(self, scope: str, *, reason: str, until: datetime | None) -> PauseRow:
        """Pause what a scope names."""
        body = {"reason": reason, "until": until.isoformat() if until is not None else None}
        made: PauseRow = remote_rows.row_of(self._client.ask("POST", f"{remote_rows.place_of(scope)}/pause", body=body))
        return made

    def resume(self, scope: str) -> bool:
        """End a pause and return whether there was one."""
        return bool(self._client.ask("POST", f"{remote_rows.place_of(scope)}/resume")["was_paused"])

    def list_queues(self) -> Sequence[QueueView]:
        """Return all queues by name."""
        return [remote_rows.queue_view(body) for body in self._client.ask("GET", "/queues")["items"]]

    def set_queue(self, name: str, changes: Mapping[str, object]) -> QueueView:
        """Change a queue; what is absent stays."""
        found = {body["name"]: body for body in self._client.ask("GET", "/queues")["items"]}
        before = found.get(name, {"max_running": None, "comment": "", "version": 0})
        body = {"max_running": before["max_running"], "comment": before["comment"], **changes}
        path = f"/queues/{Client.quoted(name)}"
        return remote_rows.queue_view(self._client.ask("PUT", path, body=body, version=before["version"]))

    def remove_queue(self, name: str) -> None:
        """Take the bound from a queue."""
        path = f"/queues/{Client.quoted(name)}"
        version = self._client.ask("GET", path)["version"]
        self._client.ask("DELETE", path, version=version)

    def list_alert_rules(self) -> Sequence[Mapping[str, Any]]:
        """Return all alert rules by name."""
        return list(map(remote_rows.read_body, self._client.ask("GET", "/alert-rules")["items"]))

    def find_alert_rule(self, name: str) -> Mapping[str, Any]:
        """Return the alert rule of a name or an id."""
        rules = self.list_alert_rules()
        found = next((rule for rule in rules if rule["name"] == name), None)
        found = found or next((rule for rule in rules if str(rule["id"]) == name), None)
        if found is None:
            raise NotFound(f"there is no alert rule {name[:100]!r}")
        return found

    def add_alert_rule(self, fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Make an alert rule."""
        return remote_rows.read_body(self._client.ask("POST", "/alert-rules", body=dict(fields)))

    def change_alert_rule(self, rule: Mapping[str, Any], fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Change an alert rule unless somebody else has changed it since it was looked at."""
        path = f"/alert-rules/{rule['id']}"
        return remote_rows.read_body(self._client.ask("PATCH", path, body=dict(fields), version=rule["version"]))

    def remove_alert_rule(self, rule: Mapping[str, Any]) -> None:
        """Remove an alert rule."""
        self._client.ask("DELETE", f"/alert-rules/{rule['id']}", version=rule["version"])

    def try_alert_rule(self, expression: str, task_id: int | None, limit: int) -> Mapping[str, Any]:
        """Return what a condition comes to of the last runs."""
        body = {"expression": expression, "task_id": task_id, "limit": limit}
        found = self._client.ask("POST", "/alert-trials", body=body)
        return {**found, "items": list(map(remote_rows.read_body, found["items"]))}

    def list_alerts(self, filters: Mapping[str, Any], limit: int) -> Sequence[Mapping[str, Any]]:
        """Return the alerts that fit, newest first."""
        named = {**filters, "severity": filters.get("severities")}
        del named["severities"]
        asked = {name: remote_rows.plain_value(value) for name, value in named.items() if value not in (None, ())}
        return list(
            map(remote_rows.read_body, self._client.ask("GET", "/alerts", query={**asked, "limit": limit})["items"])
        )

    def set_acknowledged(self, alert_ids: Sequence[int], *, is_known: bool) -> Sequence[int]:
        """Acknowledge alerts, or open them again."""
        verb = "acknowledge" if is_known else "reopen"
        changed: list[int] = self._client.ask("POST", f"/alerts/{verb}", body={"ids": list(alert_ids)})["changed"]
        return changed

    def scheduler_status(self) -> SchedulerStatus:
        """Return what the server's scheduler is doing."""
        return remote_rows.status_told(self._client.scheduler())

    def list_schedulers(self) -> Sequence[Mapping[str, Any]]:
        """Return all schedulers that have told of themselves, the one that beat last first."""
        return list(map(remote_rows.read_body, self._client.ask("GET", "/heartbeats")["items"]))

    def start_scheduler(self) -> SchedulerStatus:
        """Start the server's scheduler and wait for its first heartbeat."""
        return remote_rows.status_told(self._client.start_scheduler())

    def stop_scheduler(self, *, kill: bool = False) -> StopOutcome:
        """Stop the server's scheduler."""
        if kill:
            raise InputError.of("kill", "is for whoever is at the scheduler's own machine", None)
        from watchbell.control.process import StopOutcome

        body = self._client.stop_scheduler()
        return StopOutcome(body["pid"], body["still_running"])

    def restart_scheduler(self) -> SchedulerStatus:
        """Stop the server's scheduler if it runs, then start it."""
        return remote_rows.status_told(self._client.ask("POST", "/scheduler/restart", patience=30))
