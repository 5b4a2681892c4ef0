"""The form of a task: how it is filled from a task, and which fields of a task it stands for.

It checks nothing itself beyond the sizes that a browser should know: services.tasks decides, and its problems are put on
the fields here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from flask_wtf import FlaskForm
from wtforms import BooleanField, HiddenField, RadioField, SelectChoice, SelectField, StringField, TextAreaField

from watchbell.domain.policies import Policies
from watchbell.domain.schedule import EVERY_WORDS, Schedule, ScheduleKind
from watchbell.domain.task_definition import NAME_LIMIT, Defaults, TaskDefinition
from watchbell.errors import Problem
from watchbell.web.forms.crontab_line import CrontabLine, understand

KINDS = (
    (ScheduleKind.CRON, "Cron text"),
    (ScheduleKind.INTERVAL, "Every so often"),
    (ScheduleKind.MOMENT, "Once, at a moment"),
    (ScheduleKind.WORDS, "Every … at …"),
    (ScheduleKind.MANUAL, "Only by hand"),
)
#: The fields that belong to each kind; only those of the chosen kind are sent on.
FIELDS_OF_KIND = {
    ScheduleKind.CRON: ("cron",),
    ScheduleKind.INTERVAL: ("every", "unit"),
    ScheduleKind.MOMENT: ("at",),
    ScheduleKind.WORDS: ("every_word", "at_time"),
    ScheduleKind.MANUAL: (),
}
WHAT_FIELDS = ("name", "command", "directory", "environment", "tags", "comment", "owner", "host", "enabled")
HOW_FIELDS = (
    "overlap",
    "catch_up",
    "catch_up_limit",
    "catch_up_window_seconds",
    "uncertain",
    "latest_start_seconds",
    "time_limit_seconds",
    "grace_seconds",
    "output_limit_mib",
    "spread_seconds",
)
_UNITS = ("seconds", "minutes", "hours", "days")
_EVERY_NAMES = {
    "minutes": "every … minutes",
    "hours": "every … hours",
    "seconds": "every … seconds",
    "every_4_hour": "every 4 hours",
    "every_day_hour": "every hour",
}
_LOCAL_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?", re.ASCII)


def _every_name(word: str) -> str:
    # Names of days are capitalised, "day" itself is not.
    return _EVERY_NAMES.get(word, f"every {word.capitalize() if word.endswith('day') and word != 'day' else word}")


def _choices(pairs: Iterable[tuple[str, str]]) -> list[SelectChoice]:
    return [SelectChoice(value, label) for value, label in pairs]


class TaskForm(FlaskForm):  # type: ignore[misc]
    """One page: what, when, how."""

    version = HiddenField()

    name = StringField("Name", render_kw={"maxlength": NAME_LIMIT, "required": True, "autocomplete": "off"})
    command = TextAreaField("Command", render_kw={"rows": 3, "required": True, "spellcheck": "false"})
    directory = StringField("Working directory")
    environment = TextAreaField("Environment variables", render_kw={"rows": 2, "spellcheck": "false"})
    tags = StringField("Tags")
    comment = TextAreaField("Comment", render_kw={"rows": 2})
    owner = StringField("Owner", render_kw={"maxlength": NAME_LIMIT})
    host = StringField("Host")
    enabled = BooleanField("Enabled")

    kind = RadioField("Schedule", choices=_choices((kind.value, words) for kind, words in KINDS), validate_choice=False)
    cron = TextAreaField("Cron text", render_kw={"rows": 2, "spellcheck": "false", "autocapitalize": "none"})
    every = StringField("Every", render_kw={"inputmode": "numeric"})
    unit = SelectField("Unit", choices=_choices((unit, unit) for unit in _UNITS), validate_choice=False)
    at = StringField("Moment")
    every_word = SelectField(
        "Every", choices=_choices((word, _every_name(word)) for word in EVERY_WORDS), validate_choice=False
    )
    at_time = StringField("At, or how many")
    zone = StringField("Time zone", render_kw={"list": "zones", "autocomplete": "off", "spellcheck": "false"})
    dst = SelectField(
        "When the clock changes",
        choices=_choices(
            [
                ("cron_like", "run once, as cron does"),
                ("skip", "skip what does not exist"),
                ("both", "run twice what comes twice"),
            ]
        ),
        validate_choice=False,
    )

    overlap = SelectField(
        "If an earlier run is still going",
        choices=_choices([("skip", "skip the new one"), ("queue_one", "queue one"), ("allow", "run both")]),
        validate_choice=False,
    )
    catch_up = SelectField(
        "Moments missed while the scheduler was down",
        choices=_choices([("last", "run the last one"), ("all", "run all"), ("skip", "run none")]),
        validate_choice=False,
    )
    catch_up_limit = StringField("At most so many of them")
    catch_up_window_seconds = StringField("Not older than, in seconds")
    uncertain = SelectField(
        "If nobody can know whether it ran",
        choices=_choices([("lost", "mark it lost (at most once)"), ("run_again", "run it again (at least once)")]),
        validate_choice=False,
    )
    latest_start_seconds = StringField("Latest start, seconds after due")
    time_limit_seconds = StringField("Time limit, in seconds")
    grace_seconds = StringField("Grace between TERM and KILL, in seconds")
    output_limit_mib = StringField("Kept output per stream, in MiB")
    spread_seconds = StringField("Spread starts over, in seconds")

    numbers: ClassVar[tuple[str, ...]] = (*HOW_FIELDS[2:4], *HOW_FIELDS[5:])

    @property
    def chosen_kind(self) -> ScheduleKind:
        """Return the chosen kind; an unknown one counts as cron, whose check then says what is wrong."""
        try:
            return ScheduleKind(self.kind.data or "")
        except ValueError:
            return ScheduleKind.CRON

    def schedule_fields(self) -> dict[str, object]:
        """Return what the task service is told about when: the fields of the chosen kind and no others."""
        kind: object = self.kind.data or ""
        names = ("zone", "dst", *FIELDS_OF_KIND[self.chosen_kind])
        return {"kind": kind, **{name: self[name].data or "" for name in names}}

    def task_fields(self) -> dict[str, object]:
        """Return what the task service is told."""
        names = (*WHAT_FIELDS, *HOW_FIELDS)
        return {**{name: self[name].data for name in names if self[name].data is not None}, **self.schedule_fields()}

    def take_crontab_line(self, *, now: datetime) -> CrontabLine | None:
        """Move the command of a pasted crontab line to its own field; return what was understood, or None.

        A command that is there already is not overwritten by another one.
        """
        if self.chosen_kind is not ScheduleKind.CRON:
            return None
        found = understand(self.cron.data or "", now=now)
        typed = (self.command.data or "").strip()
        if found is None or typed not in {"", found.command}:
            return None
        self.cron.data, self.command.data = found.cron, found.command
        return found

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Put each problem on its field, in the words that follow the label; those without a field stand above."""
        for problem in problems:
            example = f" For example: {problem.example}" if problem.example else ""
            text = f"{problem.message[:1].upper()}{problem.message[1:]}.{example}"
            place = self._place_of(problem.field)
            if place is None:
                self.form_errors.append(text)
            else:
                self[place].errors = [*self[place].errors, text]

    def _place_of(self, name: str) -> str | None:
        if name == "schedule":
            return "kind"
        return name if name in self._fields else None

    @property
    def how_has_errors(self) -> bool:
        """Return whether the folded part must be open."""
        return any(self[name].errors for name in HOW_FIELDS)

    def in_words(self) -> list[str]:
        """Return the folded part in short words, for its summary."""
        plain = {**new_task_data(Defaults("UTC", "", "")), **{name: self[name].data for name in HOW_FIELDS}}
        words = [
            f"overlap: {_choice(self.overlap)}",
            f"missed: {_choice(self.catch_up)}",
            f"limit {_seconds_in_words(plain['time_limit_seconds'])}",
            f"uncertain: {_choice(self.uncertain).partition(' (')[0]}",
        ]
        if str(plain["spread_seconds"]).strip() not in {"", "0"}:
            words.append(f"spread {plain['spread_seconds']} s")
        return words


def _choice(field: Any) -> str:
    return str({choice.value: choice.label for choice in field.choices}.get(field.data, field.data))


def _seconds_in_words(value: object) -> str:
    text = str(value or "").strip()
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        return f"{text[:20]} s"
    seconds = int(text)
    for size, word in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {word}"
    return f"{seconds} s"


def new_task_data(defaults: Defaults) -> dict[str, object]:
    """Return what an empty form shows."""
    return {
        "kind": ScheduleKind.CRON.value,
        "enabled": True,
        "unit": "minutes",
        "every_word": "day",
        "zone": defaults.zone,
        "dst": "cron_like",
        "owner": defaults.owner,
        "host": "",
        "version": "",
        **_policy_data(Policies()),
    }


def task_data(definition: TaskDefinition, version: int) -> dict[str, object]:
    """Return what the form of a stored task shows."""
    return {
        "name": definition.name,
        "command": definition.command,
        "directory": definition.directory or "",
        "environment": "\n".join(f"{key}={value}" for key, value in definition.environment.items()),
        "tags": ", ".join(definition.tags),
        "comment": definition.comment,
        "owner": definition.owner,
        "host": definition.host,
        "enabled": definition.enabled,
        "version": str(version),
        "unit": "minutes",
        "every_word": "day",
        **_schedule_data(definition.schedule),
        **_policy_data(definition.policies),
    }


def _policy_data(policies: Policies) -> dict[str, object]:
    return {name: "" if value is None else str(value) for name, value in policies.to_json().items()}


def _schedule_data(schedule: Schedule) -> dict[str, object]:
    data: dict[str, object] = {"kind": schedule.kind.value, "zone": schedule.zone, "dst": schedule.dst.value}
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
