"""What numbers of devices by the state of their jobs come to: how many are done, and how many of these well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from watchbell.domain.fleet_state import FINAL, DeviceJobState
from watchbell.domain.rollout import FAILURE_TYPES

#: What has gone wrong; what a person has taken back has not.
BAD = FAILURE_TYPES["ALL"]
#: The worst first: in this order states are told, and drawn beside one another.
SEVERITY: Sequence[DeviceJobState] = (
    *(DeviceJobState.FAILED, DeviceJobState.TIMED_OUT, DeviceJobState.REJECTED, DeviceJobState.IN_PROGRESS),
    *(DeviceJobState.QUEUED, DeviceJobState.CANCELLED, DeviceJobState.SUCCEEDED),
)


def done(counts: Mapping[DeviceJobState, int]) -> int:
    """Return on how many devices nothing more happens by itself."""
    return sum(count for state, count in counts.items() if state in FINAL)


def bad(counts: Mapping[DeviceJobState, int]) -> int:
    """Return on how many devices it has gone wrong."""
    return sum(counts.get(state, 0) for state in BAD)


def judged(counts: Mapping[DeviceJobState, int]) -> int:
    """Return on how many devices it has ended well or badly; what was taken back says nothing."""
    return counts.get(DeviceJobState.SUCCEEDED, 0) + bad(counts)


def success_percentage(counts: Mapping[DeviceJobState, int]) -> float | None:
    """Return the percentage of what has ended that has ended well; None if nothing has."""
    total = judged(counts)
    return 100 * counts.get(DeviceJobState.SUCCEEDED, 0) / total if total else None
