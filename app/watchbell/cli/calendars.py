"""``watchbell calendar``: named calendars of days, which schedules leave out, keep to, or move away from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from watchbell.cli.foresight import dry_run_option, tell
from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import examples, json_option, one_line, print_json, say, table
from watchbell.errors import InputError

_NAME = click.argument("name", metavar="NAME")


def _day_options(function: Any) -> Any:
    for option in reversed(
        (
            click.option("--day", "days", multiple=True, metavar="TEXT",
                         help="A line, as '2030-12-25 Christmas Day', '2030-08-05/2030-08-16 Works holiday' or, for every "
                         "year, '12-25 Christmas Day'; give it again for more."),
            click.option("--file", "days_file", metavar="FILE", help="Such lines from a file, or - for standard input."),
            click.option("--weekdays", metavar="LIST", help="Days of every week, as sat,sun; '' for none."),
            click.option("--ical", "ical_file", metavar="FILE", help="Add the events of an iCalendar file."),
            click.option("--country", metavar="CODE", help="Add the public holidays of a country, as DE."),
            click.option("--region", metavar="CODE", help="With --country: those of a region too, as BW."),
            click.option("--years", metavar="N", help="With --country: for so many years from this one on. Default: 10."),
            click.option("--description", metavar="TEXT", help="What it is."),
        )
    ):  # fmt: skip
        function = option(function)
    return function


@click.group(short_help="Calendars of days that tasks leave out, keep to, or move away from.")
def calendar() -> None:
    """Calendars of days that tasks leave out, keep to, or move away from. A task names its own: task edit --calendar."""


@calendar.command("list", short_help="List calendars.", epilog=examples("watchbell calendar list"))
@json_option
@pass_program
def list_calendars(program: Program, *, as_json: bool) -> None:
    """List all calendars and how many tasks name each."""
    found = program.source.list_calendars()
    if as_json:
        print_json(list(found))
        return
    rows = [
        (one["name"], len(one["days"]), ",".join(one["weekdays"]) or "-", one["tasks"], one["description"])
        for one in found
    ]
    table(("CALENDAR", "LINES", "WEEKDAYS", "TASKS", "DESCRIPTION"), rows, right=(1, 3))


@calendar.command(short_help="Show the days of a calendar.", epilog=examples("watchbell calendar show holidays-de"))
@_NAME
@json_option
@pass_program
def show(program: Program, *, name: str, as_json: bool) -> None:
    """Show the lines of a calendar, as --file takes them."""
    found = program.source.find_calendar(name)
    if as_json:
        print_json(dict(found))
        return
    if found["weekdays"]:
        say(f"Every week on {', '.join(found['weekdays'])}.")
    for line in found["days"]:
        say(one_line(line))


@calendar.command(
    short_help="Make a calendar.",
    epilog=examples(
        "watchbell calendar add holidays-bw --country DE --region BW --weekdays sat,sun",
        "watchbell calendar add closed --day '2030-08-05/2030-08-16 Works holiday' --day '12-24'",
        "watchbell calendar add team --ical team.ics",
    ),
)
@_NAME
@_day_options
@dry_run_option
@json_option
@pass_program
def add(program: Program, /, *, name: str, as_json: bool, dry_run: bool, **options: Any) -> None:
    """Make a calendar of own days, of an iCalendar file, or of the public holidays of a country, or of all of them.

    No task can name it yet, so --dry-run says only whether its days can be read.
    """
    fields = {"name": name, **_fields(options)}
    if dry_run:
        tell(program.source.foresee_calendar(None, fields), as_json=as_json, zone=program.zone)
        return
    made = program.source.add_calendar(fields)
    _tell(made, as_json=as_json, verb="made")


@calendar.command(
    short_help="Change a calendar.",
    epilog=examples(
        "watchbell calendar edit holidays-bw --country DE --region BW --years 10",
        "watchbell calendar edit closed --rename works-holiday",
    ),
)
@_NAME
@click.option("--rename", metavar="NAME", help="Another name; the tasks that name it follow.")
@_day_options
@dry_run_option
@json_option
@pass_program
def edit(program: Program, /, *, name: str, rename: str | None, as_json: bool, dry_run: bool, **options: Any) -> None:
    """Change a calendar; the tasks that name it follow. --day and --file replace its lines, what is from elsewhere is added."""
    fields = _fields(options) | ({"name": rename} if rename else {})
    if not fields:
        raise click.UsageError("Say what to change.")
    found = program.source.find_calendar(name)
    if dry_run:
        tell(program.source.foresee_calendar(found, fields), as_json=as_json, zone=program.zone)
        return
    changed = program.source.change_calendar(found, fields)
    _tell(changed, as_json=as_json, verb="changed")


@calendar.command(
    short_help="Remove a calendar that no task names.", epilog=examples("watchbell calendar remove closed")
)
@_NAME
@json_option
@pass_program
def remove(program: Program, *, name: str, as_json: bool) -> None:
    """Remove a calendar; it is refused while a task names it."""
    found = program.source.find_calendar(name)
    program.source.remove_calendar(found)
    if as_json:
        print_json({"name": found["name"], "removed": True})
    else:
        say(f"Calendar {one_line(found['name'])} is removed.")


def _tell(found: Mapping[str, Any], *, as_json: bool, verb: str) -> None:
    if as_json:
        print_json(dict(found))
        return
    tasks = f"; {found['tasks']} task(s) follow" if found["tasks"] else ""
    say(f"Calendar {one_line(found['name'])} is {verb}: {len(found['days'])} line(s){tasks}.")


def _fields(options: Mapping[str, Any]) -> dict[str, object]:
    given = {name: options[name] for name in ("country", "region", "description") if options[name] is not None}
    if options["years"] is not None:
        if not str(options["years"]).isdecimal():
            raise InputError.of("years", "must be a whole number", "10")
        given["years"] = int(options["years"][:9])
    lines = list(options["days"])
    if options["days_file"] is not None:
        lines += [line for line in _read("days", options["days_file"]).splitlines() if line.strip()]
    if lines:
        given["days"] = lines
    if options["weekdays"] is not None:
        given["weekdays"] = [name for name in options["weekdays"].replace(",", " ").split() if name]
    if options["ical_file"] is not None:
        given["ical"] = _read("ical", options["ical_file"])
    return given


def _read(field: str, file: str) -> str:
    try:
        with click.open_file(file, encoding="utf-8-sig") as opened:
            return str(opened.read())
    except OSError as error:
        raise InputError.of(field, f"{file[:200]!r} cannot be read: {error.strerror}", Path(file).name) from None
    except UnicodeDecodeError:
        raise InputError.of(field, f"{file[:200]!r} is not a text in UTF-8") from None
