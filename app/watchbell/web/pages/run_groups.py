"""The runs of a chain as one group: its picture, all its runs, what took the time, and running a step again."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.errors import Conflict, InputError
from watchbell.services import groups
from watchbell.web import current, notices, presenters, presenters_chain, presenters_runs, twins
from watchbell.web.db import database
from watchbell.web.pictures import chain
from watchbell.web.told import sentence

blueprint = Blueprint("run_groups", __name__)


@blueprint.get("/runs/groups/<int:group_id>")
def detail(group_id: int) -> str:
    group = groups.find(database(), group_id)
    now = current.now()
    return render_template(
        "runs/group.html",
        group=group,
        seconds=group.seconds(now),
        answer=presenters_chain.answer(group),
        picture=chain.draw(group.steps),
        rows=presenters_chain.rows(group.steps, now),
        runs=presenters_runs.run_views(group.runs[::-1], now) if group.rounds > 1 else (),
    )


@blueprint.get("/runs/groups/<int:group_id>.json")
def detail_json(group_id: int) -> Response:
    zone, now = current.zone(), current.now()
    found = presenters_runs.run_views(groups.find(database(), group_id).runs, now)
    return twins.json_response(presenters.run_json(view, zone) for view in found)


@blueprint.get("/runs/groups/<int:group_id>.csv")
def detail_csv(group_id: int) -> Response:
    zone, now = current.zone(), current.now()
    found = presenters_runs.run_views(groups.find(database(), group_id).runs, now)
    rows = (presenters_runs.run_csv(view, zone) for view in found)
    return twins.csv_response(f"chain-{group_id}", presenters_runs.CSV_COLUMNS, rows)


@blueprint.post("/runs/<int:run_id>/chain")
def again(run_id: int) -> AnyResponse:
    """Run a step again, and let what comes after it follow."""
    try:
        made = groups.again(database(), run_id, now=current.now(), actor=current.actor())
    except (Conflict, InputError) as error:
        flash(sentence(error.message), "warning")
        return redirect(url_for("runs.detail", run_id=run_id), 303)
    notices.warn_unless_running()
    return redirect(url_for("run_groups.detail", group_id=made.group_id), 303)
