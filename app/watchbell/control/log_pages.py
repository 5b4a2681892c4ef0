"""The scheduler's log page by page, over the file that is written and the one that was set aside before it.

A message and the lines that go on from it, such as those of a traceback, are one entry and are never parted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from watchbell.control.logfile import LogLine, parse_line, set_aside
from watchbell.errors import WatchbellError

#: One look at the log reads no more than this, however little of it is wanted: the next look goes on from there.
LOOK_BYTES = 4 * 1024 * 1024
#: What one answer about new lines brings at the most.
NEW_BYTES = 1024 * 1024
_BLOCK = 256 * 1024
#: An entry that is longer than this is cut at a line.
_LONGEST_ENTRY = 1024 * 1024
_HEAD = re.compile(rb"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] \[[A-Z]+\] ", re.MULTILINE)
_PLACE = re.compile(r"(\d{1,19})-(\d{1,19})", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A point between two lines. The file is named by its inode, so that a place stays right when the file is set aside."""

    file: int
    offset: int

    def __str__(self) -> str:
        return f"{self.file}-{self.offset}"

    @classmethod
    def read(cls, text: str) -> Place | None:
        """Return the place that a text names, None if it names none."""
        found = _PLACE.fullmatch(text)
        return cls(int(found[1]), int(found[2])) if found else None


@dataclasses.dataclass(frozen=True, slots=True)
class PlacedLine:
    """One line, where it begins, and the level of the entry that it belongs to."""

    place: Place
    level: str
    line: LogLine


Entry = Sequence[PlacedLine]
Wanted = Callable[[Entry], bool]


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """Lines in their order."""

    lines: list[PlacedLine]
    #: Where to look on for what is older, None where there is nothing before.
    begin: Place | None
    #: Where to look on for what is newer.
    end: Place
    #: Whether these are the newest lines because the place that was asked for is gone: the log was emptied or replaced.
    is_fresh: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Extent:
    """How much there is of the log."""

    size_bytes: int
    #: When its oldest line was written, as it says itself.
    since: str


@dataclasses.dataclass(frozen=True, slots=True)
class _Open:
    file: BinaryIO
    inode: int
    size: int


def newest(path: Path, lines: int, wanted: Wanted) -> Page:
    """Return the last so many of the wanted lines; raises WatchbellError if the log cannot be read."""
    with _files(path) as files:
        end = _end(files[0]) if files else Place(0, 0)
        return _back(files, end, lines, wanted)


def older(path: Path, end: Place, lines: int, wanted: Wanted) -> Page:
    """Return so many of the wanted lines before a place; none, and nothing before, if the place is gone."""
    with _files(path) as files:
        return _back(files, end, lines, wanted)


def newer(path: Path, begin: Place, lines: int, wanted: Wanted) -> Page:
    """Return all wanted lines after a place, or the newest ones if the place is gone."""
    with _files(path) as files:
        known = [found for found in files if found.inode == begin.file and begin.offset <= found.size]
        if not known:
            end = _end(files[0]) if files else Place(0, 0)
            return dataclasses.replace(_back(files, end, lines, wanted), is_fresh=bool(files) or begin.file != 0)
        found, start = known[0], begin.offset
        if found is not files[0] and start == found.size:
            # It has been set aside, and all of it is known.
            found, start = files[0], 0
        data = _read(found, start, NEW_BYTES)
        cut = data.rfind(b"\n") + 1 or (len(data) if len(data) == NEW_BYTES else 0)
        level = "INFO" if _HEAD.match(data) or not cut else _level_at(found, start)
        entries = _entries(data[:cut], found.inode, start, level)
        shown = [line for entry in entries if wanted(entry) for line in entry]
        return Page(shown, begin, Place(found.inode, start + cut))


def extent(path: Path) -> Extent:
    """Return how much there is of the log."""
    with _files(path) as files:
        since = ""
        for found in files:
            first = _HEAD.match(_read(found, 0, 100))
            since = first[0][1:20].decode() if first else since
        return Extent(sum(found.size for found in files), since)


def chunks(path: Path) -> Iterator[bytes]:
    """Yield all bytes of the log, the oldest first, as they are at the beginning."""
    with _files(path) as files:
        for found in reversed(files):
            for start in range(0, found.size, _BLOCK):
                yield _read(found, start, min(_BLOCK, found.size - start))


@contextlib.contextmanager
def _files(path: Path) -> Iterator[list[_Open]]:
    """Give the files of the log that are there, the newest first."""
    with contextlib.ExitStack() as stack:
        found: list[_Open] = []
        for place in (path, set_aside(path)):
            try:
                file = stack.enter_context(place.open("rb"))
                told = os.fstat(file.fileno())
            except FileNotFoundError:
                # Nothing has been written, or nothing set aside yet.
                continue
            except OSError as error:
                raise WatchbellError(f"the log {place} cannot be read: {error.strerror}") from None
            # The file may be set aside between the two looks, and then it is met twice.
            if told.st_ino not in {known.inode for known in found}:
                found.append(_Open(file, told.st_ino, told.st_size))
        yield found


def _read(found: _Open, start: int, length: int) -> bytes:
    try:
        found.file.seek(start)
        return found.file.read(length)
    except OSError as error:
        raise WatchbellError(f"the log cannot be read: {error.strerror}") from None


def _end(found: _Open) -> Place:
    """Return the end of the last whole line."""
    start = max(0, found.size - _BLOCK)
    data = _read(found, start, found.size - start)
    return Place(found.inode, start + data.rfind(b"\n") + 1)


def _back(files: list[_Open], end: Place, lines: int, wanted: Wanted) -> Page:
    kept: list[Entry] = []
    count, looked = 0, 0
    first = next((n for n, found in enumerate(files) if found.inode == end.file), len(files))
    for found in files[first:]:
        stop = min(end.offset, found.size) if found.inode == end.file else found.size
        while stop > 0:
            if count >= lines or looked >= LOOK_BYTES:
                return Page(_in_order(kept), Place(found.inode, stop), end)
            before = stop
            entries, stop = _entries_before(found, stop)
            for entry in reversed(entries):
                if count >= lines:
                    # The others of this piece are for the next look.
                    break
                stop = entry[0].place.offset
                if wanted(entry):
                    kept.append(entry)
                    count += len(entry)
            looked += before - stop
    return Page(_in_order(kept), None, end)


def _in_order(kept: list[Entry]) -> list[PlacedLine]:
    return [line for entry in reversed(kept) for line in entry]


def _entries_before(found: _Open, stop: int) -> tuple[list[Entry], int]:
    """Return whole entries that end at a place, and where the first of them begins."""
    length = _BLOCK
    while True:
        start = max(0, stop - length)
        data = _read(found, start, stop - start)
        head = 0 if start == 0 else _first_entry(data)
        if head is not None or length >= _LONGEST_ENTRY:
            break
        length *= 2
    # Of a line that is longer than all that was read, this is a part.
    cut = head if head is not None else (data.find(b"\n") + 1) % len(data)
    return _entries(data[cut:], found.inode, start + cut, "INFO"), start + cut


def _first_entry(data: bytes) -> int | None:
    """Return where an entry begins in a piece that was cut from a file; its first line may be the rest of one."""
    found = _HEAD.search(data, data.find(b"\n") + 1)
    return found.start() if found else None


def _level_at(found: _Open, start: int) -> str:
    """Return the level of the entry that goes on at a place."""
    before = _read(found, max(0, start - _BLOCK), min(start, _BLOCK))
    level = "INFO"
    for head in _HEAD.finditer(before):
        level = head[0][23:-2].decode()
    return level


def _entries(data: bytes, file: int, start: int, level: str) -> list[Entry]:
    """Return the entries of a piece of the log; bytes that are not text are replaced."""
    found: list[list[PlacedLine]] = []
    for raw in data.removesuffix(b"\n").split(b"\n") if data else []:
        line = parse_line(raw.decode("utf-8", "replace"))
        level = line.level or level
        placed = PlacedLine(Place(file, start), level, line)
        if line.level or not found:
            found.append([placed])
        else:
            found[-1].append(placed)
        start += len(raw) + 1
    return list(found)
