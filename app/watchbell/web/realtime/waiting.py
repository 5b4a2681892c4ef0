"""Answers that wait for something to happen to a run: what a program calls that cannot hold a socket open.

Each of them holds a thread of the server, so there are never more than a part of those; whoever comes beyond them is told to
come again.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

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
_places = threading.BoundedSemaphore(MOST_WAITING)


def wait_for(run_id: int, *, until_final: bool, timeout: float) -> Run:
    """Return a run once it has ended or, if that is not what is waited for, has come to another state than it is in now.

    Returns it as it is after so many seconds, and when the server stops. Raises NotFound, RunDeleted, and TooMany when too
    many requests are waiting already.
    """
    db = database()
    run = runs.get(db, run_id)
    before, deadline = run.state, _deadline(timeout)
    if run.state in FINAL or deadline <= clock.monotonic():
        return run
    with _waiting(run_id) as watch:
        while True:
            # It is looked at once more after the watch has begun, or its end could fall between the two.
            run = runs.get(db, run_id)
            is_there = run.state in FINAL or (not until_final and run.state != before)
            if is_there or not _may_go_on(deadline):
                return run
            watch.wait(min(deadline - clock.monotonic(), _NET_SECONDS))


def wait_for_output(stream: Stream, offset: int, *, timeout: float, limit: int = outputs.CHUNK) -> Part:
    """Return what a stream has from an offset on, once there is any or the stream is complete.

    Returns an empty part after so many seconds, and when the server stops. Raises NotFound as ``Stream.read`` does, and
    TooMany when too many requests are waiting already.
    """
    part = stream.read(offset, limit)
    deadline = _deadline(timeout)
    if _has_come(part, offset) or deadline <= clock.monotonic():
        return part
    with _waiting(stream.run_id) as watch:
        while True:
            part = stream.read(offset, limit)
            if _has_come(part, offset) or not _may_go_on(deadline):
                return part
            watch.wait(min(deadline - clock.monotonic(), _GROWTH_SECONDS))


def _has_come(part: Part, offset: int) -> bool:
    return part.is_complete or bool(part.slice.data) or part.slice.next_offset > offset >= 0


def _deadline(timeout: float) -> float:
    # With a single thread nobody else would be served meanwhile.
    seconds = min(max(timeout, 0.0), LONGEST_SECONDS) if request.environ.get("wsgi.multithread") else 0.0
    return clock.monotonic() + seconds


def _may_go_on(deadline: float) -> bool:
    return clock.monotonic() < deadline and not hub_of(current_app).is_ending


@contextlib.contextmanager
def _waiting(run_id: int) -> Iterator[Watch]:
    if not _places.acquire(blocking=False):
        raise TooMany(f"{MOST_WAITING} requests are waiting already; come again in a moment")
    try:
        with hub_of(current_app).watch(run_id) as watch:
            yield watch
    finally:
        _places.release()
