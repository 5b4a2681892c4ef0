"""What a pooler between a program and PostgreSQL changes.

It may give each transaction another session of the server. So it refuses what is asked for the whole of a session, or forgets
it: then each transaction says it anew, no statement is prepared in one session and used in another, and nobody hears of commits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Connection, Dialect

#: In the notes of a connection: whether there is a pooler behind it.
_IS_POOLED = "watchbell_is_pooled"
#: How poolers say that they do not pass on what each session is to begin with.
_REFUSAL = re.compile(r"unsupported startup parameter|command-line options")
#: Which session of the server answers, and what it has of what we have asked for.
_WHO = "SELECT pg_backend_pid()"


class Door:
    """Opens the connections of one engine, each with ``settings``, whether or not there is a pooler in between."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = settings
        self._refuses = False

    def open(self, dialect: Dialect, arguments: list[Any], options: dict[str, Any]) -> Any:
        """Return a connection of the driver; one that is refused because of its settings begins without them."""
        if self._refuses:
            return dialect.connect(*arguments, **options)
        words = [f"-c {name}={value}" for name, value in self._settings.items()]
        # What the URL says stands behind ours, and is what counts.
        ours = {**options, "options": " ".join([*words, options.get("options", "")]).strip()}
        try:
            return dialect.connect(*arguments, **ours)
        except dialect.loaded_dbapi.OperationalError as error:
            # Without what somebody has asked for in the URL it would not be what they want.
            if "options" in options or not _REFUSAL.search(str(error)):
                raise
        self._refuses = True
        return dialect.connect(*arguments, **options)

    def look(self, connection: Any, notes: dict[str, Any]) -> None:
        """Note whether a connection that was just made leads to a pooler, and take precautions if it does."""
        connection.autocommit = True
        (number,) = connection.execute(_WHO).fetchone()
        connection.autocommit = False
        # The server gives the number of the session when a connection begins; a pooler can only make one up.
        notes[_IS_POOLED] = number != connection.pgconn.backend_pid
        if notes[_IS_POOLED]:
            connection.prepare_threshold = None
            # Of a session that somebody else has listened in before; nobody reads it, and it would be kept for ever.
            connection.add_notify_handler(_disregard)

    def words(self) -> str:
        """Return what to select so that the settings hold until the transaction ends."""
        return ", ".join(f"set_config('{name}', '{value}', true)" for name, value in self._settings.items())


def is_pooled(connection: Connection | Any) -> bool:
    """Return whether there is a pooler behind a connection."""
    return bool(connection.info.get(_IS_POOLED, False))


def _disregard(_notify: object) -> None:
    pass
