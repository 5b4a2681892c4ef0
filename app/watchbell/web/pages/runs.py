"""Runs: the history with its filters and twins, the page of one run, its output, and what one can do with it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.domain.policies import Policies
from watchbell.errors import Conflict, InputError
from watchbell.services import (
    alerts,
    comparisons,
    decisions,
    failures,
    groups,
    judgements,
    parameters,
    runs,
    tasks,
    triggers,
)
from watchbell.web import (
    both_outputs,
    bulk_forms,
    bulk_runs,
    comparing,
    current,
    list_look,
    notices,
    outputs,
    presenters,
    presenters_runs,
    presenters_why,
    query,
    run_asking,
    run_list,
    run_output,
    run_page,
    twins,
    variables,
)
from watchbell.web.db import database
from watchbell.web.i18n import _
from watchbell.web.presenters_policies import policy_facts
from watchbell.web.told import sentence

blueprint = Blueprint("runs", __name__)

TABS = ("output", "resources", "history", "definition", "why")
#: How many earlier runs say what is usual.
_USUAL_OF = 30
_HIGHEST_OFFSET = 2**62


@blueprint.get("/runs")
def index() -> AnyResponse | str:
    first = list_look.first_view("runs", "runs.index")
    if first is not None:
        return first
    asked, look = run_page.asked(request.args)
    if request.args.get("remember"):
        return list_look.chosen(run_list.SHAPE, "runs.index", asked.address(cols=None, length=None))
    shown = run_page.shown(asked, look)
    if asked.after is not None and not shown["rows"]:
        return redirect(url_for("runs.index", **asked.address()))
    return render_template("runs/index.html", **shown, **run_page.choices())


@blueprint.get("/runs/data")
def data() -> Response:
    """Answer the table's script in the server-side protocol of DataTables; the place in the list is one of its keys."""
    shown = run_page.shown(*run_page.asked_by_script(request.args))
    return jsonify(
        draw=query.whole(request.args, "draw", None, 0, 2**31),
        recordsTotal=shown["page"].filtered,
        recordsFiltered=shown["page"].filtered,
        data=json.loads(render_template("runs/rows.html", **shown)),
        parts=render_template("runs/list_parts.html", **shown),
        # Not every search can begin at the oldest.
        order="id" if shown["asked"].oldest_first else "-id",
    )


@blueprint.post("/runs/bulk")
def bulk() -> AnyResponse | str:
    return bulk_runs.answer()


@blueprint.post("/runs/export")
def export() -> AnyResponse:
    """Lead to the twin with the runs that were ticked."""
    return bulk_forms.export("runs.index_csv")


@blueprint.get("/runs.json")
def index_json() -> Response:
    zone = current.zone()
    return twins.json_response(presenters.run_json(view, zone) for view in run_page.twin_rows())


@blueprint.get("/runs.csv")
def index_csv() -> Response:
    zone = current.zone()
    rows = (presenters_runs.run_csv(view, zone) for view in run_page.twin_rows())
    return twins.csv_response("runs", presenters_runs.CSV_COLUMNS, rows)


@blueprint.get("/runs/<int:run_id>")
def detail(run_id: int) -> str:
    tab = query.word(request.args, "tab", TABS, "output")
    page = _run_page(run_id)
    book = run_page.runbook_of(page.run)
    return render_template("runs/detail.html", page=page, tab=tab, runbook=book, **_tab_context(page, tab))


@blueprint.get("/runs/<int:run_id>/compare")
def compare(run_id: int) -> str:
    sides = comparisons.find_sides(database(), run_id, query.optional_id(request.args, "with"))
    if sides.other is None:
        return render_template("runs/compare.html", sides=sides)
    return render_template(
        "runs/compare.html",
        sides=sides,
        rows=comparing.outcome_rows(sides),
        given=comparing.parameter_changes(sides),
        fields=comparing.definition_changes(sides, current.rules()),
        variables=comparing.environment_changes(sides),
        streams=comparisons.compare_outputs(database(), current.config().output_path, sides.other, sides.run),
    )


@blueprint.get("/runs/<int:run_id>/fragment")
def fragment(run_id: int) -> str:
    tab = query.word(request.args, "tab", TABS, "output")
    page = _run_page(run_id)
    context = run_output.chosen() if tab == "output" else _tab_context(page, tab)
    book = run_page.runbook_of(page.run)
    return render_template("runs/fragment.html", page=page, tab=tab, runbook=book, **context)


@blueprint.get("/runs/<int:run_id>/output")
def output(run_id: int) -> Response:
    """Answer a live page: text from an offset on, cut between characters, and where to go on."""
    if request.args.get("stream") == "both":
        place = both_outputs.read_place(query.text(request.args, "offset"))
        return jsonify(both_outputs.answer(run_output.both_of(run_id), place, current.now()))
    offset = query.whole(request.args, "offset", 0, 0, _HIGHEST_OFFSET)
    part = run_output.stream_of(run_id, request.args.get("stream", "stdout")).read(offset, outputs.CHUNK)
    found = part.slice
    text, next_offset = outputs.live_text(part)
    return jsonify(text=text, next_offset=next_offset, size=found.size, dropped=found.dropped, done=part.is_complete)


@blueprint.get("/runs/<int:run_id>/download/<stream>")
def download(run_id: int, stream: str) -> Response:
    """Answer with the kept bytes as they are; what was dropped is told in the headers and nowhere in the bytes."""
    source = run_output.stream_of(run_id, stream)
    first = source.read(0, outputs.CHUNK)
    return outputs.download_response(source, first, name=f"run-{run_id}-{stream}")


@blueprint.get("/runs/<int:run_id>/bundle")
def bundle(run_id: int) -> Response:
    """Answer with the files that run it again elsewhere."""
    return outputs.bundle_response(run_id)


@blueprint.get("/runs/<int:run_id>/steps.json")
def steps_json(run_id: int) -> Response:
    zone = current.zone()
    return jsonify(
        [presenters_runs.step_json(one, zone) for one in run_output.steps_of(runs.get_detail(database(), run_id))]
    )


@blueprint.get("/runs/<int:run_id>/steps.csv")
def steps_csv(run_id: int) -> Response:
    zone = current.zone()
    rows = [presenters_runs.step_json(one, zone) for one in run_output.steps_of(runs.get_detail(database(), run_id))]
    return twins.csv_response(f"run-{run_id}-steps", presenters_runs.STEP_COLUMNS, rows)


@blueprint.post("/runs/<int:run_id>/cancel")
def cancel(run_id: int) -> AnyResponse:
    try:
        run = runs.cancel(database(), run_id, now=current.now(), actor=current.actor())
        is_over = run.ended_at is not None
        said = (
            _("Run #%(run)s is cancelled.", run=run.id) if is_over else _("Run #%(run)s was asked to stop.", run=run.id)
        )
        flash(said, "success")
    except Conflict as error:
        # It ended while the person was deciding; its page says how.
        flash(sentence(error.message), "warning")
    return redirect(url_for("runs.detail", run_id=run_id), 303)


@blueprint.post("/runs/<int:run_id>/again")
def again(run_id: int) -> AnyResponse:
    run = runs.get(database(), run_id)
    if tasks.get(database(), run.task_id).parameters:
        return redirect(url_for("tasks.ask", task_id=run.task_id, run=run_id), 303)
    made = triggers.run_like(database(), run, now=current.now(), actor=current.actor())
    notices.warn_unless_running()
    return redirect(url_for("runs.detail", run_id=made.id), 303)


@blueprint.post("/runs/<int:run_id>/exactly")
def exactly(run_id: int) -> AnyResponse:
    """Run again what this run was: the same version of its task, with the same values."""
    run = runs.get(database(), run_id)
    if run.task_version != tasks.get(database(), run.task_id).version:
        run_asking.require_edit()
    try:
        made = triggers.run_exactly(database(), run, now=current.now(), actor=current.actor())
    except InputError as error:
        flash(sentence(error.message), "warning")
        return redirect(url_for("runs.detail", run_id=run_id), 303)
    notices.warn_unless_running()
    return redirect(url_for("runs.detail", run_id=made.id), 303)


@blueprint.post("/runs/<int:run_id>/decide")
def decide(run_id: int) -> AnyResponse:
    choice = request.form.get("choice", "")
    try:
        made = decisions.decide(database(), run_id, choice, now=current.now(), actor=current.actor())
    except Conflict as error:
        # Somebody else has decided meanwhile; the page says how.
        flash(sentence(error.message), "warning")
        return redirect(url_for("runs.detail", run_id=run_id), 303)
    if made.id != run_id:
        notices.warn_unless_running()
    flash(_decided(run_id, made.id), "success")
    return redirect(url_for("runs.detail", run_id=made.id), 303)


@blueprint.post("/runs/<int:run_id>/expect")
def expect(run_id: int) -> AnyResponse:
    """Say that an unusual run was as it should be."""
    try:
        judgements.expect(database(), run_id, now=current.now(), actor=current.actor())
    except Conflict as error:
        # Its task was edited, or its runs were deleted, meanwhile.
        flash(sentence(error.message), "warning")
        return _back(run_id)
    said = _("Run #%(run)s is as it should be: the next ones like it are usual.", run=run_id)
    notices.done(said, url_for("runs.retract", run_id=run_id), {"back": request.form.get("back", "")})
    return _back(run_id)


@blueprint.post("/runs/<int:run_id>/retract")
def retract(run_id: int) -> AnyResponse:
    judgements.retract(database(), run_id, now=current.now(), actor=current.actor())
    flash(_("Run #%(run)s is judged beside the others again.", run=run_id), "success")
    return _back(run_id)


def _back(run_id: int) -> AnyResponse:
    """Return to the metrics of the task if the button stood there, else to the run."""
    if request.form.get("back") == "metrics":
        return redirect(
            url_for("task_metrics.index", task_id=runs.get(database(), run_id).task_id, _anchor="unusual"), 303
        )
    return redirect(url_for("runs.detail", run_id=run_id), 303)


def _decided(run_id: int, shown_id: int) -> str:
    if shown_id == run_id:
        return _("Run #%(run)s is left as it is.", run=run_id)
    return _("Run #%(run)s is run again as this one.", run=run_id)


def _run_page(run_id: int) -> presenters_runs.RunPageView:
    found = runs.get_detail(database(), run_id)
    before = runs.list_page(
        database(), runs.RunFilter(task_id=found.run.task_id), before_id=run_id, limit=_USUAL_OF
    ).runs
    usual = presenters_runs.usual_of(presenters_runs.run_views(before, current.now()))
    rerun = decisions.find_rerun(database(), found.run)
    return presenters_runs.run_page_view(
        found,
        usual,
        current.now(),
        rerun,
        run_output.steps_of(found),
        told=judgements.tell(database(), run_id),
        failure=failures.of_run(database(), run_id),
        alerts=alerts.of_run(database(), run_id),
        group_id=groups.id_of(database(), found.run),
    )


def _tab_context(page: presenters_runs.RunPageView, tab: str) -> Mapping[str, object]:
    if tab == "definition":
        stored = page.definition.get("policies")
        return {
            "policies": policy_facts(Policies.from_json(stored), current.rules())
            if isinstance(stored, Mapping)
            else (),
            "environment": variables.of_definition(page.definition),
            "given": parameters.told(page.definition, page.run.parameters),
        }
    if tab == "why":
        known = runs.get_known(database(), presenters_why.others(page))
        return {"answers": presenters_why.why(page, known, current.rules(), current.zone())}
    if tab == "resources":
        return {"resources": presenters_runs.resources(run_output.chosen_attempt(page))}
    if tab == "output":
        return run_output.context(page)
    return {}
