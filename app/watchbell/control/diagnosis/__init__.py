"""What is wrong with an installation: one function for each thing that is looked at, which changes nothing.

``finding`` says what a finding is; ``place`` looks at the directory and what lies in it, ``machine`` at what the system
gives us, ``sealed`` at secrets and their key, ``work`` at the scheduler and at tasks that can never run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from watchbell.config import Config
from watchbell.control.diagnosis import machine, place, sealed, work
from watchbell.control.diagnosis.finding import Finding, Level
from watchbell.errors import WatchbellError
from watchbell.store.session import Database

__all__ = ["CHECKS", "Finding", "Level", "look"]

#: What is looked at, in this order. With a database of this version also what CHECKS_OF_ROWS names.
CHECKS: tuple[Callable[[Config], Iterator[Finding]], ...] = (
    place.look_at_home,
    place.look_at_user,
    place.look_at_room,
    place.look_at_database,
    place.look_at_reserve,
    machine.look_at_sqlite,
    machine.look_at_clock,
    machine.look_at_assets,
    machine.look_at_keeper,
    machine.look_at_groups,
    machine.look_at_handles,
    machine.look_at_port,
    work.look_at_pid_file,
)
CHECKS_OF_ROWS: tuple[Callable[[Config, Database, datetime], Iterator[Finding]], ...] = (
    work.look_at_scheduler,
    work.look_at_folders,
    work.look_at_tasks,
    sealed.look_at_secrets,
    sealed.look_at_named_secrets,
)


def look(config: Config, *, now: datetime) -> Iterator[Finding]:
    """Yield what was found, good or bad; a look that fails is a finding, too."""
    for check in CHECKS:
        yield from _guarded(check.__name__, lambda check=check: check(config))  # type: ignore[misc]
    db = place.open_current(config)
    if db is None:
        return
    try:
        for look_at in CHECKS_OF_ROWS:
            yield from _guarded(look_at.__name__, lambda look_at=look_at: look_at(config, db, now))  # type: ignore[misc]
    finally:
        db.close()


def _guarded(name: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except (WatchbellError, OSError) as error:
        words = error.message if isinstance(error, WatchbellError) else str(error.strerror or error)
        what = name.removeprefix("look_at_").replace("_", " ")
        yield Finding(
            "not-looked-at",
            Level.WARNING,
            f"{what} could not be looked at: {words}",
            "run doctor as the scheduler's user",
        )
