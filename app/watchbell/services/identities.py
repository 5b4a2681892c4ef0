"""Which account somebody has whom a provider vouches for: by the exact issuer and subject, and by nothing else.

An account is linked once, by its owner who is logged in, or by a rule that the administrator has set; from then on only the
link counts. No name and no e-mail address is ever searched for by pattern or part.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime

from watchbell.errors import Conflict, InputError, NotFound
from watchbell.services import accounts, audit, logins
from watchbell.services.logins import Grant, Place, Waiting, Way
from watchbell.services.openid import Claims
from watchbell.store import accounts as account_store
from watchbell.store import identities as store
from watchbell.store import second_factors as factor_store
from watchbell.store.accounts import Account
from watchbell.store.base import can_hold
from watchbell.store.identities import Identity
from watchbell.store.session import Database, Session

#: Who links and makes accounts by a rule, as the audit has it.
_ACTOR = "provider"


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """What becomes of somebody who is not linked yet; by default nothing."""

    #: The account whose name is exactly the e-mail address, which the provider has verified.
    matches_email: bool = False
    #: The role of an account that is made; none is made without one.
    role: str | None = None


def enter(db: Database, claims: Claims, rules: Rules, *, now: datetime, place: Place) -> Grant | Waiting | None:
    """Log in whomever a provider vouches for; None, and a note in the audit, if nobody here is meant."""
    _link_by_rule(db, claims, rules, now=now)
    with db.write() as session:
        found = store.find(session, claims.issuer, claims.subject)
        if found is not None and found[1].is_active:
            identity, account = found
            identity.used_at = now
            return logins.admit(session, account, Way.PROVIDER, now=now, place=place)
    known = found[1].username if found is not None else ""
    said = {"at": "provider", "issuer": claims.issuer, "identity": claims.subject, "agent": place.agent}
    audit.note_alone(db, "login.refuse", f"account:{known}", now=now, actor=known, name=known, **said)
    return None


def link(db: Database, username: str, claims: Claims, *, now: datetime) -> None:
    """Link the account of somebody who is logged in; raises Conflict if the identity is another account's."""
    with db.write() as session:
        account = _require(session, username)
        found = store.find(session, claims.issuer, claims.subject)
        if found is not None and found[1].id != account.id:
            raise Conflict("this login of the provider is linked with another account already")
        if found is None:
            _add(session, account, claims, now=now, actor="")


def prove(db: Database, username: str, claims: Claims, *, now: datetime, place: Place) -> Grant | None:
    """Return a new session for somebody who has one and has logged in at the provider once more; None if it is another one."""
    with db.write() as session:
        found = store.find(session, claims.issuer, claims.subject)
        if found is None or found[1].username != username or not found[1].is_active:
            return None
        return logins.grant(session, found[1], Way.PROVIDER, now=now, place=place)


def list_of(db: Database, username: str) -> Sequence[Identity]:
    """Return what an account is linked with; raises NotFound."""
    with db.read() as session:
        return store.list_of(session, _require(session, username).id)


def unlink(
    db: Database, username: str, identity_id: int, *, now: datetime, keep_token: str = "", actor: str = ""
) -> Identity:
    """Forget one link of an account, end its other sessions and return what is forgotten.

    Raises NotFound, and Conflict for the owner's only way in; an administrator, the ``actor``, can make a login link.
    """
    with db.write() as session:
        account = _require(session, username)
        found = store.get(session, identity_id, account.id) if can_hold(identity_id) else None
        if found is None:
            raise NotFound("this login is not linked any more")
        if not actor and account.password_hash is None and len(store.list_of(session, account.id)) == 1:
            raise Conflict("this is the only way into the account; choose a password first")
        store.remove(session, found)
        account_store.end_logins(session, account.id, now, keep=logins.digest(keep_token) if keep_token else None)
        factor_store.end_all_waiting(session, account.id)
        logins.note(session, "account.identity", account, now=now, actor=actor, detail=_said("unlink", found))
        return found


def _link_by_rule(db: Database, claims: Claims, rules: Rules, *, now: datetime) -> None:
    """Link somebody who is not yet, as far as the rules say with which account."""
    with db.write() as session:
        if store.find(session, claims.issuer, claims.subject) is not None:
            return
        account = account_store.find_account_by_name(session, claims.email) if claims.email else None
        # Whoever is called the same but for upper and lower case may be another person at the provider.
        if rules.matches_email and account is not None and account.username == claims.email:
            # An address that another person has had at this provider is no proof: that person's account stays theirs.
            if not any(one.issuer == claims.issuer for one in store.list_of(session, account.id)):
                _add(session, account, claims, now=now, actor=_ACTOR)
            return
        if rules.role is not None:
            _make(session, claims, rules.role, now=now)


def _make(session: Session, claims: Claims, role: str, *, now: datetime) -> None:
    """Make an account under the name that the provider gives, unless there is one of that name: it may be another person's."""
    # A name that looks like an address, and that nobody has verified, may be the address of somebody else.
    chosen = claims.username if claims.username and "@" not in claims.username else None
    for name in filter(None, (claims.email, chosen)):
        try:
            made = accounts.add_in(session, name, role=role, now=now, actor=_ACTOR)
        except (Conflict, InputError):
            # The name is taken, or can be none here; the next one may do.
            continue
        _add(session, made, claims, now=now, actor=_ACTOR)
        return


def _add(session: Session, account: Account, claims: Claims, *, now: datetime, actor: str) -> None:
    made = Identity(
        account_id=account.id, issuer=claims.issuer, subject=claims.subject, label=claims.label, linked_at=now
    )
    store.add(session, made)
    logins.note(session, "account.identity", account, now=now, actor=actor, detail=_said("link", made))


def _said(did: str, identity: Identity) -> dict[str, object]:
    return {"did": did, "issuer": identity.issuer, "subject": identity.subject}


def _require(session: Session, username: str) -> Account:
    account = account_store.find_account_by_name(session, username)
    if account is None:
        raise NotFound(f"there is no account {username!r}")
    return account
