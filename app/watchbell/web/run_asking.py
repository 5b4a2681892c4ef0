"""Asking what a run is to be told: the form with its values, filled from a link, a set or an earlier run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from flask import render_template, request

from watchbell.domain import steps as task_steps
from watchbell.domain.parameters import FIELD, SETS_FIELD, Parameter, check_value
from watchbell.domain.permissions import Right
from watchbell.errors import InputError, NotAllowed, NotFound, Problem
from watchbell.services import parameters, revisions, runs, tasks
from watchbell.store.tasks import Task
from watchbell.web import current
from watchbell.web.db import database
from watchbell.web.i18n import _
from watchbell.web.told import sentence

#: What a value is sent as, in an address and in a form.
PREFIX = "param."
#: What says that the values were looked at, so that a button elsewhere asks for them first.
MARK = "asked"


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What the form shows."""

    parameters: Sequence[Parameter]
    values: Mapping[str, str]
    #: By the name of the parameter, and those of none.
    errors: Mapping[str, str] = dataclasses.field(default_factory=dict)
    problems: Sequence[str] = ()
    #: What a link gave that the task does not have.
    strange: Sequence[str] = ()
    chosen_set: str = ""
    set_name: str = ""
    #: The version that is run where it is not the one in force, and what that runs.
    version: int | None = None
    runs: str = ""
    set_error: str = ""


def page(task: Task) -> str:
    """Return the form as its address fills it; nothing is run by that."""
    version = version_asked(task, request.args)
    said = revisions.definition_at(database(), task, version)
    declared = parameters.declared(said)
    title = request.args.get("set", "")
    chosen = task.parameter_sets.get(title)
    given = {**_of_run(task, said, request.args.get("run", "")), **(chosen or {}), **_given(request.args)}
    known = {one.name for one in declared}
    values = {one.name: given.get(one.name, one.default) for one in declared}
    asked = Asked(
        parameters=declared,
        values=values,
        errors=_errors(declared, values),
        strange=[name[:50] for name in given if name not in known][:10],
        version=version,
        runs=_runs(said),
        chosen_set=title if chosen is not None else "",
        set_name=title if chosen is not None else "",
    )
    return _page(task, asked)


def version_asked(task: Task, sent: Mapping[str, str]) -> int | None:
    """Return the earlier version that is asked for, None for the one in force.

    Raises NotAllowed for whoever may not edit: an earlier command is one that somebody has taken out of force.
    """
    text = sent.get("version", "")
    version = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
    if version in {None, task.version}:
        return None
    require_edit()
    return version


def require_edit() -> None:
    """Raise NotAllowed for whoever may not edit tasks."""
    if Right.EDIT not in current.user().rights:
        raise NotAllowed(_("to run a version that is not in force needs the right to edit"))


def values_sent() -> dict[str, object]:
    """Return the values that a form was sent with."""
    return dict(_given(request.form))


def again(task: Task, error: InputError, *, set_error: str = "") -> tuple[str, int]:
    """Return the form with what was typed and what is wrong with it."""
    version = version_asked(task, request.form)
    said = revisions.definition_at(database(), task, version)
    declared = parameters.declared(said)
    sent = _given(request.form)
    names = {f"{FIELD}.{one.name}": one.name for one in declared}
    asked = Asked(
        parameters=declared,
        values={one.name: sent.get(one.name, one.default) for one in declared},
        errors={names[problem.field]: _words(problem) for problem in error.problems if problem.field in names},
        problems=[f"{problem.field.removeprefix(FIELD + '.')}: {_words(problem)}" for problem in error.problems],
        version=version,
        runs=_runs(said),
        set_name=request.form.get("set_name", ""),
        set_error=set_error,
    )
    return _page(task, asked), 422


def keep_set(task: Task, title: str) -> str:
    """Keep the values that a form was sent with as a named set of the task, and return its name; raises InputError."""
    sent = {name: value for name, value in values_sent().items() if value != ""}
    sets = {**task.parameter_sets, title: sent}
    _save(task, sets)
    return title.strip()


def drop_set(task: Task, title: str) -> None:
    """Take a named set from a task; one that is not there any more is gone already."""
    _save(task, {name: values for name, values in task.parameter_sets.items() if name != title})


def _save(task: Task, sets: Mapping[str, object]) -> None:
    now, actor, defaults = current.now(), current.actor(), current.defaults()
    tasks.update(database(), task.id, {SETS_FIELD: sets}, now=now, actor=actor, defaults=defaults,
                 expected_version=task.version)  # fmt: skip


def _page(task: Task, asked: Asked) -> str:
    return render_template("tasks/run.html", section="tasks", task=task, asked=asked)


def _given(sent: Mapping[str, str]) -> dict[str, str]:
    return {key.removeprefix(PREFIX): value for key, value in sent.items() if key.startswith(PREFIX)}


def _runs(said: Mapping[str, object]) -> str:
    steps = task_steps.from_json(said.get("steps"))
    return "\n".join(step.command for step in steps) if steps else str(said.get("command") or "")


def _of_run(task: Task, said: Mapping[str, object], text: str) -> Mapping[str, str]:
    """Return what a run of the task was given, as far as the task still takes it."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        return {}
    try:
        found = runs.get_detail(database(), int(text))
    except NotFound:
        return {}
    if found.run.task_id != task.id:
        return {}
    given = {one.name: one.value for one in parameters.told(found.definition, found.run.parameters)}
    return parameters.fitting(said, given)


def _errors(declared: Sequence[Parameter], values: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with values that a link or an earlier run filled in."""
    found = {}
    for one in declared:
        try:
            check_value(one, values[one.name])
        except InputError as error:
            found[one.name] = _words(error.problems[0])
    return found


def _words(problem: Problem) -> str:
    example = " " + _("For example: %(example)s", example=problem.example) if problem.example else ""
    return f"{sentence(problem.message)}{example}"
