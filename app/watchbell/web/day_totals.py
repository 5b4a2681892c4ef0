"""What the days of the last twelve months came to, and where their runs are listed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flask import url_for

from watchbell.services import totals
from watchbell.web import current, forecasts
from watchbell.web.db import database
from watchbell.web.pictures import calendars
from watchbell.web.pictures.calendars import Year

#: Days before these are added up anew every few minutes only: hardly anything ends so late.
_FRESH = timedelta(days=2)
_MINUTES = 10
_FORM = "%Y-%m-%dT%H:%M"


def year_of(task_id: int | None) -> Year:
    """Return the last twelve months of all tasks or of one; their days are UTC's, as their totals are kept."""
    last = current.now().astimezone(UTC).date()
    first = calendars.first_day(last)
    if task_id is not None:
        return calendars.year(totals.sum_days(database(), since=first, until=last, task_id=task_id), last)
    edge = last - _FRESH

    def find() -> Mapping[date, Mapping[str, int]]:
        return totals.sum_days(database(), since=first, until=edge)

    old = forecasts.recall("year", (last, int(current.now().timestamp()) // (60 * _MINUTES)), find)
    new = totals.sum_days(database(), since=edge + timedelta(days=1), until=last)
    return calendars.year({**old, **new}, last)


def day_address(day: date, task_name: str = "") -> str:
    """Return where the runs of a day of UTC are listed, whose times are those of the page's zone."""
    start = datetime.combine(day, time(), UTC)
    end = start + timedelta(hours=23, minutes=59)
    asked: dict[str, Any] = {
        "task": task_name or None,
        "from": start.astimezone(current.zone()).strftime(_FORM),
        "to": end.astimezone(current.zone()).strftime(_FORM),
    }
    return url_for("runs.index", **asked)
