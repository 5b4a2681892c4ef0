"""What numbers of devices come to, and what is told of the steps of a job."""

from __future__ import annotations

import pytest

from watchbell.domain import fleet_figures, job_document
from watchbell.domain.fleet_state import DeviceJobState
from watchbell.domain.fleet_steps import results

STEPS = [{"name": name, "type": "runCommand", "input": {"command": "true"}} for name in ("one", "two", "three")]
DOCUMENT = job_document.read({"version": "1.0", "steps": STEPS}, is_filled=True)


@pytest.mark.parametrize(
    ("counts", "percent"),
    [
        ({}, None),
        ({"queued": 4, "in_progress": 1}, None),
        ({"cancelled": 3}, None),
        ({"succeeded": 4}, 100),
        ({"succeeded": 3, "failed": 1, "queued": 9}, 75),
        ({"succeeded": 1, "timed_out": 1, "rejected": 2}, 25),
        ({"succeeded": 1, "cancelled": 9}, 100),
        ({"failed": 1}, 0),
    ],
    ids=str,
)
def test_the_share_that_went_well_is_of_what_has_ended_by_itself(counts: dict[str, int], percent: float | None) -> None:
    assert fleet_figures.success_percentage({DeviceJobState(word): n for word, n in counts.items()}) == percent


def test_what_was_taken_back_is_done() -> None:
    counts = {DeviceJobState.CANCELLED: 2, DeviceJobState.FAILED: 1, DeviceJobState.QUEUED: 5}

    assert (fleet_figures.done(counts), fleet_figures.bad(counts)) == (3, 1)
    assert sorted(fleet_figures.SEVERITY) == sorted(DeviceJobState)


@pytest.mark.parametrize(
    ("state", "has_begun", "executed", "failed_step", "told"),
    [
        ("queued", False, None, None, "waiting waiting waiting"),
        ("in_progress", True, None, None, "waiting waiting waiting"),
        ("succeeded", True, 3, None, "succeeded succeeded succeeded"),
        ("failed", True, 2, "two", "succeeded failed not_run"),
        ("failed", True, 2, None, "succeeded failed not_run"),
        ("failed", True, None, "elsewhere", "unknown unknown unknown"),
        ("failed", True, 9, None, "unknown unknown unknown"),
        ("timed_out", True, None, None, "unknown unknown unknown"),
        ("cancelled", False, None, None, "not_run not_run not_run"),
        ("cancelled", True, None, None, "unknown unknown unknown"),
        ("rejected", False, None, None, "not_run not_run not_run"),
    ],
)
def test_the_steps_tell_what_the_report_tells(
    state: str, has_begun: bool, executed: int | None, failed_step: str | None, told: str
) -> None:
    found = results(DOCUMENT, DeviceJobState(state), has_begun=has_begun, executed=executed, failed_step=failed_step)

    assert " ".join(one.state for one in found) == told


def test_the_step_at_the_end_is_told_with_the_others() -> None:
    final = {"type": "runCommand", "input": {"command": "sync"}}
    document = job_document.read({"version": "1.0", "steps": STEPS, "finalStep": final}, is_filled=True)

    found = results(document, DeviceJobState.FAILED, has_begun=True, executed=3, failed_step="three")

    assert [(one.state, one.is_final) for one in found][-2:] == [("failed", False), ("not_run", True)]
