"""Proving once more who one is, before something is made that outlives the session."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import request, url_for

from watchbell.errors import NotAllowed
from watchbell.services import second_factors
from watchbell.web import auth, current
from watchbell.web.db import database
from watchbell.web.forms.account import FactorProofForm
from watchbell.web.forms.token_form import ProofForm
from watchbell.web.i18n import _


def proves(form: ProofForm) -> bool:
    """Return whether it is proven who asks, by a login of just now or by the password; if not, say so at its field."""
    needed = auth.proof_needed()
    if not needed:
        return True
    typed = form.current.data if needed == "password" else ""
    wrong = auth.prove(typed) if typed else _("Type your password.")
    if wrong:
        form.current.errors = [wrong]
    return not wrong


def proves_factor(form: FactorProofForm) -> bool:
    """Return whether also a second factor is proven, if the account has one; if not, say so at the field of the code.

    A thief who has found out a password in an open session adds and removes nothing by it.
    """
    if not proves(form):
        return False
    if auth.has_proven_factor():
        return True
    code = form.code.data or ""
    if not code.strip():
        form.code.errors = [_("Type the code that the app shows, or a recovery code.")]
    elif not auth.may_try_own_code(code):
        form.code.errors = [_("Too many tries. Wait a minute, then try again.")]
    elif not second_factors.fits(database(), current.user().username, code, now=current.now()):
        form.code.errors = [_("This code does not fit, or was used before.")]
    else:
        return True
    return False


def asking_factor(form: FactorProofForm) -> FactorProofForm:
    """Return the form without what need not be asked for."""
    asking(form)
    if auth.has_proven_factor():
        del form.code
    return form


def require_proof() -> None:
    """Raise NotAllowed for a program in a browser whose login is not of just now; a token is its own proof."""
    if not current.user().by_token and not auth.is_proven():
        raise NotAllowed("log in again first: your login is too old to make what outlives it")


def asking(form: ProofForm) -> ProofForm:
    """Return the form, without the password where it need not be asked for."""
    if auth.proof_needed() != "password":
        del form.current
    form.again_at, form.needs_link = again_at(), auth.proof_needed() == "link"
    return form


def again_at() -> str:
    """Return where somebody without a password logs in once more, and comes back from; empty if it need not be."""
    ways = {"provider": "provider.again", "passkey": "passkeys.login"}
    needed = auth.proof_needed()
    if needed not in ways:
        return ""
    came = urlsplit(request.url if request.method == "GET" else request.referrer or "")
    return url_for(ways[needed], next=came.path if came.netloc == request.host else None)
