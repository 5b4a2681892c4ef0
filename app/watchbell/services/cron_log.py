"""The log of one task as a daemon's log file: composed from the ledger, so that it says what really happened.

Clearing it sets a mark before which nothing is shown; the ledger itself keeps everything.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from watchbell.domain import steps as task_steps
from watchbell.domain.run_state import ACTIVE, RunState
from watchbell.domain.schedule.interval import UNITS
from watchbell.domain.shown_text import plain_text
from watchbell.domain.steps import Step, StepResult, StepState
from watchbell.errors import NotFound
from watchbell.services import audit
from watchbell.services import runs as run_services
from watchbell.services import steps as step_services
from watchbell.services.output_sources import OutputSource
from watchbell.services.streams import read_source
from watchbell.store import heartbeats as life_store
from watchbell.store import history, log_marks
from watchbell.store import runs as store
from watchbell.store import secrets as secret_store
from watchbell.store import tasks as task_store
from watchbell.store.heartbeats import Scheduler
from watchbell.store.runs import Attempt, Output, Run
from watchbell.store.session import Database, Session
from watchbell.store.tasks import Task, TaskRevision

#: Runs that are read at a time, and at the most.
_PAGE = 100
MOST_RUNS = 5000
_MOST_LIVES = 1000
_ERROR_CHARS = 200
_OK, _BAD = "\N{CHECK MARK}", "\N{BALLOT X}"
#: A line and the moment that it is about; one without a text is blank.
Line = tuple[datetime, str]


@dataclasses.dataclass(frozen=True, slots=True)
class CronLog:
    """Lines of the log, oldest first, as a log file has them."""

    lines: Sequence[str]

    @property
    def text(self) -> str:
        """Return the lines as the text of a file."""
        return "".join(f"{line}\n" for line in self.lines)


@dataclasses.dataclass(frozen=True, slots=True)
class _Execution:
    """One attempt of a run and what is needed to tell of it."""

    run: Run
    attempt: Attempt
    results: Sequence[StepResult]
    steps: Sequence[Step]
    stderr: Output | None


def read(db: Database, task: Task, zone: ZoneInfo, output_root: Path, *, lines: int | None = None) -> CronLog:
    """Return the log of a task, its last lines only if a number above 0 is given."""
    with db.read() as session:
        since = log_marks.find_cleared_at(session, _mark(task))
        lives = _lives(session, task, since)
    found: list[Line] = []
    for page in _pages(db, task):
        told = [line for execution in page for line in _tell(execution, output_root)]
        found = [*told, *found]
        oldest = page[0].attempt.started_at if page else None
        is_past = since is not None and oldest is not None and oldest < since
        if is_past or (lines is not None and 0 < lines <= len(found)):
            break
    # What a daemon says of itself goes where it was said; the order of the rest stays, also within one second.
    told_by_lives = [line for life in lives for line in life if not found or lines is None or line[0] >= found[0][0]]
    found = sorted([*told_by_lives, *found], key=lambda line: line[0])
    shown = [_written(line, zone) for line in found if since is None or line[0] > since]
    return CronLog(shown[-lines:] if lines is not None and lines > 0 else shown)


def clear(db: Database, task: Task, zone: ZoneInfo, output_root: Path, *, now: datetime, actor: str) -> bool:
    """Show nothing from before now any more; return whether there was anything."""
    if not read(db, task, zone, output_root, lines=1).lines:
        return False
    with db.write() as session:
        log_marks.set_cleared(session, _mark(task), at=now, by=actor)
        audit.note(session, "log.clear", _mark(task), now=now, actor=actor, name=task.name)
    return True


def _mark(task: Task) -> str:
    return f"task:{task.id}"


def _written(line: Line, zone: ZoneInfo) -> str:
    moment, text = line
    return f"[{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}] {text}" if text else ""


def _lives(session: Session, task: Task, since: datetime | None) -> list[list[Line]]:
    """Return what schedulers said when they started, with the interval that the task had then."""
    revisions = task_store.list_revisions(session, task.id)
    told = []
    for life in life_store.list_started(session, since or task.created_at, _MOST_LIVES):
        seconds = _interval_at(revisions, life)
        if seconds is not None:
            text = f"Pipeline daemon started (PID: {life.pid}, Interval: {seconds}s)"
            told.append([(life.started_at, text), (life.started_at, "")])
    return told


def _interval_at(revisions: Sequence[TaskRevision], life: Scheduler) -> int | None:
    """Return the interval in seconds that the task had when a scheduler started, None if it had none."""
    before = [revision for revision in revisions if revision.at <= life.started_at]
    schedule = before[-1].definition.get("schedule", {}) if before else {}
    if schedule.get("kind") != "interval":
        return None
    size = UNITS.get(str(schedule.get("unit")), 0)
    return int(schedule.get("every", 0)) * size


def _pages(db: Database, task: Task) -> Iterator[list[_Execution]]:
    """Yield the executions of a task, the newest page first, each page in the order of time."""
    before: int | None = None
    for _ in range(MOST_RUNS // _PAGE):
        with db.read() as session:
            runs = history.list_runs(session, task_id=task.id, before_id=before, limit=_PAGE)
            attempts = store.list_attempts_of(session, [run.id for run in runs])
            outputs = {
                output.attempt_id: output
                for output in store.list_outputs(session, [attempt.id for attempt in attempts])
                if output.stream == "stderr"
            }
            hidden = secret_store.list_unmasked(session, [run.id for run in runs])
            versions = {run.task_version for run in runs}
            steps = {
                revision.version: task_steps.from_json(revision.definition.get("steps"))
                for revision in task_store.list_revisions(session, task.id)
                if revision.version in versions
            }
        by_id = {run.id: run for run in runs}
        stored = step_services.list_by_attempt(db, attempts)
        page = [
            _Execution(
                run=by_id[attempt.run_id],
                attempt=attempt,
                results=stored.get(attempt.id) or _going_on(db, by_id[attempt.run_id], attempt),
                steps=steps.get(by_id[attempt.run_id].task_version, ()),
                stderr=outputs.get(attempt.id) if attempt.run_id not in hidden else None,
            )
            for attempt in attempts
            if attempt.started_at is not None
        ]
        yield sorted(page, key=lambda one: one.attempt.started_at or one.run.created_at)
        if len(runs) < _PAGE:
            return
        before = runs[-1].id


def _going_on(db: Database, run: Run, attempt: Attempt) -> Sequence[StepResult]:
    if attempt.ended_at is not None or RunState(run.state) not in ACTIVE:
        return ()
    try:
        return step_services.list_of(db, run_services.get_detail(db, run.id), attempt.number)
    except NotFound:
        # It has been deleted since the page was read.
        return ()


def _tell(execution: _Execution, output_root: Path) -> list[Line]:
    """Return the lines of one execution."""
    attempt = execution.attempt
    begun = attempt.started_at or execution.run.created_at
    told: list[Line] = [(begun, "========== Pipeline execution started ==========")]
    results = execution.results or [_as_step(execution)]
    for result in results:
        if result.started_at is not None:
            told += _tell_step(execution, result, len(results), output_root)
    if attempt.ended_at is not None:
        state = RunState(execution.run.state)
        is_whole = state in {RunState.SUCCEEDED, RunState.FAILED, RunState.RETRY_WAIT, RunState.QUEUED}
        end = "completed" if is_whole else f"ended: {state.replace('_', ' ')}"
        told += [(attempt.ended_at, f"========== Pipeline execution {end} =========="), (attempt.ended_at, "")]
    return _never_back(told)


def _never_back(told: Sequence[Line]) -> list[Line]:
    """Return lines that are in order with moments that are, too: steps and attempt are timed apart, by some milliseconds."""
    moments = itertools.accumulate((moment for moment, _text in told), max)
    return list(zip(moments, (text for _moment, text in told), strict=True))


def _as_step(execution: _Execution) -> StepResult:
    """Return the whole attempt of a task with a command as one step."""
    attempt, run = execution.attempt, execution.run
    if attempt.ended_at is None:
        state = StepState.RUNNING
    elif attempt.exit_code == 0:
        state = StepState.SUCCEEDED
    else:
        ends = {RunState.TIMED_OUT: StepState.TIMED_OUT, RunState.LOST: StepState.LOST}
        state = ends.get(RunState(run.state), StepState.CUT_OFF if attempt.exit_code is None else StepState.FAILED)
    return StepResult(1, run.task_name, state, attempt.started_at, attempt.ended_at, attempt.exit_code, stderr_from=0)


def _tell_step(execution: _Execution, result: StepResult, count: int, output_root: Path) -> list[Line]:
    head = f"[{result.number}/{count}]"
    begun = result.started_at or execution.run.created_at
    told: list[Line] = [(begun, f"{head} Running {result.name}...")]
    if result.state in {StepState.RUNNING, StepState.WAITING}:
        return told
    end = result.ended_at or execution.attempt.ended_at or begun
    error = _error(execution, result, output_root) if result.has_failed else ""
    told.append((end, f"{head} {_ending(execution, result, error)}"))
    if error and result.state is StepState.FAILED and not _is_missing_script(result, error):
        told.append((end, f" Error: {error}"))
    return told


def _ending(execution: _Execution, result: StepResult, error: str) -> str:
    name, code = result.name, result.exit_code
    match result.state:
        case StepState.SUCCEEDED:
            return f"{_OK} {name} completed successfully"
        case StepState.NOT_FOUND:
            return f"ERROR: {name} not found!"
        case StepState.TIMED_OUT:
            return f"{_BAD} {name} timed out after {_limit(execution, result)}"
        case StepState.FAILED if _is_missing_script(result, error):
            return f"ERROR: {name} not found!"
        case StepState.FAILED:
            return f"{_BAD} {name} failed with exit code {code}"
        case StepState.LOST:
            return f"{_BAD} Error running {name}: nobody knows how it ended"
    return f"{_BAD} Error running {name}: it was ended with the run"


def _is_missing_script(result: StepResult, error: str) -> bool:
    """Return whether this is how Python says that a script is not there."""
    return result.exit_code == 2 and "can't open file" in error


def _limit(execution: _Execution, result: StepResult) -> str:
    """Return the limit that a step has reached, in words."""
    chosen = list(itertools.islice(execution.steps, result.number - 1, result.number))
    seconds = chosen[0].timeout_seconds if chosen else None
    if seconds is None:
        return "its time limit"
    unit, count = ("minute", seconds // 60) if seconds % 60 == 0 else ("second", seconds)
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _error(execution: _Execution, result: StepResult, output_root: Path) -> str:
    """Return the beginning of what a failed step wrote to stderr, on one line."""
    if execution.stderr is None or result.stderr_from is None:
        return ""
    source = OutputSource(execution.attempt, "stderr", execution.stderr, is_complete=True)
    # A character has up to four bytes.
    wanted = _ERROR_CHARS * 4
    if result.stderr_to is not None:
        wanted = min(wanted, result.stderr_to - result.stderr_from)
    try:
        found = read_source(source, output_root, result.stderr_from, wanted)
    except NotFound:
        # It has made room for newer output.
        return ""
    if found is None or found.offset != result.stderr_from:
        return ""
    return " ".join(plain_text(found.data).split())[:_ERROR_CHARS]
