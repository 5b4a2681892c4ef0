"""Accounts: who may log in, as what; for administrators. And everybody's own sessions."""

from __future__ import annotations

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.domain.permissions import Role
from watchbell.errors import Conflict, InputError, NotFound, Problem
from watchbell.services import accounts, identities, passkeys, second_factors
from watchbell.services.logins import Limits
from watchbell.store.accounts import Account
from watchbell.web import current
from watchbell.web.browsers import browser_words
from watchbell.web.db import database
from watchbell.web.forms.account import UserForm
from watchbell.web.i18n import _, ngettext
from watchbell.web.presenters import local_text
from watchbell.web.proving import asking, proves

blueprint = Blueprint("users", __name__)


@blueprint.get("/users")
def index() -> str:
    found, with_factor = accounts.list_all(database()), second_factors.list_accounts(database())
    return render_template(
        "users/index.html", accounts=found, with_factor=with_factor, now_name=current.user().username
    )


@blueprint.get("/users.json")
def index_json() -> Response:
    with_factor = second_factors.list_accounts(database())
    return jsonify([_json(account, account.id in with_factor) for account in accounts.list_all(database())])


@blueprint.get("/users/new")
def new() -> str:
    return _form_page(UserForm(data={"role": Role.VIEWER.value, "is_active": True}), None)


@blueprint.post("/users/new")
def create() -> str | tuple[str, int]:
    """Make an account and show the link by which its owner chooses a password."""
    form = UserForm()
    if not proves(form):
        return _form_page(form, None), 422
    try:
        made = _create(form)
    except InputError as error:
        form.show_problems(error.problems)
        return _form_page(form, None), 422
    return _link_page(made)


@blueprint.get("/users/<int:account_id>")
def edit(account_id: int) -> str:
    """Show what an account may do."""
    account = accounts.get(database(), account_id)
    shown = {"username": account.username, "role": account.role, "is_active": account.is_active}
    return _form_page(UserForm(data=shown), account)


@blueprint.post("/users/<int:account_id>")
def update(account_id: int) -> AnyResponse | str | tuple[str, int]:
    """Change what an account may do, make a link that logs it in once, or switch its second factor off."""
    account = accounts.get(database(), account_id)
    form = UserForm()
    if not proves(form):
        return _form_page(form, account), 422
    if (done := _act_on(account)) is not None:
        return done
    try:
        _change(account, form)
    except InputError as error:
        form.show_problems(error.problems)
        return _form_page(form, account), 422
    flash(_("Saved. What %(name)s may do has changed at once.", name=account.username), "success")
    return redirect(url_for("users.index"), 303)


@blueprint.get("/account/sessions")
def sessions() -> str:
    """Show where one is logged in."""
    user = current.user()
    limits = Limits.of(current.config())
    found = (
        accounts.list_logins(database(), user.username, now=current.now(), limits=limits)
        if user.is_authenticated
        else []
    )
    rows = [(login, accounts.is_login_of(login, user.token), limits.end_of(login)) for login in found]
    return render_template("users/sessions.html", rows=rows, browser_words=browser_words, section="account")


@blueprint.post("/account/sessions/<int:login_id>/end")
def end_session(login_id: int) -> AnyResponse:
    accounts.end_login(database(), current.user().username, login_id, now=current.now(), actor=current.actor())
    flash(_("The session has ended."), "success")
    return redirect(url_for("users.sessions"), 303)


@blueprint.post("/account/sessions/end-others")
def end_other_sessions() -> AnyResponse:
    user = current.user()
    ended = accounts.end_other_logins(
        database(), user.username, keep_token=user.token, now=current.now(), actor=current.actor()
    )
    flash(ngettext("%(num)s other session has ended.", "%(num)s other sessions have ended.", ended), "success")
    return redirect(url_for("users.sessions"), 303)


def _act_on(account: Account) -> AnyResponse | str | None:
    """Do what another button than that of the form asks for; None if it was that of the form."""
    act = request.form.get("act", "")
    if act == "link":
        return _link_page(account)
    if act.startswith("unlink:"):
        return _unlink(account, act.removeprefix("unlink:"))
    if act.startswith("passkey:"):
        return _without_passkey(account, act.removeprefix("passkey:"))
    return _without_factor(account) if act == "factor-off" else None


def _unlink(account: Account, number: str) -> AnyResponse:
    if not (number.isascii() and number.isdigit()):
        raise NotFound(_("this login is not linked any more"))
    gone = identities.unlink(database(), account.username, int(number), now=current.now(), actor=current.actor())
    flash(
        _(
            "%(login)s opens %(name)s no more. All sessions of the account have ended.",
            login=gone.label,
            name=account.username,
        ),
        "success",
    )
    return redirect(url_for("users.edit", account_id=account.id), 303)


def _without_passkey(account: Account, number: str) -> AnyResponse:
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise NotFound(_("This passkey is not there any more."))
    gone = passkeys.remove(database(), account.username, int(number), now=current.now(), actor=current.actor())
    flash(_("The passkey %(passkey)s of %(name)s is removed.", passkey=gone, name=account.username), "success")
    return redirect(url_for("users.edit", account_id=account.id), 303)


def _without_factor(account: Account) -> AnyResponse:
    second_factors.switch_off(database(), account.username, now=current.now(), actor=current.actor())
    flash(_("The second factor of %(name)s is off: the password alone logs in.", name=account.username), "success")
    return redirect(url_for("users.edit", account_id=account.id), 303)


def _create(form: UserForm) -> Account:
    try:
        return accounts.add(
            database(),
            (form.username.data or "").strip(),
            role=form.role.data or "",
            password=None,
            now=current.now(),
            actor=current.actor(),
        )
    except Conflict as error:
        raise InputError(Problem("username", error.message.removeprefix("username: "))) from None


def _change(account: Account, form: UserForm) -> None:
    now, actor = current.now(), current.actor()
    try:
        accounts.set_role(database(), account.username, form.role.data or "", now=now, actor=actor)
    except Conflict as error:
        raise InputError(Problem("role", error.message)) from None
    try:
        accounts.set_active(database(), account.username, bool(form.is_active.data), now=now, actor=actor)
    except Conflict as error:
        raise InputError(Problem("is_active", error.message)) from None


def _form_page(form: UserForm, account: Account | None) -> str:
    asking(form)
    if account is not None:
        del form.username
    has_factor = account is not None and account.id in second_factors.list_accounts(database())
    linked = identities.list_of(database(), account.username) if account is not None else []
    keys = passkeys.list_of(database(), account.username) if account is not None else []
    return render_template(
        "users/form.html", form=form, account=account, has_factor=has_factor, identities=linked, passkeys=keys
    )


def _link_page(account: Account) -> str:
    token = accounts.make_link(database(), account.username, now=current.now(), actor=current.actor())
    address = url_for("auth.link", token=token, _external=True)
    return render_template("users/link.html", account=account, address=address, minutes=accounts.LINK_MINUTES)


def _json(account: Account, has_second_factor: bool) -> dict[str, object]:
    return {
        "id": account.id,
        "username": account.username,
        "role": account.role,
        "is_active": account.is_active,
        "has_password": account.password_hash is not None,
        "has_second_factor": has_second_factor,
        "created_at": local_text(account.created_at, current.zone()),
    }
