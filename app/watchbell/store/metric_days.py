"""What the numbers of each task's runs came to on each day; it outlives the runs."""

from __future__ import annotations

import datetime as dt
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Index, LargeBinary, delete, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.domain.tally import Tally
from watchbell.store.base import Base


class MetricDay(Base):
    """The tallies of one task's runs that were due on one day in UTC, by the names of their metrics."""

    __tablename__ = "metric_day"
    __table_args__ = (Index("ix_metric_day_day", "day"),)

    task_id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[dt.date] = mapped_column(primary_key=True)
    runs: Mapped[int]
    #: The tallies as _packed makes them: a text that only Python reads is a fifth of its size when it is squeezed.
    tallies: Mapped[bytes] = mapped_column(LargeBinary)


_DAY: Any = MetricDay.__table__
#: The key of a row: task and day.
Key = tuple[int, dt.date]


def add(session: Session, added: Mapping[Key, tuple[int, Mapping[str, Tally]]]) -> None:
    """Add runs, as how many they are and their tallies, to the days of their tasks."""
    if not added:
        return
    connection = session.connection()
    wanted = select(_DAY).where(tuple_(_DAY.c.task_id, _DAY.c.day).in_(list(added)))
    there = {(row.task_id, row.day): (row.runs, unpacked(row.tallies)) for row in connection.execute(wanted)}
    rows = []
    for key, (runs, tallies) in added.items():
        earlier, known = there.get(key, (0, {}))
        joined = {**known, **{name: known[name].joined(new) if name in known else new for name, new in tallies.items()}}
        rows.append({"task_id": key[0], "day": key[1], "runs": earlier + runs, "tallies": packed(joined)})
    dialect: Any = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    statement = dialect.insert(_DAY)
    new = {name: statement.excluded[name] for name in ("runs", "tallies")}
    connection.execute(statement.on_conflict_do_update(index_elements=list(_DAY.primary_key), set_=new), rows)


def list_days(
    session: Session, *, since: dt.date, until: dt.date, task_ids: Sequence[int] | None = None
) -> Sequence[MetricDay]:
    """Return the rows of the days from the first to the last, both included, oldest first."""
    statement = select(MetricDay).where(MetricDay.day >= since, MetricDay.day <= until)
    if task_ids is not None:
        statement = statement.where(MetricDay.task_id.in_(task_ids))
    return session.scalars(statement.order_by(MetricDay.day, MetricDay.task_id)).all()


def delete_older(session: Session, day: dt.date, limit: int) -> int:
    """Delete up to so many rows of days before a day and return how many there were."""
    key = tuple_(_DAY.c.task_id, _DAY.c.day)
    old = select(_DAY.c.task_id, _DAY.c.day).where(_DAY.c.day < day).order_by(_DAY.c.day).limit(limit)
    return int(session.connection().execute(delete(_DAY).where(key.in_(old))).rowcount)


def packed(tallies: Mapping[str, Tally]) -> bytes:
    """Return tallies as they are stored; one whose values were all the same is just their number and the value."""
    plain = {
        name: [t.number, t.low] if t.low == t.high else [t.number, t.total, t.squares, t.low, t.high]
        for name, t in tallies.items()
    }
    return zlib.compress(json.dumps(plain, separators=(",", ":")).encode())


def unpacked(data: bytes) -> dict[str, Tally]:
    """Return tallies that were stored."""
    return {name: _tally(*numbers) for name, numbers in json.loads(zlib.decompress(data)).items()}


def _tally(number: int, value: float, *others: float) -> Tally:
    return Tally(number, value, *others) if others else Tally(number, value * number, value**2 * number, value, value)
