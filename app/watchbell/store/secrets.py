"""Secrets: their names, their sealed values by version, and which run was given which."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, cast, delete, func, or_, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.domain.parameters import ParameterType
from watchbell.store.base import Base, can_hold, id_list, ids_select, pattern
from watchbell.store.runs import Attempt
from watchbell.store.task_templates import TaskTemplate
from watchbell.store.tasks import Task

_UNMASKED = text("is_unmasked")


class Secret(Base):
    """A secret by its name. One that was deleted keeps its row, so that its versions go on counting if it comes back."""

    __tablename__ = "secret"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    #: Of the value in force; it rises with each new value.
    version: Mapped[int]
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(default="")
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(default="")
    deleted_at: Mapped[datetime | None]
    #: When it was last given to a run or to a device, and to which; of the other of the two there is nothing.
    used_at: Mapped[datetime | None]
    used_run_id: Mapped[int | None]
    used_task_name: Mapped[str] = mapped_column(default="")
    used_device_uuid: Mapped[str] = mapped_column(default="", server_default=text("''"))
    used_device_name: Mapped[str] = mapped_column(default="", server_default=text("''"))


class SecretVersion(Base):
    """A sealed value. Older ones stay only as long as the output of a run that was given them is not masked for good."""

    __tablename__ = "secret_version"

    secret_id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    #: The name again, which the value is sealed with.
    name: Mapped[str]
    #: What store.secret_box made of the value.
    sealed: Mapped[str]


class SecretUse(Base):
    """An attempt of a run, or of a device at an order, was given a secret.

    A bounded number of them is kept, and longer than the run may be. Of a device the numbers of run and task are 0.
    """

    __tablename__ = "secret_use"
    __table_args__ = (
        Index("ix_secret_use_attempt_id", "attempt_id"),
        Index("ix_secret_use_secret", "secret_id", "id"),
        Index("ix_secret_use_unmasked", "run_id", sqlite_where=_UNMASKED, postgresql_where=_UNMASKED),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    secret_id: Mapped[int]
    version: Mapped[int]
    run_id: Mapped[int]
    attempt_id: Mapped[int]
    attempt: Mapped[int]
    task_id: Mapped[int]
    task_name: Mapped[str] = mapped_column(default="")
    device_uuid: Mapped[str] = mapped_column(default="", server_default=text("''"))
    device_name: Mapped[str] = mapped_column(default="", server_default=text("''"))
    #: The name of the order by which the device was given it.
    job_id: Mapped[str] = mapped_column(default="", server_default=text("''"))
    at: Mapped[datetime]
    #: Its output was kept as it is, because the key was not there when it ended; it is masked whenever it is read.
    is_unmasked: Mapped[bool] = mapped_column(default=False)


def find_secret(session: Session, name: str, *, deleted: bool = False) -> Secret | None:
    """Return the secret of a name, or None; with ``deleted`` also one that was deleted."""
    statement = select(Secret).where(Secret.name == name)
    if not deleted:
        statement = statement.where(Secret.deleted_at.is_(None))
    return session.scalars(statement).one_or_none() if can_hold(name) else None


def list_secrets(session: Session) -> Sequence[Secret]:
    """Return all secrets by name."""
    statement = select(Secret).where(Secret.deleted_at.is_(None)).order_by(func.lower(Secret.name), Secret.id)
    return session.scalars(statement).all()


def list_names(session: Session) -> Sequence[str]:
    """Return the names of all secrets."""
    return session.scalars(select(Secret.name).where(Secret.deleted_at.is_(None)).order_by(Secret.name)).all()


def list_values(session: Session, names: Sequence[str]) -> Sequence[SecretVersion]:
    """Return the values in force of the secrets among some names."""
    statement = (
        select(SecretVersion)
        .join(Secret, Secret.id == SecretVersion.secret_id)
        .where(Secret.name.in_(names), Secret.deleted_at.is_(None), Secret.version == SecretVersion.version)
    )
    return session.scalars(statement).all()


def count_values(session: Session) -> int:
    """Return how many sealed values there are."""
    return int(session.scalar(select(func.count()).select_from(SecretVersion)) or 0)


def note_uses(session: Session, uses: Sequence[dict[str, Any]]) -> None:
    """Write down which attempt is given what, and that it is the last use of each."""
    session.execute(SecretUse.__table__.insert(), uses)  # type: ignore[attr-defined]
    for use in uses:
        session.execute(
            update(Secret)
            .where(Secret.id == use["secret_id"])
            .values(
                used_at=use["at"], used_run_id=use["run_id"], used_task_name=use["task_name"],
                used_device_uuid="", used_device_name="",
            )
        )  # fmt: skip


def note_device_use(session: Session, use: Mapping[str, Any]) -> None:
    """Write down that a device is given a secret, once for each attempt of it at an order and each version."""
    names = ("secret_id", "version", "device_uuid", "job_id", "attempt")
    same = (getattr(SecretUse, name) == use[name] for name in names)
    if session.scalar(select(SecretUse.id).where(*same).limit(1)) is not None:
        return
    session.add(SecretUse(run_id=0, attempt_id=0, task_id=0, is_unmasked=False, **use))
    session.execute(
        update(Secret)
        .where(Secret.id == use["secret_id"])
        .values(
            used_at=use["at"], used_run_id=None, used_task_name="",
            used_device_uuid=use["device_uuid"], used_device_name=use["device_name"],
        )
    )  # fmt: skip


def list_uses(session: Session, secret_id: int, *, limit: int) -> Sequence[SecretUse]:
    """Return the newest uses of a secret."""
    statement = select(SecretUse).where(SecretUse.secret_id == secret_id).order_by(SecretUse.id.desc()).limit(limit)
    return session.scalars(statement).all()


def _still_matters() -> Any:
    """Return the condition that the output of a use still has to be masked by whoever reads it."""
    going = select(Attempt.id).where(Attempt.id == SecretUse.attempt_id, Attempt.ended_at.is_(None)).exists()
    return or_(SecretUse.is_unmasked, going)


def list_open_values(session: Session, attempt_ids: Sequence[int]) -> Sequence[Any]:
    """Return the values that the outputs of some attempts have still to be masked of: attempt_id, name, version, sealed.

    ``sealed`` is None of a value that is not there any more.
    """
    statement = _open_values(session.get_bind().dialect.name)
    return session.connection().execute(statement, {"ids": id_list(session, attempt_ids)}).all()


@functools.cache
def _open_values(dialect_name: str) -> Any:
    # Made once: it is asked for with every look at an output, and to make it would cost more than to ask.
    return (
        select(SecretUse.attempt_id, SecretVersion.name, SecretUse.version, SecretVersion.sealed)
        .outerjoin(
            SecretVersion,
            (SecretVersion.secret_id == SecretUse.secret_id) & (SecretVersion.version == SecretUse.version),
        )
        .where(SecretUse.attempt_id.in_(ids_select(dialect_name)), _still_matters())
    )


def mark_unmasked(session: Session, attempt_ids: Sequence[int]) -> None:
    """Note that the outputs of some attempts are kept as they are."""
    session.execute(update(SecretUse).where(SecretUse.attempt_id.in_(attempt_ids)).values(is_unmasked=True))


def list_unmasked(session: Session, run_ids: Sequence[int]) -> set[int]:
    """Return those of some runs that have outputs which are kept as they are."""
    wanted = SecretUse.run_id.in_(ids_select(session.get_bind().dialect.name))
    statement = select(SecretUse.run_id).where(SecretUse.is_unmasked, wanted)
    return set(session.scalars(statement, {"ids": id_list(session, run_ids)}))


def delete_stale_values(session: Session) -> int:
    """Delete the values that are neither in force nor needed to mask an output, and return how many went."""
    current = (
        select(Secret.id)
        .where(
            Secret.id == SecretVersion.secret_id,
            Secret.version == SecretVersion.version,
            Secret.deleted_at.is_(None),
        )
        .exists()
    )
    needed = (
        select(SecretUse.id)
        .where(
            SecretUse.secret_id == SecretVersion.secret_id, SecretUse.version == SecretVersion.version, _still_matters()
        )
        .exists()
    )
    gone = session.execute(delete(SecretVersion).where(~current, ~needed))
    return int(gone.rowcount)  # type: ignore[attr-defined]


def delete_old_uses(session: Session, secret_id: int, keep: int, limit: int) -> int:
    """Delete up to so many of a secret's uses beyond the newest ones, but for those that still matter."""
    beyond = (
        select(SecretUse.id).where(SecretUse.secret_id == secret_id).order_by(SecretUse.id.desc()).offset(keep)
    ).subquery()
    old = (
        select(SecretUse.id)
        .where(SecretUse.id.in_(select(beyond.c.id)), ~_still_matters())
        .order_by(SecretUse.id)
        .limit(limit)
    )
    ids = session.scalars(old).all()
    session.execute(delete(SecretUse).where(SecretUse.id.in_(ids)))
    return len(ids)


def release_uses_of_gone_attempts(session: Session) -> None:
    """Forget that outputs are not masked whose attempts have been deleted with them."""
    there = select(Attempt.id).where(Attempt.id == SecretUse.attempt_id).exists()
    session.execute(update(SecretUse).where(SecretUse.is_unmasked, ~there).values(is_unmasked=False))


def list_ids(session: Session) -> Sequence[int]:
    """Return the ids of all secrets, deleted ones included."""
    return session.scalars(select(Secret.id).order_by(Secret.id)).all()


#: Stands in what is stored of a parameter whose values are names of secrets.
_TYPE_SECRET = f'"{ParameterType.SECRET}"'


def list_tasks_with(session: Session, words: str) -> Sequence[Any]:
    """Return the tasks whose environment or one of whose sets holds some words, or one of whose parameters is a secret.

    Each has id, name, enabled, environment, environment_sets, set_variables and parameters.
    """
    holds = (
        cast(column, String).like(pattern(words), escape="\\") for column in (Task.environment, Task.set_variables)
    )
    asks = cast(Task.parameters, String).like(pattern(_TYPE_SECRET), escape="\\")
    statement = (
        select(
            Task.id,
            Task.name,
            Task.enabled,
            Task.environment,
            Task.environment_sets,
            Task.set_variables,
            Task.parameters,
        )
        .where(Task.deleted_at.is_(None), or_(*holds, asks))
        .order_by(func.lower(Task.name), Task.id)
    )
    return session.execute(statement).all()


def list_templates_with(session: Session, words: str) -> Sequence[Any]:
    """Return the templates of tasks that hold some words, or a parameter that is a secret: id, name, definition."""
    stored = cast(TaskTemplate.definition, String)
    statement = (
        select(TaskTemplate.id, TaskTemplate.name, TaskTemplate.definition)
        .where(or_(*(stored.like(pattern(text), escape="\\") for text in (words, _TYPE_SECRET))))
        .order_by(func.lower(TaskTemplate.name), TaskTemplate.id)
    )
    return session.execute(statement).all()
