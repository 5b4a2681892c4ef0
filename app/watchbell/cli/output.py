"""Printing what runs have written, piece by piece, and safely."""

from __future__ import annotations

import codecs
import re
import sys
from collections.abc import Sequence

from watchbell.cli.program import Program
from watchbell.cli.screen import note
from watchbell.cli.source import Source
from watchbell.domain.shown_text import plain_text

STREAMS = ("stdout", "stderr")
LOOK_SECONDS = 0.2
_CHUNK = 256 * 1024
_OPEN_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]{0,4096}|[ -/]*)\Z")


class Reader:
    """Prints one stream of a run piece by piece."""

    def __init__(self, source: Source, run_id: int, stream: str, attempt: int | None, *, raw: bool) -> None:
        self._source = source
        self._run_id = run_id
        self._attempt = attempt
        self._name = stream
        self._raw = raw
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        #: The beginning of an escape sequence whose rest is still to come.
        self._open = ""
        self._is_at_line_start = True
        #: Whether something that is written already has not been printed yet.
        self.has_more = True

    def skip_to_last(self, lines: int, most_bytes: int) -> None:
        """Go on behind all but the last lines of what is written so far; no more than so many bytes are looked at."""
        start, data = self._read_end(most_bytes)
        # The end of the last line is not the beginning of another one.
        place = len(data) - (1 if data.endswith(b"\n") else 0)
        for _ in range(lines):
            place = data.rfind(b"\n", 0, place)
            if place < 0:
                break
        self._offset = start + (place + 1 if lines else len(data))

    def _read_end(self, most_bytes: int) -> tuple[int, bytes]:
        """Return the last bytes that are written in one piece, and where they begin."""
        piece = self._source.read_output(self._run_id, self._name, -most_bytes, most_bytes, self._attempt)
        start, data = piece.offset, piece.data
        while piece.data and piece.next_offset < piece.size:
            piece = self._source.read_output(self._run_id, self._name, piece.next_offset, most_bytes, self._attempt)
            # What comes behind a gap begins anew.
            start, data = (
                (start, data + piece.data) if piece.offset == start + len(data) else (piece.offset, piece.data)
            )
        return start, data

    def print_more(self) -> bool:
        """Print the next piece; return whether more can come."""
        piece = self._source.read_output(self._run_id, self._name, self._offset, _CHUNK, self._attempt)
        self._tell_gap(piece.offset - self._offset)
        stop = piece.offset + len(piece.data)
        self.has_more = bool(piece.data) and piece.next_offset < piece.size
        is_end = piece.is_complete and not self.has_more
        if self._raw:
            sys.stdout.buffer.write(piece.data)
        else:
            # A character or an escape sequence that the gap has cut does not go on behind it.
            self._write(self._text(piece.data, is_end=is_end or piece.next_offset > stop))
        self._tell_gap(piece.next_offset - stop)
        self._offset = piece.next_offset
        return not is_end

    def _tell_gap(self, dropped: int) -> None:
        """Mark the place where bytes of the middle were dropped, so that nobody takes head and tail for one text."""
        if dropped <= 0:
            return
        if self._raw:
            sys.stdout.buffer.flush()
            note(f"{dropped} bytes of {self._name} were dropped between its head and its tail")
            return
        self._write(("" if self._is_at_line_start else "\n") + f"[… {dropped} bytes dropped here …]\n")

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        if text:
            self._is_at_line_start = text.endswith("\n")

    def _text(self, data: bytes, *, is_end: bool) -> str:
        text = self._open + self._decoder.decode(data, final=is_end)
        found = None if is_end else _OPEN_ESCAPE.search(text)
        self._open = text[found.start() :] if found else ""
        return plain_text(text.removesuffix(self._open).encode())


def readers_of(
    program: Program, run_id: int, stream: str, *, attempt: int | None = None, raw: bool = False
) -> list[Reader]:
    """Return a reader of each stream that is meant by ``stdout``, ``stderr`` or ``both``."""
    names = STREAMS if stream == "both" else (stream,)
    return [Reader(program.source, run_id, name, attempt, raw=raw) for name in names]


def print_all(readers: Sequence[Reader]) -> bool:
    """Print the next piece of each and return whether more can come; each is asked, also when one before it goes on."""
    more = [reader.print_more() for reader in readers]
    return any(more)
