"""What an address of the list of tasks asks for, whether a person or the table's script has written it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from watchbell.errors import InputError
from watchbell.services import tasks
from watchbell.services.tasks import TaskPage
from watchbell.store.session import Database
from watchbell.web import query
from watchbell.web.presenters_tasks import STRIP_RUNS

PAGE_ROWS = 25
_MOST_ROWS = 100
_MOST_OFFSET = 10_000_000
#: What the columns of the table are sorted by, in their order; None cannot be sorted by.
COLUMNS: tuple[str | None, ...] = ("name", "schedule", "next", None, None, "owner", None, None)
_ENABLED = {"": None, "yes": True, "no": False}
_ORDER = re.compile(r"(-?)(\d{1,2})", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True)
class TaskQuery:
    """Filters, order and place in the list."""

    search: str = ""
    enabled: str = ""
    whose: str = "all"
    sort: str = "name"
    descending: bool = False
    limit: int | None = PAGE_ROWS
    offset: int = 0

    @property
    def is_filtered(self) -> bool:
        """Return whether tasks may be left out."""
        return bool(self.search or self.enabled or self.whose == "mine")


def from_page(args: Mapping[str, str]) -> TaskQuery:
    """Return what the address of the page asks for: ?q= ?enabled= ?owner= ?order=-2 ?page=3."""
    sort, descending = "name", False
    if args.get("order", ""):
        match = _ORDER.fullmatch(args["order"])
        if match is None:
            raise InputError.of("order", "must be the number of a column, with a minus for descending", "-2")
        sort, descending = _column(int(match[2])), bool(match[1])
    page = query.whole(args, "page", 1, 1, _MOST_OFFSET // PAGE_ROWS)
    return dataclasses.replace(
        _filters(args), search=query.text(args, "q"), sort=sort, descending=descending, offset=(page - 1) * PAGE_ROWS
    )


def from_table(args: Mapping[str, str]) -> tuple[int, TaskQuery]:
    """Return the draw number and what the table's script asks for, in the protocol of DataTables."""
    draw = query.whole(args, "draw", None, 0, 2**31)
    column = query.whole(args, "order[0][column]", 0, 0, 99)
    direction = query.word(args, "order[0][dir]", ("asc", "desc"), "asc")
    asked = dataclasses.replace(
        _filters(args),
        search=query.text(args, "search[value]"),
        sort=_column(column),
        descending=direction == "desc",
        limit=query.whole(args, "length", PAGE_ROWS, 1, _MOST_ROWS),
        offset=query.whole(args, "start", 0, 0, _MOST_OFFSET),
    )
    return draw, asked


def _filters(args: Mapping[str, str]) -> TaskQuery:
    return TaskQuery(
        enabled=query.word(args, "enabled", _ENABLED, ""), whose=query.word(args, "owner", ("mine", "all"), "all")
    )


def _column(number: int) -> str:
    sort = COLUMNS[number] if number < len(COLUMNS) else None
    if sort is None:
        sortable = ", ".join(str(n) for n, name in enumerate(COLUMNS) if name)
        raise InputError.of("order", f"column {number} cannot be sorted by; these can: {sortable}", "0")
    return sort


def find(db: Database, asked: TaskQuery, *, me: str) -> TaskPage:
    """Return the tasks that were asked for, with the runs of their strips."""
    return tasks.list_page(
        db,
        search=asked.search,
        enabled=_ENABLED[asked.enabled],
        owner=me if asked.whose == "mine" else None,
        sort=asked.sort,
        descending=asked.descending,
        limit=asked.limit,
        offset=asked.offset,
        recent=STRIP_RUNS,
    )


def everything(args: Mapping[str, str]) -> TaskQuery:
    """Return what a twin of the page shows: the same filters and order, and all rows."""
    return dataclasses.replace(from_page(args), limit=None, offset=0)
