"""The turn of the children of runs that have ended: each whose turn has come has a row, and each that waits keeps what has come.

Part of a scheduler's turn and its transaction; services.following says which ends those are.
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
from watchbell.services import births
from watchbell.services.chain_graph import Graph
from watchbell.services.tickets import DueTask, Turn
from watchbell.store import chains as store
from watchbell.store import ledger
from watchbell.store import tasks as task_store
from watchbell.store.chains import Ended
from watchbell.store.session import Session
from watchbell.store.tasks import Task

#: So many parents are named in a reason.
_NAMED = 5

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


@dataclasses.dataclass(frozen=True, slots=True)
class Birth:
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


class Step:
    """Some ends, and the children whose turn has come by them."""

    def __init__(self, session: Session, turn: Turn, graph: Graph, followed: Followed, *, may_wait: bool) -> None:
        self._session = session
        self._turn = turn
        self._graph = graph
        self._followed = followed
        #: Whether anything may wait for further parents.
        self._may_wait = may_wait
        self._births: list[Birth] = []
        #: The groups in which something has ended.
        self.groups: set[int] = set()
        #: Whether rows were made that are ends themselves.
        self.has_ended_some = False

    def take(self, ends: Sequence[Any]) -> None:
        """Follow some ends in their order."""
        runs = store.list_ended(self._session, [event.run_id for event in ends]) if ends else {}
        # Only a join asks in which group its parents end.
        roots = {run.group_id for run in runs.values() if run.group_id is not None} if self._graph.has_joins else ()
        runs_of_roots = store.list_ended(self._session, roots) if roots else {}
        for event in ends:
            run = runs.get(event.run_id)
            if run is not None:
                self.groups.add(run.group_id or run.id)
            if run is None or (run.group_id is None and RunState(run.state) in chains.NO_ROOT):
                continue
            root = run if run.group_id is None else runs_of_roots.get(run.group_id)
            for child in self._graph.children[run.task_id]:
                if event.id > self._graph.since[child, run.task_id]:
                    self._arrive(child, run, root)
        self.bear()

    def _arrive(self, child: int, run: Ended, root: Ended | None) -> None:
        """Let a child know of the end of one of its parents."""
        group_id = run.group_id or run.id
        if len(self._graph.parents[child]) == 1:
            self.judge(child, group_id, {run.task_id: run})
            return
        # A root that is kept no more cannot be asked; its chain is then taken for one group, as nearly all are. What has begun
        # to wait in a group stays there, whatever becomes of the links.
        is_one_group = root is None or self._graph.joins_within(child, root)
        if is_one_group or store.list_arrivals(self._session, child, group_id):
            self.judge(child, group_id, self._arrivals(child, group_id, run))
        else:
            self.judge_across(child, group_id, self._arrivals(child, 0, run))

    def _arrivals(self, child: int, scope: int, run: Ended) -> dict[int, Ended]:
        """Keep an end for a child of several parents and return all that is known of them, by parent."""
        if scope == 0 and run.round:
            self._revive(child, run.task_id)
        row = {"child_id": child, "group_id": scope, "parent_id": run.task_id, "run_id": run.id}
        store.put_arrival(self._session, {**row, "round": run.round, "state": run.state, "used_by": None})
        return self.arrived(child, store.list_arrivals(self._session, child, scope))

    def arrived(self, child: int, rows: Sequence[Any]) -> dict[int, Ended]:
        """Return the ends that count for a child, by parent, of all that has come to it in a group or outside of groups."""
        wanted = self._graph.parents.get(child, {})
        rows = [row for row in rows if row.parent_id in wanted and (row.group_id or row.used_by is None)]
        runs = store.list_ended(self._session, [row.run_id for row in rows])
        # A repeated run may have another state by now than it had when it came.
        return {
            row.parent_id: runs[row.run_id]._replace(state=row.state, round=row.round)
            for row in rows
            if row.run_id in runs
        }

    def _revive(self, child: int, parent: int) -> None:
        """Let the others that had come with an earlier end of a parent that is repeated count once more."""
        earlier = next(
            (row for row in store.list_arrivals(self._session, child, 0) if row.parent_id == parent and row.used_by),
            None,
        )
        if earlier is not None:
            store.free_arrivals(self._session, child, earlier.used_by)

    def judge(self, child: int, group_id: int, arrived: Mapping[int, Ended]) -> bool:
        """Keep the row that a child is to have in a group if its turn has come, to be made; return whether it has."""
        birth = self._judged(child, group_id, arrived)
        if birth is not None:
            self.keep(birth)
        return birth is not None

    def judge_across(self, child: int, group_id: int, arrived: Mapping[int, Ended]) -> None:
        """Make the row of a child whose parents end in groups of their own, if its turn has come; the row is one of this group."""
        birth = self._judged(child, group_id, arrived)
        if birth is not None:
            # What has led to a run counts for no other one, so each is made before the next end is looked at.
            self._births.append(birth)
            # Of no run if it had its turn in this group already.
            store.use_arrivals(self._session, child, 0, self.bear().get((child, birth.key), 0))

    def keep(self, birth: Birth) -> None:
        """Keep a row to be made in a group; the child waits there no more."""
        self._births.append(birth)
        if self._may_wait:
            store.use_arrivals(self._session, birth.child_id, birth.group_id, 0)

    def _judged(self, child: int, group_id: int, arrived: Mapping[int, Ended]) -> Birth | None:
        """Return the row of a child whose turn has come; None if it waits."""
        wanted = self._graph.parents[child]
        states = {parent: RunState(run.state) for parent, run in arrived.items()}
        turnout = chains.judge(self._graph.joins[child], wanted, states)
        if turnout is chains.Turnout.WAIT:
            return None
        is_skipped = turnout is chains.Turnout.SKIP
        told = [run for parent, run in arrived.items() if chains.counts(wanted[parent], states[parent]) != is_skipped]
        return Birth(
            child_id=child,
            group_id=group_id,
            round=max(run.round for run in arrived.values()),
            reason=births.said(*shortened(clauses_of(told, is_skipped=is_skipped))),
            is_skipped=is_skipped,
            parents=[run.id for run in told],
        )

    def bear(self) -> dict[tuple[int, str], int]:
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
        self, birth: Birth, child: Task, active: Sequence[ledger.Active], own: Sequence[births.Draft]
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


def clauses_of(runs: Sequence[Ended], *, is_skipped: bool) -> list[str]:
    """Return why a child starts or is skipped, a clause for each of these ends."""
    texts = _NOT_BECAUSE if is_skipped else _BECAUSE
    return [texts[RunState(run.state)].format(run.task_name, run.id) for run in runs]


def shortened(clauses: list[str]) -> list[str]:
    """Return clauses of which no more are told than somebody reads."""
    return [*clauses[:_NAMED], f"and {len(clauses) - _NAMED} further tasks"] if len(clauses) > _NAMED else clauses
