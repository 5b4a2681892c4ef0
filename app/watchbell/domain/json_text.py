"""Reading JSON that people type: what it says, on which line each part of it stands, and where it is no JSON."""

from __future__ import annotations

import bisect
import dataclasses
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from watchbell.errors import InputError, Problem

#: Deeper than any document that is taken, and shallow enough for whoever reads it.
DEEPEST = 64
_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None}
_LONGEST_NUMBER = 100
_TEXTS = json.JSONDecoder()


class NotJSON(InputError):
    """A text is no JSON."""

    def __init__(self, place: str, message: str, line: int, column: int) -> None:
        self.line = line
        self.column = column
        #: What is wrong, without where.
        self.told = message
        super().__init__(Problem(place, f"line {line}, column {column}: {message}"))


@dataclasses.dataclass(frozen=True, slots=True)
class Read:
    """What a text says."""

    value: Any
    #: The names and numbers on the way to each part, with dots between them -> the line on which it begins, from 1.
    lines: Mapping[str, int]

    def line_of(self, path: str) -> int | None:
        """Return the line of a part, or of the nearest one around it that is there; None for the whole."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path.rpartition(".")[0]
        return None


def read(text: str, place: str = "document") -> Read:
    """Return what a text says; raises NotJSON, also for what JSON allows and nobody means, such as a name that stands twice."""
    reader = _Reader(text, place)
    return Read(reader.whole(), reader.lines)


def write(value: object) -> str:
    """Return a value as people read it best."""
    return json.dumps(value, indent=2, ensure_ascii=False)


class _Reader:
    """Goes through a text once; each method takes where it begins and returns where it ends."""

    def __init__(self, text: str, place: str) -> None:
        self._text = text
        self._place = place
        self._breaks = [found.start() for found in re.finditer("\n", text)]
        self.lines: dict[str, int] = {}

    def whole(self) -> Any:
        value, end = self._value(self._skip(0), "", 0)
        end = self._skip(end)
        if end < len(self._text):
            raise self._wrong(end, "something follows behind the end")
        return value

    def _value(self, at: int, path: str, depth: int) -> tuple[Any, int]:
        self.lines[path] = self._line(at)
        char = self._text[at : at + 1]
        if char and char in "{[":
            if depth >= DEEPEST:
                raise self._wrong(at, f"must not be nested more than {DEEPEST} deep")
            return self._object(at, path, depth) if char == "{" else self._list(at, path, depth)
        if char == '"':
            return self._quoted(at)
        for word, value in _WORDS.items():
            if self._text.startswith(word, at):
                return value, at + len(word)
        return self._number(at)

    def _object(self, at: int, path: str, depth: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        at = self._skip(at + 1)
        if self._text.startswith("}", at):
            return found, at + 1
        while True:
            if not self._text.startswith('"', at):
                raise self._wrong(at, "a name in double quotes is expected here")
            name, end = self._quoted(at)
            if name in found:
                raise self._wrong(at, f"{name[:50]!r} stands here twice")
            end = self._skip(end)
            if not self._text.startswith(":", end):
                raise self._wrong(end, "a colon is expected here")
            found[name], end = self._value(self._skip(end + 1), f"{path}.{name}" if path else name, depth + 1)
            at, is_over = self._next(end, "}")
            if is_over:
                return found, at

    def _list(self, at: int, path: str, depth: int) -> tuple[list[Any], int]:
        found: list[Any] = []
        at = self._skip(at + 1)
        if self._text.startswith("]", at):
            return found, at + 1
        while True:
            value, end = self._value(at, f"{path}.{len(found)}" if path else str(len(found)), depth + 1)
            found.append(value)
            at, is_over = self._next(end, "]")
            if is_over:
                return found, at

    def _next(self, at: int, end: str) -> tuple[int, bool]:
        """Return where the next part begins, or where this one is over and that it is."""
        at = self._skip(at)
        if self._text.startswith(end, at):
            return at + 1, True
        if not self._text.startswith(",", at):
            raise self._wrong(at, f"a comma or {end} is expected here")
        then = self._skip(at + 1)
        if self._text.startswith(end, then):
            raise self._wrong(at, f"a comma must not stand before {end}")
        return then, False

    def _quoted(self, at: int) -> tuple[str, int]:
        try:
            text, end = _TEXTS.raw_decode(self._text, at)
        except json.JSONDecodeError as error:
            if error.msg.startswith("Unterminated"):
                raise self._wrong(at, "this text has no closing quote") from None
            if error.msg.startswith("Invalid control"):
                raise self._wrong(error.pos, "a line break or tab within a text is written as \\n or \\t") from None
            raise self._wrong(error.pos, "this is no escape of JSON; a backslash is written as \\\\") from None
        if any(0xD800 <= ord(char) <= 0xDFFF for char in text):
            raise self._wrong(at, "must not hold half characters")
        return text, end

    def _number(self, at: int) -> tuple[int | float, int]:
        found = _NUMBER.match(self._text, at)
        if found is None:
            if self._text.startswith("'", at):
                raise self._wrong(at, "texts stand in double quotes")
            raise self._wrong(at, "a value is expected here")
        number = float(found[0])
        if len(found[0]) > _LONGEST_NUMBER or math.isinf(number):
            raise self._wrong(at, "this number is too large")
        return (number if found[1] or found[2] else int(found[0])), found.end()

    def _skip(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        assert found is not None
        return found.end()

    def _line(self, at: int) -> int:
        return bisect.bisect_left(self._breaks, at) + 1

    def _wrong(self, at: int, message: str) -> NotJSON:
        line = self._line(at)
        begin = self._breaks[line - 2] + 1 if line > 1 else 0
        return NotJSON(self._place, message, line, at - begin + 1)
