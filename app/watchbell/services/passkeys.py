"""Passkeys (WebAuthn): registering one, logging in by it alone or in place of a code, naming and removing it.

The library behind it, ``webauthn``, is an extra and is loaded when it is needed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.util
import json
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from watchbell.errors import Conflict, InputError, NotFound
from watchbell.services import audit, logins, second_factors
from watchbell.services.logins import Grant, Place, Way
from watchbell.store import accounts as account_store
from watchbell.store import passkeys as store
from watchbell.store import second_factors as factor_store
from watchbell.store.accounts import Account
from watchbell.store.passkeys import Passkey
from watchbell.store.session import Database, Session

if TYPE_CHECKING:
    from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

#: So long an answer is waited for.
ANSWER_LIMIT = timedelta(minutes=5)
NAME_LIMIT = 64
MOST_OF_ACCOUNT = 20
#: No answer of a browser is longer.
MOST_ANSWER = 64 * 1024
#: No device names what it has made by more bytes.
_MOST_ID = 1023
_CHALLENGE_BYTES = 32


@dataclasses.dataclass(frozen=True, slots=True)
class Party:
    """Whom passkeys are for: this server, under the name by which the browser knows it."""

    host: str
    #: As browsers write it: scheme, host and port.
    origin: str


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What a browser was asked with; an answer to anything else is none."""

    challenge: bytes
    at: datetime

    @classmethod
    def anew(cls, now: datetime) -> Asked:
        """Return a question that nobody can foresee."""
        return cls(secrets.token_bytes(_CHALLENGE_BYTES), now)


class PasskeyWrong(InputError):
    """What a browser has answered makes no passkey of this server."""


def is_available() -> bool:
    """Return whether what it needs is installed."""
    return importlib.util.find_spec("webauthn") is not None


def list_of(db: Database, username: str) -> Sequence[Passkey]:
    """Return the passkeys of an account, the oldest first; raises NotFound."""
    with db.read() as session:
        return store.list_of(session, _require(session, username).id)


def get(db: Database, username: str, passkey_id: int) -> Passkey:
    """Return a passkey of an account; raises NotFound."""
    with db.read() as session:
        return _require_own(session, _require(session, username), passkey_id)


def has_any(db: Database, host: str) -> bool:
    """Return whether anybody has a passkey for a host."""
    with db.read() as session:
        return store.has_any(session, host)


def check_name(name: str) -> str:
    """Return the name of a passkey; raises InputError."""
    found = name.strip()
    if not 0 < len(found) <= NAME_LIMIT or not found.isprintable():
        raise InputError.of("name", f"must be 1 to {NAME_LIMIT} printable characters", "laptop")
    return found


def registration(db: Database, username: str, asked: Asked, party: Party) -> str:
    """Return what a browser is asked to make a passkey with, as JSON."""
    from webauthn import generate_registration_options, options_to_json
    from webauthn.helpers import structs

    with db.read() as session:
        account = _require(session, username)
        known = [one for one in store.list_of(session, account.id) if one.host == party.host]
    person = structs.AuthenticatorSelectionCriteria(
        # It can log in without a name, and is not given to whoever holds the device without looking who that is.
        resident_key=structs.ResidentKeyRequirement.REQUIRED,
        user_verification=structs.UserVerificationRequirement.REQUIRED,
    )
    options = generate_registration_options(
        rp_id=party.host,
        rp_name="Watchbell",
        user_id=_handle(account),
        user_name=account.username,
        challenge=asked.challenge,
        timeout=int(ANSWER_LIMIT.total_seconds() * 1000),
        authenticator_selection=person,
        exclude_credentials=_descriptors(known),
    )
    return options_to_json(options)


def add(
    db: Database, username: str, name: str, answer: str, asked: Asked, party: Party, *, now: datetime, keep_token: str
) -> list[str]:
    """Take up the passkey that a browser has made, and return new recovery codes if the account had no second factor.

    The first second factor of an account ends its other sessions. Raises InputError, PasskeyWrong and Conflict.
    """
    from webauthn import verify_registration_response

    name = check_name(name)
    try:
        made = verify_registration_response(
            credential=_asked_by_us(_parsed(answer)),
            expected_challenge=asked.challenge,
            expected_rp_id=party.host,
            expected_origin=party.origin,
            require_user_verification=True,
        )
        _require_usable(made.credential_id, made.credential_public_key)
    except _wrong() as error:
        raise PasskeyWrong.of("answer", f"makes no passkey: {str(error)[:200]}") from None
    with db.write() as session:
        account = _require(session, username)
        credential_id = _text(made.credential_id)
        if store.is_known(session, credential_id):
            raise Conflict("this passkey is registered already")
        if store.count(session, account.id) >= MOST_OF_ACCOUNT:
            raise Conflict(f"an account has at most {MOST_OF_ACCOUNT} passkeys; remove one first")
        was_on = factor_store.is_on(session, account.id)
        session.add(
            Passkey(
                account_id=account.id,
                name=name,
                host=party.host,
                credential_id=credential_id,
                public_key=_text(made.credential_public_key),
                sign_count=made.sign_count,
                is_synced=made.credential_backed_up,
                created_at=now,
            )
        )
        logins.note(session, "account.passkey", account, now=now, detail={"did": "add", "passkey": name})
        if was_on:
            return []
        account_store.end_logins(session, account.id, now, keep=logins.digest(keep_token))
        return second_factors.new_codes(session, account)


def rename(db: Database, username: str, passkey_id: int, name: str, *, now: datetime) -> None:
    """Call a passkey otherwise; raises NotFound and InputError."""
    name = check_name(name)
    with db.write() as session:
        account = _require(session, username)
        found = _require_own(session, account, passkey_id)
        detail = {"did": "rename", "passkey": found.name, "to": name}
        found.name = name
        logins.note(session, "account.passkey", account, now=now, detail=detail)


def remove(db: Database, username: str, passkey_id: int, *, now: datetime, actor: str = "") -> str:
    """Forget a passkey and return its name; with the last second factor its recovery codes go. Raises NotFound."""
    with db.write() as session:
        account = _require(session, username)
        found = _require_own(session, account, passkey_id)
        detail = {"did": "remove", "passkey": found.name}
        logins.note(session, "account.passkey", account, now=now, detail=detail, actor=actor)
        session.delete(found)
        session.flush()
        if not factor_store.is_on(session, account.id):
            factor_store.remove(session, account.id)
        return found.name


def login(asked: Asked, party: Party) -> str:
    """Return what a browser is asked to log somebody in with, whoever it is, as JSON."""
    return _question(asked, party, (), is_person_needed=True)


def login_of(db: Database, token: str, asked: Asked, party: Party, *, now: datetime) -> str | None:
    """Return what a browser is asked with for a login that waits for its second factor, as JSON; None if it waits no more."""
    with db.read() as session:
        found = factor_store.find_waiting(session, logins.digest(token), now=now)
        known = store.list_of(session, found[1].id) if found is not None else ()
    if found is None:
        return None
    return _question(asked, party, [one for one in known if one.host == party.host], is_person_needed=False)


def log_in(db: Database, answer: str, asked: Asked, party: Party, *, now: datetime, place: Place) -> Grant | None:
    """Log in whoever a passkey belongs to, which has looked who that is; None if it opens nothing, which is written down."""
    with db.write() as session:
        found = store.find(session, _credential_in(answer), party.host)
        if found is not None:
            passkey, account = found
            verified = _verified(passkey, account, answer, asked, party, is_person_needed=True)
            if verified is not None and _use(session, passkey, verified, asked, now=now):
                detail = {"passkey": passkey.name}
                return logins.grant(session, account, Way.PASSKEY, now=now, place=place, detail=detail)
    _refuse(db, found[1] if found is not None else None, now=now, agent=place.agent)
    return None


def finish(
    db: Database, token: str, answer: str, asked: Asked, party: Party, *, now: datetime, place: Place
) -> Grant | None:
    """Let a login that waits for its second factor go on by a passkey of its account; None if that opens nothing."""
    with db.write() as session:
        waiting = factor_store.find_waiting(session, logins.digest(token), now=now)
        if waiting is None:
            return None
        account = waiting[1]
        found = store.find(session, _credential_in(answer), party.host)
        if found is not None and found[1].id == account.id:
            passkey = found[0]
            verified = _verified(passkey, account, answer, asked, party, is_person_needed=False)
            is_used = verified is not None and _use(session, passkey, verified, asked, now=now)
            if is_used and factor_store.end_waiting(session, waiting[0].token_hash):
                detail = {"factor": "passkey", "passkey": passkey.name}
                return logins.grant(session, account, Way(waiting[0].way), now=now, place=place, detail=detail)
    _refuse(db, account, now=now, agent=place.agent)
    return None


def _question(asked: Asked, party: Party, known: Sequence[Passkey], *, is_person_needed: bool) -> str:
    from webauthn import generate_authentication_options, options_to_json
    from webauthn.helpers.structs import UserVerificationRequirement

    needed = UserVerificationRequirement.REQUIRED if is_person_needed else UserVerificationRequirement.DISCOURAGED
    options = generate_authentication_options(
        rp_id=party.host,
        challenge=asked.challenge,
        timeout=int(ANSWER_LIMIT.total_seconds() * 1000),
        allow_credentials=_descriptors(known),
        user_verification=needed,
    )
    return options_to_json(options)


def _verified(
    passkey: Passkey, account: Account, answer: str, asked: Asked, party: Party, *, is_person_needed: bool
) -> VerifiedAuthentication | None:
    """Return what is proven by an answer, None if it is not this passkey's answer to what was asked here."""
    from webauthn import base64url_to_bytes, verify_authentication_response

    try:
        given = _asked_by_us(_parsed(answer))
        handle = given["response"].get("userHandle")
        if handle and base64url_to_bytes(handle) != _handle(account):
            return None
        return verify_authentication_response(
            credential=given,
            expected_challenge=asked.challenge,
            expected_rp_id=party.host,
            expected_origin=party.origin,
            credential_public_key=base64url_to_bytes(passkey.public_key),
            # One that has counted less than before was copied.
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=is_person_needed,
        )
    except _wrong():
        return None


def _use(session: Session, passkey: Passkey, made: VerifiedAuthentication, asked: Asked, *, now: datetime) -> bool:
    synced = made.credential_backed_up
    return store.use(session, passkey, asked_at=asked.at, sign_count=made.new_sign_count, is_synced=synced, now=now)


def _wrong() -> tuple[type[Exception], ...]:
    """Return what the library raises for an answer that is wrong, or none at all."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from webauthn.helpers.exceptions import WebAuthnException

    return (
        WebAuthnException,
        InvalidSignature,
        UnsupportedAlgorithm,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
    )


def _parsed(answer: str) -> dict[str, Any]:
    """Return an answer as an object; raises ValueError and TypeError."""
    if len(answer) > MOST_ANSWER:
        raise ValueError("the answer is too long")
    given = _json(answer)
    if not isinstance(given, dict) or not isinstance(given.get("response"), dict):
        raise TypeError("the answer is no credential")
    return given


def _json(text: str | bytes) -> Any:
    """Return what a text says; raises ValueError."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("the answer is nested too deep") from None


def _asked_by_us(given: dict[str, Any]) -> dict[str, Any]:
    """Return an answer that a page of this server itself has asked for; raises ValueError for one of a frame within another's page."""
    from webauthn import base64url_to_bytes

    told = _json(base64url_to_bytes(given["response"]["clientDataJSON"]))
    if not isinstance(told, dict) or told.get("crossOrigin", False) is not False or "topOrigin" in told:
        raise ValueError("the page was within a page of somebody else")
    return given


def _require_usable(credential_id: bytes, public_key: bytes) -> None:
    """Raise ValueError and what the library raises for a key that nothing can ever be checked with: it would lock its owner out."""
    from cryptography.exceptions import InvalidSignature
    from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography
    from webauthn.helpers.verify_signature import verify_signature

    if len(credential_id) > _MOST_ID:
        raise ValueError(f"it is named by more than {_MOST_ID} bytes")
    told = decode_credential_public_key(public_key)
    key = decoded_public_key_to_cryptography(told)
    # A key that can be checked with finds a signature of nothing wrong; any other raises something else.
    with contextlib.suppress(InvalidSignature):
        verify_signature(public_key=key, signature_alg=told.alg, signature=b"\0", data=b"")


def _credential_in(answer: str) -> str:
    """Return which passkey an answer says it is of, empty if it says none."""
    try:
        named = _parsed(answer).get("id")
    except (ValueError, TypeError):
        return ""
    return named if isinstance(named, str) and named.isascii() and "\0" not in named else ""


def _descriptors(known: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    from webauthn import base64url_to_bytes
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(one.credential_id)) for one in known]


def _handle(account: Account) -> bytes:
    """Return what devices know an account by: the same for all its passkeys, and nothing that tells who it is."""
    return hashlib.sha256(b"watchbell account:%d" % account.id).digest()


def _text(data: bytes) -> str:
    from webauthn.helpers import bytes_to_base64url

    return bytes_to_base64url(data)


def _refuse(db: Database, account: Account | None, *, now: datetime, agent: str) -> None:
    name = account.username if account is not None else ""
    audit.note_alone(db, "login.refuse", f"account:{name}", now=now, actor=name, name=name, at="passkey", agent=agent)


def _require(session: Session, username: str) -> Account:
    account = account_store.find_account_by_name(session, username)
    if account is None:
        raise NotFound(f"there is no account {username!r}")
    return account


def _require_own(session: Session, account: Account, passkey_id: int) -> Passkey:
    found = next((one for one in store.list_of(session, account.id) if one.id == passkey_id), None)
    if found is None:
        raise NotFound("this passkey is not there any more")
    return found
