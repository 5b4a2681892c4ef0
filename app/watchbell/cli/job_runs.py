"""Runs in the words of the older program that called tasks jobs: ``watchbell runs``, ``run``, ``last``, ``status`` and ``trigger``."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

import click

from watchbell import clock
from watchbell.cli.complete import complete_task
from watchbell.cli.following import find_run
from watchbell.cli.output import LOOK_SECONDS, Reader, print_all, readers_of
from watchbell.cli.program import Program, pass_program
from watchbell.cli.results import follow_to_end, require_success
from watchbell.cli.screen import columns_of, examples, json_option, moment, note, pairs, print_json, say, span, table
from watchbell.cli.source import RunQuery, RunRow
from watchbell.domain.run_state import RunState
from watchbell.domain.schedule.moment import read_moment
from watchbell.errors import InputError, NotRunning

#: What that program called how a run ended; our further states go by their own names.
_STATUS = {RunState.SUCCEEDED: "OK", RunState.TIMED_OUT: "TIMEOUT"}
#: What counts as failed; a run that goes on does not.
_FAILED = (RunState.FAILED.value, RunState.TIMED_OUT.value, RunState.LOST.value)
_COLUMNS = ("id", "task_name", "state", "reason", "due_at", "started_at", "ended_at", "exit_code")
_JOB = click.argument("job", metavar="JOB", shell_complete=complete_task)


def status_of(run: RunRow) -> str:
    """Return one word for how a run ended or what it does."""
    state = RunState(run.state)
    return _STATUS.get(state, state.upper())


def list_runs(
    program: Program, *, job: str | None, limit: int, failed: bool, today: bool, since: str | None, as_json: bool
) -> None:
    """List runs in the columns of that program."""
    start = program.day_start(clock.now()) if today else _since(program, since) if since else None
    task_id = program.source.find_task(job).id if job is not None else None
    query = RunQuery(task_id=task_id, states=_FAILED if failed else (), since=start, limit=limit)
    found = program.source.list_runs(query).runs
    if as_json:
        print_json([columns_of(run, _COLUMNS) for run in found])
        return
    if not found:
        say("No run fits.")
        return
    rows = [
        (run.id, run.task_name, moment(run.started_at, program.zone), _exit(run), _duration(run), status_of(run))
        for run in found
    ]
    table(("ID", "JOB", f"STARTED ({program.zone.key})", "EXIT", "DURATION", "STATUS"), rows, right=(0,))


@click.command(short_help="Show a run with what it wrote.", epilog=examples("watchbell run 17"))
@click.argument("run_id", metavar="RUN_ID", type=click.IntRange(min=1, max=2**63 - 1))
@json_option
@pass_program
def run(program: Program, *, run_id: int, as_json: bool) -> None:
    """Show one run and what it wrote. "watchbell runs show" has its transitions and resources."""
    _show(program, program.source.find_run(run_id), as_json)


@click.command(short_help="Show a job's newest run with what it wrote.", epilog=examples("watchbell last backup"))
@_JOB
@json_option
@pass_program
def last(program: Program, *, job: str, as_json: bool) -> None:
    """Show the newest run of a job and what it wrote; one that goes on comes before one that is over."""
    _show(program, find_run(program, program.source.find_task(job).name), as_json)


@click.command(
    short_help="Count jobs and today's runs.", epilog=examples("watchbell status", "watchbell status --json")
)
@json_option
@pass_program
def status(program: Program, *, as_json: bool) -> None:
    """Count jobs and today's runs, and say whether the scheduler runs. "watchbell scheduler status" has an exit code."""
    counts = program.source.count()
    found = program.source.scheduler_status()
    failed = sum(counts.today.get(state, 0) for state in _FAILED)
    if as_json:
        print_json({"total_jobs": counts.tasks, "enabled_jobs": counts.enabled, "running": counts.running,
                    "waiting": counts.waiting, "today": dict(counts.today), "scheduler": found.state})  # fmt: skip
        return
    pairs(
        {
            "Jobs": counts.tasks,
            "Enabled": counts.enabled,
            "Disabled": counts.tasks - counts.enabled,
            "Running": counts.running,
            "Waiting": counts.waiting,
            "Today": f"{counts.today.get(RunState.SUCCEEDED, 0)} OK, {failed} failed",
            "Scheduler": found.state,
        }
    )


@click.command(
    short_help="Run a job now and print what it writes.",
    epilog=examples("watchbell trigger backup", "watchbell trigger backup --no-wait"),
)
@click.argument("name", metavar="NAME", shell_complete=complete_task)
@click.option("--no-wait", is_flag=True, help="Only ask for the run, and print its id.")
@json_option
@pass_program
def trigger(program: Program, *, name: str, no_wait: bool, as_json: bool) -> None:
    """Run a job now, enabled or not, print what it writes, and tell by the exit code how it ended.

    The scheduler starts it, so one has to run. Ctrl-C ends the looking on and not the run. The exit codes are those of
    "watchbell wait".
    """
    source = program.source
    task = source.find_task(name)
    if not no_wait and not source.scheduler_status().is_alive:
        raise NotRunning(
            "the scheduler is not running, so nothing was started; start it: watchbell scheduler start, or let the run "
            "wait for it: --no-wait"
        )
    asked = source.trigger_task(task)
    if no_wait:
        if as_json:
            print_json({"run_id": asked.id, "state": asked.state})
        else:
            say(str(asked.id))
        return
    if as_json:
        ended = follow_to_end(program, asked)
        print_json(_values(program, ended))
    else:
        note(f"run {asked.id}")
        _look_on(readers_of(program, asked.id, "both"))
        ended = follow_to_end(program, source.find_run(asked.id))
        note(f"run {asked.id}: {status_of(ended)}, {_duration(ended)}")
    require_success(ended)


def _look_on(readers: list[Reader]) -> None:
    while print_all(readers):
        sys.stdout.flush()
        clock.pause(LOOK_SECONDS)
    sys.stdout.flush()


def _show(program: Program, found: RunRow, as_json: bool) -> None:
    if as_json:
        print_json(_values(program, found))
        return
    pairs(
        {
            "ID": found.id,
            "Job": found.task_name,
            "Status": status_of(found),
            "Why": found.reason,
            "Started": moment(found.started_at, program.zone),
            "Ended": moment(found.ended_at, program.zone),
            "Duration": _duration(found),
            "Exit code": found.exit_code,
        }
    )
    for stream in ("stdout", "stderr"):
        piece = program.source.read_output(found.id, stream, 0, 1)
        if piece.size:
            say(f"\n{stream.upper()}:")
            (reader,) = readers_of(program, found.id, stream)
            while reader.print_more() and reader.has_more:
                pass


def _values(program: Program, found: RunRow) -> dict[str, Any]:
    """Return what programs learn of a run: also the beginning of what it wrote, as text."""
    limit = 1024 * 1024
    written = {
        stream: program.source.read_output(found.id, stream, 0, limit).data.decode(errors="replace")
        for stream in ("stdout", "stderr")
    }
    return {**columns_of(found, _COLUMNS), "status": status_of(found), **written}


def _since(program: Program, text: str) -> datetime:
    """Return the moment from which on runs are listed: a day, or a day and a time, in the zone in which times are shown."""
    try:
        # A day alone begins at its first moment.
        return read_moment(text if len(text.strip()) > 10 else f"{text.strip()} 00:00", program.zone.key, clock.now())
    except InputError:
        raise click.BadParameter(
            f"{text[:40]!r} is not a date; for example: 2030-01-31", param_hint="--since"
        ) from None


def _exit(found: RunRow) -> object:
    return "-" if found.exit_code is None else found.exit_code


def _duration(found: RunRow) -> str:
    if found.started_at is None:
        return "-"
    return span(((found.ended_at or clock.now()) - found.started_at).total_seconds())
