"""Tasks and queues as a document that can be kept in a file: plain values, in the words of the fields that people type.

What equals the default of a new task is left out, so that a file says what somebody decided. Everything else that a
definition holds is carried, also fields that are younger than this module.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from watchbell.domain import environment_sets
from watchbell.domain.blackouts import FIELDS as _BLACKOUT_FIELDS
from watchbell.domain.blackouts import Blackout, build_blackout, fields_of
from watchbell.domain.day_calendar import DayCalendar, build_calendar
from watchbell.domain.schedule import Schedule, ScheduleKind, fields_of_limits
from watchbell.domain.schedule.moment import read_moment
from watchbell.domain.task_definition import (
    POLICY_FIELDS,
    SCHEDULE_FIELDS,
    Defaults,
    TaskDefinition,
    build_definition,
)
from watchbell.errors import InputError, Problem

#: The version of the form; a file that says another one was made by another Watchbell.
FORMAT = 1
MOST_TASKS = 20_000
#: Where something stands in a document: keys and places in lists.
Path = tuple[str | int, ...]
#: The line of each place in the text of a document, as far as it is known.
Lines = Mapping[Path, int]
#: Fields of a stored schedule that people type under another name.
_TYPED = {"expressions": "cron", "moments": "at"}
#: What a stored schedule carries of its calendar, which is an entry of its own.
_CARRIED = frozenset({"calendar_days", "calendar_weekdays"})
_PLAIN = TaskDefinition(name="", command="", schedule=Schedule(ScheduleKind.MANUAL))
_GROUPS = {"schedule": SCHEDULE_FIELDS, "policies": POLICY_FIELDS}
_CALENDAR_FIELDS = ("name", "description", "weekdays", "days")
_QUEUE_FIELDS = ("name", "max_running", "comment")
_SET_FIELDS = ("name", "description", "variables")
#: The lists of a document, in their order.
_PARTS = ("queues", "calendars", environment_sets.FIELD, "tasks", "blackouts")


@dataclasses.dataclass(frozen=True, slots=True)
class QueueEntry:
    """What a document says of a queue."""

    name: str
    max_running: int | None
    comment: str


@dataclasses.dataclass(frozen=True, slots=True)
class CalendarEntry:
    """What a document says of a calendar."""

    calendar: DayCalendar
    description: str = ""

    def to_json(self) -> dict[str, object]:
        """Return what a document says of it."""
        calendar = self.calendar
        told = {"name": calendar.name, "description": self.description, "weekdays": calendar.weekdays}
        return {**{name: text for name, text in told.items() if text}, "days": calendar.days.split("\n")}


@dataclasses.dataclass(frozen=True, slots=True)
class SetEntry:
    """What a document says of an environment set."""

    name: str
    variables: Mapping[str, str]
    description: str = ""

    def fields(self) -> dict[str, object]:
        """Return all of it as somebody would type it."""
        return {"name": self.name, "description": self.description, "variables": dict(self.variables)}

    def to_json(self) -> dict[str, object]:
        """Return what a document says of it."""
        return {name: value for name, value in self.fields().items() if value != ""}


@dataclasses.dataclass(frozen=True, slots=True)
class BlackoutEntry:
    """What a document says of a blackout, and the names of the tasks that it concerns; none for all."""

    blackout: Blackout
    tasks: tuple[str, ...] = ()

    def fields(self) -> dict[str, object]:
        """Return all of it as somebody would type it."""
        return {**fields_of(self.blackout), "tasks": list(self.tasks)}

    def to_json(self) -> dict[str, object]:
        """Return what a document says of it."""
        return {name: value for name, value in self.fields().items() if value not in ("", [])}


@dataclasses.dataclass(frozen=True, slots=True)
class TaskEntry:
    """What a document says of a task: the fields of its definition, and where each of them stands."""

    fields: Mapping[str, object]
    path: Path

    @property
    def name(self) -> str:
        """Return its name, as far as it is one."""
        return str(self.fields.get("name", ""))


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """What was read of a document; only its tasks are still to be judged."""

    tasks: tuple[TaskEntry, ...]
    queues: tuple[QueueEntry, ...]
    lines: Lines
    calendars: tuple[CalendarEntry, ...] = ()
    blackouts: tuple[BlackoutEntry, ...] = ()
    environment_sets: tuple[SetEntry, ...] = ()

    def definition(
        self, entry: TaskEntry, *, now: datetime, defaults: Defaults, earlier: TaskDefinition | None
    ) -> TaskDefinition:
        """Return what an entry says; what it leaves out is the default, and not what ``earlier`` has.

        Only an interval that stays the same keeps its anchor. Raises InputError that names each place.
        """
        kept = earlier.schedule if earlier else Schedule(ScheduleKind.MANUAL)
        # A moment that has passed belongs to what was exported; it is just never due again.
        kept = dataclasses.replace(kept, moments=_moments(entry.fields, now, defaults), line_values={})
        if earlier is not None:
            defaults = dataclasses.replace(defaults, owner=earlier.owner)
        # A calendar or a set of the same document counts before one that is there.
        days = {one.calendar.name: one.calendar for one in self.calendars}
        sets = {one.name: one.variables for one in self.environment_sets}
        find_days, find_set = defaults.calendars, defaults.environment_sets
        defaults = dataclasses.replace(
            defaults,
            calendars=lambda name: days.get(name) or find_days(name),
            environment_sets=lambda name: sets.get(name) or find_set(name),
        )
        try:
            return build_definition(entry.fields, base=None, now=now, defaults=defaults, earlier=kept)
        except InputError as error:
            raise InputError(*(self._placed(problem, entry) for problem in error.problems)) from None

    def _placed(self, problem: Problem, entry: TaskEntry) -> Problem:
        group = next((name for name, fields in _GROUPS.items() if problem.field in fields), None)
        inside: Path = (group, problem.field) if group else (problem.field,)
        return dataclasses.replace(problem, field=_where((*entry.path, *inside), self.lines))


def to_document(
    definitions: Sequence[TaskDefinition],
    queues: Sequence[QueueEntry] = (),
    calendars: Sequence[CalendarEntry] = (),
    blackouts: Sequence[BlackoutEntry] = (),
    sets: Sequence[SetEntry] = (),
) -> dict[str, object]:
    """Return a document of tasks, of the bounds of queues, of calendars, of blackouts, and of environment sets."""
    document: dict[str, object] = {"watchbell": FORMAT}
    if queues:
        document["queues"] = [
            {name: value for name, value in dataclasses.asdict(queue).items() if value not in (None, "")}
            for queue in queues
        ]
    if calendars:
        document["calendars"] = [calendar.to_json() for calendar in calendars]
    if sets:
        document[environment_sets.FIELD] = [one.to_json() for one in sets]
    document["tasks"] = [entry_of(definition) for definition in definitions]
    if blackouts:
        document["blackouts"] = [blackout.to_json() for blackout in blackouts]
    return document


def entry_of(definition: TaskDefinition) -> dict[str, object]:
    """Return what a document says of a task."""
    plain = _PLAIN.to_json()
    entry = {name: value for name, value in definition.to_json().items() if value != plain[name] or name == "name"}
    schedule = definition.to_json()["schedule"]
    assert isinstance(schedule, dict)
    told = {
        _TYPED.get(name, name): value
        for name, value in schedule.items()
        if (name, value) != ("dst", str(_PLAIN.schedule.dst)) and name not in _CARRIED
    }
    entry["schedule"] = told | {name: text for name, text in fields_of_limits(definition.schedule).items() if text}
    usual = _PLAIN.policies.to_json()
    policies = {name: value for name, value in definition.policies.to_json().items() if value != usual[name]}
    # What they say is an entry of each set.
    entry.pop(environment_sets.CARRIED, None)
    entry.pop("policies", None)
    if policies:
        # Words as they are, without the class that they come from.
        entry["policies"] = {name: str(value) if isinstance(value, str) else value for name, value in policies.items()}
    if not definition.enabled:
        entry["enabled"] = False
    return entry


def read_document(data: object, lines: Lines) -> Document:
    """Return what plain values say; raises InputError for what is no such document, with line and place of each problem."""
    reader = _Reader(lines)
    document = reader.read(data)
    if reader.problems:
        raise InputError(*reader.problems)
    return document


class _Reader:
    """Looks at the form of a document and collects what is wrong with it."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.problems: list[Problem] = []

    def read(self, data: object) -> Document:
        top = self._mapping(data, (), ("watchbell", *_PARTS))
        if top and top.get("watchbell") != FORMAT:
            self._complain(
                ("watchbell",), f"this has to say which form the document has, {FORMAT}", f"watchbell: {FORMAT}"
            )
        tasks = [self._task(value, ("tasks", index)) for index, value in self._items(top, "tasks")]
        queues = [self._queue(value, ("queues", index)) for index, value in self._items(top, "queues")]
        calendars = [self._calendar(value, ("calendars", index)) for index, value in self._items(top, "calendars")]
        found = tuple(one for one in calendars if one is not None)
        self._refuse_doubles([entry.name for entry in tasks], "tasks")
        self._refuse_doubles([one.calendar.name for one in found], "calendars")
        self._refuse_doubles([queue.name for queue in queues], "queues")
        windows = [self._blackout(value, ("blackouts", index)) for index, value in self._items(top, "blackouts")]
        kept = tuple(one for one in windows if one is not None)
        self._refuse_doubles([one.blackout.name for one in kept], "blackouts")
        given = [
            self._set(value, (environment_sets.FIELD, number))
            for number, value in self._items(top, environment_sets.FIELD)
        ]
        sets = tuple(one for one in given if one is not None)
        self._refuse_doubles([one.name for one in sets], environment_sets.FIELD)
        return Document(tuple(tasks), tuple(queues), self.lines, found, kept, sets)

    def _items(self, top: Mapping[str, object], name: str) -> Iterator[tuple[int, object]]:
        value = top.get(name)
        if value is not None and not isinstance(value, list):
            self._complain((name,), "this is a list")
        elif value is not None and len(value) > MOST_TASKS:
            self._complain((name,), f"there are {len(value):,} of them, and at most {MOST_TASKS:,} are possible")
        elif value is not None:
            yield from enumerate(value)

    def _task(self, value: object, path: Path) -> TaskEntry:
        fields: dict[str, object] = {}
        for name, given in self._mapping(value, path, None).items():
            known = _GROUPS.get(name)
            if known is not None:
                fields |= self._mapping(given, (*path, name), tuple(sorted(known)))
            elif name in SCHEDULE_FIELDS | POLICY_FIELDS:
                group = "schedule" if name in SCHEDULE_FIELDS else "policies"
                self._complain((*path, name), f"this stands below {group}")
            else:
                fields[name] = given
        self._check_texts(fields, path)
        return TaskEntry(fields, path)

    def _check_texts(self, fields: Mapping[str, object], path: Path) -> None:
        """Refuse values of which nobody can say which text they stand for."""
        self._check_variables(fields.get("environment"), (*path, "environment"))
        tags = fields.get("tags")
        members = tags if isinstance(tags, list) else [tags or ""]
        if not all(isinstance(tag, str | int | float) for tag in members):
            self._complain((*path, "tags"), "this is a list of texts", "[daily, backup]")

    def _check_variables(self, variables: object, path: Path) -> None:
        for name, value in variables.items() if isinstance(variables, Mapping) else ():
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                self._complain((*path, str(name)), "this is a text; put it in quotes", "'yes'")

    def _set(self, value: object, path: Path) -> SetEntry | None:
        given = self._mapping(value, path, _SET_FIELDS)
        self._check_variables(given.get("variables"), (*path, "variables"))
        if not isinstance(given.get("description") or "", str):
            self._complain((*path, "description"), "this is a text; put it in quotes", "'the way out'")
        try:
            name = environment_sets.check_name(given.get("name"))
            variables = environment_sets.build_variables(given.get("variables"))
        except InputError as error:
            for problem in error.problems:
                self._complain((*path, problem.field), problem.message, problem.example)
            return None
        return SetEntry(name, variables, str(given.get("description") or ""))

    def _queue(self, value: object, path: Path) -> QueueEntry:
        found = self._mapping(value, path, _QUEUE_FIELDS)
        name, bound, comment = found.get("name"), found.get("max_running"), found.get("comment") or ""
        if not isinstance(name, str):
            self._complain((*path, "name"), "is required" if name is None else "this is a text", "database")
        if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int)):
            self._complain((*path, "max_running"), "this is a whole number", "2")
        return QueueEntry(str(name), bound if isinstance(bound, int) else None, str(comment))

    def _calendar(self, value: object, path: Path) -> CalendarEntry | None:
        given = self._mapping(value, path, _CALENDAR_FIELDS)
        days = given.get("days") or []
        lines = "\n".join(map(str, days)) if isinstance(days, list) else days
        try:
            calendar = build_calendar(given.get("name"), lines, given.get("weekdays"))
        except InputError as error:
            for problem in error.problems:
                self._complain((*path, problem.field), problem.message, problem.example)
            return None
        return CalendarEntry(calendar, str(given.get("description") or ""))

    def _blackout(self, value: object, path: Path) -> BlackoutEntry | None:
        given = dict(self._mapping(value, path, (*_BLACKOUT_FIELDS, "tasks")))
        names = given.pop("tasks", None) or []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            self._complain((*path, "tasks"), "this is a list of names", "[backup]")
            return None
        try:
            return BlackoutEntry(build_blackout(given, default_zone="UTC"), tuple(names))
        except InputError as error:
            for problem in error.problems:
                self._complain((*path, problem.field), problem.message, problem.example)
            return None

    def _mapping(self, value: object, path: Path, known: Sequence[str] | None) -> Mapping[str, object]:
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            self._complain(path, "this is a mapping of names to values", "name: backup")
            return {}
        if known is None:
            return value
        for name in value:
            if name not in known:
                self._complain((*path, name), f"this is not one of {', '.join(known)}")
        return {name: given for name, given in value.items() if name in known}

    def _refuse_doubles(self, names: Sequence[str], where: str) -> None:
        seen: set[str] = set()
        for index, name in enumerate(names):
            if name in seen:
                self._complain((where, index, "name"), f"{name[:40]!r} stands here a second time")
            seen.add(name)

    def _complain(self, path: Path, message: str, example: str | None = None) -> None:
        self.problems.append(Problem(_where(path, self.lines), message, example))


def _where(path: Path, lines: Lines) -> str:
    """Return a place in words, such as ``line 12, tasks[2].schedule.cron``."""
    # What is missing has no line of its own; the thing that lacks it has one.
    line = next((lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in lines), None)
    shown = "".join(f"[{part}]" if isinstance(part, int) else f".{_printable(part)}" for part in path).lstrip(".")
    return ", ".join(filter(None, (f"line {line}" if line else "", shown or "the document")))


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text[:40])


def _moments(fields: Mapping[str, object], now: datetime, defaults: Defaults) -> tuple[datetime, ...]:
    """Return the moments that fields name, as far as they can be read; what cannot is refused elsewhere."""
    given = fields.get("at")
    texts = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    zone = fields.get("zone")
    found = []
    for text in texts:
        try:
            found.append(read_moment(str(text), str(zone or defaults.zone), now))
        except InputError:
            continue  # The check of the field has the words for it.
    return tuple(found)
