"""The timeline: what ran and what is planned around now or any other time, a lane for each task or host; and its twins."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, jsonify, render_template, request, url_for

from watchbell.errors import InputError
from watchbell.services import timeline
from watchbell.services.timeline import Timeline
from watchbell.web import current, query, twins
from watchbell.web.db import database
from watchbell.web.i18n import _
from watchbell.web.pictures.axis import Axis, window
from watchbell.web.pictures.lanes import LANE_HEIGHT, Drawing, Links
from watchbell.web.pictures.looks import Sayings
from watchbell.web.presenters import local_text

blueprint = Blueprint("timeline", __name__)

#: Choice -> how far back and ahead it looks.
RANGES = {"6h": timedelta(hours=6), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
_LEAST, _MOST = timedelta(minutes=2), timedelta(days=31)
_USUAL = {("range", "24h"), ("by", "task"), ("of", "next_runs")}
_CSV_COLUMNS = ("lane", "kind", "task_id", "task", "run_id", "state", "start", "end", "runs", "reason")


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for."""

    axis: Axis
    range: str
    by: str
    search: str
    page: int
    #: Of which pages it is a view: of the runs or the next runs.
    of: str
    #: Whether it moves on with the clock.
    is_around_now: bool

    def address(self, **changes: Any) -> str:
        """Return the address of this timeline with changes; a time that is not given is the one around now."""
        kept: dict[str, Any] = {"range": self.range, "by": self.by, "q": self.search, "of": self.of}
        if not self.is_around_now:
            kept |= {"from": _text(self.axis.start), "to": _text(self.axis.until)}
        given = {name: value for name, value in {**kept, **changes}.items() if value not in ("", None)}
        given = {name: value for name, value in given.items() if (name, value) not in _USUAL}
        return url_for("timeline.index", **given)

    def between(self, start: datetime, until: datetime, **changes: Any) -> str:
        """Return the address of another stretch of time."""
        return self.address(**{"from": _text(start), "to": _text(until)}, **changes)

    def moved(self, share: float) -> str:
        """Return the address of a stretch that lies so much of the width later."""
        return self.between(self.axis.start + share * self.axis.width, self.axis.until + share * self.axis.width)

    def zoomed(self, factor: float) -> str:
        """Return the address of a stretch with the same middle that is so many times as wide."""
        half = min(max(self.axis.width * factor, _LEAST), _MOST) / 2
        middle = self.axis.start + self.axis.width / 2
        return self.between(middle - half, middle + half)


@blueprint.get("/timeline")
def index() -> str:
    asked = _asked()
    found = _look(asked)
    drawing = Drawing(
        asked.axis, current.zone(), _links(asked), Sayings(current.zone()), found.sample_of, now=current.now()
    )
    context = {"ranges": RANGES, "per_page": timeline.LANES, "lane_height": LANE_HEIGHT}
    lanes = [drawing.lane(lane) for lane in found.lanes]
    return render_template("timeline/index.html", asked=asked, found=found, lanes=lanes, **context)


@blueprint.get("/timeline.json")
def index_json() -> Response:
    return jsonify(list(_rows(_look(_asked()))))


@blueprint.get("/timeline.csv")
def index_csv() -> Response:
    return twins.csv_response("timeline", _CSV_COLUMNS, _rows(_look(_asked())))


def _links(asked: Asked) -> Links:
    """Return where marks lead to; there are hundreds of them, so that what their addresses share is made once."""
    run, task = url_for("runs.detail", run_id=0)[:-1], url_for("tasks.detail", task_id=0)[:-1]
    before, after = url_for("task_why.show", task_id=0).split("0")
    given: dict[str, Any] = dict(item for item in (("by", asked.by), ("of", asked.of)) if item not in _USUAL)
    part = url_for("timeline.index", range=asked.range, **given)

    def zoom(start: datetime, until: datetime, name: str) -> str:
        return f"{part}&from={_stamp(start)}&to={_stamp(until)}{_named(name or asked.search)}"

    return Links(
        run=lambda run_id: f"{run}{run_id}",
        task=lambda task_id: f"{task}{task_id}",
        why=lambda task_id: f"{before}{task_id}{after}",
        zoom=zoom,
    )


@functools.lru_cache(maxsize=64)
def _named(search: str) -> str:
    return f"&q={quote(search, safe='')}" if search else ""


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _look(asked: Asked) -> Timeline:
    when = {"start": asked.axis.start, "until": asked.axis.until, "now": current.now()}
    if asked.by == "host":
        return timeline.by_host(database(), **when)
    offset = (asked.page - 1) * timeline.LANES
    return timeline.by_task(database(), **when, search=asked.search, offset=offset)


def _asked() -> Asked:
    chosen = query.word(request.args, "range", RANGES, "24h")
    start, until = query.moment(request.args, "from"), query.moment(request.args, "to")
    if start is not None and until is not None and until <= start:
        raise InputError.of("to", _("must be later than from"), _text(start + timedelta(hours=1)))
    axis = window(start=start, until=until, reach=RANGES[chosen], now=current.now(), least=_LEAST, most=_MOST)
    return Asked(
        axis=axis,
        range=chosen,
        by=query.word(request.args, "by", ("task", "host"), "task"),
        search=query.text(request.args, "q"),
        page=query.whole(request.args, "page", 1, 1, timeline.MOST_LANES),
        of=query.word(request.args, "of", ("next_runs", "runs"), "next_runs"),
        is_around_now=start is None and until is None,
    )


def _text(moment: datetime) -> str:
    return moment.astimezone(current.zone()).isoformat(timespec="seconds")


def _rows(found: Timeline) -> Iterator[dict[str, object]]:
    zone = current.zone()
    for lane in found.lanes:
        for span in lane.spans:
            times = {"start": local_text(span.start, zone), "end": local_text(span.end, zone)}
            whose = {"task_id": span.task_id, "task": span.task_name, "run_id": span.run_id, "state": span.state}
            yield {"lane": lane.label, "kind": "run", **whose, **times, "runs": span.stands_for, "reason": span.reason}
        for part in lane.parts:
            times = {"start": local_text(part.start, zone), "end": local_text(part.end, zone)}
            whose = {"task_id": lane.task.id if lane.task else None, "task": lane.task.name if lane.task else None}
            for state, number in part.counts.items():
                yield {"lane": lane.label, "kind": "counted", **whose, "state": state, **times, "runs": number}
        for one in lane.planned:
            whose = {"task_id": one.task_id, "task": one.task_name, "state": "planned"}
            times = {"start": local_text(one.due_at, zone)}
            whose |= {"state": "left out"} if one.is_left_out else {}
            yield {"lane": lane.label, "kind": "planned", **whose, **times, "runs": 1, "reason": one.note}
