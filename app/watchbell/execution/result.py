"""Turning what is left of an attempt (its record, its output files) into a Finished."""

from __future__ import annotations

import dataclasses
import logging
import os
import signal
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from watchbell import clock
from watchbell.domain.concealing import Concealer
from watchbell.execution.bundle import Bundle
from watchbell.execution.capture import INLINE_BYTES, collect
from watchbell.execution.outcome import Captured, Outcome, Usage, exit_reason, signal_reason
from watchbell.execution.process import SpawnFailed
from watchbell.execution.record import Record

log = logging.getLogger(__name__)


#: What a keeper's peak of memory is taken for when it is not there to say.
STARTER_RSS_KIB = 24 * 1024


class Why(StrEnum):
    """Why a run was told to end."""

    #: It reached its time limit.
    TIME = "time"
    #: Somebody asked for it.
    CANCEL = "cancel"
    #: It wrote more than it may.
    LIMIT = "limit"


@dataclasses.dataclass(slots=True)
class Ending:
    """What the watcher knows about an end beside the keeper's record."""

    #: Told to end before the command had ended.
    why: Why | None = None
    words: str = ""
    #: KILL was sent.
    killed: bool = False
    #: Why it is certain that nothing was started.
    failure: SpawnFailed | None = None
    #: What the keeper told of the end.
    record: Record | None = None
    #: The peak of memory, in KiB, of whoever spawned it: the kernel counts that into the command's own.
    starter_rss_kib: int = 0
    left_behind: int = 0
    #: Processes that not even KILL could end.
    unkillable: int = 0
    rebooted: bool = False
    #: The command was started where nothing is left, so that its record can never be read.
    is_folder_lost: bool = False
    #: The words for a limit that was reached while it ran, whoever ended it.
    limit: str = ""
    #: What is added to a failure whose cause may be a limit that nobody saw being reached.
    remark: str = ""

    @property
    def is_plain(self) -> bool:
        """Return whether the record tells all that there is to tell."""
        return not (self.why or self.left_behind or self.unkillable or self.limit or self.remark)


def conclude(record: Record | None, ending: Ending) -> Outcome:
    """Return how an attempt ended."""
    if record is not None and record.wait_status is not None:
        outcome = _recorded(record.wait_status, record.ended_ns, ending)
    else:
        outcome = _unrecorded(record, ending)
    if ending.is_plain:
        return outcome
    reason = _name_limit(outcome, ending)
    if ending.left_behind:
        reason += f"; {_processes(ending.left_behind)} left behind and ended"
    if ending.unkillable:
        reason += f"; {_processes(ending.unkillable)} could not be ended"
    has_reached = not outcome.not_started and bool(ending.limit or ending.why is Why.LIMIT)
    return dataclasses.replace(outcome, left_behind=ending.left_behind, reason=reason, limit_reached=has_reached)


def _name_limit(outcome: Outcome, ending: Ending) -> str:
    """Return the reason of an end with the limit that was its cause, or came on top of it."""
    if outcome.not_started:
        return outcome.reason
    if ending.limit and ending.limit != ending.words:
        return f"{outcome.reason}; {ending.limit}" if ending.why is not None else f"{ending.limit}: {outcome.reason}"
    if ending.remark and ending.why is None and outcome.exit_code != 0 and not outcome.lost:
        return f"{outcome.reason}; {ending.remark}"
    return outcome.reason


def measure(record: Record | None, ending: Ending, largest_bytes: int = 0) -> Usage:
    """Return the resources used, as wait4 told the keeper; ``largest_bytes`` is the most that a sample saw a process hold.

    The kernel counts the memory of the one who spawned into the peak of what was spawned (it shares that memory until it
    becomes another program). A peak no higher than the keeper's is therefore no news, and the samples tell instead.
    """
    sampled = largest_bytes // 1024 or None
    if record is None or record.usage is None:
        return Usage(max_rss_kib=sampled)
    used = record.usage
    if (used.max_rss_kib or 0) > (ending.starter_rss_kib or STARTER_RSS_KIB):
        return used
    return Usage(
        used.user_seconds,
        used.system_seconds,
        sampled,
        used.minor_faults,
        used.major_faults,
        used.block_in,
        used.block_out,
        used.voluntary_switches,
        used.involuntary_switches,
    )


def capture(bundle: Bundle, limit: int, output_root: Path) -> tuple[Captured, Captured, str]:
    """Return stdout and stderr as they are kept, and what went wrong with keeping them."""
    kept, trouble = [], ""
    for name, path in (("out", bundle.out), ("err", bundle.err)):
        try:
            kept.append(collect(path, limit, f"{output_root}/{bundle.name}.{name}", bundle.concealer))
        except OSError as error:
            log.warning("The output of run %s cannot be kept: %s", bundle.name, error)
            trouble = f"; output could not be kept: {error.strerror}"
            kept.append(_collect_little(path, bundle.concealer))
    return kept[0], kept[1], trouble


def _collect_little(path: str, concealer: Concealer | None) -> Captured:
    """Return the first and last bytes of an output that cannot be kept as a whole, or nothing of one that is no file."""
    try:
        return collect(path, INLINE_BYTES, None, concealer)
    except OSError:
        return Captured(0)


def _recorded(status: int, ended_ns: int, ending: Ending) -> Outcome:
    ended_at = datetime.fromtimestamp(ended_ns / 1e9, UTC)
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    code = os.WEXITSTATUS(status) if number is None else None
    said = signal_reason(number, sent_by_us=ending.killed) if number is not None else exit_reason(code or 0)
    return Outcome(
        exit_code=code,
        signal=number,
        ended_at=ended_at,
        timed_out=ending.why is Why.TIME,
        cancelled=ending.why is Why.CANCEL,
        reason=f"{ending.words}: {said}" if ending.why is not None else said,
    )


def _unrecorded(record: Record | None, ending: Ending) -> Outcome:
    """Return the outcome of an attempt whose end nobody wrote down."""
    now = clock.now()
    if ending.failure is not None:
        return Outcome(ending.failure.exit_code, None, now, not_started=True, reason=ending.failure.reason)
    refused = record is not None and record.is_refused
    if refused and not ending.is_folder_lost and not ending.left_behind:
        return Outcome(None, None, now, not_started=True, reason="never started")
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
    if ending.is_folder_lost:
        return Outcome(None, None, now, lost=True, reason="its run files are gone")
    return Outcome(None, None, now, lost=True, reason="neither a process nor a result is left")


def _processes(count: int) -> str:
    return "1 process" if count == 1 else f"{count} processes"
