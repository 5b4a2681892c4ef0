"""Logging in through a provider (OpenID Connect), and what one's own account is linked with there."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from watchbell.services import identities
from watchbell.web import auth, current, provider_login
from watchbell.web.checks import safe_next
from watchbell.web.db import database
from watchbell.web.forms.token_form import ProofForm
from watchbell.web.i18n import _
from watchbell.web.provider_login import Purpose
from watchbell.web.proving import asking, proves

blueprint = Blueprint("provider", __name__)


@blueprint.get("/login/provider")
def begin() -> Response:
    """Go to the provider; nothing changes here but a cookie, and not who somebody is that has logged in."""
    if current.user().role is not None:
        return redirect(safe_next(request.args.get("next")) or url_for("overview.index"), 303)
    return provider_login.begin(Purpose.LOGIN)


@blueprint.get("/login/provider/callback")
def callback() -> Response:
    """Come back from there, with an answer that counts once."""
    return provider_login.finish()


@blueprint.get("/login/provider/again")
def again() -> Response:
    """Go there to prove once more who one is."""
    return provider_login.begin(Purpose.AGAIN)


@blueprint.get("/account/identities")
def index() -> str:
    """Show what one's account is linked with."""
    return _page(ProofForm())


@blueprint.post("/account/identities")
def prove() -> Response | tuple[str, int]:
    """Take the password, before anything can be changed on the page."""
    form = ProofForm()
    if not proves(form):
        return _page(form), 422
    return redirect(url_for("provider.index"), 303)


@blueprint.post("/account/identities/link")
def link() -> Response:
    """Go to the provider to link one's account, once it is proven who asks."""
    if not auth.is_proven() or not current.user().is_authenticated:
        return redirect(url_for("provider.index"), 303)
    return provider_login.begin(Purpose.LINK)


@blueprint.get("/account/identities/found")
def found() -> Response | str:
    """Show as whom the provider knows whoever is at this browser, who may be somebody else, and ask."""
    claims = provider_login.found()
    if claims is None:
        return redirect(url_for("provider.index"), 303)
    return render_template("provider/found.html", claims=claims, name=current.config().oidc_name, section="account")


@blueprint.post("/account/identities/found")
def confirm() -> Response:
    """Link one's account with whom the provider knows, as was shown."""
    provider_login.link_found()
    return redirect(url_for("provider.index"), 303)


@blueprint.post("/account/identities/<int:identity_id>/remove")
def unlink(identity_id: int) -> Response:
    """Forget a link, once it is proven who asks."""
    user = current.user()
    if auth.is_proven():
        identities.unlink(database(), user.username, identity_id, now=current.now(), keep_token=user.token)
        flash(_("That login opens this account no more. All its other sessions have ended."), "success")
    return redirect(url_for("provider.index"), 303)


def _page(form: ProofForm) -> str:
    user = current.user()
    found = identities.list_of(database(), user.username) if user.is_authenticated else []
    is_known = bool(current.config().oidc_issuer) and user.is_authenticated
    return render_template(
        "provider/index.html",
        identities=found,
        name=current.config().oidc_name if is_known else "",
        form=asking(form),
        is_proven=auth.is_proven(),
        section="account",
    )
