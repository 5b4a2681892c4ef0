"""Which calls of ``watchbell exec`` live: each holds the lock of a file of its own, which the kernel gives up with it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from watchbell.config import Config
from watchbell.errors import ConfigError
from watchbell.services.lives import name_call, unique_of

_FOLDER = "calls"
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


@contextlib.contextmanager
def hold(config: Config) -> Iterator[str]:
    """Be a call for the length of the block; its name is given. Raises ConfigError where no lock can be had."""
    descriptor, path = _lock(config)
    try:
        yield name_call(path.stem, config.hostname, str(config.home))
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _lock(config: Config) -> tuple[int, Path]:
    while True:
        path = _path(config, uuid.uuid4().hex)
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(path, _FLAGS, 0o600)
        except OSError as error:
            raise ConfigError(f"{path} cannot be opened: {error.strerror}") from None
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if path.exists():
            return descriptor, path
        # Somebody has swept it away in the moment before it was locked.
        os.close(descriptor)


def is_alive(config: Config, call: str) -> bool:
    """Return whether a call of this data directory lives; True as well where this user may not know."""
    try:
        descriptor = os.open(_path(config, unique_of(call)), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def sweep(config: Config) -> None:
    """Remove the files of calls that are gone."""
    for path in (config.home / _FOLDER).glob("*.lock"):
        if _is_left(path):
            path.unlink(missing_ok=True)


def _is_left(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _path(config: Config, unique: str) -> Path:
    return config.home / _FOLDER / f"{unique}.lock"
