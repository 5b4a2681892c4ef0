"""Addresses of pages that people know from the gateway; each leads to the page of ours that does its work."""

from __future__ import annotations

from flask import Blueprint, redirect, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.services import tasks
from watchbell.web.db import database

blueprint = Blueprint("earlier", __name__)


@blueprint.get("/jobs")
def jobs() -> AnyResponse:
    return redirect(url_for("tasks.index"), 302)


@blueprint.get("/jobs/<name>")
def job(name: str) -> AnyResponse:
    return redirect(url_for("tasks.detail", task_id=tasks.find_by_name(database(), name).id), 302)
