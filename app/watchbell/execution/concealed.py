"""Reading and keeping outputs with the secrets in them masked, whichever parts they are read in.

What is masked depends on the bytes around it, so a little more is read on both sides than was asked for. While a command
goes on, what may be the beginning of a secret is held back as if it had not been written yet.
"""

from __future__ import annotations

from collections.abc import Callable

from watchbell.domain.concealing import Concealer
from watchbell.execution.capture import Slice

#: Reads up to so many bytes of an output from an offset on, as ``capture.read_output`` does.
Read = Callable[[int, int], Slice]


def read_concealed(read: Read, concealer: Concealer, offset: int, limit: int, *, is_complete: bool) -> Slice:
    """Return up to ``limit`` bytes of an output from ``offset`` on with the secrets masked; raises what ``read`` raises.

    Without ``is_complete`` the output may grow, and its size counts only up to what is held back.
    """
    asked = read(offset, limit)
    begin, end = asked.offset, asked.offset + len(asked.data)
    before = read(max(begin - concealer.reach, 0), min(begin, concealer.reach))
    behind = read(end, concealer.reach)
    # What was dropped, maybe only since the first look, is not there to be looked at.
    lead = before.data[: max(begin - before.offset, 0)]
    lead = lead if before.offset + len(lead) == begin else b""
    whole = lead + asked.data + (behind.data if behind.offset == end else b"")
    stop, gap = begin - len(lead) + len(whole), behind.dropped
    size = behind.size
    if not is_complete:
        # In what was looked at, if that goes to the end: a secret that has become whole since then was not seen.
        edge, edge_end = whole, stop
        if stop < size:
            last = read(max(size - concealer.reach, end), concealer.reach)
            edge, edge_end = last.data, last.offset + len(last.data)
        size = edge_end - concealer.pending(edge)
    masked = concealer.conceal(
        whole,
        is_cut_before=gap is not None and begin - len(lead) == gap[1],
        is_cut_behind=gap is not None and stop == gap[0],
        is_end=is_complete and stop >= size,
    )
    data = masked[len(lead) : len(lead) + len(asked.data)]
    if end <= size:
        return Slice(data, begin, asked.next_offset, size, gap)
    # What is held back comes with a later read.
    data = data[: max(size - begin, 0)]
    return Slice(data, min(begin, size), min(begin, size) + len(data), size, gap)


def masked_read(read: Read, concealer: Concealer | None, *, is_complete: bool) -> Read:
    """Return what reads an output as it may be shown: masked, if there is anything to mask."""
    if concealer is None:
        return read

    def concealed(offset: int, limit: int) -> Slice:
        return read_concealed(read, concealer, offset, limit, is_complete=is_complete)

    return concealed
