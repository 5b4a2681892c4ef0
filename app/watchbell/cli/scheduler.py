"""``watchbell scheduler``: the process that runs tasks on time."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import tzinfo
from typing import TYPE_CHECKING, Any

import click

from watchbell import clock
from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import examples, follow, json_option, moment, pairs, print_json, say, table
from watchbell.control import logfile
from watchbell.control.logfile import LogLine
from watchbell.domain.presence import SchedulerState
from watchbell.errors import EXIT_FAILURE, EXIT_NOT_RUNNING, EXIT_OK

if TYPE_CHECKING:
    from watchbell.control.process import SchedulerStatus

_LOOK_SECONDS = 0.25


@click.group(short_help="Run, start, stop and watch the scheduler.")
def scheduler() -> None:
    """Run, start, stop and watch the scheduler: the process that runs tasks on time.

    Stopping it ends no command that it has started; what goes on is looked after by the next start.
    """


@scheduler.command(short_help="Be the scheduler, in the foreground.", epilog=examples("watchbell scheduler run"))
@pass_program
def run(program: Program) -> int:
    """Be the scheduler until TERM or Ctrl-C, in the foreground; for systemd and for looking on."""
    # The scheduler and the clock behind it are loaded by the one command that is them.
    from watchbell.scheduler import main as program_2

    return program_2.run(program.config)


@scheduler.command(short_help="Start the scheduler in the background.", epilog=examples("watchbell scheduler start"))
@json_option
@pass_program
def start(program: Program, *, as_json: bool) -> int:
    """Start the scheduler in the background and wait for its first heartbeat, at most a minute.

    One that is slower goes on starting; the exit code is 1 then, and its status tells when it runs.
    """
    return _report_start(program.source.start_scheduler(), as_json)


@scheduler.command(
    short_help="Stop the scheduler, whoever started it.",
    epilog=examples("watchbell scheduler stop", "watchbell scheduler stop --kill"),
)
@click.option("--kill", is_flag=True, help="End it by force if it has not ended within 15 s; no result is lost.")
@json_option
@pass_program
def stop(program: Program, *, kill: bool, as_json: bool) -> None:
    """Stop the scheduler, whoever started it, and say what still runs without it."""
    outcome = program.source.stop_scheduler(kill=kill)
    if as_json:
        print_json(dataclasses.asdict(outcome))
    else:
        say(outcome.message)


@scheduler.command(
    short_help="Stop the scheduler if it runs, then start it.", epilog=examples("watchbell scheduler restart")
)
@json_option
@pass_program
def restart(program: Program, *, as_json: bool) -> int:
    """Stop the scheduler if it runs, then start it in the background and wait for it as a start does."""
    return _report_start(program.source.restart_scheduler(), as_json)


@scheduler.command(
    short_help="Say whether the scheduler runs.",
    epilog=f"Exit codes: {EXIT_OK} it runs, {EXIT_FAILURE} it is stalled, {EXIT_NOT_RUNNING} it does not run.",
)
@json_option
@pass_program
def status(program: Program, *, as_json: bool) -> int:
    """Say whether the scheduler runs, since when, and whether it works."""
    found = program.source.scheduler_status()
    _report(found, as_json)
    if found.state is SchedulerState.STALLED:
        return EXIT_FAILURE
    return EXIT_OK if found.is_alive else EXIT_NOT_RUNNING


@scheduler.command(
    "list",
    short_help="List the schedulers of the database.",
    epilog=examples("watchbell scheduler list", "watchbell scheduler list --json"),
)
@json_option
@pass_program
def list_all(program: Program, *, as_json: bool) -> None:
    """List the schedulers that work on the database or did, on whatever host: which of them leads, and when each was heard of last.

    The leader does what is done once for all of them.
    """
    found = program.source.list_schedulers()
    if as_json:
        print_json(found)
        return
    if not found:
        say("No scheduler has been heard of yet.")
        return
    heads = ("User", "Host", "Environment", "Version", "Leads", "Runs", "Load", "Session", "Last sign", "State")
    table(heads, [_row(one, program.zone) for one in found], flexible=1, right=(5, 6))


@scheduler.command(
    short_help="Print the scheduler's log.",
    epilog=examples("watchbell scheduler logs -n 20", "watchbell scheduler logs --follow"),
)
@click.option("-n", "--lines", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many lines.")
@click.option("-f", "--follow", "follows", is_flag=True, help="Go on with what is added, until Ctrl-C.")
@json_option
@pass_program
def logs(program: Program, *, lines: int, follows: bool, as_json: bool) -> None:
    """Print the last lines of the scheduler's log."""
    program.require_data()
    path = program.config.log_path
    offset = logfile.size(path)
    found = logfile.tail(path, lines)
    if as_json:
        print_json([dataclasses.asdict(line) for line in found])
        return
    if not found and not follows:
        say("The log is empty.")
    _print_lines(found)
    if not follows:
        return

    def step() -> bool:
        nonlocal offset
        part = logfile.read_from(path, offset)
        _print_lines(part.lines)
        offset = part.offset
        return True

    follow(step, clock.pause, _LOOK_SECONDS)


def _row(one: Mapping[str, Any], zone: tzinfo) -> tuple[object, ...]:
    # A server of an earlier version tells neither the load nor who leads.
    load = one.get("load_average")
    return (
        one["user"],
        one["host"],
        one["environment"],
        one["version"],
        "yes" if one.get("leads") else "",
        one["running"],
        "" if load is None else f"{load:.2f}",
        one["session_id"],
        moment(one["beat_at"], zone),
        "Stopped" if one["stopped_at"] else one["words"],
    )


def _print_lines(lines: list[LogLine]) -> None:
    for line in lines:
        say(str(line))


def _report_start(status: SchedulerStatus, as_json: bool) -> int:
    _report(status, as_json)
    return EXIT_OK if status.state is SchedulerState.RUNNING else EXIT_FAILURE


def _report(status: SchedulerStatus, as_json: bool) -> None:
    values: dict[str, Any] = dataclasses.asdict(status)
    if as_json:
        print_json(values)
        return
    word = status.state.capitalize()
    say(status.message if status.message.startswith(word) else f"{word}. {status.message}")
    if status.is_alive:
        pairs({"PID": status.pid, "Runs as": f"{status.user}@{status.host} ({status.environment})" if status.user else "",
               "Version": status.version, "Commands going on": status.running or None})  # fmt: skip
