"""Finding and deleting what is older than it is to be kept; each function touches a bounded number of rows.

What may go is decided in services.retention. Nothing here deletes a run that is not over.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import String, and_, cast, delete, exists, func, or_, select, text, tuple_, update
from sqlalchemy.orm import Session

from watchbell.domain.run_state import ACTIVE
from watchbell.errors import ConfigError
from watchbell.store.accounts import LoginLink, LoginSession
from watchbell.store.alerts import Alert
from watchbell.store.base import Base, id_list, ids_select
from watchbell.store.chains import ChainArrival
from watchbell.store.events import Outbox
from watchbell.store.failures import Failure
from watchbell.store.heartbeats import Heartbeat, Scheduler
from watchbell.store.incidents import Incident
from watchbell.store.runs import ACTIVE_SQL, Attempt, Output, Run, RunEvent
from watchbell.store.session import Database
from watchbell.store.steps import AttemptStep
from watchbell.store.tasks import Task, decoded
from watchbell.store.verdicts import RunExpected, RunVerdict

_ACTIVE = sorted(state.value for state in ACTIVE)


@dataclasses.dataclass(frozen=True, slots=True)
class Keeping:
    """A task, deleted ones included, and what it says itself about how long its runs are kept."""

    task_id: int
    days: int | None
    runs: int | None
    deleted_at: datetime | None = None


def list_keeping(session: Session, after: int, limit: int) -> list[Keeping]:
    """Return the tasks after an id that have runs, in the order of their ids."""
    first = select(func.min(Run.task_id).label("task_id")).where(Run.task_id > after)
    walk = first.cte("walk", recursive=True)
    # From one task to the next along the index, over all the runs in between and all the tasks that have none.
    following = select(func.min(Run.task_id)).where(Run.task_id > walk.c.task_id).scalar_subquery()
    walk = walk.union_all(select(following).where(walk.c.task_id.is_not(None)))
    connection = session.connection()
    ids = [row[0] for row in connection.execute(select(walk.c.task_id).limit(limit)) if row[0] is not None]
    # As a text, because most tasks have the same one, which is then read once.
    wanted = Task.id.in_(ids_select(session.get_bind().dialect.name))
    statement = select(Task.id, cast(Task.policies, String), Task.deleted_at).where(wanted).order_by(Task.id)
    found = []
    for task_id, policies, deleted_at in connection.execute(statement, {"ids": id_list(session, ids)}):
        said = decoded(policies)
        found.append(Keeping(task_id, said.get("keep_days"), said.get("keep_runs"), deleted_at))
    return found


def oldest_runs(session: Session, task_ids: Sequence[int]) -> Mapping[int, datetime]:
    """Return when the oldest run of each of the tasks was made; tasks without one are left out."""
    dialect = session.get_bind().dialect.name
    oldest = select(func.min(Run.id)).where(Run.task_id == Task.id).scalar_subquery()
    chosen = select(oldest).where(Task.id.in_(ids_select(dialect)))
    rows = session.execute(
        select(Run.task_id, Run.created_at).where(Run.id.in_(chosen)), {"ids": id_list(session, task_ids)}
    )
    return {row.task_id: row.created_at for row in rows}


def newest_but(session: Session, task_ids: Sequence[int], number: int) -> dict[int, int]:
    """Return, for each of the tasks that has more runs than a number, the id of the newest one beyond them."""
    dialect = session.get_bind().dialect.name
    beyond = (
        select(Run.id)
        .where(Run.task_id == Task.id)
        .order_by(Run.id.desc())
        .limit(1)
        .offset(number)
        .correlate(Task)
        .scalar_subquery()
    )
    rows = session.execute(
        select(Task.id, beyond).where(Task.id.in_(ids_select(dialect))), {"ids": id_list(session, task_ids)}
    )
    return {task_id: run_id for task_id, run_id in rows if run_id is not None}


def list_oldest(session: Session, task_id: int, after: int, limit: int) -> Sequence[Any]:
    """Return a task's runs after an id, oldest first: id, state, decision, created_at and ended_at."""
    statement = (
        select(Run.id, Run.state, Run.decision, Run.created_at, Run.ended_at)
        .where(Run.task_id == task_id, Run.id > after)
        .order_by(Run.id)
        .limit(limit)
    )
    return session.execute(statement).all()


@dataclasses.dataclass(frozen=True, slots=True)
class Deleted:
    """What a transaction has deleted: runs, and the files that nothing names any more."""

    runs: int
    files: Sequence[str]


def delete_runs(session: Session, run_ids: Sequence[int]) -> Deleted:
    """Delete runs with all that belongs to them; those that are not over, or wait for a decision, stay as they are."""
    connection = session.connection()
    dialect = session.get_bind().dialect.name
    is_over = and_(Run.state.not_in(_ACTIVE), or_(Run.decision.is_(None), Run.decision != "open"))
    chosen = select(Run.id).where(Run.id.in_(ids_select(dialect)), is_over)
    ids = [row.id for row in connection.execute(chosen, {"ids": id_list(session, run_ids)})]
    given = {"ids": id_list(session, ids)}
    attempts = select(Attempt.id).where(Attempt.run_id.in_(ids_select(dialect)))
    mine = Output.attempt_id.in_(attempts)
    files = [row.file for row in connection.execute(select(Output.file).where(mine, Output.file.is_not(None)), given)]
    # Children first, as the foreign keys want it.
    connection.execute(delete(Output).where(mine), given)
    connection.execute(delete(AttemptStep).where(AttemptStep.attempt_id.in_(attempts)), given)
    for model in (RunVerdict, RunExpected, Failure, Alert, ChainArrival):
        connection.execute(delete(model).where(model.run_id.in_(ids_select(dialect))), given)
    connection.execute(delete(Attempt).where(Attempt.run_id.in_(ids_select(dialect))), given)
    connection.execute(delete(RunEvent).where(RunEvent.run_id.in_(ids_select(dialect))), given)
    connection.execute(delete(Run).where(Run.id.in_(ids_select(dialect))), given)
    return Deleted(len(ids), files)


def delete_tasks(session: Session, before: datetime, limit: int) -> int:
    """Delete up to so many of the tasks that were deleted before a time and have no runs any more.

    What refers to them goes with them: their versions, mutes, and alert rules for one of them alone.
    """
    has_runs = exists().where(Run.task_id == Task.id)
    chosen = select(Task.id).where(Task.deleted_at <= before, ~has_runs).order_by(Task.id).limit(limit)
    ids = list(session.scalars(chosen))
    if not ids:
        return 0
    given = {"ids": id_list(session, ids)}
    some = ids_select(session.get_bind().dialect.name)
    connection = session.connection()
    for table in reversed(Base.metadata.sorted_tables):
        for column in table.columns:
            if column.references(Task.__table__.c.id) and table is not Run.__table__:
                connection.execute(delete(table).where(column.in_(some)), given)
    connection.execute(delete(Task).where(Task.id.in_(some)), given)
    return len(ids)


def delete_outbox(session: Session, before: datetime, limit: int) -> int:
    """Delete up to so many of the oldest events that are older than a time."""
    oldest = select(Outbox.id, Outbox.at).order_by(Outbox.id).limit(limit).subquery()
    return _delete(session, Outbox, Outbox.id.in_(select(oldest.c.id).where(oldest.c.at < before)))


def delete_heartbeats(session: Session, before: datetime, limit: int) -> int:
    """Delete up to so many heartbeats that are older than a time."""
    old = select(Heartbeat.id).where(Heartbeat.at < before).order_by(Heartbeat.at).limit(limit)
    return _delete(session, Heartbeat, Heartbeat.id.in_(old))


def delete_lives(session: Session, before: datetime, limit: int) -> int:
    """Delete lives of schedulers that have been silent since a time; the newest stays, and those that hold a run.

    The attempts of older runs go on naming the life that made them, by a text that may then lead nowhere.
    """
    newest = select(func.max(Scheduler.started_at)).scalar_subquery()
    holds = exists().where(text(ACTIVE_SQL), Run.holder == Scheduler.incarnation)
    beats = exists().where(Heartbeat.incarnation == Scheduler.incarnation)
    old = (
        select(Scheduler.incarnation)
        .where(Scheduler.beat_at < before, Scheduler.started_at < newest, ~holds, ~beats)
        .limit(limit)
    )
    return _delete(session, Scheduler, Scheduler.incarnation.in_(old))


def delete_incidents(session: Session, before: datetime, limit: int) -> int:
    """Delete up to so many incidents that are older than a time."""
    old = select(Incident.id).where(Incident.at < before).order_by(Incident.at).limit(limit)
    return _delete(session, Incident, Incident.id.in_(old))


def delete_logins(session: Session, before: datetime, limit: int) -> int:
    """Delete sessions and links of accounts that have been over since a time."""
    over = or_(LoginSession.expires_at < before, LoginSession.ended_at < before)
    sessions = select(LoginSession.id).where(over).limit(limit)
    links = select(LoginLink.token_hash).where(LoginLink.expires_at < before).limit(limit)
    return _delete(session, LoginSession, LoginSession.id.in_(sessions)) + _delete(
        session, LoginLink, LoginLink.token_hash.in_(links)
    )


def _delete(session: Session, model: Any, condition: Any) -> int:
    return int(session.connection().execute(delete(model).where(condition)).rowcount)


#: Name of a kept output: run, number of the attempt, stream.
FileKey = tuple[int, int, str]


def list_named_files(session: Session, keys: Sequence[FileKey]) -> dict[str, FileKey]:
    """Return the files that the outputs of these attempts name."""
    wanted = {(run, number) for run, number, _stream in keys}
    rows = session.execute(
        select(Output.file, Attempt.run_id, Attempt.number, Output.stream)
        .join(Attempt, Attempt.id == Output.attempt_id)
        .where(tuple_(Attempt.run_id, Attempt.number).in_(sorted(wanted)), Output.file.is_not(None))
    )
    return {row.file: (row.run_id, row.number, row.stream) for row in rows if row.file is not None}


def list_active(session: Session, run_ids: Sequence[int]) -> set[int]:
    """Return which of the runs are not over."""
    statement = select(Run.id).where(text(ACTIVE_SQL), Run.id.in_(ids_select(session.get_bind().dialect.name)))
    return set(session.scalars(statement, {"ids": id_list(session, run_ids)}))


def give_up_file(session: Session, key: FileKey) -> bool:
    """Make an output that names a file one of which nothing is kept; return whether there was one."""
    run_id, number, stream = key
    attempt = select(Attempt.id).where(Attempt.run_id == run_id, Attempt.number == number).scalar_subquery()
    changed = session.connection().execute(
        update(Output)
        .where(Output.attempt_id == attempt, Output.stream == stream, Output.file.is_not(None))
        .values(file=None, content=None)
    )
    return bool(changed.rowcount == 1)


def count_old(session: Session, *, outbox: datetime, heartbeats: datetime, incidents: datetime) -> dict[str, int]:
    """Return how many events, heartbeats and incidents are older than a time."""
    ages = ((Outbox, outbox), (Heartbeat, heartbeats), (Incident, incidents))
    return {
        model.__tablename__: int(session.scalar(select(func.count()).where(model.at < before)) or 0)
        for model, before in ages
    }


def compact(database: Database) -> tuple[int, int]:
    """Write the file anew without free room and return its bytes before and after; raises Unavailable and ConfigError."""
    if not database.is_sqlite or database.engine.url.database is None:
        raise ConfigError("only the embedded database is compacted; a server does that by itself")
    file = Path(database.engine.url.database)
    with database.write() as session:
        connection = session.connection()
        # The file cannot be written anew within a transaction, and each connection begins with one.
        connection.exec_driver_sql("COMMIT")
        # The log beside the file is emptied first, so that the size before is the whole size.
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        before = file.stat().st_size
        connection.exec_driver_sql("VACUUM")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return before, file.stat().st_size
