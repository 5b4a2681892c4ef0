"""The states of a device's part in a fleet job, the one table of legal moves, and what the parts say of the whole."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class DeviceJobState(StrEnum):
    """What has become of a job on one device so far."""

    QUEUED = "queued"
    """Waiting for the device to ask for it."""
    IN_PROGRESS = "in_progress"
    """The device has it; it may say so again with new details."""
    SUCCEEDED = "succeeded"
    """The device says that every step went well, and no exit code contradicts it."""
    FAILED = "failed"
    """The device says that a step failed."""
    TIMED_OUT = "timed_out"
    """Its time passed without a result; the server says so, whether the device still lives or not."""
    REJECTED = "rejected"
    """Not for this device: a condition is not met, or the device cannot make sense of the document."""
    CANCELLED = "cancelled"
    """Taken back by a person."""


class ExecutionState(StrEnum):
    """What has become of an order to many devices, read from its parts."""

    QUEUED = "queued"
    """No device has begun."""
    IN_PROGRESS = "in_progress"
    """Some have begun, and not all have ended."""
    SUCCEEDED = "succeeded"
    """Every device has succeeded."""
    FAILED = "failed"
    """All have ended, and not all of them well."""
    CANCELLED = "cancelled"
    """All have ended, after a person had taken the order back."""


ACTIVE = frozenset({DeviceJobState.QUEUED, DeviceJobState.IN_PROGRESS})
FINAL = frozenset(DeviceJobState) - ACTIVE
#: What another attempt may follow; what a device has rejected it would reject again.
RETRYABLE = frozenset({DeviceJobState.FAILED, DeviceJobState.TIMED_OUT})
#: What a device may say of itself; the others are the server's to say.
REPORTABLE = frozenset(
    {DeviceJobState.IN_PROGRESS, DeviceJobState.SUCCEEDED, DeviceJobState.FAILED, DeviceJobState.REJECTED}
)
EXECUTION_FINAL = frozenset({ExecutionState.SUCCEEDED, ExecutionState.FAILED, ExecutionState.CANCELLED})

#: The state in which every part is born; another attempt is a part of its own.
INITIAL = frozenset({DeviceJobState.QUEUED})

#: From each state, the states that may follow.
TRANSITIONS: dict[DeviceJobState, frozenset[DeviceJobState]] = {
    DeviceJobState.QUEUED: frozenset({DeviceJobState.IN_PROGRESS, DeviceJobState.REJECTED, DeviceJobState.CANCELLED}),
    DeviceJobState.IN_PROGRESS: FINAL,
    **{state: frozenset() for state in FINAL},
}


class IllegalTransition(ValueError):
    """A move that the table does not have."""

    def __init__(self, state: DeviceJobState | None, to: DeviceJobState) -> None:
        super().__init__(
            f"a device job cannot go from {state} to {to}" if state else f"a device job cannot begin as {to}"
        )
        self.state = state
        self.to = to


def may_follow(state: DeviceJobState, to: DeviceJobState) -> bool:
    """Return whether a device job may go from one state straight to another."""
    return to in TRANSITIONS[state]


def advance(state: DeviceJobState | None, *path: DeviceJobState) -> DeviceJobState:
    """Return the last state of a path after checking each step; ``None`` stands for a part that is being made.

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


def reported(to: DeviceJobState, exit_code: int | None) -> DeviceJobState:
    """Return what a report really says: a success with an exit code other than 0 is a failure, whatever it is called.

    The other way round the word counts: a step may fail by what it wrote although its program ended well.
    """
    if to is DeviceJobState.SUCCEEDED and exit_code not in {None, 0}:
        return DeviceJobState.FAILED
    return to


def execution_state(
    counts: Mapping[DeviceJobState, int], *, is_cancelled: bool = False, is_open: bool = False
) -> ExecutionState:
    """Return the state of an order from how many of its parts are in each state.

    ``is_cancelled`` says that a person has taken the order back, ``is_open`` that it still takes in devices that join
    later, so that it has not ended although all of its parts may have.
    """
    present = {state for state, count in counts.items() if count}
    if present and present <= FINAL and not (is_open and not is_cancelled):
        if present == {DeviceJobState.SUCCEEDED}:
            return ExecutionState.SUCCEEDED
        return ExecutionState.CANCELLED if is_cancelled else ExecutionState.FAILED
    if not present and is_cancelled:
        return ExecutionState.CANCELLED
    has_begun = present - {DeviceJobState.QUEUED, DeviceJobState.CANCELLED}
    return ExecutionState.IN_PROGRESS if has_begun else ExecutionState.QUEUED


#: The words that devices and their people have known for longer, where they are not ours in capitals.
_WIRE = {"cancelled": "CANCELED"}


def wire_word(state: DeviceJobState | ExecutionState) -> str:
    """Return a state as devices write it, such as ``IN_PROGRESS``."""
    return _WIRE.get(state.value, state.value.upper())


def from_wire(word: str) -> DeviceJobState | None:
    """Return the state that a device means, None for a word that is no state."""
    return next((state for state in DeviceJobState if wire_word(state) == word), None)
