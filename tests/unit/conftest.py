"""Fixtures of the unit tests; those of the web live in tests/web_fixtures.py."""

from __future__ import annotations

from tests.api_fixtures import book, program  # noqa: F401
from tests.provider_people import browser, config, issuer  # noqa: F401
from tests.web_fixtures import (  # noqa: F401
    admin,
    admin_account,
    anonymous,
    app,
    enter,
    made_app,
    quick_passwords,
    web_config,
)
