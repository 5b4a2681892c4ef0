"""What the pages of the fleet show of templates, of the documents in them, and of handlers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from watchbell.domain import job_document, json_text, searching
from watchbell.domain.job_document import Document
from watchbell.errors import InputError
from watchbell.services import job_handlers, job_library, template_uses
from watchbell.services.job_handlers import HandlerView
from watchbell.store.job_library import JobTemplate
from watchbell.web import current, document_editor, query
from watchbell.web.db import database
from watchbell.web.document_editor import Editor, StepRead
from watchbell.web.i18n import grouped, ngettext
from watchbell.web.presenters import local_text

TEMPLATE_COLUMNS = (
    *("id", "name", "category", "description", "steps", "variables", "in_use", "ready_made"),
    *("created_by", "updated_at"),
)
HANDLER_COLUMNS = (
    *("name", "description", "script_type", "bytes", "sha256", "version", "templates", "ready_made"),
    *("created_by", "updated_at"),
)
_STATES = ("", "used", "unused", "ready", "own")


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """Which templates a list shows."""

    q: str
    category: str
    state: str

    def lets_through(self, one: JobTemplate) -> bool:
        """Return whether a template is among them."""
        is_ready = job_library.is_of_the_beginning(one)
        held = {"": True, "used": one.is_active, "unused": not one.is_active, "ready": is_ready, "own": not is_ready}
        text = f"{one.name} {one.description or ''} {one.category}"
        return (
            held[self.state]
            and self.category in {"", one.category}
            and searching.answers(text, searching.words_of(self.q))
        )

    @property
    def is_filtered(self) -> bool:
        """Return whether anything is left out."""
        return bool(self.q or self.category or self.state)

    @property
    def address(self) -> dict[str, str]:
        """Return the arguments of an address that asks for the same."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value}


@dataclasses.dataclass(frozen=True, slots=True)
class TemplateRow:
    """A template as a list shows it."""

    template: JobTemplate
    steps: int
    variables: Sequence[str]
    is_ready_made: bool


def asked_templates(args: Mapping[str, str]) -> Asked:
    """Return which templates an address asks for."""
    return Asked(query.text(args, "q"), query.text(args, "category"), query.word(args, "state", _STATES, ""))


def template_list(every: Sequence[JobTemplate], asked: Asked) -> dict[str, Any]:
    """Return what the list of templates shows: its rows by category, and the sentence above them."""
    rows = [_row(one) for one in every if asked.lets_through(one)]
    by_category: dict[str, list[TemplateRow]] = {}
    for row in rows:
        by_category.setdefault(row.template.category, []).append(row)
    return {
        "groups": by_category,
        "asked": asked,
        "every": len(every),
        "categories": categories(every),
        "answer": _answer(every, rows, asked),
    }


def _answer(every: Sequence[JobTemplate], rows: Sequence[TemplateRow], asked: Asked) -> str:
    if asked.is_filtered:
        return ngettext(
            "%(num)s template of %(all)s.", "%(num)s templates of %(all)s.", len(rows), all=grouped(len(every))
        )
    told = ngettext("%(num)s template", "%(num)s templates", len(every))
    ready = sum(row.is_ready_made for row in rows)
    of_them = ngettext("%(num)s of them ready-made", "%(num)s of them ready-made", ready)
    return f"{told}, {of_them}." if ready else f"{told}."


def _row(one: JobTemplate) -> TemplateRow:
    try:
        read = job_document.read(one.document)
        steps = len(read.steps) + (read.final_step is not None)
    except InputError:
        # One that an older version took; its page says what is wrong with it.
        steps = 0
    names = sorted(job_document.names_in(one.document))
    return TemplateRow(one, steps, names, job_library.is_of_the_beginning(one))


def template_rows(args: Mapping[str, str]) -> list[dict[str, object]]:
    """Return the templates that an address asks for, for the twins of the list."""
    asked = asked_templates(args)
    found = [_row(one) for one in job_library.list_templates(database()) if asked.lets_through(one)]
    return [
        {
            **{name: getattr(row.template, name) for name in ("id", "name", "category", "description", "created_by")},
            "steps": row.steps,
            "variables": " ".join(row.variables),
            "in_use": row.template.is_active,
            "ready_made": row.is_ready_made,
            "updated_at": local_text(row.template.updated_at, current.zone()),
        }
        for row in found
    ]


def categories(every: Iterable[JobTemplate]) -> list[str]:
    """Return the categories that there are, and those that everybody knows."""
    return sorted({"custom", "deployment", "maintenance", "monitoring", "system", *(one.category for one in every)})


def template_page(template: JobTemplate) -> dict[str, Any]:
    """Return what the page of a template shows."""
    problems: Sequence[document_editor.Told] = ()
    reading = None
    try:
        reading = reading_of(template.document, job_document.read(template.document, "job_document"))
    except InputError as error:
        editor = document_editor.begin(template.document, document_editor.JSON)
        editor.tell(error)
        problems = editor.problems
    return {
        "template": template,
        "reading": reading,
        "problems": problems,
        "text": json_text.write(template.document),
        "is_ready_made": job_library.is_of_the_beginning(template),
        "uses": template_uses.of(database(), template.id),
    }


@dataclasses.dataclass(frozen=True, slots=True)
class NamedValue:
    """A variable of a document."""

    name: str
    description: str
    default: str | None
    #: Whether it stands anywhere in the document.
    is_used: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """How a document is understood."""

    document: Document
    steps: Sequence[StepRead]
    variables: Sequence[NamedValue]
    #: Whether its steps stand in objects that hold an action each, as AWS writes them.
    is_wrapped: bool
    #: Whether it is of version 0.0.
    is_earliest: bool
    #: As a device would have it with no values but the defaults, and why that cannot be, in words.
    text: str
    trouble: str
    #: Handlers that it names and that are not there.
    missing: Sequence[str]


def reading_of(document: Mapping[str, Any], read: Document) -> Reading:
    """Return how a document is understood."""
    used = job_document.names_in(document)
    variables = [
        NamedValue(
            name,
            read.variables[name].description if name in read.variables else "",
            read.variables[name].default if name in read.variables else None,
            name in used,
        )
        for name in [*read.variables, *sorted(used - set(read.variables))]
    ]
    text, trouble = "", ""
    try:
        text = json_text.write(document_editor.filled(document))
    except InputError as error:
        trouble = " ".join(document_editor.words_of(problem) for problem in error.problems)
    known = {one.name for one in job_library.find_handlers(database(), read.handlers)}
    return Reading(
        read,
        document_editor.steps_read(read),
        variables,
        document_editor.is_wrapped(document),
        "steps" not in document,
        text,
        trouble,
        sorted(name for name in read.handlers - known if "{{" not in name),
    )


def variables_of(documents: Sequence[Mapping[str, Any]]) -> list[NamedValue]:
    """Return what has to be given to documents, as they describe it."""
    found: dict[str, NamedValue] = {}
    for document in documents:
        told = document.get("variables")
        defaults = job_document.defaults_in(document)
        for name in sorted(job_document.names_in(document)):
            one = told.get(name) if isinstance(told, Mapping) else None
            description = one.get("description") if isinstance(one, Mapping) else None
            words = description if isinstance(description, str) else ""
            before = found.get(name)
            default = defaults.get(name)
            if before is not None:
                # A value that only one of them has a default for has to be given all the same.
                words, default = before.description or words, default if before.default is not None else None
            found[name] = NamedValue(name, words, default, True)
    return list(found.values())


def reading_of_final(document: Mapping[str, Any]) -> Reading:
    """Return how a document is understood that has all its values."""
    read = job_document.read(document, is_filled=True)
    known = {one.name for one in job_library.find_handlers(database(), read.handlers)}
    wrapped, earliest = document_editor.is_wrapped(document), "steps" not in document
    return Reading(
        read, document_editor.steps_read(read), (), wrapped, earliest, json_text.write(document), "", sorted(read.handlers - known)
    )  # fmt: skip


def focus_of(word: str, editor: Editor) -> str:
    """Return the id of what the reader goes on with after a button was pressed; empty for nothing."""
    rows = editor.rows
    if not word or rows is None:
        return ""
    verb, _colon, number = word.partition(":")
    verb, _dash, kind = verb.partition("-")
    if kind == "final":
        return "step-0-name" if rows.final else "add-final"
    count = {"step": len(rows.in_order), "condition": len(rows.conditions), "variable": len(rows.variables)}.get(kind)
    if count is None or verb not in {"add", "remove", "up", "down"}:
        return ""
    place = count if verb == "add" else int(number) if number.isascii() and number.isdigit() else 0
    place += {"up": -1, "down": 1}.get(verb, 0)
    first = {"step": "name", "condition": "key", "variable": "name"}[kind]
    return f"{kind}-{min(max(place, 1), count)}-{first}" if count else f"add-{kind}"


def handler_rows(found: Iterable[HandlerView]) -> list[dict[str, object]]:
    """Return handlers for the twins of their list."""
    return [
        {
            **{name: getattr(view.handler, name) for name in ("name", "description", "script_type", "sha256")},
            "bytes": len(view.handler.script_content.encode()),
            "version": view.version,
            "templates": " ".join(view.templates),
            "ready_made": job_library.is_of_the_beginning(view.handler),
            "created_by": view.handler.created_by,
            "updated_at": local_text(view.handler.updated_at, current.zone()),
        }
        for view in found
    ]


def find_handlers(args: Mapping[str, str]) -> list[HandlerView]:
    """Return the handlers that an address asks for."""
    words = searching.words_of(query.text(args, "q"))
    return [
        view
        for view in job_handlers.list_views(database())
        if searching.answers(f"{view.handler.name} {view.handler.description or ''} {view.handler.script_type}", words)
    ]
