"""Proving once more who one is, before something is made that outlives the session."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import request, url_for

from watchbell.web import auth
from watchbell.web.forms.token_form import ProofForm


def proves(form: ProofForm) -> bool:
    """Return whether it is proven who asks, by a login of just now or by the password; if not, say so at its field."""
    needed = auth.proof_needed()
    if not needed or (needed == "password" and form.current.data and auth.prove(form.current.data)):
        return True
    form.show_wrong_password()
    return False


def asking(form: ProofForm) -> ProofForm:
    """Return the form, without the password where it need not be asked for."""
    if auth.proof_needed() != "password":
        del form.current
    form.again_at = again_at()
    return form


def again_at() -> str:
    """Return where somebody logs in once more whom a provider vouches for, and comes back from; empty if it need not be."""
    if auth.proof_needed() != "provider":
        return ""
    came = urlsplit(request.url if request.method == "GET" else request.referrer or "")
    return url_for("provider.again", next=came.path if came.netloc == request.host else None)
