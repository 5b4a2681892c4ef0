"""What a change would do to the runs of the coming days, as pages ask it: with what an earlier question has worked out."""

from __future__ import annotations

from watchbell.services.simulation import Moments
from watchbell.web import current, forecasts

#: Whoever types waits for the answer; what is not worked out by then is by the next question.
_MOST_AT_ONCE = 30_000


def moments() -> Moments:
    """Return the moments of schedules that are known in this hour."""
    hour = current.now().replace(minute=0, second=0, microsecond=0)
    return forecasts.recall("simulation", hour, lambda: Moments(current.now(), _MOST_AT_ONCE))
