"""What the gateway's routes take and answer with."""

from __future__ import annotations

from marshmallow import validate

from watchbell.domain.run_state import RunState
from watchbell.web.api import fields
from watchbell.web.api.gateway.words import STATUSES

TIMEOUT_SECONDS = 300
MOST_SECONDS = 86_400
MOST_ROWS = 1000
_TAGS = {"description": "Separated by commas.", "example": "backup,daily"}
_CRON = {"description": "Five fields, or a word such as @daily.", "example": "0 2 * * *"}
_TIMEOUT = {"description": "After so long a run is ended.", "example": TIMEOUT_SECONDS}
_DIRECTORY = {"description": "Where the command runs; it must be there.", "example": "/var/backups"}


class NewJob(fields.Schema):
    """A job to be made."""

    name = fields.Text(required=True, validate=fields.long(1, 100), metadata={"example": "daily_backup"})
    cron = fields.Text(required=True, validate=fields.long(1, 2000), metadata=_CRON)
    command = fields.Text(required=True, validate=validate.Length(1), metadata={"example": "python3 backup.py"})
    working_dir = fields.Text(allow_none=True, metadata=_DIRECTORY)
    enabled = fields.Flag(load_default=True)
    timeout_seconds = fields.Whole(
        load_default=TIMEOUT_SECONDS, validate=fields.between(1, MOST_SECONDS), metadata=_TIMEOUT
    )
    tags = fields.Text(allow_none=True, metadata=_TAGS)


class JobChange(fields.Schema):
    """What is to be changed of a job: fields that are absent stay, and null takes a directory or the tags away."""

    cron = fields.Text(validate=fields.long(1, 2000), metadata=_CRON)
    command = fields.Text(validate=validate.Length(1))
    working_dir = fields.Text(allow_none=True, metadata=_DIRECTORY)
    enabled = fields.Flag()
    timeout_seconds = fields.Whole(validate=fields.between(1, MOST_SECONDS), metadata=_TIMEOUT)
    tags = fields.Text(allow_none=True, metadata=_TAGS)


class Job(fields.Schema):
    """A job."""

    id = fields.Whole(required=True, metadata={"example": 1})
    name = fields.Text(required=True, metadata={"example": "daily_backup"})
    cron = fields.Text(
        required=True,
        allow_none=True,
        metadata={**_CRON, "description": "Null for a task that is due by another kind of schedule, or by hand only."},
    )
    command = fields.Text(required=True)
    working_dir = fields.Text(required=True, allow_none=True)
    enabled = fields.Flag(required=True)
    timeout_seconds = fields.Whole(required=True)
    tags = fields.Text(required=True, allow_none=True, metadata=_TAGS)
    created_at = fields.Moment(required=True)
    updated_at = fields.Moment(required=True)
    next_run = fields.Moment(required=True, allow_none=True)
    is_running = fields.Flag(required=True)


class JobsAsked(fields.Schema):
    """Which jobs."""

    include_disabled = fields.Flag(texts=True, load_default=True)
    tag = fields.words(metadata={"description": "A whole tag.", "example": "backup"})


class Run(fields.Schema):
    """A run of a job."""

    id = fields.Whole(required=True, metadata={"example": 42})
    job_id = fields.Whole(required=True)
    job_name = fields.Text(required=True)
    started_at = fields.Moment(
        required=True, allow_none=True, metadata={"description": "Null for one that was never started."}
    )
    ended_at = fields.Moment(required=True, allow_none=True)
    exit_code = fields.Whole(required=True, allow_none=True)
    stdout = fields.Text(required=True, allow_none=True)
    stderr = fields.Text(required=True, allow_none=True)
    truncated = fields.Flag(required=True, metadata={"description": "Whether more was written than stands here."})
    timed_out = fields.Flag(required=True)
    duration_seconds = fields.Number(required=True, allow_none=True)
    status = fields.Word(
        sorted({STATUSES.get(state, state.value) for state in RunState}),
        required=True,
        metadata={"example": "success"},
    )
    reason = fields.Text(required=True, metadata={"description": "Why it is in this state, in words."})


class RunsAsked(fields.Schema):
    """Which runs."""

    job_name = fields.words()
    limit = fields.limit(50, MOST_ROWS)
    failed_only = fields.Flag(
        texts=True, load_default=False, metadata={"description": "Only what failed, timed out or was lost."}
    )


class JobRunsAsked(fields.Schema):
    """How many runs of a job."""

    limit = fields.limit(20, MOST_ROWS)


class Today(fields.Schema):
    """The numbers of today, which begins at midnight in the server's zone."""

    total_runs_today = fields.Whole(required=True)
    successful_runs_today = fields.Whole(required=True)
    failed_runs_today = fields.Whole(required=True, metadata={"description": "Without those that timed out."})
    timeout_runs_today = fields.Whole(required=True)
    running_count = fields.Whole(required=True)


class Message(fields.Schema):
    """What was done."""

    message = fields.Text(required=True)
    run_id = fields.Whole(metadata={"description": "The run that was asked for."})


class Health(fields.Schema):
    """Whether the server answers."""

    status = fields.Word(["healthy", "unhealthy"], required=True)
    timestamp = fields.Moment(required=True)
    websocket_clients = fields.Whole(required=True)
    version = fields.Text(required=True)


class Status(fields.Schema):
    """What the service does."""

    status = fields.Text(required=True, metadata={"description": "The state of the scheduler.", "example": "running"})
    timestamp = fields.Moment(required=True)
    total_jobs = fields.Whole(required=True)
    enabled_jobs = fields.Whole(required=True)
    running_jobs = fields.Whole(required=True)
    database_path = fields.Text(
        required=True, metadata={"description": "Only its name to those who do not administer."}
    )
    uptime_seconds = fields.Number(required=True, allow_none=True)


class Settings(fields.Schema):
    """The settings in force."""

    db_path = fields.Text(required=True)
    log_dir = fields.Text(required=True)
    log_level = fields.Text(required=True)
    check_interval = fields.Number(required=True, metadata={"description": "Seconds within which changes are noticed."})
    gateway_host = fields.Text(required=True)
    gateway_port = fields.Whole(required=True)
