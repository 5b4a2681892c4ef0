"""``watchbell tail`` and ``watchbell wait``: look on while a run goes, and learn how it ended."""

from __future__ import annotations

import sys

import click

from watchbell import clock
from watchbell.cli.complete import complete_task
from watchbell.cli.output import LOOK_SECONDS, STREAMS, Reader, print_all, readers_of
from watchbell.cli.program import Program, pass_program
from watchbell.cli.results import follow_to_end, require_success
from watchbell.cli.screen import examples, json_option, note, one_line, print_json, say, seconds_of
from watchbell.cli.source import RunQuery, RunRow
from watchbell.domain.run_state import ACTIVE, RunState
from watchbell.errors import NotFound

#: Lines are looked for in this much of the end of an output.
_END_BYTES = 1024 * 1024
_WHICH = click.argument("which", metavar="TASK|RUN", shell_complete=complete_task)


@click.command(
    short_help="Print the end of what a run wrote, and go on with it.",
    epilog=examples(
        "watchbell tail backup", "watchbell tail -f backup", "watchbell tail -n 100 --stream stderr 17",
        "watchbell tail -f backup && echo it went well",
    ),
)  # fmt: skip
@_WHICH
@click.option("-f", "--follow", "follows", is_flag=True,
              help="Go on until the run has ended; the exit code tells how.")  # fmt: skip
@click.option("-n", "--lines", type=click.IntRange(0, 100_000), default=10, show_default=True,
              help="How many of its last lines.")  # fmt: skip
@click.option("--stream", type=click.Choice([*STREAMS, "both"]), default="both", show_default=True,
              help="Which output; both prints one after the other, or as they grow with --follow.")  # fmt: skip
@pass_program
def tail(program: Program, *, which: str, follows: bool, lines: int, stream: str) -> None:
    """Print the last lines of what a run wrote: of a run by its id, or of a task's newest run.

    With --follow the exit code is that of "watchbell wait".
    """
    run = find_run(program, which)
    readers = readers_of(program, run.id, stream)
    if run.task_name != which and not which.isdecimal():
        note(f"run {run.id} of {one_line(run.task_name)}")
    for reader in readers:
        reader.skip_to_last(lines, _END_BYTES)
    if follows:
        # Nobody has to know when the output ends: the state of the run says it.
        while print_all(readers):
            sys.stdout.flush()
            clock.pause(LOOK_SECONDS)
        sys.stdout.flush()
        require_success(follow_to_end(program, program.source.find_run(run.id)))
        return
    _print_what_is_there(readers)


def _print_what_is_there(readers: list[Reader]) -> None:
    for reader in readers:
        while reader.print_more() and reader.has_more:
            pass


@click.command(
    short_help="Wait until a run has ended.",
    epilog=examples(
        "watchbell wait 17", "watchbell wait backup --timeout 10m || echo 'not yet, or not well'",
        "watchbell wait \"$(watchbell task trigger deploy)\" --json",
    ),
)  # fmt: skip
@_WHICH
@click.option("--timeout", metavar="SPAN", callback=seconds_of, help="Wait no longer than this, as 90s or 10m.")
@json_option
@pass_program
def wait(program: Program, *, which: str, timeout: float | None, as_json: bool) -> None:
    """Wait until a run has ended, a run by its id or a task's newest one, and tell by the exit code how it ended.

    0 it succeeded, 10 failed, 11 timed out, 12 was cancelled, 13 lost, 14 skipped, 15 missed; 75 it still goes on after
    --timeout.
    """
    run = follow_to_end(program, find_run(program, which), timeout)
    if as_json:
        print_json({"run_id": run.id, "task_name": run.task_name, "state": run.state, "exit_code": run.exit_code,
                    "reason": run.reason})  # fmt: skip
    elif run.state == RunState.SUCCEEDED:
        say(f"Run {run.id} of {one_line(run.task_name)} succeeded.")
    require_success(run)


def find_run(program: Program, which: str) -> RunRow:
    """Return the run of an id, or the newest of a task, one that goes on before one that is over; raises NotFound."""
    source = program.source
    # No task has such a name, since they have numbers, too.
    if which.isascii() and which.isdecimal() and len(which) < 19:
        return source.find_run(int(which))
    task = source.find_task(which)
    for states in (tuple(state.value for state in ACTIVE), ()):
        found = source.list_runs(RunQuery(task_id=task.id, states=states, limit=1)).runs
        if found:
            return found[0]
    raise NotFound(f"task {task.name!r} has not run yet")
