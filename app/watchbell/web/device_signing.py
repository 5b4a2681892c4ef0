"""The keys with which this server signs what it tells devices, made from its own secret."""

from __future__ import annotations

from flask import current_app

from watchbell.domain import agent_protocol


def key_for(uuid: str, salt: str) -> str:
    """Return the signing key of a device."""
    return agent_protocol.signing_key(str(current_app.config["SECRET_KEY"]), uuid, salt)
