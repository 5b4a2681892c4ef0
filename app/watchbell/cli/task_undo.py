"""``watchbell task undo``: give tasks back what they had before many were edited."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import examples, json_option, one_line, print_json, say
from watchbell.cli.task_edits import SHOWN, counted
from watchbell.errors import InputError

_KEPT = {"task_id": int, "version_before": int, "version": int, "was_enabled": bool}


@click.command(
    short_help="Undo an edit of several tasks.",
    epilog=examples(
        "watchbell task edit --where tag=nightly --set priority=5 --yes --json > edit.json",
        "watchbell task undo edit.json",
    ),
)
@click.argument("file", metavar="FILE")
@json_option
@pass_program
def undo(program: Program, *, file: str, as_json: bool) -> None:
    """Give tasks back what they had before an edit: FILE, or - for standard input, is what "task edit --json" has printed.

    Those that somebody has changed since are left alone and named.
    """
    items = [{name: one[name] for name in _KEPT} for one in _read(file) if one.get("outcome") != "unchanged"]
    if not items:
        raise InputError.of("file", "tells of no task that was changed", "edit.json")
    found = program.source.undo_edit(items)
    if as_json:
        print_json(dict(found))
        return
    say(f"{counted(len(found['restored']))} as before.")
    if left := found["left"]:
        more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
        say(f"Changed since, and left as they are: {', '.join(map(one_line, left[:SHOWN]))}{more}.")


def _read(file: str) -> list[Mapping[str, Any]]:
    try:
        with click.open_file(file, encoding="utf-8") as opened:
            told = json.loads(opened.read())
    except OSError as error:
        raise InputError.of("file", f"{file[:200]!r} cannot be read: {error.strerror}", "edit.json") from None
    except ValueError:
        told = None
    items = told.get("items") if isinstance(told, dict) and not told.get("dry_run") else None
    if not isinstance(items, list) or not all(map(_is_told, items)):
        raise InputError.of("file", f"{file[:200]!r} is not what an edit of several tasks has printed", "edit.json")
    return items


def _is_told(one: object) -> bool:
    return isinstance(one, dict) and all(type(one.get(name)) is kind for name, kind in _KEPT.items())
