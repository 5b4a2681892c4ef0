"""Reading what a run has written, wherever it lies at the moment."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from watchbell.errors import InputError, NotFound
from watchbell.execution.capture import Slice, read_captured, read_output
from watchbell.execution.concealed import Read, masked_read
from watchbell.execution.outcome import Captured
from watchbell.services import runs
from watchbell.services.concealers import WITHHELD
from watchbell.services.lives import is_worker
from watchbell.services.output_sources import STREAMS, OutputSource
from watchbell.store.runs import Output
from watchbell.store.session import Database

__all__ = ["STREAMS", "OutputGone", "Part", "Stream", "read_source"]
#: What the files of an active attempt's streams end with.
_FILES = {"stdout": "out", "stderr": "err"}
_DOWNLOAD_PART = 1024 * 1024
_NOTHING = Slice(b"", 0, 0, 0, None)


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """A part of a stream, and whether the stream can still grow."""

    slice: Slice
    is_complete: bool


class OutputGone(NotFound):
    """This output is not kept any more."""


class OutputWithheld(OutputGone):
    """This output is not shown, because it may hold secrets that cannot be known without their key."""


class Stream:
    """One stream of one attempt of a run; each read looks anew where it lies."""

    def __init__(self, db: Database, output_path: Path, run_id: int, stream: str, attempt: int | None = None) -> None:
        if stream not in STREAMS:
            raise InputError.of("stream", "must be stdout or stderr", "stdout")
        self._db = db
        self._output_path = output_path
        #: The run whose output this is.
        self.run_id = run_id
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
        return runs.find_output(self._db, self.run_id, self._stream, attempt=self._attempt)

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

    What may not be shown of it is masked. Raises OutputGone for an output that gave way to newer ones.
    """
    if source.concealer is WITHHELD:
        raise OutputWithheld
    read: Read
    if source.kept is not None:
        read = partial(read_captured, _captured(source.kept, root))
    elif source.is_complete:
        return _NOTHING
    elif is_worker(source.attempt.holder):
        # Another machine's files; what is known of them was masked there.
        return _live(source, offset, limit)
    else:
        place = Path(f"{source.attempt.folder}.{_FILES[source.stream]}")
        if not place.is_absolute():
            # Between the decision to start and the start there is no place yet.
            return _NOTHING
        read = partial(read_output, place)
    try:
        return masked_read(read, source.concealer, is_complete=source.is_complete)(offset, limit)
    except OSError:
        # Gone, or something that is not an output lies in its place, or another user's: there is nothing to show.
        return None


def _live(source: OutputSource, offset: int, limit: int) -> Slice:
    """Return a part of the end of an output that a worker has told of; what lies before it is not there yet."""
    live = source.live
    if live is None:
        return _NOTHING
    start = max(live.size + offset if offset < 0 else offset, live.start)
    start = min(start, live.size)
    data = live.content[start - live.start : start - live.start + limit]
    gap = (0, live.start) if live.start else None
    return Slice(data, start, start + len(data), live.size, gap)


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
