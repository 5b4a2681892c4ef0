"""``watchbell queue``: how many runs of a queue go at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import examples, json_option, one_line, print_json, say, table
from watchbell.domain.scopes import describe_pause

if TYPE_CHECKING:
    from watchbell.services.queues import QueueView

_NAME = click.argument("name", metavar="NAME")


@click.group(short_help="List queues and bound how many of their runs go at a time.")
def queue() -> None:
    """List queues and bound how many of their runs go at a time. A task names its queue: watchbell task edit --queue."""


@queue.command("list", short_help="List queues.", epilog=examples("watchbell queue list"))
@json_option
@pass_program
def list_queues(program: Program, *, as_json: bool) -> None:
    """List all queues with their bounds and what goes and waits in them."""
    found = program.source.list_queues()
    if as_json:
        print_json([_json(one) for one in found])
        return
    rows = [
        (
            one.name, "-" if one.max_running is None else one.max_running, one.in_flight, one.queued, one.tasks,
            one.carrier, _pause_words(one) or "-", one.comment,
        )
        for one in found
    ]  # fmt: skip
    head = ("QUEUE", "BOUND", "IN FLIGHT", "WAITING", "TASKS", "CARRIED BY", "PAUSED", "COMMENT")
    table(head, rows, right=(1, 2, 3, 4))


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
@click.option(
    "--carrier",
    type=click.Choice(["scheduler", "engine"]),
    help="What carries its runs: schedulers, each on its own host, or workers of the engine. Default: as it is.",
)
@click.option("--comment", metavar="TEXT", help="Why. Default: as it is.")
@json_option
@pass_program
def set_bound(
    program: Program,
    *,
    name: str,
    max_running: int | None,
    no_bound: bool,
    carrier: str | None,
    comment: str | None,
    as_json: bool,
) -> None:
    """Say how many runs of a queue go at a time; a queue that is not there yet is made. What runs is not touched."""
    if (max_running is None) and not no_bound and comment is None and carrier is None:
        raise click.UsageError("Give --max-running, --no-bound, --carrier or --comment.")
    if max_running is not None and no_bound:
        raise click.UsageError("Give one of --max-running and --no-bound.")
    given = {"comment": comment, "carrier": carrier}
    changes: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    if max_running is not None or no_bound:
        changes["max_running"] = max_running
    made = program.source.set_queue(name, changes)
    if as_json:
        print_json(_json(made))
        return
    bound = made.max_running
    by = ", by workers of the engine" if made.carrier == "engine" else ""
    say(f"Queue {one_line(name)} runs {bound if bound is not None else 'any number'} at a time{by}.")


@queue.command(
    short_help="Take the bound and the comment from a queue.", epilog=examples("watchbell queue remove database")
)
@_NAME
@json_option
@pass_program
def remove(program: Program, *, name: str, as_json: bool) -> None:
    """Take the bound and the comment from a queue; its tasks and runs keep it, and any number goes at a time."""
    program.source.remove_queue(name)
    if as_json:
        print_json({"name": name, "removed": True})
    else:
        say(f"Queue {one_line(name)} has no bound any more.")


def _pause_words(one: QueueView) -> str:
    paused = one.pause
    return describe_pause(paused.by, paused.since, paused.until, paused.reason) if paused else ""


def _json(one: QueueView) -> dict[str, object]:
    paused = one.pause
    return {
        "name": one.name,
        "max_running": one.max_running,
        "carrier": one.carrier,
        "comment": one.comment,
        "in_flight": one.in_flight,
        "queued": one.queued,
        "tasks": one.tasks,
        "paused_since": paused.since if paused else None,
        "paused_until": paused.until if paused else None,
        "paused_by": paused.by if paused else None,
        "pause_reason": paused.reason if paused else None,
    }
