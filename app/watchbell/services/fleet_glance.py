"""How the fleet does, in three numbers for the first page."""

from __future__ import annotations

from datetime import datetime, timedelta

from watchbell.domain.presence import DEVICE_ONLINE
from watchbell.store import fleet_glance as store
from watchbell.store.fleet_glance import Glance
from watchbell.store.session import Database

#: The jobs of the orders of so long count.
DAY = timedelta(hours=24)


def look(db: Database, *, now: datetime) -> Glance | None:
    """Return how many devices may take part and are online, and how many jobs of the orders of a day have failed; None without any device."""
    with db.read() as session:
        return store.look(session, online_since=now - DEVICE_ONLINE, given_since=now - DAY)
