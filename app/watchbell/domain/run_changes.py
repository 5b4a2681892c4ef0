"""The difference between two lists of moments: which are new, which are gone, and which have moved."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

#: A moment before and after; None for one that is new, or that is gone.
Both = tuple[datetime | None, datetime | None]


class Moment(NamedTuple):
    """When a task is due, and what names this moment wherever a clock change or a calendar puts it."""

    at: datetime
    key: str


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """One run of a task that comes, goes or moves."""

    task_id: int
    task: str
    zone: str
    before: datetime | None
    after: datetime | None

    @property
    def first_at(self) -> datetime:
        """Return the earlier of both times."""
        return min(at for at in (self.before, self.after) if at is not None)


def difference(
    before: Iterable[Moment], after: Iterable[Moment], *, since: datetime, until: datetime, zone: str
) -> list[Both]:
    """Return what differs between two times, the earlier one not included.

    A moment has moved if its name is the same and its time another one, or if it is gone while another one has come on the same
    day of the zone: the nearest one. What cannot be paired so is new or gone.
    """
    old = {one.at: one.key for one in before if since < one.at <= until}
    new = {one.at: one.key for one in after if since < one.at <= until}
    gone = {key: at for at, key in old.items() if at not in new}
    come = {key: at for at, key in new.items() if at not in old}
    found: list[Both] = [(gone.pop(key), come.pop(key)) for key in [key for key in gone if key in come]]
    place = ZoneInfo(zone)
    days: dict[date, tuple[list[datetime], list[datetime]]] = {}
    for index, moments in enumerate((gone.values(), come.values())):
        for at in moments:
            days.setdefault(at.astimezone(place).date(), ([], []))[index].append(at)
    for one, other in days.values():
        found += _paired(sorted(one), sorted(other))
    return found


def _paired(gone: Sequence[datetime], come: Sequence[datetime]) -> list[Both]:
    """Return pairs of the nearest ones in their order, and what is left over alone."""
    if len(gone) > len(come):
        return [(one, other) for other, one in _paired(come, gone)]
    found: list[Both] = []
    free = 0
    for number, at in enumerate(gone):
        # Each of those that follow needs one, too.
        last = len(come) - (len(gone) - number)
        best = free
        while best < last and abs(come[best + 1] - at) < abs(come[best] - at):
            best += 1
        found += [(None, other) for other in come[free:best]]
        found.append((at, come[best]))
        free = best + 1
    return [*found, *((None, other) for other in come[free:])]
