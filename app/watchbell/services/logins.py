"""From a proof of who somebody is to a session: at once, or after the code of a second factor."""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from watchbell.config import Config
from watchbell.services import audit
from watchbell.store import second_factors as factor_store
from watchbell.store.accounts import Account, LoginSession
from watchbell.store.second_factors import WaitingLogin
from watchbell.store.session import Session

#: So long a login waits for its code.
WAITING_LIMIT = timedelta(minutes=5)


class Way(StrEnum):
    """By which proof somebody logs in."""

    PASSWORD = "password"  # noqa: S105 - the name of a way.
    LINK = "link"
    PROVIDER = "provider"
    PASSKEY = "passkey"
    """Which has looked who it is, so that it is both factors."""


#: What the audit calls a login by each.
_DEEDS = {
    Way.PASSWORD: "login.password",
    Way.LINK: "login.link",
    Way.PROVIDER: "login.provider",
    Way.PASSKEY: "login.passkey",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """A session ends after so long without being used, and after so long in any case."""

    idle: timedelta = timedelta(days=7)
    absolute: timedelta = timedelta(days=30)

    @classmethod
    def of(cls, config: Config) -> Limits:
        """Return what the settings say."""
        return cls(timedelta(minutes=config.session_idle_minutes), timedelta(hours=config.session_hours))

    def end_of(self, login: LoginSession) -> datetime:
        """Return when a session ends at the latest; a change of the settings counts for those that have begun, too."""
        return login.created_at + self.absolute

    def is_open(self, login: LoginSession, now: datetime) -> bool:
        """Return whether a session goes on."""
        until = min(self.end_of(login), login.expires_at)
        return login.ended_at is None and now < until and now - login.seen_at < self.idle


#: Where nobody has said otherwise.
USUAL = Limits()


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """From where somebody logs in."""

    address: str = ""
    agent: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Grant:
    """A login that has just succeeded: the token goes into the cookie and is stored nowhere."""

    token: str
    account: Account
    way: Way = Way.PASSWORD


@dataclasses.dataclass(frozen=True, slots=True)
class Waiting:
    """A login that has proven all but the second factor: its token opens nothing but the form of the code."""

    token: str
    account: Account
    way: Way = Way.PASSWORD


def digest(token: str) -> str:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def admit(session: Session, account: Account, way: Way, *, now: datetime, place: Place) -> Grant | Waiting:
    """Let somebody in who has proven to be the owner of an account, or have the code of its second factor asked for."""
    if not factor_store.is_on(session, account.id):
        return grant(session, account, way, now=now, place=place)
    token = secrets.token_urlsafe(32)
    waiting = WaitingLogin(
        token_hash=digest(token), account_id=account.id, way=way.value, expires_at=now + WAITING_LIMIT
    )
    factor_store.add_waiting(session, waiting, now=now)
    # Whoever gets this far without the owner has the password, which the owner should be able to find out.
    note(session, "login.ask", account, now=now, detail={"way": way.value, "agent": place.agent})
    return Waiting(token, account, way)


def grant(
    session: Session,
    account: Account,
    way: Way,
    *,
    now: datetime,
    place: Place,
    detail: Mapping[str, object] | None = None,
) -> Grant:
    """Make a session for somebody who has proven everything."""
    made = Grant(secrets.token_urlsafe(32), account, way)
    session.add(
        LoginSession(
            token_hash=digest(made.token),
            account_id=account.id,
            way=way.value,
            created_at=now,
            seen_at=now,
            expires_at=now + USUAL.absolute,
            address=place.address[:64],
            agent=place.agent[:200],
        )
    )
    note(session, _DEEDS[way], account, now=now, detail={"agent": place.agent, **(detail or {})})
    return made


def note(
    session: Session,
    action: str,
    account: Account,
    *,
    now: datetime,
    actor: str = "",
    detail: Mapping[str, object] | None = None,
) -> None:
    """Write down what somebody does to an account; without a name it is the account itself."""
    name = account.username
    audit.note(session, action, f"account:{name}", now=now, actor=actor or name, name=name, detail=detail)
