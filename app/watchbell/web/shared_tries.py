"""Tries that all web processes count together: those of one machine in a file, those of several in a Redis.

Each answer is None while the store does not answer; whoever asks then counts alone.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from typing import Protocol

from limits import RateLimitItem
from limits.errors import ConfigurationError, StorageError
from limits.storage import Storage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from watchbell import clock
from watchbell.config import Config
from watchbell.errors import ConfigError, Unavailable
from watchbell.store.tries import TriesFile, Window

_log = logging.getLogger("watchbell.web")
_FILE = "tries.db"
#: So long a store that did not answer is not asked again: nobody who logs in is to wait for it each time.
_REST_SECONDS = 10.0
_ANSWER_SECONDS = 1.0
#: Longer than any window, so that whoever is given tries back does not get the old ones back as well.
_FORGOTTEN_SECONDS = 2 * 86_400

Limits = Sequence[RateLimitItem]
Tried = Sequence[tuple[str, str]]


class _Book(Protocol):
    """A place where tries are written down; each method raises Unavailable."""

    def hit(self, who: str, limits: Limits) -> bool:
        """Count a try and return whether it may be made."""

    def has_room(self, who: str, limits: Limits) -> bool:
        """Return whether another try may be made."""

    def forget(self, whom: Sequence[str]) -> None:
        """Give tries back."""


class SharedTries:
    """A book, and what happens while it cannot be read."""

    def __init__(self, book: _Book) -> None:
        self._book = book
        self._resting_until = 0.0

    def hit(self, kind: str, who: str, limits: Limits) -> bool | None:
        """Count a try and return whether it may be made; None if nobody answers."""
        if self._is_resting():
            return None
        try:
            return self._book.hit(f"{kind} {who}", limits)
        except Unavailable as error:
            self._rest(error)
            return None

    def has_room(self, kind: str, who: str, limits: Limits) -> bool | None:
        """Return whether another try may be made; None if nobody answers."""
        if self._is_resting():
            return None
        try:
            return self._book.has_room(f"{kind} {who}", limits)
        except Unavailable as error:
            self._rest(error)
            return None

    def forget(self, tried: Tried) -> None:
        """Give tries back, unless nobody answers: they come back by themselves, too."""
        if self._is_resting():
            return
        try:
            self._book.forget([f"{kind} {who}" for kind, who in tried])
        except Unavailable as error:
            self._rest(error)

    def _is_resting(self) -> bool:
        return clock.monotonic() < self._resting_until

    def _rest(self, error: Unavailable) -> None:
        self._resting_until = clock.monotonic() + _REST_SECONDS
        _log.warning("tries to log in are counted by this process alone for now: %s", error)


class _InFile:
    """Tries in a file of this machine."""

    def __init__(self, file: TriesFile) -> None:
        self._file = file

    def hit(self, who: str, limits: Limits) -> bool:
        return self._file.hit(who, _windows(limits), clock.now().timestamp())

    def has_room(self, who: str, limits: Limits) -> bool:
        return self._file.has_room(who, _windows(limits), clock.now().timestamp())

    def forget(self, whom: Sequence[str]) -> None:
        self._file.forget(whom)


class _InRedis:
    """Tries in a Redis, under digests of what they are of."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._limiter = MovingWindowRateLimiter(storage)

    def hit(self, who: str, limits: Limits) -> bool:
        try:
            key = self._key(who)
            hits = [self._limiter.hit(limit, *key) for limit in limits]
        except StorageError as error:
            raise Unavailable(_told(error)) from error
        return all(hits)

    def has_room(self, who: str, limits: Limits) -> bool:
        try:
            key = self._key(who)
            return all(self._limiter.test(limit, *key) for limit in limits)
        except StorageError as error:
            raise Unavailable(_told(error)) from error

    def forget(self, whom: Sequence[str]) -> None:
        try:
            for who in whom:
                self._storage.incr(_forgotten(who), _FORGOTTEN_SECONDS)
        except StorageError as error:
            raise Unavailable(_told(error)) from error

    def _key(self, who: str) -> tuple[str, str, str]:
        # Whoever was given tries back counts anew under another number.
        return "watchbell", _digest(who), str(self._storage.get(_forgotten(who)))


def shared_by(config: Config) -> SharedTries | None:
    """Return what the processes of these settings count in together; None if each counts alone.

    Raises ConfigError for a Redis that this installation cannot speak to, whether it is there or not.
    """
    if config.tries_store == "memory":
        return None
    if config.tries_store == "file":
        return SharedTries(_InFile(TriesFile(config.home / _FILE)))
    options: dict[str, float | str | bool] = {
        "socket_timeout": _ANSWER_SECONDS,
        "socket_connect_timeout": _ANSWER_SECONDS,
        "wrap_exceptions": True,
    }
    try:
        storage = storage_from_string(config.tries_store, **options)
    except ConfigurationError as error:
        reason = "needs the package redis; run: pip install 'watchbell[redis]'"
        raise ConfigError(f"WATCHBELL_TRIES_STORE {reason}") from error
    except (ValueError, TypeError, StorageError):
        # What was written there may hold a password.
        raise ConfigError("WATCHBELL_TRIES_STORE is no address of a Redis that can be understood") from None
    assert isinstance(storage, Storage)
    return SharedTries(_InRedis(storage))


def _windows(limits: Limits) -> list[Window]:
    return [Window(limit.amount, limit.get_expiry()) for limit in limits]


def _digest(who: str) -> str:
    return hashlib.blake2b(who.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _forgotten(who: str) -> str:
    return f"watchbell/forgotten/{_digest(who)}"


def _told(error: StorageError) -> str:
    cause = error.__cause__ or error
    return f"the Redis of WATCHBELL_TRIES_STORE does not answer ({type(cause).__name__})"
