"""Making the full result of a run that has ended."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

from watchbell.execution import tracking
from watchbell.execution.identity import Process
from watchbell.execution.outcome import Finished
from watchbell.execution.process import current_boot_id
from watchbell.execution.result import capture, conclude, measure
from watchbell.execution.stepping import read_traces
from watchbell.execution.tracking import Run


def tell(run: Run, output_root: Path) -> Finished:
    """Return what became of a run; its output is read, and kept in the folder if it is long."""
    ending, record = run.ending, run.ending.record
    ending.left_behind = len(run.left)
    tracking.note_limits(run)
    outcome = conclude(record, ending)
    stdout, stderr, trouble = capture(run.bundle, run.limits.output_bytes, output_root)
    if trouble:
        outcome = dataclasses.replace(outcome, reason=outcome.reason + trouble)
    process = run.process
    if process is None and record is not None and record.pid is not None:
        process = Process(record.pid, 0, current_boot_id())
    at = datetime.fromtimestamp(run.at_ns / 1e9, UTC) if run.at_ns else None
    points = tuple(run.series.points)
    traces = tuple(read_traces(run.bundle.status)) if run.limits.has_steps else ()
    return Finished(
        key=run.key,
        outcome=outcome,
        usage=measure(record, ending, run.series.totals.largest),
        series=points,
        stdout=stdout,
        stderr=stderr,
        process=process,
        started_at=at,
        traces=traces,
        summary=run.series.totals.summary(),
        order=run.order.finish(run.elapsed_ms(), stdout.size, stderr.size),
        is_unmasked=run.bundle.is_unmasked,
    )
