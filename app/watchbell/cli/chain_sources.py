"""What commands ask of the chains of runs, and who answers: the database of this machine, or a server elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from watchbell import clock
from watchbell.cli.calendar_sources import LocalCalendars, RemoteCalendars
from watchbell.client import Run
from watchbell.client.rows import read


class ChainSource(Protocol):
    """The runs of chains."""

    def find_group(self, group_id: int) -> Mapping[str, Any]:
        """Return the runs of a chain, as ``services.groups.told`` has them; raises NotFound."""

    def run_in_chain(self, run_id: int) -> int:
        """Run a step of a chain again and let what comes after it follow; return the number of the new run."""


class LocalChains(LocalCalendars):
    """Answers from the database of this machine."""

    def find_group(self, group_id: int) -> Mapping[str, Any]:
        """Return the runs of a chain."""
        from watchbell.services import groups

        return groups.told(groups.find(self._program.existing_db, group_id))

    def run_in_chain(self, run_id: int) -> int:
        """Run a step of a chain again and let what comes after it follow."""
        from watchbell.services import groups

        return groups.again(self._program.existing_db, run_id, now=clock.now(), actor=self._program.actor).id


class RemoteChains(RemoteCalendars):
    """Answers by asking a server."""

    def find_group(self, group_id: int) -> Mapping[str, Any]:
        """Return the runs of a chain."""
        body = self._client.ask("GET", f"/run-groups/{group_id}")
        steps = [{name: read(name, value) for name, value in step.items()} for step in body["steps"]]
        return {**{name: read(name, value) for name, value in body.items()}, "steps": steps}

    def run_in_chain(self, run_id: int) -> int:
        """Run a step of a chain again and let what comes after it follow."""
        return Run.of(self._client.ask("POST", f"/runs/{run_id}/rerun", body={"in_chain": True})).id
