"""Next runs: what comes in the next hours, day by day, and its twins for programs, spreadsheets and calendars."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, jsonify, render_template, request

from watchbell.domain.schedule import Occurrence
from watchbell.services import tasks
from watchbell.store.tasks import Task
from watchbell.web import current, query, twins
from watchbell.web.db import database
from watchbell.web.i18n import _

blueprint = Blueprint("next_runs", __name__)

#: Choice -> hours.
RANGES = {"1h": 1, "24h": 24, "7d": 168}
#: How many tasks the page looks at, and how many moments of each it shows: a task of every few seconds must not
#: push all others out of sight.
SHOWN_TASKS = 100
MOMENTS_OF_EACH = 3
#: How many moments a twin holds unless it is asked for another number.
_TWIN_ROWS = 200
_MOST = 2000
_CSV_COLUMNS = ("due_at", "local_time", "zone", "task_id", "task", "schedule", "owner", "host")


@dataclasses.dataclass(frozen=True, slots=True)
class Planned:
    """One coming occurrence: the task, the moment, and what the clock of the task's zone shows then."""

    task: Task
    due_at: datetime
    local: datetime
    zone: str
    key: str
    #: Whether the task is due again within the chosen time after this, the last of its moments that are shown.
    goes_on: bool = False


@blueprint.get("/next-runs")
def index() -> str:
    chosen = query.word(request.args, "within", RANGES, "24h")
    found = _first_of_each(RANGES[chosen])
    return render_template(
        "next_runs/index.html",
        chosen=chosen,
        ranges={"1h": _("1 hour"), "24h": _("24 hours"), "7d": _("7 days")},
        days=_by_day(found),
        task_count=len({planned.task.id for planned in found}),
        counts=tasks.list_page(database(), enabled=True, limit=0),
    )


@blueprint.get("/next-runs.json")
def index_json() -> Response:
    return jsonify([_as_row(planned) for planned in _planned(_most())])


@blueprint.get("/next-runs.csv")
def index_csv() -> Response:
    return twins.csv_response("next-runs", _CSV_COLUMNS, map(_as_row, _planned(_most())))


@blueprint.get("/next-runs.ics")
def index_ics() -> Response:
    events = (
        (f"{planned.task.id}-{planned.key}@watchbell", planned.due_at, planned.task.name, planned.task.schedule_words)
        for planned in _planned(_most())
    )
    return twins.calendar_response("next-runs", events, now=current.now())


def _most() -> int:
    return query.whole(request.args, "limit", _TWIN_ROWS, 1, _MOST)


def _planned(limit: int) -> list[Planned]:
    hours = RANGES[query.word(request.args, "within", RANGES, "24h")]
    found = tasks.list_upcoming(database(), now=current.now(), limit=limit, hours=hours)
    return [_plan(task, occurrence) for task, occurrence in found]


def _first_of_each(hours: int) -> list[Planned]:
    """Return the first few moments of each task that is due in time, in their order."""
    until = current.now() + timedelta(hours=hours)
    found: list[Planned] = []
    for task in tasks.list_soonest(database(), SHOWN_TASKS):
        coming = tasks.upcoming(task, after=current.now(), limit=MOMENTS_OF_EACH + 1, until=until)
        shown = [_plan(task, occurrence) for occurrence in coming[:MOMENTS_OF_EACH]]
        if len(coming) > MOMENTS_OF_EACH:
            shown[-1] = dataclasses.replace(shown[-1], goes_on=True)
        found += shown
    return sorted(found, key=lambda planned: (planned.due_at, planned.task.name))


def _plan(task: Task, occurrence: Occurrence) -> Planned:
    local = occurrence.due_at.astimezone(ZoneInfo(occurrence.zone))
    return Planned(task, occurrence.due_at, local, occurrence.zone, occurrence.key)


def _by_day(found: Sequence[Planned]) -> list[tuple[date, list[Planned]]]:
    """Return the moments grouped by the day that the page's zone shows."""
    zone = current.zone()
    grouped = itertools.groupby(found, key=lambda planned: planned.due_at.astimezone(zone).date())
    return [(day, list(members)) for day, members in grouped]


def _as_row(planned: Planned) -> dict[str, object]:
    return {
        "due_at": planned.due_at.isoformat(),
        "local_time": planned.local.isoformat(),
        "zone": planned.zone,
        "task_id": planned.task.id,
        "task": planned.task.name,
        "schedule": planned.task.schedule_words,
        "owner": planned.task.owner,
        "host": planned.task.host,
    }
