"""What the pages of recurring orders show."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from watchbell.domain.schedule import Schedule
from watchbell.errors import InputError, Problem
from watchbell.services import fleet_schedules
from watchbell.services.fleet_schedules import Tried
from watchbell.store.fleet_schedules import FleetSchedule
from watchbell.web import current, fleet_words, query, schedule_words
from watchbell.web.db import database
from watchbell.web.forms import fleet_schedule_form
from watchbell.web.forms.fleet_schedule_form import FleetScheduleForm
from watchbell.web.i18n import _, grouped, ngettext
from watchbell.web.presenters import local_text

STATES = ("", "active", "paused")
CSV_COLUMNS = (
    *(
        "schedule_id",
        "job_name",
        "description",
        "is_active",
        "schedule",
        "zone",
        "is_carried",
        "target",
        "executions",
        "max_executions",
    ),
    *("next_at", "last_execution_at", "timeout_seconds", "created_by", "created_at"),
)


@dataclasses.dataclass(frozen=True, slots=True)
class ScheduleQuery:
    """What the address of the list asks for."""

    search: str = ""
    state: str = ""

    @property
    def is_filtered(self) -> bool:
        """Return whether schedules may be left out."""
        return bool(self.search or self.state)

    def address(self, **changes: str) -> dict[str, str]:
        """Return the arguments of an address with these filters and changes."""
        return {name: value for name, value in {"q": self.search, "state": self.state, **changes}.items() if value}


@dataclasses.dataclass(frozen=True, slots=True)
class ScheduleView:
    """A recurring order with its words."""

    row: FleetSchedule
    #: When it is due, in words.
    sentence: str
    target: str
    #: Whether it has led to all executions that it may.
    is_spent: bool


@dataclasses.dataclass(frozen=True, slots=True)
class TriedView:
    """What a form would lead to."""

    tried: Tried
    sentence: str
    zone: str
    #: Whether devices carry it, so that each of them goes by its own clock.
    is_carried: bool


def read(args: Mapping[str, str]) -> ScheduleQuery:
    """Return what the address asks for; raises InputError that names the argument that is wrong."""
    return ScheduleQuery(query.text(args, "q"), query.word(args, "state", STATES, ""))


def matching(every: Sequence[FleetSchedule], asked: ScheduleQuery) -> list[FleetSchedule]:
    """Return those that are asked for."""
    words = asked.search.lower().split()
    return [
        one
        for one in every
        if (not asked.state or one.is_active == (asked.state == "active"))
        and all(word in f"{one.name} {one.description or ''}".lower() for word in words)
    ]


def view(row: FleetSchedule) -> ScheduleView:
    """Return a schedule with its words."""
    is_spent = row.max_executions is not None and row.execution_count >= row.max_executions
    return ScheduleView(row, _sentence(row), target_words(row), is_spent)


def _sentence(row: FleetSchedule) -> str:
    try:
        return _words(fleet_schedules.timing_of(row), is_carried=row.is_carried)
    except InputError:
        # It was written by something that knew more than this version does.
        return row.cron_expression or ""


def _words(timing: Schedule, *, is_carried: bool) -> str:
    said = schedule_words.sentence(timing)
    # What devices carry goes by the clock of each, and not by that of the zone.
    return _first_up(said.removesuffix(f", {timing.zone}") if is_carried else said)


def _first_up(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def target_words(row: FleetSchedule) -> str:
    """Return for whom a schedule is."""
    if row.target_type == "all":
        return _("all devices")
    if row.target_type == "group":
        return fleet_words.filter_words(row.target_filter or {})
    count = len(row.target_devices or ())
    return ngettext("%(count)s chosen device", "%(count)s chosen devices", count, count=grouped(count))


def twin_rows(args: Mapping[str, str]) -> Iterator[dict[str, object]]:
    """Yield what the list shows as its twins have it."""
    zone = current.zone()
    for row in matching(fleet_schedules.list_all(database()), read(args)):
        shown = view(row)
        yield {
            **{name: getattr(row, name) for name in ("schedule_id", "description", "is_active", "zone", "is_carried")},
            "job_name": row.name,
            "schedule": shown.sentence,
            "target": shown.target,
            "executions": row.execution_count,
            **{name: getattr(row, name) for name in ("max_executions", "timeout_seconds", "created_by")},
            **{name: local_text(getattr(row, name), zone) for name in ("next_at", "last_execution_at", "created_at")},
        }


def answer(every: Sequence[FleetSchedule]) -> str:
    """Return the sentence above the list."""
    if not every:
        return _("Nothing is given to devices again and again.")
    active = [one for one in every if one.is_active]
    said = ngettext("%(num)s schedule", "%(num)s schedules", len(every))
    parts = _("%(active)s active, %(paused)s paused", active=len(active), paused=len(every) - len(active))
    return f"{said}: {parts}."


def changes(found: FleetSchedule, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of the fields is not as it was: an interval that nobody has changed goes on as it counts."""
    return {name: value for name, value in fields.items() if getattr(found, name) != value}


def try_out(form: FleetScheduleForm) -> tuple[TriedView | None, list[tuple[str, str]]]:
    """Return what a form would lead to, or the fields that are wrong with what is wrong with them."""
    zone = current.config().zone
    try:
        tried = fleet_schedules.try_out(database(), form.fields(), now=current.now(), zone=zone)
    except InputError as error:
        return None, _problems(error.problems)
    is_carried = bool(form.carried.data)
    return TriedView(tried, _words(tried.timing, is_carried=is_carried), zone, is_carried), []


def _problems(problems: Sequence[Problem]) -> list[tuple[str, str]]:
    return [(fleet_schedule_form.shown_at(one), fleet_schedule_form.problem_text(one)) for one in problems]
