"""Two people who have saved one task: what each has made of every field, and whose is taken."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from flask import request
from wtforms import Field, SelectField

from watchbell.domain.schedule import LIMIT_FIELDS
from watchbell.domain.task_definition import TaskDefinition
from watchbell.errors import NotFound
from watchbell.services import tasks
from watchbell.store.tasks import Task
from watchbell.web.db import database
from watchbell.web.forms.after_fields import after_lines, join_words
from watchbell.web.forms.parameter_fields import parameter_lines
from watchbell.web.forms.policy_fields import HOW_FIELDS
from watchbell.web.forms.step_fields import rows_text
from watchbell.web.forms.task_form import FIELDS_OF_KIND, UNITS, TaskForm, task_data
from watchbell.web.i18n import _

#: What a choice is sent as: take-NAME, with one of these.
TAKE = "take-"
MINE, THEIRS = "mine", "theirs"
#: Fields that are rows of controls.
_IN_ROWS = frozenset({"steps", "parameters", "after"})
_WHAT = ("what", "command", "steps")
_WHEN = ("kind", *(name for names in FIELDS_OF_KIND.values() for name in names))
_PLAIN = (
    *("name", "directory", "environment_sets", "environment", "tags", "comment", "owner", "team", "host", "enabled"),
    *("zone", "dst", *LIMIT_FIELDS, *HOW_FIELDS, "parameters", "runbook", "links", "after", "join", "line_values"),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """One field, or several that only make sense together, which two people have set differently."""

    name: str
    label: str
    #: What it was when the form was begun, what somebody else has stored, and what was typed.
    began: str
    stored: str
    typed: str
    #: The fields of the form that it stands for.
    covers: Sequence[str]

    @property
    def is_theirs_only(self) -> bool:
        """Return whether only the other one has changed it."""
        return self.typed == self.began

    @property
    def is_mine_only(self) -> bool:
        """Return whether only whoever typed here has changed it."""
        return self.stored == self.began


def differences(form: TaskForm, task: Task, version: int) -> list[Difference]:
    """Return where the form differs from what is stored now, with what stood there in the version that it was begun from."""
    stored, began = _data_of(task, task.version), _data_of(task, version)
    began = {**began, "enabled": bool(form.was_enabled.data)}
    typed = {name: field.data for name, field in form._fields.items()}
    typed |= {"steps": form.steps.rows if form.has_steps else [], "parameters": form.parameters.rows}
    typed["after"] = form.after.rows
    found = []
    for name, label, covers in _rows(form, stored):
        before, theirs, mine = (_text(name, data, form) for data in (began, stored, typed))
        if theirs != mine:
            found.append(Difference(name, label, before, theirs, mine, covers))
    return found


def apply_choices(form: TaskForm, task: Task, version: int) -> None:
    """Put what somebody else has stored into each field of which that was chosen."""
    chosen = {key.removeprefix(TAKE) for key, value in request.form.items() if key.startswith(TAKE) and value == THEIRS}
    if not chosen:
        return
    stored = _data_of(task, version)
    for name, _label, covers in _rows(form, stored):
        if name not in chosen:
            continue
        for field in covers:
            if field in _IN_ROWS:
                form[field].rows = list(_in_rows(field, stored))
                form[field].drop_blank_rows()
            else:
                form[field].data = stored.get(field, "")


def _rows(form: TaskForm, stored: Mapping[str, object]) -> list[tuple[str, str, Sequence[str]]]:
    kinds = {"steps" if form.has_steps else "command", str(stored["what"])}
    what = _("Command or steps") if len(kinds) > 1 else str(form[kinds.pop()].label.text)
    plain = [(name, str(form[name].label.text), (name,)) for name in _PLAIN]
    return [plain[0], ("what", what, _WHAT), *plain[1:10], ("when", _("Schedule"), _WHEN), *plain[10:]]


def _data_of(task: Task, version: int) -> dict[str, object]:
    """Return what the form showed of a version; of being enabled, which belongs to no version, what holds now."""
    definition = tasks.definition_of(task)
    if version != task.version:
        try:
            kept = tasks.revision(database(), task.id, version).definition
        except NotFound:
            # Nobody knows what it said; everything then counts as changed by both.
            return {"what": "command", "kind": ""}
        definition = TaskDefinition.from_json(kept, enabled=definition.enabled)
    return task_data(definition, version)


def _in_rows(field: str, data: Mapping[str, object]) -> Sequence[Any]:
    rows = data.get(field)
    return rows if isinstance(rows, list) else []


def _text(name: str, data: Mapping[str, object], form: TaskForm) -> str:
    if name == "what":
        text = rows_text(_in_rows("steps", data)) if data.get("what") == "steps" else str(data.get("command") or "")
    elif name == "when":
        text = _when(data)
    elif name == "parameters":
        text = parameter_lines(_in_rows(name, data))
    elif name == "after":
        text = after_lines(_in_rows(name, data))
    elif name == "join":
        # Where nothing is waited for it says nothing.
        text = join_words(str(data.get(name) or "all")) if _in_rows("after", data) else ""
    elif name == "enabled":
        text = _("yes") if data.get(name) else _("no")
    elif name == "calendar_rule" and not data.get("calendar"):
        # The form always offers one, which means nothing without a calendar.
        text = ""
    else:
        text = _worded(form[name], str(data.get(name) or ""))
    return text.replace("\r\n", "\n").strip()


def _worded(field: Field, value: str) -> str:
    """Return a value as the form calls it."""
    words = (
        {str(choice.value): str(choice.label) for choice in field.iter_choices()}
        if isinstance(field, SelectField)
        else {}
    )
    return words.get(value, value)


def _when(data: Mapping[str, object]) -> str:
    kind = str(data.get("kind") or "")
    values = [str(data.get(name) or "") for name in FIELDS_OF_KIND.get(kind, ())]  # type: ignore[call-overload]
    match kind:
        case "interval":
            return _("every %(every)s %(unit)s", every=values[0], unit=UNITS.get(values[1], values[1]))
        case "words":
            return " ".join(filter(None, values)).replace("_", " ")
        case "manual":
            return _("only by hand")
        case _other:
            return " ".join(values)
