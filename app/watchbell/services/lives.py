"""Lives of schedulers, and of commands in the foreground: how one is named, and which belong to a data directory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from watchbell.domain.foreground import HOLDER_PREFIX
from watchbell.store.heartbeats import Scheduler


def name_life(unique: str, home: str) -> str:
    """Return the incarnation of a new scheduler: a unique text, and a mark of the data directory that it works in."""
    return f"{unique}.{home_mark(home)}"


def name_call(unique: str, host: str, home: str) -> str:
    """Return the name under which one call of ``watchbell exec`` holds its run: where it is made is in it."""
    return f"{HOLDER_PREFIX}{_host_mark(host)}-{unique}.{home_mark(home)}"


def is_call(holder: str | None) -> bool:
    """Return whether a run is held by a call of ``watchbell exec``, and not by a scheduler."""
    return holder is not None and holder.startswith(HOLDER_PREFIX)


def is_call_at(holder: str, host: str) -> bool:
    """Return whether a call was made on a host."""
    return holder.startswith(call_prefix(host))


def call_prefix(host: str) -> str:
    """Return how the names of the calls begin that are made on a host."""
    return f"{HOLDER_PREFIX}{_host_mark(host)}-"


#: How the names of workers of the engine begin.
_WORKER = "engine-"


def name_worker(unique: str, host: str, home: str) -> str:
    """Return the name of one life of a worker of the engine: where it works is in it."""
    return f"{_WORKER}{_host_mark(host)}-{unique}.{home_mark(home)}"


def is_worker(holder: str | None) -> bool:
    """Return whether a run is held by a worker of the engine."""
    return holder is not None and holder.startswith(_WORKER)


def is_worker_at(holder: str, host: str) -> bool:
    """Return whether a worker of the engine works on a host."""
    return holder.startswith(worker_prefix(host))


def worker_prefix(host: str) -> str:
    """Return how the names of the workers of the engine begin that work on a host."""
    return f"{_WORKER}{_host_mark(host)}-"


def unique_of(call: str) -> str:
    """Return what tells a call from all others of its data directory."""
    return call.partition(".")[0].rpartition("-")[2]


def _host_mark(host: str) -> str:
    return hashlib.sha256(host.encode()).hexdigest()[:8]


def home_mark(home: str) -> str:
    """Return the mark of a data directory."""
    return hashlib.sha256(home.encode()).hexdigest()[:12]


def mark_of(incarnation: str) -> str:
    """Return the mark of the data directory that a scheduler worked in."""
    return incarnation.partition(".")[2]


def lives_of(lives: Iterable[Scheduler], home: str, *, owns_database: bool) -> list[Scheduler]:
    """Return those that worked in a data directory; a database that lies in one (``owns_database``) has no other one."""
    return [life for life in lives if owns_database or mark_of(life.incarnation) == home_mark(home)]
