"""A page for what takes longer than a moment: it is sent while the work goes on, says how far that is, and ends with what came of it.

The work goes on in a thread of its own: whoever leaves the page does not end it, and whoever reads slowly does not keep others
from writing. Without scripts the page is the same.
"""

from __future__ import annotations

import contextvars
import dataclasses
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from flask import Response, render_template, stream_with_context

from watchbell.errors import WatchbellError
from watchbell.web.i18n import _

log = logging.getLogger(__name__)

#: So much is done within about a second, and needs no page that tells.
FEW = 200
_LOOK_SECONDS = 0.3
#: Where the page is cut into what is sent before the work and what after it.
_CUT = "\x1e"
T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Ending:
    """What a page tells at its end: the kind of each notice, its text, and what takes it all back."""

    notices: list[tuple[str, str]]
    undo: str = ""
    fields: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Work(Generic[T]):
    """Something that takes a while."""

    title: str
    #: How many things there are to do.
    total: int
    #: Does it, telling now and then how many are through.
    do: Callable[[Callable[[int], None]], T]
    #: Returns what to tell of what was done.
    end: Callable[[T], Ending]
    #: The address of the page that leads on, and its name.
    back: str
    back_label: str
    section: str
    #: The template of the page around it, and what that needs besides.
    frame: str = "lists/progress.html"
    given: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    #: Returns what stands at the end of the page if all went well, in place of notices.
    show: Callable[[T], str] | None = None


class _Going(threading.Thread, Generic[T]):
    def __init__(self, do: Callable[[Callable[[int], None]], T]) -> None:
        super().__init__(name="progress")
        self.through = 0
        self.result: T | None = None
        self.problem: Exception | None = None
        self._do = do
        # What is done is noted down as done by whoever asked, from where they asked.
        self._context = contextvars.copy_context()

    def run(self) -> None:
        try:
            self.result = self._context.run(self._do, self._tell)
        except Exception as error:  # noqa: BLE001 - it is told at the end of the page, and in the log
            self.problem = error

    def _tell(self, number: int) -> None:
        self.through = number


def page(work: Work[T]) -> Response:
    """Return the page of a work, which begins with it."""
    frame = render_template(work.frame, work=work, section=work.section, cut=_CUT, **work.given)
    head, _mark, foot = frame.partition(_CUT)
    going = _Going(work.do)
    going.start()
    return Response(stream_with_context(_told(work, going, head, foot)), mimetype="text/html")


def _told(work: Work[T], going: _Going[T], head: str, foot: str) -> Iterator[str]:
    yield head
    last = -1
    while going.is_alive():
        if going.through != last:
            last = going.through
            yield render_template("lists/progress_part.html", through=last, total=work.total)
        going.join(_LOOK_SECONDS)
    if work.show is not None and going.problem is None:
        # Without a problem there is what the work returns.
        yield work.show(going.result)  # type: ignore[arg-type]
    else:
        yield render_template("lists/progress_end.html", work=work, ending=_ending(work, going))
    yield foot


def _ending(work: Work[T], going: _Going[T]) -> Ending:
    if isinstance(going.problem, WatchbellError):
        told = f"{going.problem.message[:1].upper()}{going.problem.message[1:]}."
        return Ending([("danger", told)])
    if going.problem is not None:
        log.error("%s has failed", work.title, exc_info=going.problem)
        return Ending(
            [("danger", _("It has failed; the log of the server says why. Look at the list for what was done."))]
        )
    # Without a problem there is what the work returns.
    return work.end(going.result)  # type: ignore[arg-type]
