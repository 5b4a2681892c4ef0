"""The leader among several schedulers as the command line lists it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.shell import db, home, migrated_file, shell  # noqa: F401 - fixtures.
from watchbell import clock
from watchbell.services import heartbeats
from watchbell.store.heartbeats import Scheduler
from watchbell.store.session import Database

# ruff: noqa: F811


def _begin(db: Database, host: str, seconds_ago: int) -> None:
    at = clock.now() - timedelta(seconds=seconds_ago)
    scheduler = Scheduler(
        incarnation=f"{host}.home", user="ann", host=host, environment="production", session_id=f"17953{host}",
        version="0.1.0", pid=7, start_ticks=5, boot_id="boot", started_at=at, beat_at=at,
    )  # fmt: skip
    heartbeats.begin(db, scheduler)
    heartbeats.beat(db, f"{host}.home", now=at, running=2, keep=False, load=1.25)


def test_the_list_names_who_leads_with_load_session_and_last_sign(shell: Any, db: Database) -> None:
    assert "No scheduler has been heard of" in shell("scheduler", "list").out
    _begin(db, "west", 20)
    _begin(db, "east", 10)

    told = shell("scheduler", "list", "--json").json()
    shown = shell("scheduler", "list").out

    assert [(one["host"], one["leads"], one["load_average"]) for one in told] == [
        ("east", True, 1.25),
        ("west", False, 1.25),
    ]
    lines = {line.split()[1]: line for line in shown.splitlines()}
    assert "yes" in lines["east"] and "yes" not in lines["west"]
    assert "17953east" in lines["east"] and "1.25" in lines["east"] and "Active" in lines["east"]
