"""Which of the runs that wait are started next: by priority, then by their moment, as far as room and queues go.

Part of a turn; the transaction is the caller's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from watchbell.services.tickets import DueTask, Turn
from watchbell.store import queues as queue_store
from watchbell.store import waiting as store
from watchbell.store.session import Session


class Seats:
    """How many more runs of each bounded queue may be started in a turn."""

    def __init__(self, left: dict[str, int]) -> None:
        self._left = left

    @classmethod
    def count(cls, session: Session, turn: Turn) -> Seats:
        """Count what is free in the bounded queues, if this turn could start anything in them."""
        bounded = turn.holds.bounded
        if not bounded or not (turn.claims or any(due.queue in bounded for due in turn.due)):
            return cls({})
        bounds = queue_store.read_bounds(session)
        taken = queue_store.count_in_flight(session, list(bounds))
        return cls({name: most - taken.get(name, 0) for name, most in bounds.items()})

    def is_free(self, queue: str) -> bool:
        return self._left.get(queue, 1) > 0

    def take(self, queue: str) -> None:
        if queue in self._left:
            self._left[queue] -= 1

    def give_back(self, queue: str) -> None:
        if queue in self._left:
            self._left[queue] += 1

    def full(self) -> frozenset[str]:
        return frozenset(name for name, left in self._left.items() if left <= 0)


_Order = tuple[int, datetime]


@dataclasses.dataclass(slots=True)
class _Choice:
    """What has been chosen so far, and what is kept free for occurrences of this turn that come first."""

    room: int
    rows: list[Any] = dataclasses.field(default_factory=list)
    tasks: set[int] = dataclasses.field(default_factory=set)
    reserved: list[str] = dataclasses.field(default_factory=list)

    @property
    def left(self) -> int:
        return self.room - len(self.rows) - len(self.reserved)


def choose(session: Session, turn: Turn, seats: Seats) -> tuple[list[Any], bool]:
    """Return the queued runs to be started, and whether there are more that only room keeps from it.

    Room that an occurrence of this turn deserves first is left for it.
    """
    choice = _Choice(max(turn.room, 0))
    ahead = sorted((_order(due), due.queue) for due in turn.due if _may_start(turn, due))
    held = frozenset(turn.holds.queues)
    has_more = False
    if turn.holds.everything:
        return [], False
    announced, carried = turn.announced, turn.holds.carried
    if announced is None:
        held |= carried
    while True:
        full = seats.full()
        rows = store.list_startable(
            session,
            choice.room + 1,
            turn.host,
            now=turn.now,
            without_queues=held | full,
            without_tasks=frozenset(turn.holds.tasks),
            only_queues=None if announced is None else carried,
            only_runs=announced,
        )
        has_more = _take(choice, rows, ahead, seats)
        # Behind the runs of a queue that has just become full there may be others.
        if len(rows) <= choice.room or choice.left <= 0 or seats.full() == full:
            break
    for queue in choice.reserved:
        seats.give_back(queue)
    return choice.rows, has_more


def _take(choice: _Choice, rows: Sequence[Any], ahead: list[tuple[_Order, str]], seats: Seats) -> bool:
    """Choose from rows in their order and return whether any had to be left although nothing but room keeps it."""
    known = {row.id for row in choice.rows}
    for row in rows:
        if row.id in known or (row.task_id in choice.tasks and not row.may_overlap):
            continue
        while ahead and choice.left > 0 and ahead[0][0] < (-row.priority, row.due_at):
            queue = ahead.pop(0)[1]
            if seats.is_free(queue):
                seats.take(queue)
                choice.reserved.append(queue)
        if not seats.is_free(row.queue):
            continue
        if choice.left <= 0:
            return True
        seats.take(row.queue)
        choice.tasks.add(row.task_id)
        choice.rows.append(row)
    return False


def _order(due: DueTask) -> _Order:
    return (-due.priority, due.verdicts[-1].occurrence.due_at)


def _may_start(turn: Turn, due: DueTask) -> bool:
    is_held = due.task_id in turn.holds.tasks or due.queue in turn.holds.queues or due.queue in turn.holds.carried
    return not is_held and not due.verdicts[-1].is_missed
