"""The tickets whose processes are still to be started, because all seats are taken.

A turn costs much the same whether it is about one run or about a hundred. While many short commands come and go, it
therefore gives more tickets than there are seats, and a seat that becomes free is taken without another turn. Where
commands take their time nobody gets ahead: what waits there waits in the queue, where its page says why.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence

from watchbell import clock
from watchbell.services.tickets import Ticket

#: So many tickets may be ahead, and so many runs must have ended since the last turn, so that any may.
MOST_AHEAD = 64
BRISK = 16
#: When no seat has become free for so long, commands take their time after all, and what is ahead goes back to the queue.
STUCK_SECONDS = 1.0


class Runway:
    """Durable tickets, in the order in which they are started."""

    def __init__(self) -> None:
        self._tickets: deque[Ticket] = deque()
        self._moved_at = clock.monotonic()

    def __len__(self) -> int:
        return len(self._tickets)

    def ahead(self, ended: int) -> int:
        """Return how many tickets there may be beyond the free seats in a turn that stores so many ends."""
        allowed = min(ended, MOST_AHEAD) if ended >= BRISK else 0
        return allowed - len(self._tickets)

    def add(self, tickets: Sequence[Ticket]) -> None:
        """Let tickets wait for their seats."""
        if not self._tickets:
            self._moved_at = clock.monotonic()
        self._tickets.extend(tickets)

    def first(self) -> Ticket:
        """Return the ticket whose turn it is; it stays until it is dropped."""
        return self._tickets[0]

    def drop_first(self) -> None:
        """Forget the ticket whose turn it was."""
        self._tickets.popleft()
        self._moved_at = clock.monotonic()

    def withdraw(self, run_ids: Collection[int]) -> list[Ticket]:
        """Take the tickets of these runs away and return them."""
        taken = [ticket for ticket in self._tickets if ticket.run_id in run_ids]
        if taken:
            self._tickets = deque(ticket for ticket in self._tickets if ticket.run_id not in run_ids)
        return taken

    def give_back(self, after_seconds: float = STUCK_SECONDS) -> list[Ticket]:
        """Take all tickets away and return them, if none has found a seat for so long."""
        if not self._tickets or clock.monotonic() - self._moved_at < after_seconds:
            return []
        taken = list(self._tickets)
        self._tickets.clear()
        return taken
