"""What the routes about templates, handlers and orders take and answer with."""

from __future__ import annotations

from typing import Any

from marshmallow import validate

from watchbell.domain.fleet_state import ExecutionState, wire_word
from watchbell.domain.fleet_targets import TARGET_TYPES
from watchbell.domain.job_document.reading import EXECUTION_TYPES
from watchbell.services.fleet_orders import MOST_PRIORITY
from watchbell.services.job_library import SCRIPT_TYPES
from watchbell.web.api import fields

UUID = "8479359e-dbeb-4858-813c-e8a9008dde04"
MOST_TARGETS = 20_000
MOST_ROWS = 1000
_STEP = {"name": "disk", "type": "runCommand", "input": {"command": "df,-h"}}
DOCUMENT = {
    "description": "What devices are told to do; docs/fleet.md says all of it.",
    "example": {"version": "1.0", "steps": [_STEP], "includeStdOut": True},
}
_NAME = {"example": "health-check"}
CREATED_BY = {
    "description": "Who is said to have made it; the account that sends the request stands behind it in brackets, and alone by default."
}
FILTER = {
    "description": "Attributes that all have to be so, and `tags`, `group` and `is_online`.",
    "example": {"device_type": "gateway"},
}
ROLLOUT = {
    "description": "How it goes through the fleet in waves; docs/rollouts.md says all of it. Without it all devices have it at once.",
    "example": {"canary": 5, "wave": 50, "factor": 2, "success_percentage": 95},
}
SECONDS = {"description": "After so long without a result the job is TIMED_OUT.", "example": 300}
MINUTES = {"description": "The same in minutes; 60 if neither is given.", "example": 60}
_STATES = [wire_word(state) for state in ExecutionState]


def _priority() -> fields.Whole:
    return fields.Whole(
        load_default=0,
        validate=fields.between(-MOST_PRIORITY, MOST_PRIORITY),
        metadata={"description": "Those with more are offered first."},
    )


#: What warnings say.
WARNINGS = {"description": "Fields of the order and its documents that nothing acts on."}


def document_field(**how: Any) -> fields.Mapped:
    """Return a field that holds a document."""
    return fields.Mapped(metadata=DOCUMENT, **how)


class TemplatesAsked(fields.Schema):
    """Which templates."""

    category = fields.words(metadata={"example": "maintenance"})
    active = fields.Flag(
        texts=True, metadata={"description": "Only those that are in use, or only those that are not."}
    )


class Template(fields.Schema):
    """A document to be executed again and again."""

    id = fields.Whole(required=True, metadata={"example": 3})
    name = fields.Text(required=True, metadata=_NAME)
    description = fields.Text(required=True, allow_none=True)
    category = fields.Text(required=True, metadata={"example": "maintenance"})
    job_document = document_field(required=True)
    created_by = fields.Text(required=True)
    is_active = fields.Flag(required=True)
    created_at = fields.Moment(required=True)
    updated_at = fields.Moment(required=True)


class TemplateList(fields.Schema):
    """Templates by category and name."""

    templates = fields.Many(fields.Nested(Template), required=True)
    total = fields.Whole(required=True)


class NewTemplate(fields.Schema):
    """A template to be made."""

    name = fields.Text(required=True, metadata=_NAME)
    job_document = document_field(required=True)
    description = fields.Text(allow_none=True)
    category = fields.Text(load_default="custom", metadata={"example": "custom"})
    created_by = fields.Text(allow_none=True, validate=fields.long(0, 255), metadata=CREATED_BY)


class TemplateChange(fields.Schema):
    """What is to be changed of a template."""

    name = fields.Text(metadata=_NAME)
    job_document = document_field()
    description = fields.Text(allow_none=True)
    category = fields.Text()
    is_active = fields.Flag()


class Deleted(fields.Schema):
    """What was deleted."""

    message = fields.Text(required=True)
    id = fields.Whole(required=True)


class Delivered(fields.Schema):
    """A handler as a device is told of it, which may have it already."""

    name = fields.Text(required=True, metadata={"example": "download-file"})
    script_type = fields.Word(SCRIPT_TYPES, required=True)
    sha256 = fields.Text(required=True, metadata={"description": "Of the script, in hexadecimal digits."})
    permissions = fields.Text(required=True, metadata={"example": "700"})
    default_args = fields.Many(fields.Text(), required=True)


class Handler(Delivered):
    """A script that devices keep and that steps name."""

    id = fields.Whole(required=True)
    description = fields.Text(required=True, allow_none=True)
    script_content = fields.Text(required=True)
    created_by = fields.Text(required=True)
    is_active = fields.Flag(required=True)
    created_at = fields.Moment(required=True)
    updated_at = fields.Moment(required=True)


class HandlerList(fields.Schema):
    """The handlers that are in use, by name."""

    handlers = fields.Many(fields.Nested(Handler), required=True)
    total = fields.Whole(required=True)


class NewHandler(fields.Schema):
    """A handler to be made."""

    name = fields.Text(required=True, metadata={"example": "clean-cache"})
    script_content = fields.Text(
        required=True,
        metadata={"description": "Its first argument is the user of the step.", "example": "#!/bin/sh\nexit 0\n"},
    )
    script_type = fields.Word(SCRIPT_TYPES, load_default="bash")
    description = fields.Text(allow_none=True)
    default_args = fields.Many(fields.Text(), load_default=list)
    created_by = fields.Text(allow_none=True, validate=fields.long(0, 255), metadata=CREATED_BY)


class NewOrder(fields.Schema):
    """An order to be given; a document wins over a template."""

    job_name = fields.Text(required=True, metadata={"example": "Health Check - Morning"})
    job_document = document_field(allow_none=True)
    template_id = fields.Whole(allow_none=True, metadata={"example": 3})
    variables = fields.Mapped(
        values=fields.Shaped({"type": ["string", "number", "boolean"]}),
        load_default=dict,
        metadata={"description": "Values for the `{{NAMES}}` of the document.", "example": {"SERVICE_NAME": "nginx"}},
    )
    target_type = fields.Word(TARGET_TYPES, required=True, metadata={"example": "device"})
    target_devices = fields.Many(
        fields.Text(),
        load_default=list,
        allow_none=True,
        validate=validate.Length(0, MOST_TARGETS, error=f"must be at most {MOST_TARGETS}"),
        metadata={"example": [UUID]},
    )
    target_filter = fields.Mapped(allow_none=True, metadata=FILTER)
    execution_type = fields.Word((*EXECUTION_TYPES, "scheduled"), load_default="oneTime")
    schedule = fields.Mapped(
        allow_none=True,
        metadata={
            "description": "`scheduled_at`: not before this time. `local_time`: not before each device's own clock shows it. "
            "`window`: only within this part of each device's own day.",
            "example": {"scheduled_at": "2999-01-01T02:00:00Z", "window": {"start": "02:00", "end": "04:00"}},
        },
    )
    rollout = fields.Mapped(allow_none=True, metadata=ROLLOUT)
    rollback_document = document_field(allow_none=True)
    rollback_template_id = fields.Whole(
        allow_none=True, metadata={"description": "What undoes it, if too much goes wrong.", "example": None}
    )
    max_executions = fields.Whole(allow_none=True, validate=fields.between(1, 1_000_000))
    timeout_seconds = fields.Whole(allow_none=True, metadata=SECONDS)
    timeout_minutes = fields.Whole(allow_none=True, metadata=MINUTES)
    priority = _priority()
    created_by = fields.Text(allow_none=True, validate=fields.long(0, 255), metadata=CREATED_BY)


class Execution(fields.Schema):
    """An order to devices."""

    id = fields.Whole(required=True)
    job_id = fields.Text(required=True, metadata={"example": "0b0a6b3c-2f0e-4d36-9d53-6f1f7f0f9c51"})
    template_id = fields.Whole(required=True, allow_none=True)
    job_name = fields.Text(required=True, metadata={"example": "Health Check - Morning"})
    job_document = document_field(required=True)
    target_type = fields.Word(TARGET_TYPES, required=True)
    target_devices = fields.Many(
        fields.Text(),
        required=True,
        metadata={"description": "The devices that it is for; in a list of orders the first 100.", "example": [UUID]},
    )
    target_filter = fields.Mapped(required=True, allow_none=True, metadata=FILTER)
    execution_type = fields.Text(required=True, metadata={"example": "oneTime"})
    schedule = fields.Mapped(required=True, allow_none=True)
    max_executions = fields.Whole(required=True, allow_none=True)
    timeout_minutes = fields.Whole(required=True, metadata=MINUTES)
    timeout_seconds = fields.Whole(required=True, metadata=SECONDS)
    status = fields.Word(_STATES, required=True)
    rollout = fields.Mapped(required=True, allow_none=True, metadata=ROLLOUT)
    wave = fields.Whole(required=True, metadata={"description": "How many waves may have it."})
    waves = fields.Whole(required=True)
    is_paused = fields.Flag(required=True)
    paused_reason = fields.Text(required=True, allow_none=True)
    rollback_document = document_field(required=True, allow_none=True)
    rollback_of = fields.Text(
        required=True, allow_none=True, metadata={"description": "The `job_id` of the order that it undoes."}
    )
    queued_at = fields.Moment(required=True)
    started_at = fields.Moment(required=True, allow_none=True)
    completed_at = fields.Moment(required=True, allow_none=True)
    total_devices = fields.Whole(required=True)
    queued_devices = fields.Whole(required=True)
    in_progress_devices = fields.Whole(required=True)
    succeeded_devices = fields.Whole(required=True)
    failed_devices = fields.Whole(required=True)
    timed_out_devices = fields.Whole(required=True)
    rejected_devices = fields.Whole(required=True)
    canceled_devices = fields.Whole(required=True)
    priority = fields.Whole(required=True)
    created_by = fields.Text(required=True)
    created_at = fields.Moment(required=True)
    updated_at = fields.Moment(required=True)


class Warned(fields.Schema):
    """A field that is taken and does nothing."""

    field = fields.Text(required=True, metadata={"example": "job_document.maxExecutions"})
    message = fields.Text(required=True)


class Ordered(fields.Schema):
    """An order, and what has happened to it."""

    job = fields.Nested(Execution, required=True)
    message = fields.Text(required=True)
    warnings = fields.Many(fields.Nested(Warned), metadata=WARNINGS)


class Wave(fields.Schema):
    """A part of the devices of an order."""

    wave = fields.Whole(required=True)
    is_released = fields.Flag(required=True, metadata={"description": "Whether its devices may have the order."})
    total_devices = fields.Whole(required=True)
    devices = fields.Mapped(
        required=True,
        metadata={"description": "How many of them are in each state.", "example": {"SUCCEEDED": 5}},
    )


class Waves(fields.Schema):
    """The waves of an order, in which they go."""

    waves = fields.Many(fields.Nested(Wave), required=True)
    is_paused = fields.Flag(required=True)
    paused_reason = fields.Text(required=True, allow_none=True)


class Previewed(fields.Schema):
    """What becomes of an order on a device."""

    uuid = fields.Text(required=True, metadata={"example": UUID})
    device_name = fields.Text(required=True)
    is_online = fields.Flag(required=True)
    unmet = fields.Text(
        required=True,
        allow_none=True,
        metadata={"description": "The condition for which it would reject the job.", "example": None},
    )
    begins_at = fields.Moment(
        required=True, allow_none=True, metadata={"description": "Not before this; by its own zone."}
    )


class Preview(fields.Schema):
    """What an order would be; nothing has been given."""

    job_document = document_field(required=True)
    rollback_document = document_field(required=True, allow_none=True)
    warnings = fields.Many(fields.Nested(Warned), required=True, metadata=WARNINGS)
    devices = fields.Many(fields.Nested(Previewed), required=True)
    waves = fields.Many(fields.Whole(), required=True, metadata={"description": "How many devices each wave has."})
    total = fields.Whole(required=True)


class ExecutionsAsked(fields.Schema):
    """Which orders."""

    status = fields.Word(_STATES, metadata={"example": "IN_PROGRESS"})
    limit = fields.limit(50, MOST_ROWS)
    offset = fields.Whole(texts=True, load_default=0, validate=fields.between(0, 10_000_000))


class ExecutionList(fields.Schema):
    """Orders, newest first."""

    executions = fields.Many(fields.Nested(Execution), required=True)
    total = fields.Whole(required=True, metadata={"description": "How many there are in this answer."})
    limit = fields.Whole(required=True)
    offset = fields.Whole(required=True)


class Cancel(fields.Schema):
    """How an order is taken back."""

    force = fields.Flag(
        load_default=True,
        metadata={"description": "Also from the devices that have it; they hear of it when they ask or report."},
    )


class Retry(fields.Schema):
    """Which devices are to try again; without any, all that failed or ran out of time."""

    devices = fields.Many(fields.Text(), load_default=None, allow_none=True, metadata={"example": [UUID]})


class Retried(fields.Schema):
    """How many devices try again."""

    message = fields.Text(required=True)
    devices = fields.Whole(required=True)


class JobDeleted(fields.Schema):
    """An order that is gone."""

    success = fields.Flag(required=True)
    message = fields.Text(required=True)
    jobId = fields.Text(required=True)  # noqa: N815 - this is its name on the wire.
