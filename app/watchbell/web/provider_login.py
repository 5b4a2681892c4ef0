"""Logging in through the provider that the settings name: what the browser keeps meanwhile, and what becomes of the answer."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from typing import Any

from flask import flash, make_response, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from watchbell.errors import Conflict, NotFound
from watchbell.services import audit, identities, openid
from watchbell.services.identities import Rules
from watchbell.services.logins import Place
from watchbell.services.openid import Asked, Claims, Provider, ProviderTrouble
from watchbell.web import auth, current, errors
from watchbell.web.checks import safe_next
from watchbell.web.db import database
from watchbell.web.i18n import _
from watchbell.web.throttle import tries
from watchbell.web.told import sentence

#: Session key: what the provider was asked with, and why.
_ASKED = "provider_asked"
#: Session key: as whom the provider knows somebody who wants to link an account, until they have said that it is them.
_FOUND = "provider_found"


class Purpose(StrEnum):
    """What a login at the provider is for."""

    LOGIN = "login"
    LINK = "link"
    """To link the account of somebody who is logged in."""
    AGAIN = "again"
    """To prove once more who somebody is."""


def provider() -> Provider:
    """Return the provider; raises NotFound."""
    found = Provider.of(current.config())
    if found is None:
        raise NotFound(_("this server knows no provider of logins (WATCHBELL_OIDC_ISSUER)"))
    return found


def begin(purpose: Purpose) -> Response:
    """Send the browser to the provider, or say why that cannot be."""
    found = provider()
    if not tries().count_question(current.address()):
        return errors.answer(429, _("Too many tries to log in. Wait a minute, then try again"), bare=True)
    try:
        address, asked = openid.begin(
            found, redirect_uri=_callback(), now=current.now(), again=purpose is Purpose.AGAIN
        )
    except ProviderTrouble as error:
        return _back(purpose.value, error)
    session[_ASKED] = {
        **dataclasses.asdict(asked),
        "purpose": purpose.value,
        "next": safe_next(request.args.get("next")),
        "username": current.user().username,
    }
    if purpose is Purpose.LINK:
        # A form of ours leads to no other server, as its policy has it, also where a browser is sent on.
        return make_response(render_template("provider/leave.html", address=address, name=current.config().oidc_name))
    return redirect(address, 302)


def finish() -> Response:
    """Do what the provider was asked for, if its answer is one to this browser's question; an answer counts once."""
    kept = session.pop(_ASKED, None)
    # A browser can be given back the cookie that it had, so that this server has to remember, too, what was answered.
    if not isinstance(kept, dict) or not tries().count_answer(str(kept["state"])):
        told = ProviderTrouble("this answer belongs to no login that was begun in this browser; begin again")
        return _back(Purpose.LOGIN, told)
    try:
        return _finish(kept)
    except (ProviderTrouble, Conflict) as error:
        return _back(kept["purpose"], error)


def _finish(kept: dict[str, Any]) -> Response:
    asked = Asked(**{field.name: kept[field.name] for field in dataclasses.fields(Asked)})
    target = kept["next"] or url_for("overview.index")
    try:
        claims = openid.complete(provider(), asked, request.args, redirect_uri=_callback(), now=current.now())
    except ProviderTrouble as error:
        said = {"at": "provider", "reason": error.message}
        audit.note_alone(database(), "login.refuse", "account:", now=current.now(), actor="", **said)
        raise
    if kept["purpose"] == Purpose.LOGIN:
        return _log_in(claims, target)
    if not current.user().is_authenticated or current.user().username != kept["username"]:
        raise ProviderTrouble("somebody else has logged in here meanwhile; begin again")
    return _link(claims) if kept["purpose"] == Purpose.LINK else _prove(claims, asked, target)


def _log_in(claims: Claims, target: str) -> Response:
    config = current.config()
    rules = Rules(config.oidc_match == "email", None if config.oidc_role == "none" else config.oidc_role)
    found = identities.enter(database(), claims, rules, now=current.now(), place=_place())
    if found is None:
        raise ProviderTrouble(
            "the provider knows you, and no account here that may log in is linked with you; log in with a password and link it "
            "under Single sign-on, or ask an administrator"
        )
    return auth.go_on(found, target)


def _link(claims: Claims) -> Response:
    """Keep whom the provider knows until that is confirmed: whoever is logged in there need not be who is logged in here."""
    session[_FOUND] = {
        "username": current.user().username,
        "at": current.now().timestamp(),
        "claims": [claims.issuer, claims.subject, claims.label],
    }
    return redirect(url_for("provider.found"), 303)


def found() -> Claims | None:
    """Return as whom the provider knows whoever wants to link the account of this request, or None."""
    kept = session.get(_FOUND)
    if not isinstance(kept, dict) or kept["username"] != current.user().username:
        return None
    if current.now().timestamp() - kept["at"] > openid.ASKED_LIMIT.total_seconds():
        return None
    issuer, subject, label = kept["claims"]
    return Claims(issuer, subject, email=None, username=None, label=label, authenticated_at=None)


def link_found() -> None:
    """Link the account of this request with what ``found`` returns, which has been confirmed, and say what came of it."""
    claims = found()
    session.pop(_FOUND, None)
    if claims is None or not auth.is_proven():
        flash(_("This took too long. Begin again."), "warning")
        return
    try:
        identities.link(database(), current.user().username, claims, now=current.now())
        flash(_("Linked: from now on %(name)s logs this account in.", name=current.config().oidc_name), "success")
    except Conflict as error:
        flash(sentence(error.message), "warning")


def _prove(claims: Claims, asked: Asked, target: str) -> Response:
    if not openid.is_fresh(claims, asked):
        raise ProviderTrouble("the provider did not ask who you are again; log out there and here, and log in anew")
    found = identities.prove(database(), current.user().username, claims, now=current.now(), place=_place())
    if found is None:
        raise ProviderTrouble("you have logged in at the provider as somebody else")
    auth.enter(found)
    return redirect(target, 303)


def _back(purpose: str, error: ProviderTrouble | Conflict) -> Response:
    """Say on the page that a login was begun from why nothing came of it."""
    flash(sentence(error.message), "warning")
    is_link = purpose != Purpose.LOGIN and current.user().is_authenticated
    return redirect(url_for("provider.index" if is_link else "auth.login"), 303)


def _callback() -> str:
    return url_for("provider.callback", _external=True)


def _place() -> Place:
    return Place(current.address(), request.user_agent.string)
