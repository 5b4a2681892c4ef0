"""The queries of the search over everything: tasks by their words, and the newest runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import String, case, cast, func, or_, select
from sqlalchemy.orm import Session

from watchbell.store.base import id_list, ids_select, pattern
from watchbell.store.runs import Run
from watchbell.store.tasks import Task

_TASK: Any = Task.__table__
_RUN: Any = Run.__table__
_SEARCHED = (
    *(_TASK.c.name, _TASK.c.command, _TASK.c.schedule_words, _TASK.c.comment),
    *(cast(_TASK.c.tags, String), cast(_TASK.c.steps, String)),
)
#: What a hit tells of a run.
RUN_COLUMNS = (_RUN.c.id, _RUN.c.task_id, _RUN.c.task_name, _RUN.c.state, _RUN.c.reason, _RUN.c.due_at, _RUN.c.ended_at)
_SHOWN = (
    *(_TASK.c.id, _TASK.c.name, _TASK.c.command, _TASK.c.schedule_words, _TASK.c.comment, _TASK.c.tags),
    *(_TASK.c.enabled, _TASK.c.steps, _TASK.c.schedule),
)


def find_tasks(session: Session, words: Sequence[str], limit: int) -> Sequence[Any]:
    """Return tasks that have all words in what they say, those that are called so first.

    The rows have id, name, command, schedule, schedule_words, comment, tags, steps and enabled.
    """
    statement = select(*_SHOWN).where(_TASK.c.deleted_at.is_(None))
    for word in words:
        statement = statement.where(or_(*(column.ilike(pattern(word), escape="\\") for column in _SEARCHED)))
    wanted = " ".join(words)
    small = func.lower(_TASK.c.name)
    nearness = case(
        (small == wanted, 0),
        (small.like(pattern(wanted)[1:], escape="\\"), 1),
        (small.like(pattern(words[0]) if words else "%", escape="\\"), 2),
        else_=3,
    )
    return session.connection().execute(statement.order_by(nearness, small, _TASK.c.id).limit(limit)).all()


def list_tasks(session: Session, task_ids: Sequence[int]) -> Sequence[Any]:
    """Return those of some tasks that are there, as rows of ``find_tasks``."""
    chosen = select(*_SHOWN).where(_TASK.c.id.in_(ids_select(session.get_bind().dialect.name)))
    return (
        session.connection()
        .execute(chosen.where(_TASK.c.deleted_at.is_(None)), {"ids": id_list(session, task_ids)})
        .all()
    )


def list_newest(session: Session, below: int | None, limit: int) -> Sequence[Any]:
    """Return the newest runs, below a number if one is given: id, task_name, state, due_at and ended_at."""
    statement = select(*RUN_COLUMNS).order_by(_RUN.c.id.desc()).limit(limit)
    if below is not None:
        statement = statement.where(_RUN.c.id < below)
    return session.connection().execute(statement).all()


def list_runs(session: Session, run_ids: Sequence[int]) -> Sequence[Any]:
    """Return those of some runs that are there, as rows of ``list_newest``."""
    chosen = select(*RUN_COLUMNS).where(_RUN.c.id.in_(ids_select(session.get_bind().dialect.name)))
    return session.connection().execute(chosen, {"ids": id_list(session, run_ids)}).all()
