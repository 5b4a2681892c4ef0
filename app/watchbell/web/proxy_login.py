"""Who sends a request by the word of a proxy in front, which has logged somebody in and names them in a header.

The header is believed only if the connection itself comes from an address that the settings name. It is looked at with each
request and makes no session: whom the proxy names no more is not logged in any more.
"""

from __future__ import annotations

import dataclasses

from flask import g, request

from watchbell.config import Config
from watchbell.errors import ConfigError, Conflict, InputError
from watchbell.services import accounts, audit
from watchbell.store.accounts import Account
from watchbell.store.session import Database
from watchbell.web import current, errors, proxies
from watchbell.web.db import database
from watchbell.web.throttle import tries

#: Who makes accounts for people whom the proxy names, as the audit has it.
_ACTOR = "proxy"


@dataclasses.dataclass(frozen=True, slots=True)
class Named:
    """Somebody whom a trusted proxy names."""

    username: str
    #: None if no account here is theirs, or theirs is disabled.
    account: Account | None


def check(config: Config) -> None:
    """Raise ConfigError for settings that name a header and nobody to be believed, or the other way round."""
    if bool(config.login_header) != bool(config.login_header_from):
        raise ConfigError(
            "WATCHBELL_LOGIN_HEADER and WATCHBELL_LOGIN_HEADER_FROM belong together: the header that names whoever has logged "
            "in, and the addresses of the proxies that are believed"
        )
    if config.login_header and not config.uses_login:
        raise ConfigError("WATCHBELL_LOGIN_HEADER needs logins; leave WATCHBELL_AUTH on")


def look() -> Named | None:
    """Return whom a trusted proxy names for this request, None if it is nobody or whoever names somebody is not trusted."""
    if not current.config().login_header:
        return None
    if "proxy_named" not in g:
        g.proxy_named = _look(current.config())
    found = g.proxy_named
    assert found is None or isinstance(found, Named)
    return found


def _look(config: Config) -> Named | None:
    username = request.headers.get(config.login_header, "").strip(" \t")
    if not username:
        return None
    peer = _peer()
    if not proxies.is_among(peer, proxies.networks(config.login_header_from)):
        # Said once for each address and day, since whoever sends such a header may send it with every request.
        if tries().count_header(peer):
            _note("login.refuse", "", header=config.login_header, peer=peer)
        return None
    account = _account_of(database(), username, role=config.login_header_role)
    if account is None or not account.is_active:
        if tries().count_header(f"name {username.lower()}"):
            _note("login.refuse", account.username if account is not None else "", header=config.login_header)
        return Named(username, None)
    if tries().count_entry(account.username):
        _note("login.proxy", account.username, agent=request.user_agent.string)
    return Named(username, account)


def _account_of(db: Database, username: str, *, role: str) -> Account | None:
    """Return the account of a name; one is made if the settings give a role for it and the name can be one."""
    found = accounts.look_up(db, username)
    if found is not None or role == "none":
        return found
    try:
        return accounts.add(db, username, role=role, password=None, now=current.now(), actor=_ACTOR)
    except InputError:
        return None
    except Conflict:
        # Another request of the same person has just made it.
        return accounts.look_up(db, username)


def _peer() -> str:
    """Return the address of the other end of the connection, whatever headers say about it."""
    before = request.environ.get("werkzeug.proxy_fix.orig", {})
    return str(before.get("REMOTE_ADDR") or request.environ.get("REMOTE_ADDR") or "")


def _note(action: str, username: str, **detail: object) -> None:
    # Such a request may change nothing, of which the audit would know nothing else.
    origin = audit.Origin("page", current.address(), errors.request_id())
    with audit.coming_from(origin):
        audit.note_alone(
            database(), action, f"account:{username}", now=current.now(), actor=username, name=username, **detail
        )
