"""Families of addresses: each has one way to tell an error, whoever meets it, a handler or a check before every handler.

What a family answers is its own module's business (``web.api``); here is only how the one that is meant is found.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

from flask import Flask, current_app

_NAME = "watchbell.families"


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """An error as it is to be told."""

    status: int
    #: One sentence for whoever has sent the request.
    text: str
    #: The number under which the server's log has it.
    request_id: str
    #: What was raised, if anything was.
    error: Exception | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Family:
    """A group of addresses that programs call, with the shape of its errors."""

    name: str
    #: Addresses that belong to it with all that is below them.
    prefixes: tuple[str, ...]
    #: The status and the body for an error.
    shape: Callable[[Told], tuple[int, dict[str, object]]]
    content_type: str = "application/json"


def keep(app: Flask, families: Iterable[Family], pages: Iterable[str] = ()) -> None:
    """Make these the families of an application; ``pages`` lie below their prefixes and belong to none."""
    prefixes: dict[str, Family | None] = {prefix: family for family in families for prefix in family.prefixes}
    prefixes.update(dict.fromkeys(pages))
    # The longest comes first, so that a part of another family's addresses may be one of its own.
    app.extensions[_NAME] = dict(sorted(prefixes.items(), key=lambda pair: -len(pair[0])))


def find(path: str) -> Family | None:
    """Return the family that an address belongs to, whether there is anything at it or not; None for a page."""
    known: dict[str, Family | None] = current_app.extensions.get(_NAME, {})
    for prefix, family in known.items():
        if path == prefix or path.startswith(f"{prefix}/"):
            return family
    return None
