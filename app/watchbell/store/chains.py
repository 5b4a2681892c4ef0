"""Which task runs after which, and which ends of parents have come to a child that has several."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ForeignKey, Index, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from watchbell.store.base import Base, id_list, ids_select
from watchbell.store.runs import Run
from watchbell.store.tasks import ChangeMark, Task

#: How far the ends of runs have been followed: the number of the last event.
_MARK = "chain"


class TaskLink(Base):
    """A task that runs after another one."""

    __tablename__ = "task_link"
    __table_args__ = (Index("ix_task_link_parent", "parent_id"),)

    child_id: Mapped[int] = mapped_column(ForeignKey("task.id"), primary_key=True)
    parent_id: Mapped[int] = mapped_column(ForeignKey("task.id"), primary_key=True)
    #: One of domain.chains.On.
    on: Mapped[str] = mapped_column("on_end")
    #: The newest event when it was made: what was over then starts nothing.
    since: Mapped[int]


class ChainArrival(Base):
    """How a parent ended last, kept for a child that waits for others, too."""

    __tablename__ = "chain_arrival"
    __table_args__ = (Index("ix_chain_arrival_run", "run_id"),)

    child_id: Mapped[int] = mapped_column(ForeignKey("task.id"), primary_key=True)
    #: The group in which all its parents end; 0 for a child whose parents end in groups of their own.
    group_id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int] = mapped_column(ForeignKey("task.id"), primary_key=True)
    run_id: Mapped[int]
    #: As the run stood in its group; see Run.round.
    round: Mapped[int]
    state: Mapped[str]
    #: The run of the child that came of it, outside of groups: it counts for no other one.
    used_by: Mapped[int | None]


_ARRIVAL: Any = ChainArrival.__table__
_LINK: Any = TaskLink.__table__
_RUN: Any = Run.__table__


class Link(NamedTuple):
    """A link between two tasks that are not deleted."""

    child_id: int
    parent_id: int
    on: str
    since: int
    #: How the child joins its parents.
    join: str


def list_links(session: Session) -> Sequence[Link]:
    """Return all links between tasks that are not deleted, by child and parent."""
    parent = aliased(Task)
    statement = (
        select(TaskLink.child_id, TaskLink.parent_id, TaskLink.on, TaskLink.since, Task.join)
        .join(Task, Task.id == TaskLink.child_id)
        .join(parent, parent.id == TaskLink.parent_id)
        .where(Task.deleted_at.is_(None), parent.deleted_at.is_(None))
        .order_by(TaskLink.child_id, TaskLink.parent_id)
    )
    return [Link(*row) for row in session.connection().execute(statement)]


def has_links(session: Session) -> bool:
    """Return whether any task runs after another one."""
    return session.connection().execute(select(_LINK.c.child_id).limit(1)).first() is not None


def list_parents(session: Session, child_id: int) -> dict[int, str]:
    """Return the parents of a task, deleted ones included, and after which end of each it runs."""
    rows = session.connection().execute(
        select(_LINK.c.parent_id, _LINK.c.on_end).where(_LINK.c.child_id == child_id).order_by(_LINK.c.parent_id)
    )
    return {row.parent_id: row.on_end for row in rows}


def list_child_ids(session: Session, parent_id: int) -> Sequence[int]:
    """Return the ids of the tasks that run right after one, deleted ones included."""
    return session.scalars(
        select(TaskLink.child_id).where(TaskLink.parent_id == parent_id).order_by(TaskLink.child_id)
    ).all()


def put_links(session: Session, child_id: int, parents: Mapping[int, str], since: int) -> None:
    """Let a task run after these and no others; a link that stays keeps its beginning."""
    connection = session.connection()
    known = list_parents(session, child_id)
    gone = [parent for parent, on in known.items() if parents.get(parent) != on]
    if gone:
        chosen = (_LINK.c.child_id == child_id, _LINK.c.parent_id.in_(gone))
        connection.execute(delete(_LINK).where(*chosen))
    new = [parent for parent, on in parents.items() if known.get(parent) != on]
    if new:
        connection.execute(
            _LINK.insert(),
            [{"child_id": child_id, "parent_id": one, "on_end": parents[one], "since": since} for one in new],
        )
    if gone or new:
        # What was known of other parents says nothing about these.
        connection.execute(delete(_ARRIVAL).where(_ARRIVAL.c.child_id == child_id))


def followed(session: Session) -> int:
    """Return up to which event the ends of runs have been followed."""
    return int(session.scalar(select(ChangeMark.value).where(ChangeMark.name == _MARK)) or 0)


def set_followed(session: Session, event_id: int) -> None:
    """Note up to which event the ends of runs have been followed."""
    changed = session.connection().execute(update(ChangeMark).where(ChangeMark.name == _MARK).values(value=event_id))
    if changed.rowcount == 0:
        session.add(ChangeMark(name=_MARK, value=event_id))
        session.flush()


def put_arrival(session: Session, row: Mapping[str, Any]) -> None:
    """Keep how a parent ended, in place of how it did before."""
    connection = session.connection()
    keys = ("child_id", "group_id", "parent_id")
    connection.execute(delete(_ARRIVAL).where(*(_ARRIVAL.c[key] == row[key] for key in keys)))
    connection.execute(_ARRIVAL.insert().values(**row))


def list_arrivals(session: Session, child_id: int, group_id: int) -> Sequence[Any]:
    """Return how the parents of a child have ended in a group: parent_id, run_id, round, state, used_by."""
    statement = select(_ARRIVAL).where(_ARRIVAL.c.child_id == child_id, _ARRIVAL.c.group_id == group_id)
    return session.connection().execute(statement.order_by(_ARRIVAL.c.parent_id)).all()


def use_arrivals(session: Session, child_id: int, run_id: int) -> None:
    """Note that what has come to a child outside of groups has led to a run of it, and counts no more."""
    connection = session.connection()
    mine = (_ARRIVAL.c.child_id == child_id, _ARRIVAL.c.group_id == 0, _ARRIVAL.c.used_by.is_(None))
    connection.execute(update(_ARRIVAL).where(*mine).values(used_by=run_id))


def free_arrivals(session: Session, child_id: int, run_id: int) -> None:
    """Let what has led to a run of a child count once more, because one of its parents is repeated."""
    mine = (_ARRIVAL.c.child_id == child_id, _ARRIVAL.c.group_id == 0, _ARRIVAL.c.used_by == run_id)
    session.connection().execute(update(_ARRIVAL).where(*mine).values(used_by=None))


def forget_arrivals(session: Session, group_id: int, parent_ids: Collection[int]) -> None:
    """Forget how some parents have ended in a group: they are run again."""
    gone = delete(_ARRIVAL).where(_ARRIVAL.c.group_id == group_id)
    chosen = _ARRIVAL.c.parent_id.in_(ids_select(session.get_bind().dialect.name))
    session.connection().execute(gone.where(chosen), {"ids": id_list(session, sorted(parent_ids))})


class Ended(NamedTuple):
    """A run as its children look at it."""

    id: int
    task_id: int
    task_name: str
    state: str
    group_id: int | None
    round: int


def list_ended(session: Session, run_ids: Iterable[int]) -> dict[int, Ended]:
    """Return runs by their numbers."""
    columns = [_RUN.c[name] for name in Ended._fields]
    chosen = select(*columns).where(_RUN.c.id.in_(ids_select(session.get_bind().dialect.name)))
    rows = session.connection().execute(chosen, {"ids": id_list(session, sorted(set(run_ids)))})
    return {row.id: Ended(*row) for row in rows}


def newest_round(session: Session, group_id: int) -> int:
    """Return the highest round that a group has had."""
    return int(session.scalar(select(func.max(Run.round)).where(Run.group_id == group_id)) or 0)


def list_group(session: Session, group_id: int, limit: int) -> Sequence[Run]:
    """Return the runs of a group, its root first and the others as they were made."""
    root = session.get(Run, group_id)
    statement = select(Run).where(Run.group_id == group_id).order_by(Run.id).limit(limit)
    return [*([root] if root is not None else []), *session.scalars(statement)]


def has_group(session: Session, run_id: int) -> bool:
    """Return whether a run has begun a chain."""
    return session.connection().execute(select(_RUN.c.id).where(_RUN.c.group_id == run_id).limit(1)).first() is not None
