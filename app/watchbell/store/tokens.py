"""API tokens, and every query about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ForeignKey, Index, bindparam, delete, func, or_, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.accounts import Account
from watchbell.store.base import Base, can_hold, in_lots


class APIToken(Base):
    """What a program uses in place of a login; the secret itself is kept nowhere."""

    __tablename__ = "api_token"
    __table_args__ = (
        # A name says which one is meant, so an account has it once among those that are not revoked.
        Index(
            "uq_api_token_name_alive",
            "account_id",
            "name",
            unique=True,
            sqlite_where=text("revoked_at IS NULL"),
            postgresql_where=text("revoked_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    name: Mapped[str]
    #: SHA-256 of the secret. It is random and long, so that a slow hash would only cost every request.
    secret_hash: Mapped[str] = mapped_column(unique=True)
    #: How the secret begins, by which people recognise it.
    prefix: Mapped[str]
    scope: Mapped[str]
    created_at: Mapped[datetime]
    #: None for a token that lasts until it is revoked.
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    #: The address that has used it last.
    used_from: Mapped[str] = mapped_column(default="")
    revoked_at: Mapped[datetime | None]


class Held(NamedTuple):
    """What every request that carries a token asks about it and its account."""

    id: int
    secret_hash: str
    prefix: str
    scope: str
    expires_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None
    username: str
    role: str
    is_active: bool


#: Made once, and columns instead of objects: this is asked with each request of a program.
_HELD = (
    select(
        *(APIToken.id, APIToken.secret_hash, APIToken.prefix, APIToken.scope),
        *(APIToken.expires_at, APIToken.used_at, APIToken.revoked_at),
        *(Account.username, Account.role, Account.is_active),
    )
    .join(Account, Account.id == APIToken.account_id)
    .where(APIToken.secret_hash == bindparam("secret_hash"))
)


def find_held(session: Session, secret_hash: str) -> Held | None:
    """Return the token with this hash, or None."""
    row = session.connection().execute(_HELD, {"secret_hash": secret_hash}).one_or_none()
    return Held._make(row) if row is not None else None


def list_open(session: Session, secret_hashes: Sequence[str], now: datetime) -> list[str]:
    """Return those of some hashes whose token is neither revoked nor past its end, and whose account is active."""
    found: list[str] = []
    for some in in_lots(secret_hashes):
        statement = (
            select(APIToken.secret_hash)
            .join(Account, Account.id == APIToken.account_id)
            .where(
                APIToken.secret_hash.in_(some),
                APIToken.revoked_at.is_(None),
                or_(APIToken.expires_at.is_(None), APIToken.expires_at > now),
                Account.is_active,
            )
        )
        found.extend(session.scalars(statement))
    return found


def find_token(session: Session, token_id: int) -> tuple[APIToken, Account] | None:
    """Return a token and its account, or None."""
    if not can_hold(token_id):
        return None
    row = session.execute(
        select(APIToken, Account).join(Account, Account.id == APIToken.account_id).where(APIToken.id == token_id)
    ).one_or_none()
    return (row[0], row[1]) if row else None


def find_alive(session: Session, account_id: int, name: str) -> APIToken | None:
    """Return the token of an account that has this name and is not revoked, or None."""
    statement = select(APIToken).where(
        APIToken.account_id == account_id, APIToken.name == name, APIToken.revoked_at.is_(None)
    )
    return session.scalars(statement).one_or_none() if can_hold(name) else None


def list_tokens(
    session: Session, *, account_id: int | None = None, with_revoked: bool = False
) -> Sequence[tuple[APIToken, Account]]:
    """Return the tokens of an account, or of all, by account and name; among equals the newest first."""
    statement = select(APIToken, Account).join(Account, Account.id == APIToken.account_id)
    if account_id is not None:
        statement = statement.where(APIToken.account_id == account_id)
    if not with_revoked:
        statement = statement.where(APIToken.revoked_at.is_(None))
    rows = session.execute(
        statement.order_by(func.lower(Account.username), func.lower(APIToken.name), APIToken.id.desc())
    )
    return [(row[0], row[1]) for row in rows]


def count_alive(session: Session, account_id: int) -> int:
    """Return how many tokens of an account are not revoked."""
    statement = select(func.count()).where(APIToken.account_id == account_id, APIToken.revoked_at.is_(None))
    return int(session.execute(statement).scalar_one())


def swap_revoked(session: Session, token_id: int, at: datetime) -> bool:
    """Compare-and-swap a token from alive to revoked; return whether it was alive."""
    statement = update(APIToken).where(APIToken.id == token_id, APIToken.revoked_at.is_(None)).values(revoked_at=at)
    return bool(session.connection().execute(statement).rowcount)


def note_use(session: Session, token_id: int, *, at: datetime, before: datetime, address: str) -> None:
    """Note a use, unless another request has noted one since ``before``."""
    statement = update(APIToken).where(
        APIToken.id == token_id, or_(APIToken.used_at.is_(None), APIToken.used_at <= before)
    )
    session.connection().execute(statement.values(used_at=at, used_from=address))


def forget_revoked(session: Session, account_id: int, before: datetime) -> None:
    """Delete the tokens of an account that were revoked before a moment."""
    session.connection().execute(
        delete(APIToken).where(APIToken.account_id == account_id, APIToken.revoked_at < before)
    )
