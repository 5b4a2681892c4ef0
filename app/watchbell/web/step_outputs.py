"""The part of a run's output that one of its steps wrote, read as if it were a stream of its own."""

from __future__ import annotations

from watchbell.domain.steps import StepResult
from watchbell.errors import NotFound
from watchbell.execution.capture import Slice
from watchbell.web.outputs import Part, Stream


class StepStream(Stream):
    """What one step wrote to a stream; offsets count from the step's first byte."""

    def __init__(self, whole: Stream, start: int, stop: int | None) -> None:
        self._whole = whole
        self._start = start
        #: None while the step goes on.
        self._stop = stop

    def read(self, offset: int, limit: int) -> Part:
        begin = self._start + offset
        if self._stop is not None:
            limit = max(min(limit, self._stop - begin), 0)
        part = self._whole.read(begin, limit)
        return Part(self._cut(part.slice), is_complete=part.is_complete or self._stop is not None)

    def _cut(self, found: Slice) -> Slice:
        """Return a part of the whole without what lies beyond the step; a gap may have led out of it."""
        end = max(found.size if self._stop is None else min(self._stop, found.size), self._start)
        offset = min(found.offset, end)
        dropped = None
        if found.dropped is not None:
            first, last = (min(max(place, self._start), end) - self._start for place in found.dropped)
            dropped = (first, last) if first < last else None
        return Slice(
            data=found.data[: end - offset],
            offset=offset - self._start,
            next_offset=min(found.next_offset, end) - self._start,
            size=end - self._start,
            dropped=dropped,
        )


def part_of(whole: Stream, stream: str, results: list[StepResult], number: int) -> Stream:
    """Return what a step wrote to a stream; raises NotFound for one that there is not, or that has not begun."""
    if not 1 <= number <= len(results):
        raise NotFound(f"this run has no step {number}")
    result = results[number - 1]
    start, stop = (
        (result.stdout_from, result.stdout_to) if stream == "stdout" else (result.stderr_from, result.stderr_to)
    )
    if start is None:
        raise NotFound(f"step {number} of this run has written nothing that could be told from the others'")
    # One that was cut off has no end of its own, and nothing came after it.
    return StepStream(whole, start, stop)
