"""A schedule as the preview shows it: its sentence, its next moments, and what the next clock changes do to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from watchbell.domain import schedule as schedules
from watchbell.domain.blackouts import Marker, as_it_is
from watchbell.domain.schedule import Calendars, Occurrence, Schedule, ScheduleKind, line_values, no_calendars
from watchbell.domain.schedule.around import Around, around_changes, follows_the_clock
from watchbell.errors import InputError, Problem
from watchbell.services import tasks
from watchbell.store.tasks import Task
from watchbell.web import schedule_words
from watchbell.web.forms.task_form import Taken
from watchbell.web.i18n import _
from watchbell.web.presenters import RunView
from watchbell.web.presenters_simulation import Effect

MOMENTS = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Moment:
    """One moment of the preview: aware local time and UTC."""

    local: datetime
    due_at: datetime
    #: Why it is left out, or from where it was moved, as the row will say it.
    note: str = ""
    is_left_out: bool = False
    #: What its line gives of the parameters.
    values: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def values_words(self) -> str:
        """Return what its line gives as NAME=VALUE."""
        return line_values.words(self.values)

    @property
    def other_day(self) -> bool:
        """Return whether it is another day in UTC."""
        return self.local.date() != self.due_at.date()


@dataclasses.dataclass(frozen=True, slots=True)
class ClockChange:
    """One clock change of the zone, and what the schedule does around it."""

    at: datetime
    #: "from 02:00 to 03:00": what the clock shows before and after.
    local: datetime
    words: str
    moments: Sequence[Moment]
    #: How many further moments lie around it.
    more: bool
    #: Local times that the rule leaves out.
    left_out: Sequence[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Preview:
    """What the editor shows beside the form."""

    sentence: str = ""
    moments: Sequence[Moment] = ()
    ends: bool = False
    changes: Sequence[ClockChange] = ()
    clock_note: str = ""
    problems: Sequence[Problem] = ()
    pasted: Taken | None = None
    zone: str = ""
    #: For each moment how many other tasks are due within the same minute; None if that would take too long to say.
    load: Sequence[int] | None = ()
    is_crowded: bool = False
    #: The last run of this command that has ended.
    last: RunView | None = None
    #: What saving it would do to the runs of the coming days; None while that cannot be told.
    effect: Effect | None = None


def preview(
    fields: Mapping[str, object],
    *,
    now: datetime,
    default_zone: str,
    calendars: Calendars = no_calendars,
    earlier: Schedule | None = None,
    pasted: Taken | None = None,
    mark: Marker = as_it_is,
) -> Preview:
    """Return the preview of a form's schedule fields; what is wrong with them becomes part of it."""
    try:
        schedule = schedules.build_schedule(
            fields, now=now, default_zone=default_zone, earlier=earlier, calendars=calendars
        )
    except InputError as error:
        return Preview(problems=error.problems, pasted=pasted)
    found = [mark(one) for one in schedules.occurrences(schedule, now, MOMENTS)]
    return Preview(
        sentence=schedule_words.sentence(schedule),
        moments=[_moment(occurrence, schedule) for occurrence in found],
        ends=len(found) < MOMENTS and schedule.kind is not ScheduleKind.MANUAL,
        changes=_clock_changes(schedule, now),
        clock_note=_clock_note(schedule, now),
        pasted=pasted,
        zone=schedule.zone,
    )


def _moment(occurrence: Occurrence, schedule: Schedule | None = None) -> Moment:
    due_at = occurrence.due_at.astimezone(UTC)
    local = due_at.astimezone(ZoneInfo(occurrence.zone))
    values = line_values.given_by(schedule, occurrence.line) if schedule is not None and schedule.line_values else {}
    return Moment(local, due_at, occurrence.note, occurrence.is_left_out, values)


def _clock_note(schedule: Schedule, now: datetime) -> str:
    if schedule.kind in {ScheduleKind.MOMENT, ScheduleKind.MANUAL}:
        return ""
    if not follows_the_clock(schedule):
        return _("An interval counts real time: clock changes do not move it.")
    if not schedules.next_transitions(schedule.zone, now, 1):
        return _("%(zone)s has no clock changes in sight.", zone=schedule.zone)
    return ""


def _clock_changes(schedule: Schedule, now: datetime) -> list[ClockChange]:
    return [_clock_change(found) for found in around_changes(schedule, now)]


def _clock_change(found: Around) -> ClockChange:
    change = found.change
    words = _(
        "from %(before)s to %(after)s", before=f"{change.local_before:%H:%M}", after=f"{change.local_after:%H:%M}"
    )
    return ClockChange(
        at=change.at,
        local=change.local_before,
        words=words,
        moments=[_moment(occurrence) for occurrence in found.moments],
        more=found.more,
        left_out=[f"{occurrence.local:%H:%M}" for occurrence in found.left_out],
    )


def preview_of_task(task: Task, now: datetime, mark: Marker = as_it_is) -> Preview:
    """Return what the page of a task shows of its schedule."""
    schedule = schedules.from_json(task.schedule)
    found = [mark(one) for one in tasks.upcoming(task, after=now, limit=MOMENTS)]
    return Preview(
        sentence=schedule_words.sentence_of(task),
        moments=[_moment(occurrence, schedule) for occurrence in found],
        ends=len(found) < MOMENTS and task.enabled and schedule.kind is not ScheduleKind.MANUAL,
        changes=_clock_changes(schedule, now),
        clock_note=_clock_note(schedule, now),
        zone=schedule.zone,
    )
