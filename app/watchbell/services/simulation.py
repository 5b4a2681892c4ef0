"""What a change would do to the coming days, before it is made: which runs come, go and move, and what then goes on at once.

Both sides are worked out by the function that the scheduler asks for the next moment, and the change is the difference. Nothing
is written, so that a form can ask with each key that is typed.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from watchbell.domain import schedule as schedules
from watchbell.domain.blackouts import Blackout, marker
from watchbell.domain.run_changes import Change, Moment, difference
from watchbell.domain.task_definition import TaskDefinition
from watchbell.services import blackouts, task_rows, tasks
from watchbell.services.simulated_load import NAMED, Due, LoadChange, Peak, Together, load_change
from watchbell.store import tasks as task_store
from watchbell.store import timeline as store
from watchbell.store.session import Database, Session
from watchbell.store.tasks import Task
from watchbell.store.timeline import TaskLine

DAYS = 30
#: So many tasks are looked at, those that are due next first.
MOST_TASKS = 20_000
#: Of one schedule so many moments are worked out: one each quarter of an hour. What is due more often is compared so far.
MOST_OF_TASK = 3_000
#: When so many moments have been worked out for one question, no more tasks that stay as they are count for the load.
MOST_MOMENTS = 100_000
#: So many are kept for the next questions.
_MOST_KEPT = 1_000_000
_USUAL_DAYS = timedelta(days=7)


@dataclasses.dataclass(frozen=True, slots=True)
class Edit:
    """A task as it is and as it would be: None for one that is to be made, or that would be deleted."""

    task: Task | None
    definition: TaskDefinition | None


@dataclasses.dataclass(frozen=True, slots=True)
class Numbered:
    """The runs that a change adds, removes or moves: how many, and the first of them."""

    count: int
    #: At most NAMED, in their order; of what is moved by the earlier of both times.
    first: Sequence[Change]


@dataclasses.dataclass(frozen=True, slots=True)
class Simulation:
    """What a change would do from now on until a time."""

    since: datetime
    until: datetime
    #: How many tasks get other runs.
    tasks: int
    added: Numbered
    removed: Numbered
    moved: Numbered
    load: LoadChange
    #: Until when tasks that are due very often were compared; None if all were to the end.
    compared_until: datetime | None
    #: Whether tasks that stay as they are were left out of the load, because all of them were too many.
    is_cut: bool

    @property
    def is_same(self) -> bool:
        """Return whether each task runs as it would have anyway."""
        return not (self.added.count or self.removed.count or self.moved.count)


def told(found: Simulation) -> dict[str, Any]:
    """Return a simulation as programs read it."""
    return {
        "since": found.since,
        "until": found.until,
        "tasks": found.tasks,
        **{name: _told_of(getattr(found, name)) for name in ("added", "removed", "moved")},
        "peak_before": _peak_told(found.load.before),
        "peak_after": _peak_told(found.load.after),
        "usual_starts": found.load.usual,
        "collisions": [
            {**dataclasses.asdict(one), "local_time": _local(one.at, one.zone)} for one in found.load.collisions
        ],
        "compared_until": found.compared_until,
        "is_cut": found.is_cut,
    }


def _told_of(found: Numbered) -> dict[str, Any]:
    return {"count": found.count, "first": [_change_told(change) for change in found.first]}


def _change_told(change: Change) -> dict[str, Any]:
    return {
        # One that is still to be made has no number.
        "task_id": change.task_id if change.task_id > 0 else None,
        "task": change.task,
        "zone": change.zone,
        "before": change.before,
        "before_local": _local(change.before, change.zone),
        "after": change.after,
        "after_local": _local(change.after, change.zone),
    }


def _local(at: datetime | None, zone: str) -> str | None:
    return None if at is None else at.astimezone(ZoneInfo(zone)).isoformat()


def _peak_told(found: Peak | None) -> dict[str, Any] | None:
    return None if found is None else dataclasses.asdict(found)


class Moments:
    """The moments of schedules in some days, each schedule worked out once; one of these may serve many questions."""

    def __init__(self, now: datetime, most: int = MOST_MOMENTS) -> None:
        self.most = most
        #: The full hour, so that what was worked out stays true for a while.
        self.start = now.replace(minute=0, second=0, microsecond=0)
        self.until = self.start + timedelta(days=DAYS, hours=1)
        self.worked_out = 0
        self._known: dict[tuple[str, datetime, tuple[Blackout, ...]], Due] = {}

    def of(self, line: TaskLine, windows: Sequence[Blackout], now: datetime) -> Due:
        """Return when a task is due."""
        if self.worked_out > _MOST_KEPT:
            self._known, self.worked_out = {}, 0
        begin = line.cursor_at if line.cursor_at > now else self.start - timedelta(microseconds=1)
        own = tuple(one for one in windows if one.concerns(line.id))
        key = (json.dumps(line.schedule, sort_keys=True), begin, own)
        if key not in self._known:
            plan, mark = schedules.from_json(line.schedule), marker(own, line.id)
            found = list(schedules.occurrences(plan, begin, MOST_OF_TASK + 1, self.until))
            moments = [Moment(one.due_at, one.key) for one in found if not mark(one).is_left_out]
            cut_at = found[-2].due_at if len(found) > MOST_OF_TASK else None
            starts = [(moment.at - self.start).total_seconds() for moment in moments]
            self._known[key] = Due(moments, starts, plan.zone, cut_at)
            self.worked_out += len(found)
        return self._known[key]


def unheard(_number: int) -> None:
    """Tell nobody how many tasks are through."""


def of_edits(
    db: Database,
    edits: Sequence[Edit],
    *,
    now: datetime,
    moments: Moments | None = None,
    tell: Callable[[int], None] = unheard,
) -> Simulation:
    """Return what it would do to save some tasks or delete them, all together."""
    with db.read() as session:
        before = _State.read(session)
    after = dict(before.lines)
    for number, edit in enumerate(edits, 1):
        # A task that is still to be made has no number, and no window names it.
        task_id = edit.task.id if edit.task is not None else -number
        line = _line(edit, task_id, now)
        if line is None:
            after.pop(task_id, None)
        else:
            after[task_id] = line
    return _compare(db, before, _State(after, before.windows, before.is_cut), now, moments or Moments(now), tell)


def of_calendar(
    db: Database, name: str, *, days: str, weekdays: str, now: datetime, moments: Moments | None = None
) -> Simulation:
    """Return what it would do if a calendar had these days, as it keeps them."""
    with db.read() as session:
        before = _State.read(session)
    after = dict(before.lines)
    for line in before.lines.values():
        if line.schedule.get("calendar") == name:
            changed = {**line.schedule, "calendar_days": days, "calendar_weekdays": weekdays}
            if changed != line.schedule:
                cursor_at = max(line.cursor_at, now)
                after[line.id] = dataclasses.replace(line, schedule=changed, cursor_at=cursor_at)
    return _compare(db, before, _State(after, before.windows, before.is_cut), now, moments or Moments(now), unheard)


def of_blackout(
    db: Database,
    before: Blackout | None,
    after: Blackout | None,
    *,
    now: datetime,
    moments: Moments | None = None,
) -> Simulation:
    """Return what it would do to put one window in the place of another: None for one that is to be made, or to be removed."""
    with db.read() as session:
        state = _State.read(session)
    kept = tuple(one for one in state.windows if before is None or one.name != before.name)
    windows = (*kept, after) if after is not None else kept
    return _compare(db, state, _State(state.lines, windows, state.is_cut), now, moments or Moments(now), unheard)


def of_act(db: Database, act: Callable[[Database], object], *, now: datetime) -> Simulation:
    """Return what it would do if somebody did this, which is done and undone for it; raises what it raises.

    Nobody else can write meanwhile, so it is for what cannot be told from definitions alone, as an import of many things.
    """
    with db.rehearse() as session:
        own = db.within(session)
        highest = max(task_store.list_ids(session), default=0)
        before = _State.read(session)
        act(own)
        session.flush()
        after = _State.read(session)
        found = _compare(own, before, after, now, Moments(now), unheard)
    added, removed, moved = (_unnumbered(part, highest) for part in (found.added, found.removed, found.moved))
    return dataclasses.replace(found, added=added, removed=removed, moved=moved)


def _unnumbered(found: Numbered, highest: int) -> Numbered:
    """Return changes without the numbers that tasks had in a rehearsal only."""
    shown = [dataclasses.replace(one, task_id=-1) if one.task_id > highest else one for one in found.first]
    return dataclasses.replace(found, first=shown)


@dataclasses.dataclass(frozen=True, slots=True)
class _State:
    """What decides when all tasks start: those that start by themselves by their numbers, and the windows."""

    lines: Mapping[int, TaskLine]
    windows: tuple[Blackout, ...]
    is_cut: bool

    @classmethod
    def read(cls, session: Session) -> _State:
        lines = store.list_enabled_lines(session, MOST_TASKS + 1)
        shown = {line.id: line for line in lines[:MOST_TASKS]}
        return cls(shown, blackouts.read(session), len(lines) > MOST_TASKS)


def _line(edit: Edit, task_id: int, now: datetime) -> TaskLine | None:
    task, definition = edit.task, edit.definition
    if definition is None or not definition.enabled:
        return None
    cursor_at = tasks.count_from(definition, now)
    if task is not None:
        base = task_rows.definition_of(task)
        stays = definition.schedule == base.schedule and definition.enabled == base.enabled
        cursor_at = task.cursor_at if stays else max(task.cursor_at, cursor_at)
    return TaskLine(
        id=task_id,
        name=definition.name,
        host=definition.host,
        schedule=schedules.to_json(definition.schedule),
        schedule_words="",
        cursor_at=cursor_at,
        is_on=True,
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Pair:
    """A task that the change concerns, and when it is due before and after; None where it does not start by itself."""

    line: TaskLine
    before: Due | None
    after: Due | None


def _compare(
    db: Database, before: _State, after: _State, now: datetime, moments: Moments, tell: Callable[[int], None]
) -> Simulation:
    pairs = []
    for number in _concerned(before, after):
        old, new = before.lines.get(number), after.lines.get(number)
        line = new if new is not None else before.lines[number]
        pairs.append(
            _Pair(
                line,
                moments.of(old, before.windows, now) if old is not None else None,
                moments.of(new, after.windows, now) if new is not None else None,
            )
        )
        tell(len(pairs))
    until = now + timedelta(days=DAYS)
    changes, compared_until = _changes(pairs, now, until)
    load, is_cut = _load(db, before, pairs, changes, now, moments)
    return Simulation(
        since=now,
        until=until,
        tasks=len({change.task_id for change in changes}),
        added=_numbered(change for change in changes if change.before is None),
        removed=_numbered(change for change in changes if change.after is None),
        moved=_numbered(change for change in changes if change.before is not None and change.after is not None),
        load=load,
        compared_until=compared_until,
        is_cut=is_cut or before.is_cut,
    )


def _numbered(changes: Iterable[Change]) -> Numbered:
    found = sorted(changes, key=_order)
    return Numbered(len(found), found[:NAMED])


def _order(change: Change) -> tuple[datetime, str]:
    return change.first_at, change.task


def _concerned(before: _State, after: _State) -> list[int]:
    """Return the tasks whose moments may be others."""
    found = []
    same_windows = before.windows == after.windows
    for number in dict.fromkeys([*before.lines, *after.lines]):
        old, new = before.lines.get(number), after.lines.get(number)
        if old is None or new is None or (old is not new and old.schedule != new.schedule):
            found.append(number)
        elif not same_windows:
            own = [[one for one in state.windows if one.concerns(number)] for state in (before, after)]
            if own[0] != own[1]:
                found.append(number)
    return found


def _changes(pairs: Sequence[_Pair], now: datetime, until: datetime) -> tuple[list[Change], datetime | None]:
    # Thousands of tasks have few schedules between them, so each pair of those is compared once.
    known: dict[tuple[int, int], Sequence[tuple[datetime | None, datetime | None]]] = {}
    found: list[Change] = []
    compared_until: datetime | None = None
    for pair in pairs:
        cut = min((due.cut_at for due in (pair.before, pair.after) if due and due.cut_at), default=None)
        if cut is not None and cut < until:
            compared_until = min(compared_until or cut, cut)
        key = (id(pair.before), id(pair.after))
        zone = (pair.after or pair.before).zone  # type: ignore[union-attr]
        if key not in known:
            sides = [due.moments if due is not None else () for due in (pair.before, pair.after)]
            known[key] = difference(*sides, since=now, until=min(cut or until, until), zone=zone)
        found += [Change(pair.line.id, pair.line.name, zone, *both) for both in known[key]]
    return found, compared_until


def _load(
    db: Database,
    before: _State,
    pairs: Sequence[_Pair],
    changes: Sequence[Change],
    now: datetime,
    moments: Moments,
) -> tuple[LoadChange, bool]:
    """Return the load before and after; without a change there is none to be told."""
    concerned = {pair.line.id for pair in pairs}
    others, is_cut, begun = [], False, moments.worked_out
    for number, line in before.lines.items() if changes else ():
        if number in concerned:
            continue
        if moments.worked_out - begun > moments.most:
            is_cut = True
            break
        others.append((line, moments.of(line, before.windows, now)))
    with db.read() as session:
        usual = store.list_usual_seconds(session, now - _USUAL_DAYS) if changes else {}
    together = Together(
        others=others,
        before=[(pair.line, pair.before) for pair in pairs if pair.before is not None],
        after=[(pair.line, pair.after) for pair in pairs if pair.after is not None],
    )
    new = {change.after: change.zone for change in changes if change.after is not None}
    return load_change(together, usual, start=moments.start, now=now, new=new), is_cut
