"""``watchbell pause`` and ``watchbell resume``: keep tasks, queues or everything from starting, and let them start again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import click

from watchbell import clock
from watchbell.cli import task_orders
from watchbell.cli.complete import complete_task
from watchbell.cli.program import Program, not_empty, pass_program
from watchbell.cli.screen import columns_of, examples, json_option, moment, one_line, print_json, say, table
from watchbell.cli.source import PauseRow
from watchbell.cli.task_options import span_of
from watchbell.domain.schedule.moment import read_moment
from watchbell.domain.scopes import EVERYTHING, QUEUE, TASK, queue_scope, task_scope
from watchbell.errors import InputError, NotFound, Problem

F = TypeVar("F", bound=Callable[..., Any])

_COLUMNS = ("scope", "since", "until", "by", "reason")


def _what(function: F) -> F:
    for decorate in (
        click.option("--all", "everything", is_flag=True, help="Everything."),
        click.option("--queue", metavar="NAME", callback=not_empty, help="One queue."),
        task_orders.many_options,
        click.argument("tasks", metavar="[TASK]...", nargs=-1, shell_complete=complete_task),
    ):
        function = decorate(function)
    return function


@click.command(
    short_help="Keep a task, a queue or everything from starting.",
    epilog=examples(
        "watchbell pause backup --reason 'the disk is changed'",
        "watchbell pause --all --until 2h",
        "watchbell pause --where tag=nightly --until 2h --dry-run",
        "watchbell pause --queue database --until '2030-01-31 09:30'",
        "watchbell pause",
    ),
)
@_what
@click.option("--until", metavar="WHEN", callback=not_empty,
              help="End by itself: a span such as 2h, or a moment. Default: until somebody resumes.")  # fmt: skip
@click.option("--reason", default="", metavar="TEXT", help="Why; it stands in every run that is skipped because of it.")
@json_option
@pass_program
def pause(
    program: Program, *, tasks: tuple[str, ...], queue: str | None, everything: bool, where: tuple[str, ...], yes: bool,
    dry_run: bool, until: str | None, reason: str, as_json: bool,
) -> None:  # fmt: skip
    """Keep a task, a queue or everything from starting; without any of them, list what is paused. Running commands go on.

    Several TASKs, or --where, pause many, each on its own.
    """
    if not tasks and queue is None and not everything and not where:
        if until is not None or reason or dry_run or yes:
            raise click.UsageError("Say what is to be paused: a TASK, --queue or --all.")
        _list(program, as_json)
        return
    end = _end(program, until, clock.now()) if until is not None else None
    if _is_of_many(tasks, where, dry_run, queue, everything):
        task_orders.order(
            program, "pause", tasks, where, yes=yes, dry_run=dry_run, as_json=as_json, reason=reason, until=end
        )
        return
    scope, words = _scope(program, tasks, queue, everything)
    made = program.source.pause(scope, reason=reason, until=end)
    if as_json:
        print_json(columns_of(made, _COLUMNS))
        return
    say(f"Paused {words} {_until(program, made)}.")


@click.command(
    short_help="Let what is paused start again.",
    epilog=examples("watchbell resume backup", "watchbell resume --queue database", "watchbell resume --all"),
)
@_what
@json_option
@pass_program
def resume(
    program: Program, *, tasks: tuple[str, ...], queue: str | None, everything: bool, where: tuple[str, ...], yes: bool,
    dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Let a task, a queue or everything start again. What is paused on its own stays paused when everything is resumed."""
    if not tasks and queue is None and not everything and not where:
        raise click.UsageError("Say what is to be resumed: a TASK, --queue or --all.")
    if _is_of_many(tasks, where, dry_run, queue, everything):
        task_orders.order(program, "resume", tasks, where, yes=yes, dry_run=dry_run, as_json=as_json)
        return
    scope, words = _scope(program, tasks, queue, everything)
    was_paused = program.source.resume(scope)
    if as_json:
        print_json({"scope": scope, "was_paused": was_paused})
    else:
        say(f"Resumed {words}." if was_paused else f"Not paused: {words}.")


def _is_of_many(
    tasks: tuple[str, ...], where: tuple[str, ...], dry_run: bool, queue: str | None, everything: bool
) -> bool:
    if (queue is not None or everything) and (where or dry_run or len(tasks) > 1):
        raise click.UsageError("--where, --dry-run and several TASKs go with neither --queue nor --all.")
    return bool(where) or dry_run or len(tasks) > 1


def _scope(program: Program, tasks: tuple[str, ...], queue: str | None, everything: bool) -> tuple[str, str]:
    if bool(tasks) + (queue is not None) + everything > 1:
        raise click.UsageError("Give one of TASK, --queue and --all.")
    if everything:
        return EVERYTHING, "everything"
    if queue is not None:
        return queue_scope(queue), f"queue {one_line(queue)}"
    found = program.source.find_task(tasks[0])
    return task_scope(found.id), f"task {one_line(found.name)}"


def _end(program: Program, text: str, now: datetime) -> datetime:
    """Return the end that a person gave as a length of time or a moment."""
    try:
        span = span_of(text)
        return now + span if span is not None else read_moment(text, program.zone.key, now)
    except InputError as error:
        raise InputError(*(Problem("until", problem.message, problem.example) for problem in error.problems)) from None
    except OverflowError:
        raise InputError.of("until", f"{text[:40]!r} is too far away", "2h") from None


def _list(program: Program, as_json: bool) -> None:
    found = program.source.list_pauses()
    if as_json:
        print_json([columns_of(one, _COLUMNS) for one in found])
        return
    if not found:
        say("Nothing is paused.")
        return
    rows = [
        (
            _words(program, one.scope),
            moment(one.since, program.zone),
            moment(one.until, program.zone),
            one.by,
            one.reason,
        )
        for one in found
    ]
    table(("PAUSED", f"SINCE ({program.zone.key})", "UNTIL", "BY", "WHY"), rows)


def _words(program: Program, scope: str) -> str:
    if scope.startswith(TASK):
        try:
            return f"task {program.source.find_task(scope.removeprefix(TASK)).name}"
        except NotFound:
            # It was deleted while it was paused.
            return f"task {scope.removeprefix(TASK)}, deleted"
    return f"queue {scope.removeprefix(QUEUE)}" if scope.startswith(QUEUE) else scope


def _until(program: Program, made: PauseRow) -> str:
    return (
        f"until {moment(made.until, program.zone)}, {program.zone.key}" if made.until else "until somebody resumes it"
    )
