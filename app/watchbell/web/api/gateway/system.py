"""The service itself: whether it answers, what it does, its settings."""

from __future__ import annotations

from pathlib import Path

from flask import current_app

from watchbell.domain.permissions import Right
from watchbell.services import runs, tasks
from watchbell.version import __version__
from watchbell.web import current
from watchbell.web.api.gateway import schemas
from watchbell.web.api.gateway.family import blueprint
from watchbell.web.db import database
from watchbell.web.realtime.sockets import hub_of

#: The scheduler looks several times a second for what has changed.
_CHECK_SECONDS = 1


@blueprint.route("/health")
@blueprint.answers(200, schemas.Health)
@blueprint.answers(503, schemas.Health, description="The database or the scheduler does not do its work.")
def health() -> tuple[dict[str, object], int]:
    """Say whether all is well."""
    is_well = current.health().is_well
    answer: dict[str, object] = {
        "status": "healthy" if is_well else "unhealthy",
        "timestamp": current.now(),
        "websocket_clients": hub_of(current_app).count,
        "version": __version__,
    }
    return answer, 200 if is_well else 503


@blueprint.route("/status")
@blueprint.answers(200, schemas.Status)
def status() -> dict[str, object]:
    """Say what the service does."""
    found, now = current.scheduler(), current.now()
    page = tasks.list_page(database(), limit=0)
    alive_since = found.started_at if found.is_alive else None
    return {
        "status": str(found.state),
        "timestamp": now,
        "total_jobs": page.total,
        "enabled_jobs": tasks.list_page(database(), enabled=True, limit=0).filtered,
        "running_jobs": len(runs.list_busy_tasks(database())),
        "database_path": _place(str(database().file or "")),
        "uptime_seconds": round((now - alive_since).total_seconds(), 1) if alive_since else None,
    }


@blueprint.route("/config")
@blueprint.answers(200, schemas.Settings)
def config() -> dict[str, object]:
    """Show the settings in force."""
    found = current.config()
    return {
        "db_path": _place(str(database().file or "")),
        "log_dir": _place(str(found.log_path.parent)),
        "log_level": found.log_level.upper(),
        "check_interval": _CHECK_SECONDS,
        "gateway_host": found.host,
        "gateway_port": found.port,
    }


def _place(path: str) -> str:
    """Return a path, or only its last part for those who have nothing to do with the server's files."""
    return path if Right.ADMINISTER in current.user().rights else Path(path).name
