"""The choice of a language, kept in a cookie since it is of a browser and there before anybody has logged in."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.errors import InputError, NotFound
from watchbell.web import current, i18n
from watchbell.web.checks import safe_next

blueprint = Blueprint("language", __name__)

_YEAR_SECONDS = 365 * 24 * 3600
_AUTOMATIC = "auto"


@blueprint.post("/language")
def choose() -> AnyResponse:
    """Answer this browser in a language from now on, or in the one that it asks for by itself."""
    name = request.form.get("language", "")
    if name not in {*i18n.LANGUAGES, _AUTOMATIC}:
        raise InputError.of("language", f"must be one of {', '.join([*i18n.LANGUAGES, _AUTOMATIC])}", "en")
    answer = redirect(safe_next(request.form.get("next")) or url_for("overview.index"), 303)
    answer.set_cookie(
        i18n.COOKIE,
        "" if name == _AUTOMATIC else name,
        max_age=0 if name == _AUTOMATIC else _YEAR_SECONDS,
        secure=current.config().behind_proxy == "on",
        httponly=True,
        samesite="Lax",
    )
    return answer


@blueprint.get("/words/<stamp>/<name>.json")
def words(stamp: str, name: str) -> Response:
    """Return the texts of scripts in a language, under an address that carries a stamp of them."""
    if name not in i18n.LANGUAGES:
        raise NotFound(f"there is no language {name[:10]}")
    answer = jsonify(i18n.words(name))
    is_current = stamp == i18n.words_stamp(name)
    answer.headers["Cache-Control"] = f"public, max-age={_YEAR_SECONDS}, immutable" if is_current else "no-cache"
    return answer
