"""The audit: who did what, from where; for administrators."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.services import audit
from watchbell.store.audit import AuditEntry
from watchbell.web import current, list_look, query, run_list, run_sentences
from watchbell.web.db import database
from watchbell.web.i18n import _, ngettext
from watchbell.web.list_look import EVERYTHING, Column, Look, Shape
from watchbell.web.presenters import local_text
from watchbell.web.twins import csv_response

blueprint = Blueprint("audit", __name__)

SHAPE = Shape(
    "audit",
    (
        Column("what", "wb-cell--main", is_fixed=True),
        Column("when"),
        Column("who"),
        Column("of", "wb-cell--wide wb-cell--wrap wb-audit__of"),
        Column("from"),
        Column("more", "wb-cell--wide wb-cell--wrap wb-cell--rest"),
        Column("id", "wb-number wb-cell--quiet", is_shown=False),
    ),
    length=50,
)
_EXPORT_ROWS = 100_000
#: Kinds of deeds, which the filter offers.
KINDS = ("login", "request", "account", "token", "task", "run", "pause", "queue", "scheduler", "log")
_COLUMNS = ("id", "at", "actor", "way", "address", "action", "subject", "name", "detail", "request_id", "digest")


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
    before: int | None = None
    after: int | None = None
    look: Look | None = None

    @property
    def is_filtered(self) -> bool:
        """Return whether entries may be left out."""
        return any((self.kind, self.actor, self.subject, self.search, self.since, self.until))

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
            **(self.look.given if self.look else {}),
        }
        found = {name: value for name, value in {**kept, **changes}.items() if value not in ("", None)}
        return found or ({} if "view" in changes else {"view": EVERYTHING})


@blueprint.get("/audit")
def index() -> AnyResponse | str:
    first = list_look.first_view("audit", "audit.index")
    if first is not None:
        return first
    look = list_look.read(SHAPE, request.args, request.cookies)
    asked = _read(request.args, look)
    if request.args.get("remember"):
        return list_look.chosen(SHAPE, "audit.index", asked.address(cols=None, length=None))
    return render_template(
        "audit/index.html", **_shown(asked, look), **list_look.context(look, asked.address(view=None))
    )


@blueprint.get("/audit.csv")
def index_csv() -> Response:
    rows = ({**_json(entry), "detail": _flat(entry.detail)} for entry in _everything())
    return csv_response("audit", _COLUMNS, rows)


@blueprint.get("/audit.json")
def index_json() -> Response:
    return jsonify([_json(entry) for entry in _everything()])


@blueprint.post("/audit/verify")
def verify() -> AnyResponse:
    """Look at the whole chain and say whether it is what was written."""
    found = audit.verify(database())
    if found.is_whole:
        words = ngettext(
            "%(num)s entry is as it was written.", "All %(num)s entries are as they were written.", found.entries
        )
        flash(words, "success")
    else:
        text = _(
            "The audit is not what was written: entry %(number)s, %(reason)s.",
            number=found.broken_at,
            reason=found.reason,
        )
        flash(text, "danger")
    return redirect(url_for("audit.index"), 303)


def _shown(asked: AuditQuery, look: Look) -> dict[str, Any]:
    entries, has_newer, has_older = _page(asked, look.length)
    return {
        "asked": asked,
        "entries": entries,
        "kinds": KINDS,
        "since_words": run_sentences.since(),
        "turns": {
            "newest": asked.address() if has_newer else None,
            "newer": asked.address(after=entries[0].id) if has_newer else None,
            "older": asked.address(before=entries[-1].id) if has_older else None,
        },
        "anchor": audit.anchor_of(database()),
    }


def _read(args: Mapping[str, str], look: Look | None = None) -> AuditQuery:
    since = args.get("since", "").strip()
    run_list.require_since(since)
    return AuditQuery(
        kind=query.word(args, "kind", ("", *KINDS), ""),
        actor=query.text(args, "actor"),
        subject=query.text(args, "subject"),
        search=query.text(args, "q"),
        since=since,
        until=run_list.read_moment(args, "until"),
        before=query.optional_id(args, "before"),
        after=query.optional_id(args, "after"),
        look=look,
    )


def _find(asked: AuditQuery, limit: int, **place: Any) -> Sequence[AuditEntry]:
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


def _page(asked: AuditQuery, rows: int) -> tuple[Sequence[AuditEntry], bool, bool]:
    """Return the entries of a page, and whether there are newer and older ones."""
    # One more than is shown tells whether there is another page; going back it is the newest of them.
    found = _find(asked, rows + 1, before=asked.before, after=asked.after)
    is_more = len(found) > rows
    if asked.after is not None:
        return found[-rows:], bool(found) and is_more, bool(found)
    return found[:rows], bool(found) and asked.before is not None, is_more


def _everything() -> Sequence[AuditEntry]:
    return _find(_read(request.args), _EXPORT_ROWS)


def _json(entry: AuditEntry) -> dict[str, object]:
    told = {name: getattr(entry, name) for name in _COLUMNS}
    return {**told, "at": local_text(entry.at, current.zone())}


def _flat(detail: Mapping[str, Any]) -> str:
    return "; ".join(f"{name}: {_told(value)}" for name, value in detail.items())


def _told(value: object) -> str:
    if isinstance(value, list) and len(value) == 2:
        return f"{value[0]} → {value[1]}"
    return str(value)
