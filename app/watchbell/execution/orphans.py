"""Our children that are not shims: processes that a command left to us, because we are the subreaper.

The kernel hands the orphans of a run to the nearest subreaper before it reports the shim's end, so one read of our own list
of children tells whether a run of ours left anything at all. This costs microseconds where a scan of /proc
costs milliseconds, which a rate of a thousand runs a second could not bear.
"""

from __future__ import annotations

import os

from watchbell.execution import proc
from watchbell.execution.process import children


class Orphans:
    """Knows which runs have orphans among our children, and reaps those that have ended."""

    def __init__(self) -> None:
        self._session = os.getsid(0)
        #: The run's token of each orphan; None for a child that carries no marker, such as a program that the host
        #: process itself has started.
        self._tokens: dict[int, str | None] = {}

    def look(self) -> bool:
        """Bring the list up to date; False when this kernel keeps no list, and nothing is known."""
        with children.lock:
            listed = proc.read_own_children()
            if listed is None:
                return False
            found = set(listed) - children.pids
        for pid in self._tokens.keys() - found:
            del self._tokens[pid]
        for pid in found:
            # A child that is not waited for keeps its number, so what was found once stays true. One without a marker
            # is asked again: it may not have replaced itself by its program yet.
            if self._tokens.get(pid) is None:
                self._tokens[pid] = proc.read_marker(pid)
            self._reap(pid)
        return True

    def belong_to(self, token: str) -> list[int]:
        """Return the living orphans of a run."""
        return [pid for pid, owner in self._tokens.items() if owner == token]

    def tokens(self) -> dict[int, str]:
        """Return the run's token of each living orphan."""
        return {pid: token for pid, token in self._tokens.items() if token is not None}

    def _reap(self, pid: int) -> None:
        """Wait for an orphan that has ended, and for nobody else.

        A dead process has no environment left. One that was not seen alive is an orphan of a run if it is outside
        our own session: all that the host process itself starts stays within it.
        """
        state = proc.read_stat(pid)
        if state is None or state.state != "Z":
            return
        if self._tokens.get(pid) is None and state.session == self._session:
            return
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            pass  # Somebody else has waited for it; gone is gone.
        self._tokens.pop(pid, None)
