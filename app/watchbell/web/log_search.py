"""What an address of the log's page asks for, and where a search has hits in a line."""

from __future__ import annotations

import dataclasses
from typing import Any

from watchbell.control.log_pages import Entry, Place, PlacedLine
from watchbell.web.log_lines import LEVELS, LINES, LINES_MOST, rank

_LONGEST_SEARCH = 200


@dataclasses.dataclass(frozen=True, slots=True)
class LogQuery:
    """The filter and the place, as they stand in the address; what makes no sense counts as not given."""

    level: str = "all"
    lines: int = LINES
    search: str = ""
    #: Whether entries without a hit are left out.
    only: bool = False
    before: Place | None = None

    @property
    def is_filtered(self) -> bool:
        """Return whether lines may be left out."""
        return self.level != "all" or (self.only and bool(self.search))

    def wants(self, entry: Entry) -> bool:
        """Return whether an entry is shown; all of its lines are, or none."""
        if rank(entry[0].level) < LEVELS[self.level]:
            return False
        needle = self.search.casefold()
        return not (self.only and needle) or any(needle in str(placed.line).casefold() for placed in entry)

    def address(self, **changes: Any) -> dict[str, Any]:
        """Return the arguments of an address with this filter and changes; the place is not kept."""
        kept: dict[str, Any] = {
            "level": self.level if self.level != "all" else None,
            "q": self.search,
            "only": "1" if self.only else None,
            "lines": self.lines if self.lines != LINES else None,
        }
        return {name: value for name, value in {**kept, **changes}.items() if value not in ("", None)}


def read(args: Any) -> LogQuery:
    """Return what the address asks for."""
    level = args.get("level", "all").lower()
    return LogQuery(
        level=level if level in LEVELS else "all",
        lines=min(max(args.get("lines", LINES, type=int), 1), LINES_MOST),
        search=args.get("q", "").strip().replace("\0", "")[:_LONGEST_SEARCH],
        only=args.get("only") == "1",
        before=Place.read(args.get("before", "")),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class ShownLine:
    """One line in the pieces of which each looks different."""

    place: str
    level: str
    text: str
    #: The brackets with the time and with the level; both empty in a line that goes on from the one before.
    timestamp: str
    word: str
    #: What follows them, cut where a search begins and ends to hit: every second piece is a hit.
    pieces: list[str]

    @property
    def hits(self) -> int:
        """Return how often the search has hit the message."""
        return len(self.pieces) // 2


def shown(placed: PlacedLine, search: str) -> ShownLine:
    """Return a line as it is shown."""
    line = placed.line
    return ShownLine(
        place=str(placed.place),
        level=placed.level,
        text=str(line),
        timestamp=line.timestamp,
        word=line.level,
        pieces=cut(line.message, search),
    )


def cut(text: str, needle: str) -> list[str]:
    """Return a text cut around each occurrence of a needle, in whatever case: what is before, the hit, what follows."""
    lower, sought = text.lower(), needle.lower()
    if not sought or len(lower) != len(text):
        # A letter that has another length in the other case moves all places behind it.
        return [text]
    pieces, start = [], 0
    while (found := lower.find(sought, start)) >= 0:
        pieces += [text[start:found], text[found : found + len(sought)]]
        start = found + len(sought)
    return [*pieces, text[start:]]
