"""The orders of the last day on a line of time: a lane for each, from when it was begun to when it ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from watchbell.services.fleet_views import counts_of
from watchbell.store.fleet_jobs import Execution
from watchbell.web import fleet_words
from watchbell.web.pictures.axis import Axis
from watchbell.web.pictures.lanes import DrawnLane, Mark

BACK, AHEAD = timedelta(hours=24), timedelta(hours=1)
_TOP, _HEIGHT = 8, 12


def axis(now: datetime) -> Axis:
    """Return the stretch of time that is shown."""
    return Axis(now - BACK, now + AHEAD)


def lanes(orders: Sequence[Execution], shown: Axis, now: datetime, address: Callable[[str], str]) -> list[DrawnLane]:
    """Return a lane for each order; ``address`` is the page of one."""
    return [_lane(one, shown, now, address(one.job_id)) for one in orders]


def _lane(order: Execution, shown: Axis, now: datetime, href: str) -> DrawnLane:
    state = fleet_words.shown_state(order)
    low = shown.x(order.started_at or order.queued_at)
    high = shown.x(order.completed_at or now)
    mark = Mark(
        x=low,
        width=round(max(high - low, 0.0), 3),
        y=_TOP,
        height=_HEIGHT,
        icon="" if state == "succeeded" else fleet_words.look_of(state),
        tone=fleet_words.look_of(state),
        title=f"{order.name}: {fleet_words.sentence(order)}",
        href=href,
    )
    counts = {word.value: count for word, count in counts_of(order).items()}
    return DrawnLane(order.name, href, [mark], (), (), None, counts, (), None)
