"""What commands ask for and have done, whoever answers: the database of this machine now, a server elsewhere later.

A command turns words into a call of this and its answer into words, and knows nothing of where the answer comes from. Rows
have the attributes that are named here, as times that are aware and in UTC; errors are those of ``watchbell.errors``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from watchbell.cli.calendar_sources import CalendarSource
from watchbell.cli.chain_sources import ChainSource
from watchbell.cli.edit_sources import EditSource
from watchbell.cli.environment_sources import EnvironmentSource
from watchbell.cli.foresight import ForesightSource
from watchbell.cli.past_sources import PastSource
from watchbell.cli.template_sources import TemplateSource
from watchbell.domain.steps import StepResult

if TYPE_CHECKING:
    from watchbell.control.process import SchedulerStatus, StopOutcome
    from watchbell.services.queues import QueueView


class TaskRow(Protocol):
    """A task as it is shown."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def enabled(self) -> bool: ...
    @property
    def command(self) -> str: ...
    @property
    def steps(self) -> Sequence[Any]: ...
    @property
    def directory(self) -> str | None: ...
    @property
    def environment(self) -> Mapping[str, Any]: ...
    @property
    def environment_sets(self) -> Sequence[str]: ...
    @property
    def parameters(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def runbook(self) -> str: ...
    @property
    def links(self) -> Sequence[Mapping[str, str]]: ...
    @property
    def after(self) -> Sequence[Mapping[str, str]]: ...
    @property
    def join(self) -> str: ...
    @property
    def parameter_sets(self) -> Mapping[str, Mapping[str, str]]: ...
    @property
    def schedule(self) -> Mapping[str, Any]: ...
    @property
    def schedule_words(self) -> str: ...
    @property
    def zone(self) -> str: ...
    @property
    def policies(self) -> Mapping[str, Any]: ...
    @property
    def tags(self) -> Sequence[str]: ...
    @property
    def comment(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def team(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def next_due_at(self) -> datetime | None: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def updated_at(self) -> datetime: ...
    @property
    def updated_by(self) -> str: ...
    @property
    def deleted_at(self) -> datetime | None: ...


class RevisionRow(Protocol):
    """A version of a task as it is shown."""

    @property
    def version(self) -> int: ...
    @property
    def at(self) -> datetime: ...
    @property
    def by(self) -> str: ...
    @property
    def definition(self) -> Mapping[str, Any]: ...


class RunRow(Protocol):
    """A run as it is shown."""

    @property
    def id(self) -> int: ...
    @property
    def task_id(self) -> int: ...
    @property
    def task_name(self) -> str: ...
    @property
    def task_version(self) -> int: ...
    @property
    def trigger(self) -> str: ...
    @property
    def due_at(self) -> datetime: ...
    @property
    def state(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def stands_for(self) -> int: ...
    @property
    def attempts(self) -> int: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def started_at(self) -> datetime | None: ...
    @property
    def ended_at(self) -> datetime | None: ...
    @property
    def exit_code(self) -> int | None: ...
    @property
    def queue(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def start_by(self) -> datetime | None: ...
    @property
    def retry_at(self) -> datetime | None: ...
    @property
    def rerun_of(self) -> int | None: ...
    @property
    def group_id(self) -> int | None: ...
    @property
    def decision(self) -> str | None: ...
    @property
    def parameters(self) -> Mapping[str, Any] | None: ...


class PauseRow(Protocol):
    """A pause as it is shown."""

    @property
    def scope(self) -> str: ...
    @property
    def since(self) -> datetime: ...
    @property
    def until(self) -> datetime | None: ...
    @property
    def by(self) -> str: ...
    @property
    def reason(self) -> str: ...


@dataclasses.dataclass(frozen=True, slots=True)
class TaskList:
    """Tasks by name."""

    tasks: Sequence[TaskRow]
    #: The newest run of each by the task's id; one that has never run has none.
    newest: Mapping[int, RunRow]
    #: How many there are without the filters.
    total: int


@dataclasses.dataclass(frozen=True, slots=True)
class RunQuery:
    """Which runs a list shows; the defaults show all."""

    task_id: int | None = None
    states: tuple[str, ...] = ()
    since: datetime | None = None
    before_id: int | None = None
    limit: int = 20
    #: Only lost runs that wait for a decision; it goes with the task and the limit only.
    undecided: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class RunList:
    """Runs, newest first."""

    runs: Sequence[RunRow]
    has_older: bool


@dataclasses.dataclass(frozen=True, slots=True)
class RunDetail:
    """All about one run; attempts and transitions are in their order."""

    run: RunRow
    attempts: Sequence[Any]
    events: Sequence[Any]
    #: What was run, as a revision of the task keeps it.
    definition: Mapping[str, Any]
    task_exists: bool
    #: What became of the steps of the newest attempt, and of each by its number; none for a run of a command.
    steps: Sequence[StepResult]
    steps_of: Mapping[int, Sequence[StepResult]]


@dataclasses.dataclass(frozen=True, slots=True)
class RunVerdict:
    """What a run was like beside the earlier ones of its task."""

    run_id: int
    #: empty, slow, heavy, fast, usual or unknown.
    verdict: str
    #: Why, in words; empty for one that was as usual.
    reason: str
    #: Who has said that it was as it should be, and when.
    expected_by: str | None
    expected_at: datetime | None


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """A part of what a run has written."""

    data: bytes
    #: Where it really begins, and where the next one does: bytes in between are not kept.
    offset: int
    next_offset: int
    #: How much was written so far, and whether more can come.
    size: int
    is_complete: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Counts:
    """How many tasks there are, and what became of today's runs."""

    tasks: int
    enabled: int
    running: int
    waiting: int
    today: Mapping[str, int]


class Source(
    CalendarSource, ChainSource, EditSource, EnvironmentSource, ForesightSource, PastSource, TemplateSource, Protocol
):
    """Who answers. Each method raises a WatchbellError with one line for whoever typed the command."""

    def list_tasks(
        self,
        *,
        search: str = "",
        enabled: bool | None = None,
        owner: str | None = None,
        team: str | None = None,
        tag: str | None = None,
    ) -> TaskList:
        """Return the tasks that fit, by name; a tag is a whole member."""

    def find_task(self, name: str) -> TaskRow:
        """Return the task of a name or an id; raises NotFound."""

    def list_moments(self, task: TaskRow, limit: int) -> Sequence[datetime]:
        """Return a task's next moments; none for one that is disabled."""

    def check_task(self, fields: Mapping[str, object]) -> None:
        """Raise InputError that tells all that is wrong with the fields of a new task."""

    def add_task(self, fields: Mapping[str, object]) -> TaskRow:
        """Make a task; raises InputError and Conflict."""

    def change_task(self, task: TaskRow, fields: Mapping[str, object]) -> TaskRow:
        """Change a task unless somebody else has changed it since it was looked at; fields that are absent stay."""

    def enable_task(self, task: TaskRow, *, enabled: bool) -> TaskRow:
        """Enable or disable a task."""

    def delete_task(self, task: TaskRow) -> TaskRow:
        """Delete a task."""

    def trigger_task(
        self,
        task: TaskRow,
        *,
        key: str | None = None,
        asap: bool = False,
        given: Mapping[str, object] | None = None,
        version: int | None = None,
    ) -> RunRow:
        """Ask for a run with these values of the task's parameters, by a version of it; raises InputError and NotFound."""

    def read_bundle(self, run_id: int) -> bytes:
        """Return the zip of files that run a run again elsewhere; raises NotFound."""

    def run_again(self, run_id: int, *, exactly: bool) -> RunRow:
        """Ask for another run like this one; ``exactly`` by its version and with its values, else by the one in force."""

    def list_runs(self, query: RunQuery) -> RunList:
        """Return the runs that fit, newest first."""

    def find_run(self, run_id: int) -> RunRow:
        """Return a run; raises NotFound."""

    def show_run(self, run_id: int) -> RunDetail:
        """Return all about a run; raises NotFound."""

    def read_output(self, run_id: int, stream: str, offset: int, limit: int, attempt: int | None = None) -> Piece:
        """Return a part of what a run has written; a negative offset counts from the end. Raises NotFound."""

    def wait_for_run(self, run_id: int, seconds: float) -> RunRow:
        """Return a run as soon as it has ended, or as it is after so many seconds."""

    def cancel_run(self, run_id: int) -> RunRow:
        """Ask for a run's end; raises NotFound, and Conflict if it has ended already."""

    def decide(self, run_id: int, choice: str) -> RunRow:
        """Decide about a lost run, and return the one that repeats it, or itself."""

    def find_verdict(self, run_id: int) -> RunVerdict:
        """Return what a run was like; raises NotFound."""

    def expect(self, run_id: int, *, undo: bool = False) -> RunVerdict:
        """Say that an unusual run was as it should be, or take it back; raises NotFound and Conflict."""

    def count(self) -> Counts:
        """Return the numbers of today."""

    def find_pause(self, scope: str) -> PauseRow | None:
        """Return the pause of a scope."""

    def list_pauses(self) -> Sequence[PauseRow]:
        """Return all pauses in force."""

    def pause(self, scope: str, *, reason: str, until: datetime | None) -> PauseRow:
        """Pause what a scope names."""

    def resume(self, scope: str) -> bool:
        """End a pause and return whether there was one."""

    def list_queues(self) -> Sequence[QueueView]:
        """Return all queues by name."""

    def set_queue(self, name: str, changes: Mapping[str, object]) -> QueueView:
        """Change ``max_running`` (None for any number), ``carrier`` or ``comment`` of a queue; what is absent stays."""

    def remove_queue(self, name: str) -> None:
        """Take the bound from a queue."""

    def list_alert_rules(self) -> Sequence[Mapping[str, Any]]:
        """Return all alert rules by name, each as ``services.alert_rules.told`` has it."""

    def find_alert_rule(self, name: str) -> Mapping[str, Any]:
        """Return the alert rule of a name or an id; raises NotFound."""

    def add_alert_rule(self, fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Make an alert rule; raises InputError and Conflict."""

    def change_alert_rule(self, rule: Mapping[str, Any], fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Change an alert rule unless somebody else has changed it since it was looked at; what is absent stays."""

    def remove_alert_rule(self, rule: Mapping[str, Any]) -> None:
        """Remove an alert rule."""

    def try_alert_rule(self, expression: str, task_id: int | None, limit: int) -> Mapping[str, Any]:
        """Return what a condition comes to of the last runs, as ``services.alert_rules.told_of`` has it."""

    def list_alerts(self, filters: Mapping[str, Any], limit: int) -> Sequence[Mapping[str, Any]]:
        """Return the alerts that fit ``services.alerts.AlertFilter``, newest first, as ``services.alerts.told`` has them."""

    def set_acknowledged(self, alert_ids: Sequence[int], *, is_known: bool) -> Sequence[int]:
        """Acknowledge alerts, or open them again, and return those that were the other way before."""

    def scheduler_status(self) -> SchedulerStatus:
        """Return what the scheduler is doing."""

    def list_schedulers(self) -> Sequence[Mapping[str, Any]]:
        """Return all schedulers that have told of themselves, the one that beat last first."""

    def start_scheduler(self) -> SchedulerStatus:
        """Start the scheduler and wait for its first heartbeat."""

    def stop_scheduler(self, *, kill: bool = False) -> StopOutcome:
        """Stop the scheduler."""

    def restart_scheduler(self) -> SchedulerStatus:
        """Stop the scheduler if it runs, then start it."""
