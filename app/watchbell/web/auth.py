"""Who sends a request: flask-login over session rows.

The signed cookie carries nothing but a random token; the row behind it decides, so a session that was ended is dead at
once wherever its cookie has been copied to.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection
from datetime import datetime, timedelta

import flask_login
from flask import Flask, g, redirect, request, session, url_for
from werkzeug.wrappers import Response

from watchbell import clock
from watchbell.config import Config
from watchbell.domain.permissions import Right, Role, is_from, rights_of
from watchbell.services import accounts, openid, second_factors, tokens
from watchbell.services.logins import USUAL, Grant, Limits, Place, Waiting, Way
from watchbell.store.session import Database
from watchbell.web import askers, current, proxy_login, throttle
from watchbell.web.db import database
from watchbell.web.i18n import _
from watchbell.web.proxy_login import Named
from watchbell.web.session_cookie import SessionCookie
from watchbell.web.throttle import BY_LINK, INSIDE, tries

#: Session key: when a login link was used, after which a forgotten password may be replaced for a while.
_LINK_USED = "link_used_at"
_LINK_MINUTES = 15
#: Session key: the token of a login that waits for the code of its second factor.
_WAITING = "login_waiting"
_WAITING_WAY = "login_waiting_way"
#: For so long after a login nobody is asked again who it is, before something that outlives the session is made.
FRESH = timedelta(minutes=15)
#: The way of somebody for whom a proxy vouches, beside those of sessions.
BY_PROXY = "proxy"
#: What a page says with what it asks by itself while nobody has moved a hand for a while.
_AWAY = "X-Away"
#: What credentials begin with, because sessions and tokens are found in different places.
_SESSION = "session:"
_NAMED = "named:"
_TOKEN = "token:"  # noqa: S105 - a mark, not a secret.


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """Somebody who has logged in."""

    token: str
    username: str
    role: str | None
    has_password: bool
    #: None where there is no session, because a proxy vouches for each request.
    logged_in_at: datetime | None
    #: How the session was begun; None for one of an earlier version.
    way: str | None = None
    device: str | None = None
    by_token: bool = False
    is_authenticated: bool = True
    is_active: bool = True
    is_anonymous: bool = False

    @property
    def rights(self) -> frozenset[Right]:
        """All that the account may do."""
        return rights_of(self.role)

    def get_id(self) -> str:
        """Return what flask-login keeps in the cookie: the token of the session, not the name of the account."""
        return self.token


@dataclasses.dataclass(frozen=True, slots=True)
class Nobody:
    """Somebody who has not logged in, or the one user of a server that asks for no login."""

    username: str = ""
    role: str | None = None
    token: str = ""
    has_password: bool = False
    device: str | None = None
    by_token: bool = False
    is_authenticated: bool = False
    is_active: bool = False
    is_anonymous: bool = True

    @property
    def rights(self) -> frozenset[Right]:
        """What is open to everybody, or everything on a server that asks for no login, where anybody may play a device."""
        return rights_of(self.role) if self.role is None else rights_of(self.role) | {Right.DEVICE}

    def get_id(self) -> None:
        """Return that there is nothing to keep."""


def init_app(app: Flask, config: Config) -> None:
    """Attach logins to the application; raises ConfigError for settings that cannot be."""
    proxy_login.check(config)
    openid.check(config)
    manager = flask_login.LoginManager()
    # The row decides. Comparing addresses, which this would do, ends sessions of people who change networks.
    manager.session_protection = None
    manager.anonymous_user = _nobody
    manager.user_loader(_load)
    manager.request_loader(lambda _request: _load(""))
    manager.init_app(app, add_context_processor=False)
    app.config.update(
        SESSION_COOKIE_NAME=_cookie_name(config),
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=config.behind_proxy == "on",
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=Limits.of(config).absolute,
    )
    app.session_interface = SessionCookie()
    throttle.init_app(app, config)


def _cookie_name(config: Config) -> str:
    """Return a name of this installation's own: two servers on one host, whatever their ports, share their cookies."""
    name = f"watchbell_{hashlib.sha256(str(config.home).encode()).hexdigest()[:8]}"
    return f"__Host-{name}" if config.behind_proxy == "on" else name


def _nobody() -> Nobody:
    """Return who sends a request without a session: the admin of a server that asks for no login."""
    return Nobody() if current.config().uses_login else Nobody(username="local", role=Role.ADMIN.value)


def _load(token: str) -> Account | None:
    if not current.config().uses_login:
        return None
    named = proxy_login.look()
    if named is not None:
        # Whoever the proxy names is meant, also where the browser has a session of somebody else.
        return _by_proxy(named)
    if not token:
        return None
    # Pages open their sockets anew by themselves.
    is_use = _AWAY not in request.headers and "Upgrade" not in request.headers
    found = accounts.resume(database(), token, now=current.now(), limits=Limits.of(current.config()), is_use=is_use)
    if found is None:
        return None
    login, account = found
    return Account(
        token, account.username, account.role, account.password_hash is not None, login.created_at, login.way
    )


def _by_proxy(named: Named) -> Account | None:
    account = named.account
    if account is None:
        return None
    return Account("", account.username, account.role, account.password_hash is not None, None, BY_PROXY)


def enter(grant: Grant) -> None:
    """Make a login that has just succeeded the session of this browser; what it had before is ended."""
    leave()
    # A page that is made now has forms of the new session.
    g.pop("csrf_token", None)
    session.permanent = True
    if grant.way is Way.LINK:
        session[_LINK_USED] = current.now().timestamp()
    account, has_password = grant.account, grant.account.password_hash is not None
    flask_login.login_user(
        Account(grant.token, account.username, account.role, has_password, current.now(), grant.way.value), force=True
    )


def go_on(found: Grant | Waiting, target: str) -> Response:
    """Let somebody go where they wanted to, or to the form of the code that is still asked for."""
    if isinstance(found, Waiting):
        wait(found)
        return redirect(url_for("auth.code", next=target if target != url_for("overview.index") else None), 303)
    forget_tries(found.account.username)
    enter(found)
    return redirect(target, 303)


def leave() -> None:
    """End the session of this browser, on the server and in its cookie."""
    token = getattr(flask_login.current_user, "token", "")
    if token:
        accounts.log_out(database(), token, now=current.now())
    flask_login.logout_user()
    session.clear()


def came_by_link() -> bool:
    """Return whether a login link was used a short while ago, which proves as much as the present password does."""
    used_at = session.get(_LINK_USED)
    return isinstance(used_at, float) and current.now().timestamp() - used_at < _LINK_MINUTES * 60


def log_in(username: str, password: str) -> Grant | Waiting | None:
    """Log in by name and password, from where this request comes; None if they do not fit."""
    return accounts.log_in(
        database(),
        username,
        password,
        now=current.now(),
        configured_password=current.config().password,
        address=current.address(),
        agent=request.user_agent.string,
    )


def wait(waiting: Waiting) -> None:
    """Keep in the cookie which login waits for a code; whoever has logged in stays so until the code has come."""
    session[_WAITING], session[_WAITING_WAY] = waiting.token, waiting.way.value


def waiting_for() -> str | None:
    """Return the name of the account whose login waits in this browser for a code, or None."""
    token = session.get(_WAITING)
    return second_factors.waiting_for(database(), token, now=current.now()) if isinstance(token, str) else None


def waiting_token() -> str:
    """Return the token of the login that waits in this browser, empty without one."""
    token = session.get(_WAITING)
    return token if isinstance(token, str) else ""


def finish(code: str) -> Grant | None:
    """Let the login go on that waits in this browser, if the code fits."""
    place = Place(current.address(), request.user_agent.string)
    return second_factors.finish(database(), session[_WAITING], code, now=current.now(), place=place)


def is_by_proxy() -> bool:
    """Return whether a proxy vouches for this request, which ends with no session of ours."""
    return getattr(current.user(), "way", None) == BY_PROXY


def must_set_up() -> bool:
    """Return whether the account of this request must have a second factor, as the settings have it, and has none.

    Whoever another service vouches for is asked for one there, if at all; tokens have none.
    """
    user, least = current.user(), current.config().second_factor_from
    if least == "never" or not isinstance(user, Account) or not is_from(user.role, least):
        return False
    return user.way not in {Way.PROVIDER, BY_PROXY} and not second_factors.state_of(database(), user.username).is_on


def has_proven_factor() -> bool:
    """Return whether the account has no second factor, or has logged in a short while ago by a passkey, which is one."""
    user = current.user()
    logged_in_at = getattr(user, "logged_in_at", None)
    if getattr(user, "way", None) == Way.PASSKEY and logged_in_at is not None and current.now() - logged_in_at < FRESH:
        return True
    return not second_factors.state_of(database(), user.username).is_on


def proof_needed() -> str:
    """Return how somebody has to prove once more to be who the session says: password, passkey, provider, link, or not.

    A login of a short while ago is proof enough; an account without any of them needs another login link. For whom a proxy
    vouches, it does so with each request.
    """
    user = current.user()
    logged_in_at = getattr(user, "logged_in_at", None)
    if logged_in_at is not None and current.now() - logged_in_at < FRESH:
        return ""
    if has_password():
        return "password"
    if getattr(user, "way", None) == Way.PASSKEY:
        return "passkey"
    is_by_provider = getattr(user, "way", None) == Way.PROVIDER and bool(current.config().oidc_issuer)
    if is_by_provider:
        return "provider"
    return "link" if user.is_authenticated and not user.by_token and not is_by_proxy() else ""


def is_proven() -> bool:
    """Return whether nothing more has to be proven."""
    return not proof_needed()


def prove(password: str) -> str:
    """Check the present password of whoever has logged in; if it fits, the session gets a new token and is a new one.

    Returns what is wrong, for people to read, or nothing.
    """
    username = current.user().username
    if not tries().count_proof(username):
        return _("Too many tries. Wait a minute, then try again.")
    grant = accounts.prove(
        database(),
        username,
        password,
        now=current.now(),
        configured_password=current.config().password,
        address=current.address(),
        agent=request.user_agent.string,
    )
    if grant is None:
        return _("Invalid password.")
    tries().forget_proofs(username)
    if current.user().token:
        enter(grant)
    else:
        # A proxy vouches for each request, and there is no session that could be a new one.
        accounts.log_out(database(), grant.token, now=current.now())
    return ""


def credential() -> str:
    """Return what lets this request in, for ``still_open``; empty on a server that asks for no login."""
    user = current.user()
    if user.by_token:
        return f"{_TOKEN}{askers.bearer_of(request)}"
    if isinstance(user, Account) and user.way == BY_PROXY:
        return f"{_NAMED}{user.role}:{user.username}"
    return f"{_SESSION}{user.token}" if user.token else ""


def still_open(db: Database, credentials: Collection[str], limits: Limits = USUAL) -> set[str]:
    """Return those of some credentials that still open anything."""
    now = clock.now()
    sessions = [one.removeprefix(_SESSION) for one in credentials if one.startswith(_SESSION)]
    secrets = [one.removeprefix(_TOKEN) for one in credentials if one.startswith(_TOKEN)]
    named = [one.removeprefix(_NAMED).partition(":") for one in credentials if one.startswith(_NAMED)]
    roles = accounts.list_roles(db, [username for _role, _colon, username in named]) if named else {}
    return {
        *(f"{_NAMED}{role}:{username}" for role, _colon, username in named if roles.get(username) == role),
        *(f"{_SESSION}{token}" for token in accounts.still_open(db, sessions, now=now, limits=limits)),
        *(f"{_TOKEN}{secret}" for secret in tokens.still_open(db, secrets, now=now)),
    }


def may_try(username: str) -> bool:
    """Count a try to log in as somebody and return whether it may be made."""
    address = current.address()
    return tries().count(address, username, is_known=accounts.has_been_at(database(), username, address))


def may_try_code(username: str, code: str) -> bool:
    """Count a code that a login waits for, of which there are few enough to be guessed, and return whether it may be tried.

    Strangers who have found out the password use up the tries of places where the account has not been, and of no login
    link; recovery codes are none of them.
    """
    address = current.address()
    if not tries().count(address, username, is_known=True):
        return False
    if second_factors.is_recovery(code):
        return True
    if session.get(_WAITING_WAY) == Way.LINK:
        return tries().count_code(username, BY_LINK)
    return tries().count_code(username, address if accounts.has_been_at(database(), username, address) else "")


def may_try_own_code(code: str) -> bool:
    """Count a code that somebody types who has logged in, and return whether it may be tried."""
    kind = " recovery" if second_factors.is_recovery(code) else ""
    return tries().count_code(current.user().username, f"{INSIDE}{kind}")


def forget_tries(username: str) -> None:
    """Give the tries back to an account and an address that have just logged in."""
    tries().forget(current.address(), username)


def has_password() -> bool:
    """Return whether the account of this request has a password that must be given to change it."""
    user = current.user()
    if getattr(user, "has_password", False):
        return True
    # That of the settings opens the first account alone.
    return bool(current.config().password) and accounts.first_username(database()) == user.username
