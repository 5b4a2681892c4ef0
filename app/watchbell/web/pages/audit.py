"""The audit: who did what, from where; for administrators."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.services import audit
from watchbell.store.audit import AuditEntry
from watchbell.web import audit_list, current, list_look, query, run_sentences
from watchbell.web.audit_list import SHAPE, AuditQuery
from watchbell.web.db import database
from watchbell.web.i18n import _, ngettext
from watchbell.web.list_look import Look
from watchbell.web.presenters import local_text
from watchbell.web.told import told
from watchbell.web.twins import csv_response

blueprint = Blueprint("audit", __name__)

_EXPORT_ROWS = 100_000
_COLUMNS = ("id", "at", "actor", "way", "address", "action", "subject", "name", "detail", "request_id", "digest")


@blueprint.get("/audit")
def index() -> AnyResponse | str:
    first = list_look.first_view("audit", "audit.index")
    if first is not None:
        return first
    look = list_look.read(SHAPE, request.args, request.cookies)
    asked = audit_list.read(request.args, look)
    if request.args.get("remember"):
        return list_look.chosen(SHAPE, "audit.index", asked.address(cols=None, length=None))
    return render_template("audit/index.html", **_shown(asked, look))


@blueprint.get("/audit/data")
def data() -> Response:
    """Answer the table's script in the server-side protocol of DataTables; the place in the list is one of its keys."""
    asked, look = audit_list.read_script(request.args)
    shown = _shown(asked, look)
    return jsonify(
        draw=query.whole(request.args, "draw", None, 0, 2**31),
        recordsTotal=shown["anchor"][0],
        recordsFiltered=len(shown["entries"]),
        data=json.loads(render_template("audit/rows.html", **shown)),
        parts=render_template("audit/list_parts.html", **shown),
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
            reason=told(found.reason),
        )
        flash(text, "danger")
    return redirect(url_for("audit.index"), 303)


def _shown(asked: AuditQuery, look: Look) -> dict[str, Any]:
    entries, turns = audit_list.find_page(asked, look.length)
    return {
        "asked": asked,
        "entries": entries,
        "kinds": audit_list.KINDS,
        "since_words": run_sentences.since(),
        "turns": turns,
        "anchor": audit.anchor_of(database()),
        **list_look.context(look, asked.address(view=None)),
    }


def _everything() -> Sequence[AuditEntry]:
    return audit_list.find(audit_list.read(request.args), _EXPORT_ROWS)


def _json(entry: AuditEntry) -> dict[str, object]:
    told = {name: getattr(entry, name) for name in _COLUMNS}
    return {**told, "at": local_text(entry.at, current.zone())}


def _flat(detail: Mapping[str, Any]) -> str:
    return "; ".join(f"{name}: {_told(value)}" for name, value in detail.items())


def _told(value: object) -> str:
    if isinstance(value, list) and len(value) == 2:
        return f"{value[0]} → {value[1]}"
    return str(value)
