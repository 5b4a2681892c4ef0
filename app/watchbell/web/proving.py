"""Proving once more who one is, before something is made that outlives the session."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import request, url_for

from watchbell.errors import NotAllowed
from watchbell.web import auth, current
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
    """Return where somebody logs in once more whom a provider vouches for, and comes back from; empty if it need not be."""
    if auth.proof_needed() != "provider":
        return ""
    came = urlsplit(request.url if request.method == "GET" else request.referrer or "")
    return url_for("provider.again", next=came.path if came.netloc == request.host else None)
