"""Passkeys of accounts, and every query about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, delete, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.accounts import Account
from watchbell.store.base import Base


class Passkey(Base):
    """The public half of a pair of keys, whose private half a device of the account's owner keeps."""

    __tablename__ = "passkey"
    __table_args__ = (Index("ix_passkey_account", "account_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    #: What its owner calls it.
    name: Mapped[str]
    #: The name of the host that it is for; it opens no other.
    host: Mapped[str]
    #: As browsers tell it, in base64url.
    credential_id: Mapped[str] = mapped_column(unique=True)
    #: In COSE, as base64url.
    public_key: Mapped[str]
    #: How often it was used, as it says itself; many say 0 for ever.
    sign_count: Mapped[int] = mapped_column(BigInteger)
    #: Whether its owner's devices share it, as it says itself.
    is_synced: Mapped[bool]
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    #: When it was asked for what it has answered last: no answer to that or to an earlier question is taken again.
    asked_at: Mapped[datetime | None]


def find(session: Session, credential_id: str, host: str) -> tuple[Passkey, Account] | None:
    """Return the passkey that a browser names, of a host, with its account that may log in; None if there is none."""
    row = session.execute(
        select(Passkey, Account)
        .join(Account, Account.id == Passkey.account_id)
        .where(Passkey.credential_id == credential_id, Passkey.host == host, Account.is_active)
    ).one_or_none()
    return (row[0], row[1]) if row else None


def is_known(session: Session, credential_id: str) -> bool:
    """Return whether some account has this passkey."""
    return session.scalar(select(Passkey.id).where(Passkey.credential_id == credential_id)) is not None


def list_of(session: Session, account_id: int) -> Sequence[Passkey]:
    """Return the passkeys of an account, the oldest first."""
    return session.scalars(select(Passkey).where(Passkey.account_id == account_id).order_by(Passkey.id)).all()


def count(session: Session, account_id: int) -> int:
    """Return how many passkeys an account has."""
    return int(session.scalar(select(func.count()).where(Passkey.account_id == account_id)) or 0)


def has_any(session: Session, host: str) -> bool:
    """Return whether anybody has a passkey for a host."""
    return session.scalar(select(Passkey.id).where(Passkey.host == host).limit(1)) is not None


def list_accounts(session: Session) -> set[int]:
    """Return the numbers of the accounts that have one."""
    return set(session.scalars(select(Passkey.account_id).distinct()))


def use(
    session: Session, passkey: Passkey, *, asked_at: datetime, sign_count: int, is_synced: bool, now: datetime
) -> bool:
    """Note that an answer was accepted; False if one to this or to a later question was before, be it at this very moment."""
    statement = (
        update(Passkey)
        .where(Passkey.id == passkey.id, or_(Passkey.asked_at.is_(None), Passkey.asked_at < asked_at))
        .values(asked_at=asked_at, sign_count=sign_count, is_synced=is_synced, used_at=now)
    )
    return bool(session.connection().execute(statement).rowcount)


def remove_all(session: Session, account_id: int) -> int:
    """Forget the passkeys of an account and return how many those were."""
    return int(session.connection().execute(delete(Passkey).where(Passkey.account_id == account_id)).rowcount)
