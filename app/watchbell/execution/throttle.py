"""Keeping the output of a running command within its bound, without standing between the command and its file.

Nothing drains a pipe, so a scheduler that dies costs the command nothing. Instead the growing file is looked at, and what
lies between its head and its tail is given back to the file system by punching a hole.

How often: 10 ms after the start, then as often as the growth asks for (a look per 4 MiB, 10 to 200 ms apart, and never
more than twice as long as the time before), and always before a writer of 512 MiB/s could get more than 8 MiB ahead of
the bound: what it wrote until now says little about what it will, since a busy machine may just not have let it. A stream
that stands still is not looked at: one inotify event at its next write wakes the watcher. A command that got more than
8 MiB ahead is stopped (SIGSTOP) while the hole is punched and looked at 2 ms after it goes on; one that does so time and
again gets a lower scheduling priority, so that it cannot keep the watcher from running.

So a stream occupies at most its limit + 8 MiB + what the command can write in the time by which the watcher wakes too late,
or in 10 ms when it is faster than 512 MiB/s: some 30 MiB for a writer of memory speed, and what it writes in a tenth of a
second on a machine with several times more running processes than processors. It does not add up: the next look gives all
of it back.
"""

from __future__ import annotations

import dataclasses
import errno
import os
from collections.abc import Hashable
from typing import Generic, TypeVar

from watchbell.execution import kernel
from watchbell.execution.command import Reader

#: The first and shortest time between two looks.
LEAST_SECONDS = 0.010
MOST_SECONDS = 0.200
#: Growth that is worth a look.
STEP_BYTES = 4 * 1024 * 1024
#: How far a command may get ahead before it is stopped for a moment.
AHEAD_BYTES = 8 * 1024 * 1024
#: What a command is expected to write at most, in bytes per second.
FULL_SPEED = 512 * 1024 * 1024
#: When a command that was stopped is looked at after it goes on.
WARY_SECONDS = 0.002
#: So much is kept for a reader who wants all of an output and has fallen behind.
UNREAD_BYTES = 1024 * 1024 * 1024
#: A command that got ahead more often than this gives way to everything else.
PATIENCE = 3
#: Holes are punched in pieces of at least this size; a smaller gain is not worth the call.
_LEAST_HOLE = 256 * 1024
_BLOCK = 4096


Owner = TypeVar("Owner", bound=Hashable)


@dataclasses.dataclass(slots=True)
class Stream:
    """One growing output and what was given back of it."""

    path: str
    limit: int
    size: int = 0
    punched: int = 0
    allocated: int = 0
    #: The file system cannot punch holes; the run must be ended when it exceeds the bound.
    stuck: bool = False
    #: Who wants all of it; None if nobody does.
    reader: Reader | None = None

    def look(self) -> int:
        """Note the file's size and return by how much it has grown."""
        try:
            found = os.stat(self.path, follow_symlinks=False)
        except FileNotFoundError:
            return 0
        grown = found.st_size - self.size
        self.size, self.allocated = found.st_size, found.st_blocks * 512
        if grown < 0:
            # The command has cut its own output short (`> /dev/stdout`); holes start anew.
            self.punched = 0
            return self.size
        return grown

    @property
    def room(self) -> int:
        """Return how much may still be written before the command is ahead."""
        return self.limit + AHEAD_BYTES - self.allocated

    @property
    def is_ahead(self) -> bool:
        return self.room < 0

    def trim(self) -> None:
        """Give back what lies between head and tail."""
        half = self.limit // 2
        start = max(-(-half // _BLOCK) * _BLOCK, self.punched)
        stop = self.size - (self.limit - half)
        if self.reader is not None:
            stop = min(stop, max(self.reader.read_to, self.size - UNREAD_BYTES))
        stop = stop // _BLOCK * _BLOCK
        if self.stuck or stop - start < _LEAST_HOLE:
            return
        descriptor = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            kernel.punch_hole(descriptor, start, stop - start)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.ENOSYS):
                raise
            self.stuck = True
            return
        finally:
            os.close(descriptor)
        self.punched = stop
        self.allocated -= min(stop - start, self.allocated)


def next_look(grown: int, passed: float, room: int) -> float:
    """Return the seconds until the next look at a stream that has grown so much in so long and may grow by ``room``.

    A moment tells little about the next one: whoever has just begun to write, or has just been given a processor, may be
    at full speed.
    """
    rate = grown / max(passed, 0.001)
    wait = min(STEP_BYTES / rate if rate else MOST_SECONDS, 2 * passed, room / FULL_SPEED)
    return min(max(wait, LEAST_SECONDS), MOST_SECONDS)


class WriteAlarm(Generic[Owner]):
    """Wakes the watcher at the next write to a file that stands still; an inotify descriptor with one-shot watches."""

    def __init__(self) -> None:
        self.descriptor = kernel.inotify_open()
        self._owners: dict[int, Owner] = {}

    def arm(self, path: str, owner: Owner) -> bool:
        """Ask to be told about the next write; False when the system has no watch left."""
        try:
            self._owners[kernel.inotify_once(self.descriptor, path)] = owner
        except OSError:
            # Too many watches, or the file is gone: the caller goes on looking by the clock.
            return False
        return True

    def ring(self) -> set[Owner]:
        """Return the owners of the files that were written to."""
        try:
            data = os.read(self.descriptor, 65536)
        except BlockingIOError:
            return set()
        owners: set[Owner] = set()
        place = 0
        while place + 16 <= len(data):
            watch = int.from_bytes(data[place : place + 4], "little", signed=True)
            mask = int.from_bytes(data[place + 4 : place + 8], "little")
            length = int.from_bytes(data[place + 12 : place + 16], "little")
            place += 16 + length
            owner = self._owners.get(watch)
            if owner is not None:
                owners.add(owner)
            # The kernel tells of the removal (0x8000) of each one-shot watch; only then is its number free again. It may
            # come so late that arm() has just been given the dying watch once more: hence its owner is told, too.
            if mask & 0x8000:
                self._owners.pop(watch, None)
        return owners

    def close(self) -> None:
        os.close(self.descriptor)
