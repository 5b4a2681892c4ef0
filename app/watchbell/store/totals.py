"""Daily totals of runs, which outlive the runs themselves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Index, Select, and_, cast, delete, func, literal, or_, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import Date, Double, String

from watchbell.domain.run_state import FINAL
from watchbell.store.base import Base, ids_select
from watchbell.store.batch import Lookup
from watchbell.store.runs import Run

_FINAL = sorted(state.value for state in FINAL)


class RunDay(Base):
    """How many occurrences of a task, due on one day in UTC, ended in one state, and how long those took together."""

    __tablename__ = "run_day"
    __table_args__ = (Index("ix_run_day_task", "task_id", "day"),)

    day: Mapped[dt.date] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(primary_key=True)
    #: Rows, and the occurrences that they stand for.
    runs: Mapped[int] = mapped_column(default=0)
    occurrences: Mapped[int] = mapped_column(default=0)
    #: Seconds from the first start to the end, of those that were started: their sum, and the longest.
    seconds: Mapped[float] = mapped_column(default=0.0)
    longest_seconds: Mapped[float] = mapped_column(default=0.0)


_RUN: Any = Run.__table__
_DAY: Any = RunDay.__table__


def count_ended(session: Session, run_ids: Sequence[int]) -> None:
    """Add runs that have come to their final state in this transaction, each once, to the totals of their days.

    What is counted is read from their rows, so these have to be as they will stay.
    """
    if run_ids:
        _COUNT_ENDED.execute(session, run_ids)


def _upsert(dialect_name: str) -> Any:
    dialect: Any = sqlite if dialect_name == "sqlite" else postgresql
    chosen = _grouped(dialect_name).where(_RUN.c.id.in_(ids_select(dialect_name)))
    statement = dialect.insert(_DAY).from_select([column.name for column in _DAY.c], chosen)
    new = statement.excluded
    # The two-argument maximum has another name in each of the databases.
    greatest = func.max if dialect_name == "sqlite" else func.greatest
    added = {name: _DAY.c[name] + new[name] for name in ("runs", "occurrences", "seconds")}
    longest = greatest(_DAY.c.longest_seconds, new.longest_seconds)
    return statement.on_conflict_do_update(
        index_elements=list(_DAY.primary_key), set_={**added, "longest_seconds": longest}
    )


_COUNT_ENDED = Lookup(_upsert)


def _grouped(dialect_name: str) -> Select[Any]:
    """Return the query that computes totals, in the order of the table's columns, from the rows of runs."""
    if dialect_name == "sqlite":
        # A time is stored as a text in UTC that begins with its date.
        day: Any = func.substr(_RUN.c.due_at, 1, 10, type_=String())
        days: Any = func.julianday(_RUN.c.ended_at, type_=Double()) - func.julianday(_RUN.c.started_at, type_=Double())
        took: Any = days * 86_400.0
    else:
        day = cast(func.timezone("UTC", _RUN.c.due_at), Date())
        took = cast(func.extract("epoch", _RUN.c.ended_at - _RUN.c.started_at), Double())
    return select(
        day.label("day"),
        _RUN.c.task_id,
        _RUN.c.state,
        func.count().label("runs"),
        func.sum(_RUN.c.stands_for).label("occurrences"),
        func.coalesce(func.sum(took), 0.0).label("seconds"),
        func.coalesce(func.max(took), 0.0).label("longest_seconds"),
    ).group_by(text("1"), _RUN.c.task_id, _RUN.c.state)


def list_days(session: Session, *, since: dt.date, until: dt.date, task_id: int | None = None) -> Sequence[RunDay]:
    """Return the totals of the days from the first to the last, both included, oldest first."""
    statement = select(RunDay).where(RunDay.day >= since, RunDay.day <= until)
    if task_id is not None:
        statement = statement.where(RunDay.task_id == task_id)
    return session.scalars(statement.order_by(RunDay.day, RunDay.task_id, RunDay.state)).all()


def sum_occurrences(session: Session, since: dt.date) -> dict[str, int]:
    """Return how many occurrences that were due on a day or later have come to each final state."""
    statement = select(_DAY.c.state, func.sum(_DAY.c.occurrences)).where(_DAY.c.day >= since).group_by(_DAY.c.state)
    return {state: int(count) for state, count in session.connection().execute(statement)}


def sum_days(
    session: Session, since: dt.date, until: dt.date, task_id: int | None = None
) -> dict[dt.date, dict[str, int]]:
    """Return how many occurrences that were due on each day, both ends included, have come to each final state."""
    statement = select(_DAY.c.day, _DAY.c.state, func.sum(_DAY.c.occurrences)).where(_DAY.c.day.between(since, until))
    if task_id is not None:
        statement = statement.where(_DAY.c.task_id == task_id)
    found: dict[dt.date, dict[str, int]] = {}
    for day, state, count in session.connection().execute(statement.group_by(_DAY.c.day, _DAY.c.state)):
        found.setdefault(day, {})[state] = int(count)
    return found


def list_differences(session: Session, *, complete: bool, limit: int) -> Sequence[Any]:
    """Return where the totals contradict the runs that are there: day, task_id, state, counted and present rows.

    Totals may be higher than what is there, because runs are deleted, unless all of them are said to be there; then
    occurrences and seconds are compared as well.
    """
    there = _grouped(session.get_bind().dialect.name).where(_RUN.c.state.in_(_FINAL)).subquery()
    same = and_(_DAY.c.day == cast_day(session, there.c.day), _DAY.c.task_id == there.c.task_id)
    both = there.outerjoin(_DAY, and_(same, _DAY.c.state == there.c.state))
    counted = func.coalesce(_DAY.c.runs, 0)
    unlike = or_(
        _DAY.c.occurrences != there.c.occurrences,
        func.abs(_DAY.c.seconds - there.c.seconds) > 0.01 * there.c.runs + 0.001,
    )
    is_wrong = or_(counted < there.c.runs, and_(counted == there.c.runs, unlike))
    if complete:
        is_wrong = or_(is_wrong, counted != there.c.runs)
    statement = select(
        there.c.day, there.c.task_id, there.c.state, counted.label("counted"), there.c.runs.label("present")
    )
    found = session.connection().execute(statement.select_from(both).where(is_wrong).limit(limit)).all()
    if not complete:
        return found
    missing = select(
        _DAY.c.day, _DAY.c.task_id, _DAY.c.state, _DAY.c.runs.label("counted"), literal(0).label("present")
    )
    nothing = _DAY.outerjoin(there, and_(same, _DAY.c.state == there.c.state))
    rows = session.connection().execute(missing.select_from(nothing).where(there.c.runs.is_(None)).limit(limit)).all()
    return [*found, *rows]


def cast_day(session: Session, column: Any) -> Any:
    """Return the day of a subquery as the table's column compares it."""
    return column if session.get_bind().dialect.name == "sqlite" else cast(column, Date())


def delete_older(session: Session, day: dt.date, limit: int) -> int:
    """Delete up to so many totals of days before a day and return how many there were."""
    key = (_DAY.c.day, _DAY.c.task_id, _DAY.c.state)
    days = select(_DAY.c.day).where(_DAY.c.day < day).distinct().order_by(_DAY.c.day).limit(1)
    oldest = session.connection().execute(days).scalar_one_or_none()
    if oldest is None:
        return 0
    rows = session.connection().execute(select(*key).where(_DAY.c.day == oldest).limit(limit)).all()
    last = rows[-1]
    # All of the day, or as far as the last of the rows, in the order of the key.
    within = or_(_DAY.c.task_id < last.task_id, and_(_DAY.c.task_id == last.task_id, _DAY.c.state <= last.state))
    return int(session.connection().execute(delete(_DAY).where(_DAY.c.day == oldest, within)).rowcount)
