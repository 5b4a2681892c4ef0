"""The client: what a program asks of a server, in Python's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from watchbell import clock
from watchbell.client.rows import GAP, Event, OutputPart, Run, Task
from watchbell.client.transport import Transport
from watchbell.errors import NotFound

_API = "/api/v2"
_ROWS = 200
#: How long one request waits at the server; a longer wait is several requests.
_WAIT_SECONDS = 25


class Client:
    """A server, asked over HTTP. Every method raises a WatchbellError with one line that says what is wrong.

    Safe to use from several threads. Requests are sent again, with growing pauses, when the server is busy, restarts or
    cannot be reached for a moment; nothing is done twice by that.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:5000", token: str | None = None, *, timeout: float = 10.0, retries: int = 5
    ) -> None:
        self._transport = Transport(url, token, timeout=timeout, retries=retries)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    # Tasks.

    def list_tasks(self, **filters: Any) -> Iterator[Task]:
        """Yield the tasks that fit, page by page; the filters are those of ``GET /api/v2/tasks``."""
        return (Task.of(body) for body in self._pages("/tasks", "after", filters))

    def get_task(self, task_id: int) -> Task:
        """Return a task; raises NotFound."""
        return Task.of(self.ask("GET", f"/tasks/{task_id}"))

    def find_task(self, name: str) -> Task:
        """Return the task of a name; raises NotFound."""
        for task in self.list_tasks(search=name):
            if task.name == name:
                return task
        raise NotFound(f"there is no task {name!r}")

    def create_task(self, name: str, command: str | None = None, **fields: Any) -> Task:
        """Make a task: ``cron``, ``every``, ``at``, ``tags`` and all other fields by their names in the API."""
        given = {"name": name, **({} if command is None else {"command": command}), **fields}
        return Task.of(self.ask("POST", "/tasks", body=given))

    def update_task(self, task: Task, **changes: Any) -> Task:
        """Change a task as it was seen; raises VersionConflict if somebody else has changed it since."""
        return Task.of(self.ask("PATCH", f"/tasks/{task.id}", body=changes, version=task.version))

    def delete_task(self, task: Task) -> None:
        """Delete a task as it was seen; its runs stay in the history."""
        self.ask("DELETE", f"/tasks/{task.id}", version=task.version)

    def enable_task(self, task_id: int) -> Task:
        """Enable a task."""
        return Task.of(self.ask("POST", f"/tasks/{task_id}/enable"))

    def disable_task(self, task_id: int) -> Task:
        """Disable a task."""
        return Task.of(self.ask("POST", f"/tasks/{task_id}/disable"))

    def run_task(
        self,
        task_id: int,
        *,
        asap: bool = False,
        key: str | None = None,
        parameters: Mapping[str, object] | None = None,
        value_set: str | None = None,
        revision: int | None = None,
    ) -> Run:
        """Run a task now, by a version, with values of its parameters over those of a set that it has.

        Asked again with the same ``key`` it is the same run.
        """
        more = {"parameters": dict(parameters or {}), "value_set": value_set, "revision": revision}
        body = {"asap": asap, **{name: value for name, value in more.items() if value}}
        return Run.of(self.ask("POST", f"/tasks/{task_id}/runs", body=body, key=key))

    # Runs.

    def list_runs(self, **filters: Any) -> Iterator[Run]:
        """Yield the runs that fit, newest first, page by page; the filters are those of ``GET /api/v2/runs``."""
        return (Run.of(body) for body in self._pages("/runs", "before", filters))

    def get_run(self, run_id: int) -> Run:
        """Return a run; raises NotFound."""
        return Run.of(self.ask("GET", f"/runs/{run_id}"))

    def cancel_run(self, run_id: int) -> Run:
        """Ask for a run's end; raises Conflict if it has ended already."""
        return Run.of(self.ask("POST", f"/runs/{run_id}/cancel"))

    def wait(self, run_id: int, *, timeout: float | None = None) -> Run:
        """Return a run as soon as it has ended, or as it is when ``timeout`` seconds have passed."""
        until = None if timeout is None else clock.monotonic() + timeout
        while True:
            left = _WAIT_SECONDS if until is None else max(0, min(_WAIT_SECONDS, int(until - clock.monotonic())))
            run = Run.of(self.ask("GET", f"/runs/{run_id}/wait", query={"timeout": left}, patience=left))
            if run.is_final or (until is not None and clock.monotonic() >= until):
                return run

    def read_output(
        self, run_id: int, *, stream: str = "stdout", offset: int = 0, wait: int = 0, **more: Any
    ) -> OutputPart:
        """Return a part of what a run has written from an offset on, with ``wait`` seconds for there to be any."""
        query = {"stream": stream, "offset": offset, "wait": wait, **more}
        return OutputPart.of(self.ask("GET", f"/runs/{run_id}/output", query=query, patience=wait))

    def stream_output(self, run_id: int, *, stream: str = "stdout", follow: bool = True) -> Iterator[str]:
        """Yield what a run writes, as it is written when ``follow`` is set, until its end."""
        offset = 0
        while True:
            part = self.read_output(run_id, stream=stream, offset=offset, wait=_WAIT_SECONDS if follow else 0)
            if part.text:
                yield part.text
            if part.done or (not follow and part.next_offset == offset):
                return
            offset = part.next_offset

    # What happens.

    def events(self, after: int | None = None, *, follow: bool = True, **filters: Any) -> Iterator[Event]:
        """Yield what happens after an event, or from now on; without ``follow`` only what has happened already.

        An event of the type ``gap`` says that some may have been missed: they are kept no more, or there never was such an
        event, as when a backup was restored. Look at everything anew; its id is the one from which on nothing is missed.
        """
        place = after
        if place is None:
            place = int(self.ask("GET", "/events", query={"limit": 1})["newest"])
        while True:
            wait = _WAIT_SECONDS if follow else 0
            query = {"after": place, "limit": _ROWS, "wait": wait, **filters}
            page = self.ask("GET", "/events", query=query, patience=wait)
            if page["has_gap"]:
                first = page["items"][0]["id"] - 1 if page["items"] else int(page["next"])
                yield Event(id=first, type=GAP, at=clock.now(), task_id=None, run_id=None, data={})
            for body in page["items"]:
                yield Event.of(body)
            before, place = place, int(page["next"]) if page["next"] is not None else place
            # Of some types there may be none among those that one answer looks at.
            if not follow and not page["items"] and place in {before, page["newest"]}:
                return

    # The scheduler.

    def scheduler(self) -> Mapping[str, Any]:
        """Return what the scheduler is doing."""
        found: Mapping[str, Any] = self.ask("GET", "/scheduler")
        return found

    def start_scheduler(self) -> Mapping[str, Any]:
        """Start the scheduler and wait for its first heartbeat; raises Conflict if it is running already.

        The ``state`` of one that takes more than some seconds is ``starting``; ``scheduler`` tells when it runs.
        """
        found: Mapping[str, Any] = self.ask("POST", "/scheduler/start", patience=_WAIT_SECONDS)
        return found

    def stop_scheduler(self) -> Mapping[str, Any]:
        """Stop the scheduler and wait for its end; raises Conflict if it is not running."""
        found: Mapping[str, Any] = self.ask("POST", "/scheduler/stop", patience=_WAIT_SECONDS)
        return found

    @staticmethod
    def quoted(name: str) -> str:
        """Return a name as a part of an address."""
        return quote(name, safe="")

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """Return what an address below /api/v2 answers, for what has no method of its own here."""
        return self._transport.ask(method, f"{_API}{path}", **options)

    def _pages(self, path: str, onward: str, filters: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        place: object = None
        while True:
            page = self.ask("GET", path, query={"limit": _ROWS, **filters, onward: place})
            yield from page["items"]
            place = page["next"]
            if place is None:
                return
