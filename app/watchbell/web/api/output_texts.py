"""What runs have written, as texts in JSON: the beginning in lists, all that is kept on its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from watchbell.services import runs
from watchbell.services.output_sources import STREAMS, OutputSource
from watchbell.web import current
from watchbell.web.db import database
from watchbell.web.outputs import OutputGone, Stream, read_source

#: How much of a stream a list shows.
EXCERPT_CHARACTERS = 500
#: No character takes more bytes.
_EXCERPT_BYTES = EXCERPT_CHARACTERS * 4
_PART_BYTES = 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class OutputText:
    """A stream as text; bytes that are no UTF-8 are replaced."""

    #: None if nothing was written, or nothing is kept any more.
    text: str | None
    #: Whether more was written than stands here.
    is_truncated: bool


NOTHING = OutputText(None, is_truncated=False)


def excerpts(run_ids: Sequence[int]) -> Mapping[int, Mapping[str, OutputText]]:
    """Return the beginnings of the streams of runs, by run and stream; runs that were never started are left out."""
    root = current.config().output_path
    found = runs.list_outputs(database(), run_ids)
    return {
        run_id: {stream: _excerpt(source, root) for stream, source in sources.items()}
        for run_id, sources in found.items()
    }


def _excerpt(source: OutputSource, root: Path) -> OutputText:
    try:
        part = read_source(source, root, 0, _EXCERPT_BYTES)
    except OutputGone:
        return OutputText(None, is_truncated=True)
    if part is None or part.size == 0:
        return NOTHING
    text = part.data.decode("utf-8", "replace")[:EXCERPT_CHARACTERS]
    return OutputText(text, is_truncated=len(text) == EXCERPT_CHARACTERS or part.size > len(part.data))


def whole(run_id: int, attempt: int | None = None) -> Mapping[str, OutputText]:
    """Return all that is kept of the streams of a run; what was dropped between head and tail is told in its place."""
    root = current.config().output_path
    return {stream: _whole(Stream(database(), root, run_id, stream, attempt)) for stream in STREAMS}


def _whole(stream: Stream) -> OutputText:
    try:
        first = stream.read(0, _PART_BYTES)
    except OutputGone:
        return OutputText(None, is_truncated=True)
    if first.slice.size == 0:
        return NOTHING
    kept = b"".join(stream.chunks(first))
    gap = first.slice.dropped
    if gap is None:
        return OutputText(kept.decode("utf-8", "replace"), is_truncated=False)
    head, tail = kept[: gap[0]].decode("utf-8", "replace"), kept[gap[0] :].decode("utf-8", "replace")
    return OutputText(f"{head}\n[{gap[1] - gap[0]} bytes were not kept]\n{tail}", is_truncated=True)
