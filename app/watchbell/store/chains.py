"""Which task runs after which, and which ends of parents have come to a child that has several."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ForeignKey, Index, Select, and_, delete, func, or_, select, text, update
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from watchbell.store import marks
from watchbell.store.base import Base, id_list, ids_select, read_moment
from watchbell.store.batch import Lookup
from watchbell.store.runs import ACTIVE_SQL, Run
from watchbell.store.tasks import Task

#: How far the ends of runs have been followed: the number of the last event.
_MARK = "chain"
#: For which change of tasks all that waits has been judged.
_REVIEWED = "chain_review"
OPEN_SQL = "used_by IS NULL"


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
    __table_args__ = (
        Index("ix_chain_arrival_run", "run_id"),
        Index(
            "ix_chain_arrival_open",
            "group_id",
            "child_id",
            sqlite_where=text(OPEN_SQL),
            postgresql_where=text(OPEN_SQL),
        ),
    )

    child_id: Mapped[int] = mapped_column(ForeignKey("task.id"), primary_key=True)
    #: The group in which all its parents end; 0 for a child whose parents end in groups of their own.
    group_id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int] = mapped_column(ForeignKey("task.id"), primary_key=True)
    run_id: Mapped[int]
    #: As the run stood in its group; see Run.round.
    round: Mapped[int]
    state: Mapped[str]
    #: The run of the child that came of it, outside of groups: it counts for no other one. 0 where it came to a row in its
    #: group, or of no run; None as long as the child waits.
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


class Gone(NamedTuple):
    """A link of which one task, or both, were deleted; chains that had begun before know it still."""

    child_id: int
    parent_id: int
    #: When the first of both was deleted.
    until: datetime


def list_gone(session: Session) -> Sequence[Gone]:
    """Return all links of deleted tasks, those that went last first."""
    child, parent = aliased(Task), aliased(Task)
    statement = (
        select(
            TaskLink.child_id, TaskLink.parent_id, child.deleted_at.label("child"), parent.deleted_at.label("parent")
        )
        .join(child, child.id == TaskLink.child_id)
        .join(parent, parent.id == TaskLink.parent_id)
        .where(or_(child.deleted_at.is_not(None), parent.deleted_at.is_not(None)))
    )
    rows = session.connection().execute(statement)
    found = [Gone(row.child_id, row.parent_id, min(filter(None, (row.child, row.parent)))) for row in rows]
    return sorted(found, key=lambda link: link.until, reverse=True)


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
        # How a parent ended while there was no such link says nothing. What has come by a link that is gone stays, uncounted:
        # it tells that the child waits, and in which group.
        earlier = (_ARRIVAL.c.child_id == child_id, _ARRIVAL.c.parent_id.in_(new))
        connection.execute(delete(_ARRIVAL).where(*earlier))


def followed(session: Session) -> int:
    """Return up to which event the ends of runs have been followed."""
    return marks.get(session, _MARK)


def set_followed(session: Session, event_id: int) -> None:
    """Note up to which event the ends of runs have been followed."""
    marks.put(session, _MARK, event_id)


def reviewed(session: Session) -> int:
    """Return for which change of tasks all that waits has been judged."""
    return marks.get(session, _REVIEWED)


def set_reviewed(session: Session, change: int) -> None:
    """Note for which change of tasks all that waits has been judged."""
    marks.put(session, _REVIEWED, change)


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


def use_arrivals(session: Session, child_id: int, group_id: int, run_id: int) -> None:
    """Note that what has come to a child in a group, or outside of groups, has led to a run of it; outside it counts no more."""
    connection = session.connection()
    mine = (_ARRIVAL.c.child_id == child_id, _ARRIVAL.c.group_id == group_id, _ARRIVAL.c.used_by.is_(None))
    connection.execute(update(_ARRIVAL).where(*mine).values(used_by=run_id))


_ANY_OPEN = select(_ARRIVAL.c.child_id).where(text(OPEN_SQL)).limit(1)


def has_open(session: Session) -> bool:
    """Return whether any child waits for further parents."""
    return session.connection().execute(_ANY_OPEN).first() is not None


def list_open(session: Session, group_ids: Collection[int] | None = None) -> Sequence[Any]:
    """Return all that has come to the children that wait, in some groups or anywhere; see ``list_arrivals``."""
    waiting = select(_ARRIVAL.c.child_id, _ARRIVAL.c.group_id).where(text(OPEN_SQL)).distinct()
    given = {}
    if group_ids is not None:
        waiting = waiting.where(_ARRIVAL.c.group_id.in_(ids_select(session.get_bind().dialect.name)))
        given["ids"] = id_list(session, sorted(group_ids))
    pairs = waiting.subquery()
    is_of = and_(_ARRIVAL.c.child_id == pairs.c.child_id, _ARRIVAL.c.group_id == pairs.c.group_id)
    statement = select(_ARRIVAL).select_from(pairs.join(_ARRIVAL, is_of))
    order = (_ARRIVAL.c.group_id, _ARRIVAL.c.child_id, _ARRIVAL.c.parent_id)
    return session.connection().execute(statement.order_by(*order), given).all()


def move_arrival(session: Session, row: Any, group_id: int) -> None:
    """Let what has come to a child outside of groups count within one, unless something newer did already."""
    connection = session.connection()
    keys = (_ARRIVAL.c.child_id == row.child_id, _ARRIVAL.c.parent_id == row.parent_id)
    there = connection.execute(select(_ARRIVAL.c.run_id).where(*keys, _ARRIVAL.c.group_id == group_id)).scalar()
    connection.execute(delete(_ARRIVAL).where(*keys, _ARRIVAL.c.group_id == row.group_id))
    if there is None or there < row.run_id:
        put_arrival(session, {**row._mapping, "group_id": group_id})


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
    created_at: datetime


def _ended_statement(dialect_name: str) -> Select[Any]:
    return select(*(_RUN.c[name] for name in Ended._fields)).where(_RUN.c.id.in_(ids_select(dialect_name)))


_LIST_ENDED = Lookup(_ended_statement)


def list_ended(session: Session, run_ids: Iterable[int]) -> dict[int, Ended]:
    """Return runs by their numbers."""
    rows = _LIST_ENDED.execute(session, sorted(set(run_ids)))
    return {row[0]: Ended._make([*row[:-1], read_moment(row[-1])]) for row in rows}


def list_active_tasks(session: Session, group_ids: Collection[int]) -> dict[int, set[int]]:
    """Return the tasks of which runs go on or wait in some groups; groups without one are left out."""
    some = ids_select(session.get_bind().dialect.name)
    members = select(_RUN.c.group_id.label("name"), _RUN.c.task_id).where(text(ACTIVE_SQL), _RUN.c.group_id.in_(some))
    roots = select(_RUN.c.id.label("name"), _RUN.c.task_id).where(text(ACTIVE_SQL), _RUN.c.id.in_(some))
    found: dict[int, set[int]] = {}
    given = {"ids": id_list(session, sorted(group_ids))}
    for row in session.connection().execute(members.union_all(roots), given):
        found.setdefault(row.name, set()).add(row.task_id)
    return found


def list_newest(session: Session, group_id: int, task_ids: Collection[int]) -> dict[int, int]:
    """Return the newest run of some tasks in a group, by task; those without one are left out."""
    some = _RUN.c.task_id.in_(ids_select(session.get_bind().dialect.name))
    chosen = select(_RUN.c.task_id, func.max(_RUN.c.id).label("newest"))
    statement = chosen.where(or_(_RUN.c.group_id == group_id, _RUN.c.id == group_id), some).group_by(_RUN.c.task_id)
    rows = session.connection().execute(statement, {"ids": id_list(session, sorted(task_ids))})
    return {row.task_id: row.newest for row in rows}


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
