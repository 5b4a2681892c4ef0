"""Runs: the history, one run, and what one can do with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flask import Response

from watchbell.errors import InputError, NotFound
from watchbell.services import decisions, groups, runs, steps, tasks, triggers
from watchbell.services.runs import RowPage, RunFilter
from watchbell.store.runs import Run
from watchbell.web import current, realtime, run_list, shown_variables
from watchbell.web.api import parsing
from watchbell.web.api.idempotency import idempotent
from watchbell.web.api.native import answers, run_schemas, words
from watchbell.web.api.native.family import blueprint
from watchbell.web.api.native.task_actions import run_made
from watchbell.web.db import database
from watchbell.web.run_asking import require_edit

NO_RUN = "There is no such run."
GONE = "The run was there; it is older than runs are kept."
NO_NUMBER = "This is not a number."
_ATTEMPT_FIELDS = tuple(run_schemas.Attempt().fields)
_STEP_FIELDS = tuple(run_schemas.RunStep().fields)
_TRANSITION_FIELDS = tuple(run_schemas.Transition().fields)


@blueprint.route("/runs")
@answers.kept_unless("since")
@blueprint.query(run_schemas.RunsAsked)
@blueprint.answers(200, run_schemas.RunPage)
def list_runs(asked: dict[str, Any]) -> Response:
    """List runs, the newest first."""
    if "before" in asked and "after" in asked:
        raise InputError.of("before", "cannot stand beside after; give one of them")
    chosen = _filter(asked)
    page = _page(asked, chosen)
    count = {"at_least": runs.count_page(database(), chosen)} if asked["count"] else {}
    leads_on = ("before", str(page.older_before)) if page.has_older and page.older_before is not None else None
    return answers.page([words.run_row(row) for row in page.runs], leads_on, is_partial=page.is_partial, **count)


@blueprint.route("/runs/<run_id>")
@blueprint.errors(_404=NO_RUN, _410=GONE, _422=NO_NUMBER)
@blueprint.answers(200, run_schemas.RunDetail)
def get_run(run_id: str) -> Response:
    """Get a run with its attempts and what they have used, its transitions, its steps, and the definition that was run."""
    found = runs.get_detail(database(), parsing.path_id("run_id", run_id))
    more = {
        "task_exists": found.task_exists,
        "attempt_list": _listed(_ATTEMPT_FIELDS, found.attempts),
        "transitions": _listed(_TRANSITION_FIELDS, found.events),
        "steps": _listed(_STEP_FIELDS, steps.list_of(database(), found)),
        "definition": shown_variables.stored(found.definition),
    }
    return answers.answer({**words.run(found.run), **more})


@blueprint.route("/runs/<run_id>/wait")
@blueprint.query(run_schemas.WaitAsked)
@blueprint.errors(_404=NO_RUN, _410=GONE)
@blueprint.answers(200, run_schemas.Run)
def wait_for_run(asked: dict[str, Any], run_id: str) -> Response:
    """Get a run as soon as it has ended, or after the time-out as it is then.

    A server lets only so many requests wait at a time; the others are answered 503 with `Retry-After`.
    """
    number = parsing.path_id("run_id", run_id)
    return answers.answer(words.run(realtime.wait_for(number, until_final=True, timeout=asked["timeout"])))


@blueprint.route("/runs/<run_id>/cancel", methods=["POST"])
@idempotent()
@blueprint.errors(_404=NO_RUN, _409="It has ended already.", _410=GONE, _422=NO_NUMBER)
@blueprint.answers(200, run_schemas.Run)
def cancel_run(run_id: str) -> Response:
    """Ask for a run's end: one that waits is cancelled at once, one that goes is told to end."""
    number = parsing.path_id("run_id", run_id)
    return answers.answer(words.run(runs.cancel(database(), number, now=current.now(), actor=current.actor())))


@blueprint.route("/runs/<run_id>/rerun", methods=["POST"])
@blueprint.body(run_schemas.RerunWanted, required=False)
@idempotent()
@blueprint.errors(
    _404="There is no such run, or its task was deleted.",
    _409="With `in_chain`: it is not over, or in no chain.",
    _410=GONE,
)
@blueprint.answers(201, run_schemas.Run)
def rerun(wanted: dict[str, Any], run_id: str) -> Response:
    """Run the task of a run once more, as it is defined now, with the values that it still takes; the answer is the new run."""
    run = runs.get(database(), parsing.path_id("run_id", run_id))
    if wanted["in_chain"]:
        if wanted["exactly"]:
            raise InputError.of("in_chain", "cannot stand beside exactly")
        return run_made(groups.again(database(), run.id, now=current.now(), actor=current.actor()))
    if not wanted["exactly"]:
        return run_made(triggers.run_like(database(), run, now=current.now(), actor=current.actor()))
    if run.task_version != tasks.get(database(), run.task_id).version:
        require_edit()
    return run_made(triggers.run_exactly(database(), run, now=current.now(), actor=current.actor()))


@blueprint.route("/run-groups/<group_id>")
@blueprint.errors(_404="This run began no chain.", _422=NO_NUMBER)
@blueprint.answers(200, run_schemas.RunGroup)
def get_run_group(group_id: str) -> Response:
    """Get the runs of a chain as one group: each task with its newest run, how long it all took and what took the time."""
    return answers.answer(groups.told(groups.find(database(), parsing.path_id("group_id", group_id))))


@blueprint.route("/runs/<run_id>/decide", methods=["POST"])
@blueprint.body(run_schemas.Decision)
@idempotent()
@blueprint.errors(_404=NO_RUN, _409="Nothing is to be decided about it, or not any more.")
@blueprint.answers(200, run_schemas.Run)
def decide(given: dict[str, Any], run_id: str) -> Response:
    """Decide about a lost run of a task that asks: run it again, which answers with the new run, or leave it."""
    number = parsing.path_id("run_id", run_id)
    made = decisions.decide(database(), number, given["choice"], now=current.now(), actor=current.actor())
    return answers.answer(words.run(made))


def _listed(names: Sequence[str], rows: Sequence[object]) -> list[dict[str, object]]:
    return [{name: getattr(row, name) for name in names} for row in rows]


def _page(asked: dict[str, Any], chosen: RunFilter) -> RowPage:
    before, after, limit = asked.get("before"), asked.get("after"), asked["limit"]
    if "decision" not in asked:
        return runs.list_page_rows(database(), words.RUN_COLUMNS, chosen, before_id=before, after_id=after, limit=limit)
    # They are few, and come from a list of their own.
    undecided = run_list.undecided(decisions.list_open(database(), limit=run_list.MOST_UNDECIDED), chosen).runs
    shown = [run for run in undecided if (before is None or run.id < before) and (after is None or run.id > after)]
    rows = [_row(run) for run in shown[:limit]]
    return RowPage(rows, has_older=len(shown) > limit, older_before=shown[limit - 1].id if len(shown) > limit else None)


def _row(run: Run) -> tuple[object, ...]:
    return tuple(getattr(run, name) for name in words.RUN_COLUMNS)


def _filter(asked: dict[str, Any]) -> RunFilter:
    now, zone = current.now(), current.zone()
    states = [state for chosen in asked["state"] for state in run_list.CHIPS.get(chosen, (chosen,))]
    since = asked.get("since", "")
    moment = _moment(since)
    if moment is None:
        run_list.require_since(since)
    return RunFilter(
        task_id=_task_id(asked.get("task", "")),
        states=tuple(dict.fromkeys(states)),
        trigger=asked.get("trigger"),
        search=asked.get("search", ""),
        since=moment or run_list.since_of(since, now, zone),
        queue=asked.get("queue") or None,
    )


def _task_id(text: str) -> int | None:
    if not text:
        return None
    try:
        return tasks.find_by_name(database(), text).id
    except NotFound:
        # No task has the id 0, so a name that nobody has finds nothing; runs of a deleted one are found by its id.
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _moment(text: str) -> datetime | None:
    """Return a time with its offset, None for a text that is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
