"""How a list looks: which columns it has and how many rows a page, as the address says or this browser remembers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from watchbell.errors import InputError
from watchbell.services import saved_views
from watchbell.web import current, query
from watchbell.web.db import database

#: How many rows a page may have, as its form offers them.
LENGTHS = (25, 50, 100, 200)
#: For lists whose rows hold much: a page of so many of them is as long as anybody reads on.
FEWER = LENGTHS[:-1]
_MOST_ROWS = LENGTHS[-1]
_YEAR = 365 * 24 * 3600
#: In an address that asks for nothing else: not even for the view that its reader would meet first.
EVERYTHING = "all"


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """One column that a list can have."""

    name: str
    #: Classes of its cells.
    classes: str = ""
    #: Whether the list can be sorted by it.
    sorts: bool = False
    is_shown: bool = True
    #: Whether it is always there.
    is_fixed: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """All columns that a list can have, in their order, and how many rows a page has."""

    page: str
    columns: tuple[Column, ...]
    length: int
    #: How many rows a page may have; an address that asks for more, as one of before may, gets the most of them.
    lengths: tuple[int, ...] = LENGTHS

    @property
    def cookie(self) -> str:
        """Return the name under which a browser remembers the look."""
        return f"watchbell_list_{self.page}"

    def column(self, name: str) -> Column:
        """Return a column by its name."""
        return next(column for column in self.columns if column.name == name)


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """How a list is shown now."""

    shape: Shape
    columns: tuple[Column, ...]
    length: int
    #: What the address says of it, to be kept in the addresses that lead on.
    given: Mapping[str, str]

    def __contains__(self, name: str) -> bool:
        return any(column.name == name for column in self.columns)

    def pages(self, rows: int) -> int:
        """Return how many pages so many rows fill, at least one."""
        return max(1, -(-rows // self.length))

    @property
    def said(self) -> dict[str, str]:
        """Return the arguments of an address that shows a list like this in any browser."""
        return {"cols": ".".join(column.name for column in self.columns), "length": str(self.length)}


def read(shape: Shape, args: Mapping[str, str], cookies: Mapping[str, str]) -> Look:
    """Return the look that an address asks for, or that the browser remembers; raises InputError for columns that are none."""
    given = {name: args[name] for name in ("cols", "length") if args.get(name)}
    remembered, _, length = cookies.get(shape.cookie, "").partition("~")
    columns = _columns(shape, given.get("cols", "")) or _remembered(shape, remembered)
    rows = int(length) if length in {str(number) for number in LENGTHS} else shape.length
    return Look(shape, columns, _length(shape, args, rows), given)


def _length(shape: Shape, args: Mapping[str, str], default: int) -> int:
    return min(query.whole(args, "length", default, 1, _MOST_ROWS), shape.lengths[-1])


def _columns(shape: Shape, text: str) -> tuple[Column, ...]:
    if not text:
        return ()
    names = text.split(".")
    if not set(names) <= {column.name for column in shape.columns}:
        known = ", ".join(column.name for column in shape.columns)
        raise InputError.of("cols", f"must be names with dots between them, of: {known}", "name.next")
    return tuple(column for column in shape.columns if column.is_fixed or column.name in names)


def _remembered(shape: Shape, text: str) -> tuple[Column, ...]:
    try:
        found = _columns(shape, text)
    except InputError:
        # Another version has other columns.
        found = ()
    return found or tuple(column for column in shape.columns if column.is_shown)


def chosen(shape: Shape, endpoint: str, kept: dict[str, Any]) -> Response:
    """Return the answer to the form of columns: the list as it says, which this browser remembers from now on."""
    names = [name for name in request.args.getlist("col") if name]
    found = _columns(shape, ".".join(names) or shape.columns[0].name)
    look = Look(shape, found, _length(shape, request.args, shape.length), {})
    answer = redirect(url_for(endpoint, **{**kept, **look.said}), 303)
    answer.set_cookie(
        shape.cookie,
        f"{look.said['cols']}~{look.length}",
        max_age=_YEAR,
        httponly=True,
        samesite="Lax",
        secure=current.config().behind_proxy == "on",
    )
    return answer


def first_view(page: str, endpoint: str) -> Response | None:
    """Return the way to the view that its reader meets first, if the address asks for nothing."""
    if request.query_string:
        return None
    found = saved_views.find_default(database(), current.actor(), page)
    return redirect(f"{url_for(endpoint)}?{found.query}", 302) if found is not None and found.query else None


def query_of(address: Mapping[str, object]) -> str:
    """Return what stands behind the question mark for the arguments of an address."""
    return urlencode({name: value for name, value in address.items() if value is not None}, doseq=True)


def context(look: Look, address: Mapping[str, object]) -> dict[str, Any]:
    """Return what the menus of a list show; a view keeps its columns, wherever it is opened."""
    return {
        "look": look,
        "lengths": look.shape.lengths,
        "views": saved_views.list_all(database(), current.actor(), look.shape.page),
        "look_query": query_of(look.said),
        "view_query": query_of({**address, **look.said}),
    }
