"""What a page offers: only what whoever reads it may do, so that no button leads to a refusal.

A template asks before it shows a button; that the request itself is refused without the right is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from flask import Flask, current_app, g
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from watchbell.domain.ownership import OwnOnly
from watchbell.domain.permissions import ROUTES, Right
from watchbell.domain.scopes import TASK
from watchbell.services import ownership, runs
from watchbell.web import current
from watchbell.web.db import database

#: What may be kept for those whose task it is.
_KEPT = frozenset({Right.EDIT, Right.OPERATE})
#: A copy is one's own, and so is what others begin a task from.
_FOR_ALL = frozenset({"tasks.copy", "task_templates.save"})
_OF_RUNS = frozenset({"runs.cancel", "runs.again", "runs.decide", "runs.expect", "runs.retract"})


def init_app(app: Flask) -> None:
    """Give templates ``may(address, method)``."""
    app.add_template_global(may)


def may(address: str, method: str = "GET") -> bool:
    """Return whether whoever reads the page may follow an address, or send a form to it."""
    parts = urlsplit(str(address))
    if parts.netloc:
        return True
    try:
        endpoint, values = current_app.url_map.bind("").match(parts.path, method=method)
    except (HTTPException, RequestRedirect):
        # An address of nothing of ours: nobody is kept from it.
        return True
    right = ROUTES.get(endpoint)
    if right is None:
        return True
    return right in current.user().rights and _is_theirs(endpoint, right, values, parts.query)


def _is_theirs(endpoint: str, right: Right, values: Mapping[str, object], query: str) -> bool:
    """Return whether what an address does to a task is kept from nobody, or not from whoever reads the page."""
    config = current.config()
    keeps = config.own_tasks_only != OwnOnly.NEVER or bool(config.run_as)
    if right not in _KEPT or not keeps or endpoint in _FOR_ALL:
        return True
    number = values.get("task_id")
    if endpoint in _OF_RUNS and isinstance(run_id := values.get("run_id"), int):
        run = runs.get_known(database(), [run_id]).get(run_id)
        number = run.task_id if run is not None else None
    scope = next((text for name, text in parse_qsl(query) if name == "scope"), "")
    if endpoint == "pauses.new" and scope.startswith(TASK) and scope.removeprefix(TASK).isdecimal():
        number = int(scope.removeprefix(TASK)[:18])
    if not isinstance(number, int):
        return True
    known: dict[tuple[Right, int], bool] = g.setdefault("theirs", {})
    if (right, number) not in known:
        known[right, number] = ownership.may_task(database(), right, number)
    return known[right, number]
