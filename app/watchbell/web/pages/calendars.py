"""Calendars: what each day of the last twelve months came to, what each day of a month holds, and the load of the coming week."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, jsonify, render_template, request, url_for

from watchbell.errors import InputError
from watchbell.services import forecast
from watchbell.services.forecast import Cell, Day, LoadMap
from watchbell.web import current, forecasts, query, twins
from watchbell.web.day_totals import day_address, year_of
from watchbell.web.db import database
from watchbell.web.i18n import _
from watchbell.web.pictures import calendars as drawn
from watchbell.web.presenters import local_text

blueprint = Blueprint("calendars", __name__)
blueprint.add_app_template_global(day_address, "day_address")

_STATES = ("succeeded", "failed", "timed_out", "lost", "missed", "skipped", "cancelled")
_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
#: How far ahead months can be looked at.
_MONTHS_AHEAD = 24
#: How much of the timeline an hour leads to.
_AROUND = timedelta(minutes=80)


@blueprint.get("/runs/calendar")
def runs() -> str:
    return render_template("calendars/runs.html", year=year_of(None))


@blueprint.get("/runs/calendar.json")
def runs_json() -> Response:
    return jsonify(list(_day_rows()))


@blueprint.get("/runs/calendar.csv")
def runs_csv() -> Response:
    return twins.csv_response("runs-calendar", ("day", "runs", *_STATES), _day_rows())


@blueprint.get("/next-runs/calendar")
def coming() -> str:
    first = _month()
    days = {one.day: one for one in _days(first)}
    return render_template("calendars/coming.html", first=first, days=days, today=_today(), **_months_around(first))


@blueprint.get("/next-runs/calendar.json")
def coming_json() -> Response:
    return jsonify(list(_coming_rows()))


@blueprint.get("/next-runs/calendar.csv")
def coming_csv() -> Response:
    return twins.csv_response(
        "next-runs-calendar", ("day", "moments", "there_are_more", "first", "tasks"), _coming_rows()
    )


@blueprint.get("/next-runs/load")
def load() -> str:
    found = _load()
    piled = {(pile.cell.weekday, pile.cell.hour) for pile in found.piles}
    context = {"level": drawn.level_of, "timeline": hour_address}
    return render_template("calendars/load.html", found=found, hours=_hours(found), piled=piled, **context)


@blueprint.get("/next-runs/load.json")
def load_json() -> Response:
    return jsonify(list(_load_rows()))


@blueprint.get("/next-runs/load.csv")
def load_csv() -> Response:
    return twins.csv_response("load", ("at", "weekday", "hour", "at_once", "at_once_at"), _load_rows())


def _months_around(first: date) -> dict[str, Any]:
    return {
        "weeks": drawn.month_weeks(first),
        "before": drawn.shifted(first, -1) if first > _this_month() else None,
        "after": drawn.shifted(first, 1) if first < drawn.shifted(_this_month(), _MONTHS_AHEAD) else None,
    }


def _hours(found: LoadMap) -> dict[tuple[int, int], Cell]:
    hours: dict[tuple[int, int], Cell] = {}
    for cell in found.cells:
        known = hours.get((cell.weekday, cell.hour))
        # The hour that a clock change repeats is there twice; the fuller one counts.
        if known is None or cell.load.peak > known.load.peak:
            hours[cell.weekday, cell.hour] = cell
    return hours


def hour_address(at: datetime) -> str:
    """Return the timeline of an hour and a little around it."""
    start = at - timedelta(minutes=10)
    times: dict[str, Any] = {
        "from": local_text(start, current.zone()),
        "to": local_text(start + _AROUND, current.zone()),
    }
    return url_for("timeline.index", **times)


def _load() -> LoadMap:
    """Return the load of the coming week; it is worked out once for an hour and the tasks as they are."""

    def find() -> LoadMap:
        return forecast.week(database(), now=current.now(), zone=current.zone())

    return forecasts.recall("load", (_hour(), forecast.change_mark(database())), find)


def _days(first: date) -> list[Day]:
    count = (drawn.shifted(first, 1) - first).days

    def find() -> list[Day]:
        return forecast.days(database(), first=first, count=count, now=current.now(), zone=current.zone())

    return forecasts.recall(f"month {first}", (_hour(), forecast.change_mark(database())), find)


def _hour() -> datetime:
    return current.now().replace(minute=0, second=0, microsecond=0)


def _today() -> date:
    return current.now().astimezone(current.zone()).date()


def _this_month() -> date:
    return _today().replace(day=1)


def _month() -> date:
    text = query.text(request.args, "month")
    if not text:
        return _this_month()
    match = _MONTH.fullmatch(text)
    first = date(int(match[1]), int(match[2]), 1) if match and 1 <= int(match[2]) <= 12 and int(match[1]) else None
    if first is None or not _this_month() <= first <= drawn.shifted(_this_month(), _MONTHS_AHEAD):
        text = _("must be a month from now on, up to %(months)s ahead", months=_MONTHS_AHEAD)
        raise InputError.of("month", text, f"{_this_month():%Y-%m}")
    return first


def _day_rows() -> Iterator[dict[str, object]]:
    for cell in year_of(None).cells:
        yield {
            "day": cell.day.isoformat(),
            "runs": cell.total,
            **{state: cell.counts.get(state, 0) for state in _STATES},
        }


def _coming_rows() -> Iterator[dict[str, object]]:
    for one in _days(_month()):
        first = local_text(one.some[0][0], current.zone()) if one.some else None
        names = "; ".join(task.name for _at, task in one.some)
        yield {
            "day": one.day.isoformat(),
            "moments": one.moments,
            "there_are_more": one.is_cut,
            "first": first,
            "tasks": names,
        }


def _load_rows() -> Iterator[dict[str, object]]:
    found = _load()
    for cell in found.cells:
        most_at = found.cells[0].at + timedelta(seconds=cell.load.at)
        yield {
            "at": local_text(cell.at, current.zone()),
            "weekday": cell.weekday + 1,
            "hour": cell.hour,
            "at_once": cell.load.peak,
            "at_once_at": local_text(most_at, current.zone()) if cell.load.peak else None,
        }
