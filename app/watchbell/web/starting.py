"""What a new task can begin from: presets, and the templates that people have kept."""

from __future__ import annotations

from collections.abc import Sequence

from watchbell.domain import steps as task_steps
from watchbell.domain.parameters import SETS_FIELD
from watchbell.errors import NotFound
from watchbell.services import task_templates
from watchbell.store.task_templates import TaskTemplate
from watchbell.web import current, schedule_words
from watchbell.web.db import database
from watchbell.web.forms.parameter_fields import ParameterRow, parameter_rows
from watchbell.web.forms.presets import PRESETS, Preset
from watchbell.web.forms.task_form import new_task_data, task_data
from watchbell.web.i18n import _
from watchbell.web.told import told

CSV_COLUMNS = ("id", "name", "schedule", "command", "saved_at", "saved_by")


def data_from(word: str) -> dict[str, object]:
    """Return what the form of a new task begins with: nothing, ``preset:KEY`` or ``template:ID``; raises NotFound."""
    data = new_task_data(current.defaults())
    if not word:
        return data
    kind, _colon, key = word.partition(":")
    if kind == "preset" and key in PRESETS:
        return {**data, **PRESETS[key].data}
    if kind == "template" and key.isascii() and key.isdigit() and len(key) < 19:
        template = task_templates.get(database(), int(key))
        # Whoever makes a task gives it a name, and owns it.
        said = task_data(task_templates.definition_of(template), 0)
        return {**said, "name": "", "owner": data["owner"], "version": ""}
    raise NotFound(_("there is nothing like this to begin from"))


def sets_from(word: str, rows: Sequence[ParameterRow]) -> dict[str, object]:
    """Return the sets of values that a new task begins with: those of its template, if it has its parameters still."""
    kind, _colon, key = word.partition(":")
    if kind != "template" or not (key.isascii() and key.isdigit() and len(key) < 19):
        return {}
    definition = task_templates.definition_of(task_templates.get(database(), int(key)))
    is_same = list(rows) == parameter_rows(definition.parameters)
    return {SETS_FIELD: definition.parameter_sets} if is_same else {}


def presets() -> list[tuple[str, Preset]]:
    """Return the presets and what each is begun by."""
    return [(f"preset:{key}", preset) for key, preset in PRESETS.items()]


def templates() -> list[tuple[str, str]]:
    """Return the templates and what each is begun by."""
    return [(f"template:{one.id}", one.name) for one in task_templates.list_all(database())]


def template_rows(found: Sequence[TaskTemplate]) -> list[dict[str, object]]:
    """Return templates for the page and its twins."""
    rows: list[dict[str, object]] = []
    for one in found:
        definition = task_templates.definition_of(one)
        rows.append(
            {
                "id": one.id,
                "name": one.name,
                "schedule": schedule_words.sentence(definition.schedule),
                "command": definition.command or told(task_steps.describe(definition.steps)),
                "saved_at": one.at.isoformat(),
                "saved_by": one.by,
            }
        )
    return rows
