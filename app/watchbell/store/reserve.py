"""A file that only takes room, beside the database: given up when the disk is full, so that final states can be written."""

from __future__ import annotations

import os
from pathlib import Path

SIZE = 1024 * 1024
#: With less room than this left beside it, no new reserve is made: it would be needed again at once.
_SLACK = 2 * SIZE
#: A disk with less room than this is full, whatever the database says of its errors.
_TIGHT = 128 * 1024


class Reserve:
    """The reserve of one embedded database."""

    def __init__(self, database: Path | None) -> None:
        self._folder = database.parent if database is not None else None
        self._file = database.with_name(f"{database.name}.reserve") if database is not None else None

    def make(self) -> bool:
        """Take the room unless it is taken; return whether there is a reserve now. Without a file of ours there is no need."""
        if self._file is None:
            return True
        try:
            if self._file.exists() and self._file.stat().st_size >= SIZE:
                return True
            if self._room() < SIZE + _SLACK:
                return False
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, SIZE)
            finally:
                os.close(descriptor)
        except OSError:
            self.give_up()
            return False
        return True

    def give_up(self) -> bool:
        """Give the room back; return whether there was any."""
        if self._file is None:
            return False
        try:
            self._file.unlink()
        except OSError:
            return False
        return True

    def is_tight(self) -> bool:
        """Return whether the disk has hardly any room left."""
        return self._file is not None and self._room() < _TIGHT

    def _room(self) -> int:
        if self._folder is None:
            return 0
        found = os.statvfs(self._folder)
        return found.f_bavail * found.f_frsize
