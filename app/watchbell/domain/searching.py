"""What a search asks for, what of a text answers to it, and which lines of an output do."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Sequence

from watchbell.domain.shown_text import plain_text

#: More words than this narrow nothing down any further.
MOST_WORDS = 8
#: So much of a line is shown around what was found in it.
_SHOWN = 160
_BEFORE = 40
_NUMBER = re.compile(r"#?([0-9]{1,18})", re.ASCII)


def words_of(text: str) -> tuple[str, ...]:
    """Return the words that all have to be there, in small letters."""
    return tuple(dict.fromkeys(word.lower() for word in text.split()))[:MOST_WORDS]


def run_number(text: str) -> int | None:
    """Return the number of a run, if that is what was typed: 4711 or #4711."""
    match = _NUMBER.fullmatch(text.strip())
    return int(match[1]) if match else None


def answers(text: str, words: Sequence[str]) -> bool:
    """Return whether a text has all words in it, however capital."""
    small = text.lower()
    return all(word in small for word in words)


def marked(text: str, words: Sequence[str]) -> list[tuple[str, bool]]:
    """Return a text in pieces, and of each whether it is one of the words."""
    if not words:
        return [(text, False)] if text else []
    # The longest first: of "back" and "backup" the one that covers more is marked.
    found = re.compile("|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)), re.IGNORECASE)
    pieces: list[tuple[str, bool]] = []
    place = 0
    for match in found.finditer(text):
        if match.start() > place:
            pieces.append((text[place : match.start()], False))
        pieces.append((match[0], True))
        place = match.end()
    if place < len(text):
        pieces.append((text[place:], False))
    return pieces


@dataclasses.dataclass(frozen=True, slots=True)
class LineHit:
    """A line of an output that has all words in it."""

    #: As the page of the run counts the lines.
    number: int
    #: The line as text that may be shown, cut to what surrounds the first word.
    text: str


def find_lines(head: bytes, tail: bytes, words: Sequence[str]) -> Iterator[LineHit]:
    """Yield the lines of an output that have all words in them; between head and tail some may have been dropped."""
    if not words:
        return
    first = 1
    for part in (head, tail):
        yield from itertools.starmap(_hit, ((number, line, words) for number, line in _lines(part, words, first)))
        # What was dropped ends a line that had no end, and the tail begins with one of its own.
        first += part.count(b"\n") + (not part.endswith(b"\n") if part else 0)


def _lines(data: bytes, words: Sequence[str], first: int) -> Iterator[tuple[int, str]]:
    """Yield numbers and texts of the lines that have all words in them; lines without the longest are passed by."""
    text = data.decode("utf-8", errors="replace")
    small = text.lower()
    rarest = max(words, key=len)
    # A letter may be longer when it is small, so places in one text are none in the other; the ends of lines are.
    lines: list[str] | None = None
    place, number = 0, 0
    while (found := small.find(rarest, place)) >= 0:
        number += small.count("\n", place, found)
        end = small.find("\n", found)
        begin = small.rfind("\n", 0, found) + 1
        if all(word in small[begin : end if end >= 0 else len(small)] for word in words):
            lines = text.split("\n") if lines is None else lines
            yield first + number, lines[number]
        if end < 0:
            return
        place, number = end + 1, number + 1


def _hit(number: int, line: str, words: Sequence[str]) -> LineHit:
    # What a program has written over itself is shown as well, with a sign between: it may be what was looked for.
    shown = plain_text(line.rstrip("\r").encode()) or plain_text(line.encode())
    place = min((at for at in (shown.lower().find(word) for word in words) if at >= 0), default=0)
    start = max(place - _BEFORE, 0) if len(shown) > _SHOWN else 0
    cut = shown[start : start + _SHOWN]
    return LineHit(number, f"{'… ' if start else ''}{cut}{' …' if start + _SHOWN < len(shown) else ''}")
