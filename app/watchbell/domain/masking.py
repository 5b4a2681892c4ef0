"""What is not shown of an environment: the values of names that look like secrets, and passwords inside of addresses.

The one place that says so; pages and comparisons ask here. A value that is masked too often costs a look into the task's form,
one that is masked too seldom cannot be taken back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from watchbell.domain.secret_names import is_reference

#: What stands in the place of a secret; it tells nothing of its length.
MASK = "••••••"
#: Parts of a name that make it a secret's wherever they stand in it.
_ANYWHERE = (
    "PASSWORD", "PASSWD", "PASSPHRASE", "PASSCODE", "SECRET", "TOKEN", "CREDENTIAL", "APIKEY", "ACCESSKEY", "PRIVATEKEY",
    "AUTHORIZATION", "BEARER", "COOKIE",
)  # fmt: skip
#: And those that have to be a word of it: KEY in API_KEY, but not in KEYBOARD.
_WORDS = frozenset(
    {"KEY", "KEYS", "PASS", "PWD", "PW", "AUTH", "PIN", "JWT", "SALT", "CREDS", "CRED", "SIG", "SIGNATURE"}
)
#: Well known, and no secrets.
_HARMLESS = frozenset({"PWD", "OLDPWD", "SSH_AUTH_SOCK", "XAUTHORITY"})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
#: A key is one under any name.
_PRIVATE_KEY = "PRIVATE KEY-----"
_SPACE = re.compile(r"(\s+)")
_LEAST_TOKEN = 20
_PARAMETER = re.compile(r"([?&;])([A-Za-z0-9_.-]{1,100})=([^\s&;#\"']{1,2000})")


def is_secret_name(name: str) -> bool:
    """Return whether a name looks like that of a secret."""
    if name.upper() in _HARMLESS:
        return False
    plain = re.sub(r"[^A-Z0-9]", "", name.upper())
    words = {word.upper() for word in _WORD.findall(name)}
    return any(part in plain for part in _ANYWHERE) or bool(words & _WORDS)


def mask_addresses(text: str) -> str:
    """Return a text without the passwords in its addresses, and without what its parameters of secret names are."""
    if "://" not in text:
        return text
    masked = "".join(_mask_password(word) for word in _SPACE.split(text))
    return _PARAMETER.sub(
        lambda found: f"{found[1]}{found[2]}={MASK}" if is_secret_name(found[2]) else found[0], masked
    )


def _mask_password(word: str) -> str:
    """Return one word without what stands between the user and the host; a password may have any sign in it, also an @."""
    start, end = word.find("://") + 3, word.rfind("@")
    if start < 3 or end <= start:
        return word
    user, colon, _password = word[start:end].partition(":")
    if "/" in user:
        return word
    if colon:
        return f"{word[:start]}{user}:{MASK}{word[end:]}"
    # A token may stand there alone; a name is shorter.
    return f"{word[:start]}{MASK}{word[end:]}" if len(user) >= _LEAST_TOKEN else word


def mask(name: str, value: str) -> str:
    """Return a variable's value as it may be shown."""
    if not value:
        return value
    if is_reference(value):
        # Which secret it is tells nothing of its value, and is what one wants to know.
        return value
    return MASK if is_secret_name(name) or _PRIVATE_KEY in value else mask_addresses(value)


def mask_all(environment: Mapping[str, object]) -> dict[str, str]:
    """Return variables as they may be shown, by name."""
    return {name: mask(name, str(value)) for name, value in sorted(environment.items())}
