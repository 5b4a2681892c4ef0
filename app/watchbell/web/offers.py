"""What a page offers: only what whoever reads it may do, so that no button leads to a refusal.

A template asks before it shows a button; that the request itself is refused without the right is decided elsewhere.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, current_app
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from watchbell.domain.permissions import ROUTES, Right
from watchbell.web import current


def init_app(app: Flask) -> None:
    """Give templates ``may(address, method)``."""
    app.add_template_global(may)


def may(address: str, method: str = "GET") -> bool:
    """Return whether whoever reads the page may follow an address, or send a form to it."""
    right = _right_of(str(address), method)
    return right is None or right in current.user().rights


def _right_of(address: str, method: str) -> Right | None:
    parts = urlsplit(address)
    if parts.netloc:
        return None
    try:
        endpoint, _values = current_app.url_map.bind("").match(parts.path, method=method)
    except (HTTPException, RequestRedirect):
        # An address of nothing of ours: nobody is kept from it.
        return None
    return ROUTES.get(endpoint)
