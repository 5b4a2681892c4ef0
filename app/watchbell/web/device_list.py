"""What an address of the list of devices asks for, whether a person or the table's script has written it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

from watchbell.domain.fleet_targets import KEY_LIMIT, VALUE_LIMIT
from watchbell.domain.presence import Standing
from watchbell.errors import InputError
from watchbell.services import device_lists
from watchbell.services.device_lists import DeviceFilter, DeviceLine, DevicePage
from watchbell.store.session import Database
from watchbell.web import current, list_look, presenters_fleet_devices, query
from watchbell.web.list_look import EVERYTHING, Column, Look, Shape

_MOST_OFFSET = 10_000_000
#: A tag is a key and a value.
_LONGEST_NAME = KEY_LIMIT + 1 + VALUE_LIMIT
SHAPE = Shape(
    "fleet_devices",
    (
        Column("name", "wb-cell--main", sorts=True, is_fixed=True),
        Column("state", "wb-cell--end", is_fixed=True),
        Column("seen", sorts=True),
        Column("job", "wb-cell--wide"),
        Column("type", sorts=True),
        Column("groups"),
        Column("tags", "wb-cell--roomy"),
        Column("address", "wb-cell--quiet", sorts=True, is_shown=False),
        Column("os", sorts=True, is_shown=False),
        Column("agent", sorts=True, is_shown=False),
        Column("zone", sorts=True, is_shown=False),
        Column("uuid", "wb-cell--quiet", is_shown=False),
        Column("made", sorts=True, is_shown=False),
        Column("acts", "wb-cell--acts", is_fixed=True),
    ),
    length=25,
)
SORTS = tuple(column.name for column in SHAPE.columns if column.sorts)
STATES = ("", *(standing.value for standing in Standing))
_ORDER = re.compile(r"(-?)([a-z]+)", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceQuery:
    """Filters, order and place in the list."""

    look: Look
    search: str = ""
    state: str = ""
    group: str = ""
    tag: str = ""
    type: str = ""
    sort: str = "name"
    descending: bool = False
    offset: int = 0

    @property
    def is_filtered(self) -> bool:
        """Return whether devices may be left out."""
        return bool(self.search or self.state or self.more)

    @property
    def more(self) -> int:
        """Return how many of the filters are set that stand behind a button."""
        return sum(map(bool, (self.group, self.tag, self.type)))

    def address(self, **changes: Any) -> dict[str, Any]:
        """Return the arguments of an address with these filters, this order and changes; the place is not kept.

        One without anything would be the view that its reader meets first, so it says that it is not, unless ``view`` is changed.
        """
        kept: dict[str, Any] = {
            "q": self.search,
            "state": self.state,
            "group": self.group,
            "tag": self.tag,
            "type": self.type,
            "order": f"{'-' * self.descending}{self.sort}" if (self.sort, self.descending) != ("name", False) else "",
            **self.look.given,
        }
        found = {name: value for name, value in {**kept, **changes}.items() if value not in ("", None)}
        return found or ({} if "view" in changes else {"view": EVERYTHING})


def from_page(args: Mapping[str, str], look: Look) -> DeviceQuery:
    """Return what the address of the page asks for, such as ?q=kitchen&state=offline&order=-seen&page=3."""
    match = _ORDER.fullmatch(args.get("order", "") or "name")
    if match is None:
        raise InputError.of("order", "must be the name of a column, with a minus for descending", "-seen")
    page = query.whole(args, "page", 1, 1, _MOST_OFFSET // look.length)
    return dataclasses.replace(
        _filters(args, look),
        search=query.text(args, "q"),
        sort=_column(match[2]),
        descending=bool(match[1]),
        offset=(page - 1) * look.length,
    )


def from_table(args: Mapping[str, str], look: Look) -> tuple[int, DeviceQuery]:
    """Return the draw number and what the table's script asks for, in the protocol of DataTables."""
    draw = query.whole(args, "draw", None, 0, 2**31)
    direction = query.word(args, "order[0][dir]", ("asc", "desc"), "asc")
    asked = dataclasses.replace(
        _filters(args, look),
        search=query.text(args, "search[value]"),
        sort=_column(args.get("order[0][name]") or "name"),
        descending=direction == "desc",
        offset=query.whole(args, "start", 0, 0, _MOST_OFFSET),
    )
    return draw, asked


def _filters(args: Mapping[str, str], look: Look) -> DeviceQuery:
    return DeviceQuery(
        look=look,
        state=query.word(args, "state", STATES, ""),
        group=_exact(args, "group"),
        tag=_exact(args, "tag"),
        type=_exact(args, "type"),
    )


def _exact(args: Mapping[str, str], name: str) -> str:
    """Return a name as it is, with the spaces that it may begin or end with."""
    found = args.get(name, "").replace("\0", "")
    if len(found) > _LONGEST_NAME:
        raise InputError.of(name, f"must be at most {_LONGEST_NAME} characters long")
    return found


def _column(name: str) -> str:
    if name not in SORTS:
        raise InputError.of("order", f"column {name} cannot be sorted by; these can: {', '.join(SORTS)}", "name")
    return name


def as_filter(asked: DeviceQuery) -> DeviceFilter:
    """Return the filter for the service."""
    return DeviceFilter(
        search=asked.search,
        standing=Standing(asked.state) if asked.state else None,
        group=asked.group or None,
        tag=asked.tag or None,
        type=asked.type or None,
    )


def find(db: Database, asked: DeviceQuery) -> DevicePage:
    """Return the page of devices that was asked for."""
    return device_lists.list_page(
        db,
        as_filter(asked),
        now=current.now(),
        sort=asked.sort,
        descending=asked.descending,
        limit=asked.look.length,
        offset=asked.offset,
    )


def walk(db: Database, asked: DeviceQuery, ids: tuple[int, ...] | None) -> Iterator[DeviceLine]:
    """Yield all devices that the address asks for, or those of them with some ids, in its order."""
    chosen = dataclasses.replace(as_filter(asked), ids=ids)
    return device_lists.walk(db, chosen, now=current.now(), sort=asked.sort, descending=asked.descending)


def context(db: Database, asked: DeviceQuery, found: DevicePage) -> dict[str, Any]:
    """Return what the page shows around its rows."""
    return {
        "asked": asked,
        "page": found,
        "answer": presenters_fleet_devices.answer(found),
        "states": presenters_fleet_devices.STANDINGS,
        "marks": device_lists.list_marks(db),
        **list_look.context(asked.look, asked.address(view=None)),
    }
