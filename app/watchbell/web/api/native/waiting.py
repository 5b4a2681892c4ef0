"""Answers that wait for something to happen; each holds a thread of the server, so only so many of them wait at a time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from watchbell import clock
from watchbell.domain.run_state import FINAL
from watchbell.errors import Unavailable
from watchbell.services import runs
from watchbell.store.runs import Run
from watchbell.store.session import ChangeWatch, Database
from watchbell.web import outputs
from watchbell.web.db import database
from watchbell.web.outputs import Part, Stream

MOST_WAITING = 8
_LOOK_SECONDS = 0.1
#: Where a look at the database costs nothing, so often it is looked at in any case.
_NET_SECONDS = 5.0
_places = threading.BoundedSemaphore(MOST_WAITING)
_T = TypeVar("_T")


def wait_for(run_id: int, *, until_final: bool, timeout: float) -> Run:
    """Return a run once it has ended or, if that is not what is waited for, has come to another state than it is in now.

    Returns it as it is after so many seconds. Raises NotFound, RunDeleted, and Unavailable when too many are waiting.
    """
    run = runs.get(database(), run_id)
    before = run.state

    def look() -> Run | None:
        found = runs.get(database(), run_id)
        return found if found.state in FINAL or (not until_final and found.state != before) else None

    if run.state in FINAL or timeout <= 0:
        return run
    return until(look, timeout) or runs.get(database(), run_id)


def wait_for_output(stream: Stream, offset: int, *, timeout: float, limit: int = outputs.CHUNK) -> Part:
    """Return what a stream has from an offset on, once there is any or the stream is complete.

    Returns an empty part after so many seconds. Raises NotFound as ``Stream.read`` does, and Unavailable when too many are
    waiting.
    """

    def look() -> Part | None:
        part = stream.read(offset, limit)
        return part if part.is_complete or part.slice.data or part.slice.next_offset > offset >= 0 else None

    if timeout <= 0:
        return stream.read(offset, limit)
    # A file that grows is no change of the database.
    return look() or until(look, timeout, by_changes=False) or stream.read(offset, limit)


def until(look: Callable[[], _T | None], timeout: float, *, by_changes: bool = True) -> _T | None:
    """Return what a look finds, looking again whenever the database has changed, or None after so many seconds."""
    deadline = clock.monotonic() + timeout
    with _place(), _watching(database()) as watch:
        looked_at = 0.0
        bell = threading.Event()
        while True:
            now = clock.monotonic()
            if not by_changes or watch.changed() or now - looked_at >= _NET_SECONDS:
                looked_at = now
                found = look()
                if found is not None:
                    return found
            if now >= deadline:
                return None
            bell.wait(min(_LOOK_SECONDS, deadline - now))


@contextlib.contextmanager
def _place() -> Iterator[None]:
    if not _places.acquire(blocking=False):
        raise Unavailable(
            f"{MOST_WAITING} requests wait for something already, which is as many as may; ask again soon"
        )
    try:
        yield
    finally:
        _places.release()


@contextlib.contextmanager
def _watching(db: Database) -> Iterator[ChangeWatch]:
    own = Database.open(db.engine.url.render_as_string(hide_password=False), single_connection=True)
    try:
        yield ChangeWatch(own)
    finally:
        own.close()
