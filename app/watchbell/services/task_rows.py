"""A definition in the columns of a stored task, and back."""

from __future__ import annotations

from datetime import datetime

from watchbell.domain import chains, runbooks
from watchbell.domain import parameters as task_parameters
from watchbell.domain import schedule as schedules
from watchbell.domain import steps as task_steps
from watchbell.domain.policies import Policies
from watchbell.domain.schedule import ScheduleKind
from watchbell.domain.task_definition import TaskDefinition
from watchbell.store import tasks as store
from watchbell.store.session import Session
from watchbell.store.tasks import Task


def definition_of(task: Task) -> TaskDefinition:
    """Return what a stored task says."""
    return TaskDefinition(
        name=task.name,
        command=task.command,
        schedule=schedules.from_json(task.schedule),
        directory=task.directory,
        environment=task.environment,
        policies=Policies.from_json(task.policies),
        tags=tuple(task.tags),
        comment=task.comment,
        runbook=task.runbook,
        links=runbooks.links_from_json(task.links),
        after=chains.after_from_json(task.after),
        join=task.join,
        owner=task.owner,
        team=task.team,
        host=task.host,
        enabled=task.enabled,
        steps=task_steps.from_json(task.steps),
        parameters=task_parameters.from_json(task.parameters),
        parameter_sets=task.parameter_sets or {},
        environment_sets=tuple(task.environment_sets or ()),
        set_variables=task.set_variables or {},
    )


def words_of(definition: TaskDefinition) -> str:
    """Return when a task runs, in a sentence: by its schedule, or after what where it has none."""
    if definition.after and definition.schedule.kind is ScheduleKind.MANUAL:
        return chains.describe(definition.after, definition.join)
    return schedules.describe(definition.schedule)


def write(session: Session, task: Task, definition: TaskDefinition, *, now: datetime, actor: str) -> None:
    """Let the columns of a task say this from now on."""
    task.name = definition.name
    task.command = definition.command
    task.steps = [step.to_json() for step in definition.steps]
    task.directory = definition.directory
    task.environment = dict(definition.environment)
    task.environment_sets = list(definition.environment_sets)
    task.set_variables = {title: dict(values) for title, values in definition.set_variables.items()}
    task.parameters = [parameter.to_json() for parameter in definition.parameters]
    task.parameter_sets = {title: dict(values) for title, values in definition.parameter_sets.items()}
    task.schedule = schedules.to_json(definition.schedule)
    task.schedule_words = words_of(definition)
    task.zone = definition.schedule.zone
    task.policies = definition.policies.to_json()
    task.tags = list(definition.tags)
    task.comment = definition.comment
    task.runbook = definition.runbook
    task.links = [link.to_json() for link in definition.links]
    task.after = [one.to_json() for one in definition.after]
    task.join = definition.join
    task.owner = definition.owner
    task.team = definition.team
    task.host = definition.host
    task.enabled = definition.enabled
    task.updated_at, task.updated_by = now, actor
    task.change = store.next_change(session)
    following = schedules.next_occurrence(definition.schedule, task.cursor_at) if definition.enabled else None
    task.next_due_at = following.due_at if following else None
