"""The versions of a task: a list with its twins, one version beside another, and bringing one back."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.errors import Conflict
from watchbell.services import revisions
from watchbell.services.revisions import Revised, Versions
from watchbell.store.tasks import Task
from watchbell.web import comparing, current, notices, query, twins, variables
from watchbell.web.db import database
from watchbell.web.i18n import _
from watchbell.web.told import sentence

blueprint = Blueprint("revisions", __name__)

_SHOWN = 50
_MOST_IN_TWIN = 1000
_COLUMNS = ("version", "at", "by", "changed")


@blueprint.get("/tasks/<int:task_id>/revisions")
def index(task_id: int) -> str:
    task, found, has_older = revisions.list_page(database(), task_id, limit=_SHOWN, before=_before())
    return render_template("revisions/index.html", section="tasks", task=task, found=found, has_older=has_older)


@blueprint.get("/tasks/<int:task_id>/revisions.json")
def index_json(task_id: int) -> Response:
    return twins.json_response(_rows(task_id))


@blueprint.get("/tasks/<int:task_id>/revisions.csv")
def index_csv(task_id: int) -> Response:
    rows = ({**row, "changed": " ".join(row["changed"] or ())} for row in _rows(task_id))  # type: ignore[arg-type]
    return twins.csv_response(f"task-{task_id}-revisions", _COLUMNS, rows)


@blueprint.get("/tasks/<int:task_id>/revisions/<int:version>")
def detail(task_id: int, version: int) -> str:
    found = revisions.find(database(), task_id, version, query.optional_id(request.args, "against"))
    before = found.against.definition if found.against is not None else {}
    after = found.revision.definition
    return render_template(
        "revisions/detail.html",
        section="tasks",
        found=found,
        fields=comparing.changed_definition(before, after, current.rules()),
        variables=comparing.changed_environment(before, after),
        environment=variables.of_definition(after),
        in_force_against=_in_force_against(found),
    )


@blueprint.post("/tasks/<int:task_id>/revisions/<int:version>/restore")
def restore(task_id: int, version: int) -> AnyResponse:
    """Let the task say again what it said then; the way back is to restore what was in force."""
    seen = query.optional_id(request.form, "in_force")
    try:
        task = revisions.restore(
            database(), task_id, version, now=current.now(), actor=current.actor(), expected_version=seen
        )
    except Conflict as error:
        flash(sentence(error.message), "warning")
        return redirect(url_for("revisions.detail", task_id=task_id, version=version), 303)
    _say(task, version, seen)
    return redirect(url_for("tasks.detail", task_id=task_id), 303)


def _say(task: Task, version: int, before: int | None) -> None:
    words = _("%(name)s says again what it said in version %(version)s, as version %(new)s.", name=task.name,
              version=version, new=task.version)  # fmt: skip
    if before is None or task.version == before:
        flash(words, "success")
    else:
        notices.done(
            words, url_for("revisions.restore", task_id=task.id, version=before), {"in_force": str(task.version)}
        )


def _in_force_against(found: Versions) -> int | None:
    """Return the version in force where it would say something else, to lay this one against it."""
    if found.is_in_force or found.task.deleted_at is not None:
        return None
    return found.task.version if found.against is None or found.against.version != found.task.version else None


def _before() -> int | None:
    return query.optional_id(request.args, "before")


def _rows(task_id: int) -> list[dict[str, object]]:
    _task, found, _has_older = revisions.list_page(database(), task_id, limit=_MOST_IN_TWIN, before=_before())
    return list(map(_row, found))


def _row(one: Revised) -> dict[str, object]:
    kept = one.revision
    changed = list(one.changed) if one.changed is not None else None
    return {"version": kept.version, "at": kept.at.isoformat(), "by": kept.by, "changed": changed}
