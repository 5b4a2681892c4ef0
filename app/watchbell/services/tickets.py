"""What the scheduler's loop and the ledger hand each other: what is due, permission to start, what became of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from watchbell.domain.blackouts import Blackout
from watchbell.domain.catch_up import Verdict
from watchbell.domain.policies import Overlap
from watchbell.domain.run_state import RunState


@dataclasses.dataclass(frozen=True, slots=True)
class DueTask:
    """A task with occurrences to be turned into rows."""

    task_id: int
    name: str
    version: int
    #: The change mark that the caller knows; if the task has changed since, nothing of it is touched.
    change: int
    zone: str
    overlap: Overlap
    verdicts: Sequence[Verdict]
    #: The last nominal moment that these verdicts cover, and the moment after it.
    cursor_at: datetime
    next_due_at: datetime | None
    #: How many may wait, where they wait, and how early they are taken from there.
    overlap_limit: int = 100
    queue: str = "default"
    priority: int = 0
    #: Until when the newest occurrence must have been started, unless it is caught up.
    start_by: datetime | None = None
    #: Whether it may run on any host, so that the leader alone makes its rows.
    is_anywhere: bool = False
    #: Whether it is left in the queue for whoever has room first, on whatever host.
    is_shared: bool = False
    #: All values of a run of each line of its schedule; None where no line gives any.
    given: Sequence[Mapping[str, str]] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Holds:
    """What keeps runs from starting by a person's will; pauses are told in words."""

    #: Why nothing starts at all, empty if that is not so.
    everything: str = ""
    #: Why nothing of a queue, or of a task, starts.
    queues: Mapping[str, str] = dataclasses.field(default_factory=dict)
    tasks: Mapping[int, str] = dataclasses.field(default_factory=dict)
    #: The queues that have a bound; how high it is, is read in the transaction that counts on it.
    bounded: frozenset[str] = frozenset()
    #: The windows in which moments are left out.
    blackouts: Sequence[Blackout] = ()
    #: When the first of these pauses ends by itself.
    until: datetime | None = None
    #: The queues whose runs the engine carries, and not a scheduler.
    carried: frozenset[str] = frozenset()

    def joined(self, other: Holds) -> Holds:
        """Return what keeps runs from starting by either."""
        return Holds(
            everything=other.everything or self.everything,
            queues={**self.queues, **other.queues},
            tasks={**self.tasks, **other.tasks},
            bounded=self.bounded | other.bounded,
            blackouts=(*self.blackouts, *other.blackouts),
            until=min((at for at in (self.until, other.until) if at is not None), default=None),
            # What was read later is what counts: a queue may go to the engine and come back.
            carried=other.carried,
        )


NO_HOLDS = Holds()


class Ticket(NamedTuple):
    """Permission to start one process, given once: its row says "starting" already."""

    run_id: int
    attempt_id: int
    number: int
    fence: int
    task_id: int
    task_version: int
    task_name: str
    due_at: datetime
    trigger: str
    #: Its run was started in the foreground by a call that is gone: nobody is left to make another attempt.
    is_left: bool = False


class Started(NamedTuple):
    """A process that was started on a ticket."""

    ticket: Ticket
    folder: str
    #: None, like the next one, if an earlier scheduler started it and could not say as whom.
    pid: int | None
    start_ticks: int | None
    boot_id: str
    at: datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """How an attempt ended."""

    ticket: Ticket
    #: The state that the caller believes the run to be in.
    state: RunState
    #: Where it goes: a final state, or retry_wait and queued for an attempt that may be made again.
    path: tuple[RunState, ...]
    reason: str
    #: All result columns of the attempt, see store.runs.
    attempt: Mapping[str, Any]
    outputs: Sequence[dict[str, Any]] = ()
    #: What became of its steps, as store.steps has it.
    steps: Sequence[dict[str, Any]] = ()
    #: When the next attempt is to be made, and what the state would be if there were none.
    retry_at: datetime | None = None
    without_retry: RunState | None = None
    #: Its outputs hold secrets that could not be masked, since their key was not there.
    is_unmasked: bool = False
    #: "open" if a person is to decide what becomes of a lost run.
    decision: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Turn:
    """What the loop brings."""

    now: datetime
    holder: str
    actor: str
    #: How many more processes may be started.
    room: int
    due: Sequence[DueTask] = ()
    started: Sequence[Started] = ()
    results: Sequence[Result] = ()
    #: Whether queued runs should be looked at; it costs a query.
    claims: bool = True
    #: The host that processes are started on; runs of tasks that name another one stay in the queue. None for any.
    host: str | None = None
    #: What keeps runs from starting by a person's will.
    holds: Holds = NO_HOLDS
    #: Whether the time of a waiting run may have come, for another attempt or to be given up; it costs queries.
    is_time: bool = False
    #: The term of the lease that the caller holds; None if nothing is to be done as the leader, or there is no other one.
    term: int | None = None
    #: For a worker of the engine: the nonces of the runs that it was told of, which alone it may start.
    announced: Mapping[int, str] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Turned:
    """What the loop gets back."""

    tickets: Sequence[Ticket]
    #: Tasks that have changed since the caller read them.
    changed_tasks: frozenset[int]
    #: Due tasks for which rows were made or had been made by somebody else.
    planned_tasks: frozenset[int]
    #: Run ids whose row was not what the caller believed; read them again.
    surprises: frozenset[int]
    #: Whether runs wait in the queue that there was no room for, or that have only just come to it.
    has_backlog: bool
    #: Whether one of those could have been started, had there been more room in this turn.
    has_more: bool = False
    #: When the time of a waiting run comes: of all of them if the turn looked for it, else of those that it made.
    next_moment: datetime | None = None
    #: Runs in flight whose end is to be brought about, because another takes their place, in words.
    replaced: Mapping[int, str] = dataclasses.field(default_factory=dict)
    #: Whether ends are left that are still to be followed to what runs after them.
    is_behind: bool = False
    #: Whether another scheduler leads meanwhile, so that nothing was done that the leader does.
    is_deposed: bool = False
