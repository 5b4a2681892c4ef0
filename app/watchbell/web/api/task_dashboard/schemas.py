"""The columns of the dashboard's tables, as its routes take and answer with them."""

from __future__ import annotations

from watchbell.domain.schedule import EVERY_WORDS
from watchbell.web.api import fields

MOST_ROWS = 1000
_TIME = {"description": "In the server's zone.", "example": "2026-11-29 09:30:00"}
_EVERY = {"description": f"One of {', '.join(EVERY_WORDS)}; without one it starts by hand only.", "example": "day"}
_AT_TIME = {
    "description": "HH:MM or HH:MM:SS with a day, a whole number with seconds, minutes and hours; otherwise unused.",
    "example": "09:30",
}
_RESSOURCE = {"description": "A word of one's own; the script finds it in the variable RESSOURCE."}
_SET = {"description": "Set by the server; what is sent is not looked at."}


class _TaskColumns(fields.Schema):
    Enable = fields.Bit()
    RunBy = fields.Text(allow_none=True, metadata={"example": "ann"})
    ScriptFolder = fields.Text(allow_none=True, metadata={"example": "/srv/scripts"})
    Every = fields.Text(allow_none=True, metadata=_EVERY)
    AtTime = fields.Text(allow_none=True, metadata=_AT_TIME)
    Ressource = fields.Text(allow_none=True, metadata=_RESSOURCE)
    ToRunAsap = fields.Bit(metadata={"description": "Whether it is to run as soon as possible."})
    Comment = fields.Text(allow_none=True)
    RunHost = fields.Text(allow_none=True, metadata={"description": "Empty for wherever the scheduler is."})
    ID = fields.Whole(allow_none=True, metadata=_SET)
    InsertedAt = fields.Text(allow_none=True, metadata=_SET)
    InsertedBy = fields.Text(allow_none=True, metadata=_SET)
    InsertedHost = fields.Text(allow_none=True, metadata=_SET)


class NewTask(_TaskColumns):
    """A task to be made."""

    ScriptName = fields.Text(
        required=True,
        metadata={
            "description": "A script in the folder; one that ends in .py runs in Python.",
            "example": "report.py",
        },
    )


class TaskChange(_TaskColumns):
    """What is to be changed of a task: columns that are absent stay."""

    ScriptName = fields.Text(metadata={"example": "report.py"})


class Task(fields.Schema):
    """A row of Task_Scheduler."""

    ID = fields.Whole(required=True, metadata={"example": 1})
    Enable = fields.Flag(required=True)
    RunBy = fields.Text(required=True)
    ScriptName = fields.Text(required=True)
    ScriptFolder = fields.Text(required=True, allow_none=True)
    Every = fields.Text(
        required=True,
        allow_none=True,
        metadata={**_EVERY, "description": "Null for a task that is due by another kind of schedule, or by hand only."},
    )
    AtTime = fields.Text(required=True, allow_none=True, metadata=_AT_TIME)
    Ressource = fields.Text(required=True, allow_none=True, metadata=_RESSOURCE)
    ToRunAsap = fields.Flag(required=True)
    Comment = fields.Text(required=True)
    RunHost = fields.Text(required=True)
    InsertedAt = fields.Text(required=True, metadata=_TIME)
    InsertedBy = fields.Text(required=True)
    InsertedHost = fields.Text(required=True)


class Scheduled(fields.Schema):
    """A row of Task_Scheduled: a moment at which a task is due."""

    ID = fields.Whole(required=True, metadata={"description": "The place in this list."})
    ScriptName = fields.Text(required=True)
    ScriptFolder = fields.Text(required=True, allow_none=True)
    RunBy = fields.Text(required=True)
    RunHost = fields.Text(required=True)
    NextRun = fields.Text(required=True, metadata=_TIME)
    HeartbeatID = fields.Text(required=True, allow_none=True, metadata={"description": "The scheduler's session."})
    InsertedAt = fields.Text(required=True, metadata=_TIME)
    InsertedBy = fields.Text(required=True)
    InsertedHost = fields.Text(required=True)


class LogRow(fields.Schema):
    """A row of Log_Task_Scheduler: a run."""

    ID = fields.Whole(required=True)
    ScriptFile = fields.Text(required=True)
    Status = fields.Text(
        required=True, metadata={"description": "`Run` while it goes on, then how it ended.", "example": "succeeded"}
    )
    SessionID = fields.Text(required=True)
    IsProd = fields.Flag(required=True, allow_none=True)
    TraceID = fields.Text(required=True, allow_none=True)
    HeartbeatID = fields.Text(required=True, allow_none=True, metadata={"description": "The scheduler's session."})
    InsertedAt = fields.Text(required=True, metadata={**_TIME, "description": "When it started, or was due."})
    InsertedBy = fields.Text(required=True)
    InsertedHost = fields.Text(required=True)


class Whose(fields.Schema):
    """Whose rows."""

    user = fields.words(metadata={"description": "Whoever asks, unless it is said. Upper and lower case are the same."})
    host = fields.words(metadata={"description": "The server's host, unless it is said."})


class LogsAsked(Whose):
    """Whose log rows, and how many."""

    limit = fields.limit(100, MOST_ROWS)


class LinesAsked(fields.Schema):
    """How many lines of the scheduler's log."""

    limit = fields.limit(100, 5000)


class Done(fields.Schema):
    """What was done."""

    success = fields.Flag(required=True)
    message = fields.Text(required=True)


class TaskMade(Done):
    """A task was made."""

    id = fields.Whole(required=True)


class Status(fields.Schema):
    """Whether the scheduler works."""

    running = fields.Flag(required=True)
    start_time = fields.Text(required=True, allow_none=True, metadata=_TIME)


class Started(Done):
    """The scheduler was started."""

    start_time = fields.Text(required=True, allow_none=True, metadata=_TIME)


class Line(fields.Schema):
    """A line of the scheduler's log."""

    timestamp = fields.Text(required=True, metadata=_TIME)
    level = fields.Text(required=True, metadata={"example": "INFO"})
    message = fields.Text(required=True)


class Heartbeat(fields.Schema):
    """When a user's scheduler on a host was last heard of."""

    InsertedBy = fields.Text(required=True)
    InsertedHost = fields.Text(required=True)
    IsProd = fields.Flag(required=True)
    LastInsertedAt = fields.Text(required=True, metadata=_TIME)
