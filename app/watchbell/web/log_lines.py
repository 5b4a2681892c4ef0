"""Lines of the scheduler's log, each with its level."""

from __future__ import annotations

import dataclasses

from watchbell.control import logfile
from watchbell.control.logfile import LogLine
from watchbell.web import current

#: How many lines are shown unless another number is asked for, and at the most.
LINES = 200
LINES_MOST = 5000
#: However long its lines are, so much of the log's end is read to find the last ones.
_TAIL_BYTES = logfile.READ_LIMIT_BYTES
#: Filter -> the least level that it shows.
LEVELS = {"all": 0, "info": 20, "warning": 30, "error": 40}
_RANKS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One line as it is shown."""

    level: str
    text: str
    #: Empty in a line that goes on from the one before.
    timestamp: str = ""


def newest(count: int) -> tuple[list[Line], int]:
    """Return the last lines, oldest first, and the offset at which what follows them begins."""
    path = current.config().log_path
    start = max(0, logfile.size(path) - _TAIL_BYTES)
    part = logfile.read_from(path, start)
    # The first line is cut unless the file begins with it.
    whole = part.lines[1:] if start else part.lines
    return with_levels(whole[-count:]), part.offset


def last_lines(count: int) -> list[Line]:
    """Return the last lines, for the scheduler's panel."""
    # More are read than shown, so that the first of them knows the level of the line that it goes on from.
    return with_levels(logfile.tail(current.config().log_path, LINES))[-count:]


def with_levels(lines: list[LogLine]) -> list[Line]:
    """Return lines of which each has a level: one that goes on from the line before has its level."""
    found = []
    level = "INFO"
    for line in lines:
        level = line.level or level
        found.append(Line(level, str(line), line.timestamp))
    return found


def after(offset: int) -> tuple[list[Line], int, bool]:
    """Return the lines that were written after an offset, where to read on, and whether the log has begun anew since."""
    part = logfile.read_from(current.config().log_path, offset)
    return with_levels(part.lines), part.offset, part.is_fresh


def rank(level: str) -> int:
    """Return how bad a level of a line is; one that is unknown is no trouble."""
    return _RANKS.get(level, 20)


def filtered(lines: list[Line], chosen: str) -> list[Line]:
    """Return the lines of a level or above."""
    return [line for line in lines if rank(line.level) >= LEVELS[chosen]]
