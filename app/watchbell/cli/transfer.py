"""``watchbell export`` and ``watchbell import``: tasks as a file, and out of it again."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from watchbell import clock
from watchbell.cli import foresight
from watchbell.cli.complete import complete_task
from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import examples, json_option, note, one_line, print_json, say
from watchbell.errors import InputError, WatchbellError

if TYPE_CHECKING:
    from watchbell.services.transfer import Plan, Step
    from watchbell.store.session import Database

#: What of a long value is shown beside another one.
_SHOWN = 60
#: In bytes; no reader takes more characters, and a pipe may never end.
_LONGEST_FILE = 16 * 1024 * 1024
_SIGNS = {"add": "+", "change": "~", "keep": "=", "refuse": "!"}


@click.command(
    "export",
    short_help="Write tasks as a file.",
    epilog=examples(
        "watchbell export > tasks.yaml", "watchbell export backup report -o two.json",
        "watchbell export --format json | jq '.tasks[].name'",
    ),
)  # fmt: skip
@click.argument("names", metavar="[TASK]...", nargs=-1, shell_complete=complete_task)
@click.option("--format", "kind", type=click.Choice(["yaml", "json"]), metavar="WORD",
              help="yaml or json. Default: what the name of the file ends in, else yaml.")  # fmt: skip
@click.option("-o", "--output", metavar="FILE", help="Write it there, readable for you only. Default: standard output.")
@pass_program
def export_tasks(program: Program, *, names: tuple[str, ...], kind: str | None, output: str | None) -> None:
    """Write tasks, all or those that are named, with schedules, policies, tags, the bounds of their queues, their calendars, blackouts and environment sets.

    What equals the default of a new task is left out. Environments are written as they are, so that the file may hold what
    nobody else should read.
    """
    from watchbell.domain.task_document import to_document
    from watchbell.services import task_files, transfer

    found, queues = transfer.list_definitions(program.existing_db, names)
    calendars = transfer.list_calendars(program.existing_db, found, names)
    sets = transfer.list_sets(program.existing_db, found, names)
    blackouts = transfer.list_blackouts(program.existing_db, [one.name for one in found] if names else ())
    text = task_files.write(to_document(found, queues, calendars, blackouts, sets), kind or _kind_of(output))
    if output is None:
        sys.stdout.write(text)
        return
    write_file(Path(output), text)
    note(f"wrote {len(found)} task(s) to {output}")


def _kind_of(output: str | None) -> str:
    return "json" if output is not None and output.lower().endswith(".json") else "yaml"


@click.command(
    "import",
    short_help="Make tasks from a file.",
    epilog=examples(
        "watchbell import tasks.yaml --dry-run", "watchbell import tasks.yaml", "watchbell import --replace tasks.yaml",
        "watchbell --home /srv/old export | watchbell --home /srv/new import -",
    ),
)  # fmt: skip
@click.argument("file", metavar="FILE")
@click.option("--dry-run", is_flag=True, help="Only print what would be done.")
@click.option("--replace", "replaces", is_flag=True, help="Put these in the place of tasks of the same name.")
@json_option
@pass_program
def import_tasks(program: Program, *, file: str, dry_run: bool, replaces: bool, as_json: bool) -> None:
    """Make the tasks of a file that "watchbell export" or a person wrote, YAML or JSON; - reads standard input.

    What would change is printed first; then all of it is done, or nothing. A task that is there and says the same is left
    alone, and one that says something else is refused without --replace. Tasks that the file does not name stay.
    """
    from watchbell.services import task_files, transfer

    document = task_files.read(read_file(file))
    db, now = program.db if not dry_run else program.existing_db, clock.now()
    plan = transfer.plan(db, document, now=now, defaults=program.defaults, replaces=replaces)
    effect = _effect(program, db, plan, now) if dry_run and not plan.count(transfer.Action.REFUSE) else None
    if as_json:
        print_json({"dry_run": dry_run, "steps": [_values(step) for step in plan.steps], "simulation": effect})
    else:
        tell_plan(plan)
    if effect is not None and not as_json:
        foresight.tell_lines(effect, program.zone)
    sys.stdout.flush()
    if dry_run:
        return
    transfer.apply(db, plan, now=now, actor=program.actor, defaults=program.defaults)
    if not as_json:
        say(told(plan, done=True))


def _effect(program: Program, db: Database, plan: Plan, now: datetime) -> Mapping[str, Any]:
    """Return what an import would do to the runs of the coming days."""
    from watchbell.services import simulation, transfer

    def act(own: Database) -> None:
        transfer.apply(own, plan, now=now, actor=program.actor, defaults=program.defaults)

    return simulation.told(simulation.of_act(db, act, now=now))


def read_file(file: str) -> str:
    """Return the text of a file, or of standard input for ``-``; raises InputError."""
    try:
        with contextlib.nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as opened:
            data = opened.read(_LONGEST_FILE + 1)
    except OSError as error:
        raise InputError.of("FILE", f"{file[:200]!r} cannot be read: {error.strerror}", "tasks.yaml") from None
    if len(data) > _LONGEST_FILE:
        raise InputError.of("FILE", f"{file[:200]!r} is longer than {_LONGEST_FILE // 1024 // 1024} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError.of("FILE", f"{file[:200]!r} is not UTF-8 text") from None


def write_file(path: Path, text: str) -> None:
    """Replace a file in one step, so that a full disk costs nobody the one that was there."""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)
        Path(temporary).replace(path)
    except OSError as error:
        raise WatchbellError(f"{path} cannot be written: {error.strerror}") from None


def tell_plan(plan: Plan) -> None:
    """Print what a plan does, one line for each task, and one for each field that changes."""
    for step in plan.steps:
        what = one_line(step.name) if step.kind == "task" else f"{step.kind} {one_line(step.name)}"
        words = f": {one_line(_summary(step))}" if step.definition is not None and step.action == "add" else ""
        say(f"{_SIGNS[step.action]} {step.action.ljust(6)} {what}{words}")
        for field, before, after in step.differences:
            say(f"           {field}: {short(before)} -> {short(after)}")
        for remark in step.remarks:
            say(f"           note: {one_line(remark)}")
    say(told(plan, done=False))


def told(plan: Plan, *, done: bool) -> str:
    """Return one sentence with the numbers of a plan."""
    from watchbell.services.transfer import Action

    words = (
        ("added", "changed", "left as they are", "refused") if done else ("to add", "to change", "to leave", "refused")
    )
    counts = [plan.count(action) for action in (Action.ADD, Action.CHANGE, Action.KEEP, Action.REFUSE)]
    parts = [f"{count} {word}" for count, word in zip(counts, words, strict=True) if count]
    return f"{'Done: ' if done else ''}{', '.join(parts) or 'nothing to do'}."


def _summary(step: Step) -> str:
    from watchbell.domain import schedule as schedules

    assert step.definition is not None
    return schedules.describe(step.definition.schedule)


def short(value: object) -> str:
    """Return a value of a field on one line, as far as there is room for it."""
    text = one_line("-" if value in (None, "", [], {}) else value if isinstance(value, str) else _json(value))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _values(step: Step) -> dict[str, Any]:
    return {
        "kind": step.kind,
        "name": step.name,
        "action": str(step.action),
        "differences": [{"field": field, "before": old, "after": new} for field, old, new in step.differences],
        "remarks": list(step.remarks),
    }


def ask(question: str, *, is_certain: bool) -> None:
    """Ask whoever typed a command whether to go on; raises click.Abort for no, and a usage error where nobody can be asked."""
    if is_certain:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("Nobody can be asked here; say --yes.")
    click.confirm(question, abort=True, err=True)
