"""Passwords: what one must be like, its hash, and whether one is right."""

from __future__ import annotations

import base64
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION

from watchbell.errors import InputError

PASSWORD_MIN = 8
PASSWORD_MAX = 1024
_HASHER = PasswordHasher()


def decoy(like: PasswordHasher) -> str:
    """Return what verifying costs as much with as with a hash of such a hasher, and no password is right for.

    It is written as a hash is and is none: making one takes a tenth of a second, of every program that starts.
    """
    salt, tag = (
        base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (like.salt_len, like.hash_len)
    )
    work = f"m={like.memory_cost},t={like.time_cost},p={like.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${work}${salt}${tag}"


#: Verified against when there is no account, so that a wrong name takes as long as a wrong password.
_DECOY = decoy(_HASHER)


def hash_of(password: str) -> str:
    """Return the hash of a new password; raises InputError if it is too short, too long or no text."""
    if len(password) < PASSWORD_MIN:
        raise InputError.of("password", f"must be at least {PASSWORD_MIN} characters long", "a sentence of your own")
    if len(password) > PASSWORD_MAX:
        raise InputError.of("password", f"must be at most {PASSWORD_MAX} characters long")
    try:
        return _HASHER.hash(password)
    except UnicodeEncodeError:
        raise InputError.of("password", "must be text that can be written as UTF-8") from None


def verifies(stored: str | None, password: str) -> bool:
    """Return whether a password is the one of a stored hash; without a hash none is, which takes as long to find out."""
    given = password[: PASSWORD_MAX + 1].encode("utf-8", "surrogatepass")
    try:
        _HASHER.verify(stored or _DECOY, given)
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None
