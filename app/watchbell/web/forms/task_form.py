"""The form of a task: how it is filled from a task, and which fields of a task it stands for.

It checks nothing itself beyond the sizes that a browser should know: services.tasks decides, and its problems are put on
the fields here.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flask_wtf import FlaskForm
from wtforms import BooleanField, HiddenField, RadioField, SelectChoice, SelectField, StringField, TextAreaField

from watchbell.domain.chains import ALL
from watchbell.domain.crontab import PastedLine, understand
from watchbell.domain.policies import Policies
from watchbell.domain.runbooks import Link
from watchbell.domain.schedule import EVERY_WORDS, LIMIT_FIELDS, Schedule, ScheduleKind, fields_of_limits, line_values
from watchbell.domain.task_definition import Defaults, TaskDefinition
from watchbell.domain.task_fields import NAME_LIMIT
from watchbell.errors import Problem
from watchbell.services import calendars
from watchbell.web.db import database
from watchbell.web.forms.after_fields import AfterField, after_rows, join_choices
from watchbell.web.forms.parameter_fields import ParametersField, parameter_rows
from watchbell.web.forms.policy_fields import SPAN_FIELDS, PolicyFields, choices, in_spans, policy_data
from watchbell.web.forms.step_fields import StepsField, rows_of
from watchbell.web.i18n import _, lazy
from watchbell.web.spans import span_text
from watchbell.web.told import sentence

KINDS = (
    (ScheduleKind.CRON, lazy("Cron text")),
    (ScheduleKind.INTERVAL, lazy("Every so often")),
    (ScheduleKind.MOMENT, lazy("Once, at a moment")),
    (ScheduleKind.WORDS, lazy("Every … at …")),
    (ScheduleKind.MANUAL, lazy("Only by hand")),
)
#: The fields that belong to each kind; only those of the chosen kind are sent on.
FIELDS_OF_KIND = {
    ScheduleKind.CRON: ("cron",),
    ScheduleKind.INTERVAL: ("every", "unit"),
    ScheduleKind.MOMENT: ("at",),
    ScheduleKind.WORDS: ("every_word", "at_time"),
    ScheduleKind.MANUAL: (),
}
#: What a pasted crontab line may fill.
PASTED_FIELDS = ("kind", "cron", "command", "name", "environment", "zone", "directory", "comment", "spread_seconds")
WHAT_CHOICES = (("command", lazy("One command")), ("steps", lazy("Steps in order")))
WHAT_FIELDS = ("name", "command", "steps", "directory", "environment_sets", "environment", "tags", "comment", "owner", "team", "host", "enabled",
               "parameters", "runbook", "links", "after", "join")  # fmt: skip
UNITS = {"seconds": lazy("seconds"), "minutes": lazy("minutes"), "hours": lazy("hours"), "days": lazy("days")}
#: The words of a schedule, as they are offered.
_EVERY_NAMES = {
    "day": lazy("every day"),
    "weekday": lazy("every Weekday"),
    "monday": lazy("every Monday"),
    "tuesday": lazy("every Tuesday"),
    "wednesday": lazy("every Wednesday"),
    "thursday": lazy("every Thursday"),
    "friday": lazy("every Friday"),
    "saturday": lazy("every Saturday"),
    "sunday": lazy("every Sunday"),
    "minutes": lazy("every … minutes"),
    "hours": lazy("every … hours"),
    "seconds": lazy("every … seconds"),
    "every_4_hour": lazy("every 4 hours"),
    "every_day_hour": lazy("every hour"),
}
_LOCAL_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?", re.ASCII)


#: What a calendar does to moments on its days, in words.
CALENDAR_RULES = (
    ("leave_out", lazy("leave the moment out")),
    ("only", lazy("run, and leave out all others")),
    ("next", lazy("move to the next day that is free")),
    ("previous", lazy("move to the last free day before")),
)


def calendar_choices() -> list[SelectChoice]:
    """Return the calendars that a task may name."""
    names = [view.row.name for view in calendars.list_all(database())]
    return choices([("", _("none")), *((name, name) for name in names)])


@dataclasses.dataclass(frozen=True, slots=True)
class Taken:
    """What was made of a pasted crontab line."""

    note: str
    #: Field -> what it holds now, and what it held before.
    changes: Mapping[str, str]
    before: Mapping[str, str]


def _typed(name: str, value: object) -> str:
    """Return the value of a field of a task as somebody would type it."""
    if isinstance(value, Mapping):
        return "\n".join(f"{key}={text}" for key, text in value.items())
    return span_text(value) if name in SPAN_FIELDS and isinstance(value, int) else str(value)


def _merged(there: str, added: str) -> str:
    """Return the lines of an environment with those added that it does not set yet."""
    known = {line.partition("=")[0].strip() for line in there.splitlines()}
    new = [line for line in added.splitlines() if line.partition("=")[0] not in known]
    return "\n".join(filter(None, (there.strip(), *new)))


class TaskForm(PolicyFields, FlaskForm):  # type: ignore[misc]
    """One page: what, when, how."""

    version = HiddenField()
    #: Whether the task was enabled when the form was begun: that belongs to no version, so it is told apart by this.
    was_enabled = HiddenField()
    #: Not empty once somebody has said that what looks like a crontab line is none.
    as_typed = HiddenField()

    name = StringField(lazy("Name"), render_kw={"maxlength": NAME_LIMIT, "required": True, "autocomplete": "off"})
    #: Which of the two it runs; what stands in the other one is not sent on.
    what = RadioField(lazy("What it runs"), choices=choices(WHAT_CHOICES), validate_choice=False)
    command = TextAreaField(lazy("Command"), render_kw={"rows": 3, "spellcheck": "false"})
    steps = StepsField(lazy("Steps"))
    directory = StringField(lazy("Working directory"))
    environment = TextAreaField(lazy("Environment variables"), render_kw={"rows": 2, "spellcheck": "false"})
    environment_sets = StringField(
        lazy("Environment sets"), render_kw={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
    )
    parameters = ParametersField(lazy("Parameters"))
    tags = StringField(lazy("Tags"))
    comment = TextAreaField(lazy("Comment"), render_kw={"rows": 2})
    runbook = TextAreaField(lazy("Runbook"), render_kw={"rows": 6})
    links = TextAreaField(lazy("Links"), render_kw={"rows": 2, "spellcheck": "false"})
    after = AfterField(lazy("After other tasks"))
    #: Its choices are given to the form, one that was stored among them.
    join = SelectField(lazy("Wait for"), choices=[], validate_choice=False)
    owner = StringField(lazy("Owner"), render_kw={"maxlength": NAME_LIMIT})
    #: Its choices are given to the form; without a team there is nothing to choose.
    team = SelectField(lazy("Team"), choices=[], validate_choice=False)
    host = StringField(lazy("Host"))
    enabled = BooleanField(lazy("Enabled"))
    #: Not a property of the task: what else is to happen when it is saved.
    asap = BooleanField(lazy("Run it once as soon as it is saved"))

    kind = RadioField(
        lazy("Schedule"), choices=choices((kind.value, words) for kind, words in KINDS), validate_choice=False
    )
    cron = TextAreaField(lazy("Cron text"), render_kw={"rows": 2, "spellcheck": "false", "autocapitalize": "none"})
    every = StringField(lazy("Every"), render_kw={"inputmode": "numeric"})
    unit = SelectField(lazy("Unit"), choices=choices(UNITS.items()), validate_choice=False)
    at = StringField(lazy("Moment"))
    every_word = SelectField(
        lazy("Every"), choices=choices((word, _EVERY_NAMES[word]) for word in EVERY_WORDS), validate_choice=False
    )
    at_time = StringField(lazy("At, or how many"))
    zone = StringField(lazy("Time zone"), render_kw={"list": "zones", "autocomplete": "off", "spellcheck": "false"})
    dst = SelectField(
        lazy("When the clock changes"),
        choices=choices(
            [
                ("cron_like", lazy("run once, as cron does")),
                ("skip", lazy("skip what does not exist")),
                ("both", lazy("run twice what comes twice")),
            ]
        ),
        validate_choice=False,
    )

    calendar = SelectField(lazy("Calendar"), choices=calendar_choices, validate_choice=False)
    calendar_rule = SelectField(lazy("On its days"), choices=choices(CALENDAR_RULES), validate_choice=False)
    not_before = StringField(lazy("First day"), render_kw={"autocomplete": "off", "maxlength": 20})
    not_after = StringField(lazy("Last day"), render_kw={"autocomplete": "off", "maxlength": 20})

    line_values = TextAreaField(
        lazy("Values of parameters"), render_kw={"rows": 2, "spellcheck": "false", "autocapitalize": "none"}
    )

    @property
    def chosen_kind(self) -> ScheduleKind:
        """Return the chosen kind; an unknown one counts as cron, whose check then says what is wrong."""
        try:
            return ScheduleKind(self.kind.data or "")
        except ValueError:
            return ScheduleKind.CRON

    @property
    def has_steps(self) -> bool:
        """Return whether steps are chosen in place of a command."""
        return bool(self.what.data == "steps")

    @property
    def leaves_enabled(self) -> bool:
        """Return whether whoever filled this in has left it as it was whether the task starts by itself."""
        return bool(self.enabled.data) == bool(self.was_enabled.data)

    def offer_teams(self, names: Iterable[str]) -> None:
        """Let one of these teams be chosen, the one that was chosen before, or none; and any join."""
        offered = dict.fromkeys([*names, *filter(None, [self.team.data])])
        self.join.choices = choices(join_choices(self.join.data or ""))
        self.team.choices = choices([("", _("none")), *((name, name) for name in offered)])

    def schedule_fields(self) -> dict[str, object]:
        """Return what the task service is told about when: the fields of the chosen kind and no others."""
        kind: object = self.kind.data or ""
        names = ("zone", "dst", *FIELDS_OF_KIND[self.chosen_kind])
        if self.chosen_kind is not ScheduleKind.MANUAL:
            names += (*LIMIT_FIELDS, line_values.FIELD)
        return {"kind": kind, **{name: self[name].data or "" for name in names}}

    def task_fields(self) -> dict[str, object]:
        """Return what the task service is told."""
        what: dict[str, object] = {name: self[name].data for name in WHAT_FIELDS if self[name].data is not None}
        if self.has_steps:
            what["command"] = ""
        else:
            what["steps"] = []
        return {**what, **self.how_data(), **self.schedule_fields()}

    def take_crontab_line(self, *, now: datetime, users: Collection[str] = ()) -> Taken | None:
        """Let a pasted crontab line fill the fields; return what was understood and what it has changed, or None.

        It may stand where the times belong, or the command. A command that is there already is not overwritten by another
        one, and whoever has said that it is meant as it stands is believed.
        """
        if self.has_steps or self.as_typed.data:
            return None
        found = None
        if self.chosen_kind is ScheduleKind.CRON:
            found = understand(self.cron.data or "", now=now, users=users)
            typed = (self.command.data or "").strip()
            if found is not None and typed not in {"", found.command}:
                return None
        found = found or understand(self.command.data or "", now=now, users=users)
        return self._fill(found) if found is not None else None

    def _fill(self, found: PastedLine) -> Taken:
        changes: dict[str, str] = {"kind": ScheduleKind.CRON.value, "cron": found.cron, "command": found.command}
        changes |= {name: _typed(name, value) for name, value in found.more.items() if name in PASTED_FIELDS}
        if "environment" in changes:
            changes["environment"] = _merged(self.environment.data or "", changes["environment"])
        before = {name: str(self[name].data or "") for name in changes}
        # What somebody has filled in already is theirs; only the times, the command and what a crontab sets are replaced.
        kept = {name for name in ("name", "comment") if before.get(name, "").strip()}
        changes = {name: text for name, text in changes.items() if name not in kept and text != before[name]}
        for name, text in changes.items():
            self[name].data = text
        return Taken(found.note, changes, {name: before[name] for name in changes})

    def put_back(self, before: Mapping[str, object]) -> None:
        """Undo what a pasted line has changed: these fields get back what they held, which is then left as it is."""
        for name, text in before.items():
            if name in PASTED_FIELDS:
                self[name].data = str(text)
        self.as_typed.data = "1"

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Put each problem on its field, in the words that follow the label; those without a field stand above."""
        for problem in map(in_spans, problems):
            example = " " + _("For example: %(example)s", example=problem.example) if problem.example else ""
            text = f"{sentence(problem.message)}{example}"
            place = self._place_of(problem.field)
            if place is None:
                self.form_errors.append(text)
            else:
                self[place].errors = [*self[place].errors, text]

    def _place_of(self, name: str) -> str | None:
        if name == "schedule":
            return "kind"
        if name == "command" and self.has_steps:
            return "steps"
        return name if name in self._fields else None


def link_lines(links: Iterable[Link]) -> str:
    """Return links as somebody would type them: a title and an address in each line."""
    return "\n".join(link.url if link.title == link.url else f"{link.title} {link.url}" for link in links)


def new_task_data(defaults: Defaults) -> dict[str, object]:
    """Return what an empty form shows."""
    return {
        "what": "command",
        "kind": ScheduleKind.CRON.value,
        "enabled": True,
        "unit": "minutes",
        "every_word": "day",
        "zone": defaults.zone,
        "dst": "cron_like",
        "calendar": "",
        "calendar_rule": "leave_out",
        "owner": defaults.owner,
        "team": "",
        "join": ALL,
        "host": "",
        "version": "",
        **policy_data(Policies()),
    }


def task_data(definition: TaskDefinition, version: int) -> dict[str, object]:
    """Return what the form of a stored task shows."""
    return {
        "name": definition.name,
        "what": "steps" if definition.steps else "command",
        "command": definition.command,
        "steps": rows_of(definition.steps),
        "directory": definition.directory or "",
        "environment": "\n".join(f"{key}={value}" for key, value in definition.environment.items()),
        "environment_sets": ", ".join(definition.environment_sets),
        "parameters": parameter_rows(definition.parameters),
        "tags": ", ".join(definition.tags),
        "comment": definition.comment,
        "runbook": definition.runbook,
        "links": link_lines(definition.links),
        "after": after_rows(definition.after),
        "join": definition.join,
        "owner": definition.owner,
        "team": definition.team,
        "host": definition.host,
        "enabled": definition.enabled,
        "was_enabled": "1" if definition.enabled else "",
        "version": str(version),
        "unit": "minutes",
        "every_word": "day",
        **_schedule_data(definition.schedule),
        **policy_data(definition.policies),
    }


def _schedule_data(schedule: Schedule) -> dict[str, object]:
    data: dict[str, object] = {"kind": schedule.kind.value, "zone": schedule.zone, "dst": schedule.dst.value}
    data |= {**fields_of_limits(schedule), line_values.FIELD: line_values.as_text(schedule)}
    match schedule.kind:
        case ScheduleKind.CRON:
            data["cron"] = "\n".join(schedule.expressions)
        case ScheduleKind.INTERVAL:
            data.update(every=str(schedule.every), unit=schedule.unit)
        case ScheduleKind.MOMENT:
            data["at"] = "\n".join(_moment_text(moment, schedule.zone) for moment in schedule.moments)
        case ScheduleKind.WORDS:
            data.update(every_word=schedule.every_word, at_time=schedule.at_time)
        case ScheduleKind.MANUAL:
            pass
    return data


def _moment_text(moment: datetime, zone: str) -> str:
    """Return the local time as a browser's field writes it; with its offset if without one it would be another moment."""
    local = moment.astimezone(ZoneInfo(zone))
    naive = local.replace(tzinfo=None, fold=0)
    is_plain = naive.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) == moment.astimezone(UTC)
    shown = naive.isoformat(timespec="seconds" if naive.second else "minutes")
    return shown if is_plain else local.isoformat()


def moment_widget(text: str | None) -> str:
    """Return which control keeps what was typed: a picker, a line, or an area for several moments."""
    lines = (text or "").strip().splitlines()
    if len(lines) > 1:
        return "area"
    return "picker" if not lines or _LOCAL_MOMENT.fullmatch(lines[0]) else "line"
