"""The runs that this scheduler has in the air, from their ticket until their result is durable."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from watchbell import clock
from watchbell.domain.run_state import RunState
from watchbell.execution import Bundle, Process
from watchbell.execution.watcher import Watcher
from watchbell.services.tickets import Started, Ticket

#: By run id and attempt number.
Key = tuple[int, int]


@dataclasses.dataclass(slots=True)
class Flight:
    """One run in the air."""

    ticket: Ticket
    bundle: Bundle
    #: The state that its row had when it was last looked at.
    state: RunState
    #: None for one whose start was never seen.
    started: Started | None
    is_adopted: bool = False
    #: When it took off by the clock that never jumps.
    since: float = dataclasses.field(default_factory=clock.monotonic)

    @property
    def key(self) -> Key:
        """Return what the watcher knows it by."""
        return (self.ticket.run_id, self.ticket.number)

    def started_as(self, process: Process | None, at: datetime | None) -> Started | None:
        """Return its start, for the row, if both are known: its process, and when that was made."""
        if process is None or at is None:
            return None
        return Started(self.ticket, self.bundle.path, process.pid, process.start_ticks, process.boot_id, at)

    def is_known(self, watcher: Watcher) -> bool:
        """Return whether it is known who the process is, which the keeper tells when it lives for a moment."""
        if self.started is None:
            found = watcher.started(self.key)
            self.started = self.started_as(*found) if found is not None else None
        return self.started is not None


Flights = dict[Key, Flight]
