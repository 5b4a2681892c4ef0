"""What stands beside the form of a task while somebody fills it in, and what is wrong with each of its fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from flask import request

from watchbell.domain import chains
from watchbell.domain.chains import After
from watchbell.domain.schedule import Schedule, ScheduleKind
from watchbell.errors import InputError, Problem
from watchbell.services import blackouts, runs, simulation, tasks, upcoming
from watchbell.services.simulation import Edit
from watchbell.store.tasks import Task
from watchbell.web import current, foreseeing
from watchbell.web.db import database
from watchbell.web.forms.task_form import Taken, TaskForm, new_task_data
from watchbell.web.i18n import _
from watchbell.web.presenters import run_view
from watchbell.web.presenters_policies import policies_of, retry_sentence
from watchbell.web.presenters_schedule import Preview, preview
from watchbell.web.presenters_simulation import Effect, effect_of
from watchbell.web.told import told

#: From so many other tasks in one minute on it is said that another minute would be better.
CROWDED = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Live:
    """What follows what is typed."""

    preview: Preview
    retry_sentence: str
    #: The folded groups in words.
    words: Mapping[str, str]
    #: Field -> what is wrong with it.
    problems: Mapping[str, str]


def live() -> Live:
    """Return what follows what a form holds at the moment, as its script sends it."""
    form = TaskForm(formdata=request.values, data=new_task_data(current.defaults()))
    number = request.values.get("task", "")
    task = tasks.get(database(), int(number)) if number.isascii() and number.isdigit() and len(number) < 19 else None
    taken = take_crontab_line(form)
    found = of_form(form, task, taken)
    form.show_problems([*_taken_name(form, task), *problems(form, task)])
    return Live(
        found,
        retry_sentence(policies_of(form.how_data())),
        form.how_words(),
        {name: " ".join(told) for name, told in form.errors.items() if name and name != "csrf_token"},
    )


def take_crontab_line(form: TaskForm) -> Taken | None:
    """Let a pasted crontab line fill the form; the user of the scheduler counts as a user before a command."""
    return form.take_crontab_line(now=current.now(), users=(current.config().user, current.owner()))


def of_form(form: TaskForm, task: Task | None, taken: Taken | None = None) -> Preview:
    """Return the preview of what a form says."""
    earlier: Schedule | None = tasks.definition_of(task).schedule if task else None
    found = preview(
        form.schedule_fields(),
        now=current.now(),
        default_zone=current.defaults().zone,
        calendars=current.defaults().calendars,
        mark=blackouts.marker_of(database(), task.id if task else None),
        earlier=earlier,
        pasted=taken,
    )
    task_id = task.id if task else None
    moments = [moment.due_at for moment in found.moments]
    load = upcoming.crowd(database(), moments, now=current.now(), but=task_id)
    command = "" if form.has_steps else str(form.command.data or "").replace("\r\n", "\n")
    last = runs.last_of_command(database(), command, task_id=task_id)
    if form.chosen_kind is ScheduleKind.MANUAL and form.after.rows:
        parents = [After(row.task) for row in form.after.rows]
        found = dataclasses.replace(found, sentence=told(chains.describe(parents, form.join.data or chains.ALL)))
    return dataclasses.replace(
        found,
        load=load,
        is_crowded=max(load or [0]) >= CROWDED,
        last=run_view(last, current.now()) if last is not None else None,
        effect=_effect(form, task) if not found.problems else None,
    )


def _effect(form: TaskForm, task: Task | None) -> Effect | None:
    """Return what saving the form would do to the coming runs; None as long as something else of it is wrong."""
    fields = {**form.task_fields()}
    if task is None:
        # What it is called and runs is often typed last, and changes no moment.
        fields |= {name: fields.get(name) or words for name, words in (("name", _("new task")), ("command", "true"))}
        if form.has_steps:
            del fields["command"]
    elif form.leaves_enabled:
        fields.pop("enabled", None)
    base = tasks.definition_of(task) if task is not None else None
    try:
        definition = tasks.check(fields, now=current.now(), defaults=current.defaults(), base=base)
    except InputError:
        return None
    edit = Edit(task, definition)
    return effect_of(simulation.of_edits(database(), [edit], now=current.now(), moments=foreseeing.moments()))


def problems(form: TaskForm, task: Task | None) -> list[Problem]:
    """Return all that is wrong with a form at once, so that nobody learns of it piece by piece."""
    found: list[Problem] = []
    if form.asap.data and not form.enabled.data:
        words = _("a disabled task does not start by itself; tick Enabled too, or run it by hand")
        found.append(Problem("asap", words))
    base = tasks.definition_of(task) if task else None
    try:
        tasks.check(form.task_fields(), now=current.now(), defaults=current.defaults(), base=base)
    except InputError as error:
        found += error.problems
    return found


def _taken_name(form: TaskForm, task: Task | None) -> list[Problem]:
    name = str(form.name.data or "").strip()
    is_new = task is None or task.name != name
    return (
        [Problem("name", _("another task has this name already"))]
        if is_new and tasks.is_taken(database(), name)
        else []
    )
