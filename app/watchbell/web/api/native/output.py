"""What runs have written: as text while they go on, and as the very bytes."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from flask import Response, request
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from watchbell.web import current, outputs, realtime
from watchbell.web.api import parsing
from watchbell.web.api.native import answers, run_schemas
from watchbell.web.api.native.family import blueprint
from watchbell.web.db import database
from watchbell.web.outputs import Part, Stream

_NO_NUMBER = "This is not a number."
_GONE = "The run is older than runs are kept."
_NOT_KEPT = "There is no such run or attempt, or its output is not kept any more."


@blueprint.route("/runs/<run_id>/output")
@blueprint.query(run_schemas.OutputAsked)
@blueprint.errors(_404=_NOT_KEPT, _410=_GONE)
@blueprint.answers(200, run_schemas.OutputText)
def get_output(asked: dict[str, Any], run_id: str) -> Response:
    """Get what a run has written from an offset on, cut between characters; with `wait`, once there is any.

    Ask again with `offset` set to `next_offset` until `done` is true and nothing is left.
    """
    stream = _stream(asked, run_id)
    part = realtime.wait_for_output(stream, asked["offset"], timeout=asked["wait"], limit=asked["limit"])
    return answers.answer(_bytes_told(part) if asked["encoding"] == "base64" else _text_told(part))


@blueprint.route("/runs/<run_id>/output/raw")
@blueprint.query(run_schemas.RawAsked)
@blueprint.errors(_404=_NOT_KEPT, _410=_GONE, _416="There are not so many bytes.")
@blueprint.answers(206, {"type": "string", "format": "binary"}, content_type="application/octet-stream")
@blueprint.answers(200, {"type": "string", "format": "binary"}, content_type="application/octet-stream")
def get_raw_output(asked: dict[str, Any], run_id: str) -> Response:
    """Get the kept bytes of a stream as they are; of one that is complete also a range of them.

    `X-Watchbell-Size` says how many bytes were written and `X-Watchbell-Dropped` how many of them, between head and tail,
    were not kept.
    """
    stream = _stream(asked, run_id)
    first = stream.read(0, outputs.CHUNK)
    response = outputs.download_response(
        stream, first, name=f"run-{parsing.path_id('run_id', run_id)}-{asked['stream']}"
    )
    return _ranged(stream, first, response) if first.is_complete else response


@blueprint.route("/runs/<run_id>/bundle")
@blueprint.errors(
    _404="There is no such run, or its version of the task is not kept any more.", _410=_GONE, _422=_NO_NUMBER
)
@blueprint.answers(200, {"type": "string", "format": "binary"}, content_type="application/zip")
def get_bundle(run_id: str) -> Response:
    """Get the files that run a run again elsewhere: script, variables without secrets, limits, values, and its output."""
    return outputs.bundle_response(parsing.path_id("run_id", run_id))


def _text_told(part: Part) -> dict[str, object]:
    text, next_offset = outputs.live_text(part)
    return {"text": text, **_place_told(part, next_offset)}


def _bytes_told(part: Part) -> dict[str, object]:
    data = base64.b64encode(part.slice.data).decode()
    return {"text": None, "data": data, **_place_told(part, part.slice.next_offset)}


def _place_told(part: Part, next_offset: int) -> dict[str, object]:
    found = part.slice
    return {
        "offset": found.offset,
        "next_offset": next_offset,
        "size": found.size,
        "dropped": found.dropped,
        "is_complete": part.is_complete,
        "done": part.is_complete and next_offset >= found.size,
    }


def _stream(asked: dict[str, Any], run_id: str) -> Stream:
    number = parsing.path_id("run_id", run_id)
    return Stream(database(), current.config().output_path, number, asked["stream"], asked.get("attempt"))


def _ranged(stream: Stream, first: Part, response: Response) -> Response:
    """Return the answer with the range of bytes that was asked for, if one was; raises RequestedRangeNotSatisfiable."""
    response.headers["Accept-Ranges"] = "bytes"
    length = response.content_length or 0
    # Several ranges, or another unit, may be answered with everything.
    if request.range is None or request.range.units != "bytes" or len(request.range.ranges) != 1:
        return response
    span = request.range.range_for_length(length)
    if span is None:
        raise RequestedRangeNotSatisfiable(length=length)
    response.response = _bytes(stream, first, *span)
    response.status_code = 206
    response.content_length = span[1] - span[0]
    response.headers["Content-Range"] = f"bytes {span[0]}-{span[1] - 1}/{length}"
    return response


def _bytes(stream: Stream, first: Part, start: int, stop: int) -> Iterator[bytes]:
    """Yield kept bytes, counted without those that were dropped."""
    gap, left = first.slice.dropped, stop - start
    place = start if gap is None or start < gap[0] else start + gap[1] - gap[0]
    while left > 0:
        part = stream.read(place, min(left, outputs.CHUNK)).slice
        if part.next_offset <= place or not part.data:
            return
        yield part.data
        left -= len(part.data)
        place = part.next_offset
