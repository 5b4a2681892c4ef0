"""The links between all tasks as they are at one moment, for whoever asks what comes after what."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from watchbell.domain.chains import On, reachable
from watchbell.store import chains as store
from watchbell.store import marks
from watchbell.store.session import Session

#: The mark that rises with every change of a task; a link belongs to its child.
_CHANGES = "task"


@dataclasses.dataclass(frozen=True, slots=True)
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
    _reached: dict[int, frozenset[int]] = dataclasses.field(default_factory=dict)

    def reached_from(self, task_id: int) -> frozenset[int]:
        """Return a task and all that come after it."""
        if task_id not in self._reached:
            self._reached[task_id] = reachable(self.children, task_id)
        return self._reached[task_id]

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
        children=children,
        parents=parents,
        joins={link.child_id: link.join for link in links},
        since={(link.child_id, link.parent_id): link.since for link in links},
    )
