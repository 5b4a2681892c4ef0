"""The scheduler's log, as a terminal would show it."""

from __future__ import annotations

import dataclasses

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.control import logfile
from watchbell.control.logfile import LogLine
from watchbell.web import current
from watchbell.web.presenters import count_words

blueprint = Blueprint("log", __name__)

LINES = 200
LINES_MOST = 5000
#: However long its lines are, so much of the log's end is read to find the last ones.
_TAIL_BYTES = logfile.READ_LIMIT_BYTES
#: Filter -> the least level that it shows.
LEVELS = {"all": 0, "info": 20, "warning": 30, "error": 40}
_RANKS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One line as it is shown."""

    level: str
    text: str
    #: Empty in a line that goes on from the one before.
    timestamp: str = ""


@blueprint.get("/log")
def index() -> str:
    """Show the last lines; the page's script adds what is written from then on."""
    chosen, count = _filter()
    lines, offset = newest(count)
    shown = filtered(lines, chosen)
    return render_template(
        "log/index.html",
        lines=shown,
        offset=offset,
        level=chosen,
        count=count,
        answer=_answer(lines),
        has_older=len(lines) == count < LINES_MOST,
    )


@blueprint.get("/log.json")
def data() -> Response:
    """Return the last lines, or with ``offset`` those that were written after it."""
    chosen, count = _filter()
    given = request.args.get("offset", type=int)
    if given is None:
        lines, offset = newest(count)
        is_fresh = True
    else:
        part = logfile.read_from(current.config().log_path, given)
        lines, offset, is_fresh = with_levels(part.lines), part.offset, part.is_fresh
    shown = [dataclasses.asdict(line) for line in filtered(lines, chosen)]
    return jsonify(lines=shown, offset=offset, fresh=is_fresh)


@blueprint.post("/log/clear")
def clear() -> AnyResponse:
    """Empty the log."""
    flash("The log is empty now." if logfile.clear(current.config().log_path) else "There was no log yet.", "success")
    return redirect(url_for("log.index"), 303)


def newest(count: int) -> tuple[list[Line], int]:
    """Return the last lines, oldest first, and the offset at which what follows them begins."""
    path = current.config().log_path
    start = max(0, logfile.size(path) - _TAIL_BYTES)
    part = logfile.read_from(path, start)
    # The first line is cut unless the file begins with it.
    whole = part.lines[1:] if start else part.lines
    return with_levels(whole[-count:]), part.offset


def last_lines(count: int) -> list[Line]:
    """Return the last lines, for the scheduler's panel."""
    # More are read than shown, so that the first of them knows the level of the line that it goes on from.
    return with_levels(logfile.tail(current.config().log_path, LINES))[-count:]


def with_levels(lines: list[LogLine]) -> list[Line]:
    """Return lines of which each has a level: one that goes on from the line before has its level."""
    found = []
    level = "INFO"
    for line in lines:
        level = line.level or level
        found.append(Line(level, str(line), line.timestamp))
    return found


def filtered(lines: list[Line], chosen: str) -> list[Line]:
    """Return the lines of a level or above."""
    least = LEVELS[chosen]
    return [line for line in lines if _RANKS.get(line.level, 20) >= least]


def _answer(lines: list[Line]) -> str:
    """Return whether there was trouble among these lines, and when last."""
    if not lines:
        return "The scheduler has written nothing yet."
    among = f"among the last {count_words(len(lines), 'line')}" if len(lines) > 1 else "in the only line"
    bad = [line for line in lines if line.timestamp and _RANKS.get(line.level, 20) >= LEVELS["warning"]]
    if not bad:
        return f"No warning and no error {among}."
    errors = sum(_RANKS.get(line.level, 20) >= LEVELS["error"] for line in bad)
    told = [count_words(number, noun) for number, noun in ((errors, "error"), (len(bad) - errors, "warning")) if number]
    return f"{' and '.join(told)} {among}, the last at {bad[-1].timestamp}."


def _filter() -> tuple[str, int]:
    """Return the level and the number of lines that the address asks for; what makes no sense counts as not given."""
    chosen = request.args.get("level", "all")
    count = request.args.get("lines", LINES, type=int)
    return chosen if chosen in LEVELS else "all", min(max(count, 1), LINES_MOST)
