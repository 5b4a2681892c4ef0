"""Orders to devices: their list, the page of one with all of its devices, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.errors import Conflict, NotFound
from watchbell.services import fleet_jobs, fleet_rollouts, fleet_views, job_library
from watchbell.services.fleet_jobs import ExecutionNotFound, Shown
from watchbell.web import (
    current,
    fleet_execution_list,
    fleet_order_page,
    fleet_part_list,
    outputs,
    run_sentences,
    twins,
)
from watchbell.web.db import database
from watchbell.web.i18n import _, ngettext
from watchbell.web.told import sentence

blueprint = Blueprint("fleet_executions", __name__)


@blueprint.get("/fleet/executions")
def index() -> str:
    asked = fleet_execution_list.read(request.args)
    return render_template(
        "fleet/executions/index.html",
        asked=asked,
        page=fleet_execution_list.find(asked),
        answer=fleet_execution_list.answer(fleet_views.count_orders(database())),
        templates=job_library.list_templates(database()),
        since_words=run_sentences.since(),
    )


@blueprint.get("/fleet/executions.json")
def index_json() -> Response:
    return twins.json_response(fleet_execution_list.twin_rows(fleet_execution_list.read(request.args)))


@blueprint.get("/fleet/executions.csv")
def index_csv() -> Response:
    rows = fleet_execution_list.twin_rows(fleet_execution_list.read(request.args))
    return twins.csv_response("fleet-executions", fleet_execution_list.CSV_COLUMNS, rows)


@blueprint.get("/fleet/executions/<job_id>")
def detail(job_id: str) -> str:
    found = fleet_order_page.view(job_id, fleet_part_list.read(request.args))
    turns = fleet_part_list.turns(found.asked, found.page)
    return render_template("fleet/executions/detail.html", view=found, turns=turns)


@blueprint.get("/fleet/executions/<job_id>/devices.json")
def devices_json(job_id: str) -> Response:
    execution = fleet_views.get(database(), job_id).execution
    return twins.json_response(fleet_part_list.twin_rows(execution, fleet_part_list.read(request.args)))


@blueprint.get("/fleet/executions/<job_id>/devices.csv")
def devices_csv(job_id: str) -> Response:
    execution = fleet_views.get(database(), job_id).execution
    rows = fleet_part_list.twin_rows(execution, fleet_part_list.read(request.args))
    return twins.csv_response(f"fleet-execution-{execution.id}", fleet_part_list.CSV_COLUMNS, rows)


@blueprint.get("/fleet/executions/<job_id>/devices/<uuid>")
def device(job_id: str, uuid: str) -> str:
    found = fleet_views.get_part(database(), job_id, uuid, now=current.now())
    return render_template(
        "fleet/executions/device.html", found=found, document=fleet_order_page.as_text(found.execution.document)
    )


@blueprint.get("/fleet/executions/<job_id>/devices/<uuid>/attempts/<int:number>/<any(stdout, stderr):stream>")
def download(job_id: str, uuid: str, number: int, stream: str) -> Response:
    """Answer with what a device has reported of a stream, as it is kept."""
    found = fleet_views.get_part(database(), job_id, uuid, now=current.now())
    text = next((getattr(one.part, stream) for one in found.attempts if one.part.number == number), None)
    if text is None:
        raise NotFound("There is no such output")
    return outputs.text_response(text, name=f"{found.device.uuid}-{found.execution.id}-{number}-{stream}")


@blueprint.post("/fleet/executions/<job_id>/pause")
def pause(job_id: str) -> AnyResponse:
    return _done(job_id, fleet_rollouts.pause, _("It is paused: no further device begins it."))


@blueprint.post("/fleet/executions/<job_id>/resume")
def resume(job_id: str) -> AnyResponse:
    return _done(job_id, fleet_rollouts.resume, _("It goes on; what has failed so far stops it no more."))


@blueprint.post("/fleet/executions/<job_id>/rollback")
def roll_back(job_id: str) -> AnyResponse:
    """Undo an order and lead to the order that does it."""
    try:
        made = fleet_rollouts.roll_back(database(), job_id, now=current.now(), actor=current.actor())
    except Conflict as error:
        flash(sentence(error.message), "warning")
        return _return(job_id)
    count = made.execution.total
    flash(
        ngettext("It is undone on %(num)s device by this.", "It is undone on %(num)s devices by this.", count),
        "success",
    )
    return _return(made.execution.job_id)


@blueprint.post("/fleet/executions/<job_id>/retry")
def retry(job_id: str) -> AnyResponse:
    """Let all devices that failed or timed out try again, or the one that is named."""
    chosen = [request.form["device"]] if request.form.get("device") else None
    try:
        count = fleet_jobs.retry(database(), job_id, now=current.now(), actor=current.actor(), uuids_of=chosen)
        flash(ngettext("%(num)s device tries again.", "%(num)s devices try again.", count), "success")
    except Conflict as error:
        flash(sentence(error.message), "warning")
    if chosen is not None:
        return redirect(url_for("fleet_executions.device", job_id=job_id, uuid=chosen[0]), 303)
    return _return(job_id)


@blueprint.post("/fleet/executions/<job_id>/cancel")
def cancel(job_id: str) -> AnyResponse:
    is_forced = request.form.get("force") == "1"
    try:
        fleet_jobs.cancel(database(), job_id, now=current.now(), actor=current.actor(), force=is_forced)
    except ExecutionNotFound:
        raise
    except NotFound as error:
        # It ended while the person was deciding; its page says how.
        fleet_views.get(database(), job_id)
        flash(sentence(error.message), "warning")
        return _return(job_id)
    said = _("It is taken back; devices that are at it are told to stop when they ask.") if is_forced else ""
    flash(said or _("It is taken back from all devices that have not begun it."), "success")
    return _return(job_id)


@blueprint.post("/fleet/executions/<job_id>/delete")
def delete(job_id: str) -> AnyResponse:
    name = fleet_views.get(database(), job_id).execution.name
    try:
        fleet_jobs.delete(database(), job_id, now=current.now(), actor=current.actor())
    except Conflict as error:
        flash(sentence(error.message), "warning")
        return _return(job_id)
    flash(_("The execution of %(name)s is deleted, with all that devices said of it.", name=name), "success")
    return redirect(url_for("fleet_executions.index"), 303)


def _done(job_id: str, act: Callable[..., Shown], said: str) -> AnyResponse:
    try:
        act(database(), job_id, now=current.now(), actor=current.actor())
        flash(said, "success")
    except Conflict as error:
        # Somebody else was faster, or it has ended; its page says how.
        flash(sentence(error.message), "warning")
    return _return(job_id)


def _return(job_id: str) -> AnyResponse:
    return redirect(url_for("fleet_executions.detail", job_id=job_id), 303)
