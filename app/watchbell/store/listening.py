"""Hearing of the commits of others: the server tells of each, and where a pooler is deaf to that it is asked instead."""

from __future__ import annotations

import itertools
import select
from typing import Any

from sqlalchemy import Engine, text

from watchbell import clock
from watchbell.store import pooler, postgres, trouble

#: So often the server is asked whether anybody has committed, where nothing is told of it.
ASK_SECONDS = 0.25
#: Grows whenever anybody ends a transaction in which something was changed.
_STATE = text("SELECT CAST(pg_current_snapshot() AS text)")
_TELL = text("SELECT pg_notify(:channel, :words)")
_probes = itertools.count(1)


class Listener:
    """Hears of the commits of others; it has a connection of its own, on which nothing else is done."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._own = postgres.origin_of(engine)
        self._connection: Any = None
        self._poll = select.poll()
        #: A channel of its own, on which it says something to itself behind a pooler: who does not hear it will hear nothing
        #: else, and then no session of the server is left listening on the channel on which much is said.
        self._probe = ""
        self._hears = False
        self._state: object = None
        self._asked_at = 0.0

    @property
    def hears(self) -> bool:
        """Return whether it is told of commits; otherwise it asks, and takes its own for those of others."""
        return self._hears

    def has_heard(self) -> bool:
        """Return whether anybody else has committed since the last look; with a new connection that is taken for granted.

        Without news it costs a look at the socket, behind a pooler that carries none a question four times a second.
        """
        if self._connection is None:
            self._connect()
            return True
        heard = self._read(0.0)
        return heard or (not self._hears and self._has_moved())

    def wait_to_hear(self, seconds: float) -> bool:
        """Return whether it is told of commits, for which it is waited so long at the most."""
        if self._connection is None:
            self._connect()
        until = clock.monotonic() + seconds
        while not self._hears and (left := until - clock.monotonic()) > 0:
            self._read(left)
        return self._hears

    def close(self) -> None:
        """Give the connection back to the system."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._poll = select.poll()
            connection.close()

    def _read(self, seconds: float) -> bool:
        """Read what was told, waiting so long for the first of it, and return whether it was of others."""
        if not self._poll.poll(seconds * 1000):
            return False
        socket = self._connection.pgconn
        heard = []
        try:
            socket.consume_input()
            while (notify := socket.notifies()) is not None:
                heard.append((notify.relname.decode(), notify.extra.decode()))
        except self._engine.dialect.loaded_dbapi.Error as error:
            self.close()
            raise trouble.lost() from error
        if not self._hears and self._probe in {channel for channel, _words in heard}:
            self._listen(postgres.CHANNEL)
            self._hears = True
        return any(words != self._own for _channel, words in heard)

    def _has_moved(self) -> bool:
        now = clock.monotonic()
        if now - self._asked_at < ASK_SECONDS:
            return False
        self._asked_at = now
        with self._engine.execution_options(**postgres.GLANCING).connect() as connection:
            state = connection.scalar(_STATE)
        before, self._state = self._state, state
        return bool(state != before)

    def _connect(self) -> None:
        # By way of a connection of the engine, whose errors are those that all others are used to.
        taken = self._engine.connect().connection
        try:
            is_pooled = pooler.is_pooled(taken)
            taken.driver_connection.autocommit = True  # type: ignore[union-attr]
        except BaseException:
            taken.close()
            raise
        connection: Any = taken.driver_connection
        taken.detach()
        self._connection = connection
        self._poll.register(connection.fileno(), select.POLLIN)
        self._hears, self._state = not is_pooled, None
        if self._hears:
            self._listen(postgres.CHANNEL)
            return
        self._probe = f"{postgres.CHANNEL}_{self._own}-{next(_probes)}"
        self._listen(self._probe)
        # Until it has heard itself it is not used again: a pooler that lends sessions has none for it meanwhile.
        try:
            with self._engine.execution_options(**postgres.GLANCING).connect() as other:
                other.execute(_TELL, {"channel": self._probe, "words": "?"})
        except BaseException:
            # It would wait in vain for what was not said.
            self.close()
            raise

    def _listen(self, channel: str) -> None:
        try:
            self._connection.execute(f'LISTEN "{channel}"')
        except self._engine.dialect.loaded_dbapi.Error as error:
            self.close()
            raise trouble.lost() from error
