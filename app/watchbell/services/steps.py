"""What has become of the steps of runs: from the ledger when an attempt is over, from its record while it goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from watchbell.domain import steps as task_steps
from watchbell.domain.steps import StepResult, StepState
from watchbell.execution.stepping import read_traces
from watchbell.services.runs import RunDetail
from watchbell.store import steps as store
from watchbell.store.runs import Attempt
from watchbell.store.session import Database
from watchbell.store.steps import AttemptStep


def list_of(db: Database, detail: RunDetail, attempt: int | None = None) -> list[StepResult]:
    """Return the steps of a run's attempt, of the newest without a number; none for a task with a command.

    While the attempt goes on they are as far as its runner has come, on the machine that it runs on.
    """
    names = [step.name for step in task_steps.from_json(detail.definition.get("steps"))]
    chosen = next((one for one in detail.attempts if one.number == attempt), None) if attempt else detail.attempt
    if not names or chosen is None:
        return task_steps.follow(names, (), started_at=None, ended_at=detail.run.ended_at)
    with db.read() as session:
        stored = [to_result(row) for row in store.list_steps(session, [chosen.id])]
    if stored:
        return stored
    traces = read_traces(f"{chosen.folder}.status") if chosen.folder and chosen.ended_at is None else []
    return task_steps.follow(
        names, traces, started_at=chosen.started_at, ended_at=chosen.ended_at, is_lost=detail.run.state == "lost"
    )


def list_by_attempt(db: Database, attempts: Sequence[Attempt]) -> Mapping[int, list[StepResult]]:
    """Return the stored steps of attempts by the attempts' ids; those that have none are left out."""
    found: dict[int, list[StepResult]] = {}
    with db.read() as session:
        for row in store.list_steps(session, [attempt.id for attempt in attempts]):
            found.setdefault(row.attempt_id, []).append(to_result(row))
    return found


def to_result(row: AttemptStep) -> StepResult:
    """Return what a row says."""
    return StepResult(
        number=row.number,
        name=row.name,
        state=StepState(row.state),
        started_at=row.started_at,
        ended_at=row.ended_at,
        exit_code=row.exit_code,
        stdout_from=row.stdout_from,
        stdout_to=row.stdout_to,
        stderr_from=row.stderr_from,
        stderr_to=row.stderr_to,
    )
