"""What a change would do to the runs of the coming days, before it is made. Nothing is changed here."""

from __future__ import annotations

from typing import Any

from flask import Response

from watchbell.errors import InputError
from watchbell.services import foresight, simulation, tasks
from watchbell.services.simulation import Edit
from watchbell.web import current, foreseeing
from watchbell.web.api.native import answers, simulation_schemas
from watchbell.web.api.native.family import blueprint
from watchbell.web.api.native.tasks import NO_TASK, to_fields
from watchbell.web.db import database


@blueprint.route("/tasks/preview", methods=["POST"])
@blueprint.body(simulation_schemas.TaskPreview)
@blueprint.errors(_404=NO_TASK)
@blueprint.answers(200, simulation_schemas.Simulation)
def preview_task(given: dict[str, Any]) -> Response:
    """Say which runs would come, go or move if a task were made or changed so, and change nothing."""
    number = given.pop("task_id")
    task = tasks.get(database(), number) if number is not None else None
    base = tasks.definition_of(task) if task is not None else None
    definition = tasks.check(to_fields(given), now=current.now(), defaults=current.defaults(), base=base)
    found = simulation.of_edits(database(), [Edit(task, definition)], now=current.now(), moments=foreseeing.moments())
    return answers.answer(simulation.told(found))


@blueprint.route("/calendars/preview", methods=["POST"])
@blueprint.body(simulation_schemas.CalendarPreview)
@blueprint.errors(_404="There is no such calendar.")
@blueprint.answers(200, simulation_schemas.Simulation)
def preview_calendar(given: dict[str, Any]) -> Response:
    """Say which runs would come, go or move if a calendar had these days, and change nothing."""
    number = given.pop("calendar_id")
    found = foresight.of_calendar(database(), number, given, now=current.now(), moments=foreseeing.moments())
    return answers.answer(simulation.told(found))


@blueprint.route("/blackouts/preview", methods=["POST"])
@blueprint.body(simulation_schemas.BlackoutPreview)
@blueprint.errors(_404="There is no such blackout.")
@blueprint.answers(200, simulation_schemas.Simulation)
def preview_blackout(given: dict[str, Any]) -> Response:
    """Say which runs would come or go if a blackout were made, changed or removed, and change nothing."""
    number, is_removed = given.pop("blackout_id"), given.pop("remove")
    if is_removed and (number is None or given):
        raise InputError.of("remove", "goes with blackout_id, and with nothing else", None)
    found = foresight.of_blackout(
        database(),
        number,
        None if is_removed else given,
        now=current.now(),
        default_zone=current.defaults().zone,
        moments=foreseeing.moments(),
    )
    return answers.answer(simulation.told(found))
