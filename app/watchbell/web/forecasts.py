"""What is dear to work out and stays true for a while, kept in this process: one of each kind."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar, cast

from flask import current_app

from watchbell.web import current

_NAME = "watchbell.forecasts"
#: So many kinds are kept; which of them goes when there are more does not matter.
_MOST = 40
_Found = TypeVar("_Found")


def recall(kind: str, mark: Hashable, find: Callable[[], _Found]) -> _Found:
    """Return what ``find`` returns, or has returned for this kind under the same mark; it must depend on nothing else."""
    kept: dict[Hashable, tuple[Hashable, object]] = current_app.extensions.setdefault(_NAME, {})
    # Days and hours are those of whoever reads.
    key = (kind, current.config().database_url, str(current.zone()))
    known = kept.get(key)
    if known is not None and known[0] == mark:
        return cast(_Found, known[1])
    found = find()
    while len(kept) >= _MOST:
        kept.pop(next(iter(kept)), None)
    kept[key] = (mark, found)
    return found
