"""Tasks and their revisions: what to run and when, and every query about it."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ForeignKey,
    Index,
    Select,
    String,
    UniqueConstraint,
    and_,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.domain.short_memory import remembers
from watchbell.store.base import Base, can_hold, id_list, ids_select, pattern


class Task(Base):
    """What to run and when; the definition in force."""

    __tablename__ = "task"
    __table_args__ = (
        Index(
            "uq_task_name_alive",
            "name",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("ix_task_change", "change"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    #: Rises with every edit of the definition; a run names the version that it ran.
    version: Mapped[int] = mapped_column(default=1)
    enabled: Mapped[bool] = mapped_column(default=True)
    #: Empty for a task of steps.
    command: Mapped[str]
    #: What domain.steps.Step.to_json made of the steps; empty for a task with a command.
    steps: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    directory: Mapped[str | None]
    environment: Mapped[dict[str, Any]] = mapped_column(default=dict)
    #: The names of the sets of variables that it takes over, and what they say, as domain.environment_sets has both.
    environment_sets: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    set_variables: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    #: What domain.parameters.Parameter.to_json made of the parameters, and named sets of values.
    parameters: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    parameter_sets: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    #: What domain.schedule.to_json made of the schedule.
    schedule: Mapped[dict[str, Any]]
    schedule_words: Mapped[str] = mapped_column(default="")
    zone: Mapped[str]
    #: What domain.policies.Policies.to_json made of the policies.
    policies: Mapped[dict[str, Any]]
    tags: Mapped[list[Any]] = mapped_column(default=list)
    comment: Mapped[str] = mapped_column(default="")
    #: What to do about it, in Markdown, and where more can be found.
    runbook: Mapped[str] = mapped_column(default="", server_default=text("''"))
    links: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    #: What domain.chains.After.to_json made of the tasks that it runs after, by their names; store.chains has them by id.
    after: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    join: Mapped[str] = mapped_column(default="all", server_default="all")
    owner: Mapped[str] = mapped_column(default="")
    #: The name of a team; empty for none.
    team: Mapped[str] = mapped_column(default="", server_default=text("''"))
    host: Mapped[str] = mapped_column(default="")
    #: The last nominal moment that has become a row; occurrences after it are still to come.
    cursor_at: Mapped[datetime]
    #: The next moment as the scheduler last computed it; for lists only, never for decisions.
    next_due_at: Mapped[datetime | None]
    #: Value of the change mark at the last change, by which a scheduler finds what is new.
    change: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(default="")
    updated_at: Mapped[datetime]
    updated_by: Mapped[str] = mapped_column(default="")
    deleted_at: Mapped[datetime | None]


class TaskRevision(Base):
    """The definition that a version had; runs refer to it, so an edit never changes what a run was."""

    __tablename__ = "task_revision"
    __table_args__ = (UniqueConstraint("task_id", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"))
    version: Mapped[int]
    definition: Mapped[dict[str, Any]]
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(default="")


class ChangeMark(Base):
    """A counter that rises with every change of a kind, in the transaction that makes the change."""

    __tablename__ = "change_mark"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(default=0)


def next_change(session: Session) -> int:
    """Raise the mark of task changes and return it; the row's lock makes its order the order of commits."""
    dialect: Any = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    statement = dialect.insert(ChangeMark).values(name="task", value=1)
    statement = statement.on_conflict_do_update(
        index_elements=[ChangeMark.name], set_={"value": ChangeMark.value + 1}
    ).returning(ChangeMark.value)
    return int(session.execute(statement).scalar_one())


def find_task(session: Session, task_id: int, *, deleted: bool = False) -> Task | None:
    """Return a task by id, or None; a deleted one only if asked for."""
    task = session.get(Task, task_id) if can_hold(task_id) else None
    if task is None or (task.deleted_at is not None and not deleted):
        return None
    return task


def lock_task(session: Session, task_id: int) -> Task | None:
    """Return a task that is not deleted, or None; whoever else asks so waits until this transaction is over."""
    if not can_hold(task_id):
        return None
    # On the embedded database every writer waits for every other one anyway.
    statement = select(Task).where(Task.id == task_id, Task.deleted_at.is_(None)).with_for_update()
    return session.scalars(statement).one_or_none()


def find_task_by_name(session: Session, name: str) -> Task | None:
    """Return the task of that name that is not deleted, or None."""
    statement = select(Task).where(Task.name == name, Task.deleted_at.is_(None))
    return session.scalars(statement).one_or_none() if can_hold(name) else None


class PlannedTask(NamedTuple):
    """What a plan needs of a task. Equal schedules, policies and environments are one object, which nobody changes."""

    id: int
    name: str
    version: int
    enabled: bool
    command: str
    directory: str | None
    zone: str
    host: str
    cursor_at: datetime
    change: int
    deleted_at: datetime | None
    schedule: Mapping[str, Any]
    policies: Mapping[str, Any]
    environment: Mapping[str, Any]
    environment_sets: Sequence[Any]
    set_variables: Mapping[str, Any]
    steps: Sequence[Any]
    parameters: Sequence[Any]


_READ_AS_TEXT = ("schedule", "policies", "environment", "environment_sets", "set_variables", "steps", "parameters")
_PLANNED: Any = select(
    *(getattr(Task, name) for name in PlannedTask._fields if name not in _READ_AS_TEXT),
    *(cast(getattr(Task, name), String) for name in _READ_AS_TEXT),
)


@remembers(4096, len)
def decoded(text: str) -> Any:
    """Read a stored text and keep what it says, which nobody may change."""
    return json.loads(text)


def list_changed_tasks(session: Session, since: int) -> Sequence[PlannedTask]:
    """Return all tasks, deleted ones included, that changed after a change mark, in the order of their changes.

    A scheduler reads all of them at its start, however many there are: no objects with a state, and no text read twice.
    """
    rows = session.connection().execute(_PLANNED.where(Task.change > since).order_by(Task.change))
    plain = -len(_READ_AS_TEXT)
    return [PlannedTask(*row[:plain], *map(decoded, row[plain:])) for row in rows]


def list_ahead(session: Session, moment: datetime) -> Sequence[Task]:
    """Return the enabled tasks whose rows reach beyond a moment, as after a clock was set back to it."""
    return session.scalars(
        select(Task).where(Task.cursor_at > moment, Task.enabled, Task.deleted_at.is_(None)).order_by(Task.id)
    ).all()


#: The state of a task's newest run; its index leads to it at once, so that no column has to be kept up with every run.
LAST_STATE: Any = literal_column("(SELECT run.state FROM run WHERE run.task_id = task.id ORDER BY run.id DESC LIMIT 1)")


def filtered(
    statement: Select[Any],
    *,
    search: str = "",
    enabled: bool | None = None,
    owner: str | None = None,
    team: str | None = None,
    mine: tuple[str, Sequence[str]] | None = None,
    host: str | None = None,
    tag: str | None = None,
    queue: str | None = None,
    outcomes: Sequence[str | None] | None = None,
    ids: Sequence[int] | None = None,
    deleted: bool = False,
) -> Select[Any]:
    """Return a query of tasks for those that a list shows; the filters are those of ``list_tasks``."""
    if not deleted:
        statement = statement.where(Task.deleted_at.is_(None))
    if ids is not None:
        statement = statement.where(Task.id.in_(ids))
    if outcomes is not None:
        statement = statement.where(func.coalesce(LAST_STATE, "").in_([outcome or "" for outcome in outcomes]))
    if queue is not None:
        # A task that was stored by an earlier version says nothing about it.
        statement = statement.where(func.coalesce(Task.policies["queue"].as_string(), "default") == queue)
    if tag is not None:
        statement = statement.where(_has_tag(tag))
    if host is not None:
        statement = statement.where(func.lower(Task.host) == host.lower())
    if enabled is not None:
        statement = statement.where(Task.enabled.is_(enabled))
    if owner is not None:
        statement = statement.where(func.lower(Task.owner) == owner.lower())
    if team is not None:
        statement = statement.where(func.lower(Task.team) == team.lower())
    if mine is not None:
        statement = statement.where(or_(func.lower(Task.owner) == mine[0].lower(), Task.team.in_(mine[1])))
    for word in search.split()[:8]:
        texts = (Task.name, Task.command, Task.schedule_words, Task.owner, Task.team, Task.comment)
        columns = (*texts, cast(Task.tags, String), cast(Task.steps, String))
        statement = statement.where(or_(*(column.ilike(pattern(word), escape="\\") for column in columns)))
    return statement


def _has_tag(tag: str) -> Any:
    """Return the condition of the tasks that have a tag, or one that lies in it."""
    stored, quoted = cast(Task.tags, String), json.dumps(tag)
    # A member stands in the stored list between quotes, and no member can hold an unescaped one: what begins with a quote
    # behind a bracket, a comma or a blank is the beginning of a member.
    begins = [f"{before}{quoted[:-1]}/" for before in ("[", ",", " ")]
    return or_(*(func.replace(stored, text, "") != stored for text in (quoted, *begins)))


#: What a list may be sorted by.
SORTS = {
    "name": Task.name,
    "enabled": Task.enabled,
    "next": Task.next_due_at,
    "schedule": Task.schedule_words,
    "owner": Task.owner,
    "id": Task.id,
}


def list_ids_by_name(session: Session, name: str) -> Sequence[int]:
    """Return the ids of all tasks that have, or had when they were deleted, that name."""
    return session.scalars(select(Task.id).where(Task.name == name)).all() if can_hold(name) else []


def list_ids_of_command(session: Session, command: str, limit: int) -> Sequence[int]:
    """Return the ids of some tasks that are not deleted and run exactly this, the newest first."""
    chosen = select(Task.id).where(Task.command == command, Task.deleted_at.is_(None))
    return session.scalars(chosen.order_by(Task.id.desc()).limit(limit)).all() if can_hold(command) else []


def list_tasks(
    session: Session,
    *,
    sort: str = "name",
    descending: bool = False,
    limit: int | None = None,
    offset: int = 0,
    after: tuple[Any, str, int] | None = None,
    **filters: Any,
) -> Sequence[Task]:
    """Return the tasks that are not deleted, filtered and sorted by one of SORTS and then by name.

    The filters are search (words), enabled, owner, team, mine (an owner and teams), host, tag (a whole one, or one in which it lies), queue, outcomes (states of the newest run, None
    for no run), ids, and whether deleted ones count, too. ``after`` is the place of the last task of the page before: its
    value of the column, name and id.
    """
    column = SORTS[sort]
    order = column.desc() if descending else column.asc()
    statement = filtered(select(Task), **filters)
    if after is not None:
        statement = statement.where(_is_behind(column, descending, *after))
    placed = (order.nulls_last(), Task.name, Task.id)
    if limit is None:
        return session.scalars(statement.order_by(*placed).offset(offset)).all()
    # What is sorted is what the order is made of: whole rows would be carried along, however few of them are wanted.
    few = statement.with_only_columns(Task.id).order_by(*placed).offset(offset).limit(limit)
    return session.scalars(select(Task).where(Task.id.in_(few)).order_by(*placed)).all()


def _is_behind(column: Any, descending: bool, value: Any, name: str, task_id: int) -> Any:
    """Return the condition of what comes after a place in the order of a list, in which nothing comes last."""
    same = tuple_(Task.name, Task.id) > tuple_(literal(name), literal(task_id))
    if value is None:
        return and_(column.is_(None), same)
    # As a parameter of the column's type, since a plain truth value can be compared for equality only.
    bound = literal(value, column.type)
    further = column < bound if descending else column > bound
    return or_(further, column.is_(None), and_(column == bound, same))


def count_tasks(session: Session, **filters: Any) -> int:
    """Return how many tasks a list with these filters has; they are those of ``list_tasks``."""
    statement = filtered(select(func.count(Task.id)), **filters)
    return int(session.scalar(statement) or 0)


def count_charged(session: Session, name: str, others: Sequence[str]) -> int:
    """Return how many tasks count for an account: those that it owns, and that it made if none of some others owns them."""
    owner = func.lower(Task.owner)
    made = and_(Task.created_by == name, owner.not_in(others))
    statement = filtered(select(func.count(Task.id))).where(or_(owner == name.lower(), made))
    return int(session.scalar(statement) or 0)


def list_ids(session: Session, **filters: Any) -> Sequence[int]:
    """Return the ids of the tasks of a list with these filters, which are those of ``list_tasks``."""
    return session.scalars(filtered(select(Task.id), **filters).order_by(Task.id)).all()


def list_names(session: Session, limit: int, **filters: Any) -> dict[int, str]:
    """Return the names of the tasks of a list by their ids, in the order of the names, up to so many."""
    statement: Any = select(Task.id, Task.name)
    rows = session.connection().execute(filtered(statement, **filters).order_by(Task.name, Task.id).limit(limit))
    return {row.id: row.name for row in rows}


def find_revision(session: Session, task_id: int, version: int) -> TaskRevision | None:
    """Return the definition that a version had, or None."""
    return session.scalars(
        select(TaskRevision).where(TaskRevision.task_id == task_id, TaskRevision.version == version)
    ).one_or_none()


def list_revisions(session: Session, task_id: int) -> Sequence[TaskRevision]:
    """Return all definitions that a task has had, the first one first."""
    statement = select(TaskRevision).where(TaskRevision.task_id == task_id).order_by(TaskRevision.version)
    return session.scalars(statement).all()


def list_newest_revisions(
    session: Session, task_id: int, limit: int, before: int | None = None
) -> Sequence[TaskRevision]:
    """Return the definitions that a task has had, of versions before one if it is given, the newest first."""
    statement = select(TaskRevision).where(TaskRevision.task_id == task_id)
    if before is not None:
        statement = statement.where(TaskRevision.version < before)
    return session.scalars(statement.order_by(TaskRevision.version.desc()).limit(limit)).all()


def list_by_ids(session: Session, ids: Sequence[int]) -> Sequence[Task]:
    """Return those of some tasks that are there and not deleted, by id."""
    chosen = _by_ids(session.get_bind().dialect.name)
    return session.scalars(chosen, {"ids": id_list(session, ids)}).all()


@functools.cache
def _by_ids(dialect_name: str) -> Select[Any]:
    return select(Task).where(Task.id.in_(ids_select(dialect_name)), Task.deleted_at.is_(None)).order_by(Task.id)


def list_deleted(session: Session, moment: datetime) -> Sequence[int]:
    """Return which tasks were deleted at one moment, by id."""
    return session.scalars(select(Task.id).where(Task.deleted_at == moment).order_by(Task.id)).all()


def list_enabled(session: Session, task_ids: Sequence[int]) -> set[int]:
    """Return which of the given tasks are enabled and not deleted."""
    chosen = select(Task.id).where(Task.id.in_(task_ids), Task.enabled, Task.deleted_at.is_(None))
    return set(session.scalars(chosen))
