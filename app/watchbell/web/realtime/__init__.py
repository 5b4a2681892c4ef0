"""What reaches a client without being asked for: sockets, and answers that wait for something to happen.

One hub for each web process follows the outbox and carries all sockets in one thread (``hub``). A socket is taken over from
the server that has accepted it (``handover``), so that it holds none of the server's threads.

Other routes wait by ``wait_for``, ``wait_for_output`` and ``until``; whoever serves the application ends it by ``end``.
"""

from __future__ import annotations

from flask import Flask

from watchbell.web.realtime.sockets import hub_of
from watchbell.web.realtime.waiting import until, wait_for, wait_for_output

__all__ = ["end", "until", "wait_for", "wait_for_output"]


def end(app: Flask) -> None:
    """Close the sockets of an application and let go of all who wait, because it is served no more."""
    hub_of(app).end()
