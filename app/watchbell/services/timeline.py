"""What the timeline shows of a stretch of time: a lane for each task or host, with its runs and what is planned.

However much has run, what is looked at is bounded: a page of lanes, and in each of them so many single runs; more than that
are counted in parts of the time.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from watchbell.domain import schedule as schedules
from watchbell.domain.blackouts import Blackout, marker
from watchbell.domain.run_state import IN_FLIGHT, RunState
from watchbell.services import blackouts
from watchbell.store import timeline as store
from watchbell.store.session import Database, Session
from watchbell.store.timeline import Numbers, TaskLine

#: So many lanes are on a page, and so many tasks have a lane on any page unless they are searched for.
LANES = 16
MOST_LANES = 200
#: So many runs of one task are drawn one by one; more of them are counted in so many parts.
SINGLE = 60
PARTS = 24
#: So many moments to come are drawn of a task.
PLANNED = 24
#: So many runs of all hosts together are drawn one by one; of more there are samples, and all that went wrong up to here.
SINGLE_OF_HOSTS = 500
SAMPLES = 1200
WRONG_OF_HOSTS = 60
_LOOKED_AT = 400
_BAD = frozenset({"failed", "timed_out", "lost", "missed"})
_USUAL_DAYS = timedelta(days=7)


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """One run on the line of time."""

    run_id: int
    task_id: int
    task_name: str
    state: str
    due_at: datetime
    start: datetime
    #: Equal to the start for what was never started; now for what goes on.
    end: datetime
    reason: str
    exit_code: int | None
    stands_for: int


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """Many runs of a part of the time, counted."""

    start: datetime
    end: datetime
    #: By state; "other" are those that succeeded or are not over.
    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        """Return how many runs there are."""
        return sum(self.counts.values())

    @property
    def bad(self) -> int:
        """Return how many of them went wrong."""
        return sum(number for state, number in self.counts.items() if state in _BAD)


@dataclasses.dataclass(frozen=True, slots=True)
class Planned:
    """One moment to come, and how long the task usually takes."""

    task_id: int
    task_name: str
    due_at: datetime
    seconds: float
    #: Why it is left out, or from where it was moved.
    note: str = ""
    is_left_out: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Lane:
    """What one task or host does in a stretch of time."""

    label: str
    #: The task; none for a lane of a host.
    task: TaskLine | None
    spans: Sequence[Span] = ()
    parts: Sequence[Part] = ()
    planned: Sequence[Planned] = ()
    #: The moment from which on more is planned than is drawn.
    goes_on_from: datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Timeline:
    """All lanes of a page."""

    start: datetime
    until: datetime
    lanes: Sequence[Lane]
    #: How many lanes there are on all pages, and whether tasks were left out because they are too many.
    total: int
    is_cut: bool
    #: How many runs one drawn run stands for, where only samples of them are drawn.
    sample_of: int = 1


def by_task(
    db: Database, *, start: datetime, until: datetime, now: datetime, search: str = "", offset: int = 0
) -> Timeline:
    """Return a page of the lanes of tasks: those that something went wrong with first, then what runs, then the others by name.

    Without a search these are the tasks that have run last in that time or are due next.
    """
    with db.read() as session:
        numbers = _numbers(session, start, until, now)
        active = [_span(row, now) for row in store.list_active(session, _LOOKED_AT)]
        chosen, is_cut = _choose(session, numbers, active, until=until, now=now, search=search)
        page = chosen[offset : offset + LANES]
        lines = store.list_lines(session, page)
        usual = store.list_usual_seconds(session, now - _USUAL_DAYS, page)
        going: dict[int, list[Span]] = {}
        for span in active:
            going.setdefault(span.task_id, []).append(span)
        bounds = _Bounds(numbers, start, min(until, now))
        windows = blackouts.read(session)
        lanes = []
        for task_id in page:
            spans, parts = _past(session, task_id, bounds, going.get(task_id, ()), until=until, now=now)
            planned, goes_on = _coming(
                lines.get(task_id), start=start, until=until, now=now, usual=usual, limit=PLANNED, windows=windows
            )
            label = lines[task_id].name if task_id in lines else f"#{task_id}"
            lanes.append(Lane(label, lines.get(task_id), spans, parts, planned, goes_on))
    return Timeline(start, until, lanes, len(chosen), is_cut)


def by_host(db: Database, *, start: datetime, until: datetime, now: datetime) -> Timeline:
    """Return a lane for each host of the tasks that ran in a time or come next; of many runs these are samples."""
    with db.read() as session:
        numbers = _numbers(session, start, until, now)
        rows, sample_of = _rows_of_hosts(session, numbers)
        active = store.list_active(session, _LOOKED_AT)
        spans = {row.id: _span(row, now) for row in (*rows, *active)}
        shown = [span for span in spans.values() if span.start < until and span.end >= start]
        soonest = store.list_enabled_lines(session, LANES * 2) if until > now else []
        lines = store.list_lines(session, list({span.task_id for span in shown}))
        usual = store.list_usual_seconds(session, now - _USUAL_DAYS, [line.id for line in soonest])
        windows = blackouts.read(session)
    hosts: dict[str, tuple[list[Span], list[Planned]]] = {}
    for span in shown:
        line = lines.get(span.task_id)
        hosts.setdefault(line.host if line else "", ([], []))[0].append(span)
    for line in soonest:
        planned, _ = _coming(line, start=start, until=until, now=now, usual=usual, limit=4, windows=windows)
        if planned:
            hosts.setdefault(line.host, ([], []))[1].extend(planned)
    lanes = [
        _host_lane(host, found, planned, start=start, until=min(until, now), sample_of=sample_of)
        for host, (found, planned) in sorted(hosts.items())
    ]
    return Timeline(start, until, lanes[:MOST_LANES], len(lanes), len(lanes) > MOST_LANES, sample_of)


def count_states(db: Database, *, start: datetime, until: datetime, parts: int) -> list[dict[str, int]]:
    """Return how many occurrences that were due in each of so many equal parts of a time are in each state."""
    with db.read() as session:
        return store.count_states(session, start, until, parts)


def usual_seconds(db: Database, task_ids: Sequence[int], *, now: datetime) -> Mapping[int, float]:
    """Return what the runs of tasks that succeeded in the last days took on the average; nothing for one that had none."""
    if not task_ids:
        return {}
    with db.read() as session:
        return store.list_usual_seconds(session, now - _USUAL_DAYS, task_ids)


def _rows_of_hosts(session: Session, numbers: Numbers) -> tuple[Sequence[Any], int]:
    """Return the runs within some numbers and 1, or samples of them and how many runs one of them stands for."""
    if numbers.count <= SINGLE_OF_HOSTS:
        return store.list_within(session, numbers, SINGLE_OF_HOSTS), 1
    step = max(numbers.count // SAMPLES, 1)
    # From each stretch one whose place within it jumps about: tasks take turns, and a fixed step would meet the same ones.
    ids = [low + (low * 2_654_435_761 >> 7) % step for low in range(numbers.begin, numbers.end - step + 1, step)]
    wrong = store.list_bad(session, numbers, WRONG_OF_HOSTS)
    return [*wrong, *store.list_numbered(session, ids)], step


def _host_lane(
    host: str, spans: Sequence[Span], planned: Sequence[Planned], *, start: datetime, until: datetime, sample_of: int
) -> Lane:
    if sample_of == 1:
        return Lane(host, None, sorted(spans, key=lambda span: span.start), (), planned)
    # All that went wrong is drawn as it is, and the many others by their number.
    wrong = [span for span in spans if span.state in _BAD or RunState(span.state) in IN_FLIGHT]
    width = (until - start) / PARTS
    counts = [0] * PARTS
    for span in spans:
        place = int((span.start - start) / width) if width else -1
        if 0 <= place < PARTS and span.state not in _BAD:
            counts[place] += sample_of
    parts = [
        Part(start + n * width, start + (n + 1) * width, {"other": count}) for n, count in enumerate(counts) if count
    ]
    return Lane(host, None, sorted(wrong, key=lambda span: span.start), parts, planned)


def _numbers(session: Session, start: datetime, until: datetime, now: datetime) -> Numbers:
    return store.find_numbers(session, start - store.SLACK, min(until, now) + store.SLACK)


def _choose(
    session: Session,
    numbers: Numbers,
    active: Sequence[Span],
    *,
    until: datetime,
    now: datetime,
    search: str,
) -> tuple[list[int], bool]:
    """Return the tasks that have lanes, in their order, and whether there are more."""
    if words := search.split()[:8]:
        named = store.list_named(session, words, MOST_LANES + 1)
        return named[:MOST_LANES], len(named) > MOST_LANES
    bad = store.list_troubled_tasks(session, numbers, LANES * 2)
    going = [span.task_id for span in active if span.start < until]
    recent = store.list_recent_tasks(session, numbers, _LOOKED_AT)
    coming = [line.id for line in store.list_enabled_lines(session, MOST_LANES + 1)] if until > now else []
    # What comes and what has been take turns, so that neither pushes the other out.
    rest = [task for pair in itertools.zip_longest(recent, coming) for task in pair if task is not None]
    chosen = list(dict.fromkeys([*bad, *going, *rest]))
    kept = chosen[:MOST_LANES]
    names = {line.id: line.name for line in store.list_lines(session, kept).values()}
    first, second = set(bad), set(going)
    kept.sort(key=lambda task: (task not in first, task not in second, names.get(task, ""), task))
    return kept, len(chosen) > MOST_LANES


class _Bounds:
    """The parts of a time and their numbers, found when a lane first needs them."""

    def __init__(self, numbers: Numbers, start: datetime, until: datetime) -> None:
        self.numbers = numbers
        width = max(until - start, timedelta(0)) / PARTS
        self.start, self.until = start, until
        self.times = [start + n * width for n in range(PARTS + 1)]
        self._ids: list[int] = []

    @property
    def ids(self) -> list[int]:
        """Return the number at which each part begins, and the end of the last one."""
        if not self._ids:
            found = [self.numbers.below(moment) for moment in self.times]
            self._ids = [max(found[: n + 1]) for n in range(len(found))]
        return self._ids


def _past(
    session: Session, task_id: int, bounds: _Bounds, going: Iterable[Span], *, until: datetime, now: datetime
) -> tuple[list[Span], list[Part]]:
    """Return the runs of a task in a time one by one, or counted in its parts if they are many."""
    start = bounds.start
    rows = store.list_spans(session, task_id, bounds.numbers, SINGLE + 1)
    spans = {span.run_id: span for span in going}
    if sum(row.id >= bounds.numbers.begin for row in rows) > SINGLE:
        counted = store.count_in_parts(session, task_id, bounds.ids)
        found = [
            Part(low, high, {state: numbers[n] for state, numbers in counted.items() if numbers[n] > 0})
            for n, (low, high) in enumerate(itertools.pairwise(bounds.times))
        ]
        return sorted(spans.values(), key=lambda span: span.start), [part for part in found if part.total]
    spans |= {row.id: _span(row, now) for row in rows}
    if until < now:
        told = store.list_told_later(session, task_id, bounds.numbers, SINGLE)
        spans |= {row.id: _span(row, now) for row in told}
    shown = [span for span in spans.values() if span.start < until and span.end >= start]
    return sorted(shown, key=lambda span: (span.start, span.run_id)), []


def _coming(
    line: TaskLine | None,
    *,
    start: datetime,
    until: datetime,
    now: datetime,
    usual: Mapping[int, float],
    limit: int,
    windows: Sequence[Blackout],
) -> tuple[list[Planned], datetime | None]:
    """Return the next moments of a task, and from when on there are more than so many."""
    if line is None or not line.is_on or until <= now:
        return [], None
    plan = schedules.from_json(line.schedule)
    after = max(line.cursor_at, start, now - timedelta(seconds=1))
    mark = marker(windows, line.id)
    found = [mark(one) for one in schedules.occurrences(plan, after, limit + 1, until)]
    seconds = usual.get(line.id, 0.0)
    planned = [
        Planned(line.id, line.name, one.due_at, 0.0 if one.is_left_out else seconds, one.note, one.is_left_out)
        for one in found[:limit]
    ]
    return planned, found[limit].due_at if len(found) > limit else None


def _span(row: Any, now: datetime) -> Span:
    state = RunState(row.state)
    start = row.started_at or row.due_at
    is_going = state in IN_FLIGHT and row.started_at is not None
    end = max(now, start) if is_going else (row.ended_at if row.started_at and row.ended_at else start)
    return Span(
        run_id=row.id,
        task_id=row.task_id,
        task_name=row.task_name,
        state=row.state,
        due_at=row.due_at,
        start=start,
        end=max(end, start),
        reason=row.reason,
        exit_code=row.exit_code,
        stands_for=row.stands_for,
    )
