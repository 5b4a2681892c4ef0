"""The tasks that do what the entries of a crontab do, what a person should know about each, and what has no counterpart."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Collection, Mapping
from datetime import datetime

from watchbell.domain.crontab import mark as marks
from watchbell.domain.crontab.lines import HEAD, LONGEST_TEXT, Comment, Entry, Odd, Setting, read_entry, read_lines
from watchbell.domain.crontab.naming import Names
from watchbell.domain.schedule.cron_text import read_cron
from watchbell.domain.schedule.door import MOST_LINES
from watchbell.domain.schedule.zones import zone_named
from watchbell.domain.task_definition import Defaults, TaskDefinition, build_definition
from watchbell.domain.task_document import MOST_TASKS
from watchbell.errors import InputError

SHELL = "/bin/sh"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Each entry has its own copy of them, since they change from line to line.
_MOST_VARIABLES = 200
_MAIL = frozenset({"MAILTO", "MAILFROM", "CONTENT_TYPE", "CONTENT_TRANSFER_ENCODING"})
#: cron sets these itself, whatever a crontab says.
_FIXED = frozenset({"LOGNAME", "USER"})


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """One task to be made of one entry, or of several that a mark holds together."""

    numbers: tuple[int, ...]
    times: tuple[str, ...]
    user: str | None
    #: The fields of the task, as domain.task_definition reads them.
    fields: Mapping[str, object]
    #: What a person should know.
    notes: tuple[str, ...]
    #: Why there can be no such task; empty if there can.
    problem: str
    raw: str

    @property
    def name(self) -> str:
        """Return the name of the task."""
        return str(self.fields["name"])

    def definition(self, *, now: datetime, defaults: Defaults) -> TaskDefinition:
        """Return the task; raises InputError for what no task can be."""
        return build_definition(self.fields, base=None, now=now, defaults=defaults)


@dataclasses.dataclass(frozen=True, slots=True)
class Crontab:
    """What was read: jobs in their order, and what concerns no single one of them."""

    jobs: tuple[Job, ...]
    remarks: tuple[str, ...]


def read_crontab(text: str, *, system: bool = False, taken: Collection[str] = ()) -> Crontab:
    """Return what a crontab says; ``taken`` are names that no job may get unless a mark gives it.

    Raises InputError only for a text that cannot be a crontab at all, or is one without measure.
    """
    if len(text) > LONGEST_TEXT or "\0" in text:
        raise InputError.of("crontab", "this is no crontab: it is too long, or holds a NUL")
    reader = _Reader(system, taken)
    for line in read_lines(text, system=system):
        match line:
            case Setting():
                reader.set(line)
            case Comment():
                reader.comment(line)
            case Entry():
                if len(reader.jobs) >= MOST_TASKS:
                    raise InputError.of("crontab", f"has more than {MOST_TASKS:,} entries; import it in parts")
                reader.add(line)
                continue
            case Odd():
                reader.remarks.append(f"line {line.number}: cron would refuse this: {_printable(line.raw)}")
        if not isinstance(line, Comment):
            reader.forget()
    return Crontab(tuple(reader.jobs), tuple(reader.remarks))


class _Reader:
    """What holds at a line: variables, the comment above it, and the names that are given away."""

    def __init__(self, system: bool, taken: Collection[str]) -> None:
        self.jobs: list[Job] = []
        self.remarks: list[str] = []
        self._system = system
        self._names = Names(taken)
        self._variables: dict[str, str] = {}
        self._shell = SHELL
        self._zone = ""
        self._bad_zone = ""
        self._home = ""
        self._delay = 0
        self._comments: list[str] = []
        self._mark: marks.Mark | None = None

    def forget(self) -> None:
        """Let what stands above belong to nothing below."""
        self._comments, self._mark = [], None

    def comment(self, line: Comment) -> None:
        found = marks.read(line.text)
        if found is not None:
            self._mark = found
        elif HEAD.match(f"#{line.text}"):
            self._comments = []
        elif read_entry(line.text.strip(), system=self._system) is None or not _is_time(line.text):
            self._comments.append(line.text.removeprefix(" "))

    def set(self, line: Setting) -> None:
        name, value = line.name, line.value
        if name == "SHELL":
            self._shell = value or SHELL
        elif name == "HOME":
            self._home = value
        elif name == "CRON_TZ":
            self._set_zone(value)
        elif name == "RANDOM_DELAY" and value.isdecimal() and int(value[:9]) <= 1440:
            self._delay = int(value) * 60
        elif name in _MAIL:
            if value or name != "MAILTO":
                self.remarks.append(
                    f"line {line.number}: {name} is left out: nothing is mailed, output is kept instead"
                )
        elif name in _FIXED:
            self.remarks.append(f"line {line.number}: {name} is left out: it is set by the system, as by cron")
        elif not _NAME.fullmatch(name) or name.startswith("WATCHBELL_"):
            self.remarks.append(f"line {line.number}: {_printable(name)} is left out: it cannot be set for a task")
        elif name not in self._variables and len(self._variables) >= _MOST_VARIABLES:
            raise InputError.of("crontab", f"sets more than {_MOST_VARIABLES} variables")
        else:
            self._variables[name] = value
            if name == "TZ":
                self.remarks.append(
                    f"line {line.number}: TZ is set for the commands, and does not move their times, as in cron"
                )

    def _set_zone(self, value: str) -> None:
        try:
            self._zone, self._bad_zone = zone_named(value).key, ""
        except InputError:
            self._bad_zone = value

    def add(self, entry: Entry) -> None:
        mark, comment = self._mark, "\n".join(self._comments).strip("\n")
        self._comments = []
        last = self.jobs[-1] if self.jobs else None
        if mark is not None and mark.is_used and last is not None:
            self._add_times(last, entry, mark)
            return
        fields, notes = self._fields(entry, mark, comment)
        name = str(fields.get("name") or "")
        fields["name"] = self._names.take(name) if name else self._names.derive(entry.command)
        problem = self._problem(entry)
        self.jobs.append(Job((entry.number,), (entry.times,), entry.user, fields, tuple(notes), problem, entry.raw))
        if mark is not None:
            mark.is_used, mark.command = True, entry.command

    def _add_times(self, last: Job, entry: Entry, mark: marks.Mark) -> None:
        """Let a further line of a marked task say further times, unless somebody has made it another command."""
        if entry.command != mark.command:
            self.forget()
            self.add(entry)
            return
        if len(last.times) >= MOST_LINES:
            words = f"more than {MOST_LINES} lines of it say times"
            self.jobs[-1] = dataclasses.replace(last, problem=last.problem or words)
            return
        fields = {**last.fields, "cron": [*last.times, entry.times]}
        self.jobs[-1] = dataclasses.replace(
            last,
            numbers=(*last.numbers, entry.number),
            times=(*last.times, entry.times),
            fields=fields,
            problem=last.problem or self._problem(entry),
        )

    def _fields(self, entry: Entry, mark: marks.Mark | None, comment: str) -> tuple[dict[str, object], list[str]]:
        fields: dict[str, object] = {"cron": [entry.times]}
        notes: list[str] = []
        environment = dict(self._variables)
        if self._zone:
            fields["zone"] = self._zone
        if self._home:
            fields["directory"] = self._home
            notes.append(f"HOME is the directory that it runs in, {self._home}")
        if self._delay:
            fields["spread_seconds"] = self._delay
            notes.append("RANDOM_DELAY is a spread: always the same delay for a task")
        if comment:
            fields["comment"] = comment
        command = entry.command
        if mark is not None:
            more, command, said = mark.apply(command)
            set_here = more.pop("environment", None)
            environment |= (
                {str(key): str(value) for key, value in set_here.items()} if isinstance(set_here, dict) else {}
            )
            fields |= more
            notes += said
        fields["command"] = self._command(command, entry.given, notes)
        if environment:
            fields["environment"] = environment
        return fields, notes

    def _command(self, command: str, given: str | None, notes: list[str]) -> str:
        if given is not None:
            notes.append("what stands behind % goes to its standard input by printf")
            return with_input(command, given, self._shell)
        if self._shell != SHELL:
            notes.append(f"SHELL is {self._shell}, which is called with the command")
            return f"{shlex.quote(self._shell)} -c {shlex.quote(command)}"
        return command

    def _problem(self, entry: Entry) -> str:
        if self._bad_zone:
            return f"CRON_TZ is {_printable(self._bad_zone)}, which is no known time zone"
        try:
            read_cron(entry.times)
        except InputError as error:
            return "; ".join(problem.message for problem in error.problems)
        return ""


def with_input(command: str, given: str, shell: str = SHELL) -> str:
    """Return a command that finds a text on its standard input."""
    words = " ".join(shlex.quote(line) for line in given.removesuffix("\n").split("\n"))
    return f"printf '%s\\n' {words} | {shlex.quote(shell)} -c {shlex.quote(command)}"


def _is_time(text: str) -> bool:
    """Return whether a comment is an entry that somebody has taken out."""
    entry = read_entry(text.strip())
    try:
        return entry is not None and bool(read_cron(entry.times))
    except InputError:
        return entry is not None and entry.times == "@reboot"


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text[:60])
