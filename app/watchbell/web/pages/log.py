"""The scheduler's log, as a terminal would show it."""

from __future__ import annotations

import dataclasses

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.control import logfile
from watchbell.web import current
from watchbell.web.log_lines import LEVELS, LINES, LINES_MOST, Line, after, filtered, is_at_least, newest
from watchbell.web.presenters import count_words

blueprint = Blueprint("log", __name__)


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
        lines, offset, is_fresh = after(given)
    shown = [dataclasses.asdict(line) for line in filtered(lines, chosen)]
    return jsonify(lines=shown, offset=offset, fresh=is_fresh)


@blueprint.post("/log/clear")
def clear() -> AnyResponse:
    """Empty the log."""
    flash("The log is empty now." if logfile.clear(current.config().log_path) else "There was no log yet.", "success")
    return redirect(url_for("log.index"), 303)


def _answer(lines: list[Line]) -> str:
    """Return whether there was trouble among these lines, and when last."""
    if not lines:
        return "The scheduler has written nothing yet."
    among = f"among the last {count_words(len(lines), 'line')}" if len(lines) > 1 else "in the only line"
    bad = [line for line in lines if line.timestamp and is_at_least(line, "warning")]
    if not bad:
        return f"No warning and no error {among}."
    errors = sum(is_at_least(line, "error") for line in bad)
    told = [count_words(number, noun) for number, noun in ((errors, "error"), (len(bad) - errors, "warning")) if number]
    return f"{' and '.join(told)} {among}, the last at {bad[-1].timestamp}."


def _filter() -> tuple[str, int]:
    """Return the level and the number of lines that the address asks for; what makes no sense counts as not given."""
    chosen = request.args.get("level", "all")
    count = request.args.get("lines", LINES, type=int)
    return chosen if chosen in LEVELS else "all", min(max(count, 1), LINES_MOST)
