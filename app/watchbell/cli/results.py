"""Waiting for the end of a run, and the exit code by which a command tells how it ended."""

from __future__ import annotations

from collections.abc import Mapping

from watchbell import clock, errors
from watchbell.cli.program import Program
from watchbell.cli.screen import one_line, progress, span
from watchbell.cli.source import RunRow
from watchbell.domain.run_state import ACTIVE, RunState
from watchbell.errors import WatchbellError

#: How each final state ends a command that has waited for it.
EXIT_CODE_OF: Mapping[RunState, int] = {
    RunState.SUCCEEDED: errors.EXIT_OK,
    RunState.FAILED: errors.EXIT_RUN_FAILED,
    RunState.TIMED_OUT: errors.EXIT_RUN_TIMED_OUT,
    RunState.CANCELLED: errors.EXIT_RUN_CANCELLED,
    RunState.LOST: errors.EXIT_RUN_LOST,
    RunState.SKIPPED: errors.EXIT_RUN_SKIPPED,
    RunState.MISSED: errors.EXIT_RUN_MISSED,
}
#: One look of a wait; between two of them the words on a terminal are renewed.
_LOOK_SECONDS = 1.0


class RunNotSucceeded(WatchbellError):
    """The run that was waited for did not succeed."""

    code = "run_not_succeeded"
    exit_code = errors.EXIT_RUN_FAILED


class StillActive(WatchbellError):
    """The run has not ended within the time that was given to it."""

    code = "still_active"
    exit_code = errors.EXIT_STILL_ACTIVE


def require_success(run: RunRow) -> None:
    """Raise RunNotSucceeded, with the exit code of its state, for a run that has ended in any other way."""
    state = RunState(run.state)
    if state is RunState.SUCCEEDED:
        return
    error = RunNotSucceeded(f"run {run.id} {state}: {run.reason}" if run.reason else f"run {run.id} {state}")
    error.exit_code = EXIT_CODE_OF[state]
    raise error


def follow_to_end(program: Program, run: RunRow, seconds: float | None = None) -> RunRow:
    """Return the run when it has ended, telling meanwhile on a terminal what it does; raises StillActive."""
    deadline = None if seconds is None else clock.monotonic() + seconds
    with progress() as tell:
        while RunState(run.state) in ACTIVE:
            rest = _LOOK_SECONDS if deadline is None else min(_LOOK_SECONDS, deadline - clock.monotonic())
            if rest < 0:
                raise StillActive(f"run {run.id} of {one_line(run.task_name)} is still {run.state}")
            age = (clock.now() - (run.started_at or run.created_at)).total_seconds()
            tell(f"Run {run.id} of {one_line(run.task_name)} is {run.state}, {span(max(0.0, age))}")
            run = program.source.wait_for_run(run.id, rest)
    return run
