"""The chain of the audit: each entry carries a digest of itself and of the one before it.

Whoever changes, removes or inserts an entry breaks every digest after it. Cutting off the newest entries breaks none, which
is why the newest digest is also written elsewhere now and then: an anchor, by which a shortened chain is found out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: What the first entry stands on.
FIRST = "0" * 64


def digest(previous: str, content: Mapping[str, Any]) -> str:
    """Return the digest (SHA-256, hexadecimal) of an entry: of the digest before it and all that the entry says.

    ``content`` holds nothing but what JSON has; the order of its names does not matter.
    """
    text = json.dumps([previous, content], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True)
class Link:
    """An entry as the chain sees it."""

    number: int
    previous: str
    digest: str
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look at a chain has found."""

    #: So many entries were looked at, and the newest of them is this one.
    entries: int
    newest: str
    #: The number of the first entry that is not what was written, and why; 0 and nothing if all are.
    broken_at: int = 0
    reason: str = ""
    #: Whether the digest that was looked for stands in the chain; True if none was.
    has_anchor: bool = True

    @property
    def is_whole(self) -> bool:
        """Return whether nothing was changed."""
        return not self.broken_at and self.has_anchor


def verify(links: Iterable[Link], *, anchor: str = "") -> Verdict:
    """Look at a chain from its beginning, to the first entry that is not what was written; ``anchor`` must stand in it."""
    previous, number, count = FIRST, 0, 0
    has_anchor = anchor in {"", FIRST}
    for link in links:
        reason = _fault(link, previous, number)
        if reason:
            return Verdict(count, previous, link.number, reason, has_anchor)
        previous, number, count = link.digest, link.number, count + 1
        has_anchor = has_anchor or link.digest == anchor
    return Verdict(count, previous, has_anchor=has_anchor)


def _fault(link: Link, previous: str, number: int) -> str:
    if link.number != number + 1:
        missing = link.number - number - 1
        return "1 entry is missing before it" if missing == 1 else f"{missing} entries are missing before it"
    if link.previous != previous:
        return "it does not follow the entry before it"
    if link.digest != digest(previous, link.content):
        return "it was changed after it was written"
    return ""
