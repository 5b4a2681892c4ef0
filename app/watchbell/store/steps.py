"""What has become of the steps of attempts, one row each; written when the attempt has ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base, id_list, ids_select
from watchbell.store.batch import Batch


class AttemptStep(Base):
    """One step of an attempt that is over."""

    __tablename__ = "attempt_step"

    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempt.id"), primary_key=True)
    #: Its place among the steps, from 1 on.
    number: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    #: One of domain.steps.StepState.
    state: Mapped[str]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    exit_code: Mapped[int | None]
    #: Its part of what the attempt wrote: from this byte on, up to that one.
    stdout_from: Mapped[int | None] = mapped_column(BigInteger)
    stdout_to: Mapped[int | None] = mapped_column(BigInteger)
    stderr_from: Mapped[int | None] = mapped_column(BigInteger)
    stderr_to: Mapped[int | None] = mapped_column(BigInteger)


_STEP: Any = AttemptStep.__table__
_ADD_STEPS = Batch(_STEP.insert())


def add_steps(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Store what has become of steps; all rows have all columns."""
    _ADD_STEPS.execute(session, rows)


def list_steps(session: Session, attempt_ids: Sequence[int]) -> Sequence[AttemptStep]:
    """Return the steps of attempts, in the order of the attempts and of the steps in each."""
    wanted = AttemptStep.attempt_id.in_(ids_select(session.get_bind().dialect.name))
    statement = select(AttemptStep).where(wanted).order_by(AttemptStep.attempt_id, AttemptStep.number)
    return session.scalars(statement, {"ids": id_list(session, attempt_ids)}).all()
