"""What an occurrence meets when earlier runs of its task are still active: it starts, waits, replaces them or is skipped."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from enum import StrEnum

from watchbell.domain.policies import Overlap
from watchbell.domain.run_state import RunState


class Turnout(StrEnum):
    """What becomes of an occurrence."""

    START = "start"
    WAIT = "wait"
    REPLACE = "replace"
    """It waits until the others, whose end it brings about, are gone."""
    SKIP = "skip"


@dataclasses.dataclass(frozen=True, slots=True)
class Meeting:
    """What becomes of an occurrence, and why."""

    turnout: Turnout
    reason: str = ""


_START = Meeting(Turnout.START)
#: What waits for its first start, or for another one.
_WAITING = frozenset({RunState.QUEUED.value})


def meet(overlap: Overlap, limit: int, active: Sequence[tuple[int, str]], *, is_caught_up: bool) -> Meeting:
    """Return what an occurrence does about the active runs of its task, given by number (0 for none yet) and state.

    What is caught up after an outage waits its turn, whatever the policy: it was decided already that it is run.
    """
    if not active or overlap is Overlap.ALLOW:
        return _START
    number, state = active[-1]
    other = f"run #{number} is still {state}" if number else "another run of this task has just become due"
    if is_caught_up:
        return Meeting(Turnout.WAIT, f"waits its turn: {other}")
    if overlap is Overlap.REPLACE:
        return Meeting(Turnout.REPLACE, f"waits until what it replaces has ended: {other}")
    if overlap is Overlap.SKIP:
        return Meeting(Turnout.SKIP, f"overlap: {other}; policy: skip on overlap")
    waiting = sum(1 for _number, state in active if state in _WAITING)
    if overlap is Overlap.QUEUE_ONE and waiting:
        return Meeting(Turnout.SKIP, f"overlap: {other}; policy: one waits already")
    if overlap is Overlap.QUEUE_ALL and waiting >= limit:
        return Meeting(Turnout.SKIP, f"overlap: {other}; policy: {waiting} wait already")
    return Meeting(Turnout.WAIT, f"waits its turn: {other}")
