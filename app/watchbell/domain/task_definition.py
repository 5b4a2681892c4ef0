"""What a task says: its fields, what each may be, and how a partial change goes on top of what was there."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from watchbell.domain import chains, environment_sets, interpreters, line_checks, placeholders, runbooks
from watchbell.domain import parameters as task_parameters
from watchbell.domain import schedule as schedules
from watchbell.domain import steps as task_steps
from watchbell.domain.chains import AFTER_FIELD, JOIN_FIELD, After
from watchbell.domain.environments import shown as _shown
from watchbell.domain.parameters import FIELD, SETS_FIELD, Parameter
from watchbell.domain.policies import Policies, build_policies
from watchbell.domain.runbooks import LINKS_FIELD, RUNBOOK_FIELD, Link
from watchbell.domain.schedule import Schedule, ScheduleKind
from watchbell.domain.schedule.line_values import FIELD as LINE_FIELD
from watchbell.domain.steps import Step
from watchbell.domain.task_fields import COMMAND_LIMIT, NAME_LIMIT, READERS
from watchbell.errors import InputError, Problem

#: Fields that say when; together they replace the schedule that was there.
SCHEDULE_FIELDS = frozenset(
    {
        "kind",
        "cron",
        "every",
        "unit",
        "at",
        "every_word",
        "at_time",
        "anchor_at",
        "zone",
        "dst",
        LINE_FIELD,
        *schedules.LIMIT_FIELDS,
    }
)
#: Fields that say how; see domain.policies.
POLICY_FIELDS = frozenset(field.name for field in dataclasses.fields(Policies))
#: Fields that say what, where and for whom.
PLAIN_FIELDS = frozenset(
    {
        *(
            "name",
            "command",
            "steps",
            "directory",
            "environment",
            "tags",
            "comment",
            "owner",
            "team",
            "host",
            "enabled",
        ),
        *(FIELD, SETS_FIELD, RUNBOOK_FIELD, LINKS_FIELD, AFTER_FIELD, JOIN_FIELD, environment_sets.FIELD),
    }
)


@dataclasses.dataclass(frozen=True, slots=True)
class Defaults:
    """What a new task gets where nothing is said, and where we are.

    A task that names no host runs wherever its scheduler does: a machine that is renamed must not stop its tasks.
    """

    zone: str
    owner: str
    #: The host of whoever checks the definition; what it says of directories holds there only.
    host: str
    #: Finds the calendars that a schedule may name.
    calendars: schedules.Calendars = schedules.no_calendars
    #: The users of the system as whom tasks may run here; None where that is not known.
    users: Sequence[str] | None = None
    #: Finds the sets of variables that a task may name.
    environment_sets: environment_sets.Sets = environment_sets.no_sets


@dataclasses.dataclass(frozen=True, slots=True)
class TaskDefinition:
    """All that a person decides about a task."""

    name: str
    #: Empty for a task of steps.
    command: str
    schedule: Schedule
    directory: str | None = None
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    policies: Policies = dataclasses.field(default_factory=Policies)
    tags: tuple[str, ...] = ()
    comment: str = ""
    owner: str = ""
    #: The name of the team that it belongs to beside its owner; empty for none.
    team: str = ""
    host: str = ""
    enabled: bool = True
    #: What is run one after the other, in place of a command.
    steps: tuple[Step, ...] = ()
    #: What can be said to each run, and named sets of values for that.
    parameters: tuple[Parameter, ...] = ()
    parameter_sets: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    #: What to do about it, in Markdown, and where more can be found.
    runbook: str = ""
    links: tuple[Link, ...] = ()
    #: The tasks that it runs after, and how many of them have to end as wanted: all, any, or a number.
    after: tuple[After, ...] = ()
    join: str = chains.ALL
    #: The sets of variables that it takes over, in order, and what they said when this was stored.
    environment_sets: tuple[str, ...] = ()
    set_variables: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)

    @property
    def variables(self) -> Mapping[str, str]:
        """Return all variables that it gives to its command, those of its sets among them."""
        return environment_sets.merged(
            {name: getattr(self, name) for name in ("environment", "environment_sets", "set_variables")}
        )

    def standing_alone(self) -> TaskDefinition:
        """Return it with what its sets say among its own variables, for where the sets are not known."""
        return dataclasses.replace(self, environment=self.variables, environment_sets=(), set_variables={})

    def to_json(self) -> dict[str, object]:
        """Return what a revision keeps: all but whether the task is enabled."""
        return {
            "name": self.name,
            "command": self.command,
            "steps": [step.to_json() for step in self.steps],
            "directory": self.directory,
            "environment": dict(self.environment),
            environment_sets.FIELD: list(self.environment_sets),
            environment_sets.CARRIED: {name: dict(values) for name, values in self.set_variables.items()},
            "parameters": [parameter.to_json() for parameter in self.parameters],
            "parameter_sets": {title: dict(values) for title, values in self.parameter_sets.items()},
            "schedule": schedules.to_json(self.schedule),
            "policies": self.policies.to_json(),
            "tags": list(self.tags),
            "comment": self.comment,
            "runbook": self.runbook,
            "links": [link.to_json() for link in self.links],
            "after": [one.to_json() for one in self.after],
            "join": self.join,
            "owner": self.owner,
            "team": self.team,
            "host": self.host,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], *, enabled: bool = True) -> TaskDefinition:
        """Return the definition that a revision keeps."""
        return cls(
            name=data["name"],
            command=data["command"],
            schedule=schedules.from_json(data["schedule"]),
            directory=data.get("directory"),
            environment=data.get("environment") or {},
            policies=Policies.from_json(data.get("policies") or {}),
            tags=tuple(data.get("tags") or ()),
            comment=data.get("comment", ""),
            runbook=data.get("runbook", ""),
            links=runbooks.links_from_json(data.get("links")),
            after=chains.after_from_json(data.get("after")),
            join=data.get("join", chains.ALL),
            owner=data.get("owner", ""),
            team=data.get("team", ""),
            host=data.get("host", ""),
            enabled=enabled,
            steps=task_steps.from_json(data.get("steps")),
            parameters=task_parameters.from_json(data.get("parameters")),
            parameter_sets=data.get("parameter_sets") or {},
            environment_sets=tuple(data.get(environment_sets.FIELD) or ()),
            set_variables=data.get(environment_sets.CARRIED) or {},
        )


def build_definition(
    fields: Mapping[str, object],
    *,
    base: TaskDefinition | None,
    now: datetime,
    defaults: Defaults,
    earlier: Schedule | None = None,
) -> TaskDefinition:
    """Return a definition from what a person gave, on top of the one that was there (None for a new task).

    Absent fields keep the base. ``earlier`` is a schedule whose past moments and whose anchor a new task may have. Raises InputError that names every wrong field, so that a form can show all at once.
    """
    problems: list[Problem] = []
    changes: dict[str, object] = {}
    known = PLAIN_FIELDS | SCHEDULE_FIELDS | POLICY_FIELDS
    problems += [_unknown(name, known) for name in sorted(set(fields) - known)]
    for name in sorted(PLAIN_FIELDS & set(fields)):
        try:
            changes[name] = READERS[name](name, fields[name])
        except InputError as error:
            problems += error.problems
    if base is None and "name" not in fields:
        problems.append(Problem("name", "is required", "backup-home"))
    problems += _settle_what(fields, changes, base)
    if environment_sets.FIELD in changes:
        try:
            kept = base.set_variables if base else {}
            names: Any = changes[environment_sets.FIELD]
            changes[environment_sets.CARRIED] = environment_sets.resolve(names, defaults.environment_sets, kept)
        except InputError as error:
            problems += error.problems
    try:
        changes["schedule"] = _schedule(fields, base, now, defaults, earlier)
    except InputError as error:
        problems += error.problems
    try:
        policies = {name: fields[name] for name in POLICY_FIELDS & set(fields)}
        changes["policies"] = build_policies(policies, base.policies if base else None)
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(*problems)
    if base is None:
        changes.setdefault("owner", defaults.owner)
        return _settled(TaskDefinition(**changes), is_given=SETS_FIELD in fields)  # type: ignore[arg-type]
    return _settled(dataclasses.replace(base, **changes), is_given=SETS_FIELD in fields)  # type: ignore[arg-type]


def _settled(made: TaskDefinition, *, is_given: bool) -> TaskDefinition:
    """Return a definition whose parameters fit to the rest of it; raises InputError if they cannot."""
    if not made.after:
        made = dataclasses.replace(made, join=chains.ALL)
    declared, starts_alone = made.parameters, made.schedule.kind is not ScheduleKind.MANUAL or bool(made.after)
    given = line_checks.always_given(made.schedule) if not made.after else ()
    problems = task_parameters.check_together(declared, made.environment, has_schedule=starts_alone, given=given)
    if wrong := chains.check_join(made.join, len(made.after)):
        problems = [*problems, Problem(JOIN_FIELD, wrong, chains.ALL)]
    problems = [*problems, *_check_texts(made)]
    if problems:
        raise InputError(*problems)
    template = placeholders.template_of(made.command, declared, made.policies.interpreter)
    made = dataclasses.replace(made, schedule=line_checks.checked(made.schedule, declared, template))
    # Sets of which nobody has said anything must not keep a parameter from being changed.
    settle = task_parameters.check_sets if is_given else task_parameters.pruned_sets
    return dataclasses.replace(made, parameter_sets=settle(declared, made.parameter_sets))


def _check_texts(made: TaskDefinition) -> list[Problem]:
    """Return what is wrong with a command or steps for what they are given to."""
    interpreter, texts = made.policies.interpreter, [step.command for step in made.steps]
    if not interpreters.words_of(interpreter) and len(made.command) > COMMAND_LIMIT:
        words = f"must be at most {COMMAND_LIMIT} characters long without an interpreter"
        return [Problem("command", words, "echo hello")]
    for field, text in (("command", made.command), *(("steps", text) for text in texts)):
        if text and (fault := interpreters.find_fault(text, interpreter)):
            return [Problem(field, fault, "tar -c /home")]
    return placeholders.check(made.command, texts, made.parameters, interpreter)


def _settle_what(
    fields: Mapping[str, object], changes: dict[str, object], base: TaskDefinition | None
) -> list[Problem]:
    """Let the command replace the steps that were there, and the other way round; return what is wrong with both together."""
    given = {"command", "steps"} & set(fields)
    if not given <= set(changes):
        # One of them could not even be read, which has been told.
        return []
    has_command, has_steps = bool(str(changes.get("command", "")).strip()), bool(changes.get("steps"))
    if has_command and has_steps:
        return [Problem("steps", "a task has either a command or steps, not both", "an empty command")]
    if has_command:
        changes["steps"] = ()
    elif has_steps:
        changes["command"] = ""
    elif base is None or not ((base.command and "command" not in given) or (base.steps and "steps" not in given)):
        field, example = ("steps", "import=python import.py") if given == {"steps"} else ("command", "echo hello")
        return [Problem(field, "must not be empty" if given else "is required", example)]
    return []


def _schedule(
    fields: Mapping[str, object],
    base: TaskDefinition | None,
    now: datetime,
    defaults: Defaults,
    earlier: Schedule | None,
) -> Schedule:
    given = {name: fields[name] for name in SCHEDULE_FIELDS & set(fields)}
    if base is None:
        return schedules.build_schedule(
            given, now=now, default_zone=defaults.zone, earlier=earlier, calendars=defaults.calendars
        )
    earlier = base.schedule
    if not given:
        return earlier
    if not set(given) - {"zone", "dst", LINE_FIELD, *schedules.LIMIT_FIELDS}:
        given = {**_moments_of(earlier), **given}
    given["dst"] = given.get("dst") or earlier.dst
    if str(given.get("kind")) != ScheduleKind.MANUAL:
        given = {**schedules.fields_of_limits(earlier), **given}
    # Saving a form again must neither move the moments of an interval nor stumble over a moment that has passed.
    return schedules.build_schedule(
        given, now=now, default_zone=earlier.zone, earlier=earlier, calendars=defaults.calendars
    )


def _moments_of(schedule: Schedule) -> dict[str, object]:
    """Return the fields that say when, without where: a change of zone or clock-change rule leaves them."""
    match schedule.kind:
        case ScheduleKind.CRON:
            return {"kind": schedule.kind, "cron": "\n".join(schedule.expressions)}
        case ScheduleKind.INTERVAL:
            return {"kind": schedule.kind, "every": str(schedule.every), "unit": schedule.unit}
        case ScheduleKind.MOMENT:
            return {"kind": schedule.kind, "at": list(schedule.moments)}
        case ScheduleKind.WORDS:
            return {"kind": schedule.kind, "every_word": schedule.every_word, "at_time": schedule.at_time}
        case ScheduleKind.MANUAL:
            return {"kind": schedule.kind}


def _unknown(name: str, known: Collection[str]) -> Problem:
    near = difflib.get_close_matches(name[:NAME_LIMIT].lower(), known, n=1)
    return Problem(_shown(name), "is not a field of a task", near[0] if near else "command")
