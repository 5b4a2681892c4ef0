"""How devices join: making a code for one, the codes that are there, and the devices that wait to be let in."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.errors import Conflict, InputError
from watchbell.services import device_lists, enrolment
from watchbell.services.enrolment import Code, CodeState, NewCode, Pending
from watchbell.web import agent_program, current, query, twins
from watchbell.web.checks import is_loopback
from watchbell.web.db import database
from watchbell.web.forms.enrolment_form import EnrolmentForm
from watchbell.web.i18n import _, ngettext
from watchbell.web.presenters import local_text
from watchbell.web.proving import asking, proves
from watchbell.web.told import sentence

blueprint = Blueprint("fleet_enrolment", __name__)

_COLUMNS = (
    *("prefix", "state", "name", "group", "tags", "needs_approval", "created_by", "created_at", "expires_at"),
    *("used_at", "used_from", "device_uuid", "device_name"),
)
_STATES = ("", "all")


@blueprint.get("/fleet/devices/join")
def index() -> str:
    """Show the codes that can be used, or with ``?state=all`` all that are kept, and the devices that wait."""
    chosen = query.word(request.args, "state", _STATES, "")
    found = enrolment.list_all(database(), now=current.now())
    waiting = enrolment.list_pending(database())
    return render_template(
        "fleet/enrolment/index.html",
        codes=[code for code in found if chosen or code.state is CodeState.OPEN],
        total=len(found),
        waiting=waiting,
        chosen=chosen,
        answer=_answer(found, waiting),
    )


@blueprint.get("/fleet/devices/join.json")
def index_json() -> Response:
    return twins.json_response(_json(code) for code in _codes())


@blueprint.get("/fleet/devices/join.csv")
def index_csv() -> Response:
    rows = (
        {**_json(code), "tags": ", ".join(f"{key}={value}" for key, value in code.tags.items())} for code in _codes()
    )
    return twins.csv_response("enrolment-codes", _COLUMNS, rows)


@blueprint.get("/fleet/devices/join/new")
def new() -> str:
    return _form_page(EnrolmentForm())


@blueprint.post("/fleet/devices/join/new")
def create() -> str | tuple[str, int]:
    """Make a code and show it, in the answer itself: it stands nowhere from where it could be shown again."""
    form = EnrolmentForm()
    if not proves(form):
        return _form_page(form), 422
    try:
        made = enrolment.create(database(), **form.given(), now=current.now(), actor=current.actor())
    except (Conflict, InputError) as error:
        form.show(error)
        return _form_page(form), 422
    return _code_page(made)


@blueprint.post("/fleet/devices/join/<int:code_id>/revoke")
def revoke(code_id: int) -> AnyResponse:
    try:
        gone = enrolment.revoke(database(), code_id, now=current.now(), actor=current.actor())
        flash(_("The code %(prefix)s… is revoked: nobody can join with it.", prefix=gone.prefix), "success")
    except Conflict as error:
        flash(sentence(error.message), "warning")
    return redirect(url_for("fleet_enrolment.index"), 303)


def _is_plain() -> bool:
    """Return whether what is sent to the address of this page can be read on the way."""
    return request.scheme == "http" and not is_loopback(urlsplit(request.host_url).hostname or "")


def _options(secret: str) -> str:
    """Return with what an agent is started that joins here."""
    plain = " --plain-http" if _is_plain() else ""
    return f"--url {request.url_root.rstrip('/')} --enroll {secret}{plain}"


def _fetching() -> str:
    """Return by what a device gets the agent from this server."""
    return f"curl -fsSo {agent_program.NAME} {request.host_url.rstrip('/')}{url_for('agent.get_program')}"


def _code_page(made: NewCode) -> str:
    return render_template(
        "fleet/enrolment/code.html",
        code=made.code,
        secret=made.secret,
        is_plain=_is_plain(),
        options=_options(made.secret),
        fetching=_fetching(),
        program=agent_program.NAME,
    )


def _form_page(form: EnrolmentForm) -> str:
    groups = device_lists.list_marks(database()).groups
    return render_template("fleet/enrolment/form.html", form=asking(form), groups=groups)


def _answer(found: Sequence[Code], waiting: Sequence[Pending]) -> str:
    usable = sum(code.state is CodeState.OPEN for code in found)
    told = [ngettext("%(num)s open code", "%(num)s open codes", usable)]
    if waiting:
        told.append(ngettext("%(num)s device waits to be let in", "%(num)s devices wait to be let in", len(waiting)))
    return f"{', '.join(told)}."


def _codes() -> list[Code]:
    return enrolment.list_all(database(), now=current.now())


def _json(code: Code) -> dict[str, object]:
    zone = current.zone()
    return {
        **{name: getattr(code, name) for name in _COLUMNS},
        "state": code.state.value,
        "tags": dict(code.tags),
        **{name: local_text(getattr(code, name), zone) for name in ("created_at", "expires_at", "used_at")},
    }
