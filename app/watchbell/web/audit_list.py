"""What an address of the audit asks for, whether a person or the table's script has written it, and the page that it gets."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from werkzeug.datastructures import MultiDict

from watchbell.services import audit
from watchbell.store.audit import AuditEntry
from watchbell.web import current, list_look, query, run_list
from watchbell.web.db import database
from watchbell.web.list_look import EVERYTHING, Column, Look, Shape

SHAPE = Shape(
    "audit",
    (
        Column("what", "wb-cell--main", is_fixed=True),
        Column("when", sorts=True),
        Column("who"),
        Column("of", "wb-cell--wide wb-cell--wrap wb-audit__of"),
        Column("from"),
        Column("more", "wb-cell--wide wb-cell--wrap wb-cell--rest"),
        Column("id", "wb-number wb-cell--quiet", sorts=True, is_shown=False),
    ),
    length=50,
)
#: Kinds of deeds, which the filter offers.
KINDS = (
    *("login", "request", "account", "token", "task", "run", "failure", "pause", "queue"),
    *("device", "enrolment", "agent", "secret", "scheduler", "log"),
)
#: The names of the order, oldest first and newest first: numbers are given in the order of time.
_ORDERS = {"": False, "when": True, "id": True, "-when": False, "-id": False}


@dataclasses.dataclass(frozen=True, slots=True)
class AuditQuery:
    """What the address of the list asks for."""

    kind: str = ""
    actor: str = ""
    subject: str = ""
    search: str = ""
    since: str = ""
    #: Until when, as it was typed in the zone of the page.
    until: str = ""
    oldest_first: bool = False
    before: int | None = None
    after: int | None = None
    is_last_page: bool = False
    look: Look | None = None

    @property
    def is_filtered(self) -> bool:
        """Return whether entries may be left out."""
        return any((self.kind, self.actor, self.subject, self.search, self.since, self.until))

    @property
    def is_first_page(self) -> bool:
        """Return whether no place in the list is asked for."""
        return self.before is None and self.after is None and not self.is_last_page

    @property
    def more(self) -> int:
        """Return how many of the filters are set that stand behind a button."""
        return sum(map(bool, (self.until, self.subject)))

    def address(self, **changes: Any) -> dict[str, Any]:
        """Return the arguments of an address with these filters and changes; the place is not kept.

        One without anything would be the view that its reader meets first, so it says that it is not, unless ``view`` is changed.
        """
        kept = {
            "kind": self.kind,
            "actor": self.actor,
            "subject": self.subject,
            "q": self.search,
            "since": self.since,
            "until": self.until,
            "order": "when" if self.oldest_first else "",
            **(self.look.given if self.look else {}),
        }
        found = {name: value for name, value in {**kept, **changes}.items() if value not in ("", None)}
        return found or ({} if "view" in changes else {"view": EVERYTHING})


def read(args: Mapping[str, str], look: Look | None = None) -> AuditQuery:
    """Return what the address asks for; raises InputError that names the argument that is wrong."""
    since = args.get("since", "").strip()
    run_list.require_since(since)
    before, after = query.optional_id(args, "before"), query.optional_id(args, "after")
    return AuditQuery(
        kind=query.word(args, "kind", ("", *KINDS), ""),
        actor=query.text(args, "actor"),
        subject=query.text(args, "subject"),
        search=query.text(args, "q"),
        since=since,
        until=run_list.read_moment(args, "until"),
        oldest_first=_ORDERS[query.word(args, "order", _ORDERS, "")],
        before=before,
        after=after,
        is_last_page=before is None and after is None and query.word(args, "page", ("", "last"), "") == "last",
        look=look,
    )


def read_script(args: Mapping[str, str]) -> tuple[AuditQuery, Look]:
    """Return what the table's script asks for: the filters, the order and the place of the page's address."""
    look = list_look.read(SHAPE, args, {})
    address: Mapping[str, str] = MultiDict(parse_qsl(args.get("address", ""), max_num_fields=100))
    return read(address, list_look.read(SHAPE, address, {})), look


def find(asked: AuditQuery, limit: int, **place: Any) -> Sequence[AuditEntry]:
    """Return entries that the filters let through, newest first."""
    return audit.list_page(
        database(),
        limit=limit,
        action=f"{asked.kind}." if asked.kind else "",
        actor=asked.actor,
        subject=asked.subject,
        search=asked.search,
        since=run_list.since_of(asked.since, current.now(), current.zone()),
        until=run_list.end_of(asked.until, current.zone()),
        **place,
    )


def find_page(asked: AuditQuery, rows: int) -> tuple[Sequence[AuditEntry], dict[str, dict[str, Any] | None]]:
    """Return the entries of a page in its order, and the arguments of the addresses of those around it; None where there is none."""
    at_oldest = asked.is_last_page or (asked.oldest_first and asked.is_first_page)
    after = 0 if at_oldest else asked.after
    # One more than is shown tells whether there is another page; going back it is the newest of them.
    found = find(asked, rows + 1, before=None if at_oldest else asked.before, after=after)
    is_more = len(found) > rows
    if after is not None:
        entries, has_newer, has_older = found[-rows:], is_more, bool(after)
    else:
        entries, has_newer, has_older = found[:rows], asked.before not in (None, query.HIGHEST_ID), is_more
    if not entries:
        return entries, dict.fromkeys(("newest", "newer", "older", "oldest"))
    # The list that is turned round begins where the other one ends.
    newest = asked.address(before=query.HIGHEST_ID) if asked.oldest_first else asked.address()
    oldest = asked.address() if asked.oldest_first else asked.address(page="last")
    turns = {
        "newest": newest if has_newer else None,
        "newer": asked.address(after=entries[0].id) if has_newer else None,
        "older": asked.address(before=entries[-1].id) if has_older else None,
        "oldest": oldest if has_older else None,
    }
    return entries[::-1] if asked.oldest_first else entries, turns


def plain_value(value: object) -> str:
    """Return a value of an entry as text: what is more than a word as the JSON that files and the API have, too."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
