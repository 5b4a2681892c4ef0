"""The settings in force, what this installation is, and what the reader chooses for this browser."""

from __future__ import annotations

import dataclasses

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.domain.permissions import Right
from watchbell.domain.schedule.zones import valid_zones, zone_named
from watchbell.errors import InputError
from watchbell.web import current, presenters_settings, reader_zone
from watchbell.web.checks import safe_next
from watchbell.web.db import database
from watchbell.web.presenters import size_words
from watchbell.web.presenters_settings import SettingRow
from watchbell.web.reader_zone import Choice
from watchbell.web.twins import csv_response

blueprint = Blueprint("settings", __name__)

_YEAR_SECONDS = 365 * 24 * 3600


@blueprint.get("/settings")
def index() -> str:
    """Show them."""
    return _page()


@blueprint.get("/settings.json")
def index_json() -> Response:
    """Return the settings in force as JSON."""
    return jsonify(settings=[dataclasses.asdict(row) for row in _rows()])


@blueprint.get("/settings.csv")
def index_csv() -> Response:
    """Return the settings in force as a table."""
    columns = [field.name for field in dataclasses.fields(SettingRow)]
    return csv_response("settings", columns, (dataclasses.asdict(row) for row in _rows()))


@blueprint.post("/settings/zone")
def zone() -> AnyResponse | tuple[str, int]:
    """Show times in another zone in this browser."""
    try:
        cookie = _chosen()
    except InputError as error:
        return _page(problem=error), 422
    answer = redirect(safe_next(request.form.get("next")) or f"{url_for('settings.index')}#zone", 303)
    is_safe = current.config().behind_proxy == "on"
    # The script of the page has to see whether it is to tell the machine's zone.
    answer.set_cookie(reader_zone.COOKIE, cookie, max_age=_YEAR_SECONDS, secure=is_safe, httponly=False, samesite="Lax")
    return answer


def _chosen() -> str:
    """Return the cookie for what was chosen; raises InputError."""
    choice = _choice(request.form.get("choice", ""))
    picked = request.form.get("zone", "").strip()
    return reader_zone.written(choice, zone_named(picked).key if choice is Choice.PICKED else _told())


def _choice(text: str) -> Choice:
    if text not in set(Choice):
        raise InputError.of("choice", f"must be one of {', '.join(Choice)}", Choice.MINE)
    return Choice(text)


def _told() -> str:
    """Return the zone that the browser's script has told with the form, or has told before."""
    told = request.form.get("told", "")
    return told if reader_zone.is_known(told) else current.reader_zone().told


def _page(problem: InputError | None = None) -> str:
    sees_places = Right.ADMINISTER in current.user().rights
    return render_template(
        "settings/index.html",
        rows=_rows(),
        about=presenters_settings.about(current.config(), database(), with_places=sees_places),
        file=str(current.config().file) if sees_places else "",
        rules=current.rules(),
        zones=sorted(valid_zones()),
        typed=request.form,
        problem=problem.problems[0] if problem else None,
        size_words=size_words,
    )


def _rows() -> list[SettingRow]:
    sees_places = Right.ADMINISTER in current.user().rights
    return presenters_settings.setting_rows(current.config(), with_places=sees_places)
