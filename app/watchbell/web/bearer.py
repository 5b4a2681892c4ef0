"""Who sends a request that carries a token in place of a session.

A token is looked at before everything else that says who somebody is, and one that is not valid ends the request: it never
falls back to a cookie, or to the one user of a server that asks for no login.
"""

from __future__ import annotations

import dataclasses
from urllib.parse import unquote

from flask import Response, after_this_request, g, request, session
from werkzeug.wrappers import Response as AnyResponse

from watchbell.domain.permissions import OF_DEVICES, Right, Scope, rights_of
from watchbell.services import devices, tokens
from watchbell.services.tokens import TokenRefused
from watchbell.store.device_polls import Asker
from watchbell.store.session import Database
from watchbell.store.tokens import Held
from watchbell.web import askers, current, errors, kept, sightings
from watchbell.web.db import database
from watchbell.web.throttle import tries

#: Arguments of an address by which programs elsewhere send what belongs into a header.
_NAMES = frozenset({"access_token", "api_key", "api_token", "apikey", "bearer", "token"})
_WAIT_SECONDS = 60
#: Where devices send their keys, if not where everybody sends a token.
_DEVICE_HEADER = "X-Device-API-Key"
#: Stands for a role of an account, which a device has none of.
_DEVICE = "device"
_IN_ADDRESS = (
    "A token belongs into the header Authorization, never into an address, which is kept in logs and histories; "
    "revoke this one if it was a real one"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Program:
    """Whoever has shown a valid token: an account, as far as the scope of the token goes."""

    username: str
    role: str
    scope: str
    #: How the token begins, which is all of it that may be told to anybody.
    prefix: str
    rights: frozenset[Right]
    by_token: bool = True
    is_authenticated: bool = True
    is_active: bool = True
    is_anonymous: bool = False
    #: It has no session.
    token: str = ""
    #: The uuid of the device, if it is one and no account.
    device: str | None = None


def check() -> Response | None:
    """Find out whose token the request carries, if it carries one, or answer that it is not valid."""
    if _stands_in_address():
        return challenge(errors.answer(401, _IN_ADDRESS), "invalid_request")
    key = request.headers.get(_DEVICE_HEADER)
    secret = askers.bearer_of(request) if key is None else key.strip()
    if secret is None:
        return None
    if key is not None or devices.looks_like_key(secret):
        return _check_device(secret)
    try:
        found = tokens.resolve(database(), secret, now=current.now(), address=current.address(), find=_find)
    except TokenRefused as error:
        return _refused(error.message)
    rights = rights_of(found.role, found.scope)
    current.keep_program(Program(found.username, found.role, found.scope, found.prefix, rights))
    after_this_request(_keep_no_session)
    return None


def _check_device(secret: str) -> Response | None:
    """Find out which device's key this is, or answer that it is none."""
    try:
        found = devices.resolve(database(), secret, now=current.now(), address=current.address(), note=sightings.note)
    except TokenRefused as error:
        return _refused(error.message)
    program = Program(f"device {found.uuid}", _DEVICE, Scope.DEVICE.value, secret[:12], OF_DEVICES, device=found.uuid)
    current.keep_program(program)
    g.asking_device = found
    after_this_request(_keep_no_session)
    return None


def asking_device() -> Asker | None:
    """Return the device whose key this request carries, as it was found by that; None without one."""
    found = g.get("asking_device")
    assert found is None or isinstance(found, Asker)
    return found


def _find(db: Database, digest: str) -> Held | None:
    return kept.recall(("token", digest), lambda: tokens.find_held(db, digest))


def challenge(answer: Response, error: str = "", scope: str | None = None) -> Response:
    """Say in an answer, as RFC 6750 has it, that a token is wanted and what was wrong with the one that came."""
    words = [f'error="{error}"'] if error else []
    if scope is not None:
        words.append(f'scope="{scope}"')
    answer.headers["WWW-Authenticate"] = f"Bearer {', '.join(words)}".rstrip()
    return answer


def _keep_no_session(answer: AnyResponse) -> AnyResponse:
    # A page with a form begins a session, and one that has done something tells so on the next: both are for browsers.
    session.modified = False
    return answer


def _stands_in_address() -> bool:
    if any(name.lower() in _NAMES for name in request.args):
        return True
    text = unquote(request.full_path)
    return tokens.looks_like_secret(text) or devices.has_key(text)


def _refused(reason: str) -> Response:
    # A valid token is never counted, so that somebody who guesses from the same address keeps no program out.
    if tries().count_token(current.address()):
        return challenge(errors.answer(401, reason), "invalid_token")
    answer = challenge(errors.answer(429, "Too many wrong tokens from this address; wait a minute"), "invalid_token")
    answer.headers["Retry-After"] = str(_WAIT_SECONDS)
    return answer
