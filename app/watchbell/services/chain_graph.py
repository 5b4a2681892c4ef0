"""The links between all tasks as they are at one moment, for whoever asks what comes after what."""

from __future__ import annotations

import dataclasses
import functools
from collections import deque
from collections.abc import Collection, Mapping, Sequence

from watchbell.domain.chains import ALL, On, needed, reachable
from watchbell.store import chains as store
from watchbell.store import marks
from watchbell.store.chains import Ended, Gone
from watchbell.store.session import Session

#: The mark that rises with every change of a task; a link belongs to its child.
_CHANGES = "task"


@dataclasses.dataclass(frozen=True)
class Graph:
    """All links between tasks that are not deleted."""

    #: The change mark of tasks for which this holds.
    mark: int = -1
    #: The children of each task, and the parents of each with the end that it waits for.
    children: Mapping[int, Sequence[int]] = dataclasses.field(default_factory=dict)
    parents: Mapping[int, Mapping[int, On]] = dataclasses.field(default_factory=dict)
    joins: Mapping[int, str] = dataclasses.field(default_factory=dict)
    #: The newest event when a link was made, by child and parent.
    since: Mapping[tuple[int, int], int] = dataclasses.field(default_factory=dict)
    #: Links of deleted tasks, those that went last first.
    gone: Sequence[Gone] = ()
    _reached: dict[int, frozenset[int]] = dataclasses.field(default_factory=dict)
    _coming: dict[tuple[int, int], frozenset[int]] = dataclasses.field(default_factory=dict)

    def reached_from(self, task_id: int) -> frozenset[int]:
        """Return a task and all that come after it."""
        if task_id not in self._reached:
            self._reached[task_id] = reachable(self.children, task_id)
        return self._reached[task_id]

    def leading_to(self, task_ids: Collection[int]) -> set[int]:
        """Return some tasks and all that they come after."""
        found, queue = set(task_ids), deque(task_ids)
        while queue:
            for parent in self.parents.get(queue.popleft(), ()):
                if parent not in found:
                    found.add(parent)
                    queue.append(parent)
        return found

    def joins_within(self, child_id: int, root: Ended) -> bool:
        """Return whether all parents of a child have their turn in the group of one run, which began it.

        A parent that waits for a task that begins by itself has it in the group of whichever comes last. Links of tasks that
        were deleted since the group began count as they did then.
        """
        # The latest stand first.
        known = sum(1 for link in self.gone if link.until >= root.created_at)
        key = (root.task_id, known)
        if key not in self._coming:
            self._coming[key] = self._coming_from(root.task_id, self.gone[:known])
        return self._coming[key].issuperset(self.parents.get(child_id, ()))

    def _coming_from(self, task_id: int, gone: Sequence[Gone]) -> frozenset[int]:
        children: dict[int, list[int]] = {}
        parents: dict[int, set[int]] = {}
        for link in gone:
            if link.child_id not in children.get(link.parent_id, ()):
                children.setdefault(link.parent_id, []).append(link.child_id)
                parents.setdefault(link.child_id, set()).add(link.parent_id)
        met: dict[int, int] = {}
        found, queue = {task_id}, deque([task_id])
        while queue:
            one = queue.popleft()
            for child in (*self.children.get(one, ()), *children.get(one, ())):
                met[child] = met.get(child, 0) + 1
                most = len(self.parents.get(child, ())) + len(parents.get(child, ()))
                if child not in found and met[child] >= min(needed(self.joins.get(child, ALL), most), most):
                    found.add(child)
                    queue.append(child)
        return frozenset(found)

    @functools.cached_property
    def has_joins(self) -> bool:
        """Return whether any task waits for several others."""
        return any(len(parents) > 1 for parents in self.parents.values())

    @functools.cached_property
    def oldest(self) -> int:
        """Return the event behind which the first end lies that any link could be about."""
        return min(self.since.values(), default=0)


def read(session: Session, known: Graph | None = None) -> Graph:
    """Return the links as they are now, which is what is ``known`` unless a task was changed since."""
    mark = marks.get(session, _CHANGES)
    if known is not None and known.mark == mark:
        return known
    links = store.list_links(session)
    children: dict[int, list[int]] = {}
    parents: dict[int, dict[int, On]] = {}
    for link in links:
        children.setdefault(link.parent_id, []).append(link.child_id)
        parents.setdefault(link.child_id, {})[link.parent_id] = On(link.on)
    return Graph(
        mark=mark,
        gone=store.list_gone(session),
        children=children,
        parents=parents,
        joins={link.child_id: link.join for link in links},
        since={(link.child_id, link.parent_id): link.since for link in links},
    )
