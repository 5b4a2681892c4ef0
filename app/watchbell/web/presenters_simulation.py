"""What a change would do to the runs of the coming days, as a page shows it: times in the zones of the tasks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from watchbell.domain.run_changes import Change
from watchbell.services.simulation import DAYS, Numbered, Simulation
from watchbell.web import current
from watchbell.web.i18n import ngettext


@dataclasses.dataclass(frozen=True, slots=True)
class ShownChange:
    """One run; both times are aware and local, and None where there is none."""

    task: str
    #: None for a task that is still to be made.
    task_id: int | None
    before: datetime | None
    after: datetime | None

    @property
    def is_same_day(self) -> bool:
        """Return whether it only moves within its day."""
        return self.before is not None and self.after is not None and self.before.date() == self.after.date()


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """The runs that come, go or move."""

    icon: str
    tone: str
    words: str
    first: Sequence[ShownChange]
    more: int


@dataclasses.dataclass(frozen=True, slots=True)
class ShownPeak:
    """The most at once, on one side."""

    runs: int
    at: datetime
    tasks: Sequence[str]
    others: int


@dataclasses.dataclass(frozen=True, slots=True)
class ShownCollision:
    """Tasks that start together."""

    at: datetime
    days: int
    before: int
    after: int
    tasks: Sequence[str]
    others: int


@dataclasses.dataclass(frozen=True, slots=True)
class Effect:
    """All of it."""

    groups: Sequence[Group]
    tasks: int
    #: Whether more tasks than one are concerned, so that each run has to say whose it is.
    has_names: bool
    before: ShownPeak | None
    after: ShownPeak | None
    collisions: Sequence[ShownCollision]
    compared_until: datetime | None
    is_cut: bool
    days: int = DAYS


def effect_of(found: Simulation) -> Effect:
    """Return a simulation as a page shows it."""
    zone = current.zone()
    load = found.load
    groups = [
        _group("add", "succeeded", found.added, ngettext("%(num)s run added", "%(num)s runs added", found.added.count)),
        _group(
            "skipped",
            "missed",
            found.removed,
            ngettext("%(num)s run removed", "%(num)s runs removed", found.removed.count),
        ),
        _group("right", "info", found.moved, ngettext("%(num)s run moved", "%(num)s runs moved", found.moved.count)),
    ]
    peaks = [
        ShownPeak(peak.runs, peak.at.astimezone(zone), peak.tasks, peak.others) if peak is not None else None
        for peak in (load.before, load.after)
    ]
    return Effect(
        groups=[group for group in groups if group.first],
        tasks=found.tasks,
        has_names=found.tasks > 1,
        before=peaks[0],
        after=peaks[1],
        collisions=[
            ShownCollision(
                one.at.astimezone(ZoneInfo(one.zone)), one.days, one.before, one.after, one.tasks, one.others
            )
            for one in load.collisions
        ],
        compared_until=found.compared_until,
        is_cut=found.is_cut,
    )


def _group(icon: str, tone: str, found: Numbered, words: str) -> Group:
    first = [_change(change) for change in found.first]
    return Group(icon, tone, words, first, found.count - len(first))


def _change(change: Change) -> ShownChange:
    place = ZoneInfo(change.zone)
    before, after = (at.astimezone(place) if at is not None else None for at in (change.before, change.after))
    return ShownChange(change.task, change.task_id if change.task_id > 0 else None, before, after)
