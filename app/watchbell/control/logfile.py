"""Reading and emptying the scheduler's log file while the scheduler writes to it."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

from watchbell.errors import ConfigError, WatchbellError

_LINE = re.compile(r"\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\] \[([A-Z]+)\] (.*)", re.DOTALL)
_BLOCK = 64 * 1024
#: However many lines are asked for, no more than this is read from the end.
TAIL_LIMIT_BYTES = 4 * 1024 * 1024
#: Most that one call of ``read_from`` returns.
READ_LIMIT_BYTES = 1024 * 1024


def make_folder(path: Path) -> None:
    """Make the folder of a log, which the settings may have put anywhere; raises ConfigError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the directory of the log {path} cannot be made: {error.strerror}") from None


@dataclasses.dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the log. A line that goes on from the one before has neither time nor level."""

    timestamp: str
    level: str
    message: str

    def __str__(self) -> str:
        return f"[{self.timestamp}] [{self.level}] {self.message}" if self.timestamp else self.message


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """What has been added to the log since an offset."""

    lines: list[LogLine]
    #: Where to read on.
    offset: int
    #: Whether the file has been emptied or replaced, so that the part starts at its beginning.
    is_fresh: bool


def tail(path: Path, lines: int) -> list[LogLine]:
    """Return the last lines, oldest first; none if there is no log yet. Raises WatchbellError if it cannot be read."""
    if lines <= 0:
        return []
    data = b""
    try:
        with path.open("rb") as file:
            position = file.seek(0, os.SEEK_END)
            # One break more than lines, because the first line found may be cut.
            while position and data.count(b"\n") <= lines and len(data) < TAIL_LIMIT_BYTES:
                step = min(_BLOCK, position)
                position = file.seek(position - step)
                data = file.read(step) + data
    except FileNotFoundError:
        return []
    except OSError as error:
        raise WatchbellError(f"the log {path} cannot be read: {error.strerror}") from None
    return parse(data)[-lines:]


def read_from(path: Path, offset: int) -> Part:
    """Return the whole lines that were written after an offset, at most READ_LIMIT_BYTES of them at once."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            is_fresh = offset > size
            start = 0 if is_fresh else max(0, offset)
            file.seek(start)
            data = file.read(READ_LIMIT_BYTES)
    except FileNotFoundError:
        return Part([], 0, is_fresh=offset > 0)
    except OSError as error:
        raise WatchbellError(f"the log {path} cannot be read: {error.strerror}") from None
    # A line that is still being written waits for its end, unless it is longer than one answer.
    end = data.rfind(b"\n") + 1 or (len(data) if len(data) == READ_LIMIT_BYTES else 0)
    return Part(parse(data[:end]), start + end, is_fresh)


def size(path: Path) -> int:
    """Return the length of the log, 0 if there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def identity(path: Path) -> int:
    """Return the inode of the log, 0 if there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def set_aside(path: Path) -> Path:
    """Return the file that holds what was written before the log last began anew because of its size."""
    return path.with_name(f"{path.name}.1")


def clear(path: Path) -> bool:
    """Empty the log and return whether there was one; a scheduler that writes to it goes on in the same file.

    What was set aside before goes, too: what was cleared is not shown again by anybody.
    """
    try:
        set_aside(path).unlink(missing_ok=True)
        os.truncate(path, 0)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise WatchbellError(f"the log {path} cannot be emptied: {error.strerror}") from None
    return True


def parse(data: bytes) -> list[LogLine]:
    """Return the lines of a piece of the log; bytes that are not text are replaced."""
    return [parse_line(text) for text in data.decode("utf-8", "replace").removesuffix("\n").split("\n")] if data else []


def parse_line(text: str) -> LogLine:
    """Return one line of the log."""
    match = _LINE.fullmatch(text)
    return LogLine(match[1], match[2], match[3]) if match else LogLine("", "", text)
