"""The entries of the navigation, which the frame of every page, the search and the command palette show."""

from __future__ import annotations

import dataclasses

from watchbell.web.i18n import _


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """One entry."""

    #: The name of its icon, and of the blueprint whose pages belong to it.
    key: str
    title: str
    endpoint: str
    #: What is typed to go there.
    keys: str
    #: Further words by which it is found.
    words: str = ""


def places() -> list[Place]:
    """Return the entries in their order, in the language of the request."""
    return [
        Place("overview", _("Overview"), "overview.index", "g o", "home start attention"),
        Place("tasks", _("Tasks"), "tasks.index", "g t", "jobs crontab"),
        Place("next_runs", _("Next runs"), "next_runs.index", "g n", "upcoming schedule"),
        Place("runs", _("Runs"), "runs.index", "g r", "history executions"),
        Place("queues", _("Queues"), "queues.index", "g q", "bounds"),
        Place("heartbeats", _("Heartbeats"), "heartbeats.index", "g h", "incidents alive"),
        Place("metrics", _("Metrics"), "metrics.index", "g m", "trend statistics dashboard scripts"),
        Place("alerts", _("Alerts"), "alerts.index", "g a", "rules conditions severity"),
        Place("fleet", _("Fleet"), "fleet.index", "g f", "devices rollouts executions"),
        Place("log", _("Log"), "log.index", "g l", "scheduler"),
        Place("settings", _("Settings"), "settings.index", "g e", "configuration"),
    ]
