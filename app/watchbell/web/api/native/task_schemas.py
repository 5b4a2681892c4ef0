"""What the routes of tasks take and answer with: the fields of a definition, its schedule and its policies."""

from __future__ import annotations

from typing import Any

import marshmallow

from watchbell.domain import gates, policies
from watchbell.domain.policies import Policies
from watchbell.domain.run_state import RunState
from watchbell.domain.schedule import CalendarRule, DSTRule, ScheduleKind
from watchbell.domain.task_fields import NAME_LIMIT, SCRIPT_LIMIT, TEAM_LIMIT, TEXT_LIMIT
from watchbell.store.tasks import SORTS
from watchbell.web.api import fields
from watchbell.web.api.native import schemas
from watchbell.web.api.native.parameter_schemas import (
    AFTER,
    JOIN,
    LINKS,
    MOMENT_VALUES,
    PLAIN_VALUE,
    RUNBOOK,
    SETS,
    After,
    Link,
    Parameter,
    ToldParameter,
    told_line_values,
)
from watchbell.web.api.native.schedule_fields import CALENDAR_RULE, NOT_AFTER, NOT_BEFORE, ScheduleFields
from watchbell.web.api.native.step_schemas import Step, ToldStep

#: What the policies are for; the rest of each is in docs/policies.md.
_POLICY_WORDS = {
    "overlap": "When it is due while an earlier run of it goes on.",
    "overlap_limit": "With queue_all: how many may wait.",
    "catch_up": "What becomes of moments that passed while no scheduler worked.",
    "catch_up_limit": "With all: how many of them run at the most.",
    "catch_up_window_seconds": "Older ones stand as missed.",
    "uncertain": "What happens when nobody can know whether it ran.",
    "latest_start_seconds": "It is given up if it has not started so long after it was due; null for its own interval.",
    "time_limit_seconds": "It is ended after so long.",
    "grace_seconds": "How long it has between being asked to end and being ended.",
    "output_limit_mib": "What is kept of each stream; null for the server's setting.",
    "output_excess": "When it writes more than that.",
    "spread_seconds": "It starts later by up to so much, always by the same.",
    "retries": "Further attempts after one that failed.",
    "retry_backoff": "How the delay grows.",
    "retry_delay_seconds": "Before the first retry.",
    "retry_max_delay_seconds": "No delay is longer.",
    "retry_multiplier": "With exponential: by how much each delay is longer than the one before.",
    "retry_total_seconds": "No retry begins later than this after the first start; null for no bound.",
    "retry_on": "Exit codes, ranges of them, signal, timeout; empty for every failure.",
    "retry_not_on": "The same, for what is not tried again.",
    "memory_limit_mib": "Of all its processes; null for none.",
    "process_limit": "How many processes it may have; null for any number.",
    "niceness": "The higher, the more it gives way to others.",
    "interpreter": "What is given its command, or its steps, as a script; empty for a shell, none for never a shell.",
    "as_user": "The user of the system as whom it runs; empty for the first that the settings name, or the scheduler's own.",
    "queue": "Where its runs wait for their turn.",
    "priority": "The higher, the sooner it is taken from its queue.",
    "keep_days": "How long its runs are kept; null for the server's setting.",
    "keep_runs": "How many of its runs are kept; null for the server's setting.",
    "own_metrics": "With read, lines such as `::watchbell metric=rows value=120` become numbers of the run.",
    "gates": "What must hold of the numbers of a run, or it has failed: a condition a line, `name: condition` or without one.",
}
_EXAMPLE_RESULTS = "1, 75-79, timeout"
_EXAMPLES = {"as_user": "backup", "interpreter": "/bin/bash -e", gates.FIELD: gates.EXAMPLE}


def _policy_fields(**options: Any) -> dict[str, marshmallow.fields.Field[Any]]:
    """Return a field for each policy; numbers that may be nothing take null."""
    return {name: _policy_field(name, value, options) for name, value in Policies().to_json().items()}


def _policy_field(name: str, default: object, options: dict[str, Any]) -> marshmallow.fields.Field[Any]:
    metadata = {"description": _POLICY_WORDS.get(name, ""), "example": default}
    if name in policies.WORDS:
        return fields.Word(list(policies.WORDS[name]), metadata=metadata, **options)
    if name in policies.RANGES:
        low, high, example = policies.RANGES[name]
        if name in policies.OPTIONAL:
            options = {**options, "allow_none": True}
            metadata["example"] = int(example)
        return fields.Whole(validate=fields.between(low, high), metadata=metadata, **options)
    if isinstance(default, float):
        return fields.Number(validate=fields.between(1, 10), metadata=metadata, **options)
    if name in _EXAMPLES:
        metadata["example"] = _EXAMPLES[name]
    elif not default:
        metadata["example"] = _EXAMPLE_RESULTS
    return fields.Text(metadata=metadata, **options)


_NOTE: dict[str, Any] = {"description": "Why it is left out, or from where it was moved.", "example": ""}
TAGS: dict[str, Any] = {"example": ["backup", "daily"]}
_ENVIRONMENT: dict[str, Any] = {"example": {"LANG": "C.UTF-8"}}
_SETS: dict[str, Any] = {
    "description": "Environment sets that it takes over, in order; its own count before them.",
    "example": [],
}


class TaskChange(ScheduleFields):
    """What is to be changed of a task: fields that are absent stay, and null takes away what may be absent."""

    class Meta(fields.Schema.Meta):
        include = _policy_fields()

    name = fields.Text(validate=fields.long(1, NAME_LIMIT), metadata={"example": "backup-home"})
    command = fields.Text(validate=fields.long(0, SCRIPT_LIMIT), metadata={"example": "tar -c /home"})
    steps = fields.Many(
        fields.Nested(Step),
        allow_none=True,
        metadata={"description": "Run one after the other, in place of a command."},
    )
    directory = fields.Text(allow_none=True, metadata={"description": "Where it runs.", "example": "/var/backups"})
    environment = fields.Mapped(keys=fields.Text(), values=fields.Text(), allow_none=True, metadata={**_ENVIRONMENT})
    environment_sets = fields.Many(fields.Text(), allow_none=True, metadata={**_SETS})
    parameters = fields.Many(
        fields.Nested(Parameter), allow_none=True, metadata={"description": "What can be said to each run."}
    )
    parameter_sets = fields.Mapped(
        keys=fields.Text(),
        values=fields.Mapped(keys=fields.Text(), values=fields.Shaped(PLAIN_VALUE, allow_none=True)),
        allow_none=True,
        metadata={**SETS},
    )
    tags = fields.Many(fields.Text(), allow_none=True, metadata={**TAGS})
    comment = fields.Text(
        validate=fields.long(0, TEXT_LIMIT), allow_none=True, metadata={"example": "for the auditors"}
    )
    runbook = fields.Text(allow_none=True, metadata={**RUNBOOK})
    links = fields.Many(fields.Nested(Link), allow_none=True, metadata={**LINKS})
    after = fields.Many(fields.Nested(After), allow_none=True, metadata={**AFTER})
    join = fields.Text(allow_none=True, metadata={**JOIN})
    owner = fields.Text(validate=fields.long(0, NAME_LIMIT), metadata={"example": "ann"})
    team = fields.Text(
        validate=fields.long(0, TEAM_LIMIT),
        allow_none=True,
        metadata={"description": "A team that there is; empty or null for none.", "example": ""},
    )
    host = fields.Text(
        allow_none=True, metadata={"description": "Empty or null for wherever its scheduler runs.", "example": ""}
    )
    enabled = fields.Flag()


class NewTask(TaskChange):
    """A task to be made."""

    name = fields.Text(required=True, validate=fields.long(1, NAME_LIMIT), metadata={"example": "backup-home"})


class Task(fields.Schema):
    """A task, with the fields by which it is made and changed."""

    class Meta(fields.Schema.Meta):
        include = _policy_fields(required=True)

    id = fields.Whole(required=True, metadata={"example": 7})
    version = fields.Whole(required=True, metadata={"description": "Rises with every change of its definition."})
    name = fields.Text(required=True, metadata={"example": "backup-home"})
    enabled = fields.Flag(required=True)
    command = fields.Text(required=True, metadata={"description": "Empty for a task of steps."})
    steps = fields.Many(fields.Nested(ToldStep), required=True)
    directory = fields.Text(required=True, allow_none=True)
    environment = fields.Mapped(required=True, keys=fields.Text(), values=fields.Text(), metadata={**_ENVIRONMENT})
    environment_sets = fields.Many(fields.Text(), required=True, metadata={**_SETS})
    parameters = fields.Many(fields.Nested(ToldParameter), required=True)
    parameter_sets = fields.Mapped(
        required=True,
        keys=fields.Text(),
        values=fields.Mapped(keys=fields.Text(), values=fields.Text()),
        metadata={**SETS},
    )
    tags = fields.Many(fields.Text(), required=True, metadata={**TAGS})
    comment = fields.Text(required=True)
    runbook = fields.Text(required=True, metadata={**RUNBOOK})
    links = fields.Many(fields.Nested(Link), required=True, metadata={**LINKS})
    after = fields.Many(fields.Nested(After), required=True, metadata={**AFTER})
    join = fields.Text(required=True, metadata={**JOIN})
    owner = fields.Text(required=True)
    team = fields.Text(required=True, metadata={"description": "Empty for none."})
    host = fields.Text(required=True)
    kind = fields.Word(list(ScheduleKind), required=True)
    cron = fields.Text(required=True, allow_none=True, metadata={"description": "One cron text in each line."})
    every = fields.Whole(required=True, allow_none=True)
    unit = fields.Text(required=True, allow_none=True)
    at = fields.Many(fields.Moment(), required=True, allow_none=True)
    every_word = fields.Text(required=True, allow_none=True)
    at_time = fields.Text(required=True, allow_none=True)
    anchor_at = fields.Moment(required=True, allow_none=True)
    zone = fields.Text(required=True)
    dst = fields.Word(list(DSTRule), required=True)
    calendar = fields.Text(required=True, allow_none=True)
    calendar_rule = fields.Word(list(CalendarRule), required=True, allow_none=True, metadata={**CALENDAR_RULE})
    not_before = fields.Text(required=True, allow_none=True, metadata={**NOT_BEFORE})
    not_after = fields.Text(required=True, allow_none=True, metadata={**NOT_AFTER})
    line_values = told_line_values()
    sentence = fields.Text(
        required=True, metadata={"description": "The schedule in words.", "example": "At 02:30 every day"}
    )
    clock_change_at = fields.Moment(
        required=True,
        allow_none=True,
        metadata={
            "description": "The next change of the clock, if it is within 14 days and touches a moment of the task."
        },
    )
    is_running = fields.Flag(required=True)
    paused = fields.Nested(schemas.Pause, required=True, allow_none=True)
    next_due_at = fields.Moment(required=True, allow_none=True)
    created_at = fields.Moment(required=True)
    created_by = fields.Text(required=True)
    updated_at = fields.Moment(required=True)
    updated_by = fields.Text(required=True)


class TaskPage(fields.Schema):
    """A page of tasks."""

    items = fields.Many(fields.Nested(Task), required=True)
    next = schemas.following("after")
    total = fields.Whole(required=True, metadata={"description": "How many there are with these filters."})


_ORDERS = [*SORTS, *(f"-{name}" for name in SORTS)]


class TaskFilters(fields.Schema):
    """Which tasks."""

    search = fields.words(metadata={"description": "Words in name, command, schedule, owner, team, comment or tags."})
    enabled = fields.Flag(texts=True, allow_none=True)
    owner = fields.words(metadata={"example": "ann"})
    team = fields.words(metadata={"example": "database"})
    host = fields.words()
    tag = fields.words(
        metadata={
            "description": "A tag; those that lie in it, as backup/nightly in backup, count, too.",
            "example": "backup",
        }
    )
    queue = fields.words(metadata={"example": "nightly"})


class TasksAsked(TaskFilters):
    """Which tasks, and in which order."""

    sort = fields.Word(_ORDERS, load_default="name", metadata={"description": "With a minus for descending."})
    after = fields.Text(metadata={"description": "The `next` of the page before."})
    limit = schemas.limit()


class Revision(fields.Schema):
    """The definition that a version of a task had."""

    version = fields.Whole(required=True)
    at = fields.Moment(required=True)
    by = fields.Text(required=True)
    definition = fields.Shaped({"type": "object"}, required=True)


class RevisionPage(fields.Schema):
    """A page of revisions, the newest first."""

    items = fields.Many(fields.Nested(Revision), required=True)
    next = schemas.following("before")


class Moment(fields.Schema):
    """A moment at which a task is due."""

    due_at = fields.Moment(required=True)
    local_time = fields.Text(required=True, metadata={"description": "What the clock of its zone shows then."})
    zone = fields.Text(required=True)
    is_left_out = fields.Flag(required=True, metadata={"description": "Whether it becomes a row that is skipped."})
    note = fields.Text(required=True, metadata={**_NOTE})
    parameters = fields.Mapped(required=True, keys=fields.Text(), values=fields.Text(), metadata={**MOMENT_VALUES})


class Moments(fields.Schema):
    """The next moments of a task, none for one that is disabled."""

    items = fields.Many(fields.Nested(Moment), required=True)


class MomentsAsked(fields.Schema):
    """How many moments."""

    n = fields.limit(10, 1000)


class Outcome(fields.Schema):
    """What became of one occurrence."""

    run_id = fields.Whole(required=True)
    state = fields.Word(list(RunState), required=True)
    due_at = fields.Moment(required=True)
    ended_at = fields.Moment(required=True, allow_none=True)
    exit_code = fields.Whole(required=True, allow_none=True)
    stands_for = fields.Whole(required=True, metadata={"description": "For how many occurrences the row stands."})


class Outcomes(fields.Schema):
    """The last outcomes of a task, the newest first."""

    items = fields.Many(fields.Nested(Outcome), required=True)


class OutcomesAsked(fields.Schema):
    """How many outcomes."""

    n = fields.limit(30, 1000)


class ClockChange(fields.Schema):
    """What a schedule does around a clock change."""

    at = fields.Moment(required=True)
    words = fields.Text(required=True, metadata={"example": "from 02:00 to 03:00"})
    moments = fields.Many(fields.Nested(Moment), required=True)
    more = fields.Flag(required=True, metadata={"description": "Whether further moments lie around it."})
    left_out = fields.Many(fields.Text(), required=True, metadata={"description": "Local times that do not run."})


class Preview(fields.Schema):
    """What a schedule means."""

    sentence = fields.Text(required=True)
    zone = fields.Text(required=True)
    moments = fields.Many(fields.Nested(Moment), required=True)
    ends = fields.Flag(required=True, metadata={"description": "Whether nothing comes after these moments."})
    clock_changes = fields.Many(fields.Nested(ClockChange), required=True)
    clock_note = fields.Text(required=True)
