"""The runs of a chain as one group: what has become of each step, how long it took and what took the time, and running it again.

A group is named by the number of the run that began it. It has rounds: each time a step is run again, what comes after it
follows in a round of its own.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from watchbell.domain import chain_paths
from watchbell.domain.chains import On
from watchbell.domain.permissions import Right
from watchbell.domain.run_state import ACTIVE, RunState
from watchbell.errors import Conflict, NotFound
from watchbell.services import audit, chain_graph, ownership, parameters, quotas, triggers
from watchbell.services.chain_graph import Graph
from watchbell.store import chains as store
from watchbell.store import newest_runs
from watchbell.store import runs as run_store
from watchbell.store import tasks as task_store
from watchbell.store.runs import Run
from watchbell.store.session import Database, Session

#: So many runs of a group are looked at, and so many tasks around one are shown with it.
MOST_RUNS = 5000
MOST_AROUND = 60
_ACTIVE = frozenset(state.value for state in ACTIVE)


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One task of a chain, and the run that stands for it."""

    task_id: int
    task_name: str
    #: The newest run of it, in the group if this is a step of one; None if its turn has not come.
    run: Any | None
    #: The tasks that it runs after, as far as they belong to what is shown, each with the end that it waits for.
    parents: Mapping[int, On]
    is_critical: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """All runs that came of one."""

    id: int
    name: str
    steps: Sequence[Step]
    #: The oldest first, those of earlier rounds among them.
    runs: Sequence[Run]
    began_at: datetime
    #: None while something of it goes on.
    ended_at: datetime | None
    #: The runs that made it take as long as it took, the first one first.
    critical: Sequence[Run]
    rounds: int
    #: Whether there are more runs than could be looked at.
    is_partial: bool = False

    @property
    def is_active(self) -> bool:
        """Return whether something of it goes on."""
        return self.ended_at is None

    def seconds(self, now: datetime) -> float:
        """Return how long it took, or has taken so far."""
        return max(((self.ended_at or now) - self.began_at).total_seconds(), 0.0)


def id_of(db: Database, run: Run) -> int | None:
    """Return the chain of which a run is a step, by the run that began it; None if it is in none."""
    if run.group_id is not None:
        return run.group_id
    with db.read() as session:
        return run.id if store.has_group(session, run.id) else None


def find(db: Database, group_id: int) -> Group:
    """Return a group; raises NotFound for a run that began no chain."""
    with db.read() as session:
        runs = store.list_group(session, group_id, MOST_RUNS)
        rest = [run for run in runs if run.id != group_id]
        if not rest or any(run.id == group_id and run.group_id is not None for run in runs):
            raise NotFound(f"run {group_id} began no chain")
        return _group(chain_graph.read(session), _names(session), group_id, runs)


def _names(session: Session) -> Mapping[int, str]:
    links = store.list_links(session)
    ids = sorted({link.child_id for link in links} | {link.parent_id for link in links})
    return {task.id: task.name for task in task_store.list_by_ids(session, ids)} if ids else {}


def _group(graph: Graph, names: Mapping[int, str], group_id: int, runs: Sequence[Run]) -> Group:
    newest = {run.task_id: run for run in runs}
    is_active = any(run.state in _ACTIVE for run in runs)
    ids = list(newest)
    if is_active:
        # What is still to come is known only while it can come.
        ids += [one for one in sorted(graph.reached_from(runs[0].task_id)) if one not in newest and one in names]
    path = chain_paths.critical_path(
        {run.id: run.parents or () for run in newest.values()},
        {run.id: run.ended_at for run in newest.values() if run.started_at and run.ended_at},
    )
    told = {run.id: run for run in runs}
    parents = {one: _parents(graph, one, newest.get(one), told, set(ids)) for one in ids}
    ended = [run.ended_at for run in runs if run.ended_at is not None]
    return Group(
        id=group_id,
        name=runs[0].task_name,
        steps=[
            Step(
                one,
                newest[one].task_name if one in newest else names[one],
                newest.get(one),
                parents[one],
                one in newest and newest[one].id in path,
            )
            for row in chain_paths.layers(parents, ids)
            for one in row
        ],
        runs=runs,
        began_at=min(run.started_at or run.created_at for run in runs),
        ended_at=None if is_active or not ended else max(ended),
        critical=[told[number] for number in path],
        rounds=max(run.round for run in runs) + 1,
        is_partial=len(runs) > MOST_RUNS,
    )


def _parents(graph: Graph, task_id: int, run: Run | None, told: Mapping[int, Run], shown: set[int]) -> dict[int, On]:
    """Return the tasks after which one runs by its links, and by what its run says; the latter outlives a changed link."""
    known = graph.parents.get(task_id, {})
    found = {parent: on for parent, on in known.items() if parent in shown}
    for number in (run.parents or ()) if run is not None else ():
        parent = told[number].task_id if number in told else None
        if parent is not None and parent != task_id:
            found.setdefault(parent, On.FINISHED)
    return found


def around(db: Database, task_id: int) -> list[Step]:
    """Return a task with those that it comes after and those that come after it, however many steps away, up to a number.

    Each has its newest run. A task that is in no chain stands alone.
    """
    with db.read() as session:
        if not store.has_links(session):
            return []
        graph = chain_graph.read(session)
        ids = _near(graph, task_id)
        if len(ids) < 2:
            return []
        names = {task.id: task.name for task in task_store.list_by_ids(session, ids)}
        lines = newest_runs.list_lines(session, ids, 1)
    shown = set(names)
    return [
        Step(
            one,
            names[one],
            lines[one][0] if lines.get(one) else None,
            {parent: on for parent, on in graph.parents.get(one, {}).items() if parent in shown},
        )
        for one in ids
        if one in names
    ]


def of_loop(db: Database, ids: Sequence[int]) -> list[Step]:
    """Return tasks of a loop as steps, each of which runs after the one before it; that the first would run after the last is no link yet."""
    with db.read() as session:
        graph = chain_graph.read(session)
        names = {task.id: task.name for task in task_store.list_by_ids(session, list(ids))}
    return [
        Step(
            one,
            names.get(one, f"task {one}"),
            None,
            {before: graph.parents.get(one, {}).get(before, On.SUCCEEDED)} if before is not None else {},
        )
        for before, one in zip([None, *ids[:-1]], ids, strict=True)
    ]


def _near(graph: Graph, task_id: int) -> list[int]:
    """Return a task and those before and behind it, the nearest first."""
    found = {task_id: None}
    queue = deque([(task_id, graph.parents), (task_id, graph.children)])
    while queue and len(found) < MOST_AROUND:
        one, ways = queue.popleft()
        for other in ways.get(one, ()):
            if other not in found and len(found) < MOST_AROUND:
                found[other] = None
                queue.append((other, ways))
    return list(found)


def again(db: Database, run_id: int, *, now: datetime, actor: str) -> Run:
    """Run a step of a chain again, as its task is now, and let what comes after it follow; return the new run, queued.

    Raises NotFound, Conflict for a run that is not over or is no step of a chain, and QuotaReached when too many wait.
    """
    with db.write() as session:
        run = run_store.find_run(session, run_id)
        if run is None:
            raise NotFound(f"there is no run {run_id}")
        task = task_store.find_task(session, run.task_id)
        if task is None:
            raise NotFound(f"task {run.task_name!r} was deleted, so run {run_id} cannot be run again")
        ownership.require(session, Right.OPERATE, task)
        if run.state in _ACTIVE:
            raise Conflict(f"run {run_id} is still {run.state}; it can be run again when it is over")
        values = follow_values(session, run)
        if not values:
            raise Conflict(f"run {run_id} is no step of a chain; run it again by itself")
        triggers.refuse_too_many(session, task)
        quotas.require_start(session, now)
        detail = {"group": values["group_id"], "round": values["round"]}
        audit.note(session, "task.run", f"task:{task.id}", now=now, actor=actor, name=task.name, detail=detail)
        return triggers.ask(
            session,
            task,
            f"man:{uuid.uuid4().hex}",
            now=now,
            actor=actor,
            reason=f"run again by {actor} in its chain, as run #{run_id}",
            given=parameters.fitting({"parameters": task.parameters}, run.parameters),
            rerun_of=run_id,
            **values,
        )


def follow_values(session: Session, run: Run) -> dict[str, Any]:
    """Return what makes a run that repeats another one a step of its chain; nothing for a run that is in none.

    What comes after it waits for the new end from now on.
    """
    graph = chain_graph.read(session)
    if run.group_id is None and run.task_id not in graph.children:
        return {}
    group_id = run.group_id or run.id
    store.forget_arrivals(session, group_id, graph.reached_from(run.task_id))
    return {"group_id": group_id, "round": store.newest_round(session, group_id) + 1}


def told(group: Group) -> dict[str, Any]:
    """Return a group as programs read it."""
    return {
        "id": group.id,
        "task_name": group.name,
        "began_at": group.began_at,
        "ended_at": group.ended_at,
        "rounds": group.rounds,
        "critical_run_ids": [run.id for run in group.critical],
        "steps": [
            {
                "task_id": step.task_id,
                "task_name": step.task_name,
                "run_id": step.run.id if step.run is not None else None,
                "state": state_of(step) or None,
                "reason": step.run.reason if step.run is not None else "",
                "started_at": step.run.started_at if step.run is not None else None,
                "ended_at": step.run.ended_at if step.run is not None else None,
                "round": step.run.round if step.run is not None else None,
                "after": [{"task_id": parent, "on": on.value} for parent, on in step.parents.items()],
            }
            for step in group.steps
        ],
    }


def state_of(step: Step) -> str:
    """Return the state of a step, empty for one whose turn has not come."""
    return RunState(step.run.state).value if step.run is not None else ""
