"""Parameters of a task on the command line, sets of values and the values of one run; its runbook, links and parents."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import click

from watchbell.domain import parameters
from watchbell.domain.chains import AFTER_FIELD, JOIN_FIELD
from watchbell.domain.runbooks import LINKS_FIELD, RUNBOOK_FIELD
from watchbell.domain.schedule import line_values
from watchbell.errors import InputError

_FIELD = parameters.FIELD
_SPEC = re.compile(
    r"(?P<name>[^!:=]+)(?P<required>!)?(?::(?P<type>[a-z_]+)(?:\((?P<choices>[^()]*)\))?)?(?:=(?P<default>.*))?",
    re.DOTALL,
)
_EXAMPLE = "target!:choice(staging,live)=staging"

AFTER_OPTIONS = (
    click.option("--after", multiple=True, metavar="TASK[=END]",
                 help="Task that it runs after; END is one of succeeded, failed, finished. Give it again for more; '' for "
                 "none. Default: succeeded."),
    click.option("--join", metavar="HOW", help="Wait for all of them, any, or at least so many. Default: all."),
)  # fmt: skip
BOOK_OPTIONS = (
    click.option(
        "--runbook", metavar="FILE", help="What to do about it, as Markdown from a file, or - for standard input."
    ),
    click.option("--link", multiple=True, metavar="TITLE=URL", help="Where more can be found; give it again for more."),
)
OPTIONS = (
    click.option("--parameter", multiple=True, metavar="SPEC",
                 help="What can be said to each run, as NAME, NAME=DEFAULT or NAME!:TYPE(CHOICES)=DEFAULT, where ! is for "
                 f"required and TYPE one of {', '.join(parameters.ParameterType)}; give it again for more."),
    click.option("--parameters", "parameters_file", metavar="FILE",
                 help="Parameters as JSON from a file, or - for standard input: a list of objects with name, type, "
                 "default, choices, pattern, required, help and variable."),
    click.option("--value-set", multiple=True, metavar="SET:NAME=VALUE",
                 help="A value of a named set, to be chosen when somebody runs it; give it again for more."),
    click.option("--line-value", multiple=True, metavar="LINE:VALUES",
                 help=f"What one line of the schedule gives its runs, as '{line_values.EXAMPLE}'; * is for all lines. Give it "
                 "again for more; '' takes all away."),
)  # fmt: skip


def fields_of(given: Mapping[str, Any]) -> dict[str, object]:
    """Return the fields of a task that options about parameters stand for."""
    found: dict[str, object] = {}
    if "parameters_file" in given:
        if "parameter" in given:
            raise InputError.of(
                _FIELD, "say all of them in the file, or all by --parameter", "--parameters params.json"
            )
        found[_FIELD] = _read(given["parameters_file"])
    elif "parameter" in given:
        found[_FIELD] = [_declared(text) for text in given["parameter"]]
    if "runbook" in given:
        found[RUNBOOK_FIELD] = _text(given["runbook"]) if given["runbook"] else ""
    if "link" in given:
        found[LINKS_FIELD] = [_link(text) for text in given["link"] if text]
    if "after" in given:
        found[AFTER_FIELD] = [text for text in given["after"] if text]
    if "join" in given:
        found[JOIN_FIELD] = given["join"]
    if "value_set" in given:
        found[parameters.SETS_FIELD] = _sets(given["value_set"])
    if "line_value" in given:
        found[line_values.FIELD] = "\n".join(given["line_value"])
    return found


def values_of(pairs: Sequence[str]) -> dict[str, object]:
    """Return the values of one run from NAME=VALUE."""
    found: dict[str, object] = {}
    for text in pairs:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InputError.of(_FIELD, f"{text[:40]!r} has no '='", "--param day=2026-11-30")
        if name in found:
            raise InputError.of(f"{_FIELD}.{name[:40]}", "was given more than once")
        found[name] = value
    return found


def chosen_values(sets: Mapping[str, Mapping[str, str]], title: str | None, pairs: Sequence[str]) -> dict[str, object]:
    """Return the values of one run: those of a named set, if one is chosen, and over them those that were given."""
    if title is not None and title not in sets:
        raise InputError.of("value_set", f"{title[:40]!r} is not a set of this task", next(iter(sets), None))
    return {**(sets[title] if title is not None else {}), **values_of(pairs)}


def told(declared: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the parameters of a task in one line, as they can be declared; None if it has none."""
    return "; ".join(map(_spec, declared)) or None


def given_words(declared: object, given: Mapping[str, Any] | None) -> str | None:
    """Return what a run was given, the defaults of its version if nothing; None if it has no parameters."""
    values = given or {one.name: one.default for one in parameters.from_json(declared)}
    return ", ".join(f"{name}={value}" for name, value in values.items()) or None


def _spec(one: Mapping[str, Any]) -> str:
    kind = one["type"] + (f"({','.join(one['choices'])})" if one["choices"] else "")
    default = f"={one['default']}" if one["default"] else ""
    return f"{one['name']}{'!' if one['required'] else ''}:{kind}{default}"


def _declared(text: str) -> dict[str, object]:
    found = _SPEC.fullmatch(text)
    if found is None:
        raise InputError.of(_FIELD, f"{text[:60]!r} does not say a parameter", _EXAMPLE)
    return {
        "name": found["name"].strip(),
        "type": found["type"] or parameters.ParameterType.TEXT.value,
        "choices": [one.strip() for one in (found["choices"] or "").split(",") if one.strip()],
        "required": bool(found["required"]),
        "default": found["default"] or "",
    }


def _sets(texts: Sequence[str]) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for text in texts:
        title, colon, pair = text.partition(":")
        if not colon:
            raise InputError.of(parameters.SETS_FIELD, f"{text[:40]!r} has no ':'", "nightly:day=2026-11-30")
        found.setdefault(title, {}).update(values_of([pair]))
    return found


def _link(text: str) -> dict[str, str]:
    title, equals, url = text.partition("=")
    # An address may hold the sign as well.
    return {"title": title, "url": url} if equals and "/" not in title else {"title": "", "url": text}


def _text(file: str) -> str:
    try:
        with click.open_file(file, encoding="utf-8") as opened:
            return str(opened.read())
    except OSError as error:
        raise InputError.of(RUNBOOK_FIELD, f"{file[:200]!r} cannot be read: {error.strerror}", "runbook.md") from None
    except UnicodeDecodeError:
        raise InputError.of(RUNBOOK_FIELD, f"{file[:200]!r} is not text in UTF-8", "runbook.md") from None


def _read(file: str) -> object:
    try:
        with click.open_file(file, encoding="utf-8") as opened:
            return json.loads(opened.read())
    except OSError as error:
        raise InputError.of(_FIELD, f"{file[:200]!r} cannot be read: {error.strerror}", "params.json") from None
    except ValueError as error:
        raise InputError.of(_FIELD, f"{file[:200]!r} holds no JSON: {error}", '[{"name": "day"}]') from None


def after_told(after: Sequence[Mapping[str, str]], join: str) -> str | None:
    """Return after what a task runs, for people; None if it runs after nothing."""
    if not after:
        return None
    names = ", ".join(f"{one['task']} {one['on']}" for one in after)
    return f"{names} ({join})" if len(after) > 1 else names
