"""``watchbell doctor``: what is wrong with an installation, what it means and what to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from watchbell import clock
from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import examples, json_option, one_line, print_json, say
from watchbell.errors import EXIT_FAILURE, EXIT_OK, ConfigError

if TYPE_CHECKING:
    from watchbell.control.diagnosis import Finding

_COLOURS = {"ok": "green", "note": "blue", "warning": "yellow", "problem": "red"}


@click.command(
    short_help="Find and explain what is wrong with an installation.",
    epilog=examples("watchbell doctor", "watchbell doctor --all", "watchbell doctor --json | jq '.[].code'"),
)
@click.option("-a", "--all", "everything", is_flag=True, help="Also what is as it should be.")
@json_option
@pass_program
def doctor(program: Program, *, everything: bool, as_json: bool) -> int:
    """Look at data directory, database, machine, scheduler and tasks, and explain what is wrong; change nothing.

    Each finding has a code that stays the same, a level (ok, note, warning, problem), what it means and what to do. The exit
    code is 1 if there is a problem, else 0.
    """
    from watchbell.control import diagnosis
    from watchbell.control.diagnosis import Finding, Level

    try:
        program.require_here()
        found = list(diagnosis.look(program.config, now=clock.now()))
    except ConfigError as error:
        found = [
            Finding("settings", Level.PROBLEM, error.message, "docs/configuration.md says what each setting may be")
        ]
    if as_json:
        print_json([dataclasses.asdict(finding) for finding in found])
    else:
        _tell(found, everything)
    return EXIT_FAILURE if any(finding.level is Level.PROBLEM for finding in found) else EXIT_OK


def _tell(found: Sequence[Finding], everything: bool) -> None:
    for finding in found:
        if finding.level == "ok" and not everything:
            continue
        level = click.style(finding.level.ljust(7), fg=_COLOURS[finding.level])
        say(f"{level}  {one_line(finding.words[:1].upper() + finding.words[1:])}. [{finding.code}]")
        if finding.remedy:
            say(f"         to do: {one_line(finding.remedy)}")
    counts = {level: sum(finding.level == level for finding in found) for level in _COLOURS}
    shown = ", ".join(
        f"{count} {level}{'s' if count != 1 and level != 'ok' else ''}" for level, count in counts.items()
    )
    say(f"{len(found)} look(s): {shown}.")
