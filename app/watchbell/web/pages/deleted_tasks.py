"""Tasks that were deleted and can be restored: their list."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, render_template, request

from watchbell.services import deleted_tasks
from watchbell.services.deleted_tasks import DeletedTask
from watchbell.web import current, query, twins
from watchbell.web.db import database
from watchbell.web.presenters import local_text

blueprint = Blueprint("deleted_tasks", __name__)

_COLUMNS = ("id", "name", "deleted_at", "deleted_by", "gone_at", "name_is_taken", "owner", "team", "sentence", "command",
            "tags", "version")  # fmt: skip


@blueprint.get("/tasks/deleted")
def index() -> str:
    search = query.text(request.args, "q")
    return render_template("tasks/deleted_list.html", deleted=_found(search), search=search, days=_DAYS)


@blueprint.get("/tasks/deleted.json")
def index_json() -> Response:
    return jsonify(_rows(as_lists=True))


@blueprint.get("/tasks/deleted.csv")
def index_csv() -> Response:
    return twins.csv_response("deleted-tasks", _COLUMNS, _rows(as_lists=False))


_DAYS = deleted_tasks.KEPT_FOR.days


def _found(search: str) -> list[DeletedTask]:
    return list(deleted_tasks.list_all(database(), now=current.now(), search=search))


def _rows(*, as_lists: bool) -> list[dict[str, object]]:
    rows = []
    for one in _found(query.text(request.args, "q")):
        told = deleted_tasks.told(one)
        times = {name: local_text(told[name], current.zone()) for name in ("deleted_at", "gone_at")}
        tags = told["tags"] if as_lists else "; ".join(told["tags"])
        rows.append({**told, **times, "tags": tags})
    return rows
