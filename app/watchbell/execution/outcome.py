"""What became of an attempt, as values: no file is read and no process is looked at here."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Hashable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from watchbell.domain.samples import Summary
from watchbell.domain.steps import Trace
from watchbell.execution.identity import Process


class Usage(NamedTuple):
    """Resources of the whole tree. A field is None where it cannot be known.

    All are known as long as somebody waited for the command (wait4), which its keeper does. ``max_rss_kib`` is the peak of
    the largest single process where the kernel could tell it, else the highest sample of the tree; a command that ends
    before its first sample leaves it unknown.
    """

    user_seconds: float | None = None
    system_seconds: float | None = None
    max_rss_kib: int | None = None
    minor_faults: int | None = None
    major_faults: int | None = None
    block_in: int | None = None
    block_out: int | None = None
    voluntary_switches: int | None = None
    involuntary_switches: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended.

    Exactly one of these holds: ``not_started`` (it is certain that the command never ran), ``lost`` (it ran or may have
    run and its end is unknown), or an end that is known by ``exit_code``, by ``signal`` or, when the tree was killed by
    us, by ``timed_out`` or ``cancelled`` alone. ``timed_out`` and ``cancelled`` are set only when the command was still
    running when it was told to end; one that finished first keeps its own result.
    """

    exit_code: int | None
    signal: int | None
    ended_at: datetime
    timed_out: bool = False
    cancelled: bool = False
    lost: bool = False
    not_started: bool = False
    #: Processes that were still there after the command had ended and were ended by us.
    left_behind: int = 0
    #: One line for people.
    reason: str = ""
    #: A limit on memory, processes or output was reached, or a gate is broken: a failure, whatever the exit code.
    limit_reached: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Captured:
    """What is kept of one output stream.

    ``size`` counts every byte that the command wrote. ``dropped`` bytes are missing after the first ``head`` bytes; the
    ``size - dropped`` kept ones are in ``data`` when they are few, else in the file ``path`` (head and tail in a row).
    """

    size: int
    dropped: int = 0
    head: int = 0
    data: bytes | None = b""
    path: Path | None = None
    #: In what is kept; the end of a line that nothing follows begins none.
    lines: int = 0

    @property
    def kept(self) -> int:
        """Return how many bytes are kept."""
        return self.size - self.dropped


#: (seconds since the start, CPU percent of one core, resident bytes, processes) of the whole tree.
SamplePoint = tuple[float, float, int, int]


@dataclasses.dataclass(frozen=True, slots=True)
class Finished:
    """The full result of one attempt. Store it, commit, and only then remove the bundle: until then it can be had again."""

    key: Hashable
    outcome: Outcome
    usage: Usage
    series: tuple[SamplePoint, ...]
    stdout: Captured
    stderr: Captured
    #: Who it was, and when it was started; None if nothing was, or nobody can know.
    process: Process | None = None
    started_at: datetime | None = None
    #: How far its steps have come; nothing for a plain command.
    traces: tuple[Trace, ...] = ()
    #: What all samples come to, also of those whose points were thinned out.
    summary: Summary | None = None
    #: In which order it used its streams, as order.py encodes it; nothing for one stream, and where it is not known.
    order: bytes = b""
    #: Its outputs hold secrets that could not be masked.
    is_unmasked: bool = False


def signal_name(number: int) -> str:
    """Return the name of a signal, such as SIGKILL."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def exit_reason(exit_code: int) -> str:
    """Return the line that explains an exit code."""
    if exit_code == 126:
        return "exit code 126 (not executable, or permission denied)"
    if exit_code == 127:
        return "exit code 127 (command not found)"
    if 128 < exit_code < 128 + signal.NSIG:
        name = signal_name(exit_code - 128)
        return f"exit code {exit_code} (128+{exit_code - 128}: a command inside it killed by {name}?)"
    return f"exit code {exit_code}"


def signal_reason(number: int, *, sent_by_us: bool) -> str:
    """Return the line that explains a death by signal."""
    hint = ", out of memory?" if number == signal.SIGKILL and not sent_by_us else ""
    return f"killed by {signal_name(number)}{hint}"
