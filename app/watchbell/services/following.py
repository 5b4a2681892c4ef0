"""What runs after others: the ends of runs are followed, and the turn of each child becomes a row.

Part of a scheduler's turn. How far the ends have been followed is kept in the transaction that makes the rows, and the key of
each row names child, group and round: whenever a scheduler is killed, no child is lost and none is made twice. All ends come
by here, whoever brought them about, because all of them are told in the outbox. With no links there is nothing to follow, and
nothing is asked.
"""

from __future__ import annotations

from typing import Any

from watchbell.domain.run_state import FINAL
from watchbell.services import chain_graph, chain_reviews
from watchbell.services.chain_graph import Graph
from watchbell.services.chain_steps import Followed, Step
from watchbell.services.tickets import Turn
from watchbell.services.transitions import EVENT_TYPES
from watchbell.store import chains as store
from watchbell.store import events
from watchbell.store.session import Database, Session

#: So many events are read at a time, and so often in one turn; rows that are skipped at once are ends, too.
_EVENTS = 500
_STEPS = 20
_ENDS = frozenset(EVENT_TYPES[state] for state in FINAL)


class Follower:
    """Follows the ends of runs; what it remembers between turns only saves questions."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._seen = 0
        self._is_pending = False

    def look(self, db: Database) -> None:
        """Take notice of changed links, and of ends that others have brought about; raises Unavailable."""
        with db.read() as session:
            known, self._graph = self._graph, chain_graph.read(session, self._graph)
            if self._graph is not known and store.reviewed(session) != self._graph.mark and store.has_open(session):
                self._is_pending = True
            if not self._graph.children or self._is_pending:
                return
            place = max(self._seen, store.followed(session), self._graph.oldest)
            while found := events.list_after(session, place, _EVENTS):
                place = found[-1].id
                self._is_pending = self._is_pending or any(_is_end(event, self._graph) for event in found)
            self._seen = place

    def should_follow(self, *, has_results: bool) -> bool:
        """Return whether a turn should be taken because of an end that somebody may wait for."""
        return self._is_pending or (has_results and self.has_links)

    @property
    def has_links(self) -> bool:
        """Return whether any task runs after another one, as far as is known, or waits since it did."""
        return self._graph is not None and (bool(self._graph.children) or self._is_pending)

    def settle(self, *, is_behind: bool) -> None:
        """Take over that a turn has followed all ends, or not."""
        self._is_pending = is_behind and self.has_links

    def follow(self, session: Session, turn: Turn) -> Followed:
        """Make the rows of all children whose turn has come, within the transaction of a turn."""
        self._graph = graph = chain_graph.read(session, self._graph)
        came_from = store.followed(session)
        place = max(came_from, graph.oldest) if graph.children else came_from
        review = chain_reviews.Review(session, graph)
        followed = Followed()
        for _ in range(_STEPS):
            found = events.list_after(session, place, _EVENTS) if graph.children else ()
            step = Step(session, turn, graph, followed, may_wait=review.may_wait)
            if found:
                step.take([event for event in found if _is_end(event, graph)])
                place = found[-1].id
            if len(found) < _EVENTS and not step.has_ended_some:
                # What the step has written since are births, which nobody follows. What waits still may have no end to wait for.
                review.take(step)
                if not step.has_ended_some:
                    break
            else:
                review.note(step.groups)
        else:
            followed.has_more = True
        if place != came_from:
            store.set_followed(session, place)
        if not followed.has_more:
            review.finish()
        return followed


def _is_end(event: Any, graph: Graph) -> bool:
    return event.type in _ENDS and event.task_id in graph.children
