"""Second factors, their recovery codes, logins that wait for a code, and every query about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, Index, delete, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store import passkeys
from watchbell.store.accounts import Account
from watchbell.store.base import Base


class SecondFactor(Base):
    """The secret that an account shares with an app that shows codes; it counts from its confirmation on."""

    __tablename__ = "second_factor"

    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), primary_key=True)
    #: Encrypted with the key of the installation.
    sealed_secret: Mapped[str]
    begun_at: Mapped[datetime]
    #: None until a code has proven that the app has the secret.
    confirmed_at: Mapped[datetime | None]
    #: The newest step of time whose code was accepted: no code of it or of an earlier one is accepted again.
    used_step: Mapped[int | None]


class RecoveryCode(Base):
    """A code that stands in for the app once."""

    __tablename__ = "recovery_code"
    __table_args__ = (Index("ix_recovery_code_account", "account_id"),)

    #: SHA-256 of the code and its account.
    code_hash: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    used_at: Mapped[datetime | None]


class WaitingLogin(Base):
    """A login whose password fitted, and which waits for a code; it opens nothing by itself."""

    __tablename__ = "waiting_login"

    #: SHA-256 of the token in the cookie.
    token_hash: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    #: By which way it came: password, link or provider.
    way: Mapped[str]
    expires_at: Mapped[datetime]


def purpose(account_id: int) -> str:
    """Return what the secret of an account is sealed for."""
    return f"second factor of account:{account_id}"


def find(session: Session, account_id: int) -> SecondFactor | None:
    """Return the second factor of an account, confirmed or not, or None."""
    return session.get(SecondFactor, account_id)


def has_app(session: Session, account_id: int) -> bool:
    """Return whether codes of an app count for an account."""
    found = find(session, account_id)
    return found is not None and found.confirmed_at is not None


def is_on(session: Session, account_id: int) -> bool:
    """Return whether an account has a second factor that counts: an app, or a passkey."""
    return has_app(session, account_id) or passkeys.count(session, account_id) > 0


def list_accounts(session: Session) -> set[int]:
    """Return the numbers of the accounts that have a second factor which counts."""
    with_app = session.scalars(select(SecondFactor.account_id).where(SecondFactor.confirmed_at.is_not(None)))
    return set(with_app) | passkeys.list_accounts(session)


def put(session: Session, factor: SecondFactor) -> None:
    """Store a second factor in the place of the one that its account has had."""
    session.merge(factor)
    session.flush()


def use_step(session: Session, account_id: int, step: int) -> bool:
    """Note that the code of a step was accepted; False if one of it or of a later one was before, be it at this very moment."""
    statement = (
        update(SecondFactor)
        .where(
            SecondFactor.account_id == account_id, or_(SecondFactor.used_step.is_(None), SecondFactor.used_step < step)
        )
        .values(used_step=step)
    )
    return bool(session.connection().execute(statement).rowcount)


def remove_app(session: Session, account_id: int) -> None:
    """Forget the app of an account, and nothing else."""
    session.connection().execute(delete(SecondFactor).where(SecondFactor.account_id == account_id))


def remove(session: Session, account_id: int) -> bool:
    """Forget the app of an account, its recovery codes and the logins that wait; return whether there was one."""
    for model in (RecoveryCode, WaitingLogin):
        session.connection().execute(delete(model).where(model.account_id == account_id))
    return bool(
        session.connection().execute(delete(SecondFactor).where(SecondFactor.account_id == account_id)).rowcount
    )


def replace_codes(session: Session, account_id: int, code_hashes: Sequence[str]) -> None:
    """Give an account new recovery codes; those before are worthless."""
    session.connection().execute(delete(RecoveryCode).where(RecoveryCode.account_id == account_id))
    session.add_all(RecoveryCode(code_hash=one, account_id=account_id) for one in code_hashes)
    session.flush()


def use_code(session: Session, account_id: int, code_hash: str, at: datetime) -> bool:
    """Compare-and-swap a recovery code from unused to used."""
    statement = (
        update(RecoveryCode)
        .where(
            RecoveryCode.code_hash == code_hash, RecoveryCode.account_id == account_id, RecoveryCode.used_at.is_(None)
        )
        .values(used_at=at)
    )
    return bool(session.connection().execute(statement).rowcount)


def count_codes(session: Session, account_id: int) -> int:
    """Return how many recovery codes of an account are unused."""
    statement = select(func.count()).where(RecoveryCode.account_id == account_id, RecoveryCode.used_at.is_(None))
    return int(session.scalar(statement) or 0)


def add_waiting(session: Session, waiting: WaitingLogin, *, now: datetime) -> None:
    """Store a login that waits, and forget those that have waited too long."""
    session.connection().execute(delete(WaitingLogin).where(WaitingLogin.expires_at <= now))
    session.add(waiting)
    session.flush()


def find_waiting(session: Session, token_hash: str, *, now: datetime) -> tuple[WaitingLogin, Account] | None:
    """Return a login that still waits and the account that it leads to, or None."""
    row = session.execute(
        select(WaitingLogin, Account)
        .join(Account, Account.id == WaitingLogin.account_id)
        .where(WaitingLogin.token_hash == token_hash, WaitingLogin.expires_at > now, Account.is_active)
    ).one_or_none()
    return (row[0], row[1]) if row else None


def end_waiting(session: Session, token_hash: str) -> bool:
    """End a login that waits and return whether it still did."""
    statement = delete(WaitingLogin).where(WaitingLogin.token_hash == token_hash)
    return bool(session.connection().execute(statement).rowcount)


def end_all_waiting(session: Session, account_id: int) -> None:
    """End the logins of an account that wait."""
    session.connection().execute(delete(WaitingLogin).where(WaitingLogin.account_id == account_id))
