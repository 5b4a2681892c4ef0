"""How runs come into the ledger and to their start: due occurrences become rows, queued rows are claimed in their order.

Part of a turn; the transaction is the caller's.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from watchbell.domain.catch_up import Trigger, Verdict
from watchbell.domain.line_checks import recorded
from watchbell.domain.overlap import Turnout, meet
from watchbell.domain.policies import Overlap
from watchbell.domain.run_state import FINAL, RunState
from watchbell.services.claims import Seats, choose
from watchbell.services.tickets import DueTask, Ticket, Turn
from watchbell.services.transitions import log_moves, move_all, outbox_row
from watchbell.store import engine as engine_store
from watchbell.store import ledger as store
from watchbell.store import waiting
from watchbell.store.ledger import Active
from watchbell.store.session import Session

log = logging.getLogger(__name__)

BIRTH = (RunState.QUEUED, RunState.CLAIMED, RunState.STARTING)


@dataclasses.dataclass(frozen=True, slots=True)
class Claimed:
    """What a look at the queue gave."""

    tickets: list[Ticket]
    #: Whether any run is left in the queue, and whether one of those could start if there were room.
    has_backlog: bool
    has_more: bool


def claim(session: Session, turn: Turn, seats: Seats) -> Claimed:
    """Take queued runs to starting in their order, as far as room and queues go."""
    if turn.announced is not None:
        turn = _redeem(session, turn)
    chosen, has_more = choose(session, turn, seats) if turn.announced != {} else ([], False)
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
        session, turn, RunState.QUEUED, [(t, BIRTH[1:], b.row.reason) for t, b in zip(tickets, births, strict=True)]
    )
    return Claimed(tickets, has_backlog=waiting.has_queued(session), has_more=has_more)


def _redeem(session: Session, turn: Turn) -> Turn:
    """Return a turn with those announcements only that are in force, which they are not any more from now on.

    A nonce is good for one claim. What may not start at the moment, such as in a queue that has become full, is announced
    anew when it may. A worker whose lease has ended starts nothing.
    """
    if not turn.announced or not engine_store.is_leased(session, turn.holder):
        return dataclasses.replace(turn, announced={})
    known = engine_store.nonces(session, turn.announced)
    good = {run_id: nonce for run_id, nonce in turn.announced.items() if known.get(run_id) == nonce}
    if good:
        engine_store.drop_announcements(session, good)
    if ignored := sorted(turn.announced.keys() - good.keys()):
        # Made again meanwhile, which happens, or by somebody else who writes to the broker.
        log.info("Ignored announcements that are not in force, of run %s", ", ".join(map(str, ignored)))
    return dataclasses.replace(turn, announced=good)


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
class Draft:
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
    queue: str
    priority: int
    start_by: datetime | None
    #: The active runs of its task that it takes the place of.
    replaces: Sequence[Active] = ()
    #: What it is given of the parameters; None for the defaults of its version.
    parameters: dict[str, str] | None = None

    #: Whether it goes to its start at once.
    is_starting: bool = False

    def to_row(self, turn: Turn) -> dict[str, Any]:
        """Return it as the ledger inserts it."""
        state = self.path[-1]
        is_starting = self.is_starting
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
            "state": state.value,
            "reason": self.reason,
            "requested_by": "",
            "fence": 1 if is_starting else 0,
            "attempts": 1 if is_starting else 0,
            "holder": turn.holder if is_starting else None,
            "queue": self.queue,
            "priority": self.priority,
            "start_by": self.start_by,
            "created_at": turn.now,
            "ended_at": turn.now if state in FINAL else None,
            "parameters": self.parameters,
        }


@dataclasses.dataclass(slots=True)
class Born:
    """What came of the occurrences that were due."""

    tickets: list[Ticket] = dataclasses.field(default_factory=list)
    #: Whether any has to wait in the queue, and when the first of those is given up.
    is_waiting: bool = False
    start_by: datetime | None = None
    #: Runs in flight whose end is to be brought about, because another takes their place, in words.
    replaced: dict[int, str] = dataclasses.field(default_factory=dict)
    #: Whether a run has come to the queue that nothing may keep from starting.
    has_made_way: bool = False


def materialise(session: Session, turn: Turn, due: Sequence[DueTask], room: int, seats: Seats) -> Born:
    """Make a row of each occurrence that is due; the cursors have been moved."""
    if not due:
        return Born()
    active = store.list_active_by_task(session, [task.task_id for task in due])
    drafts: list[Draft] = []
    for task in due:
        known = active.get(task.task_id, [])
        own: list[Draft] = []
        for verdict in task.verdicts:
            has_room = room > 0 and seats.is_free(task.queue) and task.queue not in turn.holds.carried
            draft = _draft(turn, task, verdict, known, own, has_room=has_room and not task.is_shared)
            if draft.is_starting:
                room -= 1
                seats.take(task.queue)
            own.append(draft)
        drafts += own
    made = store.insert_runs(session, [draft.to_row(turn) for draft in drafts])
    pairs = [(draft, made[draft.task_id, draft.key]) for draft in drafts if (draft.task_id, draft.key) in made]
    log_births(session, turn, pairs)
    births = [_Birth(run_id, 1, 1, draft) for draft, run_id in pairs if draft.is_starting]
    queued = [draft for draft in drafts if draft.path[-1] is RunState.QUEUED]
    return Born(
        tickets=_tickets(session, turn, births),
        is_waiting=bool(queued),
        start_by=min((draft.start_by for draft in queued if draft.start_by is not None), default=None),
        replaced=make_way(session, turn, [(draft, run_id) for draft, run_id in pairs if draft.replaces]),
        has_made_way=any(draft.replaces for draft in drafts),
    )


def log_births(session: Session, turn: Turn, pairs: Sequence[tuple[Draft, int]]) -> None:
    """Write down that runs were made, given with their numbers."""
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


def _draft(
    turn: Turn,
    task: DueTask,
    verdict: Verdict,
    active: Sequence[Active],
    earlier: Sequence[Draft],
    *,
    has_room: bool,
) -> Draft:
    """Decide how one occurrence is born; ``earlier`` are those of the same task in the same turn."""
    path, reason, replaces = path_of(turn, task, verdict, active, earlier, has_room=has_room)
    return draft_of(task, verdict, path, reason, replaces)


def draft_of(
    task: DueTask, verdict: Verdict, path: tuple[RunState, ...], reason: str, replaces: Sequence[Active]
) -> Draft:
    """Return the row of an occurrence of which it has been decided how it is born."""
    occurrence = verdict.occurrence
    return Draft(
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
        queue=task.queue,
        priority=task.priority,
        start_by=None if verdict.trigger is Trigger.CATCH_UP else task.start_by,
        replaces=replaces,
        parameters=recorded(task.given, occurrence),
        is_starting=path[-1] is RunState.STARTING,
    )


_SKIPPED, _MISSED, _QUEUED = (RunState.SKIPPED,), (RunState.MISSED,), (RunState.QUEUED,)
_NO_ROOM = "waits for room: as many commands as allowed are running"
_SHARED = "waits for the first scheduler with room"
WAITS_FOR_WORKER = "waits for a worker of the engine"


def path_of(
    turn: Turn,
    task: DueTask,
    verdict: Verdict,
    active: Sequence[Active],
    earlier: Sequence[Draft],
    *,
    has_room: bool,
) -> tuple[tuple[RunState, ...], str, Sequence[Active]]:
    """Return the path of an occurrence, why it goes there, and which runs it takes the place of."""
    holds = turn.holds
    if verdict.is_missed:
        return _MISSED, verdict.reason, ()
    if verdict.occurrence.is_left_out:
        return _SKIPPED, verdict.reason, ()
    if holds.everything:
        return _SKIPPED, said(verdict.reason, holds.everything), ()
    if task.task_id in holds.tasks:
        return _SKIPPED, said(verdict.reason, holds.tasks[task.task_id]), ()
    if not (active or earlier) and has_room and not holds.queues:
        return BIRTH, verdict.reason, ()
    states = [(run.id, run.state) for run in active]
    states += [(0, draft.path[-1].value) for draft in earlier if draft.path[-1] not in FINAL]
    meeting = meet(task.overlap, task.overlap_limit, states, is_caught_up=verdict.trigger is Trigger.CATCH_UP)
    if meeting.turnout is Turnout.SKIP:
        return _SKIPPED, said(meeting.reason, ""), ()
    if task.queue in holds.queues:
        replaced = active if meeting.turnout is Turnout.REPLACE else ()
        return _QUEUED, said(verdict.reason, holds.queues[task.queue]), replaced
    if meeting.turnout is Turnout.REPLACE:
        return _QUEUED, said(verdict.reason, meeting.reason), active
    if meeting.turnout is Turnout.WAIT:
        return _QUEUED, said(verdict.reason, meeting.reason), ()
    if task.queue in holds.carried:
        return _QUEUED, said(verdict.reason, WAITS_FOR_WORKER), ()
    if not has_room:
        is_full = turn.room > 0 and task.queue in holds.bounded
        words = f"waits for room in queue {task.queue}" if is_full else _SHARED if task.is_shared else _NO_ROOM
        return _QUEUED, said(verdict.reason, words), ()
    return BIRTH, verdict.reason, ()


def said(*words: str) -> str:
    """Return clauses as one text."""
    return "; ".join(filter(None, words))


#: What has a process, or is about to have one: its end is asked for, and it may still finish first.
_ENDED_ON_REQUEST = frozenset({RunState.CLAIMED.value, RunState.STARTING.value, RunState.RUNNING.value})


def make_way(session: Session, turn: Turn, pairs: Sequence[tuple[Draft, int]]) -> dict[int, str]:
    """Make way for runs that take the place of others: what is in flight is ended, what waits does not start any more."""
    ended: dict[int, str] = {}
    for draft, run_id in pairs:
        words = f"replaced by run #{run_id}"
        runs = [_Replaced(run, draft) for run in draft.replaces]
        is_held = draft.queue in turn.holds.queues
        in_flight = [] if is_held else [run for run in runs if run.state in _ENDED_ON_REQUEST]
        tried = [run for run in runs if run.state in _NOT_IN_FLIGHT and run.attempts]
        untried = [run for run in runs if run.state in _NOT_IN_FLIGHT and not run.attempts]
        steps = ((in_flight, RunState.CANCELLING), (tried, RunState.CANCELLED), (untried, RunState.SKIPPED))
        for group, to in steps:
            moved = move_all(session, group, [to], now=turn.now, actor=turn.actor, reason=words)
            ended |= dict.fromkeys(moved, words) if to is RunState.CANCELLING else {}
    return ended


_NOT_IN_FLIGHT = frozenset({RunState.QUEUED.value, RunState.RETRY_WAIT.value})


class _Replaced:
    """A run that is to make way, as the log of moves wants it."""

    def __init__(self, run: Active, by: Draft) -> None:
        self.id, self.state, self.fence, self.attempts = run
        self.task_id, self.task_name = by.task_id, by.task_name
