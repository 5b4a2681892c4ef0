"""Logging in and out, and the password of one's own."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response

from watchbell.errors import InputError
from watchbell.services import accounts, passkeys, second_factors
from watchbell.web import auth, current, errors, passkey_asking, proxy_login
from watchbell.web.checks import csrf, safe_next
from watchbell.web.db import database
from watchbell.web.forms.account import CodeForm, LoginForm, PasswordForm
from watchbell.web.i18n import _
from watchbell.web.proving import again_at
from watchbell.web.told import sentence

blueprint = Blueprint("auth", __name__)

_LINK_COMMAND = Markup("<code>watchbell user link NAME</code>")


@blueprint.route("/login", methods=["GET", "POST"])
@csrf.exempt  # type: ignore[untyped-decorator]
def login() -> Response | str:
    """Show the form, or log in; a program may post ``password`` alone for the only account."""
    target = safe_next(request.args.get("next")) or url_for("overview.index")
    if current.user().role is not None:
        return redirect(target, 303)
    form, sole = _login_form()
    if form.validate_on_submit():
        username = sole or form.username.data or accounts.first_username(database())
        if not auth.may_try(username):
            return _too_many()
        found = auth.log_in(username, form.password.data)
        if found is not None:
            return auth.go_on(found, target)
        form.password.errors = [_("Invalid password") if sole else _("Invalid name or password")]
    return _login_page(form)


@blueprint.get("/login/link/<token>")
def link(token: str) -> Response:
    """Use up a login link, which a person has copied from the terminal; a look ahead by the browser does not count."""
    looks_ahead = "prefetch" in request.headers.get("Sec-Purpose", request.headers.get("Purpose", ""))
    if request.method == "HEAD" or looks_ahead:
        return Response(status=204)
    grant = accounts.use_link(
        database(), token, now=current.now(), address=current.address(), agent=request.user_agent.string
    )
    if grant is None:
        flash(_spent(), "warning")
        return redirect(url_for("auth.login"), 303)
    needs_one = grant.account.password_hash is None and not current.config().password
    return auth.go_on(grant, url_for("auth.password" if needs_one else "overview.index"))


@blueprint.route("/login/code", methods=["GET", "POST"])
def code() -> Response | str:
    """Ask for the code of the second factor, after a password or a link that fitted; nobody is logged in before it fits."""
    username = auth.waiting_for()
    if username is None:
        flash(_("This login has waited too long for its code. Begin again."), "warning")
        return redirect(url_for("auth.login", next=request.args.get("next")), 303)
    form = CodeForm()
    if form.validate_on_submit():
        if not auth.may_try_code(username, form.code.data):
            return _too_many()
        grant = auth.finish(form.code.data)
        if grant is not None:
            return auth.go_on(grant, safe_next(request.args.get("next")) or url_for("overview.index"))
        form.code.errors = [_("This code does not fit, or was used before.")]
    return _code_page(form, username)


@blueprint.route("/account/password", methods=["GET", "POST"])
def password() -> Response | str:
    """Show the form, or set a password of one's own."""
    if not current.user().is_authenticated:
        return redirect(url_for("overview.index"), 303)
    form, is_first = _password_form()
    if form.validate_on_submit() and _set_password(form):
        flash(_("The password is set. All other sessions of this account have ended."), "success")
        return redirect(url_for("overview.index"), 303)
    return render_template("auth/set_password.html", form=form, first=is_first, again_at=again_at())


@blueprint.route("/logout", methods=["GET", "POST"])
def logout() -> Response | str:
    """End the session; a GET, which must change nothing, shows the button that does, or where else one logs out."""
    if request.method != "POST" or auth.is_by_proxy():
        return render_template("auth/logout.html", by_proxy=auth.is_by_proxy())
    auth.leave()
    flash(_("You are logged out."), "success")
    return redirect(url_for("auth.login"), 303)


def _spent() -> Markup:
    """Return what is said of a link that opens nothing any more; the text is ours and its one value is markup."""
    text = _(
        "This link has been used or is too old. On the server, %(command)s prints a new one.", command=_LINK_COMMAND
    )
    return Markup(text)  # noqa: S704


def _login_form() -> tuple[LoginForm, str | None]:
    """Return the form and, where there is only one account, its name, which then need not be typed."""
    form = LoginForm()
    names = [account.username for account in accounts.list_all(database())]
    sole = names[0] if len(names) == 1 else None
    if sole and not form.username.data:
        del form.username
        return form, sole
    return form, None


def _login_page(form: LoginForm) -> str:
    """Show the form, the way to the provider if there is one, and whom a trusted proxy names in vain."""
    named, config, party = proxy_login.look(), current.config(), passkey_asking.party()
    return render_template(
        "auth/login.html",
        form=form,
        named=named.username if named is not None else "",
        provider=config.oidc_name if config.oidc_issuer else "",
        has_passkeys=party is not None and passkeys.has_any(database(), party.host),
    )


def _code_page(form: CodeForm, username: str) -> str:
    """Show the form of the code, and the way to a passkey if the account has one and this page can ask for it."""
    state = second_factors.state_of(database(), username)
    has_passkeys = bool(state.passkeys and passkey_asking.party())
    return render_template("auth/code.html", form=form, state=state, has_passkeys=has_passkeys)


def _too_many() -> Response:
    return errors.answer(429, _("Too many tries to log in. Wait a minute, then try again"), bare=True)


def _password_form() -> tuple[PasswordForm, bool]:
    """Return the form and whether this is the first password; who came by a link proves nothing a second time."""
    form = PasswordForm()
    has_password = auth.has_password()
    if auth.came_by_link() or not has_password:
        del form.current
    return form, not has_password


def _set_password(form: PasswordForm) -> bool:
    """Set the password, or say at the field what is wrong with it."""
    username = current.user().username
    # The session gets a new token together with the password.
    if "current" in form and (wrong := auth.prove(form.current.data)):
        form.current.errors = [wrong]
        return False
    if "current" not in form and not (auth.came_by_link() or auth.is_proven()):
        form.password.errors = [_("Your login is not of just now.")]
        return False
    try:
        accounts.set_password(
            database(), username, form.password.data, now=current.now(), keep_token=current.user().token
        )
    except InputError as error:
        form.password.errors = [sentence(problem.message) for problem in error.problems]
        return False
    return True
