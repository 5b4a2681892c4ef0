"""From what became of a process to what the ledger stores."""

from __future__ import annotations

import dataclasses
import logging
import random
import signal
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from watchbell.domain import gates, own_metrics, retry
from watchbell.domain.policies import OwnMetrics, Policies, Uncertain
from watchbell.domain.run_state import FINAL, RunState
from watchbell.domain.samples import Recorded, values_of
from watchbell.domain.steps import Step
from watchbell.execution import Captured, Finished, Outcome, Usage
from watchbell.scheduler import course
from watchbell.services.deadlines import NO_PAST, Past
from watchbell.services.decisions import OPEN
from watchbell.services.tickets import Result, Started, Ticket
from watchbell.store import samples
from watchbell.store.ledger import RESULT_COLUMNS
from watchbell.store.runs import ORDER

log = logging.getLogger(__name__)

#: What could not be started, or was lost, is started again at most until this attempt.
_TRIES = 10
#: A file's time, which tells when a command ended, may lag behind the clock by a tick of the kernel.
_FILE_TIME_STEP = timedelta(milliseconds=20)
_AGAIN = (RunState.RETRY_WAIT, RunState.QUEUED)
_FAILURES = frozenset({RunState.FAILED, RunState.TIMED_OUT})
_ADOPTED = " (taken over after a restart of the scheduler)"
#: For delays that differ from task to task, so that many do not come back at once.
_random = random.SystemRandom().random
_NO_OTHER = retry.Decision(None, "")
_OUR_SIGNALS = frozenset({signal.SIGTERM, signal.SIGKILL})


def to_result(
    ticket: Ticket,
    state: RunState,
    started: Started | None,
    finished: Finished,
    *,
    policies: Policies,
    output_root: Path,
    adopted: bool = False,
    past: Past = NO_PAST,
    steps: Sequence[Step] = (),
) -> Result:
    """Return the result of an attempt; ``started`` is None for one whose process was never seen by this scheduler."""
    outcome = finished.outcome
    if adopted:
        outcome = _blame_earlier_life(outcome, state, started, policies.time_limit_seconds)
        finished = dataclasses.replace(finished, outcome=outcome)
    done = course.results_of(steps, finished, started) if steps and not outcome.not_started else []
    if done:
        outcome = course.explain(outcome, done)
        finished = dataclasses.replace(finished, outcome=outcome)
    if outcome.cancelled:
        state = RunState.CANCELLING
    own = _own_metrics(finished, policies)
    broken = _broken_gates(ticket, started, finished, policies, own, past) if policies.gates else ""
    if broken:
        outcome = dataclasses.replace(outcome, limit_reached=True, reason=broken)
        finished = dataclasses.replace(finished, outcome=outcome)
    path, reason = _path(outcome, state, policies, ticket.number)
    following = _retry(outcome, state, path, policies, past, started)
    known = path[-1]
    if following.at is not None:
        path, reason = (RunState.RETRY_WAIT,), f"attempt {past.failures + 1} of {policies.retries + 1}: {reason}"
    if adopted:
        reason += _ADOPTED
    if _never_ran(outcome):
        # The moment at which its folder was made is not one at which anything was started.
        started = None
    result = Result(
        ticket=ticket,
        state=state,
        path=path,
        reason="; ".join(filter(None, (reason, following.words))) if following.words else reason,
        attempt=_columns(started, finished, own),
        outputs=_outputs(ticket, finished, output_root),
        steps=course.rows_of(ticket, done),
        retry_at=following.at,
        without_retry=known if following.at is not None else None,
        decision=_decision(path, policies),
        is_unmasked=finished.is_unmasked,
    )
    return _without_another(result) if ticket.is_left and path[-1] not in FINAL else result


def _without_another(result: Result) -> Result:
    """Return what becomes of an attempt that nobody is left to make again: it stands as it has ended."""
    words = f"{result.attempt['new_reason']}; no other attempt: the call that would have made it is gone"
    path = (result.without_retry or RunState.FAILED,)
    return dataclasses.replace(result, path=path, reason=words, retry_at=None, without_retry=None)


def _retry(
    outcome: Outcome,
    state: RunState,
    path: tuple[RunState, ...],
    policies: Policies,
    past: Past,
    started: Started | None,
) -> retry.Decision:
    """Return whether a failed attempt is followed by another one; of what somebody wanted to end there is none."""
    if not policies.retries or path[-1] not in _FAILURES or state is RunState.CANCELLING:
        return _NO_OTHER
    failure = retry.Failure(
        count=past.failures + 1,
        first_started_at=past.first_started_at or (started.at if started else None),
        ended_at=outcome.ended_at,
        exit_code=outcome.exit_code,
        signal=outcome.signal,
        timed_out=outcome.timed_out,
    )
    return retry.decide(policies, failure, _random)


def _decision(path: tuple[RunState, ...], policies: Policies) -> str | None:
    return OPEN if path[-1] is RunState.LOST and policies.uncertain is Uncertain.ASK else None


def not_started(ticket: Ticket, reason: str, exit_code: int | None, at: datetime) -> Result:
    """Return the result of an attempt of which it is known that nothing was started."""
    columns: dict[str, Any] = dict.fromkeys(_RESULT_COLUMNS)
    columns |= {"new_ended_at": at, "new_exit_code": exit_code, "new_reason": reason, "new_folder": ""}
    return Result(ticket=ticket, state=RunState.STARTING, path=(RunState.FAILED,), reason=reason, attempt=columns)


def unstarted(ticket: Ticket, state: RunState, reason: str, at: datetime) -> Result:
    """Return the result of an attempt that was never tried: its run waits again, unless its end was asked for."""
    path: tuple[RunState, ...] = _AGAIN
    words = f"{reason}; it is started again"
    if state is RunState.CANCELLING:
        path, words = (RunState.CANCELLED,), "cancelled before it was started"
    columns: dict[str, Any] = dict.fromkeys(_RESULT_COLUMNS)
    columns |= {"new_ended_at": at, "new_reason": reason, "new_folder": ""}
    return Result(ticket=ticket, state=state, path=path, reason=words, attempt=columns)


def gone(
    ticket: Ticket, state: RunState, started: Started | None, reason: str, policies: Policies, at: datetime
) -> Result:
    """Return the result of an attempt of which nothing is left to look at."""
    outcome = Outcome(None, None, at, lost=True, reason=reason)
    path, words = _path(outcome, state, policies, ticket.number)
    columns: dict[str, Any] = dict.fromkeys(_RESULT_COLUMNS)
    columns |= {"new_ended_at": at, "new_reason": reason, "new_folder": ""}
    if started is not None:
        columns |= {
            "new_pid": started.pid,
            "new_start_ticks": started.start_ticks,
            "new_boot_id": started.boot_id,
            "new_started_at": started.at,
        }
    decision = _decision(path, policies)
    return Result(ticket=ticket, state=state, path=path, reason=words, attempt=columns, decision=decision)


def _blame_earlier_life(
    outcome: Outcome, state: RunState, started: Started | None, time_limit_seconds: float | None
) -> Outcome:
    """Return the outcome with what an earlier life must have done.

    It may have told the command to end and died before it could write that down; the record only knows of the signal.
    """
    if outcome.signal not in _OUR_SIGNALS or outcome.cancelled or outcome.timed_out:
        return outcome
    if state is RunState.CANCELLING:
        return dataclasses.replace(outcome, cancelled=True, reason=f"ended on request: {outcome.reason}")
    limit = timedelta(seconds=time_limit_seconds) if time_limit_seconds else None
    if limit is not None and started is not None and outcome.ended_at - started.at >= limit - _FILE_TIME_STEP:
        words = f"time limit of {time_limit_seconds:g} s reached: {outcome.reason}"
        return dataclasses.replace(outcome, timed_out=True, reason=words)
    return outcome


def _never_ran(outcome: Outcome) -> bool:
    """Return whether not even a try was made that could have failed."""
    return outcome.not_started and outcome.exit_code is None


def _path(outcome: Outcome, state: RunState, policies: Policies, number: int) -> tuple[tuple[RunState, ...], str]:
    """Return where a run goes after this end and why."""
    cancelling = state is RunState.CANCELLING
    if outcome.cancelled:
        return (RunState.CANCELLED,), outcome.reason
    has_tries = number < _TRIES + policies.retries
    if _never_ran(outcome):
        if cancelling:
            return (RunState.CANCELLED,), "cancelled before it was started"
        if not has_tries:
            return (RunState.FAILED,), f"{outcome.reason}; given up after {number} tries"
        return _AGAIN, f"{outcome.reason}; it is started again"
    if outcome.lost:
        if policies.uncertain is Uncertain.RUN_AGAIN and has_tries and not cancelling:
            return _AGAIN, f"{outcome.reason}; policy: run again"
        if policies.uncertain is Uncertain.ASK:
            return (RunState.LOST,), f"{outcome.reason}; policy: a person decides whether it is run again"
        return (RunState.LOST,), f"{outcome.reason}; it may have run in part or in full"
    if outcome.timed_out:
        return (RunState.TIMED_OUT,), outcome.reason
    return (RunState.SUCCEEDED if _is_fine(outcome) else RunState.FAILED,), outcome.reason


def _is_fine(outcome: Outcome) -> bool:
    return outcome.exit_code == 0 and not outcome.limit_reached


_USAGE_COLUMNS = tuple(f"new_{name}" for name in Usage._fields)
_RESULT_COLUMNS = tuple(f"new_{name}" for name in RESULT_COLUMNS)


def _broken_gates(
    ticket: Ticket,
    started: Started | None,
    finished: Finished,
    policies: Policies,
    own: Mapping[str, float],
    past: Past,
) -> str:
    """Return which gates a command that has done its work all the same has broken, in words; empty for none."""
    outcome, begun = finished.outcome, started.at if started is not None else None
    if not _is_fine(outcome) or outcome.timed_out or outcome.cancelled or outcome.lost:
        return ""
    recorded = Recorded(
        state=RunState.SUCCEEDED,
        due_at=ticket.due_at,
        created_at=ticket.due_at,
        first_started_at=past.first_started_at or begun,
        started_at=begun,
        ended_at=max(outcome.ended_at, begun) if begun is not None else outcome.ended_at,
        **finished.usage._asdict(),
        stdout_bytes=finished.stdout.size,
        stdout_lines=finished.stdout.lines,
        stderr_bytes=finished.stderr.size,
        stderr_lines=finished.stderr.lines,
        summary=finished.summary,
        own=own,
    )
    return gates.broken(policies.gates, values_of(recorded))


def _columns(started: Started | None, finished: Finished, own: Mapping[str, float]) -> dict[str, Any]:
    outcome = finished.outcome
    return {
        "new_pid": started.pid if started else None,
        "new_start_ticks": started.start_ticks if started else None,
        "new_boot_id": started.boot_id if started else None,
        # The folder is gone when the result is stored.
        "new_folder": "",
        "new_started_at": started.at if started else None,
        "new_ended_at": max(outcome.ended_at, started.at) if started else outcome.ended_at,
        "new_exit_code": outcome.exit_code,
        "new_signal": outcome.signal,
        "new_reason": outcome.reason,
        **dict(zip(_USAGE_COLUMNS, finished.usage, strict=True)),
        "new_series": [list(point) for point in finished.series] or None,
        "new_samples": samples.pack(finished.summary, own),
    }


def _own_metrics(finished: Finished, policies: Policies) -> dict[str, float]:
    """Return the numbers that the command has told about itself, if its task says that they are to be read."""
    if policies.own_metrics is not OwnMetrics.READ:
        return {}
    try:
        return own_metrics.read(
            (kept.data or b"") if kept.path is None else kept.path.read_bytes()
            for kept in (finished.stdout, finished.stderr)
        )
    except OSError as error:
        log.warning("The metrics of a run cannot be read from its output: %s", error)
        return {}


def _outputs(ticket: Ticket, finished: Finished, output_root: Path) -> list[dict[str, Any]]:
    streams = (("stdout", finished.stdout), ("stderr", finished.stderr))
    rows = [_output(ticket, name, kept, output_root) for name, kept in streams if kept.size]
    if finished.order:
        kept = Captured(len(finished.order), data=finished.order)
        rows.append(_output(ticket, ORDER, kept, output_root))
    return rows


def _output(ticket: Ticket, stream: str, kept: Captured, output_root: Path) -> dict[str, Any]:
    return {
        "attempt_id": ticket.attempt_id,
        "stream": stream,
        "size": kept.size,
        "head_size": kept.head,
        "dropped": kept.dropped,
        "lines": kept.lines,
        "content": kept.data if kept.path is None else None,
        "file": str(kept.path.relative_to(output_root)) if kept.path is not None else None,
    }
