"""That devices were heard of is written down, and what they tell: at once of a few, once a second of many.

Of ten thousand devices, each of which asks every 30 seconds, several hundred would else have to be written each second, each
in a transaction for which all other writers wait.
"""

from __future__ import annotations

import logging
import threading

from flask import Flask, current_app

from watchbell import clock
from watchbell.errors import Unavailable
from watchbell.services import devices
from watchbell.services.device_facts import FactsTold
from watchbell.services.devices import Sighting
from watchbell.store.session import Database

log = logging.getLogger(__name__)

#: So many within a second are written one by one; what comes faster is gathered.
SINGLY = 10
STEP_SECONDS = 1.0
_NAME = "watchbell.sightings"


class Sightings:
    """Writes down of devices that they were heard of, and what they have told."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[int, Sighting] = {}
        self._told: dict[int, FactsTold] = {}
        self._is_gathering = False
        self._second, self._count = 0.0, 0

    def note(self, db: Database, seen: Sighting) -> None:
        """Write down that a device was heard of, now or with others within a second or two."""
        with self._lock:
            if self._must_gather():
                self._seen[seen.device_id] = seen
                self._gather(db)
                return
        devices.note_one(db, seen)

    def note_facts(self, db: Database, told: FactsTold) -> None:
        """Write down what a device has told of its machine, now or with others within a second or two; raises Unavailable."""
        with self._lock:
            if self._must_gather():
                self._told[told.device_id] = told
                self._gather(db)
                return
        devices.note_many(db, (), (told,))

    def _must_gather(self) -> bool:
        if self._is_gathering:
            return True
        now = clock.monotonic()
        if now - self._second >= STEP_SECONDS:
            self._second, self._count = now, 0
        self._count += 1
        return self._count > SINGLY

    def _gather(self, db: Database) -> None:
        if not self._is_gathering:
            self._is_gathering = True
            threading.Thread(target=self._write, args=(db,), name="sightings", daemon=True).start()

    def _write(self, db: Database) -> None:
        """Write what is gathered, as long as it is much."""
        goes_on = True
        while goes_on:
            clock.pause(STEP_SECONDS)
            with self._lock:
                seen, told = tuple(self._seen.values()), tuple(self._told.values())
                self._seen, self._told = {}, {}
                self._is_gathering = goes_on = len(seen) + len(told) > SINGLY
            try:
                devices.note_many(db, seen, told)
            except Unavailable as error:
                # Their next requests tell it anew.
                log.warning("It is not written down that %d devices were heard of: %s", len(seen), error)
            except Exception:
                # The thread goes on: else nobody would gather any more what others leave to it.
                log.exception("It is not written down that %d devices were heard of", len(seen))


def init_app(app: Flask) -> None:
    """Begin with nothing gathered."""
    app.extensions[_NAME] = Sightings()


def note(db: Database, seen: Sighting) -> None:
    """Let the application that serves the present request write down that a device was heard of."""
    _sightings().note(db, seen)


def note_facts(db: Database, told: FactsTold) -> None:
    """Let the application that serves the present request write down what a device has told."""
    _sightings().note_facts(db, told)


def _sightings() -> Sightings:
    found = current_app.extensions[_NAME]
    assert isinstance(found, Sightings)
    return found
