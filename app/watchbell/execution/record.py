"""What the status file of an attempt says: written by its keeper, read by whoever takes over."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
from collections.abc import Sequence
from typing import NamedTuple

from watchbell.execution.command import Limits
from watchbell.execution.outcome import Usage

#: What an adopter writes into a status file that it made itself, so that a keeper that comes late cannot start.
REFUSED = b"refused\n"


class Meta(NamedTuple):
    """What was known when the start was asked for."""

    #: Seconds since the epoch, and on the clock that counts from the boot and is never set.
    started: float
    boot_clock: float
    boot_id: str
    limits: Limits
    #: Number and start time of the keeper.
    keeper: tuple[int, int]

    def encode(self) -> bytes:
        """Return one line that ``decode_meta`` reads back."""
        return b'[%f,%f,"%b",%b,[%d,%d]]' % (
            self.started,
            self.boot_clock,
            self.boot_id.encode(),
            _encode_limits(self.limits),
            *self.keeper,
        )


@functools.lru_cache(maxsize=256)
def _encode_limits(limits: Limits) -> bytes:
    """Return limits as JSON; thousands of runs share the same few."""
    return json.dumps(dataclasses.astuple(limits)).encode()


def _decode_meta(line: bytes) -> Meta | None:
    try:
        started, boot_clock, boot_id, limits, keeper = json.loads(line)
        return Meta(started, boot_clock, boot_id, Limits(*limits), (keeper[0], keeper[1]))
    except (ValueError, TypeError, IndexError):
        return None


class Record(NamedTuple):
    """What a status file says so far."""

    pid: int | None = None
    #: When the process was started, in nanoseconds since the epoch.
    at_ns: int = 0
    start_ticks: int | None = None
    #: As wait4 told it; None while the command has not ended.
    wait_status: int | None = None
    usage: Usage | None = None
    ended_ns: int = 0
    #: An adopter has made sure that nothing starts.
    is_refused: bool = False
    meta: Meta | None = None

    @property
    def is_over(self) -> bool:
        """Return whether nothing more will be written."""
        return self.wait_status is not None or self.is_refused


def read_record(path: str) -> Record | None:
    """Return what the status file says, or None while there is no such file: nothing was started then."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return parse_record(os.read(descriptor, 65536))
    finally:
        os.close(descriptor)


def parse_record(data: bytes) -> Record:
    """Return what the bytes of a status file mean; a line that is not whole means nothing."""
    if data.startswith(REFUSED):
        return Record(is_refused=True)
    first, *lines = data.split(b"\n")[:-1] or [b""]
    record = Record(meta=_decode_meta(first))
    for line in lines:
        kind, *words = line.split(b" ")
        try:
            if kind == b"pid":
                record = record._replace(pid=int(words[0]), at_ns=int(words[1]))
            elif kind == b"is":
                record = record._replace(start_ticks=int(words[0]))
            elif kind == b"end":
                end = parse_end(words, pid=record.pid, at_ns=record.at_ns)
                record = end._replace(meta=record.meta, start_ticks=record.start_ticks)
        except (ValueError, IndexError):
            # A line that a full disk has cut short tells nothing.
            continue
    return record


def parse_end(words: Sequence[bytes], *, pid: int | None, at_ns: int) -> Record:
    """Return the record of an end from its words: the wait status, nine numbers of resources, and its time."""
    status, user, system, *counts, ended = words
    rss, minor, major, block_in, block_out, voluntary, involuntary = map(int, counts)
    usage = Usage(float(user), float(system), rss, minor, major, block_in, block_out, voluntary, involuntary)
    return Record(pid, at_ns, None, int(status), usage, int(ended))
