"""Saving the form of a task: what is typed is never lost, and every problem stands at its field."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from flask import flash, render_template, request

from watchbell.control.diagnosis.programs import missing_interpreter
from watchbell.domain import run_as
from watchbell.domain import schedule as schedules
from watchbell.errors import Conflict, InputError, Problem
from watchbell.services import environment_sets, secrets, tasks, teams, triggers
from watchbell.services.links import Loop
from watchbell.services.ownership import NotYours
from watchbell.services.quotas import StartQuotaReached, TaskQuotaReached
from watchbell.store.tasks import Task
from watchbell.web import current, merging, presenters_chain, starting, task_preview
from watchbell.web.db import database
from watchbell.web.forms import after_fields, parameter_fields
from watchbell.web.forms.step_fields import ACT, NAMES
from watchbell.web.forms.task_form import Taken, TaskForm, moment_widget, task_data
from watchbell.web.i18n import _
from watchbell.web.merging import TAKE, Difference
from watchbell.web.presenters_policies import GROUP_TITLES, policies_of, retry_sentence
from watchbell.web.told import sentence

_NAME_TAKEN = "name: "
#: What the address of a new task says it begins from.
START = "start"
#: The button that takes back what a pasted line has changed; its value holds what was there before.
UNDO = "undo_pasted"
#: What a form may send beside the fields of a task.
_MANY = frozenset({*NAMES, *parameter_fields.NAMES, *after_fields.NAMES})
_BESIDE = frozenset({"csrf_token", "preview", "submit", UNDO}) | _MANY
_SHOWN_NAME = 60


def empty_form() -> TaskForm:
    """Return the form for a new task, with what it begins from and what was typed into it."""
    return TaskForm(data=starting.data_from(request.args.get(START, "")))


def form_of(task: Task) -> TaskForm:
    """Return the form of a task, with what was typed into it."""
    return TaskForm(data=task_data(tasks.definition_of(task), task.version))


@dataclasses.dataclass
class Refusal:
    """Why a form was not saved."""

    status: int
    differences: Sequence[Difference] = ()
    changed_by: str = ""
    #: Whether the task is not there any more.
    is_gone: bool = False
    pasted: Taken | None = None


def save(form: TaskForm, task: Task | None) -> Task | Refusal:
    """Make or change a task from a form; on refusal the form tells why, and what was typed stays in it."""
    if ACT in request.form:
        # Without scripts the rows of steps are changed by the server, and nothing is saved yet.
        form.steps.act(request.form[ACT])
        return Refusal(200)
    if parameter_fields.ACT in request.form:
        form.parameters.act(request.form[parameter_fields.ACT])
        return Refusal(200)
    if after_fields.ACT in request.form:
        form.after.act(request.form[after_fields.ACT])
        return Refusal(200)
    if UNDO in request.form:
        form.put_back(_earlier_fields(request.form[UNDO]))
        return Refusal(200)
    if task is not None:
        merging.apply_choices(form, task, _version_or_newest(form, task))
    if "preview" in request.form:
        return Refusal(200, pasted=task_preview.take_crontab_line(form))
    pasted = task_preview.take_crontab_line(form)
    if pasted is not None:
        # Somebody who has pasted a whole line looks at what was made of it before it is saved.
        return Refusal(422, pasted=pasted)
    try:
        return _store(form, task)
    except InputError as error:
        form.show_problems(error.problems)
        if isinstance(error, Loop):
            form.after.loop = presenters_chain.picture_of_loop(database(), error, form.after.rows)
        return Refusal(422)
    except (NotYours, TaskQuotaReached) as error:
        form.show_problems([Problem("owner", error.message)])
        return Refusal(403 if isinstance(error, NotYours) else 409)
    except Conflict as error:
        return _conflict(form, task, error)


def page_of_gone() -> tuple[str, int]:
    """Return the form of a new task that holds what was typed for one that is not there any more."""
    return page(empty_form(), None, Refusal(404, is_gone=True))


def _store(form: TaskForm, task: Task | None) -> Task:
    problems = _problems(form, task)
    if problems:
        raise InputError(*problems)
    fields = form.task_fields()
    now, actor = current.now(), current.actor()
    if task is None:
        fields |= starting.sets_from(request.args.get(START, ""), form.parameters.rows)
        saved = tasks.create(database(), fields, now=now, actor=actor, defaults=current.defaults())
    else:
        version = _version(form)
        if form.leaves_enabled:
            # Somebody else may have stopped it meanwhile, and a form that says nothing of that must not start it again.
            del fields["enabled"]
        saved = tasks.update(
            database(), task.id, fields, now=now, actor=actor, defaults=current.defaults(), expected_version=version
        )
    missing = missing_interpreter(saved.policies, saved.environment, saved.host, current.config())
    if missing:
        flash(
            _("%(program)s was not found on this machine. Until it is there, runs will fail.", program=missing),
            "warning",
        )
    if form.asap.data:
        _run_soon(saved)
    return saved


def _run_soon(task: Task) -> None:
    try:
        triggers.run_soon(database(), task.id, now=current.now(), actor=current.actor())
    except InputError:
        flash(_("It was not run: its parameters need values first."), "warning")
    except StartQuotaReached as error:
        # The task is saved, and the form must not say otherwise.
        flash(sentence(error.message), "warning")


def _problems(form: TaskForm, task: Task | None) -> list[Problem]:
    """Return all that is wrong with a form at once, so that nobody learns of it piece by piece."""
    return [*_strange_entries(form), *task_preview.problems(form, task)]


def _earlier_fields(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _strange_entries(form: TaskForm) -> list[Problem]:
    """Return what was sent that the form does not have, or has once: a misspelt name would be lost without a word."""
    problems = []
    for name, values in request.form.lists():
        if name not in form._fields and name not in _BESIDE and not name.startswith(TAKE):
            problems.append(Problem(name, _("the form has no field %(name)s", name=repr(name[:_SHOWN_NAME]))))
        elif len(values) > 1 and name not in _MANY:
            problems.append(Problem(name, _("was sent more than once; send it once")))
    return problems


def _version(form: TaskForm) -> int:
    text = str(form.version.data or "")
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise InputError.of("version", _("the form does not say which version of the task it was made from; reload it"))
    return int(text)


def _conflict(form: TaskForm, task: Task | None, error: Conflict) -> Refusal:
    if error.message.startswith(_NAME_TAKEN) or task is None:
        form.show_problems([Problem("name", error.message.removeprefix(_NAME_TAKEN))])
        return Refusal(409)
    newest = tasks.get(database(), task.id)
    found = merging.differences(form, newest, _version_or_newest(form, newest))
    # From here on saving means having seen the other version.
    form.version.data = str(newest.version)
    form.was_enabled.data = "1" if newest.enabled else ""
    return Refusal(409, found, newest.updated_by or _("somebody"))


def _version_or_newest(form: TaskForm, task: Task) -> int:
    try:
        return _version(form)
    except InputError:
        # Saving refuses such a form; here it only matters that nothing else goes wrong before.
        return task.version


def page(form: TaskForm, task: Task | None, refusal: Refusal | None = None) -> tuple[str, int]:
    """Return the page of the form and its status."""
    pasted = refusal.pasted if refusal else None
    form.offer_teams(teams.list_names(database()))
    form.offer_users(tuple(run_as.parse(current.config().run_as)))
    shown = task_preview.of_form(form, task, pasted) if (task or refusal or START in request.args) else None
    html = render_template(
        "tasks/form.html",
        section="tasks",
        form=form,
        task=task,
        refusal=refusal,
        preview=shown,
        start=request.args.get(START, ""),
        presets=starting.presets() if task is None else [],
        templates=starting.templates() if task is None else [],
        moment_widget=moment_widget(form.at.data),
        zones=sorted(schedules.valid_zones()),
        other_tasks=tasks.list_names(database(), but=task.id if task is not None else None),
        group_titles=GROUP_TITLES,
        rules=current.rules(),
        secret_names=secrets.list_names(database()),
        set_names=[view.row.name for view in environment_sets.list_all(database())],
        retry_sentence=retry_sentence(policies_of(form.how_data())),
    )
    return html, refusal.status if refusal else 200
