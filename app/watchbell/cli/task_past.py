"""The past of tasks as commands show it: their versions, and tasks that were deleted."""

from __future__ import annotations

from collections.abc import Mapping

import click

from watchbell.cli.complete import complete_task
from watchbell.cli.program import Program, pass_program
from watchbell.cli.screen import columns_of, examples, json_option, moment, one_line, print_json, say, table
from watchbell.cli.source import RevisionRow, TaskRow
from watchbell.cli.transfer import short
from watchbell.domain.masking import MASK
from watchbell.domain.policies import Policies
from watchbell.errors import Conflict, NotFound

#: So many versions can be asked for at a time.
_MOST = 1000


def list_deleted(program: Program, *, as_json: bool) -> None:
    """Print the tasks that can be restored, the newest deletion first."""
    found = program.source.list_deleted()
    if as_json:
        print_json(list(found))
        return
    if not found:
        say("No task was deleted within 30 days.")
        return
    rows = [
        (
            one["id"],
            one["name"],
            moment(one["deleted_at"], program.zone),
            one["deleted_by"],
            moment(one["gone_at"], program.zone),
            one["sentence"],
        )
        for one in found
    ]
    zone = program.zone.key
    heads = ("ID", "NAME", f"DELETED ({zone})", "BY", f"RESTORED UNTIL ({zone})", "SCHEDULE")
    table(heads, rows, flexible=5, right=(0,))


def restore(program: Program, name: str, new_name: str) -> TaskRow:
    """Bring back the task of a name or an id; raises NotFound, and Conflict where two of a name were deleted or it is taken."""
    found = [one for one in program.source.list_deleted() if one["name"] == name]
    found = found or [one for one in program.source.list_deleted() if str(one["id"]) == name]
    if not found:
        raise NotFound(f"no task {name[:100]!r} was deleted within 30 days")
    if len(found) > 1:
        ids = ", ".join(str(one["id"]) for one in found[:5])
        raise Conflict(f"{len(found)} tasks called {name[:100]!r} were deleted; name one by its id: {ids}")
    return program.source.undelete_task(found[0]["id"], new_name)


@click.command(
    short_help="List the versions of a task.",
    epilog=examples(
        "watchbell task revisions backup",
        "watchbell task revisions backup 4",
        "watchbell task revisions backup 4 --against 1",
        "watchbell task revisions backup --limit 5 --json",
    ),
)
@click.argument("name", metavar="NAME", shell_complete=complete_task)
@click.argument("version", type=click.IntRange(1, 2**31 - 1), metavar="[VERSION]", required=False)
@click.option(
    "--against",
    type=click.IntRange(1, 2**31 - 1),
    metavar="N",
    help="With VERSION: compare it with this one. Default: the one before.",
)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Most versions.")
@json_option
@pass_program
def revisions(
    program: Program, *, name: str, version: int | None, against: int | None, limit: int, as_json: bool
) -> None:
    """List the versions of a task, the newest first, who made each, and which fields it changed.

    With VERSION print what it changed, field by field, or how it differs from another one.
    """
    found = program.source.find_task(name)
    if version is not None:
        _compare(program, found, version, against, as_json=as_json)
        return
    if against is not None:
        raise click.UsageError("--against goes with a VERSION.")
    kept = program.source.list_revisions(found, limit + 1)
    if as_json:
        print_json([columns_of(one, ("version", "at", "by", "definition")) for one in kept[:limit]])
        return
    older = [*kept[1:], None]
    rows = [
        (one.version, moment(one.at, program.zone), one.by, _changed(before, one))
        for one, before in zip(kept, older, strict=True)
    ]
    table(("VERSION", f"AT ({program.zone.key})", "BY", "CHANGED"), rows[:limit], flexible=3, right=(0,))


def _compare(program: Program, found: TaskRow, version: int, against: int | None, *, as_json: bool) -> None:
    kept = {one.version: one for one in program.source.list_revisions(found, _MOST)}
    # The first one has nothing before it and is told whole.
    base = against if against is not None else version - 1
    for wanted in (version, base):
        if wanted and wanted not in kept:
            raise NotFound(f"task {found.name!r} has no version {wanted} that is kept")
    old, new = (_flat(kept[number]) if number else {} for number in (base, version))
    differing = _differing(old, new)
    if as_json:
        differences = [{"field": name, "before": old.get(name), "after": new.get(name)} for name in differing]
        print_json({"version": version, "against": base or None, "differences": differences})
        return
    made = kept[version]
    say(f"Version {version} of {one_line(found.name)}, {moment(made.at, program.zone)} by {one_line(made.by)}:")
    for name in differing:
        say(f"  {name}: {short(old.get(name))} -> {short(new.get(name))}")
    if not differing:
        # Values that are masked may be other ones.
        limits = ", as far as you may read it" if MASK in str(made.definition) else ""
        say(f"  It says the same as version {base}{limits}.")


def _flat(revision: RevisionRow) -> dict[str, object]:
    """Return the fields of a version, those of schedule and policies each for itself."""
    flat: dict[str, object] = {}
    for name, value in revision.definition.items():
        if isinstance(value, Mapping) and name in {"schedule", "policies"}:
            # An earlier Watchbell did not write down the policies that came later.
            known = {**Policies().to_json(), **value} if name == "policies" else value
            flat |= {f"{name}.{key}": item for key, item in known.items()}
        else:
            flat[name] = value
    return flat


def _differing(old: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    """Return the fields in which two versions differ; one that a version does not have yet is as good as empty there."""
    names = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]
    return [name for name in names if not old or old.get(name) or new.get(name) or (name in old and name in new)]


def _changed(older: RevisionRow | None, newer: RevisionRow) -> str:
    if older is None:
        return "-"
    names = (name.partition(".")[0] for name in _differing(_flat(older), _flat(newer)))
    return ", ".join(dict.fromkeys(names))
