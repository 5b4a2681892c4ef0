"""The scheduler's log, as a terminal would show it."""

from __future__ import annotations

import dataclasses

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.control import log_pages, logfile
from watchbell.control.log_pages import Extent, Page, Place
from watchbell.services import audit
from watchbell.web import current, log_search
from watchbell.web.db import database
from watchbell.web.i18n import _, ngettext
from watchbell.web.log_lines import rank
from watchbell.web.log_search import LogQuery
from watchbell.web.presenters import size_words

blueprint = Blueprint("log", __name__)


@blueprint.get("/log")
def index() -> str:
    """Show the last lines; the page's script adds what is written from then on."""
    asked = log_search.read(request.args)
    page = _page(asked)
    return render_template(
        "log/index.html",
        asked=asked,
        lines=_shown(page, asked),
        page=page,
        answer=_answer(page, asked),
        question=_question(log_pages.extent(current.config().log_path)),
    )


@blueprint.get("/log.json")
def data() -> Response:
    """Return the last lines, those before a place, or those that were written after one."""
    asked = log_search.read(request.args)
    page = _after(asked) if "after" in request.args or "offset" in request.args else _page(asked)
    return jsonify(
        lines=[dataclasses.asdict(line) for line in _shown(page, asked)],
        begin=str(page.begin) if page.begin else None,
        end=str(page.end),
        offset=page.end.offset,
        fresh=page.is_fresh,
    )


@blueprint.get("/log/download")
def download() -> Response:
    """Return the log as it was written, with what was set aside before it."""
    answer = Response(log_pages.chunks(current.config().log_path), mimetype="text/plain")
    answer.headers["Content-Disposition"] = "attachment; filename=scheduler.log"
    return answer


@blueprint.post("/log/clear")
def clear() -> AnyResponse:
    """Empty the log."""
    found = log_pages.extent(current.config().log_path)
    if logfile.clear(current.config().log_path):
        audit.note_alone(database(), "log.clear", "log:scheduler", now=current.now(), actor=current.actor())
        flash(_("The log is empty now. %(amount)s were removed.", amount=_amount(found)), "success")
    else:
        flash(_("There was no log yet."), "success")
    return redirect(url_for("log.index"), 303)


def _page(asked: LogQuery) -> Page:
    path = current.config().log_path
    if asked.before is None:
        return log_pages.newest(path, asked.lines, asked.wants)
    return log_pages.older(path, asked.before, asked.lines, asked.wants)


def _after(asked: LogQuery) -> Page:
    """Return what was written after a place, or after an offset in the file that is written now."""
    path = current.config().log_path
    begin = Place.read(request.args.get("after", ""))
    if begin is None:
        begin = Place(logfile.identity(path), max(0, request.args.get("offset", 0, type=int)))
    return log_pages.newer(path, begin, asked.lines, asked.wants)


def _shown(page: Page, asked: LogQuery) -> list[log_search.ShownLine]:
    return [log_search.shown(line, asked.search) for line in page.lines]


def _answer(page: Page, asked: LogQuery) -> str:
    """Return whether there was trouble among these lines, and when last."""
    if asked.is_filtered:
        return ""
    if not page.lines:
        return _("The scheduler has written nothing yet.") if asked.before is None else _("There is nothing before.")
    among = ngettext("in the only line", "among these %(num)s lines", len(page.lines))
    bad = [line for line in page.lines if line.line.timestamp and rank(line.level) >= rank("WARNING")]
    if not bad:
        return _("No warning and no error %(among)s.", among=among)
    errors = sum(rank(line.level) >= rank("ERROR") for line in bad)
    warnings = len(bad) - errors
    told = [
        *([ngettext("%(num)s error", "%(num)s errors", errors)] if errors else []),
        *([ngettext("%(num)s warning", "%(num)s warnings", warnings)] if warnings else []),
    ]
    what = _(" and ").join(told)
    return _("%(what)s %(among)s, the last at %(time)s.", what=what, among=among, time=bad[-1].line.timestamp)


def _question(found: Extent) -> str:
    """Return what is asked before the log is emptied, "" where there is nothing to empty."""
    if not found.size_bytes:
        return ""
    amount = _amount(found)
    return _("Empty the scheduler's log? %(amount)s are removed and cannot be brought back.", amount=amount)


def _amount(found: Extent) -> str:
    size = size_words(found.size_bytes)
    if not found.since:
        return size
    return _("%(size)s, written since %(since)s,", size=size, since=found.since)
