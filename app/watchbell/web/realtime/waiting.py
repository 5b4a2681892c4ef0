"""Answers that wait for something to happen to a run: what a program calls that cannot hold a socket open.

Each of them holds a thread of the server, so there are never more than a part of those; whoever comes beyond them is told to
come again.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from flask import current_app, request

from watchbell import clock
from watchbell.domain.run_state import FINAL
from watchbell.errors import TooMany
from watchbell.services import runs
from watchbell.store.runs import Run
from watchbell.web import outputs
from watchbell.web.db import database
from watchbell.web.outputs import Part, Stream
from watchbell.web.realtime.hub import Watch
from watchbell.web.realtime.sockets import hub_of

#: So many requests wait at a time, well below the threads of a server.
MOST_WAITING = 6
#: Proxies give up a request on which nothing has come for a minute.
LONGEST_SECONDS = 50.0
#: A run is looked at so often even if nothing is heard of it.
_NET_SECONDS = 5.0
#: A file that grows makes no event.
_GROWTH_SECONDS = 0.25
_T = TypeVar("_T")
_places = threading.BoundedSemaphore(MOST_WAITING)


def wait_for(run_id: int, *, until_final: bool, timeout: float) -> Run:
    """Return a run once it has ended or, if that is not what is waited for, has come to another state than it is in now.

    Returns it as it is after so many seconds, and when the server stops. Raises NotFound, RunDeleted, and TooMany when too
    many requests are waiting already.
    """
    db = database()
    run = runs.get(db, run_id)
    before = run.state

    def look() -> Run | None:
        found = runs.get(db, run_id)
        return found if found.state in FINAL or (not until_final and found.state != before) else None

    return run if run.state in FINAL else until(look, timeout, run_id=run_id) or runs.get(db, run_id)


def wait_for_output(stream: Stream, offset: int, *, timeout: float, limit: int = outputs.CHUNK) -> Part:
    """Return what a stream has from an offset on, once there is any or the stream is complete.

    Returns an empty part after so many seconds, and when the server stops. Raises NotFound as ``Stream.read`` does, and
    TooMany when too many requests are waiting already.
    """

    def look() -> Part | None:
        part = stream.read(offset, limit)
        return part if part.is_complete or part.slice.data or part.slice.next_offset > offset >= 0 else None

    found = look() or until(look, timeout, run_id=stream.run_id, net_seconds=_GROWTH_SECONDS)
    return found or stream.read(offset, limit)


def until(
    look: Callable[[], _T | None], timeout: float, *, run_id: int | None = None, net_seconds: float = _NET_SECONDS
) -> _T | None:
    """Return what a look finds, looking again whenever something has happened, to a run if one is named, or None after a time.

    Returns None also when the server stops. Raises TooMany when too many requests are waiting already.
    """
    deadline = _deadline(timeout)
    if deadline <= clock.monotonic():
        return None
    with _waiting(run_id) as watch:
        while True:
            # It is looked at once more after the watch has begun, or what is waited for could fall between the two.
            found = look()
            if found is not None or clock.monotonic() >= deadline or hub_of(current_app).is_ending:
                return found
            watch.wait(min(deadline - clock.monotonic(), net_seconds))


def _deadline(timeout: float) -> float:
    # With a single thread nobody else would be served meanwhile.
    seconds = min(max(timeout, 0.0), LONGEST_SECONDS) if request.environ.get("wsgi.multithread") else 0.0
    return clock.monotonic() + seconds


@contextlib.contextmanager
def _waiting(run_id: int | None) -> Iterator[Watch]:
    if not _places.acquire(blocking=False):
        raise TooMany(f"{MOST_WAITING} requests are waiting already; come again in a moment")
    try:
        with hub_of(current_app).watch(run_id) as watch:
            yield watch
    finally:
        _places.release()
