"""Accounts, logins and single-use links: who somebody is."""

from __future__ import annotations

import contextlib
import hmac
import itertools
import re
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from watchbell.domain.permissions import Role
from watchbell.errors import Conflict, InputError, NotFound, Unavailable
from watchbell.services import audit, logins, passwords
from watchbell.services.logins import USUAL, Grant, Limits, Place, Waiting, Way
from watchbell.services.logins import digest as _hash
from watchbell.services.logins import note as _note
from watchbell.store import accounts as store
from watchbell.store import second_factors as factor_store
from watchbell.store.accounts import Account, LoginLink, LoginSession
from watchbell.store.base import can_hold
from watchbell.store.session import Database, Session

#: The account that the first start makes if there is none.
FIRST_USERNAME = "admin"
LINK_MINUTES = 30
#: How often a session's last use is written.
SEEN_STEP = timedelta(minutes=1)
_USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\Z")


def ensure_first(db: Database, *, now: datetime) -> Account:
    """Return the first account; one without a password is made if nobody could administer this installation."""
    with db.write() as session:
        first = _first(session)
        if first is not None and _administers(first):
            return first
        names = {one.username.lower() for one in store.list_accounts(session)}
        free = (FIRST_USERNAME if number == 1 else f"{FIRST_USERNAME}-{number}" for number in itertools.count(1))
        username = next(name for name in free if name not in names)
        account = Account(username=username, role=Role.ADMIN.value, is_active=True, created_at=now)
        session.add(account)
        session.flush()
        return account


def first_username(db: Database) -> str:
    """Return the name of the account that an empty name stands for."""
    with db.read() as session:
        first = _first(session)
    return first.username if first is not None else FIRST_USERNAME


def _first(session: Session) -> Account | None:
    accounts = store.list_accounts(session)
    admins = [account for account in accounts if _administers(account)]
    # The oldest, not the first by name: who joins later takes nothing over, whatever the name.
    return min(admins or accounts, key=lambda account: account.id, default=None)


def _administers(account: Account) -> bool:
    return account.role == Role.ADMIN.value and account.is_active


def add(db: Database, username: str, *, role: str, password: str | None, now: datetime, actor: str = "") -> Account:
    """Make an account; raises InputError for a bad name, role or password and Conflict for a name that is taken."""
    password_hash = passwords.hash_of(password) if password is not None else None
    with db.write() as session:
        return add_in(session, username, role=role, password_hash=password_hash, now=now, actor=actor)


def add_in(
    session: Session, username: str, *, role: str, password_hash: str | None = None, now: datetime, actor: str
) -> Account:
    """Make an account in a transaction that goes on; raises InputError for a bad name or role and Conflict."""
    if not _USERNAME.match(username):
        raise InputError.of("username", "must be 1 to 64 letters, digits, dots, dashes, @ or underscores", "ann")
    try:
        wanted = Role(role)
    except ValueError:
        raise InputError.of("role", f"must be one of {', '.join(Role)}", "viewer") from None
    if store.find_account_by_name(session, username) is not None:
        raise Conflict(f"username: there is an account {username!r} already")
    account = Account(
        username=username,
        role=wanted.value,
        is_active=True,
        password_hash=password_hash,
        created_at=now,
        password_changed_at=now if password_hash else None,
    )
    session.add(account)
    session.flush()
    _note(session, "account.create", account, now=now, actor=actor, detail={"role": account.role})
    return account


def list_all(db: Database) -> Sequence[Account]:
    """Return all accounts by name."""
    with db.read() as session:
        return store.list_accounts(session)


def get(db: Database, account_id: int) -> Account:
    """Return an account by its number; raises NotFound."""
    with db.read() as session:
        account = store.find_account(session, account_id) if can_hold(account_id) else None
        if account is None:
            raise NotFound(f"there is no account {account_id}")
        return account


def find(db: Database, username: str) -> Account:
    """Return the account of a name; raises NotFound."""
    with db.read() as session:
        return _require(session, username)


def look_up(db: Database, username: str) -> Account | None:
    """Return the account of exactly this name, disabled or not, or None."""
    with db.read() as session:
        found = store.find_account_by_name(session, username)
    return found if found is not None and found.username == username else None


def has_been_at(db: Database, username: str, address: str) -> bool:
    """Return whether somebody has logged in to an account from an address before."""
    with db.read() as session:
        account = store.find_account_by_name(session, username)
        return account is not None and bool(address) and store.has_been_at(session, account.id, address[:64])


def list_roles(db: Database, usernames: Collection[str]) -> dict[str, str]:
    """Return the roles of those of some accounts that may log in, by name."""
    with db.read() as session:
        found = (store.find_account_by_name(session, username) for username in set(usernames))
        return {one.username: one.role for one in found if one is not None and one.is_active}


def set_password(
    db: Database, username: str, password: str, *, now: datetime, keep_token: str | None = None, actor: str = ""
) -> Account:
    """Give an account a password, end its other sessions and its unused links; raises InputError and NotFound."""
    password_hash = passwords.hash_of(password)
    with db.write() as session:
        account = _require(session, username)
        account.password_hash, account.password_changed_at = password_hash, now
        store.end_logins(session, account.id, now, keep=_hash(keep_token) if keep_token else None)
        store.end_links(session, account.id, now)
        factor_store.end_all_waiting(session, account.id)
        _note(session, "account.password", account, now=now, actor=actor)
        return account


def set_role(db: Database, username: str, role: str, *, now: datetime, actor: str) -> Account:
    """Give an account another role, which ends its sessions; raises InputError, NotFound, and Conflict for the last admin."""
    try:
        wanted = Role(role)
    except ValueError:
        raise InputError.of("role", f"must be one of {', '.join(Role)}", "viewer") from None
    with db.write() as session:
        account = _require(session, username)
        if account.role == wanted.value:
            return account
        if wanted is not Role.ADMIN:
            _require_other_admin(session, account)
        said = {"role": [account.role, wanted.value]}
        account.role = wanted.value
        store.end_logins(session, account.id, now)
        _note(session, "account.role", account, now=now, actor=actor, detail=said)
        return account


def set_active(db: Database, username: str, is_active: bool, *, now: datetime, actor: str) -> Account:
    """Disable an account, which ends its sessions, links and tokens at once, or enable it again; its tokens open again then.

    Raises NotFound, and Conflict for the last admin.
    """
    with db.write() as session:
        account = _require(session, username)
        if account.is_active == is_active:
            return account
        if not is_active:
            _require_other_admin(session, account)
            store.end_logins(session, account.id, now)
            store.end_links(session, account.id, now)
            factor_store.end_all_waiting(session, account.id)
        account.is_active = is_active
        _note(session, "account.enable" if is_active else "account.disable", account, now=now, actor=actor)
        return account


def list_logins(db: Database, username: str, *, now: datetime, limits: Limits = USUAL) -> list[LoginSession]:
    """Return the open sessions of an account, the one used last first; raises NotFound."""
    with db.read() as session:
        account = _require(session, username)
        return [login for login in store.list_logins(session, account.id) if limits.is_open(login, now)]


def end_login(db: Database, username: str, login_id: int, *, now: datetime, actor: str) -> None:
    """End one session of an account; raises NotFound unless it has one of that number."""
    with db.write() as session:
        account = _require(session, username)
        if not store.end_login(session, account.id, login_id, now):
            raise NotFound("this session has ended already")
        _note(session, "login.revoke", account, now=now, actor=actor, detail={"session": login_id})


def end_other_logins(db: Database, username: str, *, keep_token: str, now: datetime, actor: str) -> int:
    """End all sessions of an account but one, or all without a token, and return how many there were."""
    with db.write() as session:
        account = _require(session, username)
        ended = store.end_logins(session, account.id, now, keep=_hash(keep_token) if keep_token else None)
        if ended:
            _note(session, "login.revoke", account, now=now, actor=actor, detail={"sessions": ended})
        return ended


def is_login_of(login: LoginSession, token: str) -> bool:
    """Return whether a token in a cookie is the one of a session."""
    return bool(token) and hmac.compare_digest(login.token_hash, _hash(token))


def _require(session: Session, username: str) -> Account:
    account = store.find_account_by_name(session, username)
    if account is None:
        raise NotFound(f"there is no account {username!r}")
    return account


def _require_other_admin(session: Session, account: Account) -> None:
    """Raise Conflict if nobody could administer this installation any more without an account."""
    if not _administers(account):
        return
    others = (one for one in store.list_accounts(session) if one.id != account.id)
    if not any(_administers(one) for one in others):
        raise Conflict(f"{account.username} is the last administrator; make another one first")


def make_link(db: Database, username: str, *, now: datetime, minutes: int = LINK_MINUTES, actor: str = "") -> str:
    """Return the token of a new link that logs an account in once, within some minutes; raises NotFound."""
    token = secrets.token_urlsafe(32)
    with db.write() as session:
        account = _require(session, username)
        expires_at = now + timedelta(minutes=minutes)
        session.add(LoginLink(token_hash=_hash(token), account_id=account.id, created_at=now, expires_at=expires_at))
        _note(session, "account.link", account, now=now, actor=actor, detail={"minutes": minutes})
    return token


def use_link(db: Database, token: str, *, now: datetime, address: str = "", agent: str = "") -> Grant | Waiting | None:
    """Log in by a single-use link; return None if it is unknown, used up or too old.

    It stands in for the password, and not for a second factor.
    """
    with db.write() as session:
        account_id = store.use_link(session, _hash(token), now)
        account = store.find_account(session, account_id) if account_id is not None else None
        if account is None or not account.is_active:
            return None
        return logins.admit(session, account, Way.LINK, now=now, place=Place(address, agent))


def log_in(
    db: Database,
    username: str,
    password: str,
    *,
    now: datetime,
    configured_password: str = "",
    address: str = "",
    agent: str = "",
) -> Grant | Waiting | None:
    """Log in by name and password; return None if they do not fit, after the same time whatever was wrong.

    An empty name stands for the first account, that is the one ``ensure_first`` returns. ``configured_password`` is the
    server's setting; it opens the first account only.
    """
    account = _fitting(db, username, password, now=now, configured_password=configured_password, agent=agent)
    if account is None:
        return None
    with db.write() as session:
        return logins.admit(session, account, Way.PASSWORD, now=now, place=Place(address, agent))


def prove(
    db: Database,
    username: str,
    password: str,
    *,
    now: datetime,
    configured_password: str = "",
    address: str = "",
    agent: str = "",
) -> Grant | None:
    """Return a new session for somebody who has one and types the password once more; None if it does not fit.

    The second factor is not asked for again: the session that is there has proven it.
    """
    account = _fitting(db, username, password, now=now, configured_password=configured_password, agent=agent)
    if account is None:
        return None
    with db.write() as session:
        return logins.grant(session, account, Way.PASSWORD, now=now, place=Place(address, agent))


def _fitting(
    db: Database, username: str, password: str, *, now: datetime, configured_password: str, agent: str
) -> Account | None:
    """Return the account that a name and a password open; None, after the same time, and a note if there is none."""
    with db.read() as session:
        first = _first(session)
        account = store.find_account_by_name(session, username) if username else first
    fits = _verifies(account, password)
    if configured_password and account is not None and first is not None and account.id == first.id:
        given = password.encode("utf-8", "surrogatepass")
        fits |= hmac.compare_digest(given, configured_password.encode())
    if account is None or not account.is_active or not fits:
        # The name may be anything, a password among others, and is kept only where it is one of ours.
        known = account.username if account is not None else ""
        audit.note_alone(db, "login.refuse", f"account:{known}", now=now, actor=known, name=known, agent=agent)
        return None
    return account


def resume(
    db: Database, token: str, *, now: datetime, limits: Limits = USUAL, is_use: bool = True
) -> tuple[LoginSession, Account] | None:
    """Return the open session of a token and its account, or None if it has ended, expired or lost its account.

    With ``is_use`` False nobody is there: what an open page asks by itself does not keep its session from ending.
    """
    with db.read() as session:
        found = store.find_login(session, _hash(token))
    if found is None:
        return None
    login, account = found
    if not (limits.is_open(login, now) and account.is_active):
        return None
    if is_use and now - login.seen_at >= SEEN_STEP:
        # A database that is locked keeps nobody from looking, nor waiting; the next request notes the use.
        with contextlib.suppress(Unavailable), db.write(wait=False) as session:
            again = session.get(LoginSession, login.id)
            if again is not None:
                again.seen_at, again.expires_at = now, limits.end_of(again)
    return login, account


def still_open(db: Database, tokens: Collection[str], *, now: datetime, limits: Limits = USUAL) -> set[str]:
    """Return the tokens whose sessions are open, of some that have been; a look at them is no use of them."""
    by_hash = {_hash(token): token for token in tokens}
    with db.read() as session:
        found = store.list_active(session, list(by_hash))
    return {by_hash[login.token_hash] for login in found if limits.is_open(login, now)}


def log_out(db: Database, token: str, *, now: datetime) -> None:
    """End the session of a token; one that has ended already stays so."""
    with db.write() as session:
        found = store.find_login(session, _hash(token))
        if found is not None and found[0].ended_at is None:
            found[0].ended_at = now
            _note(session, "login.end", found[1], now=now)


def _verifies(account: Account | None, password: str) -> bool:
    return passwords.verifies(None if account is None else account.password_hash, password)
