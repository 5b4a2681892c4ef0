"""Which task runs after which, as tasks are saved: names become tasks, loops are refused, and a new name is followed.

Part of a transaction that saves a task; the transaction is the caller's.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence

from watchbell.domain import chains
from watchbell.domain.chains import AFTER_FIELD, After
from watchbell.domain.task_definition import TaskDefinition
from watchbell.errors import Conflict, InputError, Problem
from watchbell.services import chain_graph, task_rows
from watchbell.store import chains as store
from watchbell.store import events
from watchbell.store import tasks as task_store
from watchbell.store.session import Session
from watchbell.store.tasks import Task

#: So many names are looked through for one that is like a misspelt one.
_NAMES = 1000


class Loop(InputError):
    """A task would run after itself, however many steps later."""

    code = "loop"

    def __init__(self, names: Sequence[str], ids: Sequence[int]) -> None:
        super().__init__(Problem(AFTER_FIELD, f"would be a loop: {chains.say_loop(names)}", "a task outside of it"))
        #: The tasks of the loop, each of which would run after the one before it, and the first after the last.
        self.names = tuple(names)
        #: Their numbers, in the same order.
        self.ids = tuple(ids)


def settle(session: Session, task: Task, definition: TaskDefinition, base: TaskDefinition | None) -> None:
    """Let a stored task run after those that its definition names; raises InputError for a name that no task has, and Loop.

    What the definition said before stays as it is, even if one of those tasks was deleted meanwhile.
    """
    if base is not None and definition.after == base.after:
        return
    if base is None and not definition.after:
        return
    parents = _resolved(session, task, definition.after)
    if not parents and not store.list_parents(session, task.id):
        return
    store.put_links(session, task.id, parents, events.newest_id(session))
    _require_no_loop(session, task)


def require_may_return(session: Session, task: Task) -> None:
    """Raise Conflict if a deleted task would come back into a loop: others were linked while it was away."""
    graph = chain_graph.read(session)
    parents = {child: set(found) for child, found in graph.parents.items()}
    parents[task.id] = set(store.list_parents(session, task.id))
    for child in store.list_child_ids(session, task.id):
        parents.setdefault(child, set()).add(task.id)
    loop = chains.find_loop(parents, task.id)
    if loop:
        words = chains.say_loop(_names_of(session, loop, {task.id: task.name}))
        raise Conflict(f"it would come back into a loop: {words}; let one of these tasks run after others first")


def _require_no_loop(session: Session, task: Task) -> None:
    session.flush()
    loop = chains.find_loop(chain_graph.read(session).parents, task.id)
    if loop:
        raise Loop(_names_of(session, loop, {}), loop)


def _names_of(session: Session, ids: Sequence[int], known: Mapping[int, str]) -> list[str]:
    found = {**{one.id: one.name for one in task_store.list_by_ids(session, ids)}, **known}
    return [found.get(one, f"task {one}") for one in ids]


def renamed(session: Session, task: Task, before: str) -> list[tuple[Task, TaskDefinition]]:
    """Return the tasks that run after one which had another name before, and what each of them is to say now."""
    found = []
    for child in task_store.list_by_ids(session, store.list_child_ids(session, task.id)):
        said = task_rows.definition_of(child)
        after = tuple(After(task.name, one.on) if one.task == before else one for one in said.after)
        if after != said.after:
            found.append((child, dataclasses.replace(said, after=after)))
    return found


def check_names(
    session: Session, wanted: Iterable[TaskDefinition], parents: Mapping[str, Collection[str]]
) -> list[Problem]:
    """Return what is wrong with the links of tasks that are to be saved together: names that are nobody's, and loops.

    ``parents`` are all links by name as they would be then; see ``parents_by_name``.
    """
    found: list[Problem] = []
    for definition in wanted:
        missing = [one.task for one in definition.after if one.task not in parents and not _is_there(session, one.task)]
        found += [Problem(f"{definition.name}.{AFTER_FIELD}", f"there is no task {name!r}", None) for name in missing]
        loop = chains.find_loop(parents, definition.name) if definition.after else []
        if loop and loop[0] == min(loop):
            # Each task of a loop finds it; one of them tells it.
            words = f"would be a loop: {chains.say_loop(loop)}"
            found.append(Problem(f"{definition.name}.{AFTER_FIELD}", words, None))
    return found


def parents_by_name(session: Session, wanted: Iterable[TaskDefinition]) -> dict[str, list[str]]:
    """Return the parents of all tasks by name, as they would be if these definitions were saved."""
    graph = chain_graph.read(session)
    ids = sorted({*graph.parents, *graph.children})
    names = {one.id: one.name for one in task_store.list_by_ids(session, ids)} if ids else {}
    found = {names[child]: [names[one] for one in parents] for child, parents in graph.parents.items()}
    return found | {definition.name: [one.task for one in definition.after] for definition in wanted}


def _is_there(session: Session, name: str) -> bool:
    return task_store.find_task_by_name(session, name) is not None


def _resolved(session: Session, task: Task, after: Sequence[After]) -> dict[int, str]:
    """Return the tasks that are named, by id, each with the end that it is waited for."""
    found: dict[int, str] = {}
    wrong: list[Problem] = []
    for one in after:
        parent = task_store.find_task_by_name(session, one.task)
        if parent is None:
            names = list(task_store.list_names(session, _NAMES).values())
            near = difflib.get_close_matches(one.task, names, n=1)
            wrong.append(Problem(AFTER_FIELD, f"there is no task {one.task!r}", near[0] if near else None))
        elif parent.id == task.id:
            raise Loop([task.name], [task.id])
        else:
            found[parent.id] = one.on.value
    if wrong:
        raise InputError(*wrong)
    return found
