"""Processes that a command has left to its keeper: it is their subreaper, so they are its children and nobody else's.

They belong to a run by the marker in their environment. The keeper itself says whether there are any when a command ends;
here they are looked up while commands run, for samples. What comes to this process instead, because a keeper has died,
is waited for, so that no zombie stays.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

from watchbell.execution import proc
from watchbell.execution.proc import Stat


class Orphans:
    """Knows which of a keeper's children are no command's own process."""

    def __init__(self) -> None:
        self._session = os.getsid(0)
        #: The run's token of each; None for one that carries no marker.
        self._tokens: dict[int, str | None] = {}

    def tokens(
        self, processes: Mapping[int, Stat], keepers: Collection[int], leaders: Collection[int]
    ) -> dict[int, str]:
        """Return the run's token of each living orphan among all processes."""
        found = {pid for pid, state in processes.items() if state.parent in keepers and pid not in leaders}
        self._tokens = {pid: self._tokens.get(pid) or proc.read_marker(pid) for pid in found}
        return {pid: token for pid, token in self._tokens.items() if token is not None}

    def reap(self, ours: Collection[int], keepers: Collection[tuple[int, int]]) -> None:
        """Wait for children of this process that have ended, except for those that somebody else waits for.

        All that the host process itself starts stays within its session; what is outside was left by a command. While a
        death of one of the keepers, given by number and start time, has not been dealt with, nobody is waited for: its
        commands have come to us, too, and it is not known yet which they are.
        """
        children = proc.read_own_children() or ()
        # Looked at after the children: what came from a keeper came after its death.
        if not all(proc.is_alive(*keeper) for keeper in keepers):
            return
        for pid in children:
            state = proc.read_stat(pid)
            if pid in ours or state is None or state.state != "Z" or state.session == self._session:
                continue
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue  # Somebody else has waited for it; gone is gone.
