"""Search: tasks, devices, runs, outputs, pages and actions by a few words, as a page and for the command palette."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, jsonify, render_template, request

from watchbell.domain import searching
from watchbell.services import search
from watchbell.services.search import Found, OutputSearch
from watchbell.web import choices, current, presenters, query, twins
from watchbell.web.choices import Choice
from watchbell.web.db import database

blueprint = Blueprint("search", __name__)

GROUPS = ("tasks", "devices", "runs", "output", "pages")
_SHOWN = 10
_CSV_COLUMNS = ("kind", "title", "detail", "address", "state", "line")
#: So many tasks, devices and runs the palette may ask for by their numbers.
_MOST_KNOWN = 50


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """Everything that was found, by group; None for one that was not asked for."""

    text: str
    tasks: Found | None
    devices: Found | None
    runs: Found | None
    output: OutputSearch | None
    pages: Sequence[Choice]
    acts: Sequence[Choice]
    #: The words that are marked in what was found.
    words: Sequence[str]

    @property
    def is_empty(self) -> bool:
        """Return whether nothing at all was found."""
        lists = [found.rows for found in (self.tasks, self.devices, self.runs) if found is not None]
        return not any((*lists, self.output and self.output.hits, self.pages, self.acts))


@blueprint.get("/search")
def index() -> str:
    """Show what was found, grouped; nothing is looked for without a word."""
    return render_template(
        "search/index.html",
        found=_answer(GROUPS),
        below=_below(),
        marked=searching.marked,
        choices=choices,
        size_words=presenters.size_words,
    )


@blueprint.get("/search.json")
def index_json() -> Response:
    """Return the groups that were asked for with ``in``; the palette asks for those that are found at once."""
    asked = [part for part in request.args.get("in", "").split(",") if part in GROUPS] or GROUPS
    return jsonify(_json(_answer(asked)))


@blueprint.get("/search.csv")
def index_csv() -> Response:
    return twins.csv_response("search", _CSV_COLUMNS, _csv(_answer(GROUPS)))


def _answer(groups: Sequence[str]) -> Answer:
    text, db = query.text(request.args, "q"), database()
    verb, rest = choices.split(text)
    below = _below()
    tasks = search.find_tasks(db, rest, limit=_SHOWN) if "tasks" in groups else None
    # Whoever looks further back in the outputs has seen the rest.
    output = search.find_outputs(db, current.config().output_path, text, below=below) if "output" in groups else None
    return Answer(
        text=text,
        tasks=tasks,
        devices=search.find_devices(db, text, limit=_SHOWN) if "devices" in groups else None,
        runs=search.find_runs(db, text, limit=_SHOWN) if "runs" in groups else None,
        output=output,
        pages=choices.find(text) if "pages" in groups and (text or request.path.endswith(".json")) else (),
        acts=choices.acts_of_tasks(tasks.rows, verb) if tasks is not None else (),
        words=searching.words_of(rest),
    )


def _below() -> int | None:
    return query.optional_id(request.args, "before")


def _json(found: Answer) -> dict[str, Any]:
    told: dict[str, Any] = {"query": found.text}
    if found.tasks is not None:
        told["tasks"] = [choices.of_task(row).to_json() for row in found.tasks.rows]
        told["more_tasks"] = found.tasks.has_more
    if found.devices is not None:
        told["devices"] = [choices.of_device(hit).to_json() for hit in found.devices.rows]
        told["more_devices"] = found.devices.has_more
    if found.runs is not None:
        told["runs"] = [choices.of_run(row).to_json() for row in found.runs.rows]
        told["more_runs"] = found.runs.has_more
    told["actions"] = [one.to_json() for one in (*found.acts, *(one for one in found.pages if one.kind == "action"))]
    told["pages"] = [one.to_json() for one in found.pages if one.kind == "page"]
    if found.output is not None:
        told["output"] = _output_json(found.output)
    return {**told, "known": _known()}


def _known() -> list[dict[str, Any]]:
    """Return tasks with what can be done with them, devices and runs, by the numbers that were asked for."""
    ids = {name: _numbers(name) for name in ("task", "device", "run")}
    found: list[Choice] = []
    for row in search.list_tasks(database(), ids["task"]) if ids["task"] else ():
        found += [choices.of_task(row), *choices.acts_of_task(row)]
    found += [
        choices.of_device(hit) for hit in (search.list_devices(database(), ids["device"]) if ids["device"] else ())
    ]
    found += [choices.of_run(row) for row in (search.list_runs(database(), ids["run"]) if ids["run"] else ())]
    return [one.to_json() for one in found]


def _numbers(name: str) -> list[int]:
    texts = request.args.get(name, "").split(",")[:_MOST_KNOWN]
    return [query.whole({name: text}, name, None, 0, query.HIGHEST_ID) for text in texts if text]


def _output_json(found: OutputSearch) -> dict[str, Any]:
    return {
        "hits": [
            {
                **choices.of_run(hit.run).to_json(),
                "stream": hit.stream,
                "lines": [
                    {
                        "number": line.number,
                        "text": line.text,
                        "address": choices.line_address(hit.run.id, hit.stream, line.number),
                    }
                    for line in hit.lines
                ],
            }
            for hit in found.hits
        ],
        "looked_at": found.looked_at,
        "read_bytes": found.read_bytes,
        "back_to": presenters.local_text(found.oldest, current.zone()),
        "further": found.further,
        "is_busy": found.is_busy,
    }


def _csv(found: Answer) -> list[Mapping[str, object]]:
    tasks = [choices.of_task(row) for row in found.tasks.rows] if found.tasks else []
    runs = [choices.of_run(row) for row in found.runs.rows] if found.runs else []
    devices = [choices.of_device(hit) for hit in found.devices.rows] if found.devices else []
    rows: list[Mapping[str, object]] = [one.to_json() for one in (*tasks, *devices, *runs, *found.pages)]
    for hit in found.output.hits if found.output else ():
        run = choices.of_run(hit.run).to_json()
        for line in hit.lines:
            address = choices.line_address(hit.run.id, hit.stream, line.number)
            rows.append({**run, "kind": "output", "detail": line.text, "address": address, "line": line.number})
    return rows
