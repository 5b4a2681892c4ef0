"""Regular expressions of people, of which it is known beforehand that no text keeps the server busy.

An expression can take time that grows exponentially with the text, by repetitions within repetitions. So only those are
taken of which the number of ways to lie on the longest text is small: each repetition and each choice multiplies it, and a
group that is repeated raises its own to the power of how often that may be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

PATTERN_LIMIT = 200
#: No longer text is looked at.
TEXT_LIMIT = 200
#: In so many ways may a pattern lie on the longest text; it takes well below a second to go through them all.
_MOST_WAYS = 10_000_000
EXAMPLE = "[a-z]+-[0-9]{4}"
#: A sign of its own, or a set up to its end if it has one, of which the part in brackets is what stands in it.
_SETS = re.compile(r"\\.|\[(\^?\]?(?:\\.|[^\]\\])*)(?:\]|\\?\Z)", re.DOTALL)
#: What may come to mean a set within a set, or what two sets have in common: Python warns of it, and takes it for signs so far.
_OPEN_TO_CHANGE = re.compile(r"\[|(?:\\.|[^\\])*?(?:--|&&|~~|\|\|)", re.DOTALL)
_REPEAT = re.compile(r"[*+?]|\{(\d*)(,?)(\d*)\}")


def trouble(text: str) -> str:
    """Return why a text is no pattern or may take too long, in words; empty if it is good."""
    if len(text) > PATTERN_LIMIT:
        return f"its pattern must be at most {PATTERN_LIMIT} characters long"
    if any(_OPEN_TO_CHANGE.match(found[1]) for found in _SETS.finditer(text) if found[1]):
        return r"its pattern must not begin a set with [, nor double one of - & ~ | in it; write \[ or \- there"
    try:
        re.compile(text, re.ASCII)
    except (re.error, OverflowError, RecursionError):
        return "its pattern is not a regular expression"
    return _Scan(text).trouble()


def trouble_together(patterns: Iterable[str]) -> str:
    """Return why checked patterns, each on a text of its own, may take too long together, in words; empty if they do not."""
    if sum(_Scan(text).ways() for text in patterns) > _MOST_WAYS:
        return "all patterns together have too many repetitions"
    return ""


def fits(pattern: str, text: str) -> bool:
    """Return whether a checked pattern lies on the whole of a text."""
    return len(text) <= TEXT_LIMIT and re.fullmatch(pattern, text, re.ASCII) is not None


class _Scan:
    """Goes through a pattern once and multiplies the ways in which its parts can lie."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._ways = 1
        #: The ways before each group that is open.
        self._open: list[int] = []

    def ways(self) -> int:
        """Return in how many ways a pattern that is good may lie on the longest text."""
        self.trouble()
        return self._ways

    def trouble(self) -> str:
        """Return what is wrong in words, empty if nothing is."""
        place = 0
        while place < len(self._text):
            found, place = self._part(place)
            if found:
                return found
            if self._ways > _MOST_WAYS:
                return "its pattern has too many repetitions beside one another"
        return ""

    def _part(self, place: int) -> tuple[str, int]:
        """Take one part and what repeats it; return what is wrong with it and where the next one begins."""
        char = self._text[place]
        if char == "(":
            return self._begin(place)
        if char == "|":
            self._ways *= 2
            return "", place + 1
        if char == ")":
            return self._repeat(place + 1, self._ways // self._open.pop())
        if char == "\\" and self._text[place + 1].isdigit():
            return "its pattern must not refer back to a group", place
        end = place + 2 if char == "\\" else self._end_of_class(place) if char == "[" else place + 1
        return self._repeat(end, 1)

    def _begin(self, place: int) -> tuple[str, int]:
        if self._text.startswith("(?:", place):
            self._open.append(self._ways)
            return "", place + 3
        if self._text.startswith("(?", place):
            return "its pattern may hold no other group with a question mark than (?:", place
        self._open.append(self._ways)
        return "", place + 1

    def _end_of_class(self, place: int) -> int:
        place += 1
        if self._text[place] == "^":
            place += 1
        # As the first one it stands for itself.
        place += 1 if self._text[place] == "]" else 0
        while self._text[place] != "]":
            place += 2 if self._text[place] == "\\" else 1
        return place + 1

    def _repeat(self, place: int, inside: int) -> tuple[str, int]:
        """Take what repeats a part that by itself has so many ways ``inside``."""
        found = _REPEAT.match(self._text, place)
        if found is None or found[0] in {"{}", "{,}"}:
            return "", place
        low, high = _bounds(found)
        high = min(high, TEXT_LIMIT)
        if inside > 1 and high > 1:
            # The ways of one turn are counted already.
            self._ways *= inside ** (high - 1)
        self._ways *= max(high - low + 1, 1)
        place = found.end()
        # A sign behind it says how eagerly it repeats.
        return "", place + 1 if self._text[place : place + 1] in {"?", "+"} else place


def _bounds(found: re.Match[str]) -> tuple[int, int]:
    if found[0] in {"*", "+", "?"}:
        return (1 if found[0] == "+" else 0), (1 if found[0] == "?" else TEXT_LIMIT)
    low, comma, high = found.groups()
    least = int(low or 0)
    return least, (int(high) if high else TEXT_LIMIT) if comma else least
