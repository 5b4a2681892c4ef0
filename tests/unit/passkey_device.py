"""A device that makes passkeys and answers with them, as a browser tells a server of it; what it says can be wrong on purpose."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import struct
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40
ORIGIN = "http://localhost"


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Device:
    """One passkey of one device."""

    def __init__(self, origin: str = ORIGIN) -> None:
        self.origin = origin
        self.count = 0
        #: Many do not count, and say 0 for ever.
        self.counts = True
        #: Whether it looks who holds it.
        self.flags = PRESENT | VERIFIED
        self.credential_id = secrets.token_bytes(16)
        self.handle = b""
        #: Parts of its key that it tells otherwise, and what its browser says besides.
        self.key_changed: dict[int, object] = {}
        self.says: dict[str, object] = {}
        self._key = ec.generate_private_key(ec.SECP256R1())

    def make(self, options: str) -> str:
        """Return what it makes of what a server asks for."""
        asked = json.loads(options)
        self.handle = base64.urlsafe_b64decode(asked["user"]["id"] + "==")
        numbers = self._key.public_key().public_numbers()
        key = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32), **self.key_changed}
        attested = bytes(16) + struct.pack(">H", len(self.credential_id)) + self.credential_id + cbor2.dumps(key)
        data = self._data(asked["rp"]["id"], ATTESTED) + attested
        made = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._told({"attestationObject": made, "clientDataJSON": self._client("webauthn.create", asked)})

    def answer(self, options: str, **changed: bytes) -> str:
        """Return how it answers what a server asks."""
        self.count += self.counts
        asked = json.loads(options)
        data, client = self._data(asked["rpId"], 0), self._client("webauthn.get", asked)
        signature = self._key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        response = {
            "authenticatorData": data,
            "clientDataJSON": client,
            "signature": signature,
            "userHandle": self.handle,
        }
        return self._told({**response, **changed})

    def _data(self, host: str, more: int) -> bytes:
        return hashlib.sha256(host.encode()).digest() + struct.pack(">BI", self.flags | more, self.count)

    def _client(self, kind: str, asked: dict[str, Any]) -> bytes:
        told = {"type": kind, "challenge": asked["challenge"], "origin": self.origin, "crossOrigin": False, **self.says}
        return json.dumps(told).encode()

    def _told(self, response: dict[str, bytes]) -> str:
        named = {"id": text(self.credential_id), "rawId": text(self.credential_id), "type": "public-key"}
        return json.dumps({**named, "response": {name: text(data) for name, data in response.items()}})
