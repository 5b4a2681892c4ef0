"""What a run has written to stdout and stderr as one text, in the order of time as far as that is known.

The place of a reader is how much of each stream they have: whatever becomes known of the order later, nothing is shown twice
and nothing is left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from watchbell.execution.capture import Slice
from watchbell.execution.order import Mark, decode_marks, read_marks
from watchbell.services import runs
from watchbell.services.output_sources import STREAMS, OutputSource
from watchbell.services.streams import OutputGone, read_source
from watchbell.store.runs import ORDER
from watchbell.store.session import Database

#: Pieces in one answer; a command that changes between its streams all the time has very many.
_MOST_PIECES = 2000
#: A line that is longer than this is shown in parts, with what came between them.
_LONG_LINE = 64 * 1024
#: What has been written to both streams since the last look is held back until the next one tells more, but not for longer.
_PATIENCE_SECONDS = 1.0
#: Bytes of the longest character: less is never asked for.
_CHARACTER = 4
#: The streams begin with these bytes in characters that are longer than one byte, by how many follow.
_LEADS = ((0b11100000, 0b11000000, 1), (0b11110000, 0b11100000, 2), (0b11111000, 0b11110000, 3))


class Place(NamedTuple):
    """How much of each stream somebody has read."""

    stdout: int = 0
    stderr: int = 0


class Window(NamedTuple):
    """Which part of both streams is looked at, such as that of one step; None where there is no end yet."""

    start: Place = Place()
    stop: tuple[int | None, int | None] = (None, None)


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """Some of one stream, between what the other one says."""

    stream: str
    data: bytes
    #: Bytes that were dropped before these, and behind them.
    dropped_before: int
    dropped_behind: int
    #: When it was written, in milliseconds since the start; None where that is not known.
    since_ms: int | None
    at_ms: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class Exactness:
    """How well the order is known."""

    #: Stretches in which both streams were written between two looks, and the longest of them; stdout comes first in such.
    stretches: int
    longest_ms: int
    #: Whether both streams were used, and what was written to both at the end came after the last look.
    is_cut: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Together:
    """A part of both streams."""

    pieces: Sequence[Piece]
    place: Place
    size: Place
    is_complete: bool
    #: Whether there is more for the next call.
    has_more: bool


class BothStreams:
    """Both streams of one attempt of a run, or of one of its steps; each read looks anew where they lie."""

    def __init__(
        self,
        db: Database,
        output_path: Path,
        run_id: int,
        attempt: int | None = None,
        part: Window | None = None,
    ) -> None:
        self._db = db
        self._output_path = output_path
        self._run_id = run_id
        self._attempt = attempt
        self.start, self._stop = part or Window()

    def read(self, place: Place, limit: int, *, now: datetime) -> Together | None:
        """Return what follows a place; None where both were used and it is not known in which order.

        Raises NotFound without such a run or attempt, OutputGone if a stream is not there any more.
        """
        for _ in range(3):
            found = self._look()
            if found is not None:
                return _Reader(found, self._output_path, now).read(self._within(place, found.size), limit)
        raise OutputGone

    def exactness(self) -> Exactness:
        """Return how well the order of what has been written so far is known."""
        found = self._look()
        if found is None:
            raise OutputGone
        last = Mark(0, 0, *self.start)
        stretches: list[int] = []
        for mark in found.marks:
            if mark.stdout > last.stdout and mark.stderr > last.stderr:
                stretches.append(max(mark.at_ms - mark.since_ms, 1))
            last = mark
        is_cut = found.size.stdout > last.stdout and found.size.stderr > last.stderr
        return Exactness(len(stretches), max(stretches, default=0), is_cut)

    def _within(self, place: Place, size: Place) -> Place:
        return Place(*(min(max(asked, low), most) for asked, low, most in zip(place, self.start, size, strict=True)))

    def _look(self) -> _Found | None:
        """Find both streams and their order; None when they have just gone elsewhere."""
        sources = [runs.find_output(self._db, self._run_id, name, attempt=self._attempt) for name in (*STREAMS, ORDER)]
        out, err, order = sources
        if out is None or err is None or order is None:
            return _Found(None, (), Place(), is_complete=False)
        first, other = self._slice(out), self._slice(err)
        second = self._slice(out)
        if first is None or other is None or second is None:
            return None
        size = Place(*self._bounded((first.size, other.size)))
        marks = self._clipped(_marks_of(order))
        is_steady = first.size == second.size or not other.size
        is_complete = out.is_complete or None not in self._stop
        return _Found((out, err), marks, size, is_complete=is_complete, is_steady=is_steady)

    def _slice(self, source: OutputSource) -> Slice | None:
        return read_source(source, self._output_path, 0, 0)

    def _bounded(self, size: tuple[int, int]) -> list[int]:
        return [most if stop is None else min(stop, most) for most, stop in zip(size, self._stop, strict=True)]

    def _clipped(self, marks: Sequence[Mark]) -> Sequence[Mark]:
        """Return the marks that are about the part which is looked at."""
        if self._stop == (None, None) and not any(self.start):
            return marks
        clipped: list[Mark] = []
        for mark in marks:
            ends = self._bounded((mark.stdout, mark.stderr))
            here = mark._replace(stdout=max(ends[0], self.start.stdout), stderr=max(ends[1], self.start.stderr))
            if (here.stdout, here.stderr) != (clipped[-1][2:] if clipped else self.start):
                clipped.append(here)
        return clipped


class _Found(NamedTuple):
    """Where both streams lie, and what is known of their order."""

    sources: tuple[OutputSource, OutputSource] | None
    marks: Sequence[Mark]
    size: Place
    is_complete: bool
    #: Whether nothing was written to stdout while the size of stderr was read.
    is_steady: bool = True


def _marks_of(order: OutputSource) -> Sequence[Mark]:
    if order.kept is not None:
        return decode_marks(order.kept.content or b"")
    folder = order.attempt.folder
    return read_marks(f"{folder}.order") if folder.startswith("/") and not order.is_complete else ()


class _Stretch(NamedTuple):
    """What was written between two marks."""

    since_ms: int | None
    at_ms: int | None
    #: How far each stream goes in it.
    until: Place
    is_last: bool


class _Reader:
    """Reads both streams from a place on, stretch by stretch."""

    def __init__(self, found: _Found, root: Path, now: datetime) -> None:
        self._found = found
        self._root = root
        self._now = now

    def read(self, place: Place, limit: int) -> Together | None:
        found = self._found
        if found.is_complete and not found.marks and all(found.size):
            return None
        pieces: list[Piece] = []
        for stretch in self._stretches():
            for index in (0, 1):
                while place[index] < stretch.until[index]:
                    piece, moved = self._piece(index, place, stretch, limit)
                    if moved == place:
                        break
                    place = moved
                    pieces += [piece] if piece is not None else []
                    limit -= len(piece.data) if piece is not None else 0
                    if limit <= 0 or len(pieces) >= _MOST_PIECES:
                        return self._together(pieces, place, has_more=place != found.size)
        return self._together(pieces, place, has_more=False)

    def _together(self, pieces: Sequence[Piece], place: Place, *, has_more: bool) -> Together:
        found = self._found
        return Together(pieces, place, found.size, found.is_complete, has_more)

    def _stretches(self) -> Iterator[_Stretch]:
        found = self._found
        last = Place()
        for mark in found.marks:
            last = Place(min(mark.stdout, found.size.stdout), min(mark.stderr, found.size.stderr))
            yield _Stretch(mark.since_ms, mark.at_ms, last, last == found.size)
        grown = [name for name, size, known in zip(STREAMS, found.size, last, strict=True) if size > known]
        if grown and (found.is_complete or self._is_clear(grown) or self._is_old()):
            yield _Stretch(found.marks[-1].at_ms if found.marks else None, None, found.size, is_last=True)

    def _is_clear(self, grown: Sequence[str]) -> bool:
        """Return whether only one stream has grown since the last mark."""
        return len(grown) == 1 and self._found.is_steady

    def _is_old(self) -> bool:
        """Return whether nobody will come and tell more about the order of what is there."""
        newest = 0.0
        for source, name in zip(self._found.sources or (), ("out", "err"), strict=False):
            try:
                newest = max(newest, Path(f"{source.attempt.folder}.{name}").lstat().st_mtime)
            except OSError:
                # It has just ended; the next look finds it elsewhere.
                return False
        return self._now.timestamp() - newest > _PATIENCE_SECONDS

    def _piece(self, index: int, place: Place, stretch: _Stretch, limit: int) -> tuple[Piece | None, Place]:
        """Return what comes next of one stream in a stretch, if anything, and the place behind it."""
        begin, end, name = place[index], stretch.until[index], STREAMS[index]
        sources = self._found.sources
        part = (
            read_source(sources[index], self._root, begin, min(max(limit, _CHARACTER), end - begin))
            if sources
            else None
        )
        if part is None:
            return None, place
        data, behind = part.data, part.next_offset
        is_cut = behind > part.offset + len(data)
        if part.offset >= end and part.offset > begin:
            # All that there was in this stretch has been dropped, and more.
            data, behind, is_cut = b"", part.offset, False
        elif not is_cut and not (stretch.is_last and behind >= end):
            data = _whole_lines(data, is_whole=behind >= end)
        elif not is_cut and not self._found.is_complete:
            data = _whole_characters(data)
        stop = part.offset + len(data)
        behind = behind if is_cut else stop
        moved = Place(behind, place.stderr) if index == 0 else Place(place.stdout, behind)
        dropped = (part.offset - begin, behind - stop)
        has_any = bool(data) or any(dropped)
        return Piece(name, data, *dropped, stretch.since_ms, stretch.at_ms) if has_any else None, moved


def _whole_lines(data: bytes, *, is_whole: bool) -> bytes:
    """Return the part up to the last end of a line; what begins a line is shown with its end, after what came between."""
    end = data.rfind(b"\n") + 1
    if end:
        return data[:end]
    # Too long to wait for, or there is more than was asked for.
    return _whole_characters(data) if len(data) >= _LONG_LINE or not is_whole else b""


def _whole_characters(data: bytes) -> bytes:
    """Return bytes without the beginning of a character at their end."""
    for back in range(1, min(len(data), 3) + 1):
        byte = data[-back]
        for mask, lead, more in _LEADS:
            if byte & mask == lead and back <= more:
                return data[:-back]
        if byte & 0b11000000 != 0b10000000:
            break
    return data
