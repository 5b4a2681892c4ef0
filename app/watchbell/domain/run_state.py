"""The states of a run and the one table of legal moves between them (docs/architecture.md draws it)."""

from __future__ import annotations

from enum import StrEnum


class RunState(StrEnum):
    """What has become of a run so far; the values are what the API and the database show."""

    QUEUED = "queued"
    """Due, waiting for a scheduler with room."""
    CLAIMED = "claimed"
    """One scheduler has taken it; nothing has been started."""
    STARTING = "starting"
    """The decision to start is on disk: from here a process may exist."""
    RUNNING = "running"
    """The process is known by pid, start time and boot."""
    CANCELLING = "cancelling"
    """Somebody asked for its end; a command that finishes first keeps its result."""
    RETRY_WAIT = "retry_wait"
    """An attempt failed and the next one has its time."""
    SUCCEEDED = "succeeded"
    """Exit code 0."""
    FAILED = "failed"
    """Another exit code, death by a signal, or it could not be started."""
    TIMED_OUT = "timed_out"
    """Ended by us because its time limit passed."""
    CANCELLED = "cancelled"
    """Ended, or kept from starting, by a person."""
    LOST = "lost"
    """Nobody can know how it ended: no process and no result."""
    SKIPPED = "skipped"
    """Not started on purpose, by a policy of the task."""
    MISSED = "missed"
    """Not started because nobody could: the scheduler was down, or it was too late."""


ACTIVE = frozenset(
    {
        RunState.QUEUED,
        RunState.CLAIMED,
        RunState.STARTING,
        RunState.RUNNING,
        RunState.CANCELLING,
        RunState.RETRY_WAIT,
    }
)
FINAL = frozenset(RunState) - ACTIVE
#: The states in which a process of the run may exist.
IN_FLIGHT = frozenset({RunState.STARTING, RunState.RUNNING, RunState.CANCELLING})

_RESULTS = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.TIMED_OUT})

#: The states in which a run may be born.
INITIAL = frozenset({RunState.QUEUED, RunState.SKIPPED, RunState.MISSED})

#: From each state, the states that may follow.
TRANSITIONS: dict[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.CLAIMED, RunState.CANCELLED, RunState.SKIPPED, RunState.MISSED}),
    RunState.CLAIMED: frozenset({RunState.QUEUED, RunState.STARTING, RunState.CANCELLING}),
    RunState.STARTING: _RESULTS | {RunState.RUNNING, RunState.LOST, RunState.RETRY_WAIT, RunState.CANCELLING},
    RunState.RUNNING: _RESULTS | {RunState.LOST, RunState.RETRY_WAIT, RunState.CANCELLING},
    RunState.CANCELLING: _RESULTS | {RunState.CANCELLED, RunState.LOST},
    RunState.RETRY_WAIT: frozenset({RunState.QUEUED, RunState.CANCELLED, RunState.SKIPPED, RunState.MISSED}),
    **{state: frozenset() for state in FINAL},
}


class IllegalTransition(ValueError):
    """A move that the table does not have."""

    def __init__(self, state: RunState | None, to: RunState) -> None:
        super().__init__(f"a run cannot go from {state} to {to}" if state else f"a run cannot begin as {to}")
        self.state = state
        self.to = to


def may_follow(state: RunState, to: RunState) -> bool:
    """Return whether a run may go from one state straight to another."""
    return to in TRANSITIONS[state]


def advance(state: RunState | None, *path: RunState) -> RunState:
    """Return the last state of a path after checking each step; ``None`` stands for a run that is being made.

    A scheduler with room takes a due run along several steps in one transaction; each of them must still be legal.
    Raises IllegalTransition on the first step that the table does not have.
    """
    current = state
    for to in path:
        if current is None:
            if to not in INITIAL:
                raise IllegalTransition(None, to)
        elif to not in TRANSITIONS[current]:
            raise IllegalTransition(current, to)
        current = to
    if current is None:
        raise ValueError("a path needs at least one state")
    return current
