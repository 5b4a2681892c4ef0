"""Laws of chains, whatever their links and joins, however their runs end and in whatever order, and whoever edits them meanwhile.

The long lane tries more of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from tests.database import DEFAULTS, NOW, add_run, add_task
from tests.fault.scale import count
from tests.unit.test_following import end, follow
from watchbell.domain import chains
from watchbell.domain.chains import ALL, ANY, On
from watchbell.domain.run_state import ACTIVE, FINAL, RunState
from watchbell.services import chain_graph, tasks, undoing
from watchbell.store import chains as store
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.store.tasks import Task

MOST_TASKS = 6
MOST_ACTS = 12
#: What a command can come to, and what a person can do to one that waits.
ENDS = [RunState.SUCCEEDED, RunState.SUCCEEDED, RunState.FAILED, RunState.LOST, RunState.CANCELLED]
LAWS = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def links_of(number: int, *, least: int) -> some.SearchStrategy[dict[int, str]]:
    """Return parents of a task, among those with smaller numbers, each with the end that is waited for."""
    if number == 0:
        return some.just({})
    ends = some.sampled_from([On.SUCCEEDED.value, On.SUCCEEDED.value, On.FAILED.value, On.FINISHED.value])
    return some.dictionaries(some.integers(0, number - 1), ends, min_size=min(least, number), max_size=3)


@dataclasses.dataclass(frozen=True)
class Step:
    """A task of a chain as it is made: its parents by their numbers, and how it joins them."""

    parents: Mapping[int, str]
    join: str


@some.composite
def graphs(draw: some.DrawFn, least: int) -> list[Step]:
    """Return tasks each of which runs after some before it, after so many at the least."""
    made = []
    for number in range(draw(some.integers(4, MOST_TASKS))):
        parents = draw(links_of(number, least=least))
        made.append(Step(parents, draw(joins(len(parents)))))
    return made


def joins(parents: int) -> some.SearchStrategy[str]:
    return some.sampled_from([ALL, ALL, ANY, *(str(number) for number in range(2, parents + 1))])


class Lab:
    """Tasks of a chain and their runs, in a transaction that is never kept."""

    def __init__(self, db: Database, session: Any, steps: Sequence[Step]) -> None:
        self.db, self.session = db, session
        self.tasks: list[Task] = []
        for number, step in enumerate(steps):
            given = {"after": self.after(step.parents), "join": step.join, "overlap": "queue_all"}
            self.tasks.append(add_task(db, f"t{number}", **given))

    def after(self, parents: Mapping[int, str]) -> list[dict[str, str]]:
        return [{"task": f"t{parent}", "on": on} for parent, on in parents.items()]

    def runs(self) -> list[Run]:
        """Return all runs, the oldest first."""
        self.session.expire_all()
        return list(self.session.query(Run).order_by(Run.id))

    def active(self) -> list[Run]:
        return [run for run in self.runs() if RunState(run.state) in ACTIVE]

    def begin(self, number: int) -> None:
        add_run(self.db, self.tasks[number])

    def end(self, run: Run, state: RunState) -> None:
        end(self.db, run, state)


@settings(LAWS, max_examples=count("CHAINS", 8, 600))
@given(data=some.data())
def test_each_step_has_one_row_in_each_group_by_the_ends_of_its_parents_in_whatever_order_they_come(
    db: Database, data: some.DataObject
) -> None:
    steps = data.draw(graphs(least=data.draw(some.sampled_from([2, 1]))))
    ends = [data.draw(some.lists(some.sampled_from(ENDS), min_size=len(steps), max_size=len(steps))) for _ in "ab"]
    with db.rehearse() as session:
        lab = Lab(db.within(session), session, steps)
        numbers = {task.id: number for number, task in enumerate(lab.tasks)}
        lab.begin(0), lab.begin(0)
        # A number is given once, also by what is never kept.
        groups = {run.id: number for number, run in enumerate(lab.runs(), 1)}
        while active := lab.active():
            run = data.draw(some.sampled_from(active))
            group = groups[run.group_id or run.id]
            lab.end(run, ends[group - 1][numbers[run.task_id]])
            if data.draw(some.booleans()) or len(active) == 1:
                follow(lab.db)
        found = sorted((groups[run.group_id or run.id], numbers[run.task_id], run.state) for run in lab.runs())

    expected = [
        (group, number, state.value)
        for group, its_ends in enumerate(ends, 1)
        for number, state in foretold(steps, its_ends).items()
    ]
    assert found == sorted(expected)


def foretold(steps: Sequence[Step], ends: Sequence[RunState]) -> dict[int, RunState]:
    """Return how each step comes out whose command would end so."""
    found: dict[int, RunState] = {}
    for number, step in enumerate(steps):
        good = [on for parent, on in step.parents.items() if chains.counts(On(on), found[parent])]
        most = len(step.parents) if step.join == ALL else 1 if step.join == ANY else int(step.join)
        found[number] = ends[number] if not step.parents or len(good) >= most else RunState.SKIPPED
    return found


class Edited(Lab):
    """A chain that is edited while it runs, and what must never happen to it."""

    def __init__(self, db: Database, session: Any, steps: Sequence[Step]) -> None:
        super().__init__(db, session, steps)
        self.seen: set[int] = set()
        #: Which runs were over when a link was made.
        self.over: dict[tuple[int, int, str], set[int]] = {}
        self.led: set[tuple[int, int]] = set()
        self.gone: set[int] = set()
        self.ever_gone: set[int] = set()
        self.note_links()

    def links(self) -> chain_graph.Graph:
        return chain_graph.read(self.session)

    def note_links(self) -> None:
        """Remember what was over when the links were made that are new."""
        over = {run.id for run in self.runs() if RunState(run.state) in FINAL}
        now = {
            (task.id, parent, on)
            for task in self.tasks
            for parent, on in store.list_parents(self.session, task.id).items()
        }
        self.over = {link: self.over.get(link, over) for link in now}

    def edit(self, data: some.DataObject) -> None:
        """Change a task as people do."""
        number = data.draw(some.integers(0, len(self.tasks) - 1))
        task = self.tasks[number]
        if number in self.gone:
            undoing.restore(self.db, task.id, now=NOW, actor="ann")
            self.gone.discard(number)
        elif data.draw(some.integers(0, 3)) == 0:
            tasks.delete(self.db, task.id, now=NOW, actor="ann")
            self.gone.add(number)
            self.ever_gone.add(task.id)
        else:
            parents = data.draw(links_of(number, least=0))
            parents = {one: on for one, on in parents.items() if one not in self.gone}
            given = {"after": self.after(parents), "join": data.draw(joins(len(parents)))}
            given["enabled"] = data.draw(some.sampled_from([True, True, True, False]))
            tasks.update(self.db, task.id, given, now=NOW, actor="ann", defaults=DEFAULTS)
        self.note_links()

    def follow(self) -> None:
        """Follow, and look at what was made: nothing has started before its condition."""
        while follow(self.db).is_behind:
            continue
        graph = self.links()
        runs = {run.id: run for run in self.runs()}
        for run in (run for number, run in runs.items() if number not in self.seen and run.trigger == "chain"):
            if run.state != RunState.QUEUED:
                continue
            wanted = graph.parents[run.task_id]
            told = [runs[number] for number in run.parents or ()]
            assert (
                len({one.task_id for one in told}) == len(told) >= chains.needed(graph.joins[run.task_id], len(wanted))
            )
            for one in told:
                assert chains.counts(wanted[one.task_id], RunState(one.state))
                assert one.id not in self.over[run.task_id, one.task_id, wanted[one.task_id].value]
                # What has led to a run counts for no other one.
                assert (run.task_id, one.id) not in self.led
                self.led.add((run.task_id, one.id))
        self.seen = set(runs)


@settings(LAWS, max_examples=count("CHAIN_EDITS", 8, 300))
@given(data=some.data())
def test_a_chain_that_is_edited_while_it_runs_starts_nothing_before_its_condition_and_leaves_nothing_waiting(
    db: Database, data: some.DataObject
) -> None:
    # Where one task begins all the others, ends are joined in its groups.
    steps = data.draw(graphs(least=data.draw(some.sampled_from([2, 2, 1, 0]))))
    with db.rehearse() as session:
        lab = Edited(db.within(session), session, steps)
        for _ in range(MOST_ACTS):
            active = lab.active()
            act = data.draw(some.sampled_from(["begin", "end", "end", "end", "end", "edit", "edit", "follow"]))
            if (act == "begin" and len(active) < 3) or not active:
                numbers = [number for number in range(len(steps)) if number not in lab.gone]
                if numbers:
                    lab.begin(data.draw(some.sampled_from([numbers[0], *numbers])))
            elif act == "end":
                lab.end(data.draw(some.sampled_from(active)), data.draw(some.sampled_from(ENDS)))
            elif act == "edit":
                lab.edit(data)
            if act == "follow" or data.draw(some.booleans()):
                lab.follow()
        lab.follow()
        while active := lab.active():
            lab.end(data.draw(some.sampled_from(active)), data.draw(some.sampled_from(ENDS)))
            lab.follow()
        waiting = [(row.child_id, row.group_id) for row in store.list_open(session) if row.group_id]
        came = {(row.child_id, row.group_id) for row in session.query(store.ChainArrival) if row.group_id}
        have = {(run.task_id, run.group_id) for run in lab.runs()}

    assert waiting == []
    assert {(child, group) for child, group in came if child not in lab.ever_gone} <= have
