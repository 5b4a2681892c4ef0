"""Second factors: the codes of an app (RFC 6238: six digits, anew every 30 seconds), and recovery codes without it.

The secret is stored encrypted, recovery codes as hashes. The code of a step of time is accepted once; clocks may be one
step apart.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta

import pyotp

from watchbell.errors import Conflict, NotFound
from watchbell.services import audit, logins
from watchbell.services.logins import Grant, Place, Way
from watchbell.store import accounts as account_store
from watchbell.store import passkeys as passkey_store
from watchbell.store import second_factors as store
from watchbell.store.accounts import Account
from watchbell.store.sealed import seal
from watchbell.store.second_factors import SecondFactor
from watchbell.store.secret_box import SecretBox
from watchbell.store.session import Database, Session

ISSUER = "Watchbell"
RECOVERY_CODES = 10
#: A set-up that nobody confirms within this time is begun anew.
SET_UP_LIMIT = timedelta(minutes=15)
_TOLERANCE = (-1, 0, 1)
#: Letters and digits that nobody takes for one another, 32 of them, so that 16 have 80 bits.
_LETTERS = "abcdefghjkmnpqrstuvwxyz023456789"
_GROUPS, _GROUP = 4, 4
_DIGITS = re.compile(r"[0-9]{6}")


@dataclasses.dataclass(frozen=True, slots=True)
class State:
    """What there is of an account's second factor."""

    #: Whether a login is asked for one.
    is_on: bool
    #: Since when codes of an app count; None without one.
    since: datetime | None = None
    codes_left: int = 0
    passkeys: int = 0

    @property
    def has_app(self) -> bool:
        """Whether codes of an app count."""
        return self.since is not None


@dataclasses.dataclass(frozen=True, slots=True)
class SetUp:
    """A secret that an app is to take over: as text (base 32), and as the link that apps read."""

    secret: str
    link: str


def state_of(db: Database, username: str) -> State:
    """Return what there is of the second factor of an account; raises NotFound."""
    with db.read() as session:
        account = _require(session, username)
        found = store.find(session, account.id)
        since = found.confirmed_at if found is not None else None
        count = passkey_store.count(session, account.id)
        if since is None and not count:
            return State(is_on=False)
        return State(True, since, store.count_codes(session, account.id), count)


def list_accounts(db: Database) -> set[int]:
    """Return the numbers of all accounts that have one."""
    with db.read() as session:
        return store.list_accounts(session)


def begin(db: Database, username: str, *, now: datetime) -> datetime:
    """Make a secret for an account, in the place of one that was not confirmed; raises Conflict if it has an app already.

    Returns what the secret is asked for with: whoever has begun keeps it, so that no other session gets at the secret.
    """
    with db.write() as session:
        account = _require(session, username)
        if store.has_app(session, account.id):
            raise Conflict("this account has a second factor already; switch it off before a new one is set up")
        logins.note(session, "account.factor", account, now=now, detail={"did": "begin"})
        sealed = seal(session, db.box, store.purpose(account.id), pyotp.random_base32())
        store.put(session, SecondFactor(account_id=account.id, sealed_secret=sealed, begun_at=now))
    return now


def set_up_of(db: Database, username: str, *, begun: datetime | None, now: datetime) -> SetUp | None:
    """Return the secret that was ``begun`` and waits for its confirmation, or None; a confirmed one is never shown again."""
    with db.read() as session:
        account = _require(session, username)
        found = store.find(session, account.id)
    if found is None or not _waits(found, begun, now=now):
        return None
    secret = db.box.open(store.purpose(account.id), found.sealed_secret)
    return SetUp(secret, pyotp.TOTP(secret).provisioning_uri(name=account.username, issuer_name=ISSUER))


def _waits(found: SecondFactor, begun: datetime | None, *, now: datetime) -> bool:
    """Return whether a secret waits for its confirmation by whoever has begun it."""
    return found.confirmed_at is None and found.begun_at == begun and now - found.begun_at <= SET_UP_LIMIT


def confirm(
    db: Database, username: str, code: str, *, begun: datetime | None, now: datetime, keep_token: str
) -> list[str] | None:
    """Let a second factor count from now on if the code fits, which ends all other sessions; return its recovery codes.

    Those that the account had with its passkeys are worthless then. Returns None if the code does not fit, or if nothing that was ``begun`` waits for it.
    """
    with db.write() as session:
        account = _require(session, username)
        found = store.find(session, account.id)
        if found is None or not _waits(found, begun, now=now):
            return None
        if not _take_step(session, db.box, account, code, now=now):
            return None
        found.confirmed_at = now
        account_store.end_logins(session, account.id, now, keep=logins.digest(keep_token))
        logins.note(session, "account.factor", account, now=now, detail={"did": "on"})
        return new_codes(session, account)


def renew_codes(db: Database, username: str, *, now: datetime) -> list[str]:
    """Return new recovery codes of an account, which make those before worthless; raises Conflict without a second factor."""
    with db.write() as session:
        account = _require(session, username)
        if not store.is_on(session, account.id):
            raise Conflict("this account has no second factor")
        logins.note(session, "account.factor", account, now=now, detail={"did": "codes"})
        return new_codes(session, account)


def switch_off(db: Database, username: str, *, now: datetime, actor: str = "") -> bool:
    """Forget the app of an account, its passkeys and its recovery codes; return whether there was any. Raises NotFound."""
    with db.write() as session:
        account = _require(session, username)
        was_on = store.is_on(session, account.id)
        gone = passkey_store.remove_all(session, account.id)
        store.remove(session, account.id)
        if was_on:
            detail = {"did": "off", **({"passkeys": gone} if gone else {})}
            logins.note(session, "account.factor", account, now=now, detail=detail, actor=actor)
        return was_on


def forget_app(db: Database, username: str, *, now: datetime) -> None:
    """Let codes of an app count no more; recovery codes stay for the passkeys, if there are any. Raises NotFound."""
    with db.write() as session:
        account = _require(session, username)
        store.remove_app(session, account.id)
        if not store.is_on(session, account.id):
            store.remove(session, account.id)
        logins.note(session, "account.factor", account, now=now, detail={"did": "off"})


def is_recovery(code: str) -> bool:
    """Return whether what was typed can be a recovery code only, which nobody guesses."""
    return not _DIGITS.fullmatch("".join(code.split()))


def fits(db: Database, username: str, code: str, *, now: datetime, agent: str = "") -> bool:
    """Use up a code of the app, or a recovery code, of somebody who is logged in; a wrong one is written down."""
    with db.write() as session:
        account = _require(session, username)
        if _use(session, db.box, account, code, now=now) is not None:
            return True
    _refuse(db, account, now=now, agent=agent)
    return False


def waiting_for(db: Database, token: str, *, now: datetime) -> str | None:
    """Return the name of the account that a login waits for, or None if it waits no more."""
    with db.read() as session:
        found = store.find_waiting(session, logins.digest(token), now=now)
    return found[1].username if found is not None else None


def finish(db: Database, token: str, code: str, *, now: datetime, place: Place) -> Grant | None:
    """Let a login that waits go on if the code fits: one of the app, or a recovery code, each of which is used up by it."""
    with db.write() as session:
        found = store.find_waiting(session, logins.digest(token), now=now)
        if found is None:
            return None
        waiting, account = found
        used = _use(session, db.box, account, code, now=now)
        if used is not None and store.end_waiting(session, waiting.token_hash):
            left = {"codes_left": store.count_codes(session, account.id)} if used == "recovery" else {}
            detail = {"factor": used, **left}
            return logins.grant(session, account, Way(waiting.way), now=now, place=place, detail=detail)
    _refuse(db, account, now=now, agent=place.agent)
    return None


def _use(session: Session, box: SecretBox, account: Account, code: str, *, now: datetime) -> str | None:
    """Use a code up and return which kind it is: code or recovery; None if it fits nothing, or was used before."""
    if not store.is_on(session, account.id):
        return None
    # The secret of an app that nobody has confirmed yet opens nothing beside a passkey.
    if store.has_app(session, account.id) and _take_step(session, box, account, code, now=now):
        return "code"
    return "recovery" if store.use_code(session, account.id, _hash_code(account, code), now) else None


def _take_step(session: Session, box: SecretBox, account: Account, code: str, *, now: datetime) -> bool:
    """Return whether this is the code of a step about now, and the first one of it or of a later one."""
    found = store.find(session, account.id)
    typed = "".join(code.split())
    if found is None or not _DIGITS.fullmatch(typed):
        return False
    totp = pyotp.TOTP(box.open(store.purpose(account.id), found.sealed_secret))
    # All are compared, whichever fits, so that the time tells nothing.
    steps = [totp.timecode(now) + offset for offset in _TOLERANCE]
    fitting = [step for step in steps if hmac.compare_digest(totp.generate_otp(step), typed)]
    return any(store.use_step(session, account.id, step) for step in fitting)


def new_codes(session: Session, account: Account) -> list[str]:
    """Give an account new recovery codes in a transaction of the caller's, and return them; those before are worthless."""
    codes = [
        "-".join("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))
        for _ in range(RECOVERY_CODES)
    ]
    store.replace_codes(session, account.id, [_hash_code(account, code) for code in codes])
    return codes


def _hash_code(account: Account, code: str) -> str:
    """Return what is stored of a recovery code, however it is typed; 80 random bits need no slow hash."""
    typed = "".join(char for char in code.lower() if char.isalnum())
    return hashlib.sha256(f"{account.id}:{typed}".encode("utf-8", "surrogatepass")).hexdigest()


def _refuse(db: Database, account: Account, *, now: datetime, agent: str) -> None:
    name = account.username
    audit.note_alone(db, "login.refuse", f"account:{name}", now=now, actor=name, name=name, at="code", agent=agent)


def _require(session: Session, username: str) -> Account:
    account = account_store.find_account_by_name(session, username)
    if account is None:
        raise NotFound(f"there is no account {username!r}")
    return account
