"""A job document as rows that are typed into: its steps, conditions and variables, and the document that they make.

Each row carries what it was made from. What nobody has changed goes back into the document as it stood there, with all that
no field shows, so that the two ways to edit a document can be switched without loss. The order of the rows is the order of
the steps: a row can be added, moved and removed without a number being changed anywhere.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from werkzeug.datastructures import MultiDict

from watchbell.domain import json_text
from watchbell.errors import InputError, Problem
from watchbell.web.forms import document_texts
from watchbell.web.i18n import _
from watchbell.web.spans import seconds_text

COMMAND, HANDLER = "runCommand", "runHandler"
GO_ON, STOP = "go_on", "stop"
#: Where a step stands: among the others, or behind them all.
STEP, FINAL = "step", "final"
_NEW = {"version": "1.0", "steps": []}
_BREAKS = re.compile(r"[\r\n]+")


@dataclasses.dataclass(slots=True)
class StepRow:
    """One step; all that is typed is text."""

    name: str = ""
    type: str = COMMAND
    command: str = ""
    handler: str = ""
    #: One argument a line.
    args: str = ""
    #: One NAME=value a line.
    environment: str = ""
    user: str = ""
    limit: str = ""
    failure: str = STOP
    place: str = STEP
    was: str = ""

    @property
    def is_blank(self) -> bool:
        """Return whether nothing was typed into it."""
        typed = (self.name, self.command, self.handler, self.args, self.environment, self.user, self.limit)
        return not any(map(str.strip, typed))

    @property
    def others(self) -> dict[str, str]:
        """Return what else its step says, which has no field: names and values."""
        inner = _inner(_loaded(self.was))
        given = inner.get("input")
        told = {name: value for name, value in inner.items() if name in {"allowStdErr", "includeStdOut"}}
        if isinstance(given, Mapping) and given.get("path") is not None:
            told["path"] = given["path"]
        return {name: _text(value) for name, value in told.items()}


@dataclasses.dataclass(slots=True)
class ConditionRow:
    """One condition; one value a line."""

    key: str = ""
    values: str = ""
    was: str = ""

    @property
    def is_blank(self) -> bool:
        """Return whether nothing was typed into it."""
        return not (self.key.strip() or self.values.strip())


@dataclasses.dataclass(slots=True)
class VariableRow:
    """One variable."""

    name: str = ""
    description: str = ""
    default: str = ""
    was: str = ""

    @property
    def is_blank(self) -> bool:
        """Return whether nothing was typed into it."""
        return not (self.name.strip() or self.description.strip() or self.default.strip())


@dataclasses.dataclass(slots=True)
class DocumentRows:
    """All rows of a document."""

    steps: list[StepRow] = dataclasses.field(default_factory=list)
    conditions: list[ConditionRow] = dataclasses.field(default_factory=list)
    variables: list[VariableRow] = dataclasses.field(default_factory=list)
    includes_stdout: bool = False

    @property
    def in_order(self) -> list[StepRow]:
        """Return the steps without the final one."""
        return [row for row in self.steps if row.place != FINAL]

    @property
    def final(self) -> StepRow | None:
        """Return the final step, None without one."""
        return next((row for row in self.steps if row.place == FINAL), None)


_KINDS: Mapping[str, type[Any]] = {"step": StepRow, "condition": ConditionRow, "variable": VariableRow}


def from_form(form: MultiDict[str, str]) -> DocumentRows:
    """Return the rows that were sent, without those in which nothing stands: leaving one empty is how it is removed."""
    found = {kind: [row for row in _sent(form, kind) if not _is_left_empty(kind, row)] for kind in _KINDS}
    return DocumentRows(found["step"], found["condition"], found["variable"], form.get("includes_stdout") == "y")


def _sent(form: MultiDict[str, str], kind: str) -> Iterator[Any]:
    names = [field.name for field in dataclasses.fields(_KINDS[kind])]
    columns = [form.getlist(f"{kind}_{name}") for name in names]
    for cells in itertools.zip_longest(*columns, fillvalue=""):
        row = _KINDS[kind](*cells)
        if kind == "step":
            # A step of a document may lack its type, and shall go on doing so until somebody chooses one.
            row.type = row.type or ("" if row.was else COMMAND)
            row.place, row.failure = row.place or STEP, row.failure or STOP
        yield row


def _is_left_empty(kind: str, row: Any) -> bool:
    """Return whether somebody has emptied a row, or never filled it; one that was made from nothing much stays."""
    return row.is_blank and not (row.was and _row_of(kind, row.was).is_blank)


def _row_of(kind: str, was: str) -> Any:
    if kind == "step":
        return _step_row(_loaded(was))
    return _condition_row(_loaded(was)) if kind == "condition" else _variable_row(*_named(was))


def act(rows: DocumentRows, text: str) -> None:
    """Add, move or remove a row as a button said, such as ``remove-step:2``; what makes no sense changes nothing."""
    verb, _colon, number = text.partition(":")
    index = int(number) - 1 if number.isascii() and number.isdigit() and len(number) < 4 else -1
    verb, _dash, kind = verb.partition("-")
    if kind == "final":
        _act_on_final(rows, verb)
        return
    kinds: dict[str, list[Any]] = {"step": rows.in_order, "condition": rows.conditions, "variable": rows.variables}
    all_of = kinds.get(kind)
    if all_of is None:
        return
    if verb == "add":
        all_of.append(_KINDS[kind]())
    elif 0 <= index < len(all_of):
        _act_on(all_of, verb, index)
    if kind == "step":
        rows.steps = [*all_of, *([rows.final] if rows.final else [])]


def _act_on(all_of: list[Any], verb: str, index: int) -> None:
    if verb == "remove":
        del all_of[index]
    elif verb in {"up", "down"}:
        other = index + (1 if verb == "down" else -1)
        if 0 <= other < len(all_of):
            all_of[index], all_of[other] = all_of[other], all_of[index]


def _act_on_final(rows: DocumentRows, verb: str) -> None:
    if verb == "remove":
        rows.steps = rows.in_order
    elif verb == "add" and rows.final is None:
        rows.steps.append(StepRow(place=FINAL))


def refusal(document: object) -> str | None:
    """Return why a document can only be edited as JSON, None if it can be shown in rows."""
    if not isinstance(document, Mapping):
        return _("It is no object.")
    if document.get("version") == "0.0" or "operation" in document:
        return _("It is of the earliest form, version 0.0, which has one handler and no steps.")
    listed = [(name, document.get(name)) for name in ("steps", "conditions")]
    if any(value is not None and not _is_list_of_objects(value) for _name, value in listed):
        return _("Its steps or conditions are no list of objects.")
    final, variables = document.get("finalStep"), document.get("variables")
    if not isinstance(final, Mapping | None) or not isinstance(variables, Mapping | None):
        return _("Its final step or its variables are no object.")
    if not all(isinstance(one, Mapping) for one in (variables or {}).values()):
        return _("Its variables are no objects.")
    if any("\0" in text for text in document_texts.texts_in(document)):
        return _("It holds a character that cannot be typed.")
    return None


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, Mapping) for one in value)


def rows_of(document: Mapping[str, Any]) -> DocumentRows:
    """Return the rows of a document that can be shown in rows."""
    final = document.get("finalStep")
    return DocumentRows(
        [_step_row(one) for one in document.get("steps") or ()]
        + ([_step_row(final, FINAL)] if final is not None else []),
        [_condition_row(one) for one in document.get("conditions") or ()],
        [_variable_row(name, one) for name, one in (document.get("variables") or {}).items()],
        _is_true(document.get("includeStdOut", True)),
    )


def document_of(rows: DocumentRows, base: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the document that rows make of the one that they were made from; raises InputError for a name that is there twice."""
    document: dict[str, Any] = dict(base) if base else dict(_NEW)
    variables = [_variable_of(row) for row in rows.variables]
    names = [name for name, _item in variables]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(*(Problem(f"job_document.variables.{name}", "is there twice") for name in twice))
    _put(document, "steps", [_step_of(row) for row in rows.in_order], is_needed=True)
    _put(document, "finalStep", _step_of(rows.final) if rows.final else None)
    _put(document, "conditions", [_condition_of(row) for row in rows.conditions])
    _put(document, "variables", dict(variables))
    # A new one says it in any case: other agents take nothing for no.
    if not base or rows.includes_stdout != _is_true(document.get("includeStdOut", True)):
        document["includeStdOut"] = rows.includes_stdout
    return document


def _put(document: dict[str, Any], name: str, value: Any, *, is_needed: bool = False) -> None:
    """Put a part into a document, and leave out what is empty unless it stood there so."""
    if value or (is_needed and name not in document):
        document[name] = value
    elif document.get(name):
        if is_needed:
            document[name] = value
        else:
            del document[name]


def _inner(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the step itself, which may stand in an object that holds only an action."""
    action = item.get("action")
    return dict(action) if isinstance(action, Mapping) else dict(item)


def _step_row(item: Mapping[str, Any], place: str = STEP) -> StepRow:
    inner = _inner(item)
    given = inner.get("input")
    told: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    args = told.get("args")
    return StepRow(
        name=_line(inner.get("name")),
        type=_line(inner.get("type")),
        command=_area(told.get("command")),
        handler=_line(told.get("handler")),
        args="\n".join(map(_area, args)) if isinstance(args, list) else _area(args),
        environment=document_texts.lines_of(inner.get("environment")),
        user=_line(inner.get("runAsUser")),
        limit=_line(inner.get("timeoutSeconds")),
        failure=GO_ON if _is_true(inner.get("ignoreStepFailure")) else STOP,
        place=place,
        was=json.dumps(item),
    )


def _step_of(row: StepRow) -> dict[str, Any]:
    item = _loaded(row.was)
    before = _step_row(item, row.place) if row.was else StepRow(place=row.place)
    step = _inner(item)
    _change(step, "name", row.name, before.name)
    if row.type != before.type or not row.was:
        step["type"] = row.type
    _put_input(step, row, before)
    if _area(row.environment) != before.environment:
        _set(step, "environment", document_texts.variables_of(row.environment))
    _change(step, "runAsUser", row.user, before.user)
    if row.limit != before.limit:
        _set(step, "timeoutSeconds", _number(row.limit))
    if row.failure != before.failure:
        _set(step, "ignoreStepFailure", row.failure == GO_ON)
    return {**item, "action": step} if isinstance(item.get("action"), Mapping) else step


def _put_input(step: dict[str, Any], row: StepRow, before: StepRow) -> None:
    stood = step.get("input")
    given = dict(stood) if isinstance(stood, Mapping) else {}
    if row.type == HANDLER:
        if row.type != before.type:
            given.pop("command", None)
        _change(given, "handler", row.handler, before.handler)
        if _area(row.args) != before.args:
            lines = _area(row.args).rstrip("\n")
            _set(given, "args", lines.split("\n") if lines else [])
    else:
        if row.type != before.type:
            for name in ("handler", "args", "path"):
                given.pop(name, None)
        if _area(row.command) != before.command:
            _set(given, "command", _area(row.command))
    if given or isinstance(stood, Mapping) or not row.was:
        step["input"] = given


def _condition_row(item: Mapping[str, Any]) -> ConditionRow:
    values = item.get("value")
    lines = "\n".join(map(_area, values)) if isinstance(values, list) else _area(values)
    return ConditionRow(_line(item.get("key")), lines, json.dumps(item))


def _condition_of(row: ConditionRow) -> dict[str, Any]:
    item = _loaded(row.was)
    before = _condition_row(item) if row.was else ConditionRow()
    _change(item, "key", row.key, before.key)
    if _area(row.values) != before.values:
        item["value"] = [line.strip() for line in _area(row.values).split("\n") if line.strip()]
    return item


def _variable_row(name: str, item: Mapping[str, Any]) -> VariableRow:
    was = json.dumps({"name": name, "item": item})
    return VariableRow(_line(name), _line(item.get("description")), _line(item.get("defaultValue")), was)


def _named(was: str) -> tuple[str, dict[str, Any]]:
    """Return the variable that a row was made from."""
    found = _loaded(was)
    item = found.get("item")
    return str(found.get("name", "")), dict(item) if isinstance(item, Mapping) else {}


def _variable_of(row: VariableRow) -> tuple[str, dict[str, Any]]:
    name, item = _named(row.was)
    before = _variable_row(name, item)
    _change(item, "description", row.description, before.description)
    _change(item, "defaultValue", row.default, before.default)
    return name if row.name == before.name else row.name.strip(), item


def _change(item: dict[str, Any], name: str, typed: str, before: str) -> None:
    """Put what was typed into one line into an object, if it was changed."""
    if typed != before:
        _set(item, name, typed.strip())


def _set(item: dict[str, Any], name: str, value: Any) -> None:
    """Put a value into an object; nothing typed is nothing said."""
    if value in ("", False, [], {}):
        item.pop(name, None)
    else:
        item[name] = value


def _loaded(text: str) -> dict[str, Any]:
    """Return what a row was made from; nothing for what no row of ours was made from."""
    try:
        found = json_text.read(text).value if text else {}
    except InputError:
        # Whoever sends this has written the form anew.
        return {}
    return found if isinstance(found, dict) else {}


def _number(text: str) -> int | str:
    """Return a number that was typed, also as a length of time; what is none stays as it is, for the check to refuse."""
    found = seconds_text(text.strip())
    return int(found) if found.isascii() and found.isdigit() and len(found) < 10 else found


def _is_true(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _area(value: object) -> str:
    """Return a text as a field of several lines gives it back."""
    return _text(value).replace("\r\n", "\n").replace("\r", "\n")


def _line(value: object) -> str:
    """Return a text as a field of one line gives it back."""
    return _BREAKS.sub("", _text(value))
