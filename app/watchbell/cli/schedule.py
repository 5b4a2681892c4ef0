"""``watchbell schedule``: see when something would be due before it is."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import click

from watchbell import clock
from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import examples, json_option, print_json, say, table
from watchbell.cli.task_options import fields_of, schedule_options
from watchbell.domain import schedule as schedules
from watchbell.domain.blackouts import FIELDS, Blackout, build_blackout, marker
from watchbell.domain.schedule import Occurrence, Schedule
from watchbell.domain.schedule.around import Around, around_changes
from watchbell.domain.schedule.moment import read_moment
from watchbell.errors import ConfigError, InputError

_MOST = 10_000


@click.group(short_help="Preview schedules.")
def schedule() -> None:
    """Preview schedules without making a task."""


@schedule.command(
    short_help="List the next moments of a schedule.",
    epilog=examples(
        "watchbell schedule preview '30 2 * * *' --zone Europe/Berlin -n 5",
        "watchbell schedule preview --every 90s",
        "watchbell schedule preview --word day --at-time 02:30 --json",
    ),
)
@click.argument("cron", metavar="[CRON]...", nargs=-1)
@schedule_options(with_cron=False)
@click.option("--from", "start", metavar="MOMENT", help="List moments after this one. Default: now.")
@click.option("-n", "--limit", type=click.IntRange(1, _MOST), default=10, show_default=True, help="How many.")
@json_option
@pass_program
def preview(program: Program, /, *, start: str | None, limit: int, as_json: bool, **options: Any) -> None:
    """List the next moments of a schedule: cron text, or one of the options.

    Moments are listed strictly after the given one, in the schedule's zone and in UTC, with a note where a clock change
    plays a part, and where a blackout of all tasks leaves one out.
    """
    zone = options["zone"] or program.config.zone
    after = _start(start, zone)
    fields = fields_of(options)
    if not any(options[name] for name in ("cron", "every", "at", "word")):
        raise click.UsageError("Say what to preview: a cron text, --every, --at or --word.")
    # Here the cron text is an argument and no option.
    with _naming("cron", "CRON"):
        plan = schedules.build_schedule(fields, now=after, default_zone=zone, calendars=program.find_calendar)
    mark = marker(_windows(program), None)
    found = [mark(one) for one in schedules.occurrences(plan, after, limit)]
    if as_json:
        told: dict[str, object] = {"moments": [occurrence.due_at.isoformat() for occurrence in found]}
        if any(occurrence.note for occurrence in found):
            told["left_out"] = {one.due_at.isoformat(): one.note for one in found if one.is_left_out}
            told["moved"] = {one.due_at.isoformat(): one.note for one in found if one.note and not one.is_left_out}
        print_json(told, indent=None)
        return
    say(f"{schedules.describe(plan)}.")
    if not found:
        say("It is never due after that moment.")
        return
    place = ZoneInfo(plan.zone)
    rows = [(_local(one, place), f"{one.due_at:%Y-%m-%d %H:%M:%S}Z", _note(plan, one, place)) for one in found]
    table((f"LOCAL ({plan.zone})", "UTC", "NOTE"), rows)
    changes = around_changes(plan, after)
    for change in schedules.next_transitions(plan.zone, after, 2):
        way = "forward" if change.kind == "gap" else "back"
        say(
            f"The clock goes {way} on {change.local_before:%Y-%m-%d} from {change.local_before:%H:%M:%S} to "
            f"{change.local_after:%H:%M:%S} ({change.at:%Y-%m-%d %H:%M:%S}Z)."
        )
        for around in (one for one in changes if one.change == change):
            _tell_around(plan, around, place)


def _tell_around(plan: Schedule, around: Around, place: ZoneInfo) -> None:
    """Print what a schedule does at a change of the clock."""
    for occurrence in around.moments:
        note = _note(plan, occurrence, place)
        told = f" ({note})" if note else ""
        say(f"  It is due {_local(occurrence, place)}, {occurrence.due_at:%Y-%m-%d %H:%M:%S}Z{told}.")
    if around.more:
        say("  And more around it.")
    for occurrence in around.left_out:
        say(f"  {occurrence.local:%H:%M:%S} does not exist that day; {plan.dst}: it does not run.")
    if not around.moments and not around.left_out:
        say("  It is not due then.")


def _windows(program: Program) -> Sequence[Blackout]:
    """Return the windows that concern all tasks; none where there is no database yet."""
    if not program.config.url:
        try:
            program.require_data()
        except ConfigError:
            # Nothing was made here yet, and a preview makes nothing.
            return []
    listed = program.source.list_blackouts()
    whole = (one for one in listed if not one["tasks"])
    return [build_blackout({name: one[name] for name in FIELDS}, default_zone=one["zone"]) for one in whole]


@contextlib.contextmanager
def _naming(field: str, typed: str) -> Iterator[None]:
    """Let problems of a field go by what a person typed here."""
    try:
        yield
    except InputError as error:
        renamed = (dataclasses.replace(one, field=typed if one.field == field else one.field) for one in error.problems)
        raise InputError(*renamed) from None


def _start(text: str | None, zone: str) -> datetime:
    if text is None:
        return clock.now()
    with _naming("at", "from"):
        return read_moment(text, zone, clock.now())


def _local(occurrence: Occurrence, place: ZoneInfo) -> str:
    return f"{occurrence.due_at.astimezone(place):%a %Y-%m-%d %H:%M:%S %Z}"


def _note(plan: Schedule, occurrence: Occurrence, place: ZoneInfo) -> str:
    """Return what a clock change has to do with a moment, empty for most."""
    if occurrence.note:
        return f"left out: {occurrence.note}" if occurrence.is_left_out else occurrence.note
    local = occurrence.due_at.astimezone(place)
    shown = local.replace(tzinfo=None, fold=0)
    if occurrence.local != shown:
        return f"{occurrence.local:%H:%M:%S} does not exist that day; {plan.dst}: at the first valid instant"
    if local.fold:
        return "second pass of a repeated hour"
    if local.replace(fold=1).astimezone(UTC) - occurrence.due_at > timedelta(0):
        return "first pass of a repeated hour"
    return ""
