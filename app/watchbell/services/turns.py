"""One turn of the scheduler's loop against the ledger, in one transaction.

A turn stores what has ended and what has been started since the last one, makes rows of what is due, and takes as many
runs to "starting" as there is room for. Only when it is durable does the caller start the processes of its tickets.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from watchbell.domain.catch_up import Trigger, Verdict
from watchbell.domain.policies import Overlap
from watchbell.domain.run_state import FINAL, RunState
from watchbell.services.transitions import outbox_row
from watchbell.store import ledger as store
from watchbell.store import runs as run_store
from watchbell.store import tasks as task_store
from watchbell.store.session import Database, Session

_BIRTH = (RunState.QUEUED, RunState.CLAIMED, RunState.STARTING)


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


@dataclasses.dataclass(frozen=True, slots=True)
class Ticket:
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


@dataclasses.dataclass(frozen=True, slots=True)
class Started:
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


def take_turn(db: Database, turn: Turn) -> Turned:
    """Store a turn and return the tickets that it gives; raises Unavailable with nothing stored."""
    with db.write() as session:
        surprises = _store_started(session, turn) | _store_results(session, turn)
        tickets: list[Ticket] = []
        has_backlog = False
        if turn.claims:
            tickets, has_backlog = _claim(session, turn)
        moves = [(due.task_id, due.change, due.cursor_at, due.next_due_at) for due in turn.due]
        stale = set(task_store.move_cursors(session, moves))
        current = [due for due in turn.due if due.task_id not in stale]
        born, queued = _materialise(session, turn, current, turn.room - len(tickets))
        tickets += born
    planned = frozenset(due.task_id for due in current)
    return Turned(
        tickets=tickets,
        changed_tasks=frozenset(due.task_id for due in turn.due) - planned,
        planned_tasks=planned,
        surprises=frozenset(surprises),
        has_backlog=has_backlog or queued,
    )


def _store_started(session: Session, turn: Turn) -> set[int]:
    rows = [
        {
            "run": s.ticket.run_id,
            "from_state": RunState.STARTING.value,
            "from_fence": s.ticket.fence,
            "new_state": RunState.RUNNING.value,
            "new_started_at": s.at,
        }
        for s in turn.started
    ]
    failed = set(store.swap_runs(session, rows))
    store.set_attempts_started(
        session,
        [
            {
                "attempt": s.ticket.attempt_id,
                "new_folder": s.folder,
                "new_pid": s.pid,
                "new_start_ticks": s.start_ticks,
                "new_boot_id": s.boot_id,
                "new_started_at": s.at,
            }
            for s in turn.started
        ],
    )
    told = [(s.ticket, (RunState.RUNNING,), "") for s in turn.started if s.ticket.run_id not in failed]
    _log(session, turn, RunState.STARTING, told)
    # A run that somebody asked to end before we could say that it runs keeps the state "cancelling".
    return failed


def _store_results(session: Session, turn: Turn) -> set[int]:
    """Store how attempts ended; a row that somebody moved to cancelling in between is taken from there."""
    surprises = _swap_results(session, turn, turn.results)
    again: list[Result] = []
    for result in turn.results:
        if result.ticket.run_id in surprises and result.state is not RunState.CANCELLING:
            run = run_store.find_run(session, result.ticket.run_id)
            if run is not None and run.state == RunState.CANCELLING.value and run.fence == result.ticket.fence:
                path = result.path if result.path[-1] in FINAL else (RunState.CANCELLED,)
                again.append(dataclasses.replace(result, state=RunState.CANCELLING, path=path))
    left = _swap_results(session, turn, again)
    surprises = (surprises - {result.ticket.run_id for result in again}) | left
    stored = [result for result in turn.results if result.ticket.run_id not in surprises]
    store.set_attempts_ended(session, [{"attempt": r.ticket.attempt_id, **r.attempt} for r in stored])
    store.add_outputs(session, [row for result in stored for row in result.outputs])
    return surprises


def _swap_results(session: Session, turn: Turn, results: Sequence[Result]) -> set[int]:
    rows = [
        {
            "run": r.ticket.run_id,
            "from_state": r.state.value,
            "from_fence": r.ticket.fence,
            "new_state": r.path[-1].value,
            "new_reason": r.reason,
            "new_started_at": r.attempt["new_started_at"],
            "new_ended_at": r.attempt["new_ended_at"] if r.path[-1] in FINAL else None,
            "new_exit_code": r.attempt["new_exit_code"],
        }
        for r in results
    ]
    failed = set(store.swap_runs(session, rows))
    for state in {r.state for r in results}:
        told = [(r.ticket, r.path, r.reason) for r in results if r.state is state and r.ticket.run_id not in failed]
        _log(session, turn, state, told)
    return failed


def _log(
    session: Session, turn: Turn, state: RunState, told: Sequence[tuple[Ticket, tuple[RunState, ...], str]]
) -> None:
    store.add_events(
        session,
        [
            store.event_row(t.run_id, state, path, at=turn.now, actor=turn.actor, fence=t.fence, reason=reason)
            for t, path, reason in told
        ],
    )
    store.add_outbox(
        session,
        [outbox_row(t.run_id, t.task_id, t.task_name, path[-1], turn.now, reason) for t, path, reason in told],
    )


def _claim(session: Session, turn: Turn) -> tuple[list[Ticket], bool]:
    """Take queued runs to starting, the one due first first, as far as the room goes."""
    rows = store.list_startable(session, max(turn.room, 0) * 2 + 1)
    chosen: list[Any] = []
    taken: set[int] = set()
    for row in rows:
        if len(chosen) < turn.room and (row.may_overlap or row.task_id not in taken):
            chosen.append(row)
            taken.add(row.task_id)
    failed = set(
        store.swap_runs(
            session,
            [
                {
                    "run": row.id,
                    "from_state": RunState.QUEUED.value,
                    "from_fence": row.fence,
                    "new_state": RunState.STARTING.value,
                    "new_fence": row.fence + 1,
                    "new_holder": turn.holder,
                    "new_attempts": row.attempts + 1,
                }
                for row in chosen
            ],
        )
    )
    births = [_Birth(row.id, row.attempts + 1, row.fence + 1, row) for row in chosen if row.id not in failed]
    tickets = _tickets(session, turn, births)
    _log(session, turn, RunState.QUEUED, [(t, _BIRTH[1:], b.row.reason) for t, b in zip(tickets, births, strict=True)])
    return tickets, store.has_queued(session)


@dataclasses.dataclass(frozen=True, slots=True)
class _Birth:
    """A run that has just come to starting: its row has task_id, task_name, task_version, due_at and trigger."""

    run_id: int
    number: int
    fence: int
    row: Any


def _tickets(session: Session, turn: Turn, births: Sequence[_Birth]) -> list[Ticket]:
    ids = store.add_attempts(
        session,
        [
            {
                "run_id": b.run_id,
                "number": b.number,
                "fence": b.fence,
                "holder": turn.holder,
                "folder": "",
                "reason": "",
            }
            for b in births
        ],
    )
    return [
        Ticket(
            run_id=b.run_id,
            attempt_id=ids[b.run_id],
            number=b.number,
            fence=b.fence,
            task_id=b.row.task_id,
            task_version=b.row.task_version,
            task_name=b.row.task_name,
            due_at=b.row.due_at,
            trigger=b.row.trigger,
        )
        for b in births
    ]


@dataclasses.dataclass(slots=True)
class _Draft:
    """A run that is about to be inserted."""

    task_id: int
    task_name: str
    task_version: int
    due_at: datetime
    trigger: str
    key: str
    zone: str
    local_time: str
    may_overlap: bool
    stands_for: int
    path: tuple[RunState, ...]
    reason: str

    @property
    def is_starting(self) -> bool:
        return self.path[-1] is RunState.STARTING

    def to_row(self, turn: Turn) -> dict[str, Any]:
        final = self.path[-1] in FINAL
        return {
            "task_id": self.task_id,
            "task_name": self.task_name,
            "task_version": self.task_version,
            "occurrence_key": self.key,
            "trigger": self.trigger,
            "due_at": self.due_at,
            "zone": self.zone,
            "local_time": self.local_time,
            "may_overlap": self.may_overlap,
            "stands_for": self.stands_for,
            "state": self.path[-1].value,
            "reason": self.reason,
            "fence": 1 if self.is_starting else 0,
            "attempts": 1 if self.is_starting else 0,
            "holder": turn.holder if self.is_starting else None,
            "created_at": turn.now,
            "ended_at": turn.now if final else None,
        }


def _materialise(session: Session, turn: Turn, due: Sequence[DueTask], room: int) -> tuple[list[Ticket], bool]:
    """Make a row of each occurrence that is due; the cursors have been moved.

    Returns tickets for those that start at once, and whether any has to wait in the queue.
    """
    if not due:
        return [], False
    active = store.list_active_by_task(session, [task.task_id for task in due])
    drafts: list[_Draft] = []
    for task in due:
        for verdict in task.verdicts:
            draft = _draft(task, verdict, active.setdefault(task.task_id, []), has_room=room > 0)
            room -= draft.is_starting
            drafts.append(draft)
    made = store.insert_runs(session, [draft.to_row(turn) for draft in drafts])
    pairs = [(draft, made[draft.task_id, draft.key]) for draft in drafts if (draft.task_id, draft.key) in made]
    _log_births(session, turn, pairs)
    births = [_Birth(run_id, 1, 1, draft) for draft, run_id in pairs if draft.is_starting]
    return _tickets(session, turn, births), any(draft.path[-1] is RunState.QUEUED for draft in drafts)


def _log_births(session: Session, turn: Turn, pairs: Sequence[tuple[_Draft, int]]) -> None:
    store.add_events(
        session,
        [
            store.event_row(
                run_id, None, d.path, at=turn.now, actor=turn.actor, fence=int(d.is_starting), reason=d.reason
            )
            for d, run_id in pairs
        ],
    )
    store.add_outbox(
        session, [outbox_row(run_id, d.task_id, d.task_name, d.path[-1], turn.now, d.reason) for d, run_id in pairs]
    )


def _draft(task: DueTask, verdict: Verdict, active: list[tuple[int, str]], *, has_room: bool) -> _Draft:
    """Decide how one occurrence is born; ``active`` are the task's active runs and learns of this one."""
    path, reason = _path(task, verdict, active, has_room=has_room)
    if path[-1] not in FINAL:
        active.append((0, path[-1].value))
    occurrence = verdict.occurrence
    return _Draft(
        task_id=task.task_id,
        task_name=task.name,
        task_version=task.version,
        due_at=occurrence.due_at,
        trigger=verdict.trigger.value,
        key=verdict.key,
        zone=occurrence.zone,
        local_time=occurrence.local.isoformat(sep=" "),
        may_overlap=task.overlap is Overlap.ALLOW,
        stands_for=verdict.stands_for,
        path=path,
        reason=reason,
    )


def _path(
    task: DueTask, verdict: Verdict, active: Sequence[tuple[int, str]], *, has_room: bool
) -> tuple[tuple[RunState, ...], str]:
    if verdict.is_missed:
        return (RunState.MISSED,), verdict.reason
    if active and task.overlap is not Overlap.ALLOW:
        number, state = active[-1]
        other = f"run #{number} is still {state}" if number else "another run of this task has just become due"
        waiting = any(state == RunState.QUEUED.value for _number, state in active)
        queues = verdict.trigger is Trigger.CATCH_UP or (task.overlap is Overlap.QUEUE_ONE and not waiting)
        if queues:
            return (RunState.QUEUED,), "; ".join(filter(None, (verdict.reason, f"waits its turn: {other}")))
        policy = "one waits already" if task.overlap is Overlap.QUEUE_ONE else "skip on overlap"
        return (RunState.SKIPPED,), f"overlap: {other}; policy: {policy}"
    if not has_room:
        return (RunState.QUEUED,), "; ".join(
            filter(None, (verdict.reason, "waits for room: as many commands as allowed are running"))
        )
    return _BIRTH, verdict.reason
