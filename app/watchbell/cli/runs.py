"""``watchbell runs``: what happened, why, and what it printed."""

from __future__ import annotations

import codecs
import re
import sys

import click

from watchbell import clock
from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import (
    columns_of,
    examples,
    follow,
    json_option,
    moment,
    note,
    pairs,
    print_json,
    say,
    span,
    table,
)
from watchbell.cli.steps import steps_json, tell_steps
from watchbell.domain.run_state import RunState
from watchbell.services import decisions, steps, tasks
from watchbell.services import runs as service
from watchbell.services.runs import RunFilter, RunPage
from watchbell.store.runs import Run

_COLUMNS = (
    "id", "task_id", "task_name", "task_version", "trigger", "due_at", "local_time", "zone", "state", "reason",
    "stands_for", "requested_by", "attempts", "created_at", "started_at", "ended_at", "exit_code", "queue", "priority",
    "start_by", "retry_at", "rerun_of", "decision",
)  # fmt: skip
_ATTEMPT = (
    "number", "pid", "started_at", "ended_at", "exit_code", "signal", "reason", "user_seconds", "system_seconds",
    "max_rss_kib",
)  # fmt: skip
_EVENT = ("at", "from_state", "to_state", "path", "actor", "reason")
_STREAMS = ("stdout", "stderr")
_CHUNK = 256 * 1024
_LOOK_SECONDS = 0.2
#: People decide one by one; more than this are open nowhere.
_MOST_UNDECIDED = 10_000
_OPEN_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]{0,4096}|[ -/]*)\Z")
_NUMBER = click.IntRange(min=1, max=2**63 - 1)
_ID = click.argument("run_id", metavar="ID", type=_NUMBER)


@click.group(short_help="List runs, show one, read its output.")
def runs() -> None:
    """List runs, show one with its transitions, read its output."""


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
    task_id = tasks.find_by_name(program.existing_db, task_name).id if task_name is not None else None
    if undecided:
        page = _undecided(program, task_id, limit)
    else:
        chosen = RunFilter(task_id=task_id, states=states)
        page = service.list_page(program.existing_db, chosen, before_id=before_id, limit=limit)
    if as_json:
        print_json([columns_of(run, _COLUMNS) for run in page.runs])
        return
    if not page.runs:
        say("No run fits.")
        return
    heads = ("ID", "TASK", "STATE", f"DUE ({program.zone.key})", "TOOK", "EXIT", "WHY")
    table(heads, [_row(program, run) for run in page.runs], right=(0,))
    if page.has_older and not undecided:
        say(f"More: --before {page.runs[-1].id}")


def _undecided(program: Program, task_id: int | None, limit: int) -> RunPage:
    found = decisions.list_open(program.existing_db, limit=_MOST_UNDECIDED)
    shown = [run for run in found if task_id is None or run.task_id == task_id]
    return RunPage(shown[:limit], len(shown), has_older=len(shown) > limit)


@runs.command(short_help="Show one run with its transitions.")
@_ID
@json_option
@pass_program
def show(program: Program, *, run_id: int, as_json: bool) -> None:
    """Show one run: its state and why, its attempts with their resources, and every transition."""
    detail = service.get_detail(program.existing_db, run_id)
    if as_json:
        print_json(
            {
                **columns_of(detail.run, _COLUMNS),
                "command": detail.definition.get("command"),
                "attempt_list": [
                    {
                        **columns_of(attempt, _ATTEMPT),
                        "steps": steps_json(steps.list_of(program.db, detail, attempt.number)),
                    }
                    for attempt in detail.attempts
                ],
                "events": [columns_of(event, _EVENT) for event in detail.events],
            }
        )
        return
    run, attempt, zone = detail.run, detail.attempt, program.zone
    pairs(
        {
            "Run": run.id,
            "Task": f"{run.task_name} (version {run.task_version}{'' if detail.task_exists else ', deleted'})",
            "Command": detail.definition.get("command") or None,
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
            "Decision": _decision(run),
            "Exit code": run.exit_code,
            "PID": attempt.pid if attempt else None,
            "CPU": f"{attempt.user_seconds:.2f} s user, {attempt.system_seconds or 0:.2f} s system"
            if attempt and attempt.user_seconds is not None
            else None,
            "Memory": f"{attempt.max_rss_kib / 1024:.1f} MiB at most" if attempt and attempt.max_rss_kib else None,
        }
    )
    tell_steps(steps.list_of(program.db, detail), zone)
    say()
    table(
        ("AT", "FROM", "TO", "BY", "WHY"),
        [
            (moment(event.at, zone), event.from_state or "-", event.to_state, event.actor, event.reason)
            for event in detail.events
        ],
    )


@runs.command(
    short_help="Print what a run wrote.",
    epilog=examples(
        "watchbell runs logs 17", "watchbell runs logs 17 --follow", "watchbell runs logs 17 --raw > out.bin"
    ),
)
@_ID
@click.option("--stream", type=click.Choice([*_STREAMS, "both"]), default="both", show_default=True,
              help="Which output; both prints one after the other, or as they grow with --follow.")  # fmt: skip
@click.option("-f", "--follow", "follows", is_flag=True, help="Go on until the run has ended.")
@click.option("--raw", is_flag=True, help="Print the bytes as they are; without it no escape sequence survives.")
@click.option("--attempt", type=_NUMBER, metavar="N", help="Which attempt. Default: the newest.")
@pass_program
def logs(program: Program, *, run_id: int, stream: str, follows: bool, raw: bool, attempt: int | None) -> None:
    """Print what a run wrote to its standard output and standard error."""
    service.get(program.existing_db, run_id)
    names = _STREAMS if stream == "both" else (stream,)
    readers = [_Reader(program, run_id, name, attempt, raw=raw) for name in names]
    if follows:

        def step() -> bool:
            # Each is asked, also when one before it has more to come.
            more = [reader.print_more() for reader in readers]
            return any(more)

        follow(step, clock.pause, _LOOK_SECONDS)
        return
    for reader in readers:
        while reader.print_more() and reader.has_more:
            pass


class _Reader:
    """Prints one stream of a run piece by piece."""

    def __init__(self, program: Program, run_id: int, stream: str, attempt: int | None, *, raw: bool) -> None:
        # Only this command needs what the web server's libraries stand behind.
        from watchbell.web.outputs import Stream, plain_text

        self._plain_text = plain_text
        self._stream = Stream(program.db, program.config.output_path, run_id, stream, attempt)
        self._name = stream
        self._raw = raw
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        #: The beginning of an escape sequence whose rest is still to come.
        self._open = ""
        self._is_at_line_start = True
        #: Whether something that is written already has not been printed yet.
        self.has_more = True

    def print_more(self) -> bool:
        """Print the next piece; return whether more can come."""
        part = self._stream.read(self._offset, _CHUNK)
        piece = part.slice
        self._tell_gap(piece.offset - self._offset)
        stop = piece.offset + len(piece.data)
        self.has_more = bool(piece.data) and piece.next_offset < piece.size
        is_end = part.is_complete and not self.has_more
        if self._raw:
            sys.stdout.buffer.write(piece.data)
        else:
            # A character or an escape sequence that the gap has cut does not go on behind it.
            self._write(self._text(piece.data, is_end=is_end or piece.next_offset > stop))
        self._tell_gap(piece.next_offset - stop)
        self._offset = piece.next_offset
        return not is_end

    def _tell_gap(self, dropped: int) -> None:
        """Mark the place where bytes of the middle were dropped, so that nobody takes head and tail for one text."""
        if dropped <= 0:
            return
        if self._raw:
            sys.stdout.buffer.flush()
            note(f"{dropped} bytes of {self._name} were dropped between its head and its tail")
            return
        self._write(("" if self._is_at_line_start else "\n") + f"[… {dropped} bytes dropped here …]\n")

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        if text:
            self._is_at_line_start = text.endswith("\n")

    def _text(self, data: bytes, *, is_end: bool) -> str:
        text = self._open + self._decoder.decode(data, final=is_end)
        found = None if is_end else _OPEN_ESCAPE.search(text)
        self._open = text[found.start() :] if found else ""
        return self._plain_text(text.removesuffix(self._open).encode())


@runs.command(
    short_help="Decide about a run of which nobody knows whether it ran.",
    epilog=examples("watchbell runs list --undecided", "watchbell runs decide 17 run_again"),
)
@_ID
@click.argument("choice", type=click.Choice(decisions.CHOICES), metavar="CHOICE")
@json_option
@pass_program
def decide(program: Program, *, run_id: int, choice: str, as_json: bool) -> None:
    """Decide about a lost run of a task that is set to ask: run_again makes a new run of it, leave makes none."""
    made = decisions.decide(program.existing_db, run_id, choice, now=clock.now(), actor=program.actor)
    if as_json:
        print_json(columns_of(made, _COLUMNS))
    elif made.id == run_id:
        say(f"Run {run_id} is left as it is.")
    else:
        say(f"Run {run_id} is run again as run {made.id}.")


def _decision(run: Run) -> str | None:
    if run.decision is None:
        return None
    told = {decisions.OPEN: f"open; decide: watchbell runs decide {run.id} run_again, or leave"}
    return told.get(run.decision, run.decision)


def _row(program: Program, run: Run) -> tuple[object, ...]:
    code = "-" if run.exit_code is None else run.exit_code
    why = f"{run.reason} (stands for {run.stands_for})" if run.stands_for > 1 else run.reason
    return run.id, run.task_name, run.state, moment(run.due_at, program.zone), _took(run), code, why


def _took(run: Run) -> str:
    if run.started_at is None:
        return "-"
    return span(((run.ended_at or clock.now()) - run.started_at).total_seconds())
