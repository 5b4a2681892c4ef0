"""What a picture of a stretch of time is drawn from: a few columns of the runs in it, or their numbers where they are many.

Runs get their numbers in the order in which they are made, so a stretch of time is a stretch of numbers, and each question
walks one index within it, however long the history is.
"""

from __future__ import annotations

import bisect
import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Integer, String, bindparam, cast, func, select, text
from sqlalchemy.orm import Session

from watchbell.store.base import id_list, ids_select, pattern
from watchbell.store.runs import ACTIVE_SQL, TROUBLED_SQL, Run
from watchbell.store.tasks import Task, decoded
from watchbell.store.totals import RunDay

_RUN: Any = Run.__table__
_TASK: Any = Task.__table__
#: The states of the index on what did not end well, in the words of its condition.
TROUBLED = ("failed", "timed_out", "cancelled", "lost", "skipped", "missed")
#: So many numbers are looked up to tell which stretch of numbers belongs to which stretch of time.
_PROBES = 400
#: A run may be made so much later than it was due, or earlier because a clock was set.
SLACK = timedelta(minutes=2)
_SPAN = [
    _RUN.c[name]
    for name in (
        *("id", "task_id", "task_name", "state", "due_at", "started_at", "ended_at", "created_at", "reason"),
        *("stands_for", "exit_code", "retry_at"),
    )
]


@dataclasses.dataclass(frozen=True, slots=True)
class Numbers:
    """Which numbers the runs have that were made within a time; exact at its ends, and near enough between them."""

    #: Numbers and the times at which their runs were made, ascending.
    ids: Sequence[int]
    times: Sequence[datetime]
    #: One more than the highest number within.
    end: int

    def below(self, moment: datetime) -> int:
        """Return a number that runs made from a moment on do not go below."""
        place = bisect.bisect_left(self.times, moment)
        if place == len(self.times):
            return self.end
        if not place:
            return self.ids[0]
        low, high = place - 1, place
        width = (self.times[high] - self.times[low]).total_seconds()
        share = (moment - self.times[low]).total_seconds() / width if width else 1.0
        return self.ids[low] + round((self.ids[high] - self.ids[low]) * share)

    @property
    def begin(self) -> int:
        """Return the lowest number within."""
        return self.ids[0] if self.ids else self.end

    @property
    def count(self) -> int:
        """Return how many numbers there are; some of their runs may have been deleted."""
        return max(self.end - self.begin, 0)


def find_numbers(session: Session, start: datetime, until: datetime) -> Numbers:
    """Return the numbers of the runs that were made within a time."""
    # Asked for together, the two would be looked for among all numbers instead of at their ends.
    lowest, highest = (session.scalar(select(end(_RUN.c.id))) for end in (func.min, func.max))
    if lowest is None or highest is None:
        return Numbers((), (), 1)
    begin = _first(session, int(lowest), int(highest), start)
    end = _first(session, begin, int(highest), until) if begin <= highest else begin
    if begin >= end:
        return Numbers((), (), end)
    step = max((end - begin) // _PROBES, 1)
    found = _times(session, [*range(begin, end, step), end - 1])
    return Numbers([row.id for row in found], [row.created_at for row in found], end)


def _first(session: Session, low: int, high: int, moment: datetime) -> int:
    """Return the number of the first run made at a moment or later, one more than the highest if there is none."""
    statement = select(_RUN.c.id, _RUN.c.created_at).order_by(_RUN.c.id).limit(1)
    connection = session.connection()
    while low <= high:
        middle = (low + high) // 2
        row = connection.execute(statement.where(_RUN.c.id >= middle)).first()
        if row is not None and row.id <= high and row.created_at < moment:
            low = row.id + 1
        else:
            high = middle - 1
    return low


def _times(session: Session, ids: Sequence[int]) -> Sequence[Any]:
    chosen = select(_RUN.c.id, _RUN.c.created_at).where(_RUN.c.id.in_(ids_select(session.get_bind().dialect.name)))
    return session.connection().execute(chosen.order_by(_RUN.c.id), {"ids": id_list(session, list(set(ids)))}).all()


def list_troubled_tasks(session: Session, numbers: Numbers, limit: int) -> list[int]:
    """Return the tasks of the newest runs within some numbers that failed, timed out, were lost or missed."""
    newest: dict[int, int] = {}
    for state in ("failed", "timed_out", "lost", "missed"):
        statement = select(_RUN.c.task_id, _RUN.c.id).where(_RUN.c.state == state)
        within = statement.where(_RUN.c.id >= numbers.begin, _RUN.c.id < numbers.end).order_by(_RUN.c.id.desc())
        for task_id, run_id in session.connection().execute(within.limit(limit)):
            newest[task_id] = max(run_id, newest.get(task_id, 0))
    return sorted(newest, key=lambda task_id: newest[task_id], reverse=True)[:limit]


def list_recent_tasks(session: Session, numbers: Numbers, limit: int) -> list[int]:
    """Return the tasks of the newest runs within some numbers."""
    within = select(_RUN.c.task_id).where(_RUN.c.id >= numbers.begin, _RUN.c.id < numbers.end)
    rows = session.connection().execute(within.order_by(_RUN.c.id.desc()).limit(limit)).scalars()
    return list(dict.fromkeys(rows))


def list_active(session: Session, limit: int) -> Sequence[Any]:
    """Return the runs that are not over, the oldest first."""
    statement = select(*_SPAN).where(text(ACTIVE_SQL)).order_by(_RUN.c.id).limit(limit)
    return session.connection().execute(statement).all()


_OF_TASK = select(*_SPAN).where(_RUN.c.task_id == bindparam("task")).order_by(_RUN.c.id.desc())
_WITHIN = _OF_TASK.where(_RUN.c.id >= bindparam("begin"), _RUN.c.id < bindparam("end")).limit(bindparam("most"))
_BEFORE = _OF_TASK.where(_RUN.c.id < bindparam("begin")).limit(2)


def list_spans(session: Session, task_id: int, numbers: Numbers, limit: int) -> Sequence[Any]:
    """Return the newest runs of a task within some numbers, newest first, and the last ones before: they may reach in."""
    connection = session.connection()
    given = {"task": task_id, "begin": numbers.begin}
    within = connection.execute(_WITHIN, {**given, "end": numbers.end, "most": limit}).all()
    return [*within, *connection.execute(_BEFORE, given)]


def list_told_later(session: Session, task_id: int, numbers: Numbers, limit: int) -> Sequence[Any]:
    """Return the missed runs of a task that were written down after a time, as when nobody was there to do it then."""
    later = select(*_SPAN).where(_RUN.c.task_id == task_id, _RUN.c.state == "missed", text(TROUBLED_SQL))
    statement = later.where(_RUN.c.id >= numbers.end).order_by(_RUN.c.id).limit(limit)
    return session.connection().execute(statement).all()


def list_within(session: Session, numbers: Numbers, limit: int) -> Sequence[Any]:
    """Return the newest runs of all tasks within some numbers, newest first."""
    within = select(*_SPAN).where(_RUN.c.id >= numbers.begin, _RUN.c.id < numbers.end)
    return session.connection().execute(within.order_by(_RUN.c.id.desc()).limit(limit)).all()


def list_numbered(session: Session, ids: Iterable[int]) -> Sequence[Any]:
    """Return those of the runs with these numbers that are there."""
    chosen = select(*_SPAN).where(_RUN.c.id.in_(ids_select(session.get_bind().dialect.name)))
    return session.connection().execute(chosen, {"ids": id_list(session, list(ids))}).all()


def list_bad(session: Session, numbers: Numbers, limit: int) -> Sequence[Any]:
    """Return the newest runs within some numbers that failed, timed out, were lost or missed, so many of each."""
    found: list[Any] = []
    for state in ("failed", "timed_out", "lost", "missed"):
        within = select(*_SPAN).where(_RUN.c.state == state, _RUN.c.id >= numbers.begin, _RUN.c.id < numbers.end)
        found += session.connection().execute(within.order_by(_RUN.c.id.desc()).limit(limit)).all()
    return found


def count_spans(session: Session, task_id: int, numbers: Numbers, at_most: int) -> int:
    """Return how many runs a task has within some numbers, counting no further than a bound."""
    within = select(_RUN.c.id).where(_RUN.c.task_id == task_id, _RUN.c.id >= numbers.begin, _RUN.c.id < numbers.end)
    return int(session.scalar(select(func.count()).select_from(within.limit(at_most).subquery())) or 0)


def count_in_parts(session: Session, task_id: int, bounds: Sequence[int]) -> dict[str, list[int]]:
    """Return how many runs of a task have numbers from each bound to the next, by state.

    All but those that did not end well count as "other": no index tells the rest apart, and nobody needs it to.
    """
    found = {"other": _count_parts(session, task_id, bounds)}
    ends = {"task": task_id, "low": bounds[0], "high": bounds[-1]}
    for state in session.connection().execute(_ANY, ends).scalars():
        found[state] = _count_parts(session, task_id, bounds, state)
        found["other"] = [rest - part for rest, part in zip(found["other"], found[state], strict=True)]
    return found


@functools.cache
def _of_state(state: str, parts: int) -> Any:
    """Return the query that counts in so many parts; a state is one of TROUBLED, and the words of its index's condition stand by."""
    mine = "SELECT {n} AS part, count(*) AS runs FROM run WHERE task_id = :task{state} AND id >= :b{n} AND id < :b{m}"
    state_sql = f" AND state = '{state}' AND {TROUBLED_SQL}" if state else ""
    return text(" UNION ALL ".join(mine.format(n=n, m=n + 1, state=state_sql) for n in range(parts)))


#: Which of these states a task has within some numbers, each found by the first entry of its index.
_ANY = text(
    " UNION ALL ".join(
        f"SELECT '{state}' WHERE EXISTS (SELECT 1 FROM run WHERE task_id = :task AND state = '{state}' AND {TROUBLED_SQL}"  # noqa: S608 - of constants only.
        " AND id >= :low AND id < :high)"
        for state in TROUBLED
    )
)


def _count_parts(session: Session, task_id: int, bounds: Sequence[int], state: str = "") -> list[int]:
    values = {"task": task_id, **{f"b{n}": bound for n, bound in enumerate(bounds)}}
    found = session.connection().execute(_of_state(state, len(bounds) - 1), values)
    counts = [0] * (len(bounds) - 1)
    for part, runs in found:
        counts[part] = int(runs)
    return counts


def count_states(session: Session, start: datetime, until: datetime, parts: int) -> list[dict[str, int]]:
    """Return how many occurrences that were due in each of so many equal parts of a time are in each state."""
    width = (until - start).total_seconds() / parts
    if session.get_bind().dialect.name == "sqlite":
        # Julian days carry a time to some fifty microseconds, which is put right before it is cut off.
        part: Any = cast(
            (func.julianday(_RUN.c.due_at) - func.julianday(bindparam("begin", start))) * 86_400.0 / width + 1e-6,
            Integer,
        )
    else:
        part = cast(func.floor(func.extract("epoch", _RUN.c.due_at - bindparam("begin", start)) / width), Integer)
    counted = select(part.label("part"), _RUN.c.state, func.sum(_RUN.c.stands_for).label("runs"))
    within = counted.where(_RUN.c.due_at >= start, _RUN.c.due_at < until)
    found: list[dict[str, int]] = [{} for _ in range(parts)]
    for row in session.connection().execute(within.group_by(text("1"), _RUN.c.state)):
        found[min(max(row.part, 0), parts - 1)][row.state] = int(row.runs)
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class TaskLine:
    """What a picture needs of a task."""

    id: int
    name: str
    host: str
    schedule: Mapping[str, Any]
    schedule_words: str
    cursor_at: datetime
    #: Whether it starts by itself: it is enabled and there.
    is_on: bool


_LINE = select(
    *(_TASK.c[name] for name in ("id", "name", "host")),
    cast(_TASK.c.schedule, String).label("schedule"),
    *(_TASK.c[name] for name in ("schedule_words", "cursor_at", "enabled", "deleted_at")),
)


def list_lines(session: Session, task_ids: Sequence[int]) -> dict[int, TaskLine]:
    """Return what is drawn of tasks, deleted ones included."""
    chosen = _LINE.where(_TASK.c.id.in_(ids_select(session.get_bind().dialect.name)))
    return {row.id: _line(row) for row in session.connection().execute(chosen, {"ids": id_list(session, task_ids)})}


def list_enabled_lines(session: Session, limit: int) -> list[TaskLine]:
    """Return the enabled tasks, those that are due next first."""
    chosen = _LINE.where(_TASK.c.enabled, _TASK.c.deleted_at.is_(None), _TASK.c.next_due_at.is_not(None))
    return [
        _line(row)
        for row in session.connection().execute(chosen.order_by(_TASK.c.next_due_at, _TASK.c.id).limit(limit))
    ]


def list_named(session: Session, words: Sequence[str], limit: int) -> list[int]:
    """Return the tasks with all words in their names, by name."""
    chosen = select(_TASK.c.id).where(_TASK.c.deleted_at.is_(None))
    for word in words:
        chosen = chosen.where(_TASK.c.name.ilike(pattern(word), escape="\\"))
    return list(session.connection().execute(chosen.order_by(_TASK.c.name).limit(limit)).scalars())


def _line(row: Any) -> TaskLine:
    return TaskLine(
        id=row.id,
        name=row.name,
        host=row.host,
        schedule=decoded(row.schedule),
        schedule_words=row.schedule_words,
        cursor_at=row.cursor_at,
        is_on=bool(row.enabled) and row.deleted_at is None,
    )


def newest_change(session: Session) -> int:
    """Return the mark of the newest change of a task; moving on to the next moment is none."""
    return int(session.scalar(select(func.max(Task.change))) or 0)


def list_usual_seconds(session: Session, since: datetime, task_ids: Sequence[int] | None = None) -> dict[int, float]:
    """Return what the runs of tasks took on the average that succeeded on the days since a time."""
    day: Any = RunDay.__table__
    taken = select(day.c.task_id, func.sum(day.c.seconds) / func.sum(day.c.runs))
    chosen = taken.where(day.c.day >= since.date(), day.c.state == "succeeded", day.c.runs > 0)
    if task_ids is not None:
        chosen = chosen.where(day.c.task_id.in_(list(task_ids)))
    return {task: float(seconds) for task, seconds in session.connection().execute(chosen.group_by(day.c.task_id))}
