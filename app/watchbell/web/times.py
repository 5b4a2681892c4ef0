"""Moments as pages show them: how long ago, and in the title exactly when, in the reader's zone, in UTC and in the task's.

Lists have several of them in each row, which is why they are written here and not by a template.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from watchbell.web.presenters import age_words


def exact(moment: datetime, zone: ZoneInfo) -> str:
    """Return a moment to the second in a zone, such as ``2026-03-29 03:30:00 CEST (Europe/Berlin)``."""
    local = moment.astimezone(zone)
    short, name = local.tzname(), str(zone)
    return f"{str(local)[:19]} {short}" if name == short else f"{str(local)[:19]} {short} ({name})"


def everywhere(moment: datetime, zone: ZoneInfo, other: str = "") -> str:
    """Return a moment in the reader's zone, in UTC, and in another zone such as the task's, each on a line of its own."""
    said, name = exact(moment, zone), str(zone)
    if name != "UTC":
        said += f"\n= {str(moment.astimezone(UTC))[:19]} UTC"
    if other and other not in {name, "UTC"}:
        local = moment.astimezone(ZoneInfo(other))
        said += f"\n= {str(local)[:19]} {local.tzname()} ({other})"
    return said


def tag(moment: datetime, now: datetime, zone: ZoneInfo, other: str = "") -> Markup:
    """Return a moment by its age, which a script keeps fresh."""
    title = escape(everywhere(moment, zone, other))
    age = escape(age_words(moment, now, zone))
    return Markup(f'<time datetime="{moment.isoformat()}" data-relative title="{title}">{age}</time>')  # noqa: S704
