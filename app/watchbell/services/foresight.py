"""What it would do to save a calendar or a blackout, as it is typed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from watchbell.services import blackouts, calendars, simulation
from watchbell.services.simulation import Moments, Simulation
from watchbell.store.session import Database


def of_calendar(
    db: Database,
    calendar_id: int | None,
    fields: Mapping[str, object],
    *,
    now: datetime,
    moments: Moments | None = None,
) -> Simulation:
    """Return what it would do to make a calendar (no id), which no task can name yet, or to change one.

    Raises InputError, and NotFound.
    """
    row = calendars.get(db, calendar_id).row if calendar_id is not None else None
    columns = calendars.check(fields, year=now.year, before=row)
    name = row.name if row is not None else ""
    days, weekdays = columns["days"], columns["weekdays"]
    return simulation.of_calendar(db, name, days=days, weekdays=weekdays, now=now, moments=moments)


def of_blackout(
    db: Database,
    blackout_id: int | None,
    fields: Mapping[str, object] | None,
    *,
    now: datetime,
    default_zone: str,
    moments: Moments | None = None,
) -> Simulation:
    """Return what it would do to make a blackout (no id), to change one, or to remove it (no fields).

    Raises InputError, and NotFound.
    """
    before = blackouts.get(db, blackout_id).blackout if blackout_id is not None else None
    after = blackouts.build(db, blackout_id, fields, default_zone=default_zone) if fields is not None else None
    return simulation.of_blackout(db, before, after, now=now, moments=moments)
