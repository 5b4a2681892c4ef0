"""Who somebody is at a provider of logins, and every query about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.accounts import Account
from watchbell.store.base import Base


class Identity(Base):
    """An account's owner as a provider knows them: by issuer and subject together, and by nothing else."""

    __tablename__ = "identity"
    __table_args__ = (UniqueConstraint("issuer", "subject"), Index("ix_identity_account", "account_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    issuer: Mapped[str]
    subject: Mapped[str]
    #: What the provider called them when they were linked, for people to read; nothing is decided by it.
    label: Mapped[str]
    linked_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


def find(session: Session, issuer: str, subject: str) -> tuple[Identity, Account] | None:
    """Return an identity and its account, by the exact issuer and subject, or None."""
    row = session.execute(
        select(Identity, Account)
        .join(Account, Account.id == Identity.account_id)
        .where(Identity.issuer == issuer, Identity.subject == subject)
    ).one_or_none()
    return (row[0], row[1]) if row else None


def list_of(session: Session, account_id: int) -> Sequence[Identity]:
    """Return the identities of an account, the oldest first."""
    return session.scalars(select(Identity).where(Identity.account_id == account_id).order_by(Identity.id)).all()


def get(session: Session, identity_id: int, account_id: int) -> Identity | None:
    """Return one identity of an account, or None."""
    found = session.get(Identity, identity_id)
    return found if found is not None and found.account_id == account_id else None


def add(session: Session, identity: Identity) -> None:
    """Store an identity."""
    session.add(identity)
    session.flush()


def remove(session: Session, identity: Identity) -> None:
    """Forget an identity."""
    session.delete(identity)
    session.flush()
