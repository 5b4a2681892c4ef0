"""Reading and keeping what a command wrote; usable by any process, with or without a watcher.

While a run goes, ``out`` and ``err`` are ordinary files that only grow. Beyond the limit their middle is a hole
(see throttle.py), and the file system itself says where: so a reader needs no word from the writer.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from watchbell.domain.concealing import Concealer
from watchbell.execution.outcome import Captured

#: Outputs up to this size are handed over as bytes.
INLINE_BYTES = 16 * 1024
_CHUNK = 1024 * 1024
#: Masking looks through so much at a time, during which no other thread goes on.
_MASKED_CHUNK = 256 * 1024
_NOTHING = Captured(0)
_READ_ONLY = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


@dataclasses.dataclass(frozen=True, slots=True)
class Slice:
    """A part of an output. Offsets count the bytes that the command wrote, dropped ones included."""

    data: bytes
    #: Where ``data`` starts: later than asked for when that lay in the dropped range.
    offset: int
    #: Where to go on reading.
    next_offset: int
    #: Bytes written so far.
    size: int
    #: The range that was dropped, if any.
    dropped: tuple[int, int] | None


def read_output(path: str | Path, offset: int, limit: int, *, captured: Captured | None = None) -> Slice:
    """Return up to ``limit`` bytes of an output from ``offset`` on; a negative offset counts from the end.

    ``path`` is the ``out`` or ``err`` of a bundle, whether its run goes on or not; with ``captured`` it is the kept file
    that Captured describes. Raises FileNotFoundError when it is gone: the run has ended and its output was moved.
    """
    descriptor = os.open(path, _READ_ONLY)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileNotFoundError(errno.ENOENT, "not a regular file", str(path))
        if captured is not None:
            return _read_kept(descriptor, offset, limit, captured)
        return _read_live(descriptor, offset, limit)
    finally:
        os.close(descriptor)


def read_captured(captured: Captured, offset: int, limit: int) -> Slice:
    """Return up to ``limit`` bytes of an output that was captured, inline or as a file."""
    if captured.path is not None:
        return read_output(captured.path, offset, limit, captured=captured)
    data = captured.data or b""
    gap = _gap(captured)
    start = _enter(offset, captured.size, gap)
    place = start if gap is None or start < gap[1] else start - captured.dropped
    stop = place + limit if gap is None or start >= gap[1] else min(place + limit, captured.head)
    part = data[place:stop]
    return Slice(part, start, _leave(start + len(part), gap), captured.size, gap)


def collect(source: str, limit: int, destination: str | None, concealer: Concealer | None = None) -> Captured:
    """Return what is to be kept of a finished output: its first and last ``limit / 2`` bytes when it is longer.

    Little output comes as bytes; more goes to the file ``destination``, which replaces what an interrupted earlier
    attempt to collect may have left. Nothing is removed. A concealer masks what must not be kept.
    """
    try:
        # Most streams of most runs are empty; a look is a third of the price of an open.
        if os.lstat(source).st_size == 0:
            return _NOTHING
        descriptor = os.open(source, _READ_ONLY)
    except FileNotFoundError:
        return Captured(0)
    try:
        found = os.fstat(descriptor)
        size = found.st_size
        if not stat.S_ISREG(found.st_mode) or size == 0:
            return Captured(0)
        if size <= INLINE_BYTES and size <= limit:
            data = _kept_range(descriptor, (0, size), size, concealer)
            return Captured(size, data=data, lines=_count_lines(data))
        gap = _final_gap(descriptor, size, limit)
        head, tail = (size, size) if gap is None else gap
        dropped = tail - head
        if destination is None or size - dropped <= INLINE_BYTES:
            data = b"".join(_kept_range(descriptor, part, size, concealer) for part in ((0, head), (tail, size)))
            return Captured(size, dropped, head if dropped else 0, data, lines=_count_lines(data))
        kept = Path(destination)
        ranges = ((0, head), (tail, size))
        _write_kept(descriptor, kept, ranges, size, concealer)
        return Captured(size, dropped, head if dropped else 0, None, kept, _count_lines_in(descriptor, ranges))
    finally:
        os.close(descriptor)


def _count_lines(data: bytes) -> int:
    return data.count(b"\n") + (bool(data) and not data.endswith(b"\n"))


def _count_lines_in(descriptor: int, ranges: tuple[tuple[int, int], ...]) -> int:
    """Return the lines of ranges of a file that stand in a row, a piece at a time."""
    count, last = 0, b"\n"
    for start, stop in ranges:
        for place in range(start, stop, _CHUNK):
            part = os.pread(descriptor, min(stop - place, _CHUNK), place)
            count += part.count(b"\n")
            last = part[-1:] or last
    return count + (last != b"\n")


def find_hole(descriptor: int, size: int) -> tuple[int, int] | None:
    """Return the first range of a file that was given back to the file system."""
    start = os.lseek(descriptor, 0, os.SEEK_HOLE)
    if start >= size:
        return None
    try:
        return start, min(os.lseek(descriptor, start, os.SEEK_DATA), size)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return start, size
        raise


def _read_live(descriptor: int, offset: int, limit: int) -> Slice:
    """Read a file whose middle may be punched out at any moment.

    What was read is compared with the hole as it is afterwards: a range that has vanished meanwhile would have
    been read as zeros, so it is thrown away and the reading goes on behind it.
    """
    while True:
        size = os.fstat(descriptor).st_size
        gap = find_hole(descriptor, size) if size else None
        start = _enter(offset, size, gap)
        stop = min(start + limit, size)
        if gap is not None and start < gap[0]:
            stop = min(stop, gap[0])
        data = _read_range(descriptor, start, stop)
        after = find_hole(descriptor, size) if size else None
        if after == gap or after is None or start + len(data) <= after[0] or start >= after[1]:
            return Slice(data, start, _leave(start + len(data), after), max(size, start), after)


def _read_kept(descriptor: int, offset: int, limit: int, captured: Captured) -> Slice:
    gap = _gap(captured)
    start = _enter(offset, captured.size, gap)
    stop = min(start + limit, captured.size)
    shift = 0
    if gap is not None and start < gap[0]:
        stop = min(stop, gap[0])
    elif gap is not None:
        shift = captured.dropped
    data = _read_range(descriptor, start - shift, stop - shift)
    return Slice(data, start, _leave(start + len(data), gap), captured.size, gap)


def _gap(captured: Captured) -> tuple[int, int] | None:
    return (captured.head, captured.head + captured.dropped) if captured.dropped else None


def _enter(offset: int, size: int, gap: tuple[int, int] | None) -> int:
    """Return where reading starts when ``offset`` is asked for."""
    start = max(size + offset, 0) if offset < 0 else min(offset, size)
    return _leave(start, gap)


def _leave(position: int, gap: tuple[int, int] | None) -> int:
    """Return the next position that holds data: the end of the gap for one inside it."""
    return gap[1] if gap is not None and gap[0] <= position < gap[1] else position


def _final_gap(descriptor: int, size: int, limit: int) -> tuple[int, int] | None:
    """Return the range to leave out; a hole that was punched is never kept as if it were data."""
    hole = find_hole(descriptor, size)
    half = limit // 2
    if size <= limit:
        return hole
    start, stop = half, size - (limit - half)
    return (start, stop) if hole is None else (min(start, hole[0]), max(stop, hole[1]))


def _read_range(descriptor: int, start: int, stop: int) -> bytes:
    parts = []
    while start < stop:
        part = os.pread(descriptor, min(stop - start, _CHUNK), start)
        if not part:
            break
        parts.append(part)
        start += len(part)
    return b"".join(parts)


def _kept_range(descriptor: int, part: tuple[int, int], size: int, concealer: Concealer | None) -> bytes:
    """Return the bytes of a range as they may be kept."""
    return b"".join(_concealed(descriptor, part, size, concealer)) if concealer else _read_range(descriptor, *part)


def _concealed(descriptor: int, part: tuple[int, int], size: int, concealer: Concealer) -> Iterator[bytes]:
    """Yield the bytes of a range with the secrets masked."""
    start, stop = part
    pieces = (
        _read_range(descriptor, place, min(place + _MASKED_CHUNK, stop)) for place in range(start, stop, _MASKED_CHUNK)
    )
    return concealer.parts(pieces, is_cut_before=start > 0, is_cut_behind=stop < size)


def _write_kept(
    descriptor: int, destination: Path, ranges: tuple[tuple[int, int], ...], size: int, concealer: Concealer | None
) -> None:
    """Write ranges of a file in a row, under another name until it is whole and on disk."""
    destination.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = os.open(destination.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    unfinished = f".{destination.name}.{secrets.token_hex(4)}"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        target = os.open(unfinished, flags, 0o600, dir_fd=folder)
        try:
            for start, stop in ranges:
                if concealer is None:
                    _copy_range(descriptor, target, start, stop)
                else:
                    _copy_concealed(descriptor, target, (start, stop), size, concealer)
            # The row that names the file survives a power loss, so the file has to.
            os.fsync(target)
        finally:
            os.close(target)
        os.rename(unfinished, destination.name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    except OSError:
        # It may not even have been made.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(unfinished, dir_fd=folder)
        raise
    finally:
        os.close(folder)


def _copy_concealed(source: int, target: int, part: tuple[int, int], size: int, concealer: Concealer) -> None:
    for data in _concealed(source, part, size, concealer):
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(target, rest) :]


def _copy_range(source: int, target: int, start: int, stop: int) -> None:
    while start < stop:
        sent = os.sendfile(target, source, start, min(stop - start, _CHUNK))
        if sent == 0:
            # The command's leftovers have cut their file short; what is there is kept.
            return
        start += sent
