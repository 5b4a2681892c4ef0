"""A job document as it was understood."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from watchbell.domain import secret_names

#: An hour, for what says nothing of its time; a week is the longest.
DEFAULT_TIMEOUT_SECONDS = 3600
MOST_SECONDS = 7 * 86_400


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One thing that a device does: a command, or a handler with its arguments."""

    name: str
    #: What is started; empty for a handler.
    argv: tuple[str, ...] = ()
    handler: str | None = None
    args: tuple[str, ...] = ()
    #: The directory of the handler; None for the device's own.
    path: str | None = None
    #: Variables of its own; a value may name secrets, which the server gives only with the job.
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    run_as_user: str | None = None
    #: With more lines than this on its standard error it has failed; None for no such check.
    allow_stderr: int | None = None
    ignores_failure: bool = False
    #: It may shorten the time of the whole job and never lengthen it.
    timeout_seconds: int | None = None
    #: Whether what it writes on its standard output is sent; its standard error always is.
    includes_stdout: bool = True


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """What must hold of a device: an attribute or tag has one of these values."""

    key: str
    values: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Variable:
    """A place in the document that is filled in when it is executed."""

    description: str = ""
    default: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Schedule:
    """When a document that is carried on the device is due there."""

    type: str
    interval_minutes: int | None = None
    cron_expression: str | None = None
    start_time: str | None = None
    end_time: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """What a device is told to do."""

    steps: tuple[Step, ...]
    #: Only after all steps have gone well.
    final_step: Step | None = None
    #: What holds for steps that say nothing of it themselves.
    includes_stdout: bool = True
    conditions: tuple[Condition, ...] = ()
    variables: Mapping[str, Variable] = dataclasses.field(default_factory=dict)
    execution_type: str = "oneTime"
    schedule: Schedule | None = None
    max_executions: int | None = None
    max_duration_minutes: int | None = None
    reports_progress: bool = False
    progress_interval_seconds: int = 60

    @property
    def every_step(self) -> tuple[Step, ...]:
        """The steps with the final one behind them."""
        return (*self.steps, *([self.final_step] if self.final_step else ()))

    @property
    def handlers(self) -> frozenset[str]:
        """The names of the server's handlers that the steps name."""
        return frozenset(step.handler for step in self.every_step if step.handler is not None and step.path is None)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets that the environments of the steps name, each once, in their order."""
        named = (name for step in self.every_step for name in secret_names.names_of(step.environment))
        return tuple(dict.fromkeys(named))

    @property
    def has_environment(self) -> bool:
        """Whether any step has variables of its own, which older agents know nothing of."""
        return any(step.environment for step in self.every_step)
