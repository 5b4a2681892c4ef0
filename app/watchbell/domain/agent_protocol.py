"""What server and agent have agreed on: the keys and signatures of what the server tells one device."""

from __future__ import annotations

import hashlib
import hmac


def signing_key(server_secret: str, uuid: str, salt: str) -> str:
    """Return the key, hexadecimal, with which a server signs what it tells one device.

    The device gets it once, on joining, and never sends it; the server makes it anew from its own secret, so that nobody can
    sign who has nothing but the database.
    """
    text = f"watchbell agent signing key v1\n{uuid}\n{salt}"
    return hmac.new(server_secret.encode(), text.encode(), hashlib.sha256).hexdigest()
