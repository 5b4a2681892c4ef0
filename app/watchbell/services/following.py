"""What runs after others: the ends of runs are followed, and the turn of each child becomes a row.

Part of a scheduler's turn. How far the ends have been followed is kept in the transaction that makes the rows, and the key of
each row names child, group and round: whenever a scheduler is killed, no child is lost and none is made twice. All ends come
by here, whoever brought them about, because all of them are told in the outbox. With no links there is nothing to follow, and
nothing is asked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from watchbell.domain import chains
from watchbell.domain.blackouts import marker
from watchbell.domain.catch_up import Trigger, Verdict
from watchbell.domain.policies import Policies
from watchbell.domain.run_state import FINAL, RunState
from watchbell.domain.schedule import Occurrence
from watchbell.services import births, chain_graph
from watchbell.services.chain_graph import Graph
from watchbell.services.tickets import DueTask, Turn
from watchbell.services.transitions import EVENT_TYPES
from watchbell.store import chains as store
from watchbell.store import events, ledger
from watchbell.store import tasks as task_store
from watchbell.store.chains import Ended
from watchbell.store.session import Database, Session
from watchbell.store.tasks import Task

#: So many events are read at a time, and so often in one turn; rows that are skipped at once are ends, too.
_EVENTS = 500
_STEPS = 20
#: So many parents are named in a reason.
_NAMED = 5
_ENDS = frozenset(EVENT_TYPES[state] for state in FINAL)

_BECAUSE: Mapping[RunState, str] = {
    RunState.SUCCEEDED: "because {} succeeded (run #{})",
    RunState.FAILED: "because {} failed (run #{})",
    RunState.TIMED_OUT: "because {} took too long (run #{})",
    RunState.LOST: "because {} was lost (run #{})",
}
_NOT_BECAUSE: Mapping[RunState, str] = {
    RunState.SUCCEEDED: "not started because {} succeeded (run #{})",
    RunState.FAILED: "not started because {} failed (run #{})",
    RunState.TIMED_OUT: "not started because {} took too long (run #{})",
    RunState.LOST: "not started because {} was lost (run #{})",
    RunState.CANCELLED: "not started because {} was cancelled (run #{})",
    RunState.SKIPPED: "not started because {} was skipped (run #{})",
    RunState.MISSED: "not started because {} was missed (run #{})",
}
_DISABLED = "it was disabled when its turn came"


def chain_key(group_id: int, round_: int) -> str:
    """Return the key of the run of a child in a group and round; there can be only one."""
    return f"chain:{group_id}:{round_}"


@dataclasses.dataclass(slots=True)
class Followed:
    """What came of the ends that were followed."""

    has_queued: bool = False
    #: Whether there are more ends than one turn follows.
    has_more: bool = False
    replaced: dict[int, str] = dataclasses.field(default_factory=dict)


class Follower:
    """Follows the ends of runs; what it remembers between turns only saves questions."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._seen = 0
        self._is_pending = False

    def look(self, db: Database) -> None:
        """Take notice of changed links, and of ends that others have brought about; raises Unavailable."""
        with db.read() as session:
            self._graph = chain_graph.read(session, self._graph)
            if not self._graph.children or self._is_pending:
                return
            place = max(self._seen, store.followed(session), self._graph.oldest())
            while found := events.list_after(session, place, _EVENTS):
                place = found[-1].id
                self._is_pending = self._is_pending or any(_is_end(event, self._graph) for event in found)
            self._seen = place

    def should_follow(self, *, has_results: bool) -> bool:
        """Return whether a turn should be taken because of an end that somebody may wait for."""
        return self._is_pending or (has_results and self.has_links)

    @property
    def has_links(self) -> bool:
        """Return whether any task runs after another one, as far as is known."""
        return self._graph is not None and bool(self._graph.children)

    def settle(self, *, is_behind: bool) -> None:
        """Take over that a turn has followed all ends, or not."""
        self._is_pending = is_behind and self.has_links

    def follow(self, session: Session, turn: Turn) -> Followed:
        """Make the rows of all children whose turn has come, within the transaction of a turn."""
        self._graph = graph = chain_graph.read(session, self._graph)
        came_from = store.followed(session)
        place = max(came_from, graph.oldest())
        followed = Followed()
        for _ in range(_STEPS):
            found = events.list_after(session, place, _EVENTS)
            if not found:
                break
            step = _Step(session, turn, graph, followed)
            step.take([event for event in found if _is_end(event, graph)])
            place = found[-1].id
            if len(found) < _EVENTS and not step.has_ended_some:
                # What the step has written since are births, which nobody follows.
                break
        else:
            followed.has_more = True
        if place != came_from:
            store.set_followed(session, place)
        return followed


def _is_end(event: Any, graph: Graph) -> bool:
    return event.type in _ENDS and event.task_id in graph.children


@dataclasses.dataclass(frozen=True, slots=True)
class _Birth:
    """A child whose turn has come."""

    child_id: int
    group_id: int
    round: int
    reason: str
    is_skipped: bool
    parents: Sequence[int]

    @property
    def key(self) -> str:
        return chain_key(self.group_id, self.round)


class _Step:
    """Some ends, and the children whose turn has come by them."""

    def __init__(self, session: Session, turn: Turn, graph: Graph, followed: Followed) -> None:
        self._session = session
        self._turn = turn
        self._graph = graph
        self._followed = followed
        self._births: list[_Birth] = []
        #: Whether rows were made that are ends themselves.
        self.has_ended_some = False

    def take(self, ends: Sequence[Any]) -> None:
        """Follow some ends in their order."""
        runs = store.list_ended(self._session, [event.run_id for event in ends]) if ends else {}
        roots = {run.group_id for run in runs.values() if run.group_id is not None}
        runs_of_roots = store.list_ended(self._session, roots) if roots else {}
        for event in ends:
            run = runs.get(event.run_id)
            if run is None or (run.group_id is None and RunState(run.state) in chains.NO_ROOT):
                continue
            root = run if run.group_id is None else runs_of_roots.get(run.group_id)
            for child in self._graph.children[run.task_id]:
                if event.id > self._graph.since[child, run.task_id]:
                    self._arrive(child, run, root)
        self._bear()

    def _arrive(self, child: int, run: Ended, root: Ended | None) -> None:
        """Let a child know of the end of one of its parents."""
        wanted = self._graph.parents[child]
        group_id = run.group_id or run.id
        if len(wanted) == 1:
            self._judge(child, group_id, {run.task_id: run})
            return
        # A root that is kept no more cannot be asked; its chain is then taken for one group, as nearly all are.
        is_one_group = root is None or wanted.keys() <= self._graph.reached_from(root.task_id)
        if is_one_group:
            self._judge(child, group_id, self._arrivals(child, group_id, run))
            return
        # What has led to a run counts for no other one, so each is made before the next end is looked at.
        self._bear()
        birth = self._judge(child, group_id, self._arrivals(child, 0, run))
        if birth is not None:
            # Of no run if it had its turn in this group already.
            store.use_arrivals(self._session, child, self._bear().get((child, birth.key), 0))

    def _arrivals(self, child: int, scope: int, run: Ended) -> dict[int, Ended]:
        """Keep an end for a child of several parents and return all that is known of them, by parent."""
        if scope == 0 and run.round:
            self._revive(child, run.task_id)
        row = {"child_id": child, "group_id": scope, "parent_id": run.task_id, "run_id": run.id}
        store.put_arrival(self._session, {**row, "round": run.round, "state": run.state, "used_by": None})
        rows = [row for row in store.list_arrivals(self._session, child, scope) if row.used_by is None]
        names = store.list_ended(self._session, [row.run_id for row in rows])
        return {
            row.parent_id: Ended(
                row.run_id,
                row.parent_id,
                names[row.run_id].task_name if row.run_id in names else f"task {row.parent_id}",
                row.state,
                None,
                row.round,
            )
            for row in rows
            if row.parent_id in self._graph.parents[child]
        }

    def _revive(self, child: int, parent: int) -> None:
        """Let the others that had come with an earlier end of a parent that is repeated count once more."""
        earlier = next(
            (row for row in store.list_arrivals(self._session, child, 0) if row.parent_id == parent and row.used_by),
            None,
        )
        if earlier is not None:
            store.free_arrivals(self._session, child, earlier.used_by)

    def _judge(self, child: int, group_id: int, arrived: Mapping[int, Ended]) -> _Birth | None:
        """Return the row that a child is to have because its turn has come, and keep it to be made; None if it waits."""
        wanted = self._graph.parents[child]
        states = {parent: RunState(run.state) for parent, run in arrived.items()}
        turnout = chains.judge(self._graph.joins[child], wanted, states)
        if turnout is chains.Turnout.WAIT:
            return None
        is_skipped = turnout is chains.Turnout.SKIP
        told = [run for parent, run in arrived.items() if chains.counts(wanted[parent], states[parent]) != is_skipped]
        birth = _Birth(
            child_id=child,
            group_id=group_id,
            round=max(run.round for run in arrived.values()),
            reason=_told(told, _NOT_BECAUSE if is_skipped else _BECAUSE),
            is_skipped=is_skipped,
            parents=[run.id for run in told],
        )
        self._births.append(birth)
        return birth

    def _bear(self) -> dict[tuple[int, str], int]:
        """Make the rows that were kept, and return the numbers of those that were not there yet, by child and key."""
        kept, self._births = self._births, []
        if not kept:
            return {}
        children = {task.id: task for task in task_store.list_by_ids(self._session, [birth.child_id for birth in kept])}
        active = ledger.list_active_by_task(self._session, list(children))
        drafts: dict[tuple[int, str], births.Draft] = {}
        rows = []
        for birth in kept:
            child = children.get(birth.child_id)
            if child is None or (child.id, birth.key) in drafts:
                continue
            own = [draft for draft in drafts.values() if draft.task_id == child.id]
            draft = self._draft(birth, child, active.get(child.id, []), own)
            drafts[child.id, birth.key] = draft
            grouped = {"group_id": birth.group_id, "round": birth.round, "parents": list(birth.parents)}
            rows.append({**draft.to_row(self._turn), **grouped})
        made = ledger.insert_runs(self._session, rows)
        pairs = [(draft, made[key]) for key, draft in drafts.items() if key in made]
        births.log_births(self._session, self._turn, pairs)
        replacing = [(draft, run_id) for draft, run_id in pairs if draft.replaces]
        self._followed.replaced |= births.make_way(self._session, self._turn, replacing)
        self._followed.has_queued |= any(draft.path[-1] is RunState.QUEUED for draft, _run_id in pairs)
        self.has_ended_some |= bool(replacing) or any(draft.path[-1] in FINAL for draft, _run_id in pairs)
        return made

    def _draft(
        self, birth: _Birth, child: Task, active: Sequence[ledger.Active], own: Sequence[births.Draft]
    ) -> births.Draft:
        """Return the row of a child, as pauses, blackouts and its earlier runs let it be."""
        now = self._turn.now
        policies = Policies.from_json(child.policies)
        occurrence = Occurrence(now, birth.key, now.replace(tzinfo=None), 0, child.zone)
        reason = birth.reason
        if birth.is_skipped or not child.enabled:
            occurrence = dataclasses.replace(occurrence, is_left_out=True)
            reason = reason if birth.is_skipped else births.said(_DISABLED, reason)
        else:
            occurrence = marker(self._turn.holds.blackouts, child.id)(occurrence)
            reason = births.said(occurrence.note, reason)
        verdict = Verdict(occurrence, is_missed=False, trigger=Trigger.CHAIN, reason=reason)
        seconds = policies.latest_start_seconds
        due = DueTask(
            task_id=child.id, name=child.name, version=child.version, change=child.change, zone=child.zone,
            overlap=policies.overlap, verdicts=[verdict], cursor_at=now, next_due_at=None,
            overlap_limit=policies.overlap_limit, queue=policies.queue, priority=policies.priority,
            start_by=None if seconds is None else now + timedelta(seconds=seconds),
        )  # fmt: skip
        # Any scheduler may have to start it, so it always goes through the queue.
        path, reason, replaces = births.path_of(self._turn, due, verdict, active, own, has_room=True)
        made = births.draft_of(due, verdict, path if path[-1] in FINAL else (RunState.QUEUED,), reason, replaces)
        made.local_time = ""
        return made


def _told(runs: Sequence[Ended], texts: Mapping[RunState, str]) -> str:
    clauses = [texts[RunState(run.state)].format(run.task_name, run.id) for run in runs]
    if len(clauses) > _NAMED:
        clauses[_NAMED:] = [f"and {len(clauses) - _NAMED} further tasks"]
    return births.said(*clauses)
