"""What a form asks for is done once, however often its button is pressed: its page carries a key, and the same key leads to the same place."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable

from flask import request

from watchbell.services import idempotency
from watchbell.services.idempotency import Answer, Asked
from watchbell.web import current
from watchbell.web.db import database, joined

#: The name of the field that holds the key.
FIELD = "once_key"


def new_key() -> str:
    """Return a key for a form that is shown now."""
    return secrets.token_hex(16)


def lead(make: Callable[[], str]) -> str:
    """Return the address that ``make`` returns, or has returned for this form before; an error of its forgets the key.

    All that it does is one transaction. Raises InputError for a form without a key, or with another one's.
    """
    told = sorted((name, value) for name, value in request.form.items(multi=True) if name != "csrf_token")
    digest = hashlib.sha256(repr(told).encode()).hexdigest()
    asked = Asked(current.actor(), str(request.endpoint), request.form.get(FIELD, ""), digest)
    with database().write() as session, joined(session):
        kept = idempotency.begin(database(), asked, now=current.now())
        if kept is not None:
            return kept.headers["Location"]
        location = make()
        idempotency.keep(database(), asked, Answer(303, {"Location": location}, b""))
        return location
