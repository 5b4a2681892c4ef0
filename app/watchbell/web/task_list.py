"""What an address of the list of tasks asks for, whether a person or the table's script has written it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from watchbell.errors import InputError
from watchbell.services import task_lists, tasks
from watchbell.services.task_lists import TaskFilter
from watchbell.services.tasks import TaskPage
from watchbell.store.newest_runs import RunLine
from watchbell.store.session import Database
from watchbell.store.tasks import Task
from watchbell.web import current, list_look, pausing, presenters_tasks, query
from watchbell.web.list_look import EVERYTHING, FEWER, Column, Look, Shape
from watchbell.web.presenters_tasks import STRIP_RUNS
from watchbell.web.run_list import CHIPS

_MOST_OFFSET = 10_000_000
SHAPE = Shape(
    "tasks",
    (
        Column("name", "wb-cell--main", sorts=True, is_fixed=True),
        Column("schedule", "wb-cell--wide", sorts=True),
        Column("next", sorts=True),
        Column("last", is_shown=False),
        Column("strip", "wb-cell--wide"),
        Column("usual", "wb-number"),
        Column("owner", sorts=True),
        Column("team", is_shown=False),
        Column("queue", is_shown=False),
        Column("command", "wb-cell--wide", is_shown=False),
        Column("comment", "wb-cell--wide", is_shown=False),
        Column("tags", "wb-cell--roomy"),
        Column("id", "wb-number", sorts=True, is_shown=False),
        Column("acts", "wb-cell--acts", is_fixed=True),
    ),
    length=25,
    lengths=FEWER,
)
SORTS = tuple(column.name for column in SHAPE.columns if column.sorts)
#: What links of before the choice of columns name by number.
_NUMBERED = ("name", "schedule", "next", None, None, "owner", None, None)
_ENABLED = {"": "", "yes": "enabled", "no": "disabled"}
STATUSES = ("", "enabled", "disabled", "paused")
#: Ends of the newest run that can be chosen, and the states that each stands for; None is no run yet.
OUTCOMES: dict[str, tuple[str | None, ...]] = {**CHIPS, "failing": tuple(sorted(task_lists.FAILING)), "none": (None,)}
_ORDER = re.compile(r"(-?)([a-z]+|\d{1,2})", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True)
class TaskQuery:
    """Filters, order and place in the list."""

    look: Look
    search: str = ""
    status: str = ""
    last: str = ""
    tag: str = ""
    host: str = ""
    user: str = ""
    team: str = ""
    whose: str = "all"
    sort: str = "name"
    descending: bool = False
    offset: int = 0

    @property
    def is_filtered(self) -> bool:
        """Return whether tasks may be left out."""
        return bool(self.search or self.status or self.more or self.whose == "mine")

    @property
    def more(self) -> int:
        """Return how many of the filters are set that stand behind a button."""
        return sum(map(bool, (self.last, self.tag, self.host, self.user, self.team)))

    def address(self, **changes: Any) -> dict[str, Any]:
        """Return the arguments of an address with these filters, this order and changes; the place is not kept.

        One without anything would be the view that its reader meets first, so it says that it is not, unless ``view`` is changed.
        """
        kept: dict[str, Any] = {
            "q": self.search,
            "status": self.status,
            "last": self.last,
            "tag": self.tag,
            "host": self.host,
            "user": self.user,
            "team": self.team,
            "owner": "mine" if self.whose == "mine" else "",
            "order": f"{'-' * self.descending}{self.sort}" if (self.sort, self.descending) != ("name", False) else "",
            **self.look.given,
        }
        found = {name: value for name, value in {**kept, **changes}.items() if value not in ("", None)}
        return found or ({} if "view" in changes else {"view": EVERYTHING})


def from_page(args: Mapping[str, str], look: Look) -> TaskQuery:
    """Return what the address of the page asks for, such as ?q=backup&status=disabled&order=-next&page=3."""
    sort, descending = _order(args.get("order", ""))
    page = query.whole(args, "page", 1, 1, _MOST_OFFSET // look.length)
    return dataclasses.replace(
        _filters(args, look),
        search=query.text(args, "q"),
        sort=sort,
        descending=descending,
        offset=(page - 1) * look.length,
    )


def _order(text: str) -> tuple[str, bool]:
    match = _ORDER.fullmatch(text or "name")
    if match is None:
        raise InputError.of("order", "must be the name of a column, with a minus for descending", "-next")
    return _column(match[2]), bool(match[1])


def from_table(args: Mapping[str, str], look: Look) -> tuple[int, TaskQuery]:
    """Return the draw number and what the table's script asks for, in the protocol of DataTables."""
    draw = query.whole(args, "draw", None, 0, 2**31)
    name = args.get("order[0][name]") or str(query.whole(args, "order[0][column]", 0, 0, 99))
    direction = query.word(args, "order[0][dir]", ("asc", "desc"), "asc")
    asked = dataclasses.replace(
        _filters(args, look),
        search=query.text(args, "search[value]"),
        sort=_column(name),
        descending=direction == "desc",
        offset=query.whole(args, "start", 0, 0, _MOST_OFFSET),
    )
    return draw, asked


def _filters(args: Mapping[str, str], look: Look) -> TaskQuery:
    enabled = query.word(args, "enabled", _ENABLED, "")
    return TaskQuery(
        look=look,
        status=query.word(args, "status", STATUSES, "") or _ENABLED[enabled],
        last=query.word(args, "last", ("", *OUTCOMES), ""),
        tag=query.text(args, "tag"),
        host=query.text(args, "host"),
        user=query.text(args, "user"),
        team=query.text(args, "team"),
        whose=query.word(args, "owner", ("mine", "all"), "all"),
    )


def _column(name: str) -> str:
    sort: str | None = name
    if name.isdigit():
        sort = _NUMBERED[int(name)] if int(name) < len(_NUMBERED) else None
    if sort not in SORTS:
        raise InputError.of("order", f"column {name} cannot be sorted by; these can: {', '.join(SORTS)}", "name")
    return str(sort)


def as_filter(asked: TaskQuery) -> TaskFilter:
    """Return the filter for the service."""
    return TaskFilter(
        search=asked.search,
        enabled={"enabled": True, "disabled": False}.get(asked.status),
        owner=asked.user or None,
        team=asked.team or None,
        mine=current.mine() if asked.whose == "mine" else None,
        host=asked.host or None,
        tag=asked.tag or None,
        outcomes=OUTCOMES[asked.last] if asked.last else None,
        ids=tuple(pausing.of_tasks()) if asked.status == "paused" else None,
    )


def find(db: Database, asked: TaskQuery) -> TaskPage:
    """Return the page of tasks that was asked for, with the runs of their strips."""
    return tasks.list_page(
        db,
        sort=asked.sort,
        descending=asked.descending,
        limit=asked.look.length,
        offset=asked.offset,
        recent=STRIP_RUNS,
        **dataclasses.asdict(as_filter(asked)),
    )


def walk(db: Database, asked: TaskQuery, ids: Sequence[int] | None) -> Iterator[tuple[Task, Sequence[RunLine]]]:
    """Yield all tasks that the address asks for, or those of them with some ids, in its order with the runs of their strips."""
    chosen = as_filter(asked)
    if ids is not None:
        chosen = dataclasses.replace(chosen, ids=tuple(ids))
    return task_lists.walk(db, chosen, sort=asked.sort, descending=asked.descending, recent=STRIP_RUNS)


def context(db: Database, asked: TaskQuery, found: TaskPage) -> dict[str, Any]:
    """Return what the page shows around its rows."""
    enabled = tasks.list_page(db, enabled=True, limit=0).filtered
    return {
        "asked": asked,
        "page": found,
        "answer": presenters_tasks.answer(found.total, enabled, found.filtered),
        "outcomes": OUTCOMES,
        "marks": task_lists.list_marks(db),
        "tree": task_lists.tag_tree(db),
        **list_look.context(asked.look, asked.address(view=None)),
    }
