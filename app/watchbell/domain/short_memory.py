"""Remembering what a function has returned, but not for arguments of whatever size: a count alone bounds no memory."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

_P = ParamSpec("_P")
_R = TypeVar("_R")
#: Characters of what a result is remembered by. A calendar of holidays for 20 years has about as many.
LARGEST = 16 * 1024


def remembers(most: int, size: Callable[..., int]) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Return a decorator that remembers the results of so many calls, if the size of the arguments is not beyond LARGEST."""

    def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
        kept = cast("Callable[_P, _R]", functools.lru_cache(maxsize=most)(function))

        @functools.wraps(function)
        def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            if size(*args, **kwargs) > LARGEST:
                return function(*args, **kwargs)
            return kept(*args, **kwargs)

        return call

    return decorate
