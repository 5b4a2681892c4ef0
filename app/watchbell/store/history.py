"""Lists and counts of runs as people look at them; none costs more because the history is long.

Each list walks one index in the order of the numbers and stops when a page is full. Where no index leads to what is asked
for, as with the words of a reason, so many runs are looked at and the rest is left to the next page.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, func, or_, select, text, true
from sqlalchemy.orm import Session

from watchbell.domain.run_state import ACTIVE, RunState
from watchbell.store import totals
from watchbell.store.base import id_list, ids_select, pattern
from watchbell.store.run_places import Place
from watchbell.store.runs import ACTIVE_SQL, NOT_SCHEDULED_SQL, TROUBLED_SQL, Run, newest_id
from watchbell.store.tasks import Task

#: So many runs are looked at for the words of one search.
SEARCHED = 10_000
#: A name that more tasks have in them than this does not lead to their runs; a search looks at the newest runs instead.
_MOST_NAMED = 50
#: The runs of more tasks than this together are looked for in the order of all runs, among so many of the newest.
_MOST_WALKED = 200
MANY_LOOKED_AT = 200_000
#: How much earlier than it was due a run may have been made, because somebody has set the clock.
_SLACK = timedelta(minutes=10)
#: Runs that were due so shortly before a time show where its numbers end, but for so many that were made along with them.
_TOGETHER = timedelta(hours=1)
_MADE_TOGETHER = 20_000
# Conditions are of the table's own columns: those of the class make an object query of whatever they stand in.
_RUN: Any = Run.__table__
_ACTIVE = frozenset(state.value for state in ACTIVE)


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """A page of runs, newest first."""

    runs: Sequence[Any]
    #: The number down to which was looked, if there was more that was not looked at.
    looked_to: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class _Asked:
    task_id: int | None
    states: Sequence[str]
    trigger: str | None
    since: datetime | None
    until: datetime | None
    #: Numbers between which the runs lie, both not included.
    above: int
    below: int | None
    forwards: bool

    def branches(self, columns: Sequence[Any], *, task_id: int | None = None) -> list[Select[Any]]:
        """Return one query for each state, in the order of the numbers: the database can merge none without sorting."""
        task = self.task_id if task_id is None else task_id
        states: Sequence[str | None] = self.states or (None,)
        return [self._branch(select(*columns), task, state) for state in states]

    def _branch(self, statement: Select[Any], task_id: int | None, state: str | None) -> Select[Any]:
        by_hand = self.trigger is not None and self.trigger != "schedule"
        if task_id is not None:
            statement = statement.where(_RUN.c.task_id == task_id)
        if state is not None:
            # Few runs are not started by the schedule, so their index comes first; an expression hides that of the states.
            statement = statement.where((_RUN.c.state.concat("") if by_hand else _RUN.c.state) == state)
            if task_id is not None and state != RunState.SUCCEEDED.value:
                statement = statement.where(text(ACTIVE_SQL if state in _ACTIVE else TROUBLED_SQL))
        if self.trigger is not None:
            statement = statement.where(_RUN.c.trigger == self.trigger)
        if by_hand:
            statement = statement.where(text(NOT_SCHEDULED_SQL))
        if self.since is not None:
            statement = statement.where(_RUN.c.due_at >= self.since)
        if self.until is not None:
            statement = statement.where(_RUN.c.due_at <= self.until)
        if self.above > 0:
            statement = statement.where(_RUN.c.id > self.above)
        if self.below is not None:
            statement = statement.where(_RUN.c.id < self.below)
        return statement.order_by(_RUN.c.id.asc() if self.forwards else _RUN.c.id.desc())

    def newest(self, ids: set[int], limit: int) -> list[int]:
        """Return those that a page has room for."""
        return sorted(ids, reverse=not self.forwards)[:limit]


def list_runs(session: Session, **filters: Any) -> Sequence[Run]:
    """Return what ``find_runs`` finds."""
    return find_runs(session, **filters).runs


def find_runs(
    session: Session,
    *,
    task_id: int | None = None,
    states: Sequence[str] | None = None,
    trigger: str | None = None,
    search: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    queue: str | None = None,
    among: Sequence[int] | None = None,
    place: Place | None = None,
    before_id: int | None = None,
    after_id: int | None = None,
    limit: int = 50,
    columns: Sequence[Any] = (),
) -> Found:
    """Return runs, newest first, before (or, ascending turned round, just after) a run id: keyset paging.

    A search finds the words in the names of tasks, however old their runs are, and in what the newest SEARCHED runs with
    the other marks tell; those of a queue, or of many tasks (``among``), are looked for among as many. With ``columns`` the
    answer has rows of these in place of objects, which cost several times as much.
    """
    above = max(after_id or 0, first_since(session, since) - 1)
    last = _last_until(session, until)
    below = before_id if last is None else min(last + 1, before_id or last + 1)
    asked = _Asked(task_id, states or (), trigger, since, until, above, below, after_id is not None)
    looked_to = None
    words = search.split()[:8]
    marks = _Marks(words, queue, among, place)
    if among is not None and marks.are_walked(asked, among):
        ids = {number for task in among for number in _newest_of(session, asked, task, limit)}
    elif not marks.are_none:
        ids, looked_to = _search(session, asked, marks, limit)
    elif len(asked.states) > 1:
        ids = {row.id for branch in asked.branches([Run.id]) for row in session.execute(branch.limit(limit))}
    else:
        (branch,) = asked.branches(columns or [Run])
        page = branch.limit(limit)
        rows: Sequence[Any] = session.connection().execute(page).all() if columns else session.scalars(page).all()
        return Found(list(reversed(rows)) if asked.forwards else rows)
    chosen = asked.newest(ids, limit)
    if len(chosen) == limit:
        looked_to = None
    return Found(find_by_ids(session, chosen, columns), looked_to)


def find_by_ids(session: Session, ids: Sequence[int], columns: Sequence[Any] = ()) -> list[Any]:
    """Return runs, or these columns of them, by their numbers, newest first."""
    if not ids:
        return []
    wanted = select(*(columns or [Run])).where(Run.id.in_(ids_select(session.get_bind().dialect.name)))
    found = {"ids": id_list(session, ids)}
    rows: Any = session.connection().execute(wanted, found) if columns else session.scalars(wanted, found)
    return sorted(rows, key=lambda run: int(run.id), reverse=True)


@dataclasses.dataclass(frozen=True, slots=True)
class _Marks:
    """What no index of runs leads to, so that it is looked for in a window of them."""

    words: Sequence[str] = ()
    queue: str | None = None
    among: Sequence[int] | None = None
    place: Place | None = None

    @property
    def are_none(self) -> bool:
        return not self.words and self.queue is None and self.among is None and self.place is None

    def are_walked(self, asked: _Asked, among: Sequence[int]) -> bool:
        """Return whether the runs of these tasks are found by walking the index of each."""
        is_more = bool(self.words) or self.queue is not None or self.place is not None
        return not is_more and len(among) * max(len(asked.states), 1) <= _MOST_NAMED

    def named(self, session: Session, asked: _Asked) -> Sequence[int]:
        """Return the tasks whose names have all the words, if they are few."""
        # All runs of a task may be of another queue or host, so its name would lead to none however far one walks.
        if asked.task_id is not None or self.queue is not None or self.place is not None or not self.words:
            return []
        found = _named(session, self.words)
        return found if self.among is None else sorted(set(found) & set(self.among))

    def of(self, session: Session, window: Any) -> tuple[Any, dict[str, Any]]:
        """Return the condition of a window's rows, and the parameters that it needs."""
        matches = [
            or_(
                window.c.task_name.ilike(pattern(word), escape="\\"),
                window.c.reason.ilike(pattern(word), escape="\\"),
            )
            for word in self.words
        ]
        if self.queue is not None:
            matches.append(window.c.queue == self.queue)
        if self.place is not None:
            matches.append(self.place.where(window.c))
        if self.among is None:
            return and_(true(), *matches), {}
        ids = window.c.task_id.in_(ids_select(session.get_bind().dialect.name))
        return and_(ids, *matches), {"ids": id_list(session, self.among)}


_WINDOW = (Run.id, Run.task_id, Run.task_name, Run.reason, Run.queue, Run.holder)


def _newest_of(session: Session, asked: _Asked, task_id: int, limit: int) -> list[int]:
    if asked.task_id not in {None, task_id}:
        return []
    branches = asked.branches([Run.id], task_id=task_id)
    return [row.id for branch in branches for row in session.execute(branch.limit(limit))]


def _search(session: Session, asked: _Asked, marks: _Marks, limit: int) -> tuple[set[int], int | None]:
    """Return matching ids, at least the first ``limit`` of them in order, and how far was looked."""
    named = marks.named(session, asked)
    found = {number for task_id in named for number in _newest_of(session, asked, task_id, limit)}
    ends = []
    for branch in asked.branches(_WINDOW):
        window = branch.limit(SEARCHED).subquery()
        matches, values = marks.of(session, window)
        ids = session.scalars(select(window.c.id).where(matches).limit(limit), values).all()
        found.update(ids)
        if len(ids) < limit:
            seen, lowest = session.execute(select(func.count(), func.min(window.c.id)).select_from(window)).one()
            ends += [int(lowest)] if seen == SEARCHED else []
    if named or asked.forwards or not ends:
        return found, None
    # Below the first end one of the branches has not been looked at.
    return {number for number in found if number >= max(ends)}, max(ends)


def _named(session: Session, words: Sequence[str]) -> Sequence[int]:
    """Return the tasks, deleted ones included, that have all words in their names; none if they are too many."""
    names = [Task.name.ilike(pattern(word), escape="\\") for word in words]
    found = session.scalars(select(Task.id).where(*names).limit(_MOST_NAMED + 1)).all()
    return found if len(found) <= _MOST_NAMED else []


def count_runs(
    session: Session,
    *,
    task_id: int | None = None,
    states: Sequence[str] | None = None,
    trigger: str | None = None,
    search: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    queue: str | None = None,
    among: Sequence[int] | None = None,
    place: Place | None = None,
    at_most: int = 10_000,
) -> int:
    """Return how many runs a list with these filters has, counting no further than a bound."""
    words = search.split()[:8]
    marks = _Marks(words, queue, among, place)
    is_plain = marks.are_none
    is_by_due = is_plain and (since or until) is not None and task_id is None and not states
    above = 0 if is_by_due else max(0, first_since(session, since) - 1)
    last = None if is_by_due else _last_until(session, until)
    below = None if last is None else last + 1
    asked = _Asked(task_id, states or (), trigger, since, until, above, below, forwards=False)
    if is_plain:
        return _count(session, asked.branches([Run.id]), at_most, ordered=not is_by_due)
    is_walked = among is not None and marks.are_walked(asked, among)
    named = [task for task in among or () if task_id in {None, task}] if is_walked else marks.named(session, asked)
    total = 0
    for number in named:
        total += _count(session, asked.branches([Run.id], task_id=number), at_most - total)
    for branch in () if is_walked else asked.branches(_WINDOW):
        window = branch.limit(SEARCHED).subquery()
        matches, values = marks.of(session, window)
        counted = select(func.count()).select_from(window).where(matches)
        total += int(session.scalar(counted.where(window.c.task_id.not_in(named)) if named else counted, values) or 0)
    return min(total, at_most)


def count_by_task(
    session: Session, *, states: Sequence[str], since: datetime | None, until: datetime | None, at_most: int = 10_000
) -> dict[int, int]:
    """Return how many of the newest runs in some states, as many as the bound for each state, are of which task."""
    last = _last_until(session, until)
    above = max(0, first_since(session, since) - 1)
    asked = _Asked(None, states, None, since, until, above, None if last is None else last + 1, forwards=False)
    counts: dict[int, int] = {}
    for branch in asked.branches([Run.task_id]):
        newest = branch.limit(at_most).subquery()
        rows = session.execute(select(newest.c.task_id, func.count()).group_by(newest.c.task_id))
        for task_id, count in rows:
            counts[task_id] = counts.get(task_id, 0) + int(count)
    return counts


def _count(session: Session, branches: Sequence[Select[Any]], at_most: int, *, ordered: bool = True) -> int:
    total = 0
    for branch in branches:
        inner = branch if ordered else branch.order_by(None)
        counted = select(func.count()).select_from(inner.limit(max(at_most - total, 0)).subquery())
        total += int(session.scalar(counted) or 0)
    return total


def first_since(session: Session, since: datetime | None) -> int:
    """Return a number below which no run was due since a time; 0 without one.

    Numbers rise with the time at which runs are made, which is not before they are due, so a few looks find the place.
    """
    # Each is asked for by itself: both in one aggregate are found by a look at every row.
    lowest, highest = (session.scalar(select(end)) for end in (func.min(Run.id), func.max(Run.id)))
    if since is None or lowest is None or highest is None:
        return 0
    before = since - _SLACK
    (low, low_at), (high, high_at) = _made(session, lowest), _made(session, highest)
    # What is at or below ``low`` was made too early; a place that is near enough will do.
    for turn in itertools.count():
        if low_at >= before or high - low <= 100:
            break
        share = (before - _SLACK / 2 - low_at) / max(high_at - low_at, timedelta(microseconds=1))
        # Where they come evenly, the first guess is right; where they do not, every third halves what is left.
        share = 0.5 if turn % 3 == 2 else min(max(share, 0.0), 1.0)
        guess = min(max(low + int((high - low) * share), low + 1), high - 1)
        number, at = _made(session, guess)
        if at >= before:
            high, high_at = guess, at
        else:
            low, low_at = number, at
            if at >= before - _SLACK:
                break
    return low


def _last_until(session: Session, until: datetime | None) -> int | None:
    """Return a number above which no run was due until a time, None without one.

    A run has a higher number than all that were made before it, and is made when it is due unless the scheduler was away:
    what it finds due then is made together, so a little further up lies all that was due before.
    """
    if until is None:
        return None
    newest = session.scalar(select(func.max(Run.due_at)).where(Run.due_at <= until))
    if newest is None:
        return 0
    about = select(func.max(Run.id)).where(Run.due_at <= newest, Run.due_at > newest - _TOGETHER)
    return int(session.scalar(about) or 0) + _MADE_TOGETHER


def _made(session: Session, number: int) -> tuple[int, datetime]:
    """Return number and time of the first run from a number on; there is one."""
    row = session.execute(select(Run.id, Run.created_at).where(Run.id >= number).order_by(Run.id).limit(1)).one()
    return row.id, row.created_at


def count_by_state(session: Session, since: datetime) -> dict[str, int]:
    """Return how many occurrences that were due since a time are in each state; of whole days from their totals.

    Runs of those days that have been deleted are counted, too.
    """
    midnight = since.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    counts: dict[str, int] = {}
    if midnight < since:
        midnight += timedelta(days=1)
        _add(counts, _count_due(session, Run.due_at >= since, Run.due_at < midnight, Run.state.not_in(sorted(_ACTIVE))))
    _add(counts, totals.sum_occurrences(session, midnight.date()))
    _add(counts, _count_due(session, text(ACTIVE_SQL), Run.due_at >= since))
    return counts


def _count_due(session: Session, *conditions: Any) -> dict[str, int]:
    rows = session.execute(select(Run.state, func.sum(Run.stands_for)).where(*conditions).group_by(Run.state))
    return {state: int(count) for state, count in rows}


def _add(counts: dict[str, int], more: dict[str, int]) -> None:
    for state, count in more.items():
        counts[state] = counts.get(state, 0) + count


def list_of_tasks(session: Session, task_ids: Collection[int], limit: int) -> list[Run]:
    """Return the newest runs of some tasks together, newest first.

    Of a few tasks each one's index is walked; those of many are looked for among the newest MANY_LOOKED_AT runs.
    """
    if len(task_ids) <= _MOST_WALKED:
        newest = select(Run.id).order_by(Run.id.desc()).limit(limit)
        ids = [row for task_id in task_ids for row in session.scalars(newest.where(Run.task_id == task_id))]
        return find_by_ids(session, sorted(ids, reverse=True)[:limit])
    above = newest_id(session) - MANY_LOOKED_AT
    chosen = select(Run).where(Run.id > above, Run.task_id.in_(ids_select(session.get_bind().dialect.name)))
    return list(session.scalars(chosen.order_by(Run.id.desc()).limit(limit), {"ids": id_list(session, list(task_ids))}))


def list_by_ids(session: Session, ids: Sequence[int]) -> dict[int, Run]:
    """Return runs by their numbers; those that are not there are left out."""
    return {run.id: run for run in find_by_ids(session, ids)}
