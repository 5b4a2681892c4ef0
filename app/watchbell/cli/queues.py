"""``watchbell queue``: how many runs of a queue go at a time."""

from __future__ import annotations

import click

from watchbell import clock
from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import examples, json_option, one_line, print_json, say, table
from watchbell.services import pauses, queues
from watchbell.services.queues import QueueView

_NAME = click.argument("name", metavar="NAME")


@click.group(short_help="List queues and bound how many of their runs go at a time.")
def queue() -> None:
    """List queues and bound how many of their runs go at a time. A task names its queue: watchbell task edit --queue."""


@queue.command("list", short_help="List queues.")
@json_option
@pass_program
def list_queues(program: Program, *, as_json: bool) -> None:
    """List all queues with their bounds and what goes and waits in them."""
    found = queues.list_all(program.existing_db, now=clock.now())
    if as_json:
        print_json([_json(one) for one in found])
        return
    rows = [
        (
            one.name, "-" if one.max_running is None else one.max_running, one.in_flight, one.queued, one.tasks,
            pauses.describe(one.pause) if one.pause else "-", one.comment,
        )
        for one in found
    ]  # fmt: skip
    table(("QUEUE", "BOUND", "IN FLIGHT", "WAITING", "TASKS", "PAUSED", "COMMENT"), rows, right=(1, 2, 3, 4))


@queue.command(
    "set",
    short_help="Bound a queue.",
    epilog=examples(
        "watchbell queue set database --max-running 2 --comment 'one small server'",
        "watchbell queue set default --no-bound",
    ),
)
@_NAME
@click.option("--max-running", metavar="N", type=int, help="So many of its runs go at a time.")
@click.option("--no-bound", is_flag=True, help="Any number goes at a time.")
@click.option("--comment", metavar="TEXT", help="Why. Default: as it is.")
@json_option
@pass_program
def set_bound(
    program: Program, *, name: str, max_running: int | None, no_bound: bool, comment: str | None, as_json: bool
) -> None:
    """Say how many runs of a queue go at a time; a queue that is not there yet is made. What runs is not touched."""
    if (max_running is None) and not no_bound and comment is None:
        raise click.UsageError("Give --max-running, --no-bound or --comment.")
    if max_running is not None and no_bound:
        raise click.UsageError("Give one of --max-running and --no-bound.")
    now = clock.now()
    before = _find(program, name)
    bound = None if no_bound else max_running
    if max_running is None and not no_bound and before is not None:
        bound = before.max_running
    words = comment if comment is not None else before.comment if before is not None else ""
    queues.set_bounds(program.db, name, max_running=bound, comment=words, now=now, actor=program.actor)
    made = _find(program, name)
    if as_json and made is not None:
        print_json(_json(made))
        return
    say(f"Queue {one_line(name)} runs {bound if bound is not None else 'any number'} at a time.")


@queue.command(short_help="Take the bound and the comment from a queue.")
@_NAME
@json_option
@pass_program
def remove(program: Program, *, name: str, as_json: bool) -> None:
    """Take the bound and the comment from a queue; its tasks and runs keep it, and any number goes at a time."""
    queues.remove(program.existing_db, name, now=clock.now(), actor=program.actor)
    if as_json:
        print_json({"name": name, "removed": True})
    else:
        say(f"Queue {one_line(name)} has no bound any more.")


def _find(program: Program, name: str) -> QueueView | None:
    found = queues.list_all(program.db, now=clock.now())
    return next((one for one in found if one.name == name), None)


def _json(one: QueueView) -> dict[str, object]:
    paused = one.pause
    return {
        "name": one.name,
        "max_running": one.max_running,
        "comment": one.comment,
        "in_flight": one.in_flight,
        "queued": one.queued,
        "tasks": one.tasks,
        "paused_since": paused.since if paused else None,
        "paused_until": paused.until if paused else None,
        "paused_by": paused.by if paused else None,
        "pause_reason": paused.reason if paused else None,
    }
