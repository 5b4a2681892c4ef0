"""What this server tells devices: the keys with which it is signed, and whether anybody on the way can read it."""

from __future__ import annotations

from flask import current_app, request

from watchbell.domain import agent_protocol
from watchbell.web import current
from watchbell.web.checks import is_loopback


def key_for(uuid: str, salt: str) -> str:
    """Return the signing key of a device."""
    return agent_protocol.signing_key(str(current_app.config["SECRET_KEY"]), uuid, salt)


def is_private() -> bool:
    """Return whether nobody on the way reads the answer: it goes over TLS, or over neither a network nor a proxy."""
    is_forwarded = any(name.lower().startswith(("forwarded", "x-forwarded")) for name, _value in request.headers)
    return request.is_secure or (not is_forwarded and is_loopback(current.address()))
