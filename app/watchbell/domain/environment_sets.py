"""Named sets of environment variables that tasks share, and what the variables of a task come to with them.

A task names its sets in order: of a variable that several have the last one counts, and what the task says itself counts
before all of them. The definition of a task carries what its sets said when it was stored, so that a version, and with it a
run, keeps what it was given.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from watchbell.domain import environments, secret_names
from watchbell.errors import InputError, Problem

#: The names of the sets of a task, and the field of a stored definition that carries their variables.
FIELD = "environment_sets"
CARRIED = "set_variables"
NAME_LIMIT = 64
MOST_OF_TASK = 20
MOST_VARIABLES = 200
#: Of all names and values of a set, which every task that names it carries.
SIZE_LIMIT = 65_536
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*\Z")
_EXAMPLE = "database,proxy"

#: Finds the variables of a set by its name, None for one that is not there.
Sets = Callable[[str], Mapping[str, str] | None]


def no_sets(_name: str) -> Mapping[str, str] | None:
    """Find no set, as where nobody knows any."""
    return None


def is_name(text: str) -> bool:
    """Return whether a set may be called so."""
    return bool(_NAME.match(text)) and len(text) <= NAME_LIMIT


def check_name(value: object) -> str:
    """Return the name of a set; raises InputError."""
    if not isinstance(value, str) or not is_name(value.strip()):
        words = f"must begin with a letter and hold letters, digits, and . _ - only, at most {NAME_LIMIT}"
        raise InputError.of("name", words, "database")
    return value.strip()


def build_variables(value: object) -> dict[str, str]:
    """Return the variables of a set from a mapping, or lines with NAME=value in each; raises InputError on ``variables``."""
    pairs = environments.pairs_of("variables", value)
    try:
        secret_names.check_environment(pairs)
    except InputError as error:
        raise InputError(*(Problem("variables", one.message, one.example) for one in error.problems)) from None
    found = dict(pairs)
    if not found:
        raise InputError.of("variables", "a set has at least one variable", environments.EXAMPLE)
    if len(found) > MOST_VARIABLES:
        raise InputError.of("variables", f"must be at most {MOST_VARIABLES}", environments.EXAMPLE)
    if sum(len(name) + len(text) for name, text in found.items()) > SIZE_LIMIT:
        raise InputError.of("variables", f"must be at most {SIZE_LIMIT} characters together", environments.EXAMPLE)
    return found


def build_names(name: str, value: object) -> tuple[str, ...]:
    """Return the names of the sets of a task in their order, from a list or a text with commas; raises InputError."""
    parts = value if isinstance(value, list | tuple) else str(value or "").replace("\n", ",").split(",")
    if not all(isinstance(part, str) for part in parts):
        raise InputError.of(name, "this is a list of names", _EXAMPLE)
    names = tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))
    for one in names:
        if not is_name(one):
            raise InputError.of(name, f"there is no environment set {environments.shown(one)}", _EXAMPLE)
    if len(names) > MOST_OF_TASK:
        raise InputError.of(name, f"must be at most {MOST_OF_TASK}", _EXAMPLE)
    return names


def resolve(names: Sequence[str], find: Sets, kept: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Return the variables of sets by their names; ``kept`` is what a task carries of them already.

    Raises InputError for a set that is neither there nor carried.
    """
    found = {name: find(name) for name in names}
    missing = [name for name, variables in found.items() if variables is None and name not in kept]
    if missing:
        raise InputError(*(Problem(FIELD, f"there is no environment set {name!r}", None) for name in missing))
    return {name: dict(kept[name] if variables is None else variables) for name, variables in found.items()}


def merged(definition: Mapping[str, Any]) -> dict[str, str]:
    """Return all variables that a stored definition gives to its command, those of its parameters aside."""
    return {name: value for name, (value, _title) in origins(definition).items()}


def origins(definition: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return each variable of a stored definition with its value and the set that it is from, empty for the task's own."""
    # One that an earlier version has made knows no sets.
    carried = definition.get(CARRIED) or {}
    found: dict[str, tuple[str, str]] = {}
    for title in definition.get(FIELD) or ():
        found |= {str(name): (str(value), str(title)) for name, value in (carried.get(title) or {}).items()}
    own = definition.get("environment") or {}
    return found | {str(name): (str(value), "") for name, value in own.items()}


@dataclasses.dataclass(frozen=True, slots=True)
class Clash:
    """A variable that two people have changed, each otherwise; None for one that is not there."""

    name: str
    began: str | None
    stored: str | None
    typed: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Merged:
    """What somebody has typed, with what another one has saved meanwhile."""

    variables: Mapping[str, str]
    #: The variables of which both say something else; here stands what was typed.
    clashes: Sequence[Clash]
    #: Those that only the other one has changed.
    taken: Sequence[str]


def merge(began: Mapping[str, str], stored: Mapping[str, str], typed: Mapping[str, str]) -> Merged:
    """Return what was typed on top of variables as they were, with what somebody else has stored since."""
    found: dict[str, str] = {}
    clashes, taken = [], []
    for name in dict.fromkeys([*typed, *stored, *began]):
        before, theirs, mine = (side.get(name) for side in (began, stored, typed))
        kept = theirs if mine == before else mine
        if mine == before and theirs != before:
            taken.append(name)
        elif theirs not in (before, mine):
            clashes.append(Clash(name, before, theirs, mine))
        if kept is not None:
            found[name] = kept
    return Merged(found, clashes, taken)
