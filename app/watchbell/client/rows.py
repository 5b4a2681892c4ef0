"""What the server answers, as rows with types."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self, cast

from watchbell.domain.run_state import FINAL, RunState

#: The type of an event that says that others may have been missed.
GAP = "gap"
#: Names of times that do not end as the others do.
_TIMES = frozenset({"at", "since", "until", "start_by"})


class _Row:
    """A row whose fields are those of a JSON object; what a newer server tells beyond them is left out."""

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """Return the row that an answer tells."""
        names = [field.name for field in dataclasses.fields(cast(Any, cls))]
        return cls(**{name: body if name == "fields" else read(name, body.get(name)) for name in names})


def read(name: str, value: Any) -> Any:
    """Return a value of an answer: a text that is a time as one."""
    if isinstance(value, str) and (name.endswith("_at") or name in _TIMES):
        return datetime.fromisoformat(value)
    return value


@dataclasses.dataclass(frozen=True, slots=True)
class Task(_Row):
    """A task as the server has it; times are aware."""

    id: int
    name: str
    version: int
    enabled: bool
    command: str
    steps: Sequence[Mapping[str, Any]]
    directory: str | None
    environment: Mapping[str, str]
    kind: str
    cron: str | None
    zone: str
    #: When it is due, in words.
    sentence: str
    tags: Sequence[str]
    comment: str
    owner: str
    host: str
    is_running: bool
    next_due_at: datetime | None
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str
    #: Everything that the server tells of it, policies and all, by its names in the API.
    fields: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Run(_Row):
    """A run as the server has it; times are aware."""

    id: int
    task_id: int
    task_name: str
    task_version: int
    state: str
    reason: str
    trigger: str
    due_at: datetime
    #: The nominal local time of a calendar moment, and its zone.
    local_time: str
    zone: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    duration_seconds: float | None
    exit_code: int | None
    attempts: int
    queue: str
    priority: int
    stands_for: int
    requested_by: str
    start_by: datetime | None
    retry_at: datetime | None
    rerun_of: int | None
    decision: str | None
    #: What it was given of the parameters of its task; empty for the defaults of its version.
    parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)
    #: The run that began the chain of which it is a step, and how often steps of that had been run again; None for no chain.
    group_id: int | None = None
    round: int = 0

    @property
    def is_final(self) -> bool:
        """Return whether it has ended; a state that this version does not know has not."""
        return self.state in {state.value for state in FINAL}

    @property
    def succeeded(self) -> bool:
        """Return whether it ended well."""
        return self.state == RunState.SUCCEEDED.value


@dataclasses.dataclass(frozen=True, slots=True)
class Event(_Row):
    """Something that has happened."""

    id: int
    type: str
    at: datetime
    task_id: int | None
    run_id: int | None
    data: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class OutputPart(_Row):
    """A part of what a run has written."""

    #: None where the bytes were asked for as base64.
    text: str | None
    offset: int
    next_offset: int
    size: int
    #: The range of bytes that were not kept, if any.
    dropped: Sequence[int] | None
    #: Whether this is the end.
    done: bool
