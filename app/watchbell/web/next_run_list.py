"""What an address of the list of next runs asks for, and the addresses that lead on from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from werkzeug.datastructures import MultiDict

from watchbell.errors import InputError
from watchbell.services.coming import ComingPage, Place, Span
from watchbell.services.task_lists import TaskFilter
from watchbell.web import list_look, query
from watchbell.web.list_look import EVERYTHING, Column, Look, Shape

SHAPE = Shape(
    "next_runs",
    (
        Column("task", "wb-cell--main", is_fixed=True),
        Column("in"),
        Column("here"),
        Column("there", "wb-cell--quiet"),
        Column("schedule", "wb-cell--wide"),
        Column("owner", "wb-cell--quiet"),
        Column("tags", "wb-cell--wide", is_shown=False),
        Column("command", "wb-cell--wide", is_shown=False),
    ),
    length=50,
)
#: Choice -> hours.
RANGES = {"1h": 1, "24h": 24, "7d": 168}
_USUAL_RANGE = "24h"
#: How many moments of each task a list has unless all are asked for: one of every few seconds must not push all others out of sight.
FEW = 3
EACH = {"few": FEW, "all": None}
_BETWEEN = "~"


@dataclasses.dataclass(frozen=True, slots=True)
class NextQuery:
    """Filters and place in the list, as they stand in the address."""

    within: str = _USUAL_RANGE
    each: str = "few"
    search: str = ""
    tag: str = ""
    host: str = ""
    user: str = ""
    team: str = ""
    after: Place | None = None
    before: Place | None = None
    look: Look | None = None

    @property
    def is_filtered(self) -> bool:
        """Return whether tasks may be left out."""
        return bool(self.search or self.more)

    @property
    def more(self) -> int:
        """Return how many of the filters are set that stand behind a button."""
        return sum(map(bool, (self.tag, self.host, self.user, self.team)))

    def address(self, **changes: Any) -> dict[str, Any]:
        """Return the arguments of an address with these filters and changes; the place is not kept.

        One without anything would be the view that its reader meets first, so it says that it is not, unless ``view`` is changed.
        """
        kept: dict[str, Any] = {
            "within": self.within,
            "each": self.each,
            "q": self.search,
            "tag": self.tag,
            "host": self.host,
            "user": self.user,
            "team": self.team,
            **(self.look.given if self.look else {}),
            **changes,
        }
        usual = {"within": _USUAL_RANGE, "each": "few"}
        found = {name: value for name, value in kept.items() if value not in ("", None, usual.get(name))}
        return found or ({} if "view" in changes else {"view": EVERYTHING})

    def twin(self) -> dict[str, Any]:
        """Return the arguments of the address of a twin, in which more is told of each task unless it says so."""
        return {**self.address(view=None), "each": self.each}


def read(args: Mapping[str, str], look: Look | None = None, *, each: str = "few") -> NextQuery:
    """Return what the address asks for; raises InputError that names the argument that is wrong."""
    after, before = _place(args, "after"), _place(args, "before")
    if after is not None and before is not None:
        raise InputError.of("before", "cannot stand beside after; give one of them")
    return NextQuery(
        within=query.word(args, "within", RANGES, _USUAL_RANGE),
        each=query.word(args, "each", EACH, each),
        search=query.text(args, "q"),
        **{name: query.text(args, name) for name in ("tag", "host", "user", "team")},
        after=after,
        before=before,
        look=look,
    )


def read_script(args: Mapping[str, str]) -> tuple[NextQuery, Look]:
    """Return what the table's script asks for: the filters and the place of the page's address."""
    look = list_look.read(SHAPE, args, {})
    address: Mapping[str, str] = MultiDict(parse_qsl(args.get("address", ""), max_num_fields=100))
    return read(address, list_look.read(SHAPE, address, {})), look


def as_span(asked: NextQuery, now: datetime) -> Span:
    """Return what the service is asked for."""
    chosen = TaskFilter(
        search=asked.search,
        tag=asked.tag or None,
        host=asked.host or None,
        owner=asked.user or None,
        team=asked.team or None,
    )
    return Span(chosen, now, now + timedelta(hours=RANGES[asked.within]), EACH[asked.each])


def places(asked: NextQuery, page: ComingPage) -> dict[str, dict[str, Any] | None]:
    """Return the arguments of the addresses of the first, the earlier and the later page; None where there is no such page."""
    moments = page.moments
    has_earlier, has_later = page.has_earlier and bool(moments), page.has_later and bool(moments)
    return {
        "newest": asked.address() if page.has_earlier else None,
        "newer": asked.address(before=place_text(moments[0].place)) if has_earlier else None,
        "older": asked.address(after=place_text(moments[-1].place)) if has_later else None,
    }


def place_text(place: Place) -> str:
    """Return a place as it stands in an address."""
    moment = place[0].astimezone(UTC).isoformat().replace("+00:00", "Z")
    return f"{moment}{_BETWEEN}{place[1]}"


def _place(args: Mapping[str, str], name: str) -> Place | None:
    text = query.text(args, name)
    if not text:
        return None
    moment, _between, task = text.partition(_BETWEEN)
    try:
        found = datetime.fromisoformat(moment)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not 1970 < found.year < 9999:
        raise InputError.of(name, "must be a moment, a tilde and the name of a task", "2026-11-22T14:30:00Z~backup")
    return found, task
