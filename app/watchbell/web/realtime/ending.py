"""Ending in good order: every client hears that the server goes away before the process is gone."""

from __future__ import annotations

import functools
import signal
import threading
from collections.abc import Callable
from types import FrameType

from gunicorn.workers.base import Worker

from watchbell.web.realtime.hub import Hub

#: By these gunicorn ends a worker: when the whole server stops, when it reloads, and at once.
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def end_with_worker(hub: Hub) -> None:
    """If this process is a gunicorn worker that makes its application, let the hub end first when the worker is ended.

    The worker itself waits for seconds for requests that are still being sent, and then leaves without a word to sockets
    that it has not got any more. Other servers tell the hub by its ``end``.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in _SIGNALS:
        handler = signal.getsignal(number)
        if callable(handler) and isinstance(getattr(handler, "__self__", None), Worker):
            signal.signal(number, functools.partial(_end_first, hub, handler))
            if number == signal.SIGTERM:
                # As gunicorn has it, and setting a handler undoes: what a request is waiting for goes on.
                signal.siginterrupt(number, False)


def _end_first(
    hub: Hub, handler: Callable[[int, FrameType | None], object], number: int, frame: FrameType | None
) -> None:
    hub.end()
    handler(number, frame)
