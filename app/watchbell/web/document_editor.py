"""The editor of a job document: one document, seen as JSON or as steps, and what is wrong with it, with line and path."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from werkzeug.datastructures import MultiDict

from watchbell.domain import job_document, json_text
from watchbell.domain.job_document import Document
from watchbell.domain.job_document import Step as DocumentStep
from watchbell.domain.job_document.command import SHELL
from watchbell.domain.json_text import NotJSON, Read
from watchbell.errors import InputError, Problem
from watchbell.web.forms import document_rows
from watchbell.web.forms.document_rows import DocumentRows
from watchbell.web.i18n import _
from watchbell.web.told import sentence

JSON, STEPS = "json", "steps"
#: The button that does something with the document: a view, ``format``, or what ``document_rows.act`` takes.
ACT = "act"
#: The name that problems of a document begin with.
_PLACE = "job_document"
#: What a new document begins as.
EXAMPLE = {
    "version": "1.0",
    "steps": [{"name": "disk", "type": "runCommand", "input": {"command": "df,-h"}}],
    "includeStdOut": True,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """One thing that is wrong with a document."""

    text: str
    #: The names and numbers on the way to it, with dots between them; empty for the whole.
    path: str = ""
    line: int | None = None

    @property
    def step(self) -> int | None:
        """Return the number of the step that it is about, 0 for the final one, None for none."""
        first, _dot, rest = self.path.partition(".")
        number = rest.partition(".")[0]
        if first == "finalStep":
            return 0
        return int(number) + 1 if first == "steps" and number.isdigit() else None


@dataclasses.dataclass(slots=True)
class Editor:
    """A document that is being edited."""

    view: str
    #: As JSON; while its rows are edited it is what they were made from.
    text: str
    rows: DocumentRows | None = None
    problems: Sequence[Told] = ()
    #: Why it cannot be shown as steps, empty if it can.
    refusal: str = ""

    def act(self, word: str) -> None:
        """Do what a button said; what cannot be done is told in ``problems`` and changes nothing."""
        try:
            if word in {JSON, STEPS}:
                self._show(word)
            elif word == "format" and self.view == JSON:
                self.text = json_text.write(json_text.read(self.text, _PLACE).value)
            elif self.rows is not None:
                document_rows.act(self.rows, word)
        except InputError as error:
            self.tell(error)

    def _show(self, view: str) -> None:
        if view == self.view:
            return
        text = self.as_text()
        if view == STEPS:
            found = json_text.read(text, _PLACE).value
            self.refusal = document_rows.refusal(found) or ""
            if self.refusal:
                return
            self.rows = document_rows.rows_of(found)
        else:
            self.rows = None
        self.view, self.text = view, text

    def as_text(self) -> str:
        """Return the document as JSON, unchanged if nobody has changed it; raises InputError if its rows make none."""
        if self.rows is None:
            return self.text
        base = json_text.read(self.text, _PLACE).value if self.text.strip() else None
        made = document_rows.document_of(self.rows, base if isinstance(base, Mapping) else None)
        return self.text if made == base else json_text.write(made)

    def read(self) -> tuple[dict[str, Any], Document]:
        """Return the document, and as it was understood; raises InputError, which ``tell`` puts to its lines."""
        text = self.as_text()
        if not text.strip():
            raise InputError.of(_PLACE, _("is needed"))
        found = json_text.read(text, _PLACE).value
        return found, job_document.read(found, _PLACE)

    def tell(self, error: InputError) -> None:
        """Put the problems of a document to the lines on which they stand."""
        if isinstance(error, NotJSON):
            self.problems = [Told(sentence(error.told), line=error.line)]
            return
        self.problems = [_told(problem, self._read_lines()) for problem in error.problems]

    def _read_lines(self) -> Read | None:
        try:
            return json_text.read(self.as_text(), _PLACE)
        except InputError:
            # Then that is what is told.
            return None

    def check(self) -> Document | None:
        """Return the document as it was understood, or None and tell what is wrong with it."""
        try:
            return self.read()[1]
        except InputError as error:
            self.tell(error)
            return None

    def wrong_steps(self) -> dict[int, list[str]]:
        """Return what is wrong with each step by its number, 0 for the final one."""
        found: dict[int, list[str]] = {}
        for one in self.problems:
            if one.step is not None:
                found.setdefault(one.step, []).append(one.text)
        return found


def begin(document: Mapping[str, Any] | None, view: str) -> Editor:
    """Return the editor of a document, or of a new one, in a view if it can be shown there."""
    editor = Editor(JSON, json_text.write(dict(document) if document is not None else EXAMPLE))
    if view == STEPS and document_rows.refusal(document or EXAMPLE) is None:
        editor.act(STEPS)
    return editor


def from_form(form: MultiDict[str, str]) -> Editor:
    """Return the editor as a form has sent it."""
    text = form.get("document", "").replace("\r\n", "\n")
    if form.get("view") == STEPS:
        return Editor(STEPS, text, document_rows.from_form(form))
    return Editor(JSON, text)


def problems_of(error: InputError) -> Iterable[Problem]:
    """Return the problems that are not those of the document."""
    return [one for one in error.problems if not _is_of_document(one)]


def _is_of_document(problem: Problem) -> bool:
    return problem.field == _PLACE or problem.field.startswith(f"{_PLACE}.")


def words_of(problem: Problem) -> str:
    """Return what is wrong with a part of a document."""
    example = " " + _("For example: %(example)s", example=problem.example) if problem.example else ""
    return f"{sentence(problem.message)}{example}"


def _told(problem: Problem, read: Read | None) -> Told:
    path = problem.field.removeprefix(_PLACE).lstrip(".")
    return Told(words_of(problem), path, read.line_of(path) if read is not None else None)


@dataclasses.dataclass(frozen=True, slots=True)
class StepRead:
    """A step as it was understood, for people."""

    number: int
    step: DocumentStep
    #: Whether a shell reads its command.
    is_shell: bool
    is_final: bool

    @property
    def line(self) -> str:
        """Return the line that the shell reads."""
        return self.step.argv[len(SHELL)]

    @property
    def values(self) -> Sequence[str]:
        """Return the values that the shell is given beside its line, as ``${1}`` and so on."""
        # Behind the line stands the name of the shell.
        return self.step.argv[len(SHELL) + 2 :] if self.is_shell else ()

    @property
    def words(self) -> Sequence[str]:
        """Return what is started, word for word."""
        return self.step.argv if self.step.handler is None else (self.step.handler, *self.step.args)


def steps_read(document: Document) -> list[StepRead]:
    """Return the steps of a document in the order in which they go."""
    every = [(step, False) for step in document.steps]
    every += [(document.final_step, True)] if document.final_step is not None else []
    return [
        StepRead(number, step, step.argv[: len(SHELL)] == SHELL and len(step.argv) > len(SHELL), is_final)
        for number, (step, is_final) in enumerate(every, start=1)
    ]


def is_wrapped(document: Mapping[str, Any]) -> bool:
    """Return whether the steps of a document stand in objects that hold an action each."""
    steps = document.get("steps")
    return isinstance(steps, list) and any(isinstance(one, Mapping) and "action" in one for one in steps)


def filled(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document with its defaults in place, and names where there are none."""
    defaults = job_document.defaults_in(document)
    missing = {name: f"{{{{{name}}}}}" for name in job_document.names_in(document) if name not in defaults}
    return job_document.fill_in(document, missing)
