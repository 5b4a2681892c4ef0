"""The scheduler's pulse: a small file that tells, without the database, that its loop turns and what keeps it from working.

A beat in the database proves that the loop turns *and* that the database takes writes. When beats stop, the pulse tells
which of the two it is. It is written in place, into a page that is allocated once, so that a full disk does not stop it, and
it counts on the clock that runs on while the machine sleeps and that nobody can set.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from datetime import datetime
from pathlib import Path

from watchbell.config import Config
from watchbell.domain.presence import STALL_SECONDS
from watchbell.errors import DatabaseTrouble
from watchbell.services.restores import Mark

_SIZE = 2048


@dataclasses.dataclass(frozen=True, slots=True)
class Pulse:
    """What a scheduler has said last."""

    pid: int
    boot_id: str
    #: Seconds since boot, by the clock that does not stand still while the machine sleeps.
    at: float
    #: Which life of the scheduler, and the last beat of it that is durable in which database file.
    incarnation: str = ""
    beat_at: str = ""
    database: str = ""
    #: The highest number that a run had in it then.
    newest_run: int = 0
    #: What keeps it from working, empty while nothing does; the words are for people.
    trouble: str = ""
    words: str = ""
    since: str = ""

    def age(self, boot_id: str, boot_time: float) -> float | None:
        """Return the seconds since the loop turned last; None if that was before the present boot."""
        return max(0.0, boot_time - self.at) if self.boot_id == boot_id else None

    @property
    def kind(self) -> DatabaseTrouble | None:
        """Return what is wrong with the database as the scheduler sees it, None if nothing is."""
        return DatabaseTrouble(self.trouble) if self.trouble in set(DatabaseTrouble) else None

    @property
    def beaten_at(self) -> datetime | None:
        """Return the moment of the last durable beat, None if there was none."""
        return _moment(self.beat_at)

    @property
    def mark(self) -> Mark | None:
        """Return what it says about the rows that were in the database, None if it says nothing of them."""
        beaten_at = self.beaten_at
        return Mark(self.incarnation, beaten_at, self.newest_run) if self.incarnation and beaten_at else None

    @property
    def troubled_since(self) -> datetime | None:
        """Return since when it cannot work."""
        return _moment(self.since)


def path_of(config: Config) -> Path:
    """Return the file of a data directory."""
    return config.home / "scheduler.pulse"


def read(config: Config) -> Pulse | None:
    """Return what the scheduler of a data directory has said last, None if nothing can be read."""
    for _ in range(3):
        # It is written without a lock; a look that falls into the middle of that is taken again.
        with contextlib.suppress(OSError, ValueError, TypeError):
            data = json.loads(path_of(config).read_bytes())
            return Pulse(**data)
    return None


def is_silent(age: float) -> bool:
    """Return whether a living scheduler has not turned its loop for too long."""
    return age > STALL_SECONDS


class PulseWriter:
    """Writes the pulse of this process; a disk that does not take it costs nothing but the pulse."""

    def __init__(self, config: Config) -> None:
        self._path = path_of(config)
        self._descriptor: int | None = None

    def write(self, pulse: Pulse) -> bool:
        """Say something; return whether it could be written."""
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            text = json.dumps(dataclasses.asdict(pulse)).encode()
            if len(text) > _SIZE:
                text = json.dumps(dataclasses.asdict(dataclasses.replace(pulse, words=pulse.words[:100]))).encode()
            os.pwrite(self._descriptor, text.ljust(_SIZE), 0)
        except OSError:
            self.close()
            return False
        return True

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _moment(text: str) -> datetime | None:
    # An empty text stands for a moment that has not come.
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(text)
    return None
