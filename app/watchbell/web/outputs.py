"""Turning what a run has written into what pages and downloads show of it."""

from __future__ import annotations

import codecs
import dataclasses
from collections.abc import Iterator
from typing import IO

from flask import Response

from watchbell.domain.shown_text import TURNS, plain_text
from watchbell.services import bundles
from watchbell.services.streams import STREAMS, OutputGone, Part, Stream, read_source
from watchbell.web import current
from watchbell.web.db import database

__all__ = [
    "CHUNK", "PAGE_PART", "STREAMS", "Excerpt", "OutputGone", "Part", "Stream", "bundle_response", "download_response", "excerpt", "live_text",
    "plain_text", "read_source", "text_response",
]  # fmt: skip
#: Bytes that one answer to a live page holds at most.
CHUNK = 256 * 1024
#: Bytes of head and tail that a page shows without scripts.
PAGE_PART = 64 * 1024


def live_text(part: Part) -> tuple[str, int]:
    """Return the text of a part and where to go on, so that no character is cut in two by the next answer."""
    found = part.slice
    stop = found.offset + len(found.data)
    # What follows belongs to the last character unless a gap or the end of the stream comes next.
    if found.next_offset == stop and not (part.is_complete and stop >= found.size):
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        text = decoder.decode(found.data)
        return text.translate(TURNS), stop - len(decoder.getstate()[0])
    return found.data.decode("utf-8", errors="replace").translate(TURNS), found.next_offset


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
    response = _saved(
        Response(stream.chunks(first), mimetype="application/octet-stream", direct_passthrough=True), name
    )
    response.headers["X-Watchbell-Size"] = str(found.size)
    response.headers["X-Watchbell-Dropped"] = str(dropped)
    if first.is_complete:
        response.content_length = found.size - dropped
    return response


def text_response(text: str, *, name: str) -> Response:
    """Return a text that was kept as a file to be saved, which no browser takes for a page."""
    return _saved(Response(text.encode("utf-8", "replace"), mimetype="application/octet-stream"), name)


def _saved(response: Response, name: str) -> Response:
    response.headers["Content-Disposition"] = f"attachment; filename={name}.txt"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def bundle_response(run_id: int) -> Response:
    """Return the bundle of a run as a file to be saved; raises NotFound."""
    config = current.config()
    found = bundles.write(database(), run_id, output_path=config.output_path, base=config.child_environment)
    response = Response(_parts(found), mimetype="application/zip", direct_passthrough=True)
    # Also where nobody reads it, as after HEAD.
    response.call_on_close(found.close)
    response.headers["Content-Disposition"] = f"attachment; filename=run-{run_id}.zip"
    return response


def _parts(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while part := file.read(CHUNK):
            yield part
