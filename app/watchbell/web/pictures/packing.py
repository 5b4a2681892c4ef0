"""Putting bars that overlap below one another, in as few rows as they need."""

from __future__ import annotations

import heapq
from collections.abc import Sequence


def pack(spans: Sequence[tuple[float, float]], most_rows: int) -> list[int]:
    """Return the row of each bar, given as its start and end in the order of the starts.

    No two bars of a row overlap, unless more than ``most_rows`` overlap at once: then the last row takes the rest.
    """
    free = list(range(most_rows))
    busy: list[tuple[float, int]] = []
    rows: list[int] = []
    for start, end in spans:
        while busy and busy[0][0] <= start:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if not free:
            rows.append(most_rows - 1)
            continue
        rows.append(heapq.heappop(free))
        heapq.heappush(busy, (end, rows[-1]))
    return rows
