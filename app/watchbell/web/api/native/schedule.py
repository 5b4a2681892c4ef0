"""What a schedule means, before a task is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response

from watchbell.errors import InputError
from watchbell.services import blackouts
from watchbell.web import current, presenters_schedule
from watchbell.web.api.native import answers, task_schemas, words
from watchbell.web.api.native.family import blueprint
from watchbell.web.api.native.schedule_fields import ScheduleFields
from watchbell.web.db import database
from watchbell.web.presenters_schedule import ClockChange, Moment, Preview


@blueprint.route("/schedules/preview", methods=["POST"])
@blueprint.body(ScheduleFields)
@blueprint.answers(200, task_schemas.Preview)
def preview_schedule(given: dict[str, Any]) -> Response:
    """Say what a schedule means: in a sentence, by its next ten moments, and around the next two clock changes."""
    found = _previewed(given)
    return answers.answer(
        {
            "sentence": found.sentence,
            "zone": found.zone,
            "moments": _moments(found.moments, found.zone),
            "ends": found.ends,
            "clock_changes": [_clock_change(change, found.zone) for change in found.changes],
            "clock_note": found.clock_note,
        }
    )


def _previewed(given: dict[str, Any]) -> Preview:
    zone, calendars = current.defaults().zone, current.defaults().calendars
    mark = blackouts.marker_of(database(), None)
    found = presenters_schedule.preview(given, now=current.now(), default_zone=zone, calendars=calendars, mark=mark)
    if found.problems:
        raise InputError(*found.problems)
    return found


def _moments(found: Sequence[Moment], zone: str) -> list[dict[str, object]]:
    told = [words.moment_of(moment.due_at, moment.local, zone, moment.is_left_out, moment.note) for moment in found]
    return [{**one, "parameters": moment.values} for one, moment in zip(told, found, strict=True)]


def _clock_change(change: ClockChange, zone: str) -> dict[str, object]:
    return {
        "at": change.at,
        "words": change.words,
        "moments": _moments(change.moments, zone),
        "more": change.more,
        "left_out": list(change.left_out),
    }
