"""Saving the form of a task: what is typed is never lost, and every problem stands at its field."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from flask import render_template, request

from watchbell.domain import schedule as schedules
from watchbell.domain.crontab import PastedLine
from watchbell.domain.schedule import Schedule
from watchbell.errors import Conflict, InputError, Problem
from watchbell.services import tasks, triggers
from watchbell.store.tasks import Task
from watchbell.web import current
from watchbell.web.db import database
from watchbell.web.forms.policy_fields import HOW_FIELDS
from watchbell.web.forms.step_fields import ACT, NAMES, rows_of, rows_text
from watchbell.web.forms.task_form import (
    FIELDS_OF_KIND,
    WHAT_FIELDS,
    TaskForm,
    moment_widget,
    new_task_data,
    task_data,
)
from watchbell.web.presenters_policies import GROUP_TITLES, policies_of, retry_sentence
from watchbell.web.presenters_schedule import Preview, preview
from watchbell.web.presenters_tasks import Difference, differences

_NAME_TAKEN = "name: "
#: What a form may send beside the fields of a task.
_BESIDE = frozenset({"csrf_token", "preview", "submit", *NAMES})
_SHOWN_NAME = 60


def empty_form() -> TaskForm:
    """Return the form for a new task, with what was typed into it."""
    return TaskForm(data=new_task_data(current.defaults()))


def form_of(task: Task) -> TaskForm:
    """Return the form of a task, with what was typed into it."""
    return TaskForm(data=task_data(tasks.definition_of(task), task.version))


@dataclasses.dataclass
class Refusal:
    """Why a form was not saved."""

    status: int
    differences: Sequence[Difference] = ()
    changed_by: str = ""
    pasted: PastedLine | None = None


def save(form: TaskForm, task: Task | None) -> Task | Refusal:
    """Make or change a task from a form; on refusal the form tells why, and what was typed stays in it."""
    if ACT in request.form:
        # Without scripts the rows of steps are changed by the server, and nothing is saved yet.
        form.steps.act(request.form[ACT])
        return Refusal(200)
    if "preview" in request.form:
        return Refusal(200, pasted=form.take_crontab_line(now=current.now()))
    pasted = form.take_crontab_line(now=current.now())
    if pasted is not None:
        # Somebody who has pasted a whole line looks at what was made of it before it is saved.
        return Refusal(422, pasted=pasted)
    try:
        return _store(form, task)
    except InputError as error:
        form.show_problems(error.problems)
        return Refusal(422)
    except Conflict as error:
        return _conflict(form, task, error)


def _store(form: TaskForm, task: Task | None) -> Task:
    problems = _problems(form, task)
    if problems:
        raise InputError(*problems)
    fields = form.task_fields()
    now, actor = current.now(), current.actor()
    if task is None:
        saved = tasks.create(database(), fields, now=now, actor=actor, defaults=current.defaults())
    else:
        version = _version(form)
        saved = tasks.update(
            database(), task.id, fields, now=now, actor=actor, defaults=current.defaults(), expected_version=version
        )
    if form.asap.data:
        triggers.run_soon(database(), saved.id, now=now, actor=actor)
    return saved


def _problems(form: TaskForm, task: Task | None) -> list[Problem]:
    """Return all that is wrong with a form at once, so that nobody learns of it piece by piece."""
    problems = _strange_entries(form)
    if form.asap.data and not form.enabled.data:
        words = "a disabled task does not start by itself; tick Enabled too, or run it by hand"
        problems.append(Problem("asap", words))
    base = tasks.definition_of(task) if task else None
    try:
        tasks.check(form.task_fields(), now=current.now(), defaults=current.defaults(), base=base)
    except InputError as error:
        problems += error.problems
    return problems


def _strange_entries(form: TaskForm) -> list[Problem]:
    """Return what was sent that the form does not have, or has once: a misspelt name would be lost without a word."""
    problems = []
    for name, values in request.form.lists():
        if name not in form._fields and name not in _BESIDE:
            problems.append(Problem(name, f"the form has no field {name[:_SHOWN_NAME]!r}"))
        elif len(values) > 1 and name not in NAMES:
            problems.append(Problem(name, "was sent more than once; send it once"))
    return problems


def _version(form: TaskForm) -> int:
    text = str(form.version.data or "")
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise InputError.of("version", "the form does not say which version of the task it was made from; reload it")
    return int(text)


def _conflict(form: TaskForm, task: Task | None, error: Conflict) -> Refusal:
    if error.message.startswith(_NAME_TAKEN) or task is None:
        form.show_problems([Problem("name", error.message.removeprefix(_NAME_TAKEN))])
        return Refusal(409)
    newest = tasks.get(database(), task.id)
    stored = task_data(tasks.definition_of(newest), newest.version)
    stored["steps"] = rows_text(rows_of(tasks.definition_of(newest).steps))
    typed = {name: field.data for name, field in form._fields.items()}
    typed["steps"] = rows_text(form.steps.rows) if form.has_steps else ""
    typed["command"] = "" if form.has_steps else typed["command"]
    # From here on saving means having seen the other version.
    form.version.data = str(newest.version)
    return Refusal(409, differences(_labels(form, stored), stored, typed), newest.updated_by or "somebody")


def _labels(form: TaskForm, stored: Mapping[str, object]) -> dict[str, str]:
    kinds = {form.chosen_kind.value, str(stored["kind"])}
    when = [name for kind, names in FIELDS_OF_KIND.items() if kind.value in kinds for name in names]
    return {name: form[name].label.text for name in (*WHAT_FIELDS, "kind", *when, "zone", "dst", *HOW_FIELDS)}


def page(form: TaskForm, task: Task | None, refusal: Refusal | None = None) -> tuple[str, int]:
    """Return the page of the form and its status."""
    pasted = refusal.pasted if refusal else None
    shown = _preview_of(form, task, pasted) if (task or refusal or form.cron.data) else None
    html = render_template(
        "tasks/form.html",
        section="tasks",
        form=form,
        task=task,
        refusal=refusal,
        preview=shown,
        moment_widget=moment_widget(form.at.data),
        zones=sorted(schedules.valid_zones()),
        group_titles=GROUP_TITLES,
        rules=current.rules(),
        retry_sentence=retry_sentence(policies_of(form.how_data())),
    )
    return html, refusal.status if refusal else 200


def live_preview() -> tuple[Preview, str]:
    """Return the preview and the sentence about retries for what a form holds at the moment, as its script sends it."""
    form = TaskForm(formdata=request.args, data=new_task_data(current.defaults()))
    number = request.args.get("task", "")
    task = tasks.get(database(), int(number)) if number.isascii() and number.isdigit() and len(number) < 19 else None
    shown = _preview_of(form, task, form.take_crontab_line(now=current.now()))
    return shown, retry_sentence(policies_of(form.how_data()))


def _preview_of(form: TaskForm, task: Task | None, pasted: PastedLine | None) -> Preview:
    earlier: Schedule | None = tasks.definition_of(task).schedule if task else None
    return preview(
        form.schedule_fields(),
        now=current.now(),
        default_zone=current.defaults().zone,
        earlier=earlier,
        pasted=pasted,
    )
