"""How long orders to devices are kept, with what became of them on each device.

Never deleted: an order that goes on, or takes in devices that join later; one that undoes another which is still here, since it
says that this one was undone; and, as long as only the numbers say so, one of which a device has not heard yet that it is over.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta

from watchbell.store import fleet_retention as store
from watchbell.store.fleet_retention import Deleted, OldOrder
from watchbell.store.session import Database, Session


@dataclasses.dataclass(frozen=True, slots=True)
class OrderRules:
    """What the server's settings say; None stands for no bound."""

    days: int | None = None
    orders: int | None = None
    #: Jobs of devices, of all orders together.
    jobs: int | None = None


NO_BOUNDS = OrderRules()


class OldOrders:
    """One pass over the orders, oldest first."""

    def __init__(self, db: Database, rules: OrderRules, *, now: datetime) -> None:
        self._db = db
        self._before = now - timedelta(days=rules.days) if rules.days is not None else None
        self._rules = rules
        #: Orders up to this one are too many; it is looked for with the first step.
        self._up_to: int | None = None
        self._after: int | None = None
        self._is_over = rules == NO_BOUNDS
        self._doomed: list[OldOrder] = []

    def step(self, limit: int) -> Deleted | None:
        """Look at so many orders, or delete up to so many rows in one short transaction; None when the pass is over.

        Raises Unavailable with nothing done; the same step can then be made again.
        """
        if not self._doomed:
            return Deleted() if self._find(limit) else None
        with self._db.write() as session:
            gone = store.delete_some(session, [order.id for order in self._doomed[:limit]], limit)
        is_full = gone.orders + gone.jobs >= limit
        # What was left though there was room goes on again.
        self._doomed = self._doomed[gone.orders if is_full else limit :]
        return gone

    def preview_step(self, limit: int) -> Deleted | None:
        """Return how many orders and jobs among the next ones would be deleted; None when the pass is over."""
        if not self._find(limit):
            return None
        found, self._doomed = self._doomed, []
        return Deleted(len(found), sum(order.total for order in found))

    def _find(self, limit: int) -> bool:
        """Look at the next orders; return whether there were any to look at."""
        if self._is_over:
            return False
        with self._db.read() as session:
            if self._after is None:
                self._up_to = self._excess(session)
            rows = store.list_ended(session, self._after or 0, limit)
        self._is_over = len(rows) < limit
        self._after = rows[-1].id if rows else 0
        for order in rows:
            is_excess = self._up_to is not None and order.id <= self._up_to
            if not is_excess and (self._before is None or order.queued_at >= self._before):
                # All that follow are newer still.
                self._is_over = True
                break
            ended = order.completed_at
            is_old = self._before is not None and ended is not None and ended < self._before
            if not order.undoes_one and (is_old or (is_excess and not order.is_untold)):
                self._doomed.append(order)
        return True

    def _excess(self, session: Session) -> int | None:
        """Return the newest order that is one too many, or whose jobs are, None if there is none."""
        rules = self._rules
        found = (
            store.beyond_orders(session, rules.orders) if rules.orders is not None else None,
            store.beyond_jobs(session, rules.jobs) if rules.jobs is not None else None,
        )
        return max((order_id for order_id in found if order_id is not None), default=None)
