"""Tasks, queues and calendars out of one installation and into another: a plan first, then all of it or nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from watchbell.domain import chains
from watchbell.domain.permissions import Right
from watchbell.domain.task_definition import Defaults, TaskDefinition
from watchbell.domain.task_document import BlackoutEntry, CalendarEntry, Document, QueueEntry, SetEntry
from watchbell.errors import Conflict, InputError, NotFound, Problem
from watchbell.services import blackouts, calendars, environment_sets, links, ownership, queues, tasks
from watchbell.store import day_calendars as calendar_store
from watchbell.store import environment_sets as set_store
from watchbell.store import queues as queue_store
from watchbell.store import tasks as store
from watchbell.store.session import Database, Session

#: Fields of a schedule that are its calendar's.
_CARRIED = frozenset({"schedule.calendar_days", "schedule.calendar_weekdays"})


class Action(StrEnum):
    """What becomes of one entry."""

    ADD = "add"
    CHANGE = "change"
    KEEP = "keep"
    """It is there and says the same."""
    REFUSE = "refuse"
    """It is there and says something else, and nobody has said that it may be replaced."""


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """What becomes of one task or queue."""

    kind: str
    name: str
    action: Action
    #: What changes: field, what it was, what it will be.
    differences: tuple[tuple[str, object, object], ...] = ()
    #: What a person should know before.
    remarks: tuple[str, ...] = ()
    definition: TaskDefinition | None = dataclasses.field(default=None, repr=False)
    queue: QueueEntry | None = dataclasses.field(default=None, repr=False)
    calendar: CalendarEntry | None = dataclasses.field(default=None, repr=False)
    blackout: BlackoutEntry | None = dataclasses.field(default=None, repr=False)
    environment_set: SetEntry | None = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """What an import would do, in the order of the document."""

    steps: Sequence[Step]

    def count(self, action: Action) -> int:
        """Return how many entries come to this."""
        return sum(step.action is action for step in self.steps)

    def require_possible(self) -> None:
        """Raise Conflict if something is there that may not be replaced."""
        taken = [step.name for step in self.steps if step.action is Action.REFUSE]
        if taken:
            shown = ", ".join(taken[:5]) + (f" and {len(taken) - 5} more" if len(taken) > 5 else "")
            raise Conflict(f"there are other definitions of {shown} already; --replace puts these in their place")


def list_definitions(db: Database, names: Sequence[str] = ()) -> tuple[list[TaskDefinition], list[QueueEntry]]:
    """Return tasks, all or those of some names or ids, and the bounds of the queues that they name; raises NotFound."""
    chosen = [tasks.find_by_name(db, name) for name in names] if names else tasks.list_page(db).tasks
    found = [tasks.definition_of(task) for task in {task.id: task for task in chosen}.values()]
    used = {definition.policies.queue for definition in found}
    with db.read() as session:
        rows = queue_store.list_queues(session)
    return found, [QueueEntry(row.name, row.max_running, row.comment) for row in rows if not names or row.name in used]


def list_calendars(
    db: Database, definitions: Sequence[TaskDefinition], names: Sequence[str] = ()
) -> list[CalendarEntry]:
    """Return all calendars, or those that tasks of some names have."""
    used = {one.schedule.calendar.name for one in definitions if one.schedule.calendar is not None}
    return [
        CalendarEntry(view.calendar, view.row.description)
        for view in calendars.list_all(db)
        if not names or view.row.name in used
    ]


def list_sets(db: Database, definitions: Sequence[TaskDefinition], names: Sequence[str] = ()) -> list[SetEntry]:
    """Return all environment sets, or those that tasks of some names have."""
    used = {name: values for one in definitions for name, values in one.set_variables.items()}
    found = {view.row.name: view.row for view in environment_sets.list_all(db)}
    # One that was removed while its task was deleted is carried by the task alone, and no file may miss it.
    gone = [SetEntry(name, dict(values)) for name, values in used.items() if name not in found]
    kept = [
        SetEntry(row.name, row.variables, row.description) for row in found.values() if not names or row.name in used
    ]
    return kept + gone


def list_blackouts(db: Database, names: Sequence[str] = ()) -> list[BlackoutEntry]:
    """Return all blackouts, or those that concern some of the tasks of some names, and no others."""
    found = [BlackoutEntry(view.blackout, tuple(view.tasks)) for view in blackouts.list_all(db)]
    return [one for one in found if not names or (one.tasks and set(one.tasks) <= set(names))]


def plan(db: Database, document: Document, *, now: datetime, defaults: Defaults, replaces: bool) -> Plan:
    """Return what an import would do, and change nothing; raises InputError for what the document says wrong."""
    with db.read() as session:
        return _plan(session, document, now=now, defaults=defaults, replaces=replaces)


def plan_definitions(db: Database, wanted: Sequence[TaskDefinition], *, defaults: Defaults) -> Plan:
    """Return what adding these tasks would do."""
    with db.read() as session:
        return Plan([_task_step(session, definition, defaults, replaces=False) for definition in wanted])


def plan_definition(db: Database, definition: TaskDefinition, *, defaults: Defaults, replaces: bool) -> Step:
    """Return what importing one task would do."""
    with db.read() as session:
        return _task_step(session, definition, defaults, replaces=replaces)


def plan_queues(db: Database, document: Document) -> list[Step]:
    """Return what importing the queues, calendars and environment sets of a document would do, if they may be replaced."""
    with db.read() as session:
        return _steps_before_tasks(session, document, replaces=True)


def plan_blackouts(db: Database, document: Document) -> list[Step]:
    """Return what importing the blackouts of a document would do behind its tasks, if they may be replaced."""
    with db.read() as session:
        return [_blackout_step(session, one, replaces=True) for one in document.blackouts]


def _steps_before_tasks(session: Session, document: Document, *, replaces: bool) -> list[Step]:
    steps = [_queue_step(session, queue, replaces=replaces) for queue in document.queues]
    steps += [_calendar_step(session, calendar, replaces=replaces) for calendar in document.calendars]
    return steps + [_set_step(session, one, replaces=replaces) for one in document.environment_sets]


def find_definition(db: Database, name: str) -> TaskDefinition | None:
    """Return what the task of a name says, or None."""
    with db.read() as session:
        task = store.find_task_by_name(session, name)
        return tasks.definition_of(task) if task is not None else None


def apply(
    db: Database,
    made: Plan,
    *,
    now: datetime,
    actor: str,
    defaults: Defaults,
    tell: Callable[[int], None] = lambda _number: None,
) -> None:
    """Do what a plan says, in one transaction; raises Conflict if the tasks are not as they were when it was made.

    ``tell`` is given how many of its steps are through.
    """
    made.require_possible()
    with db.write() as session:
        for number, step in enumerate(_in_order(session, made.steps)):
            tell(number)
            if step.definition is not None:
                _apply_task(session, step, step.definition, now=now, actor=actor, defaults=defaults)
            elif step.queue is not None:
                _apply_queue(session, step, step.queue, now=now, actor=actor)
            elif step.calendar is not None:
                _apply_calendar(session, step, step.calendar, now=now, actor=actor)
            elif step.environment_set is not None:
                _apply_set(session, step, step.environment_set, now=now, actor=actor)
            elif step.blackout is not None:
                _apply_blackout(db.within(session), step, step.blackout, now=now, actor=actor)


def _plan(session: Session, document: Document, *, now: datetime, defaults: Defaults, replaces: bool) -> Plan:
    problems: list[Problem] = []
    steps = _steps_before_tasks(session, document, replaces=replaces)
    for entry in document.tasks:
        there = store.find_task_by_name(session, entry.name)
        earlier = tasks.definition_of(there) if there is not None else None
        try:
            definition = document.definition(entry, now=now, defaults=defaults, earlier=earlier)
            step = _task_step(session, definition, defaults, replaces=replaces)
        except InputError as error:
            problems += error.problems
            continue
        steps.append(step)
    problems += _unknown_tasks(session, document)
    steps += [_blackout_step(session, one, replaces=replaces) for one in document.blackouts]
    wanted = [step.definition for step in steps if step.definition is not None]
    if not problems and any(definition.after for definition in wanted):
        problems += links.check_names(session, wanted, links.parents_by_name(session, wanted))
    if problems:
        raise InputError(*problems)
    return Plan(steps)


def _in_order(session: Session, steps: Sequence[Step]) -> Sequence[Step]:
    """Return the steps in an order in which each task is saved behind those that it runs after."""
    wanted = [step.definition for step in steps if step.definition is not None]
    if not any(definition.after for definition in wanted):
        return steps
    places = chains.in_order(links.parents_by_name(session, wanted), [definition.name for definition in wanted])
    place_of = {name: place for place, name in enumerate(places)}
    # What tells of tasks comes before them, but for blackouts, which name them.
    rest = {"blackout": len(places)}
    return sorted(
        steps, key=lambda step: place_of[step.name] if step.definition is not None else rest.get(step.kind, -1)
    )


def _unknown_tasks(session: Session, document: Document) -> list[Problem]:
    """Return what is wrong with blackouts that concern tasks which are neither there nor in the document."""
    own = {entry.name for entry in document.tasks}
    return [
        Problem(f"blackouts[{number}].tasks", f"there is no task {name[:60]!r}", None)
        for number, one in enumerate(document.blackouts)
        for name in one.tasks
        if name not in own and store.find_task_by_name(session, name) is None
    ]


def _blackout_step(session: Session, wanted: BlackoutEntry, *, replaces: bool) -> Step:
    name = wanted.blackout.name
    there = blackouts.find(session, name)
    before = BlackoutEntry(there.blackout, tuple(there.tasks)).fields() if there is not None else {}
    after = wanted.fields()
    changed = tuple(
        (field, before[field], after[field])
        for field in before
        if before[field] != after[field]
        and not (field == "tasks" and set(wanted.tasks) == set(there.tasks if there else ()))
    )
    action = _action(there is not None, bool(changed), replaces=replaces)
    return Step("blackout", name, action, changed, blackout=wanted)


def _task_step(session: Session, definition: TaskDefinition, defaults: Defaults, *, replaces: bool) -> Step:
    there = store.find_task_by_name(session, definition.name)
    earlier = tasks.definition_of(there) if there is not None else None
    found = differences(earlier, definition) if earlier is not None else ()
    # What calendars say is a step of theirs, and done before.
    changed = tuple(one for one in found if one[0] not in _CARRIED)
    if there is None or changed:
        if there is not None:
            ownership.require(session, Right.EDIT, there)
        ownership.require_result(session, earlier, definition)
    remarks = []
    here = definition.host in {"", defaults.host}
    if here and definition.directory and not Path(definition.directory).is_dir():
        remarks.append(f"its directory {definition.directory} is not there")
    return Step(
        "task", definition.name, _action(earlier is not None, bool(changed), replaces=replaces), changed,
        tuple(remarks), definition=definition,
    )  # fmt: skip


def _queue_step(session: Session, wanted: QueueEntry, *, replaces: bool) -> Step:
    queues.check_bounds(wanted.name, max_running=wanted.max_running, comment=wanted.comment)
    row = queue_store.find_queue(session, wanted.name)
    before = QueueEntry(row.name, row.max_running, row.comment) if row is not None else None
    differences = tuple(
        (name, getattr(before, name), getattr(wanted, name))
        for name in ("max_running", "comment")
        if before is not None and getattr(before, name) != getattr(wanted, name)
    )
    action = _action(before is not None, bool(differences), replaces=replaces)
    return Step("queue", wanted.name, action, differences, queue=wanted)


def _calendar_step(session: Session, wanted: CalendarEntry, *, replaces: bool) -> Step:
    after = _columns_of(wanted)
    row = calendar_store.find_calendar_by_name(session, wanted.calendar.name)
    changed = (
        tuple((name, getattr(row, name), after[name]) for name in after if getattr(row, name) != after[name])
        if row
        else ()
    )
    action = _action(row is not None, bool(changed), replaces=replaces)
    return Step("calendar", wanted.calendar.name, action, changed, calendar=wanted)


def _set_step(session: Session, wanted: SetEntry, *, replaces: bool) -> Step:
    row = set_store.find_set(session, wanted.name)
    after = environment_sets.check(wanted.fields(), before=row)
    changed = environment_sets.differences(row, after) if row is not None else ()
    action = _action(row is not None, bool(changed), replaces=replaces)
    return Step("environment set", wanted.name, action, changed, environment_set=wanted)


def _columns_of(wanted: CalendarEntry) -> dict[str, str]:
    calendar = wanted.calendar
    fields = {
        "name": calendar.name,
        "description": wanted.description,
        "weekdays": calendar.weekdays,
        "days": calendar.days,
    }
    # What it says was read already; only its description is still to be judged.
    return calendars.check(fields, year=0)


def _action(is_there: bool, differs: bool, *, replaces: bool) -> Action:
    if not is_there:
        return Action.ADD
    if not differs:
        return Action.KEEP
    return Action.CHANGE if replaces else Action.REFUSE


def differences(before: TaskDefinition, after: TaskDefinition) -> tuple[tuple[str, object, object], ...]:
    """Return the fields that differ, those of schedule and policies each for itself."""
    old, new = _flat(before), _flat(after)
    return tuple(
        (name, old.get(name), new.get(name)) for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)
    )


def _flat(definition: TaskDefinition) -> dict[str, object]:
    flat: dict[str, object] = {"enabled": definition.enabled}
    # What sets say is told of them.
    for name, value in dataclasses.replace(definition, set_variables={}).to_json().items():
        inside = value if isinstance(value, dict) and name not in {"environment", "parameter_sets"} else None
        flat |= {f"{name}.{key}": item for key, item in inside.items()} if inside is not None else {name: value}
    return flat


def _apply_task(
    session: Session, step: Step, definition: TaskDefinition, *, now: datetime, actor: str, defaults: Defaults
) -> None:
    # Between the plan and this transaction somebody may have saved something else.
    again = _task_step(session, definition, defaults, replaces=step.action is Action.CHANGE)
    if (again.action, again.differences) != (step.action, step.differences):
        raise Conflict(f"task {step.name!r} was changed meanwhile; look at the plan again")
    if step.action is Action.ADD:
        tasks.add_definition(session, definition, now=now, actor=actor)
    elif step.action is Action.CHANGE:
        task = store.find_task_by_name(session, step.name)
        if task is None:
            raise NotFound(f"there is no task {step.name!r}")
        tasks.change_definition(session, task, definition, now=now, actor=actor)


def _apply_calendar(session: Session, step: Step, wanted: CalendarEntry, *, now: datetime, actor: str) -> None:
    if step.action is Action.ADD:
        calendars.add(session, _columns_of(wanted), now=now, actor=actor)
    row = calendar_store.find_calendar_by_name(session, step.name)
    if step.action is Action.CHANGE and row is not None:
        calendars.change(session, row, _columns_of(wanted), now=now, actor=actor)
        calendars.follow_within(session, row, now=now, actor=actor)


def _apply_set(session: Session, step: Step, wanted: SetEntry, *, now: datetime, actor: str) -> None:
    row = set_store.find_set(session, step.name)
    columns = environment_sets.check(wanted.fields(), before=row)
    if step.action is Action.ADD:
        environment_sets.add(session, columns, now=now, actor=actor)
    elif step.action is Action.CHANGE and row is not None:
        environment_sets.change(session, row, columns, now=now, actor=actor)
        environment_sets.follow_within(session, step.name, now=now, actor=actor)


def _apply_blackout(db: Database, step: Step, wanted: BlackoutEntry, *, now: datetime, actor: str) -> None:
    fields = wanted.fields()
    if step.action is Action.ADD:
        blackouts.create(db, fields, now=now, actor=actor, default_zone=wanted.blackout.zone)
    elif step.action is Action.CHANGE:
        blackouts.update(db, blackouts.find_by_name(db, step.name).row.id, fields, now=now, actor=actor)


def _apply_queue(session: Session, step: Step, queue: QueueEntry, *, now: datetime, actor: str) -> None:
    if step.action in {Action.ADD, Action.CHANGE}:
        queues.put_bounds(
            session, queue.name, max_running=queue.max_running, comment=queue.comment, now=now, actor=actor
        )
