"""Orders to devices: giving, showing, taking back, trying again and deleting them."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from watchbell.domain.fleet_state import ExecutionState, wire_word
from watchbell.domain.job_document import read_timeout
from watchbell.domain.permissions import Right
from watchbell.errors import NotAllowed
from watchbell.services import fleet_jobs, fleet_orders, fleet_rollouts
from watchbell.services.fleet_orders import Order
from watchbell.web import current
from watchbell.web.api import fields
from watchbell.web.api.device_jobs import device_schemas, schemas, words
from watchbell.web.api.device_jobs.family import blueprint
from watchbell.web.api.idempotency import idempotent
from watchbell.web.db import database

_NO_JOB = "There is no such job."
_STATES = {wire_word(state): state for state in ExecutionState}


class ExecutionDetail(fields.Schema):
    """An order, and what has become of it on each device."""

    job = fields.Nested(schemas.Execution, required=True)
    device_statuses = fields.Many(fields.Nested(device_schemas.NamedDeviceJob), required=True)


@blueprint.route("/jobs/execute", methods=["POST"])
@blueprint.body(schemas.NewOrder)
@idempotent()
@blueprint.errors(_404="There is no such template.")
@blueprint.answers(201, schemas.Ordered)
def execute(given: dict[str, Any]) -> tuple[Response, int]:
    """Give an order to devices; a document of one's own needs the right to edit."""
    order = _order(given)
    made = fleet_jobs.execute(database(), order, now=current.now(), actor=current.actor())
    count = made.execution.total
    message = f"Job queued for {count} device{'' if count == 1 else 's'}"
    found = words.warnings(order, made.execution.document, made.execution.rollback_document)
    return jsonify(job=words.execution(made), message=message, warnings=found), 201


@blueprint.route("/jobs/preview", methods=["POST"])
@blueprint.body(schemas.NewOrder)
@blueprint.errors(_404="There is no such template.")
@blueprint.answers(200, schemas.Preview)
def preview(given: dict[str, Any]) -> Response:
    """Show the final documents of an order and what each device would make of it; nothing is given."""
    order = _order(given)
    document, found = fleet_jobs.preview(database(), order, now=current.now())
    _same, undo = fleet_orders.documents_of(database(), order)
    return jsonify(
        job_document=document,
        rollback_document=undo,
        warnings=words.warnings(order, document, undo),
        devices=[words.previewed(one) for one in found],
        waves=fleet_orders.sizes_of(order, len(found)),
        total=len(found),
    )


@blueprint.route("/jobs/executions")
@blueprint.query(schemas.ExecutionsAsked)
@blueprint.answers(200, schemas.ExecutionList)
def list_executions(asked: dict[str, Any]) -> Response:
    """List orders, newest first."""
    limit, offset = asked["limit"], asked["offset"]
    state = _STATES.get(asked.get("status", ""))
    found = fleet_jobs.list_page(database(), state=state, limit=limit, offset=offset)
    return jsonify(executions=[words.execution(one) for one in found], total=len(found), limit=limit, offset=offset)


@blueprint.route("/jobs/executions/<job_id>")
@blueprint.errors(_404=_NO_JOB)
@blueprint.answers(200, ExecutionDetail)
def get_execution(job_id: str) -> Response:
    """Get an order with what has become of it on each device; with more than 20 of them the beginnings of outputs."""
    shown, parts = fleet_jobs.get(database(), job_id)
    return jsonify(job=words.execution(shown), device_statuses=words.parts(job_id, parts))


@blueprint.route("/jobs/executions/<job_id>/cancel", methods=["POST"])
@blueprint.body(schemas.Cancel, required=False)
@idempotent()
@blueprint.errors(_404="There is no such job, or it has ended.")
@blueprint.answers(200, schemas.Ordered)
def cancel(given: dict[str, Any], job_id: str) -> Response:
    """Take an order back from the devices that have not ended it."""
    shown = fleet_jobs.cancel(database(), job_id, now=current.now(), actor=current.actor(), force=given["force"])
    return jsonify(message="Job canceled successfully", job=words.execution(shown))


@blueprint.route("/jobs/executions/<job_id>/retry", methods=["POST"])
@blueprint.body(schemas.Retry, required=False)
@idempotent()
@blueprint.errors(_404=_NO_JOB, _409="There is nothing to try again.")
@blueprint.answers(200, schemas.Retried)
def retry(given: dict[str, Any], job_id: str) -> Response:
    """Let devices that failed or ran out of time try again; what was rejected stays so."""
    chosen = given["devices"]
    count = fleet_jobs.retry(database(), job_id, now=current.now(), actor=current.actor(), uuids_of=chosen)
    return jsonify(message=f"{count} device{' tries' if count == 1 else 's try'} again", devices=count)


@blueprint.route("/jobs/executions/<job_id>/waves")
@blueprint.errors(_404=_NO_JOB)
@blueprint.answers(200, schemas.Waves)
def list_waves(job_id: str) -> Response:
    """List the waves in which an order goes through the fleet, with what has become of their devices."""
    shown, _parts = fleet_jobs.get(database(), job_id)
    reason = shown.execution.paused_reason
    found = words.waves(fleet_rollouts.waves(database(), job_id))
    return jsonify(waves=found, is_paused=reason is not None, paused_reason=reason)


@blueprint.route("/jobs/executions/<job_id>/pause", methods=["POST"])
@idempotent()
@blueprint.errors(_404=_NO_JOB, _409="It has ended, or is paused already.")
@blueprint.answers(200, schemas.Ordered)
def pause(job_id: str) -> Response:
    """Let no further device begin; those that have begun go on."""
    shown = fleet_rollouts.pause(database(), job_id, now=current.now(), actor=current.actor())
    return jsonify(message="Job paused", job=words.execution(shown))


@blueprint.route("/jobs/executions/<job_id>/resume", methods=["POST"])
@idempotent()
@blueprint.errors(_404=_NO_JOB, _409="It has ended, or is not paused.")
@blueprint.answers(200, schemas.Ordered)
def resume(job_id: str) -> Response:
    """Let a paused order go on; failures so far stop it no more."""
    shown = fleet_rollouts.resume(database(), job_id, now=current.now(), actor=current.actor())
    return jsonify(message="Job resumed", job=words.execution(shown))


@blueprint.route("/jobs/executions/<job_id>/rollback", methods=["POST"])
@idempotent()
@blueprint.errors(_404=_NO_JOB, _409="Nothing undoes it, nobody has begun, or it was rolled back before.")
@blueprint.answers(201, schemas.Ordered)
def roll_back(job_id: str) -> tuple[Response, int]:
    """Take an order back from those that wait, and give what undoes it to those that have begun."""
    shown = fleet_rollouts.roll_back(database(), job_id, now=current.now(), actor=current.actor())
    return jsonify(message="Rollback queued", job=words.execution(shown)), 201


@blueprint.route("/jobs/<order:job_id>", methods=["DELETE"])
@blueprint.errors(_404=_NO_JOB)
@blueprint.answers(200, schemas.JobDeleted)
def delete_job(job_id: str) -> Response:
    """Delete an order that nobody has begun, or that has ended, with all that devices said of it."""
    fleet_jobs.delete(database(), job_id, now=current.now(), actor=current.actor())
    return jsonify(success=True, message="Job deleted successfully", jobId=job_id)


def _order(given: dict[str, Any]) -> Order:
    own = given.get("job_document"), given.get("rollback_document")
    if own != (None, None) and Right.EDIT not in current.user().rights:
        raise NotAllowed("A document of one's own needs the right to edit; execute a template")
    return Order(
        name=given["job_name"],
        target_type=given["target_type"],
        document=given.get("job_document"),
        template_id=given.get("template_id"),
        target_devices=tuple(given["target_devices"] or ()),
        target_filter=given.get("target_filter"),
        variables={name: _text(value) for name, value in given["variables"].items()},
        execution_type=given["execution_type"],
        schedule=given.get("schedule"),
        max_executions=given.get("max_executions"),
        timeout_seconds=read_timeout(given.get("timeout_seconds"), given.get("timeout_minutes")),
        priority=given["priority"],
        rollout=given.get("rollout"),
        rollback_document=given.get("rollback_document"),
        rollback_template_id=given.get("rollback_template_id"),
        created_by=words.maker(given),
    )


def _text(value: object) -> str:
    # As JSON writes it, which is what whoever sent a number has seen.
    return str(value).lower() if isinstance(value, bool) else str(value)
