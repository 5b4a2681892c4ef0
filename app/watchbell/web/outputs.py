"""Reading what a run has written, wherever it lies at the moment, and turning bytes into text that may be shown."""

from __future__ import annotations

import codecs
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

from flask import Response

from watchbell.errors import InputError, NotFound
from watchbell.execution.capture import Slice, read_captured, read_output
from watchbell.execution.outcome import Captured
from watchbell.services import runs
from watchbell.services.runs import STREAMS, OutputSource
from watchbell.store.runs import Output
from watchbell.store.session import Database

#: What the files of an active attempt's streams end with.
_FILES = {"stdout": "out", "stderr": "err"}
#: Bytes that one answer to a live page holds at most.
CHUNK = 256 * 1024
#: Bytes of head and tail that a page shows without scripts.
PAGE_PART = 64 * 1024
_DOWNLOAD_PART = 1024 * 1024
_ESCAPE = re.compile(
    # CSI, then the string sequences (OSC, DCS, SOS, PM, APC) to their end or to the end of the text, then the short ones.
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|$)|[ -/]+[0-~]|[0-Z\\-~])|\x9b[0-?]*[ -/]*[@-~]"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
#: Signs that turn the direction of what follows, so that a line could read as what it is not.
_TURNS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\N{REPLACEMENT CHARACTER}")
_NOTHING = Slice(b"", 0, 0, 0, None)


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """A part of a stream, and whether the stream can still grow."""

    slice: Slice
    is_complete: bool


class OutputGone(NotFound):
    """This output is not kept any more."""


class Stream:
    """One stream of one attempt of a run; each read looks anew where it lies."""

    def __init__(self, db: Database, output_path: Path, run_id: int, stream: str, attempt: int | None = None) -> None:
        if stream not in STREAMS:
            raise InputError.of("stream", "must be stdout or stderr", "stdout")
        self._db = db
        self._output_path = output_path
        self._run_id = run_id
        self._stream = stream
        self._attempt = attempt

    def read(self, offset: int, limit: int) -> Part:
        """Return up to ``limit`` bytes from ``offset`` on; a negative offset counts from the end.

        Raises NotFound if there is no such run or attempt, or its output is not on this machine any more.
        """
        source = self._find()
        part = self._read(source, offset, limit)
        if part is None:
            # Between the two looks the attempt may have ended and its folder gone; then it stands in the ledger.
            source = self._find()
            part = self._read(source, offset, limit)
        if part is None:
            if source is not None and source.is_complete:
                raise OutputGone
            part = _NOTHING
        return Part(part, is_complete=source is not None and source.is_complete)

    def _find(self) -> OutputSource | None:
        return runs.find_output(self._db, self._run_id, self._stream, attempt=self._attempt)

    def _read(self, source: OutputSource | None, offset: int, limit: int) -> Slice | None:
        return _NOTHING if source is None else read_source(source, self._output_path, offset, limit)

    def chunks(self, first: Part) -> Iterator[bytes]:
        """Yield all bytes that were there when ``first``, the part from offset 0, was read."""
        yield first.slice.data
        place, end = first.slice.next_offset, first.slice.size
        while place < end:
            part = self.read(place, min(_DOWNLOAD_PART, end - place)).slice
            if part.next_offset <= place:
                return
            yield part.data
            place = part.next_offset


def read_source(source: OutputSource, root: Path, offset: int, limit: int) -> Slice | None:
    """Return a part of a stream from where it was found to lie; None if it is not there any more.

    Raises OutputGone for an output that gave way to newer ones.
    """
    try:
        if source.kept is not None:
            return read_captured(_captured(source.kept, root), offset, limit)
        if source.is_complete:
            return _NOTHING
        place = Path(f"{source.attempt.folder}.{_FILES[source.stream]}")
        # Between the decision to start and the start there is no place yet.
        return read_output(place, offset, limit) if place.is_absolute() else _NOTHING
    except OSError:
        # Gone, or something that is not an output lies in its place, or another user's: there is nothing to show.
        return None


def _captured(kept: Output, root: Path) -> Captured:
    if kept.file is None and kept.content is None:
        # It gave way to newer ones; the row stays, to say how long it was.
        raise OutputGone
    path = None
    if kept.file is not None:
        inside = Path(kept.file)
        if inside.is_absolute() or ".." in inside.parts:
            raise OutputGone
        path = root / inside
    return Captured(kept.size, kept.dropped, kept.head_size, kept.content, path)


def live_text(part: Part) -> tuple[str, int]:
    """Return the text of a part and where to go on, so that no character is cut in two by the next answer."""
    found = part.slice
    stop = found.offset + len(found.data)
    # What follows belongs to the last character unless a gap or the end of the stream comes next.
    if found.next_offset == stop and not (part.is_complete and stop >= found.size):
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        text = decoder.decode(found.data)
        return text.translate(_TURNS), stop - len(decoder.getstate()[0])
    return found.data.decode("utf-8", errors="replace").translate(_TURNS), found.next_offset


def plain_text(data: bytes) -> str:
    """Return bytes as text for a page without scripts: no escape sequence survives, control characters become signs."""
    text = data.decode("utf-8", errors="replace").replace("\r\n", "\n")
    return _CONTROL.sub(_sign, _ESCAPE.sub("", text)).translate(_TURNS)


def _sign(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code == 0x7F:
        return "\N{SYMBOL FOR DELETE}"
    return chr(0x2400 + code) if code < 0x20 else "\N{REPLACEMENT CHARACTER}"


@dataclasses.dataclass(frozen=True, slots=True)
class Excerpt:
    """What a page shows of a stream without scripts."""

    head: str
    tail: str
    #: Bytes between head and tail that are not shown, and those of them that are not kept either.
    hidden: int
    dropped: int
    size: int
    is_complete: bool
    #: Whether the ledger knows of an output that is not there any more.
    is_gone: bool = False


def excerpt(stream: Stream) -> Excerpt:
    """Return the first and the last part of a stream; raises NotFound only if there is no such run or attempt."""
    try:
        first = stream.read(0, PAGE_PART)
    except OutputGone:
        return Excerpt("", "", 0, 0, 0, is_complete=True, is_gone=True)
    head = first.slice
    gap = head.dropped
    dropped = gap[1] - gap[0] if gap else 0
    shown = head.offset + len(head.data)
    tail = b""
    if shown < head.size:
        start = max(head.next_offset, head.size - PAGE_PART)
        tail = stream.read(start, head.size - start).slice.data
    hidden = max(head.size - len(head.data) - len(tail), 0)
    return Excerpt(plain_text(head.data), plain_text(tail), hidden, min(dropped, hidden), head.size, first.is_complete)


def download_response(stream: Stream, first: Part, *, name: str) -> Response:
    """Return all kept bytes of a stream as a file to be saved, which no browser takes for a page."""
    found = first.slice
    dropped = found.dropped[1] - found.dropped[0] if found.dropped else 0
    response = Response(stream.chunks(first), mimetype="application/octet-stream", direct_passthrough=True)
    response.headers["Content-Disposition"] = f"attachment; filename={name}.txt"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Watchbell-Size"] = str(found.size)
    response.headers["X-Watchbell-Dropped"] = str(dropped)
    if first.is_complete:
        response.content_length = found.size - dropped
    return response
