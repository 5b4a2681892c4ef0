"""``watchbell task tags``: the tags of tasks as a tree."""

from __future__ import annotations

import click

from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import examples, json_option, one_line, print_json, say, table
from watchbell.domain.tags import SLASH


@click.command(
    short_help="List the tags of tasks as a tree.",
    epilog=examples("watchbell task tags", "watchbell task list --tag billing"),
)
@json_option
@pass_program
def tags(program: Program, *, as_json: bool) -> None:
    """List the tags of tasks, how many tasks have each or one that lies in it, and how many of those failed last."""
    found = program.source.list_tags()
    if as_json:
        print_json(list(found))
        return
    if not found:
        say("No task has a tag yet. Give it one: watchbell task edit NAME --tag billing/nightly")
        return
    rows = [(_shown(one["tag"]), one["tasks"], one["failing"] or "-") for one in found]
    table(("TAG", "TASKS", "FAILING"), rows, right=(1, 2))


def _shown(tag: str) -> str:
    """Return the last part of a tag, as far to the right as it lies deep."""
    parts = one_line(tag).split(SLASH)
    return "  " * (len(parts) - 1) + parts[-1]
