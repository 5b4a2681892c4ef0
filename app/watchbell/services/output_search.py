"""Finding lines in what a run has written, without a browser that holds all of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from itertools import islice

from watchbell.domain.shown_text import plain_text
from watchbell.services.streams import Stream

#: How much of a stream is looked through, and how many lines are told.
MOST_BYTES = 32 * 1024 * 1024
MOST_LINES = 200
_CHUNK = 1024 * 1024
#: How much of a long line is shown, and how much of that before the first hit.
_SHOWN = 300
_BEFORE = 60


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One line of a stream as people see it."""

    number: int
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """Which lines of a stream hold some words."""

    stream: str
    lines: Sequence[Line]
    #: How many lines there are with them, the ones that are not told included.
    total: int
    #: Bytes that were looked through, and those that were not, because they are too many or not kept.
    looked: int
    left: int


class _Lines:
    """The lines of a stream, numbered as the page numbers them: what follows a dropped part begins a line."""

    def __init__(self, stream: Stream, most: int) -> None:
        self._stream = stream
        self._most = most
        self.looked = 0
        self.size = 0

    def __iter__(self) -> Iterator[Line]:
        number, rest, place = 1, b"", 0
        while self.looked < self._most:
            part = self._stream.read(place, _CHUNK).slice
            self.size = part.size
            if part.next_offset <= place:
                break
            if part.offset > place and rest:
                yield Line(number, plain_text(rest))
                number, rest = number + 1, b""
            self.looked += len(part.data)
            *whole, rest = (rest + part.data).split(b"\n")
            # One call for all of them: a million short lines are common.
            for text in plain_text(b"\n".join(whole)).split("\n") if whole else ():
                yield Line(number, text)
                number += 1
            if part.next_offset > part.offset + len(part.data) and rest:
                yield Line(number, plain_text(rest))
                number, rest = number + 1, b""
            elif len(rest) > _CHUNK:
                # A line without an end is looked through in parts, all of the same number.
                yield Line(number, plain_text(rest))
                rest = b""
            place = part.next_offset
        if rest:
            yield Line(number, plain_text(rest))


def find(stream: Stream, name: str, words: str, *, most_bytes: int = MOST_BYTES, most_lines: int = MOST_LINES) -> Found:
    """Return the lines of a stream that hold the words, whatever their case. Raises NotFound, OutputGone."""
    lines = _Lines(stream, most_bytes)
    # As it is shown: there are no signs in it that turn the direction of writing.
    wanted = plain_text(words.encode("utf-8", "replace")).casefold()
    total = 0
    told: list[Line] = []
    for line in lines:
        at = line.text.casefold().find(wanted)
        if at < 0:
            continue
        total += 1
        if len(told) < most_lines:
            told.append(Line(line.number, _around(line.text, at)))
    return Found(name, told, total, lines.looked, max(lines.size - lines.looked, 0))


def lines_around(stream: Stream, number: int, *, reach: int = 20, most_bytes: int = MOST_BYTES) -> Sequence[Line]:
    """Return a line of a stream with those before and behind it; none if it is not among the first bytes."""
    first = max(number - reach, 1)
    near = (line for line in _Lines(stream, most_bytes) if line.number >= first)
    found = list(islice(near, number + reach + 1 - first))
    return found if any(line.number == number for line in found) else ()


def _around(text: str, at: int) -> str:
    if len(text) <= _SHOWN:
        return text
    start = max(min(at - _BEFORE, len(text) - _SHOWN), 0)
    cut = text[start : start + _SHOWN]
    return f"{'…' if start else ''}{cut}{'…' if start + _SHOWN < len(text) else ''}"
