"""The lines of a crontab as cron takes them apart: settings, comments, and entries with times, user, command and input."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

#: No honest crontab is longer, and no honest line either.
LONGEST_TEXT = 8_000_000
LONGEST_LINE = 40_000
_SETTING = re.compile(
    r"\s*(?:\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'|(?P<plain>[^\s=\"'#][^\s=]*))\s*=\s*"
    r"(?:\"(?P<in_double>[^\"]*)\"\s*|'(?P<in_single>[^']*)'\s*|(?P<bare>(?![\"']).*))\Z"
)
_TIMES = re.compile(r"(?P<times>@\w+|(?:\S+[ \t]+){4}\S+)[ \t]+(?P<rest>\S.*)", re.DOTALL)
_USER = re.compile(r"(?P<user>\S+)[ \t]+(?P<command>\S.*)", re.DOTALL)
#: What distributions write above the columns of a new crontab.
HEAD = re.compile(r"#\s*m(?:in(?:ute)?)?\s+h(?:our)?\s+", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """A line that sets a variable for the lines below it."""

    number: int
    name: str
    value: str


@dataclasses.dataclass(frozen=True, slots=True)
class Comment:
    """A line that cron passes over; ``text`` is what stands behind the sign."""

    number: int
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A line that says when a command is run."""

    number: int
    times: str
    #: None in the crontab of a user, which has no such column.
    user: str | None
    #: What the shell is given.
    command: str
    #: What the command finds on its standard input; None for nothing.
    given: str | None
    raw: str


@dataclasses.dataclass(frozen=True, slots=True)
class Odd:
    """A line that cron would refuse."""

    number: int
    raw: str


@dataclasses.dataclass(frozen=True, slots=True)
class Blank:
    """An empty line."""

    number: int


Line = Setting | Comment | Entry | Odd | Blank


def read_lines(text: str, *, system: bool) -> Iterator[Line]:
    """Yield what each line is; ``system`` says that a user stands before each command."""
    # Only a line feed ends a line: anything else may stand in a command.
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.removesuffix("\r").lstrip(" \t")
        if not line.strip():
            yield Blank(number)
        elif line.startswith("#"):
            yield Comment(number, line[1:])
        else:
            yield _read(number, line, system=system) if len(line) <= LONGEST_LINE else Odd(number, line[:80])


def _read(number: int, line: str, *, system: bool) -> Line:
    setting = _SETTING.match(line)
    if setting is not None:
        name = next(setting[kind] for kind in ("double", "single", "plain") if setting[kind] is not None)
        value = next(setting[kind] for kind in ("in_double", "in_single", "bare") if setting[kind] is not None)
        return Setting(number, name, value if setting["bare"] is None else value.rstrip())
    return read_entry(line, number=number, system=system) or Odd(number, line)


def read_entry(line: str, *, number: int = 0, system: bool = False) -> Entry | None:
    """Return the parts of a line that says when a command is run; None for any other line."""
    # A sign before the times only keeps some crons from writing to the log.
    found = _TIMES.fullmatch(line.removeprefix("-"))
    if found is None:
        return None
    user, rest = None, found["rest"]
    if system:
        column = _USER.fullmatch(rest)
        if column is None:
            return None
        user, rest = column["user"], column["command"]
    command, given = split_at_percent(rest)
    return Entry(number, " ".join(found["times"].split()), user, command.strip(), given, line)


def split_at_percent(text: str) -> tuple[str, str | None]:
    r"""Return the command and its input: the first ``%`` ends the one, each further ``%`` is a line feed in the other.

    ``\%`` is a percent sign; every other backslash is left to the shell. The input ends with a line feed, as cron sees to.
    """
    # Signs are gathered in lists: a text that grows by one sign at a time is copied with each of them.
    parts: list[list[str]] = [[]]
    is_escaped = False
    for char in text:
        if is_escaped:
            parts[-1].append(char if char == "%" else f"\\{char}")
            is_escaped = False
        elif char == "\\":
            is_escaped = True
        elif char == "%":
            parts.append([])
        else:
            parts[-1].append(char)
    if is_escaped:
        parts[-1].append("\\")
    command, *rest = ("".join(part) for part in parts)
    given = "\n".join(rest)
    if not given:
        return command, None
    return command, given if given.endswith("\n") else f"{given}\n"


def quote_percent(text: str) -> str | None:
    r"""Return a command as it stands in a crontab; None for one with ``\%``, which no crontab can say."""
    return None if "\\%" in text else text.replace("%", "\\%")
