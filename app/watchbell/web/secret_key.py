"""The key that signs cookies: given by a setting, or made once and kept in the data directory."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from watchbell.config import Config
from watchbell.errors import ConfigError

_FILE = "secret.key"
_LEAST = 32


def secret_key(config: Config) -> str:
    """Return the key; raises ConfigError if it is too short to protect anything or cannot be kept."""
    if config.secret_key:
        if len(config.secret_key) < _LEAST:
            raise ConfigError(
                f"WATCHBELL_SECRET_KEY must be at least {_LEAST} characters long; leave it out to have one made"
            )
        return config.secret_key
    path = config.home / _FILE
    try:
        if not path.exists():
            _make(path)
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is damaged"
        raise ConfigError(f"the key of the cookies in {path} cannot be used: {reason}") from None
    if len(key) < _LEAST:
        raise ConfigError(f"the key of the cookies in {path} is damaged; delete it to have a new one made")
    return key


def _make(path: Path) -> None:
    """Write a new key so that nobody ever reads half of one, and the first of several processes wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    own = path.with_name(f"{_FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    # A link that exists already is another process's key, which is as good.
    with contextlib.suppress(FileExistsError):
        os.link(own, path)
    own.unlink()
