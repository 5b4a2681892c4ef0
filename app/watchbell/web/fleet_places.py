"""The pages of the fleet, which the bar of tabs on each of them leads to."""

from __future__ import annotations

from flask import current_app, url_for

from watchbell.web.i18n import _


def entries() -> list[tuple[str, str, str]]:
    """Return the key, the title and the address of each page of the fleet that this server has, in their order."""
    titles = {
        "index": ("fleet.index", _("Dashboard")),
        "executions": ("fleet_executions.index", _("Executions")),
        "schedules": ("fleet_schedules.index", _("Schedules")),
        "execute": ("fleet_execute.index", _("Execute")),
        "templates": ("fleet_templates.index", _("Templates")),
        "handlers": ("fleet_handlers.index", _("Handlers")),
        "devices": ("fleet_devices.index", _("Devices")),
        "groups": ("fleet_groups.index", _("Groups")),
    }
    return [(key, title, url_for(name)) for key, (name, title) in titles.items() if has(name)]


def has(endpoint: str) -> bool:
    """Return whether this server has a page."""
    return endpoint in current_app.view_functions
