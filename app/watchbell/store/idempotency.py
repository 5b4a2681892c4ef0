"""Answers that are kept under the keys of their requests, so that whoever did not hear one may ask again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, LargeBinary, UniqueConstraint, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base


class KeptAnswer(Base):
    """The answer to one request, written in the transaction of what the request has done."""

    __tablename__ = "kept_answer"
    __table_args__ = (UniqueConstraint("principal", "route", "key"), Index("ix_kept_answer_at", "at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    #: Who has sent the request; the keys of others are others.
    principal: Mapped[str]
    route: Mapped[str]
    key: Mapped[str]
    #: Of the address and the body, by which another request under the same key is noticed.
    digest: Mapped[str]
    at: Mapped[datetime]
    #: None while the request is being served.
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any]] = mapped_column(default=dict)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)


def find_answer(session: Session, principal: str, route: str, key: str) -> KeptAnswer | None:
    """Return what is kept under a key, or None; whoever else asks in a writing transaction waits until this one is over."""
    statement = select(KeptAnswer).where(
        KeptAnswer.principal == principal, KeptAnswer.route == route, KeptAnswer.key == key
    )
    return session.scalars(statement.with_for_update()).one_or_none()


def add_answer(session: Session, answer: KeptAnswer) -> None:
    """Store an answer, or that there is going to be one."""
    session.add(answer)
    session.flush()


def delete_answer(session: Session, answer: KeptAnswer) -> None:
    """Forget an answer."""
    session.delete(answer)
    session.flush()


def delete_older(session: Session, before: datetime, limit: int) -> int:
    """Delete up to so many answers that are older than a time."""
    old = select(KeptAnswer.id).where(KeptAnswer.at < before).order_by(KeptAnswer.at).limit(limit)
    return int(session.connection().execute(delete(KeptAnswer).where(KeptAnswer.id.in_(old))).rowcount)
