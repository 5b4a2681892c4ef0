"""What a start makes sure of before anything is written: the database is the one that there was, whole, with all its rows."""

from __future__ import annotations

import logging
from pathlib import Path

from watchbell import clock
from watchbell.config import Config
from watchbell.control import pulse
from watchbell.control.pulse import Pulse
from watchbell.errors import ConfigError, DatabaseDamaged
from watchbell.services import restores
from watchbell.store import schema
from watchbell.store.session import Database

log = logging.getLogger(__name__)

#: A start waits no longer for the look at a big database.
_LOOK_SECONDS = 2.0


def require_file(config: Config, said: Pulse | None) -> None:
    """Raise ConfigError if the database that an earlier life worked with is gone, be it with its whole directory."""
    if said is None or not said.database or f"sqlite:///{said.database}" != config.database_url:
        return
    file = Path(said.database)
    if not file.exists() or file.stat().st_size == 0:
        raise ConfigError(
            f"database {file} is missing or empty, but this data directory has worked with it; put it back or restore a "
            f"backup, or remove {pulse.path_of(config)} and what else is left of it to begin anew"
        )


def require_whole(db: Database) -> None:
    """Raise DatabaseDamaged if the database finds damage in its file; a big one is looked at only in part."""
    is_complete, damage = schema.find_damage(db, _LOOK_SECONDS)
    if damage:
        log.error("Damage in %s: %s", db.file, damage)
        raise DatabaseDamaged(
            f"the database {db.file} is damaged; restore a backup, and keep the files that are there for a look"
        )
    if not is_complete:
        log.info(
            "The database is too big to be looked at for damage in %g s; to do so: watchbell db check", _LOOK_SECONDS
        )


def require_rows(config: Config, db: Database, said: Pulse | None, *, is_upgraded: bool = False) -> None:
    """Raise ConfigError if rows that were durable are gone, as when the log beside the database was deleted.

    To go on without a word would start again what was started already. Whoever has put an older copy there says so with
    ``watchbell db accept-copy``. Where no pulse says what was in the database, as on another machine, it is taken for a
    copy without a question; an earlier version (``is_upgraded``) left no pulse.
    """
    if db.file is None:
        return
    mark = said.mark if said is not None else None
    if mark is not None and not restores.is_older(db, mark):
        return
    if said is not None and mark is not None and said.database == str(db.file):
        if restores.is_accepted(db, mark):
            return
        raise ConfigError(
            f"the database {db.file} has lost its newest rows, written until {said.beat_at}: the file {db.file}-wal was "
            "deleted, or an older copy was put in its place. Put back the right one; or, to go on with this one without "
            "running anything again: watchbell db accept-copy"
        )
    home, owns = str(config.home), config.owns_database
    if is_upgraded or restores.has_worked(db, home=home, owns_database=owns) is None:
        return
    now, host = clock.now(), config.hostname
    found = restores.accept(
        db, None, home=home, owns_database=owns, now=now, host=host, actor=f"scheduler@{config.hostname}"
    )
    log.warning("%s", found.message)
