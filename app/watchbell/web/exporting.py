"""The files of an export: tasks as a document that an import takes, or as a crontab."""

from __future__ import annotations

from flask import Response, request

from watchbell.domain.crontab import write_crontab
from watchbell.domain.task_document import to_document
from watchbell.errors import InputError
from watchbell.services import task_files, task_lists, transfer
from watchbell.web import current, list_look, query, shown_variables, task_list
from watchbell.web.db import database

_TYPES = {"yaml": "application/yaml", "json": "application/json", "crontab": "text/plain"}
_MOST_CHOSEN = 10_000


def answer(kind: str) -> Response:
    """Return the tasks that the address asks for, by ids or by the filters of the list, as a file of that kind."""
    names = _names()
    found, queues = transfer.list_definitions(database(), names) if names != [] else ([], [])
    found = list(map(shown_variables.definition, found))
    calendars = transfer.list_calendars(database(), found, names or ()) if names != [] else []
    if kind == "crontab":
        text = write_crontab(found, now=current.now(), defaults=current.defaults(), user=None).text
    else:
        sets = transfer.list_sets(database(), found, names or ()) if names != [] else []
        blackouts = (
            transfer.list_blackouts(database(), [one.name for one in found] if names else ())
            if found or names == ()
            else []
        )
        text = task_files.write(
            to_document(found, queues, calendars, blackouts, [*map(shown_variables.of_set, sets)]), kind
        )
    response = Response(text, content_type=f"{_TYPES[kind]}; charset=utf-8")
    response.headers["Content-Disposition"] = f"attachment; filename=watchbell-tasks.{kind.replace('crontab', 'cron')}"
    return response


def _names() -> list[str] | tuple[()]:
    """Return the ids of the tasks that are asked for; an empty tuple stands for all of them."""
    chosen = request.args.getlist("id")
    _require_few(len(chosen))
    if chosen:
        return [str(query.whole({"id": number}, "id", None, 1, query.HIGHEST_ID)) for number in chosen]
    asked = task_list.from_page(request.args, list_look.read(task_list.SHAPE, request.args, {}))
    if not asked.is_filtered:
        return ()
    found = task_lists.list_names(database(), task_list.as_filter(asked), _MOST_CHOSEN + 1)
    _require_few(len(found))
    return [str(number) for number in found]


def _require_few(number: int) -> None:
    """Raise InputError for more tasks than are looked up by their numbers: a file that lacks some would be taken for whole."""
    if number > _MOST_CHOSEN:
        raise InputError.of("q", f"chooses more than {_MOST_CHOSEN:,} tasks; narrow the filters, or export all tasks")
