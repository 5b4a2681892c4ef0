"""API tokens: making, listing, replacing and revoking them, and finding out whose token a request carries."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from enum import StrEnum

from watchbell.domain.permissions import Scope, scopes_of
from watchbell.domain.shown_text import is_visible
from watchbell.errors import Conflict, InputError, NotFound, Problem, Unavailable, WatchbellError
from watchbell.services import audit
from watchbell.store import accounts as account_store
from watchbell.store import tokens as store
from watchbell.store.accounts import Account
from watchbell.store.session import Database, Session
from watchbell.store.tokens import APIToken, Held

#: How long a token lasts when nothing else is said, the longest that can be said, and when its end counts as near.
DEFAULT_LIFETIME = timedelta(days=90)
LONGEST_LIFETIME = timedelta(days=3650)
SHORTEST_LIFETIME = timedelta(minutes=1)
SOON = timedelta(days=14)
#: More of one account than this are forgotten ones.
MOST_PER_ACCOUNT = 50
NAME_LIMIT = 64
#: How often a token's last use is written.
USED_STEP = timedelta(minutes=1)
#: Revoked tokens are told apart from unknown ones, and stand in the list of all, for so long.
KEPT_AFTER_REVOKING = timedelta(days=90)
_MARK = "wb_"
# 160 bits, of which a list shows 32: what is left cannot be guessed.
_RANDOM_BYTES = 20
_SHOWN = len(_MARK) + 8
_SECRET = re.compile(rf"{_MARK}[0-9a-f]{{{2 * _RANDOM_BYTES}}}")


class TokenRefused(WatchbellError):
    """The token is not valid."""

    code = "invalid_token"


class TokenState(StrEnum):
    """Whether a token opens anything, and for how long still."""

    ACTIVE = "active"
    EXPIRING = "expiring"
    """It opens what it should and will soon stop to."""
    EXPIRED = "expired"
    REVOKED = "revoked"
    BLOCKED = "blocked"
    """Its account is disabled."""


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """One token as people see it, at the time of the look."""

    id: int
    name: str
    username: str
    #: How the secret begins; all of it is known to nobody but whoever it was shown to.
    prefix: str
    scope: str
    state: TokenState
    created_at: datetime
    #: None for one that lasts until it is revoked.
    expires_at: datetime | None
    used_at: datetime | None
    used_from: str
    revoked_at: datetime | None


@dataclasses.dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made, with its secret, which is stored nowhere and told this once."""

    secret: str
    token: Token


@dataclasses.dataclass(frozen=True, slots=True)
class Bearer:
    """Whose token a request carries, and what it is for."""

    username: str
    role: str
    scope: str
    prefix: str


def create(
    db: Database,
    username: str,
    name: str,
    *,
    scope: str,
    lifetime: timedelta | None,
    now: datetime,
    actor: str = "",
) -> NewToken:
    """Make a token for an account; None is a lifetime without an end.

    Raises InputError for a bad name, scope or lifetime, NotFound without such an account, and Conflict for a name that is
    taken, an account that is disabled or one that has too many tokens.
    """
    name = name.strip()
    with db.write() as session:
        account = _account(session, username)
        _check(account, name, scope, lifetime)
        store.forget_revoked(session, account.id, now - KEPT_AFTER_REVOKING)
        if store.find_alive(session, account.id, name) is not None:
            raise Conflict(f"name: there is a token {name!r} already; rotate it, revoke it or choose another name")
        if store.count_alive(session, account.id) >= MOST_PER_ACCOUNT:
            raise Conflict(
                f"{account.username} has {MOST_PER_ACCOUNT} tokens already; revoke what is not used any more"
            )
        made = _insert(session, account, name, scope, lifetime, now)
        _note(session, "token.create", made.token, now=now, actor=actor)
        return made


def rotate(db: Database, token_id: int, *, now: datetime, username: str | None = None, actor: str = "") -> NewToken:
    """Replace a token by one with another secret, which lasts as long from now; the old secret is dead at once.

    With a name of an account only its own tokens exist. Raises NotFound, and Conflict for one that is revoked or whose
    account is disabled.
    """
    with db.write() as session:
        old, account = _find(session, token_id, username)
        _require_active(account)
        if not store.swap_revoked(session, old.id, now):
            raise Conflict(f"the token {old.name!r} is revoked; make a new one")
        store.forget_revoked(session, account.id, now - KEPT_AFTER_REVOKING)
        lifetime = old.expires_at - old.created_at if old.expires_at is not None else None
        made = _insert(session, account, old.name, old.scope, lifetime, now)
        _note(session, "token.rotate", made.token, now=now, actor=actor)
        return made


def revoke(db: Database, token_id: int, *, now: datetime, username: str | None = None, actor: str = "") -> Token:
    """End a token at once; one that has ended already stays so. Raises NotFound."""
    with db.write() as session:
        token, account = _find(session, token_id, username)
        if store.swap_revoked(session, token.id, now):
            token.revoked_at = now
            _note(session, "token.revoke", _view(token, account, now), now=now, actor=actor)
        return _view(token, account, now)


def get(db: Database, token_id: int, *, now: datetime, username: str | None = None) -> Token:
    """Return a token; raises NotFound."""
    with db.read() as session:
        return _view(*_find(session, token_id, username), now)


def list_all(db: Database, *, now: datetime, username: str | None = None, with_revoked: bool = False) -> list[Token]:
    """Return the tokens of an account, or of all accounts, by account and name; raises NotFound for the account."""
    with db.read() as session:
        account_id = _account(session, username).id if username is not None else None
        found = store.list_tokens(session, account_id=account_id, with_revoked=with_revoked)
    return [_view(token, account, now) for token, account in found]


def find(db: Database, reference: str, *, now: datetime, username: str | None = None) -> Token:
    """Return the token that is not revoked and has this name or prefix, or this secret.

    Raises NotFound, and Conflict if several accounts have a token of that name.
    """
    # A whole secret is not repeated in an error.
    known = reference[:_SHOWN] if reference.startswith(_MARK) else reference
    found = [one for one in list_all(db, now=now, username=username) if known in {one.prefix, one.name}]
    if not found:
        raise NotFound(f"there is no token {known[:NAME_LIMIT]!r}; watchbell token list shows all")
    if len(found) > 1:
        owners = ", ".join(one.username for one in found)
        raise Conflict(
            f"several accounts have a token {known[:NAME_LIMIT]!r}: {owners}; give its prefix or its account"
        )
    return found[0]


def find_held(db: Database, digest: str) -> Held | None:
    """Return the token with this hash, or None."""
    with db.read() as session:
        return store.find_held(session, digest)


def resolve(
    db: Database,
    secret: str,
    *,
    now: datetime,
    address: str = "",
    find: Callable[[Database, str], Held | None] = find_held,
) -> Bearer:
    """Return whose token this is and note its use; raises TokenRefused, with the reason where it was a token of ours.

    What ends a token ends it with the next request: ``find`` returns what the database holds at this moment.
    """
    if not _SECRET.fullmatch(secret):
        raise TokenRefused("this is not a token of this server")
    digest = _hash(secret)
    found = find(db, digest)
    # The index has found it by its hash, which tells nothing of the secret by its timing; comparing all of it costs nothing.
    if found is None or not hmac.compare_digest(found.secret_hash, digest):
        raise TokenRefused("this token is not known here")
    _refuse_ended(found, now)
    if found.used_at is None or now - found.used_at >= USED_STEP:
        # A database that is locked keeps no program waiting, nor out; the next request notes the use.
        with contextlib.suppress(Unavailable), db.write(wait=False) as session:
            store.note_use(session, found.id, at=now, before=now - USED_STEP, address=address[:64])
    return Bearer(found.username, found.role, found.scope, found.prefix)


def still_open(db: Database, secrets: Collection[str], *, now: datetime) -> set[str]:
    """Return those of some secrets whose tokens have not ended; a look at them is no use of them."""
    by_hash = {_hash(secret): secret for secret in secrets}
    with db.read() as session:
        found = store.list_open(session, list(by_hash), now)
    return {by_hash[secret_hash] for secret_hash in found}


def looks_like_secret(text: str) -> bool:
    """Return whether a secret of ours stands somewhere in a text."""
    return _SECRET.search(text) is not None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _refuse_ended(token: Held, now: datetime) -> None:
    match _state(token, now, is_active=token.is_active):
        case TokenState.REVOKED:
            raise TokenRefused(f"the token {token.prefix} was revoked")
        case TokenState.EXPIRED:
            raise TokenRefused(f"the token {token.prefix} expired on {token.expires_at:%Y-%m-%d}")
        case TokenState.BLOCKED:
            raise TokenRefused(f"the account of the token {token.prefix} is disabled")


def _state(token: APIToken | Held, now: datetime, *, is_active: bool) -> TokenState:
    if token.revoked_at is not None:
        return TokenState.REVOKED
    if not is_active:
        return TokenState.BLOCKED
    if token.expires_at is None or token.expires_at - now > SOON:
        return TokenState.ACTIVE
    return TokenState.EXPIRING if now < token.expires_at else TokenState.EXPIRED


def _view(token: APIToken, account: Account, now: datetime) -> Token:
    return Token(
        id=token.id,
        name=token.name,
        username=account.username,
        prefix=token.prefix,
        scope=token.scope,
        state=_state(token, now, is_active=account.is_active),
        created_at=token.created_at,
        expires_at=token.expires_at,
        used_at=token.used_at,
        used_from=token.used_from,
        revoked_at=token.revoked_at,
    )


def _insert(
    session: Session, account: Account, name: str, scope: str, lifetime: timedelta | None, now: datetime
) -> NewToken:
    secret = _MARK + secrets.token_hex(_RANDOM_BYTES)
    token = APIToken(
        account_id=account.id,
        name=name,
        secret_hash=_hash(secret),
        prefix=secret[:_SHOWN],
        scope=scope,
        created_at=now,
        expires_at=now + lifetime if lifetime is not None else None,
    )
    session.add(token)
    session.flush()
    return NewToken(secret, _view(token, account, now))


def _note(session: Session, action: str, token: Token, *, now: datetime, actor: str) -> None:
    """Write down what somebody does to a token; without a name it is its account."""
    ends = token.expires_at.isoformat() if token.expires_at else None
    detail = {"account": token.username, "prefix": token.prefix, "scope": token.scope, "expires_at": ends}
    audit.note(
        session, action, f"token:{token.id}", now=now, actor=actor or token.username, name=token.name, detail=detail
    )


def _account(session: Session, username: str) -> Account:
    account = account_store.find_account_by_name(session, username)
    if account is None:
        raise NotFound(f"there is no account {username!r}")
    return account


def _find(session: Session, token_id: int, username: str | None) -> tuple[APIToken, Account]:
    found = store.find_token(session, token_id)
    # What belongs to somebody else is told as what is not there at all.
    if found is None or (username is not None and found[1].username != username):
        raise NotFound(f"there is no token number {token_id}")
    return found


def _require_active(account: Account) -> None:
    if not account.is_active:
        raise Conflict(f"the account {account.username} is disabled, so that a token of it would open nothing")


def _check(account: Account, name: str, scope: str, lifetime: timedelta | None) -> None:
    """Raise InputError with all that is wrong with a token to be made."""
    problems = []
    if not 1 <= len(name) <= NAME_LIMIT or not is_visible(name):
        problems.append(Problem("name", f"must be 1 to {NAME_LIMIT} printable characters", "deploy script"))
    elif name.startswith(_MARK):
        problems.append(Problem("name", f"must not begin with {_MARK}, as the secrets do", "deploy script"))
    if scope not in set(Scope):
        problems.append(Problem("scope", f"must be one of {', '.join(Scope)}", "read"))
    elif scope not in scopes_of(account.role):
        fitting = ", ".join(scopes_of(account.role))
        problems.append(Problem("scope", f"is more than the role {account.role} may; it can have {fitting}", "read"))
    if lifetime is not None and not SHORTEST_LIFETIME <= lifetime <= LONGEST_LIFETIME:
        problems.append(Problem("expires", f"must be a minute to {LONGEST_LIFETIME.days} days, or never", "90d"))
    if problems:
        raise InputError(*problems)
    _require_active(account)
