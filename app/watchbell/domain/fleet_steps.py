"""What has become of each step of a job on a device, as far as its report tells."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from enum import StrEnum

from watchbell.domain.fleet_state import FINAL, DeviceJobState
from watchbell.domain.job_document import Document, Step


class StepState(StrEnum):
    """What has become of a step."""

    WAITING = "waiting"
    """The job has not ended, and tells nothing of it yet."""
    SUCCEEDED = "succeeded"
    """It was executed, and did not end the job."""
    FAILED = "failed"
    """The job failed at it."""
    NOT_RUN = "not_run"
    """The job ended before it."""
    UNKNOWN = "unknown"
    """The job was begun and ended without a result."""


@dataclasses.dataclass(frozen=True, slots=True)
class StepResult:
    """A step and what has become of it."""

    step: Step
    state: StepState
    #: Whether it is the one that follows when all others have gone well.
    is_final: bool


def results(
    document: Document, state: DeviceJobState, *, has_begun: bool, executed: int | None, failed_step: str | None
) -> Sequence[StepResult]:
    """Return the steps in their order with what has become of each.

    ``executed`` and ``failed_step`` are what the device has reported: how many steps it did, and the name of the one at
    which it failed.
    """
    steps = [(step, False) for step in document.steps]
    if document.final_step is not None:
        steps.append((document.final_step, True))
    broken = _broken([step.name for step, _final in steps], state, executed, failed_step)
    return [
        StepResult(step, _state(place, state, broken, has_begun=has_begun), is_final)
        for place, (step, is_final) in enumerate(steps)
    ]


def _broken(names: Sequence[str], state: DeviceJobState, executed: int | None, failed_step: str | None) -> int | None:
    """Return the place of the step at which a job failed, if that can be told."""
    if state is not DeviceJobState.FAILED:
        return None
    if failed_step in names:
        return names.index(failed_step)
    return executed - 1 if executed and executed <= len(names) else None


def _state(place: int, state: DeviceJobState, broken: int | None, *, has_begun: bool) -> StepState:
    if state not in FINAL:
        return StepState.WAITING
    if state is DeviceJobState.SUCCEEDED or (broken is not None and place < broken):
        return StepState.SUCCEEDED
    if broken is not None:
        return StepState.FAILED if place == broken else StepState.NOT_RUN
    is_untouched = state is DeviceJobState.REJECTED or not has_begun
    return StepState.NOT_RUN if is_untouched else StepState.UNKNOWN
