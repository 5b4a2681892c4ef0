"""The list of runs as its page, its script and its twins are answered."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from flask import request
from werkzeug.datastructures import MultiDict

from watchbell.errors import InputError, NotFound
from watchbell.services import decisions, run_lists, runs, task_lists, tasks
from watchbell.store.runs import Run
from watchbell.web import bulk_forms, current, list_look, presenters_runs, query, run_list, run_sentences
from watchbell.web.db import database
from watchbell.web.i18n import grouped, ngettext
from watchbell.web.list_look import Look
from watchbell.web.presenters import RunView, run_view
from watchbell.web.run_list import RunQuery

_MOST_TWIN_ROWS = 2**31


def asked(args: MultiDict[str, str]) -> tuple[RunQuery, Look]:
    """Return what an address asks for, and how it is shown."""
    look = list_look.read(run_list.SHAPE, args, request.cookies)
    return run_list.read(args, args, database(), look), look


def asked_by_script(args: MultiDict[str, str]) -> tuple[RunQuery, Look]:
    """Return what the table's script asks for: the filters and the place of the page's address, in the order of its heads."""
    look = list_look.read(run_list.SHAPE, args, {})
    address = args.get("address")
    wanted, told = asked(args if address is None else MultiDict(parse_qsl(address, max_num_fields=100)))
    # The columns are those of the table's heads; what leads on from the list says what the page's address says of them.
    return _turned(wanted, args), dataclasses.replace(look, given=told.given)


def _turned(wanted: RunQuery, args: MultiDict[str, str]) -> RunQuery:
    order = args.get("order[0][name]")
    if order is None:
        return wanted
    query.word(args, "order[0][name]", ("id",), "id")
    direction = query.word(args, "order[0][dir]", ("asc", "desc"), "desc")
    return dataclasses.replace(wanted, oldest_first=direction == "asc" and wanted.can_be_turned)


def shown(wanted: RunQuery, look: Look) -> dict[str, Any]:
    """Return the rows that were asked for, and what their number and place say."""
    chosen = run_list.as_filter(database(), wanted, now=current.now(), zone=current.zone())
    page = run_list.find(database(), wanted, chosen, look.length)
    rows = presenters_runs.run_views(page.runs, current.now())
    # Of a list that is too long to be counted it is not told, so that nothing needs to be counted by task.
    is_told = wanted.is_first_page and page.filtered < runs.COUNT_LIMIT
    few = run_lists.find_few(database(), chosen) if is_told else None
    number = grouped(page.filtered) + ("+" if page.filtered >= runs.COUNT_LIMIT else "")
    sentence = (
        run_sentences.found(wanted, page, few, is_backwards=chosen.is_backwards) if wanted.is_filtered else _today()
    )
    return {
        "page": page,
        "is_backwards": chosen.is_backwards,
        "rows": rows[::-1] if wanted.oldest_first else rows,
        "turns": run_list.places(wanted, page, look.length),
        "answer": sentence,
        "total": ngettext("%(number)s run", "%(number)s runs", page.filtered, number=number),
        **_beside(wanted, look),
    }


def _beside(wanted: RunQuery, look: Look) -> dict[str, Any]:
    """Return what stands around the rows and changes with them."""
    return {
        "asked": wanted,
        "open_decisions": decisions.count_open(database()),
        "run_list": run_list,
        **list_look.context(look, wanted.address(view=None)),
    }


def choices() -> dict[str, Any]:
    """Return what the fields of the filters offer."""
    return {
        "triggers": run_sentences.triggers(),
        "since": run_sentences.since(),
        "marks": task_lists.list_marks(database()),
        "hosts": run_lists.list_hosts(database()),
    }


def twin_rows() -> Iterator[RunView]:
    """Return all runs that the address of a twin asks for, or as many as it says; they are read while they are sent."""
    now, zone = current.now(), current.zone()
    limit = query.whole(request.args, "limit", _MOST_TWIN_ROWS, 1, _MOST_TWIN_ROWS)
    ids = bulk_forms.ids_of(request.args)
    if ids is not None:
        found: Iterator[Any] = iter(run_lists.list_by_ids(database(), ids))
    else:
        wanted = asked(request.args)[0]
        if run_list.as_filter(database(), wanted, now=now, zone=zone).is_backwards:
            # A file without rows would look as if nothing had run.
            raise InputError.of("to" if wanted.end else "from", run_sentences.backwards())
        found = run_list.walk(database(), wanted, now=now, zone=zone)
    return (run_view(run, now) for run in itertools.islice(found, limit))


def _today() -> str:
    day_start = run_list.day_start(current.now(), current.zone())
    return presenters_runs.today_sentence(runs.overview(database(), day_start=day_start, recent=0).today)


@dataclasses.dataclass(frozen=True, slots=True)
class Runbook:
    """What to do about a run, as its task says now: who has written it since knows more."""

    text: str
    links: Sequence[Mapping[str, str]]


def runbook_of(run: Run) -> Runbook | None:
    """Return what the task of a run says is to be done, None if it says nothing or is not there any more."""
    try:
        task = tasks.get(database(), run.task_id)
    except NotFound:
        return None
    return Runbook(task.runbook, task.links) if task.runbook or task.links else None
