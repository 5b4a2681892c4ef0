"""Looking at what a running command has written: its bound is kept, and in which order its streams were used is noted."""

from __future__ import annotations

import math
import os

from watchbell.execution import throttle
from watchbell.execution.throttle import Stream
from watchbell.execution.tracking import Output, Phase, Run, steps_of
from watchbell.execution.tree import halted, slow_down


def look_at_output(run: Run, now: float, alarm: throttle.WriteAlarm[tuple[Run, Output]]) -> None:
    """Look at the streams that are due and keep them within their bound."""
    due = [output for output in run.outputs if output.next_look <= now]
    grown_by = {output: output.stream.look() for output in due}
    if due:
        out, err = (output.stream for output in run.outputs)
        run.order.look(out.path, err.path, out.size, run.elapsed_ms())
    for output, grown in grown_by.items():
        if output.stream.is_ahead and run.process is not None and run.phase is Phase.RUNNING:
            _catch_up(run, output.stream)
            wait = throttle.WARY_SECONDS
        else:
            output.stream.trim()
            wait = throttle.next_look(grown, now - output.looked, output.stream.room)
        output.looked = now
        output.next_look = now + wait
        if grown == 0 and alarm.arm(output.stream.path, (run, output)):
            # A write between the look and the alarm would ring for nobody, hence the second look.
            is_still = os.path.getsize(output.stream.path) == output.stream.size
            output.next_look = math.inf if is_still else now + throttle.LEAST_SECONDS


def _catch_up(run: Run, stream: Stream) -> None:
    """Stop a run whose output got too far ahead until the hole is punched."""
    pidfd = run.handle()
    if pidfd is None or run.process is None:
        return
    others = steps_of(run)
    with halted(pidfd, others):
        stream.look()
        stream.trim()
    run.times_ahead += 1
    if run.times_ahead == throttle.PATIENCE:
        slow_down({run.process.pid, *(member.group for member in others)})
