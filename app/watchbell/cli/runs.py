"""``watchbell runs``: what happened, why, and what it printed."""

from __future__ import annotations

from typing import Any

import click

from watchbell import clock
from watchbell.cli import parameters
from watchbell.cli.complete import complete_task
from watchbell.cli.output import LOOK_SECONDS, STREAMS, print_all, readers_of
from watchbell.cli.program import Program, pass_program
from watchbell.cli.run_groups import group
from watchbell.cli.screen import (
    columns_of,
    examples,
    follow,
    json_option,
    moment,
    one_line,
    pairs,
    print_json,
    say,
    span,
    table,
)
from watchbell.cli.source import RunQuery, RunRow, RunVerdict
from watchbell.cli.steps import steps_json, tell_steps
from watchbell.domain import decision
from watchbell.domain.run_state import RunState
from watchbell.errors import InputError

_COLUMNS = (
    "id", "task_id", "task_name", "task_version", "trigger", "due_at", "local_time", "zone", "state", "reason",
    "stands_for", "requested_by", "attempts", "created_at", "started_at", "ended_at", "exit_code", "queue", "priority",
    "start_by", "retry_at", "rerun_of", "decision", "parameters", "group_id", "round",
)  # fmt: skip
_ATTEMPT = (
    "number", "pid", "started_at", "ended_at", "exit_code", "signal", "reason", "user_seconds", "system_seconds",
    "max_rss_kib",
)  # fmt: skip
_VERDICT = ("run_id", "verdict", "reason", "expected_by", "expected_at")
_EVENT = ("at", "from_state", "to_state", "path", "actor", "reason", "is_late_report")
_NUMBER = click.IntRange(min=1, max=2**63 - 1)
_ID = click.argument("run_id", metavar="ID", type=_NUMBER)


@click.group(
    invoke_without_command=True,
    short_help="List runs, show one, read its output.",
    epilog=examples("watchbell runs", "watchbell runs -j backup --failed --today", "watchbell runs list --task backup"),
)
@click.option("-j", "--job", metavar="NAME", shell_complete=complete_task, help="Only runs of this job.")
@click.option("-n", "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most so many.")
@click.option("-f", "--failed", is_flag=True, help="Only runs that failed, timed out or were lost.")
@click.option("--today", is_flag=True, help="Only runs that were due today.")
@click.option("--since", metavar="DATE", help="Only runs that were due since, as 2030-01-31 or '2030-01-31 09:30'.")
@json_option
@click.pass_context
def runs(
    context: click.Context, *, job: str | None, limit: int, failed: bool, today: bool, since: str | None, as_json: bool
) -> None:
    """List runs, show one with its transitions, read its output.

    Without a command the newest runs are listed with the status words OK, FAILED, TIMEOUT and RUNNING, as the older program
    did; "watchbell runs list" has the states of Watchbell and pages.
    """
    if context.invoked_subcommand is not None:
        if any((job, failed, today, since, as_json)):
            raise click.UsageError(
                f"These options stand behind the command: watchbell runs {context.invoked_subcommand}"
            )
        return
    if today and since:
        raise click.UsageError("Give one of --today and --since.")
    from watchbell.cli import job_runs

    program = context.find_object(Program)
    assert program is not None
    job_runs.list_runs(program, job=job, limit=limit, failed=failed, today=today, since=since, as_json=as_json)


@runs.command(
    "list",
    short_help="List runs, newest first.",
    epilog=examples("watchbell runs list --task backup -n 5", "watchbell runs list --state failed --state lost --json"),
)
@click.option("--task", "task_name", metavar="NAME", help="Only runs of this task.")
@click.option("--state", "states", multiple=True, type=click.Choice([state.value for state in RunState]), metavar="STATE",
              help=f"Only runs in this state; give it again for more: {', '.join(RunState)}.")  # fmt: skip
@click.option("--undecided", is_flag=True, help="Only lost runs that wait for a decision.")
@click.option("-n", "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most so many.")
@click.option("--before", "before_id", type=_NUMBER, metavar="ID", help="Only runs older than this one, to page on.")
@json_option
@pass_program
def list_runs(
    program: Program, *, task_name: str | None, states: tuple[str, ...], undecided: bool, limit: int,
    before_id: int | None, as_json: bool,
) -> None:  # fmt: skip
    """List runs, newest first."""
    if undecided and (states or before_id is not None):
        raise click.UsageError("--undecided goes with --task and --limit only.")
    task_id = program.source.find_task(task_name).id if task_name is not None else None
    query = RunQuery(task_id=task_id, states=states, before_id=before_id, limit=limit, undecided=undecided)
    page = program.source.list_runs(query)
    if as_json:
        print_json([_plain(run) for run in page.runs])
        return
    if not page.runs:
        say("No run fits.")
        return
    heads = ("ID", "TASK", "STATE", f"DUE ({program.zone.key})", "TOOK", "EXIT", "WHY")
    table(heads, [_row(program, run) for run in page.runs], right=(0,))
    if page.has_older and not undecided:
        say(f"More: --before {page.runs[-1].id}")


@runs.command(short_help="Show one run with its transitions.", epilog=examples("watchbell runs show 17"))
@_ID
@json_option
@pass_program
def show(program: Program, *, run_id: int, as_json: bool) -> None:
    """Show one run: its state and why, its attempts with their resources, and every transition."""
    detail = program.source.show_run(run_id)
    if as_json:
        print_json(
            {
                **_plain(detail.run),
                "command": detail.definition.get("command"),
                "attempt_list": [
                    {
                        **columns_of(attempt, _ATTEMPT),
                        "steps": steps_json(detail.steps_of.get(attempt.number, ())),
                    }
                    for attempt in detail.attempts
                ],
                "events": [columns_of(event, _EVENT) for event in detail.events],
            }
        )
        return
    run, zone = detail.run, program.zone
    attempt = detail.attempts[-1] if detail.attempts else None
    pairs(
        {
            "Run": run.id,
            "Task": f"{run.task_name} (version {run.task_version}{'' if detail.task_exists else ', deleted'})",
            "Command": detail.definition.get("command") or None,
            "Parameters": parameters.given_words(detail.definition.get("parameters"), run.parameters),
            "State": run.state,
            "Why": run.reason,
            "Due": f"{moment(run.due_at, zone)} {zone.key} ({run.trigger})",
            "Started": moment(run.started_at, zone),
            "Ended": moment(run.ended_at, zone),
            "Took": _took(run),
            "Queue": f"{run.queue}, priority {run.priority}" if run.priority else run.queue,
            "Given up at": moment(run.start_by, zone) if run.start_by and run.state == RunState.QUEUED else None,
            "Attempts": run.attempts if run.attempts > 1 else None,
            "Next attempt": moment(run.retry_at, zone) if run.retry_at else None,
            "Repeats run": run.rerun_of,
            "Chain": f"began with run {run.group_id}; see: watchbell runs group {run.id}" if run.group_id else None,
            "Decision": _decision(run),
            "Exit code": run.exit_code,
            "PID": attempt.pid if attempt else None,
            "CPU": f"{attempt.user_seconds:.2f} s user, {attempt.system_seconds or 0:.2f} s system"
            if attempt and attempt.user_seconds is not None
            else None,
            "Memory": f"{attempt.max_rss_kib / 1024:.1f} MiB at most" if attempt and attempt.max_rss_kib else None,
        }
    )
    tell_steps(detail.steps, zone)
    say()
    head = ("AT", "FROM", "TO", "BY", "WHY")
    table(head, [(moment(e.at, zone), e.from_state or "-", _reached(e), e.actor, e.reason) for e in detail.events])


def _reached(event: Any) -> str:
    """Return where a transition leads, as the table shows it."""
    return "(late report)" if event.is_late_report else str(event.to_state)


@runs.command(
    short_help="Print what a run wrote.",
    epilog=examples(
        "watchbell runs logs 17", "watchbell runs logs 17 --follow", "watchbell runs logs 17 --raw > out.bin"
    ),
)
@_ID
@click.option("--stream", type=click.Choice([*STREAMS, "both"]), default="both", show_default=True,
              help="Which output; both prints one after the other, or as they grow with --follow.")  # fmt: skip
@click.option("-f", "--follow", "follows", is_flag=True, help="Go on until the run has ended.")
@click.option("--raw", is_flag=True, help="Print the bytes as they are; without it no escape sequence survives.")
@click.option("--attempt", type=_NUMBER, metavar="N", help="Which attempt. Default: the newest.")
@pass_program
def logs(program: Program, *, run_id: int, stream: str, follows: bool, raw: bool, attempt: int | None) -> None:
    """Print what a run wrote to its standard output and standard error."""
    program.source.find_run(run_id)
    readers = readers_of(program, run_id, stream, attempt=attempt, raw=raw)
    if follows:
        follow(lambda: print_all(readers), clock.pause, LOOK_SECONDS)
        return
    for reader in readers:
        while reader.print_more() and reader.has_more:
            pass


@runs.command(
    short_help="End a run, or take it out of its queue.",
    epilog=examples("watchbell runs cancel 17", "watchbell runs cancel 17 && watchbell wait 17"),
)
@_ID
@json_option
@pass_program
def cancel(program: Program, *, run_id: int, as_json: bool) -> None:
    """Ask for a run's end: one that waits is cancelled at once, a command gets TERM and, after its grace, KILL."""
    asked = program.source.cancel_run(run_id)
    if as_json:
        print_json(_plain(asked))
    elif asked.state == RunState.CANCELLED:
        say(f"Run {run_id} is cancelled.")
    else:
        say(f"Run {run_id} is being ended.")


@runs.command(
    short_help="Run a task again as in a run.",
    epilog=examples("watchbell runs again 17", "watchbell runs again 17 --exactly", "watchbell runs again 17 --chain"),
)
@_ID
@click.option("--exactly", is_flag=True, help="By the version that it ran, and with its values as they were.")
@click.option("--chain", "in_chain", is_flag=True, help="As a step of its chain: what comes after it follows.")
@json_option
@pass_program
def again(program: Program, *, run_id: int, exactly: bool, in_chain: bool, as_json: bool) -> None:
    """Ask for another run like this one, of the task as it is now and with the values that it still takes."""
    if exactly and in_chain:
        raise click.UsageError("Give one of --exactly and --chain.")
    source = program.source
    made = source.find_run(source.run_in_chain(run_id)) if in_chain else source.run_again(run_id, exactly=exactly)
    if as_json:
        print_json(_plain(made))
    else:
        say(str(made.id))


@runs.command(
    short_help="Write the files that run it again elsewhere.",
    epilog=examples("watchbell runs bundle 17", "watchbell runs bundle 17 -o failure.zip"),
)
@_ID
@click.option("--output", "-o", type=click.Path(dir_okay=False), metavar="FILE", help="Default: run-ID.zip, here.")
@pass_program
def bundle(program: Program, *, run_id: int, output: str | None) -> None:
    """Write a zip of what a run ran: script, variables with placeholders for secrets, limits, values, and its output."""
    data = program.source.read_bundle(run_id)
    place = output or f"run-{run_id}.zip"
    try:
        with click.open_file(place, "wb") as file:
            file.write(data)
    except OSError as error:
        raise InputError.of("output", f"{place[:200]!r} cannot be written: {error.strerror}") from None
    if place != "-":
        say(f"Wrote {one_line(place)}: unpack it and read README.md.")


@runs.command(
    short_help="Decide about a run of which nobody knows whether it ran.",
    epilog=examples("watchbell runs list --undecided", "watchbell runs decide 17 run_again"),
)
@_ID
@click.argument("choice", type=click.Choice(decision.CHOICES), metavar="CHOICE")
@json_option
@pass_program
def decide(program: Program, *, run_id: int, choice: str, as_json: bool) -> None:
    """Decide about a lost run of a task that is set to ask: run_again makes a new run of it, leave makes none."""
    made = program.source.decide(run_id, choice)
    if as_json:
        print_json(_plain(made))
    elif made.id == run_id:
        say(f"Run {run_id} is left as it is.")
    else:
        say(f"Run {run_id} is run again as run {made.id}.")


@runs.command(
    short_help="Tell whether a run was as usual.",
    epilog=examples("watchbell runs verdict 17", "watchbell runs verdict 17 --json"),
)
@_ID
@json_option
@pass_program
def verdict(program: Program, *, run_id: int, as_json: bool) -> None:
    """Tell what a run was like beside the earlier ones of its task: usual, slow, fast, heavy or empty, and why."""
    _tell_verdict(program, program.source.find_verdict(run_id), as_json)


@runs.command(
    short_help="Say that an unusual run was as it should be.",
    epilog=examples("watchbell runs expect 17", "watchbell runs expect 17 --undo"),
)
@_ID
@click.option("--undo", is_flag=True, help="Take it back.")
@json_option
@pass_program
def expect(program: Program, *, run_id: int, undo: bool, as_json: bool) -> None:
    """Say that an unusual run was as it should be, however slow or heavy: the next ones like it are usual."""
    _tell_verdict(program, program.source.expect(run_id, undo=undo), as_json)


runs.add_command(group)


def _plain(found: RunRow) -> dict[str, object]:
    """Return the columns of a run; one that was given no values of parameters says so as a server does."""
    return {**columns_of(found, _COLUMNS), "parameters": found.parameters or {}}


def _tell_verdict(program: Program, told: RunVerdict, as_json: bool) -> None:
    if as_json:
        print_json(columns_of(told, _VERDICT))
        return
    pairs(
        {
            "Run": told.run_id,
            "Verdict": told.verdict,
            "Why": told.reason or None,
            "Expected": f"by {told.expected_by}, {moment(told.expected_at, program.zone)}"
            if told.expected_at is not None
            else None,
        }
    )


def _decision(run: RunRow) -> str | None:
    if run.decision is None:
        return None
    told = {decision.OPEN: f"open; decide: watchbell runs decide {run.id} run_again, or leave"}
    return told.get(run.decision, run.decision)


def _row(program: Program, run: RunRow) -> tuple[object, ...]:
    code = "-" if run.exit_code is None else run.exit_code
    why = f"{run.reason} (stands for {run.stands_for})" if run.stands_for > 1 else run.reason
    return run.id, run.task_name, run.state, moment(run.due_at, program.zone), _took(run), code, why


def _took(run: RunRow) -> str:
    if run.started_at is None:
        return "-"
    return span(((run.ended_at or clock.now()) - run.started_at).total_seconds())
