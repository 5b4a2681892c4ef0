"""Turning what a shim left (its record, its wait status, the output files) into a Finished."""

from __future__ import annotations

import dataclasses
import logging
import os
import resource
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from watchbell import clock
from watchbell.execution.bundle import Bundle
from watchbell.execution.capture import INLINE_BYTES, collect
from watchbell.execution.outcome import Captured, Outcome, SamplePoint, Usage, exit_reason, signal_name, signal_reason
from watchbell.execution.shim import REFUSED, Record

log = logging.getLogger(__name__)


class Why(StrEnum):
    """Why a run was told to end."""

    #: It reached its time limit.
    TIME = "time"
    #: Somebody asked for it.
    CANCEL = "cancel"


@dataclasses.dataclass(slots=True)
class Ending:
    """What the watcher knows about an end beside the shim's own record."""

    #: Told to end before the command had ended.
    why: Why | None = None
    words: str = ""
    #: KILL was sent.
    killed: bool = False
    #: From wait4, when the shim was our child.
    wait_status: int | None = None
    usage: resource.struct_rusage | None = None
    left_behind: int = 0
    #: Processes that not even KILL could end.
    unkillable: int = 0
    rebooted: bool = False
    #: The command was started in a folder that is gone, so that its record can never be read.
    is_folder_lost: bool = False


def conclude(record: Record | None, ending: Ending) -> Outcome:
    """Return how an attempt ended."""
    outcome = _recorded(record, ending) if record is not None and record.exit_code is not None else None
    if outcome is None:
        outcome = _unrecorded(record, ending)
    if not ending.left_behind and not ending.unkillable:
        return outcome
    reason = outcome.reason
    if ending.left_behind:
        reason += f"; {_processes(ending.left_behind)} left behind and ended"
    if ending.unkillable:
        reason += f"; {_processes(ending.unkillable)} could not be ended"
    return dataclasses.replace(outcome, left_behind=ending.left_behind, reason=reason)


def measure(record: Record | None, ending: Ending, series: Sequence[SamplePoint] = ()) -> Usage:
    """Return the resources used: all of them from wait4, else the times that the shim wrote down.

    The kernel counts the memory of the one who spawned into the peak of what was spawned (it shares that memory until it
    becomes another program). A peak no higher than our own is therefore no news, and the samples tell instead.
    """
    sampled = max((point[2] // 1024 for point in series), default=None)
    used = ending.usage
    if used is not None:
        ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return Usage(
            used.ru_utime,
            used.ru_stime,
            used.ru_maxrss if used.ru_maxrss > ours else sampled,
            used.ru_minflt,
            used.ru_majflt,
            used.ru_inblock,
            used.ru_oublock,
            used.ru_nvcsw,
            used.ru_nivcsw,
        )
    if record is None:
        return Usage()
    return Usage(record.user_seconds, record.system_seconds, sampled)


def capture(bundle: Bundle, limit: int, output_root: Path) -> tuple[Captured, Captured, str]:
    """Return stdout and stderr as they are kept, and what went wrong with keeping them."""
    kept, trouble = [], ""
    for name, path in (("out", bundle.out), ("err", bundle.err)):
        try:
            kept.append(collect(path, limit, f"{output_root}/{bundle.name}.{name}"))
        except OSError as error:
            log.warning("The output of run %s cannot be kept: %s", bundle.name, error)
            trouble = f"; output could not be kept: {error.strerror}"
            kept.append(_collect_little(path))
    return kept[0], kept[1], trouble


def _collect_little(path: str) -> Captured:
    """Return the first and last bytes of an output that cannot be kept as a whole, or nothing of one that is no file."""
    try:
        return collect(path, INLINE_BYTES, None)
    except OSError:
        return Captured(0)


def _recorded(record: Record, ending: Ending) -> Outcome | None:
    code = record.exit_code
    if code is None:
        return None
    ended_at = datetime.fromtimestamp(record.ended_ns / 1e9, UTC)
    number = code - 128 if record.by_signal else None
    said = signal_reason(number, sent_by_us=ending.killed) if number is not None else exit_reason(code)
    return Outcome(
        exit_code=None if number is not None else code,
        signal=number,
        ended_at=ended_at,
        timed_out=ending.why is Why.TIME,
        cancelled=ending.why is Why.CANCEL,
        reason=f"{ending.words}: {said}" if ending.why is not None else said,
    )


def _unrecorded(record: Record | None, ending: Ending) -> Outcome:
    """Return the outcome of a shim that wrote no end mark."""
    now = clock.now()
    text = record.text if record is not None else ""
    if record is not None and record.no_directory:
        return Outcome(126, None, now, not_started=True, reason="the working directory could not be entered")
    refused = text == REFUSED.decode().strip()
    if refused and not ending.is_folder_lost and not ending.left_behind:
        return Outcome(None, None, now, not_started=True, reason="never started")
    if "annot fork" in text:
        return Outcome(1, None, now, not_started=True, reason=f"no process could be made: {text}")
    if ending.why is not None:
        number = int(signal.SIGKILL) if ending.killed else None
        return Outcome(
            None,
            number,
            now,
            timed_out=ending.why is Why.TIME,
            cancelled=ending.why is Why.CANCEL,
            reason=f"{ending.words}: killed" if ending.killed else ending.words,
        )
    if ending.rebooted:
        return Outcome(None, None, now, lost=True, reason="host rebooted")
    status = ending.wait_status
    if ending.is_folder_lost:
        return Outcome(None, None, now, lost=True, reason="its run folder is gone")
    if status is None:
        return Outcome(None, None, now, lost=True, reason="neither a process nor a result is left")
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        reason = f"its supervising shell was killed by {signal_name(number)}"
        return Outcome(None, number, now, reason=reason)
    code = os.waitstatus_to_exitcode(status)
    if code == 125:
        return Outcome(None, None, now, not_started=True, reason="nothing could be recorded (disk full?)")
    # The shim ends with the command's own status, which helps when its record could not be written or was removed.
    return Outcome(code, None, now, reason=exit_reason(code))


def _processes(count: int) -> str:
    return f"{count} process{'es' if count != 1 else ''}"
