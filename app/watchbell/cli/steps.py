"""How the command line shows the steps of tasks and of runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from watchbell.cli.screen import moment, one_line, say, span, table
from watchbell.domain.steps import Step, StepResult


def steps_told(steps: Sequence[Step]) -> dict[str, object]:
    """Return the lines that tell of a task's steps, by their heads."""
    return {f"Step {number}": _told(step) for number, step in enumerate(steps, 1)}


def _told(step: Step) -> str:
    limit = f"at most {step.timeout_seconds} s" if step.timeout_seconds else ""
    after = "goes on after a failure" if step.continue_on_failure else ""
    more = ", ".join(filter(None, (limit, after)))
    return f"{step.name}: {step.command}{f' ({more})' if more else ''}"


def steps_json(results: Sequence[StepResult]) -> list[dict[str, object]]:
    """Return what became of steps, as JSON has it."""
    return [dataclasses.asdict(result) for result in results]


def tell_steps(results: Sequence[StepResult], zone: ZoneInfo) -> None:
    """Print what became of steps; nothing for a run of a command."""
    if not results:
        return
    say()
    rows = [
        (
            result.number,
            one_line(result.name),
            result.state.replace("_", " "),
            moment(result.started_at, zone),
            span(result.duration_seconds),
            "-" if result.exit_code is None else result.exit_code,
        )
        for result in results
    ]
    table(("STEP", "NAME", "STATE", "STARTED", "TOOK", "EXIT"), rows, right=(0,))
