"""What commands ask of environment sets, and who answers: the database of this machine, or a server elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from watchbell import clock

if TYPE_CHECKING:
    from watchbell.cli.program import Program
    from watchbell.client import Client


class EnvironmentSource(Protocol):
    """Environment sets, each as ``services.environment_sets.told`` has it, with the names of the tasks in ``named_by``."""

    def list_environments(self) -> Sequence[Mapping[str, Any]]:
        """Return all sets by name, of their variables only the names."""

    def find_environment(self, name: str) -> Mapping[str, Any]:
        """Return the set of a name; raises NotFound."""

    def add_environment(self, fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Make a set; raises InputError and Conflict."""

    def change_environment(self, found: Mapping[str, Any], fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Change a set unless somebody else has changed it since it was looked at; what is absent stays."""

    def remove_environment(self, found: Mapping[str, Any]) -> None:
        """Remove a set; raises Conflict while something names it."""


class LocalEnvironments:
    """Answers from the database of this machine."""

    _program: Program

    def list_environments(self) -> Sequence[Mapping[str, Any]]:
        """Return all sets by name."""
        from watchbell.services import environment_sets as service

        return list(map(service.told_names, service.list_all(self._program.existing_db)))

    def find_environment(self, name: str) -> Mapping[str, Any]:
        """Return the set of a name."""
        from watchbell.services import environment_sets as service

        return self._told(service.get(self._program.existing_db, name))

    def add_environment(self, fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Make a set, and the database if there is none."""
        from watchbell.services import environment_sets as service

        return self._told(service.create(self._program.db, fields, now=clock.now(), actor=self._program.actor))

    def change_environment(self, found: Mapping[str, Any], fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Change a set."""
        from watchbell.services import environment_sets as service

        db, actor, version = self._program.existing_db, self._program.actor, found["version"]
        return self._told(
            service.update(db, found["name"], fields, now=clock.now(), actor=actor, expected_version=version)
        )

    def remove_environment(self, found: Mapping[str, Any]) -> None:
        """Remove a set."""
        from watchbell.services import environment_sets as service

        db, actor = self._program.existing_db, self._program.actor
        service.remove(db, found["name"], now=clock.now(), actor=actor, expected_version=found["version"])

    def _told(self, view: Any) -> Mapping[str, Any]:
        from watchbell.services import environment_sets as service

        users = service.list_users(self._program.existing_db, view.row.name)
        return {**service.told(view), "named_by": [name for _id, name in users]}


class RemoteEnvironments:
    """Answers by asking a server."""

    _client: Client

    def list_environments(self) -> Sequence[Mapping[str, Any]]:
        """Return all sets by name."""
        return [_read(body) for body in self._client.ask("GET", "/environment-sets")["items"]]

    def find_environment(self, name: str) -> Mapping[str, Any]:
        """Return the set of a name."""
        return _read(self._client.ask("GET", _path(name)))

    def add_environment(self, fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Make a set."""
        return _read(self._client.ask("POST", "/environment-sets", body=dict(fields)))

    def change_environment(self, found: Mapping[str, Any], fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Change a set."""
        return _read(self._client.ask("PATCH", _path(found["name"]), body=dict(fields), version=found["version"]))

    def remove_environment(self, found: Mapping[str, Any]) -> None:
        """Remove a set."""
        self._client.ask("DELETE", _path(found["name"]), version=found["version"])


def _path(name: str) -> str:
    return f"/environment-sets/{quote(name, safe='')}"


def _read(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**body, "updated_at": datetime.fromisoformat(body["updated_at"])}
