"""How runs come into the ledger and to their start: due occurrences become rows, queued rows are claimed in their order.

Part of a turn; the transaction is the caller's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from watchbell.domain.catch_up import Trigger, Verdict
from watchbell.domain.policies import Overlap
from watchbell.domain.run_state import FINAL, RunState
from watchbell.services.tickets import DueTask, Ticket, Turn
from watchbell.services.transitions import log_moves, outbox_row
from watchbell.store import ledger as store
from watchbell.store.session import Session

_BIRTH = (RunState.QUEUED, RunState.CLAIMED, RunState.STARTING)


@dataclasses.dataclass(frozen=True, slots=True)
class Claimed:
    """What a look at the queue gave."""

    tickets: list[Ticket]
    #: Whether any run is left in the queue, and whether one of those could start if there were room.
    has_backlog: bool
    has_more: bool


def claim(session: Session, turn: Turn) -> Claimed:
    """Take queued runs to starting, the one due first first, as far as the room goes."""
    rows = store.list_startable(session, max(turn.room, 0) + 1, turn.host)
    chosen = rows[: max(turn.room, 0)]
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
    log_moves(
        session, turn, RunState.QUEUED, [(t, _BIRTH[1:], b.row.reason) for t, b in zip(tickets, births, strict=True)]
    )
    return Claimed(tickets, has_backlog=store.has_queued(session), has_more=len(rows) > len(chosen))


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
            "requested_by": "",
            "fence": 1 if self.is_starting else 0,
            "attempts": 1 if self.is_starting else 0,
            "holder": turn.holder if self.is_starting else None,
            "created_at": turn.now,
            "ended_at": turn.now if final else None,
        }


def materialise(session: Session, turn: Turn, due: Sequence[DueTask], room: int) -> tuple[list[Ticket], bool]:
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
