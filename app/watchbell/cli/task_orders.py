"""One thing done with many tasks: which they are, what would be done with each, and the question before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import click

from watchbell.cli import foresight
from watchbell.cli.program import Program
from watchbell.cli.screen import one_line, print_json, progress, say
from watchbell.cli.task_edits import SHOWN, counted, filter_of, where_option
from watchbell.cli.transfer import ask
from watchbell.errors import InputError

F = TypeVar("F", bound=Callable[..., Any])

#: What is asked, and what is said of it when it is done.
_WORDS = {
    "enable": ("Enable", "Enabled"),
    "disable": ("Disable", "Disabled"),
    "delete": ("Delete", "Deleted"),
    "run": ("Run", "Asked for a run of"),
    "pause": ("Pause", "Paused"),
    "resume": ("Resume", "Resumed"),
}
_UNCHANGED = "unchanged"
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Change nothing, and say what would be done with which tasks.")
_YES = click.option("--yes", is_flag=True, help="Do not ask.")


def many_options(function: F) -> F:
    """Add the options that choose many tasks in place of one name."""
    for option in (_DRY_RUN, _YES, where_option):
        function = option(function)
    return function


def is_of_many(names: Sequence[str], where: Sequence[str]) -> bool:
    """Return whether something is to be done with several tasks; raises UsageError for none at all."""
    if not names and not where:
        raise click.UsageError("Give names of tasks, or --where with what they have in common.")
    return bool(where) or len(names) > 1


def order(
    program: Program,
    action: str,
    names: Sequence[str],
    where: Sequence[str],
    *,
    yes: bool,
    dry_run: bool,
    as_json: bool,
    reason: str = "",
    until: datetime | None = None,
) -> None:
    """Tell what would be done with many tasks, ask, and do it with all of them or none."""
    if bool(names) == bool(where):
        raise click.UsageError("Give names of tasks, or --where with what they have in common.")
    source, verb = program.source, _WORDS[action][0]
    ids = [source.find_task(name).id for name in dict.fromkeys(names)] if names else None
    more: dict[str, Any] = {"reason": reason, "until": until}
    with progress() as show:
        show("Working out what would be done…")
        found = source.order_tasks(action, ids, filter_of(where), dry_run=True, **more)
    if not found["items"]:
        raise InputError.of("filter", "chooses no task")
    wanted = [one for one in found["items"] if one["outcome"] != _UNCHANGED]
    if dry_run and as_json:
        print_json(dict(found))
        return
    if not as_json:
        _tell(found, wanted, program)
    if dry_run:
        say("Nothing was changed.")
        return
    done: Mapping[str, Any] = {**found, "dry_run": False, "simulation": None}
    if wanted:
        ask(f"{verb} {counted(len(wanted))}?", is_certain=yes)
        done = source.order_tasks(action, [one["task_id"] for one in wanted], {}, dry_run=False, **more)
    if as_json:
        changed = {one["task_id"]: one for one in done["items"]}
        print_json({**done, "items": [changed.get(one["task_id"], one) for one in found["items"]]})
    elif wanted:
        _report(action, done["items"])


def _tell(found: Mapping[str, Any], wanted: Sequence[Mapping[str, Any]], program: Program) -> None:
    for one in wanted[:SHOWN]:
        say(f"~ {one_line(one['name'])}: {one['outcome']}")
    if len(wanted) > SHOWN:
        say(f"~ and {len(wanted) - SHOWN:,} more; --json names all of them")
    rest = len(found["items"]) - len(wanted)
    say(f"{counted(len(wanted))} of {len(found['items']):,}{', the others are so already' if rest else ''}.")
    if wanted and found["simulation"] is not None:
        foresight.tell_lines(found["simulation"], program.zone)


def _report(action: str, items: Sequence[Mapping[str, Any]]) -> None:
    said = f"{_WORDS[action][1]} {counted(len(items))}."
    if action == "run":
        said += f" Runs: {', '.join(str(one['run_id']) for one in items[:SHOWN])}{', …' if len(items) > SHOWN else ''}"
    elif action == "delete":
        said += " For 30 days each comes back by: watchbell task restore NAME"
    say(said)
