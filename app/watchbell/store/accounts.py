"""Accounts, their sessions and single-use links, and every query about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, Index, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base, can_hold, in_lots


class Account(Base):
    """A person who may log in."""

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(unique=True)
    #: argon2; None until a password is set, when only a link opens the account.
    password_hash: Mapped[str | None]
    role: Mapped[str]
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    password_changed_at: Mapped[datetime | None]


class LoginSession(Base):
    """One login; deleting or ending the row ends it at once, whatever the cookie says."""

    __tablename__ = "session"
    __table_args__ = (Index("ix_session_account", "account_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    #: SHA-256 of the token in the cookie.
    token_hash: Mapped[str] = mapped_column(unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    #: When it ends at the latest by the settings at its last use; others may let it end sooner since.
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    address: Mapped[str] = mapped_column(default="")
    agent: Mapped[str] = mapped_column(default="")
    #: How it was begun: by a password, a link or a provider; None for one of an earlier version.
    way: Mapped[str | None]


class LoginLink(Base):
    """A link that logs in once."""

    __tablename__ = "login_link"

    #: SHA-256 of the token in the link.
    token_hash: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


def find_account(session: Session, account_id: int) -> Account | None:
    """Return an account, or None."""
    return session.get(Account, account_id)


def find_account_by_name(session: Session, username: str) -> Account | None:
    """Return the account of that name, whatever the case of the letters A to Z, or None."""
    # The database folds both sides: Python would take a Kelvin sign for a k.
    statement = select(Account).where(func.lower(Account.username) == func.lower(username))
    return session.scalars(statement).one_or_none() if can_hold(username) else None


def list_accounts(session: Session) -> Sequence[Account]:
    """Return all accounts by name."""
    return session.scalars(select(Account).order_by(Account.username)).all()


def find_login(session: Session, token_hash: str) -> tuple[LoginSession, Account] | None:
    """Return the session of a token and its account, or None."""
    row = session.execute(
        select(LoginSession, Account)
        .join(Account, Account.id == LoginSession.account_id)
        .where(LoginSession.token_hash == token_hash)
    ).one_or_none()
    return (row[0], row[1]) if row else None


def list_active(session: Session, token_hashes: Sequence[str]) -> list[LoginSession]:
    """Return those of the sessions of some token hashes that nobody has ended and whose account is active."""
    found: list[LoginSession] = []
    for some in in_lots(token_hashes):
        statement = (
            select(LoginSession)
            .join(Account, Account.id == LoginSession.account_id)
            .where(LoginSession.token_hash.in_(some), LoginSession.ended_at.is_(None), Account.is_active)
        )
        found.extend(session.scalars(statement))
    return found


def end_logins(session: Session, account_id: int, at: datetime, *, keep: str | None = None) -> int:
    """End all open sessions of an account, except one if its token hash is given; return how many."""
    statement = update(LoginSession).where(LoginSession.account_id == account_id, LoginSession.ended_at.is_(None))
    if keep is not None:
        statement = statement.where(LoginSession.token_hash != keep)
    return int(session.connection().execute(statement.values(ended_at=at)).rowcount)


def list_logins(session: Session, account_id: int) -> Sequence[LoginSession]:
    """Return the sessions of an account that nobody has ended, the one used last first."""
    statement = select(LoginSession).where(LoginSession.account_id == account_id, LoginSession.ended_at.is_(None))
    return session.scalars(statement.order_by(LoginSession.seen_at.desc(), LoginSession.id.desc())).all()


def has_been_at(session: Session, account_id: int, address: str) -> bool:
    """Return whether an account has, or had, a session that was begun at an address."""
    statement = select(LoginSession.id).where(LoginSession.account_id == account_id, LoginSession.address == address)
    return session.scalar(statement.limit(1)) is not None


def end_login(session: Session, account_id: int, login_id: int, at: datetime) -> bool:
    """End an open session of an account; return whether there was one."""
    statement = update(LoginSession).where(
        LoginSession.id == login_id, LoginSession.account_id == account_id, LoginSession.ended_at.is_(None)
    )
    return bool(session.connection().execute(statement.values(ended_at=at)).rowcount)


def use_link(session: Session, token_hash: str, at: datetime) -> int | None:
    """Compare-and-swap a link from unused to used; return the account's id, or None if it was not usable."""
    statement = (
        update(LoginLink)
        .where(LoginLink.token_hash == token_hash, LoginLink.used_at.is_(None), LoginLink.expires_at > at)
        .values(used_at=at)
        .returning(LoginLink.account_id)
    )
    found = session.connection().execute(statement).scalar_one_or_none()
    return int(found) if found is not None else None


def end_links(session: Session, account_id: int, at: datetime) -> None:
    """Make every link of an account that is still about unusable."""
    open_ones = update(LoginLink).where(LoginLink.account_id == account_id, LoginLink.used_at.is_(None))
    session.connection().execute(open_ones.values(used_at=at))
