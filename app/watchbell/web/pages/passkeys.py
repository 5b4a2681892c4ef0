"""One's own passkeys: adding, naming and removing them, and logging in by one."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from watchbell.errors import Conflict, InputError
from watchbell.services import passkeys, second_factors
from watchbell.services.logins import Grant, Place
from watchbell.services.passkeys import Asked, Party, PasskeyWrong
from watchbell.web import auth, current, errors, passkey_asking
from watchbell.web.checks import safe_next
from watchbell.web.db import database
from watchbell.web.forms.account import FactorProofForm, PasskeyForm
from watchbell.web.i18n import _
from watchbell.web.passkey_asking import Purpose
from watchbell.web.proving import asking_factor, proves_factor
from watchbell.web.throttle import tries
from watchbell.web.told import sentence

blueprint = Blueprint("passkeys", __name__)


@blueprint.get("/account/passkeys")
def index() -> str:
    """List them, with the form of another one."""
    return _page(PasskeyForm())


@blueprint.post("/account/passkeys")
def begin() -> Response | tuple[str, int]:
    """Take the name of another one, once it is proven who asks; the next page asks the browser."""
    _require_account()
    form = PasskeyForm()
    try:
        name = passkeys.check_name(form.name.data or "")
    except InputError as error:
        form.name.errors = [sentence(problem.message) for problem in error.problems]
        return _page(form), 422
    if not proves_factor(form):
        return _page(form), 422
    passkey_asking.ask(Purpose.ADD, name)
    return redirect(url_for("passkeys.new"), 303)


@blueprint.get("/account/passkeys/new")
def new() -> Response | str:
    """Ask the browser to make a passkey."""
    party, asked = passkey_asking.party(), passkey_asking.asked_for(Purpose.ADD)
    if party is None or asked is None:
        return redirect(url_for("passkeys.index"), 303)
    options = passkeys.registration(database(), current.user().username, asked[0], party)
    return render_template("passkeys/new.html", options=options, name=asked[1], section="account")


@blueprint.post("/account/passkeys/new")
def add() -> Response | str:
    """Take up what the browser has made, and show recovery codes if this is the first second factor."""
    _require_account()
    party, asked = passkey_asking.party(), passkey_asking.asked_for(Purpose.ADD)
    passkey_asking.forget()
    if party is None or asked is None or not auth.is_proven():
        flash(_("That took too long. Begin again."), "warning")
        return redirect(url_for("passkeys.index"), 303)
    codes = _added(party, *asked)
    if codes:
        return render_template("second_factor/codes.html", codes=codes, is_new=True, section="account")
    return redirect(url_for("passkeys.index"), 303)


@blueprint.post("/account/passkeys/<int:passkey_id>/rename")
def rename(passkey_id: int) -> Response:
    _require_account()
    try:
        passkeys.rename(
            database(), current.user().username, passkey_id, request.form.get("name", ""), now=current.now()
        )
    except InputError as error:
        flash(": ".join((_("Name"), sentence(error.problems[0].message))), "danger")
    else:
        flash(_("The passkey has another name."), "success")
    return redirect(url_for("passkeys.index"), 303)


@blueprint.get("/account/passkeys/<int:passkey_id>/remove")
def removal(passkey_id: int) -> str:
    """Say what removing one leads to, and ask."""
    _require_account()
    return _removal_page(FactorProofForm(), passkey_id)


@blueprint.post("/account/passkeys/<int:passkey_id>/remove")
def remove(passkey_id: int) -> Response | tuple[str, int]:
    """Remove one, which neither an open session nor a password alone is enough for."""
    _require_account()
    form = FactorProofForm()
    if not proves_factor(form):
        return _removal_page(form, passkey_id), 422
    name = passkeys.remove(database(), current.user().username, passkey_id, now=current.now())
    flash(
        _("The passkey %(name)s is removed. Delete it on its device, too, which would offer it else.", name=name),
        "success",
    )
    return redirect(url_for("passkeys.index"), 303)


@blueprint.get("/login/passkey")
def login() -> Response | str:
    """Ask the browser for a passkey: of anybody, or of whoever a login waits for."""
    purpose, trouble = _purpose(), passkey_asking.trouble()
    options = _options(purpose)
    if purpose is Purpose.CODE and options is None and not trouble:
        return redirect(url_for("auth.code", next=request.args.get("next")), 303)
    waits = "again" in request.args
    return render_template("auth/passkey.html", options=options, purpose=purpose.value, trouble=trouble, waits=waits)


@blueprint.post("/login/passkey")
def log_in() -> Response:
    """Log in by what the browser has answered, once."""
    if not tries().count_question(current.address()):
        return errors.answer(429, _("Too many tries to log in. Wait a minute, then try again"), bare=True)
    grant = _granted(_purpose())
    if grant is not None:
        return auth.go_on(grant, safe_next(request.args.get("next")) or url_for("overview.index"))
    flash(_("This passkey does not open an account here, or it took too long. Try again."), "warning")
    purpose, target = request.args.get("purpose"), request.args.get("next")
    return redirect(url_for("passkeys.login", purpose=purpose, next=target, again=1), 303)


def _options(purpose: Purpose) -> str | None:
    """Return what the browser is asked with, None where there can be no passkeys, or where no login waits for one."""
    party = passkey_asking.party()
    if party is None:
        return None
    asked = passkey_asking.ask(purpose)
    if purpose is Purpose.LOGIN:
        return passkeys.login(asked, party)
    return passkeys.login_of(database(), auth.waiting_token(), asked, party, now=current.now())


def _granted(purpose: Purpose) -> Grant | None:
    """Return the login that an answer opens, None if it opens none; what was asked is answered by it."""
    party, asked = passkey_asking.party(), passkey_asking.asked_for(purpose)
    passkey_asking.forget()
    if party is None or asked is None:
        return None
    answer, place = request.form.get("answer", ""), Place(current.address(), request.user_agent.string)
    if purpose is Purpose.LOGIN:
        return passkeys.log_in(database(), answer, asked[0], party, now=current.now(), place=place)
    token = auth.waiting_token()
    return passkeys.finish(database(), token, answer, asked[0], party, now=current.now(), place=place)


def _purpose() -> Purpose:
    return Purpose.CODE if request.args.get("purpose") == Purpose.CODE else Purpose.LOGIN


def _added(party: Party, asked: Asked, name: str) -> list[str]:
    user = current.user()
    try:
        codes = passkeys.add(
            database(),
            user.username,
            name,
            request.form.get("answer", ""),
            asked,
            party,
            now=current.now(),
            keep_token=user.token,
        )
    except PasskeyWrong:
        flash(_("What the browser has sent is no passkey for this server. Try again."), "danger")
        return []
    except Conflict as error:
        flash(sentence(error.message), "danger")
        return []
    flash(_("The passkey %(name)s logs in from now on.", name=name), "success")
    return codes


def _page(form: PasskeyForm) -> str:
    user = current.user()
    if not user.is_authenticated:
        return render_template("passkeys/index.html", state=None, section="account")
    return render_template(
        "passkeys/index.html",
        state=second_factors.state_of(database(), user.username),
        passkeys=passkeys.list_of(database(), user.username),
        form=asking_factor(form),
        trouble=passkey_asking.trouble(),
        is_required=auth.must_set_up(),
        section="account",
    )


def _removal_page(form: FactorProofForm, passkey_id: int) -> str:
    username = current.user().username
    state = second_factors.state_of(database(), username)
    return render_template(
        "passkeys/remove.html",
        form=asking_factor(form),
        passkey=passkeys.get(database(), username, passkey_id),
        is_last=state.passkeys == 1 and not state.has_app,
        section="account",
    )


def _require_account() -> None:
    if not current.user().is_authenticated:
        raise Conflict(_("this server asks for no login (WATCHBELL_AUTH), so that there is nothing to add a factor to"))
