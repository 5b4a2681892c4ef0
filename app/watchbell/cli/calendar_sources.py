"""What commands ask of calendars, and who answers: the database of this machine, or a server elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from watchbell import clock
from watchbell.domain.schedule.bounds import read_bound
from watchbell.errors import NotFound

if TYPE_CHECKING:
    from watchbell.cli.program import Program
    from watchbell.client import Client


class CalendarSource(Protocol):
    """Calendars, each as ``services.calendars.told`` has it."""

    def list_calendars(self) -> Sequence[Mapping[str, Any]]:
        """Return all calendars by name."""

    def find_calendar(self, name: str) -> Mapping[str, Any]:
        """Return the calendar of a name or an id; raises NotFound."""

    def add_calendar(self, fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Make a calendar; raises InputError and Conflict."""

    def change_calendar(self, found: Mapping[str, Any], fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Change a calendar unless somebody else has changed it since it was looked at; what is absent stays."""

    def remove_calendar(self, found: Mapping[str, Any]) -> None:
        """Remove a calendar; raises Conflict while a task names it."""

    def list_blackouts(self) -> Sequence[Mapping[str, Any]]:
        """Return all blackouts by name, each as ``services.blackouts.told`` has it."""

    def find_blackout(self, name: str) -> Mapping[str, Any]:
        """Return the blackout of a name or an id; raises NotFound."""

    def add_blackout(self, fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Make a blackout; raises InputError and Conflict."""

    def change_blackout(self, found: Mapping[str, Any], fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Change a blackout unless somebody else has changed it since it was looked at; what is absent stays."""

    def remove_blackout(self, found: Mapping[str, Any]) -> None:
        """Remove a blackout."""

    def ask_why(self, task_id: int, text: str) -> Mapping[str, Any]:
        """Return why a task ran at a moment or did not, as ``services.why.told`` has it; raises InputError on ``at``."""


class LocalCalendars:
    """Answers from the database of this machine."""

    _program: Program

    def list_calendars(self) -> Sequence[Mapping[str, Any]]:
        """Return all calendars by name."""
        from watchbell.services import calendars

        return list(map(calendars.told, calendars.list_all(self._program.existing_db)))

    def find_calendar(self, name: str) -> Mapping[str, Any]:
        """Return the calendar of a name or an id."""
        from watchbell.services import calendars

        return calendars.told(calendars.find_by_name(self._program.existing_db, name))

    def add_calendar(self, fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Make a calendar, and the database if there is none."""
        from watchbell.services import calendars

        made = calendars.create(self._program.db, fields, now=clock.now(), actor=self._program.actor)
        return calendars.told(made)

    def change_calendar(self, found: Mapping[str, Any], fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Change a calendar."""
        from watchbell.services import calendars

        db, actor, version = self._program.existing_db, self._program.actor, found["version"]
        changed = calendars.update(db, found["id"], fields, now=clock.now(), actor=actor, expected_version=version)
        return calendars.told(changed)

    def remove_calendar(self, found: Mapping[str, Any]) -> None:
        """Remove a calendar."""
        from watchbell.services import calendars

        calendars.remove(self._program.existing_db, found["id"], now=clock.now(), actor=self._program.actor)

    def list_blackouts(self) -> Sequence[Mapping[str, Any]]:
        """Return all blackouts by name."""
        from watchbell.services import blackouts

        return list(map(blackouts.told, blackouts.list_all(self._program.existing_db)))

    def find_blackout(self, name: str) -> Mapping[str, Any]:
        """Return the blackout of a name or an id."""
        from watchbell.services import blackouts

        return blackouts.told(blackouts.find_by_name(self._program.existing_db, name))

    def add_blackout(self, fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Make a blackout, and the database if there is none."""
        from watchbell.services import blackouts

        zone, actor = self._program.config.zone, self._program.actor
        made = blackouts.create(self._program.db, fields, now=clock.now(), actor=actor, default_zone=zone)
        return blackouts.told(made)

    def change_blackout(self, found: Mapping[str, Any], fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Change a blackout."""
        from watchbell.services import blackouts

        db, actor, version = self._program.existing_db, self._program.actor, found["version"]
        changed = blackouts.update(db, found["id"], fields, now=clock.now(), actor=actor, expected_version=version)
        return blackouts.told(changed)

    def remove_blackout(self, found: Mapping[str, Any]) -> None:
        """Remove a blackout."""
        from watchbell.services import blackouts

        blackouts.remove(self._program.existing_db, found["id"], now=clock.now(), actor=self._program.actor)

    def ask_why(self, task_id: int, text: str) -> Mapping[str, Any]:
        """Return why a task ran at a moment or did not."""
        from watchbell.services import tasks, why

        db, now = self._program.existing_db, clock.now()
        asked = why.read_asked(text, tasks.get(db, task_id).zone, now)
        return why.told(why.why(db, task_id, asked, now=now))


class RemoteCalendars:
    """Answers by asking a server."""

    _client: Client

    def list_calendars(self) -> Sequence[Mapping[str, Any]]:
        """Return all calendars by name."""
        return [_read(body) for body in self._client.ask("GET", "/calendars")["items"]]

    def find_calendar(self, name: str) -> Mapping[str, Any]:
        """Return the calendar of a name or an id."""
        listed = self.list_calendars()
        found = next((one for one in listed if one["name"] == name), None)
        found = found or next((one for one in listed if str(one["id"]) == name), None)
        if found is None:
            raise NotFound(f"there is no calendar {name[:100]!r}")
        return found

    def add_calendar(self, fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Make a calendar."""
        return _read(self._client.ask("POST", "/calendars", body=dict(fields)))

    def change_calendar(self, found: Mapping[str, Any], fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Change a calendar unless somebody else has changed it since it was looked at."""
        path = f"/calendars/{found['id']}"
        return _read(self._client.ask("PATCH", path, body=dict(fields), version=found["version"]))

    def remove_calendar(self, found: Mapping[str, Any]) -> None:
        """Remove a calendar."""
        self._client.ask("DELETE", f"/calendars/{found['id']}", version=found["version"])

    def list_blackouts(self) -> Sequence[Mapping[str, Any]]:
        """Return all blackouts by name."""
        return [_read(body) for body in self._client.ask("GET", "/blackouts")["items"]]

    def find_blackout(self, name: str) -> Mapping[str, Any]:
        """Return the blackout of a name or an id."""
        listed = self.list_blackouts()
        found = next((one for one in listed if name in {one["name"], str(one["id"])}), None)
        if found is None:
            raise NotFound(f"there is no blackout {name[:100]!r}")
        return found

    def add_blackout(self, fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Make a blackout."""
        return _read(self._client.ask("POST", "/blackouts", body=dict(fields)))

    def change_blackout(self, found: Mapping[str, Any], fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Change a blackout unless somebody else has changed it since it was looked at."""
        path = f"/blackouts/{found['id']}"
        return _read(self._client.ask("PATCH", path, body=dict(fields), version=found["version"]))

    def remove_blackout(self, found: Mapping[str, Any]) -> None:
        """Remove a blackout."""
        self._client.ask("DELETE", f"/blackouts/{found['id']}", version=found["version"])

    def ask_why(self, task_id: int, text: str) -> Mapping[str, Any]:
        """Return why a task ran at a moment or did not."""
        body = self._client.ask("GET", f"/tasks/{task_id}/why", query={"at": text or None})
        times = {name: _moment(body[name]) for name in ("at", "before", "after")}
        return {**body, **times, "runs": [{**run, "due_at": _moment(run["due_at"])} for run in body["runs"]]}


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _read(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**body, "updated_at": datetime.fromisoformat(body["updated_at"])}


def bounds_of(body: Mapping[str, Any]) -> dict[str, str]:
    """Return the first and the last time of a task, as a stored schedule has them, from what a server tells."""
    found = {name: read_bound(body.get(name), name) for name in ("not_before", "not_after")}
    return {name: local.isoformat() for name, local in found.items() if local is not None}
