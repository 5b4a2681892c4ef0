"""From what a runner of steps has written down to what the ledger stores of each step, and to the reason of the run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from watchbell.domain.steps import Step, StepResult, follow, sum_up, where
from watchbell.execution import Finished, Outcome
from watchbell.execution.outcome import exit_reason
from watchbell.services.tickets import Started, Ticket


def results_of(steps: Sequence[Step], finished: Finished, started: Started | None) -> list[StepResult]:
    """Return what has become of each step of an attempt that is over."""
    outcome = finished.outcome
    begun = started.at if started is not None else finished.started_at
    names = [step.name for step in steps]
    return follow(names, finished.traces, started_at=begun, ended_at=outcome.ended_at, is_lost=outcome.lost)


def explain(outcome: Outcome, results: Sequence[StepResult]) -> Outcome:
    """Return an outcome whose reason says which steps failed, or in which one the run was ended."""
    failed, place = sum_up(results), where(results)
    plain = exit_reason(outcome.exit_code) if outcome.exit_code else ""
    if failed and plain and not (outcome.timed_out or outcome.cancelled):
        return dataclasses.replace(outcome, reason=outcome.reason.replace(plain, failed, 1))
    words = "; ".join(filter(None, (outcome.reason, place, failed)))
    return dataclasses.replace(outcome, reason=words)


def rows_of(ticket: Ticket, results: Sequence[StepResult]) -> list[dict[str, Any]]:
    """Return the rows of an attempt's steps."""
    return [
        {"attempt_id": ticket.attempt_id, **dataclasses.asdict(result), "state": result.state.value}
        for result in results
    ]
