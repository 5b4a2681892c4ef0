"""``watchbell task edit`` for many tasks: which they are, what they are given, and the question before it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from watchbell.cli import foresight
from watchbell.cli.program import Program
from watchbell.cli.screen import one_line, print_json, progress, say
from watchbell.cli.task_options import given_fields, option_of, seconds_of
from watchbell.cli.transfer import ask, short
from watchbell.domain.shared_fields import OWN
from watchbell.errors import InputError

_FILTERS = ("search", "enabled", "owner", "team", "host", "tag", "queue")
_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
#: So many tasks are told with what changes of each.
SHOWN = 20
#: The server has the same bound; how many a filter chooses is its business.
where_option = click.option(
    "--where",
    multiple=True,
    metavar="KEY=VALUE",
    help=f"In place of names: all tasks that fit, by {', '.join(_FILTERS)}; give it again to narrow it.",
)
_OPTIONS = (
    where_option,
    click.option("--set", "assignments", multiple=True, metavar="FIELD=VALUE",
                 help="A field by its name in the API, as time_limit_seconds=10m; empty gives up what may be absent."),
    click.option("--add-tag", "add_tags", multiple=True, metavar="TAG", help="A tag besides those it has."),
    click.option("--remove-tag", "remove_tags", multiple=True, metavar="TAG", help="A tag that it loses."),
    click.option("--param-default", multiple=True, metavar="NAME=VALUE",
                 help="Default of a parameter, for those of the tasks that declare it."),
    click.option("--yes", is_flag=True, help="Do not ask before many are changed."),
)  # fmt: skip
_MANY = ("where", "assignments", "add_tags", "remove_tags", "param_default")


def many_options(function: Any) -> Any:
    """Add the options that choose many tasks and change them."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def changed_fields(options: dict[str, Any], environment: Mapping[str, str]) -> dict[str, object]:
    """Return the fields that an edit names; ``environment`` is what the task has."""
    kept = {key: value for key, value in environment.items() if key not in options["unset_env"]}
    fields = given_fields(options, environment=kept)
    if options["unset_env"]:
        fields.setdefault("environment", kept)
    if options["no_tags"]:
        fields["tags"] = []
    if options["no_parameters"]:
        fields |= {"parameters": [], "parameter_sets": {}}
    if options["new_name"] is not None:
        fields["name"] = options["new_name"]
    return fields


def is_of_many(names: Sequence[str], options: Mapping[str, Any]) -> bool:
    """Return whether an edit gives several tasks the same, or is said in the words for that."""
    return len(names) != 1 or any(options[name] for name in _MANY)


def edit_many(
    program: Program,
    names: Sequence[str],
    fields: Mapping[str, object],
    options: Mapping[str, Any],
    *,
    as_json: bool,
    dry_run: bool,
) -> None:
    """Tell what would change of many tasks, ask, and change all of them or none."""
    if bool(names) == bool(options["where"]):
        raise click.UsageError("Give names of tasks, or --where with what they have in common.")
    changes = _changes(fields, options)
    tasks = [program.source.find_task(name) for name in dict.fromkeys(names)] if names else None
    with progress() as show:
        found = program.source.foresee_edit(tasks, filter_of(options["where"]), changes, _telling(show))
    if dry_run and as_json:
        print_json(dict(found))
        return
    if not as_json:
        _tell(found, program)
    if dry_run:
        say("Nothing was changed.")
        return
    seen = {one["task_id"]: one["version"] for one in found["items"] if one["differences"]}
    done: Mapping[str, Any] = {**found, "dry_run": False, "simulation": None}
    if seen:
        ask(f"Change {counted(len(seen))}?", is_certain=options["yes"])
        done = program.source.edit_tasks(seen, changes)
    if as_json:
        print_json({**done, "items": _merged(found["items"], done["items"])})
    elif seen:
        say(f"Changed {counted(len(seen))}. Each goes back by: watchbell task restore NAME VERSION")


def _merged(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return what became of each task that was chosen, also of those that had all of it already."""
    changed = {one["task_id"]: one for one in after}
    return [changed.get(one["task_id"], one) for one in before]


def _telling(show: Callable[[str], None]) -> Callable[[int], None]:
    def tell(number: int) -> None:
        show(f"Working out the runs of the next 30 days{f': {number:,} tasks' if number else ''}…")

    return tell


def _changes(fields: Mapping[str, object], options: Mapping[str, Any]) -> dict[str, Any]:
    given = {**fields, **dict(_assignment(text) for text in options["assignments"])}
    own = next((name for name in given if name in OWN), None)
    if own == "tags":
        raise click.UsageError("Of several tasks tags are changed by --add-tag and --remove-tag.")
    if own == "parameters":
        raise click.UsageError("Of several tasks only defaults of parameters are changed: --param-default NAME=VALUE.")
    if own is not None:
        raise click.UsageError(f"{option_of(own)} is each task's own: edit one task at a time.")
    changes = {
        "set": given,
        "add_tags": list(options["add_tags"]),
        "remove_tags": list(options["remove_tags"]),
        "parameter_defaults": dict(
            _pair(text, "--param-default", "day=yesterday") for text in options["param_default"]
        ),
    }
    if not any(changes.values()):
        raise click.UsageError("Nothing to change was given.")
    return changes


def _assignment(text: str) -> tuple[str, object]:
    name, value = _pair(text, "--set", "zone=Europe/Berlin")
    name = name.replace("-", "_")
    if name == "enabled":
        return name, _flag(value, "--set")
    if name.endswith("_seconds"):
        return name, seconds_of(value)
    if value[:1] in {"[", "{"}:
        try:
            return name, json.loads(value)
        except ValueError as error:
            raise InputError.of("--set", f"{name} holds no JSON: {error}") from None
    return name, value


def filter_of(texts: Sequence[str]) -> dict[str, object]:
    """Return the filter that options stand for, by its fields in the API; raises InputError."""
    found: dict[str, object] = {}
    for text in texts:
        name, value = _pair(text, "--where", "tag=nightly")
        if name not in _FILTERS or name in found:
            fault = "is given twice" if name in found else f"is none of {', '.join(_FILTERS)}"
            raise InputError.of("--where", f"{name[:40]!r} {fault}", "tag=nightly")
        found[name] = _flag(value, "--where") if name == "enabled" else value
    return found


def _flag(text: str, option: str) -> bool:
    if text.lower() not in _WORDS:
        raise InputError.of(option, "enabled must be yes or no", "enabled=no")
    return _WORDS[text.lower()]


def _pair(text: str, option: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InputError.of(option, f"{text[:40]!r} has no '='", example)
    return name.strip(), value


def _tell(found: Mapping[str, Any], program: Program) -> None:
    changing = [one for one in found["items"] if one["differences"]]
    for one in changing[:SHOWN]:
        say(f"~ {one_line(one['name'])}")
        for difference in one["differences"]:
            say(f"    {difference['field']}: {short(difference['before'])} -> {short(difference['after'])}")
    if len(changing) > SHOWN:
        say(f"~ and {len(changing) - SHOWN:,} more; --json names all of them")
    rest = len(found["items"]) - len(changing)
    say(
        f"{counted(len(changing))} of {len(found['items']):,} would change{', the others are so already' if rest else ''}."
    )
    if changing:
        foresight.tell_lines(found["simulation"], program.zone)


def counted(number: int) -> str:
    """Return how many tasks, in words."""
    return f"{number:,} task{'s' if number != 1 else ''}"
