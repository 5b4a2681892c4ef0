"""Next runs: what comes in the next hours, day by day and page after page, and its twins for programs, spreadsheets and calendars."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, jsonify, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.domain.schedule import line_values
from watchbell.services import coming, task_lists, tasks
from watchbell.services.coming import Coming
from watchbell.web import current, list_look, next_run_list, query, twins
from watchbell.web.db import database
from watchbell.web.i18n import _
from watchbell.web.list_look import Look
from watchbell.web.next_run_list import NextQuery

blueprint = Blueprint("next_runs", __name__)

#: How many moments a twin holds unless it is asked for another number; its head says where it goes on.
_TWIN_ROWS = 2000
_MOST = 10_000
_CSV_COLUMNS = (
    "due_at",
    "local_time",
    "zone",
    "task_id",
    "task",
    "schedule",
    "owner",
    "host",
    "is_left_out",
    "note",
    "parameters",
)


@blueprint.get("/next-runs")
def index() -> AnyResponse | str:
    first = list_look.first_view("next_runs", "next_runs.index")
    if first is not None:
        return first
    look = list_look.read(next_run_list.SHAPE, request.args, request.cookies)
    asked = next_run_list.read(request.args, look)
    if request.args.get("remember"):
        return list_look.chosen(next_run_list.SHAPE, "next_runs.index", asked.address(cols=None, length=None))
    return render_template("next_runs/index.html", **_shown(asked, look))


@blueprint.get("/next-runs/data")
def data() -> Response:
    """Answer the table's script in the server-side protocol of DataTables; the place in the list is one of its keys."""
    shown = _shown(*next_run_list.read_script(request.args))
    return jsonify(
        draw=query.whole(request.args, "draw", None, 0, 2**31),
        recordsTotal=len(shown["moments"]),
        recordsFiltered=len(shown["moments"]),
        data=json.loads(render_template("next_runs/rows.html", **shown)),
        parts=render_template("next_runs/list_parts.html", **shown),
    )


@blueprint.get("/next-runs.json")
def index_json() -> Response:
    found, following = _planned("json")
    return _with_following(jsonify([_as_row(one) for one in found]), following)


@blueprint.get("/next-runs.csv")
def index_csv() -> Response:
    found, following = _planned("csv")
    return _with_following(twins.csv_response("next-runs", _CSV_COLUMNS, map(_as_row, found)), following)


@blueprint.get("/next-runs.ics")
def index_ics() -> Response:
    found, following = _planned("ics")
    events = (
        (f"{one.task.id}-{one.occurrence.key}@watchbell", one.occurrence.due_at, _title(one), _description(one))
        for one in found
    )
    return _with_following(twins.calendar_response("next-runs", events, now=current.now()), following)


def _title(one: Coming) -> str:
    return f"{one.task.name} (left out)" if one.occurrence.is_left_out else one.task.name


def _description(one: Coming) -> str:
    return "\n".join(filter(None, (one.occurrence.note, one.task.schedule_words)))


def _shown(asked: NextQuery, look: Look) -> dict[str, Any]:
    span = next_run_list.as_span(asked, current.now())
    page = coming.list_page(database(), span, limit=look.length, after=asked.after, before=asked.before)
    return {
        "asked": asked,
        "moments": page.moments,
        "first": page.moments[0] if page.moments and not page.has_earlier else None,
        "turns": next_run_list.places(asked, page),
        "task_count": coming.count_tasks(database(), span),
        "counts": tasks.list_page(database(), enabled=True, limit=0),
        "marks": task_lists.list_marks(database()),
        "ranges": {"1h": _("1 hour"), "24h": _("24 hours"), "7d": _("7 days")},
        "few": next_run_list.FEW,
        **list_look.context(look, asked.address(view=None)),
    }


def _planned(suffix: str) -> tuple[Sequence[Coming], str]:
    """Return the moments that the address of a twin asks for, and the address of those that follow if there are more."""
    asked = next_run_list.read(request.args, each="all")
    limit = query.whole(request.args, "limit", _TWIN_ROWS, 1, _MOST)
    span = next_run_list.as_span(asked, current.now())
    page = coming.list_page(database(), span, limit=limit, after=asked.after, before=asked.before)
    if not page.has_later or not page.moments:
        return page.moments, ""
    place = next_run_list.place_text(page.moments[-1].place)
    kept = {**asked.twin(), "after": place, "limit": request.args.get("limit") or None}
    return page.moments, url_for(f"next_runs.index_{suffix}", **kept)


def _with_following(answer: Response, address: str) -> Response:
    if address:
        answer.headers["Link"] = f'<{address}>; rel="next"'
    return answer


def _as_row(one: Coming) -> dict[str, object]:
    task, occurrence = one.task, one.occurrence
    return {
        "due_at": occurrence.due_at.isoformat(),
        "local_time": occurrence.due_at.astimezone(ZoneInfo(occurrence.zone)).isoformat(),
        "zone": occurrence.zone,
        "task_id": task.id,
        "task": task.name,
        "schedule": task.schedule_words,
        "owner": task.owner,
        "host": task.host,
        "is_left_out": occurrence.is_left_out,
        "note": occurrence.note,
        "parameters": line_values.words(one.values),
    }
