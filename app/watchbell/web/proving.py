"""Proving once more who one is, before something is made that outlives the session."""

from __future__ import annotations

from watchbell.web import auth
from watchbell.web.forms.token_form import ProofForm


def proves(form: ProofForm) -> bool:
    """Return whether it is proven who asks, by a login of just now or by the password; if not, say so at its field."""
    if auth.is_proven() or (form.current.data and auth.prove(form.current.data)):
        return True
    form.show_wrong_password()
    return False


def asking(form: ProofForm) -> ProofForm:
    """Return the form, without the password where it need not be asked for."""
    if auth.is_proven():
        del form.current
    return form
