"""The families of addresses for programs, one module each; none knows another."""

from __future__ import annotations

from flask import Flask

from watchbell.web import families
from watchbell.web.api import (
    agent,
    cron_manager,
    device_jobs,
    document,
    gateway,
    native,
    parsing,
    script_metrics,
    task_dashboard,
)
from watchbell.web.families import Family

#: Every family with routes; an address below /api that is none of theirs is told of in the gateway's shape.
_BLUEPRINTS = (
    *(gateway.blueprint, task_dashboard.blueprint, cron_manager.blueprint, device_jobs.blueprint),
    *(script_metrics.blueprint, agent.blueprint),
    native.blueprint,
)
_OTHERS = Family("others", ("/api", "/openapi.json"), gateway.FAMILY.shape)
#: Pages for people that lie where the addresses of programs do.
_PAGES = ("/api/docs", "/api/redoc")


def init_app(app: Flask) -> None:
    """Attach all families and their document to the application."""
    app.url_map.converters.update(
        number=parsing.NumberConverter, device=parsing.DeviceConverter, order=parsing.JobConverter
    )
    families.keep(app, [*(blueprint.family for blueprint in _BLUEPRINTS), _OTHERS], pages=_PAGES)
    document.attach(app, _BLUEPRINTS)
