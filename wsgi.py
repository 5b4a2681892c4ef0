"""The entry for WSGI servers, as in ``gunicorn wsgi:app``."""

from __future__ import annotations

from watchbell.web import lasting
from watchbell.web.factory import create_app

application = app = create_app()
lasting.settle()
