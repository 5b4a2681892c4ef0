"""What the runs of a chain come to: the path that took the time, and the layers in which the chain is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime


def critical_path(parents: Mapping[int, Sequence[int]], ended: Mapping[int, datetime]) -> list[int]:
    """Return the runs that made a chain take as long as it took, the first one first.

    ``parents`` has the runs that each run waited for, ``ended`` those that were started and have an end. The path leads from
    the last end back to whatever was waited for longest.
    """
    if not ended:
        return []
    path = [max(ended, key=lambda run: (ended[run], run))]
    while before := [run for run in parents.get(path[-1], ()) if run in ended and run not in path]:
        path.append(max(before, key=lambda run: (ended[run], run)))
    return path[::-1]


def layers(parents: Mapping[int, Iterable[int]], ids: Iterable[int]) -> list[list[int]]:
    """Return tasks in layers, each below all that it runs after; in a layer they keep the order given.

    What would be a loop, as rows of another time may make one, is cut where it is met.
    """
    order = list(ids)
    known = set(order)
    depth: dict[int, int] = {}
    for start in order:
        path: dict[int, None] = {}
        stack = [start]
        while stack:
            one = stack[-1]
            path[one] = None
            open_ones = [p for p in parents.get(one, ()) if p in known and p not in depth and p not in path]
            if open_ones:
                stack.append(open_ones[0])
                continue
            above = [depth[p] for p in parents.get(one, ()) if p in depth]
            depth.setdefault(one, max(above, default=-1) + 1)
            path.pop(one, None)
            stack.pop()
    found: list[list[int]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for one in order:
        found[depth[one]].append(one)
    return found
