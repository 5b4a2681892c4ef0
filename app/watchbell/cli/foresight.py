"""What commands ask before they change something: what it would do to the runs of the coming days, and how that is printed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

import click

from watchbell import clock
from watchbell.cli.screen import one_line, print_json, say

if TYPE_CHECKING:
    from watchbell.cli.program import Program
    from watchbell.cli.source import TaskRow

dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Change nothing, and say which runs of the next 30 days would come, go or move."
)
_NAMED = 5


class ForesightSource(Protocol):
    """What would happen, each as ``services.simulation.told`` has it."""

    def foresee_task(self, task: TaskRow | None, fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Return what it would do to make or to change a task; raises InputError."""

    def foresee_deletion(self, task: TaskRow) -> Mapping[str, Any]:
        """Return what it would do to delete a task."""

    def foresee_calendar(self, found: Mapping[str, Any] | None, fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Return what it would do to make or to change a calendar; raises InputError."""

    def foresee_blackout(
        self, found: Mapping[str, Any] | None, fields: Mapping[str, object] | None
    ) -> Mapping[str, Any]:
        """Return what it would do to make a blackout, to change one, or with no fields to remove it; raises InputError."""


class LocalForesight:
    """Answers from the database of this machine."""

    _program: Program

    def foresee_task(self, task: TaskRow | None, fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Return what it would do to make or to change a task."""
        from watchbell.services import simulation, tasks

        db, defaults, now = self._program.existing_db, self._program.defaults, clock.now()
        row = tasks.get(db, task.id) if task is not None else None
        base = tasks.definition_of(row) if row is not None else None
        definition = tasks.check(fields, now=now, defaults=defaults, base=base)
        return simulation.told(simulation.of_edits(db, [simulation.Edit(row, definition)], now=now))

    def foresee_deletion(self, task: TaskRow) -> Mapping[str, Any]:
        """Return what it would do to delete a task."""
        from watchbell.services import simulation, tasks

        db = self._program.existing_db
        return simulation.told(
            simulation.of_edits(db, [simulation.Edit(tasks.get(db, task.id), None)], now=clock.now())
        )

    def foresee_calendar(self, found: Mapping[str, Any] | None, fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Return what it would do to make or to change a calendar."""
        from watchbell.services import foresight, simulation

        db, number = self._program.existing_db, found["id"] if found is not None else None
        return simulation.told(foresight.of_calendar(db, number, fields, now=clock.now()))

    def foresee_blackout(
        self, found: Mapping[str, Any] | None, fields: Mapping[str, object] | None
    ) -> Mapping[str, Any]:
        """Return what it would do to make, to change or to remove a blackout."""
        from watchbell.services import foresight, simulation

        db, zone, number = self._program.existing_db, self._program.config.zone, found["id"] if found else None
        return simulation.told(foresight.of_blackout(db, number, fields, now=clock.now(), default_zone=zone))


def tell(found: Mapping[str, Any], *, as_json: bool, zone: ZoneInfo) -> None:
    """Print what a change would do; that nothing was done stands at the end."""
    if as_json:
        print_json({"dry_run": True, "simulation": found})
        return
    tell_lines(found, zone)
    say("Nothing was changed.")


def tell_lines(found: Mapping[str, Any], zone: ZoneInfo) -> None:
    """Print what a change would do to the runs of the coming days."""
    counts = [(word, found[word]["count"]) for word in ("added", "removed", "moved")]
    told = ", ".join(f"{count} {word}" for word, count in counts if count)
    if not told:
        say("No run of the next 30 days changes.")
        return
    tasks = f"of {found['tasks']} task{'s' if found['tasks'] > 1 else ''}"
    say(f"Runs of the next 30 days, {tasks}: {told}.")
    for sign, word in (("+", "added"), ("-", "removed"), ("~", "moved")):
        for change in found[word]["first"]:
            say(f"{sign} {one_line(change['task'])}: {_times(change)}")
        if (more := found[word]["count"] - len(found[word]["first"])) > 0:
            say(f"{sign} and {more} more")
    _tell_peaks(found, zone)
    for one in found["collisions"]:
        names = ", ".join(map(one_line, one["tasks"][:_NAMED]))
        more = len(one["tasks"]) - _NAMED + one["others"]
        rest = f" and {more} more" if more > 0 else ""
        days = f", and at that time on {one['days'] - 1} more days" if one["days"] > 1 else ""
        at = _local(one["local_time"], one["zone"])
        say(f"! {one['after']} tasks start at {at}{days} (before: {one['before']}): {names}{rest}")
    if found["compared_until"]:
        say(f"What is due very often was compared until {_in(found['compared_until'], zone)}.")
    say("These are the times of the schedules: a spread of starts, and pauses, are not counted.")


def _tell_peaks(found: Mapping[str, Any], zone: ZoneInfo) -> None:
    before, after = found["peak_before"], found["peak_after"]
    if after is None:
        return
    was = f"before: {before['runs']} at {_in(before['at'], zone)}" if before else "before: nothing"
    say(f"Most at once: {after['runs']} at {_in(after['at'], zone)} ({was}).")


def _times(change: Mapping[str, Any]) -> str:
    both = [change[name] for name in ("before_local", "after_local") if change[name]]
    return " -> ".join(_local(text, change["zone"]) for text in both)


def _local(text: str, zone: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M:%S %Z}"


def _in(at: datetime | str, zone: ZoneInfo) -> str:
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    return f"{moment.astimezone(zone):%a %Y-%m-%d %H:%M:%S %Z}"
