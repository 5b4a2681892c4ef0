"""API tokens: one's own, those of all accounts for an administrator; making, replacing and revoking them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.domain.permissions import Right, scopes_of
from watchbell.errors import Conflict, InputError, NotFound, Problem
from watchbell.services import tokens
from watchbell.services.tokens import NewToken, Token, TokenState
from watchbell.web import current
from watchbell.web.db import database
from watchbell.web.forms.token_form import ProofForm, TokenForm
from watchbell.web.i18n import _, grouped, ngettext
from watchbell.web.presenters import local_text
from watchbell.web.proving import asking, proves

blueprint = Blueprint("tokens", __name__)

#: The filter that shows those of all accounts.
ALL = "*"


@blueprint.get("/account/tokens")
def index() -> str:
    """Show one's own tokens, or with ``?of=*`` and ``?of=NAME`` those of others."""
    chosen = _chosen()
    found = _list(chosen)
    return render_template(
        "tokens/index.html", tokens=found, chosen=chosen, answer=answer(found), sees_all=_administers(), all=ALL
    )


@blueprint.get("/account/tokens.json")
def index_json() -> Response:
    return jsonify([_json(token) for token in _list(_chosen())])


@blueprint.get("/account/tokens/new")
def new() -> AnyResponse | str:
    """Ask for a name, a scope and an end."""
    if not current.user().is_authenticated:
        return redirect(url_for("tokens.index"), 303)
    return _form_page(TokenForm())


@blueprint.post("/account/tokens/new")
def create() -> AnyResponse | str | tuple[str, int]:
    """Make a token and show its secret, in the answer itself: it stands nowhere from where it could be shown again."""
    _require_account()
    form = TokenForm()
    if not proves(form):
        return _form_page(form), 422
    try:
        made = _create(form)
    except InputError as error:
        form.show_problems(error.problems)
        return _form_page(form), 422
    return _secret_page(made)


@blueprint.get("/account/tokens/<int:token_id>/rotate")
def replacement(token_id: int) -> str:
    """Say what replacing a token means, and ask."""
    return _rotate_page(ProofForm(), token_id)


@blueprint.post("/account/tokens/<int:token_id>/rotate")
def rotate(token_id: int) -> str | tuple[str, int]:
    """Replace one of one's own tokens; another account's would be a way to act in its name."""
    _require_account()
    form = ProofForm()
    if not proves(form):
        return _rotate_page(form, token_id), 422
    return _secret_page(tokens.rotate(database(), token_id, now=current.now(), username=current.user().username))


@blueprint.post("/account/tokens/<int:token_id>/revoke")
def revoke(token_id: int) -> AnyResponse:
    """End a token, of any account if an administrator does it."""
    whose = None if _administers() else current.user().username
    ended = tokens.revoke(database(), token_id, now=current.now(), username=whose, actor=current.actor())
    flash(_("The token %(name)s is revoked: it opens nothing any more.", name=ended.name), "success")
    return redirect(url_for("tokens.index", of=request.args.get("of")), 303)


def answer(found: Sequence[Token]) -> str:
    """Return the sentence above the list: how many there are, and which need somebody."""
    soon, expired = (
        sum(token.state is state for token in found) for state in (TokenState.EXPIRING, TokenState.EXPIRED)
    )
    told = [ngettext("%(count)s token", "%(count)s tokens", len(found), count=grouped(len(found)))]
    if soon:
        told.append(ngettext("%(num)s expires soon", "%(num)s expire soon", soon))
    if expired:
        told.append(ngettext("%(num)s has expired", "%(num)s have expired", expired))
    return f"{', '.join(told)}."


def _administers() -> bool:
    return Right.ADMINISTER in current.user().rights


def _chosen() -> str:
    """Return whose tokens are to be shown: a name or ALL; without logins there is nobody whose own they could be."""
    user = current.user()
    own = user.username if user.is_authenticated else ALL
    return (request.args.get("of") or own) if _administers() else own


def _list(chosen: str) -> list[Token]:
    return tokens.list_all(database(), now=current.now(), username=None if chosen == ALL else chosen)


def _require_account() -> None:
    if not current.user().is_authenticated:
        raise Conflict(_("this server asks for no login (WATCHBELL_AUTH), so that no program needs a token here"))


def _create(form: TokenForm) -> NewToken:
    name, username = form.name.data or "", current.user().username
    lifetime, scope = form.lifetime(), form.scope.data or ""
    try:
        return tokens.create(database(), username, name, scope=scope, lifetime=lifetime, now=current.now())
    except Conflict as error:
        # It is the name that is taken, or that there is no room for another one.
        raise InputError(Problem("name", error.message.removeprefix("name: "))) from None


def _form_page(form: TokenForm) -> str:
    form.offer(scopes_of(current.user().role or ""))
    return render_template("tokens/form.html", form=asking(form))


def _rotate_page(form: ProofForm, token_id: int) -> str:
    token = tokens.get(database(), token_id, now=current.now(), username=current.user().username)
    if token.state is TokenState.REVOKED:
        raise NotFound(_("the token %(name)s is revoked; make a new one", name=token.name))
    return render_template("tokens/rotate.html", form=asking(form), token=token)


def _secret_page(made: NewToken) -> str:
    url = f"{request.url_root}tasks.json"
    return render_template("tokens/secret.html", secret=made.secret, token=made.token, url=url)


def _json(token: Token) -> dict[str, object]:
    shown = dataclasses.asdict(token)
    for name in ("created_at", "expires_at", "used_at", "revoked_at"):
        shown[name] = local_text(shown[name], current.zone())
    return shown
