"""What waits for further parents, looked at again: when links or tasks were changed, and when nothing is left to wait for.

A child that waits is judged by the parents that it has now. In a group of which nothing goes on that could still bring about a
parent, the child is skipped, and its row names that parent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from watchbell.domain import chains
from watchbell.domain.run_state import RunState
from watchbell.services import births
from watchbell.services.chain_graph import Graph
from watchbell.services.chain_steps import Birth, Step, clauses_of, shortened
from watchbell.store import chains as store
from watchbell.store import tasks as task_store
from watchbell.store.session import Session

_NOTHING_LEFT = "not started because nothing is left after which it would run"
_WAS_OVER = "not started because {} had ended before it was waited for (run #{})"
_WILL_NOT_RUN = "not started because {} will not run in this chain any more"


class Review:
    """A look at what waits, at the end of a turn's following: at all of it if a task was changed since the last one."""

    def __init__(self, session: Session, graph: Graph) -> None:
        self._session = session
        self._graph = graph
        self._is_changed = store.reviewed(session) != graph.mark
        #: Whether anything may wait at all; in a line of tasks nothing does.
        self.may_wait = graph.has_joins or store.has_open(session)
        #: The groups in which something has ended since they were looked at.
        self._groups: set[int] = set()

    def note(self, groups: Collection[int]) -> None:
        """Keep groups in which something has ended, to be looked at once all ends are followed."""
        self._groups.update(groups)

    def take(self, step: Step) -> None:
        """Judge what waits, when all ends have been followed; the rows that come of it are the step's."""
        self.note(step.groups)
        waiting = self._waiting()
        if waiting and self._is_changed:
            if self._bring_home(waiting.items()):
                waiting = self._waiting()
            waiting = {pair: rows for pair, rows in waiting.items() if not self._judge(step, *pair, rows)}
            step.bear()
        # Rows that are skipped are ends, which others may wait for.
        if waiting and not step.has_ended_some:
            self._give_up(step, {pair: rows for pair, rows in waiting.items() if pair[1]})
            step.bear()
        if not step.has_ended_some:
            self._groups.clear()

    def finish(self) -> None:
        """Note that everything was judged by the links that there are."""
        if self._is_changed:
            store.set_reviewed(self._session, self._graph.mark)

    def _waiting(self) -> dict[tuple[int, int], list[Any]]:
        """Return what has come to each child that waits, by child and group."""
        found: dict[tuple[int, int], list[Any]] = defaultdict(list)
        if self.may_wait and (self._is_changed or self._groups):
            for row in store.list_open(self._session, None if self._is_changed else self._groups):
                found[row.child_id, row.group_id].append(row)
        return found

    def _bring_home(self, waiting: Collection[tuple[tuple[int, int], Sequence[Any]]]) -> bool:
        """Let what has come outside of groups count in its own, where all parents belong to that one now; return whether any does."""
        rows = [row for (_child, scope), rows in waiting if scope == 0 for row in rows if row.used_by is None]
        runs = store.list_ended(self._session, [row.run_id for row in rows]) if rows else {}
        roots = store.list_ended(self._session, [run.group_id or run.id for run in runs.values()]) if runs else {}
        has_moved = False
        for row in rows:
            run = runs.get(row.run_id)
            root = roots.get(run.group_id or run.id) if run is not None else None
            parents = self._graph.parents.get(row.child_id, {})
            if root is not None and row.parent_id in parents and self._graph.joins_within(row.child_id, root):
                store.move_arrival(self._session, row, root.id)
                has_moved = True
        return has_moved

    def _judge(self, step: Step, child: int, scope: int, rows: Sequence[Any]) -> bool:
        """Let a child have its row if its turn has come by the links that there are; return whether it waits no more."""
        if not self._graph.parents.get(child):
            if scope:
                step.keep(_skipped(child, scope, rows, [_NOTHING_LEFT], ()))
            else:
                store.use_arrivals(self._session, child, scope, 0)
            return True
        arrived = step.arrived(child, rows)
        if not arrived:
            return False
        if scope:
            return step.judge(child, scope, arrived)
        newest = max(arrived.values(), key=lambda run: run.id)
        step.judge_across(child, newest.group_id or newest.id, arrived)
        return False

    def _give_up(self, step: Step, waiting: Mapping[tuple[int, int], Sequence[Any]]) -> None:
        """Skip the children for which nothing goes on any more in their groups; what comes after those hears of it."""
        active = store.list_active_tasks(self._session, {group for _child, group in waiting}) if waiting else {}
        for (child, group), rows in waiting.items():
            missing = self._graph.parents.get(child, {}).keys() - step.arrived(child, rows).keys()
            others = {one for one, its_group in waiting if its_group == group and one != child}
            if self._graph.leading_to(missing).isdisjoint(active.get(group, set()) | others):
                step.keep(self._given_up(step, child, group, rows, missing))

    def _given_up(self, step: Step, child: int, group: int, rows: Sequence[Any], missing: Collection[int]) -> Birth:
        """Return the row of a child that names the parents that will not come, and those that did not end as wanted."""
        wanted = self._graph.parents[child]
        ended = step.arrived(child, rows)
        bad = [run for one, run in ended.items() if not chains.counts(wanted[one], RunState(run.state))]
        names = {task.id: task.name for task in task_store.list_by_ids(self._session, sorted(missing))}
        over = store.list_newest(self._session, group, missing)
        absent = [
            _WAS_OVER.format(names.get(one, f"task {one}"), over[one])
            if one in over
            else _WILL_NOT_RUN.format(names.get(one, f"task {one}"))
            for one in sorted(missing)
        ]
        clauses = [*clauses_of(bad, is_skipped=True), *absent]
        told = [*(run.id for run in bad), *(over[one] for one in sorted(missing) if one in over)]
        return _skipped(child, group, rows, clauses, told)


def _skipped(child: int, group: int, rows: Sequence[Any], clauses: list[str], parents: Sequence[int]) -> Birth:
    return Birth(
        child_id=child,
        group_id=group,
        round=max(row.round for row in rows),
        reason=births.said(*shortened(clauses)),
        is_skipped=True,
        parents=parents,
    )
