"""The variables that a step of a job document has of its own; a value may name secrets, and no other text of it may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from watchbell.domain import environments, secret_names
from watchbell.domain.job_document.fields import Fields
from watchbell.domain.job_document.variables import NAME
from watchbell.errors import InputError

FIELD = "environment"
MOST_VARIABLES = 100
EXAMPLE = "${secret:registry-password}"


def read(found: Fields) -> dict[str, str]:
    """Return the variables of a step, and complain of each that is wrong."""
    made: dict[str, str] = {}
    names = found.names(FIELD)
    if len(names) > MOST_VARIABLES:
        found.complain(FIELD, f"must be at most {MOST_VARIABLES} variables")
        return made
    given = found.below(FIELD, None) if names else None
    for name in names:
        value = given.text(name, longest=environments.VALUE_LIMIT, is_needed=True) if given is not None else None
        if value is None:
            continue
        wrong = environments.problem_of(name, value)
        if wrong is not None:
            found.complain(FIELD, wrong)
        _check_secrets(found, name, value)
        made[name] = value
    return made


def _check_secrets(found: Fields, name: str, value: str) -> None:
    """Complain of a value that names a secret in a way that cannot be, also of one that a variable would choose."""
    try:
        secret_names.check_environment([(name, value)])
    except InputError as error:
        for problem in error.problems:
            found.complain(FIELD, problem.message, problem.example)
    if NAME.search(value) and "secret:" in value and not found.is_filled:
        found.complain(
            FIELD, f"{name} names a secret beside a variable; give each a variable of the environment", EXAMPLE
        )


def names_elsewhere(document: object) -> bool:
    """Return whether a secret is named in a document anywhere but in the environment of a step, where nothing fills it in."""
    if isinstance(document, str):
        return secret_names.OPENING in document
    if isinstance(document, Mapping):
        return any(_names_in(str(name), below) for name, below in document.items())
    return isinstance(document, list) and any(map(names_elsewhere, document))


def _names_in(name: str, value: Any) -> bool:
    if name == FIELD and isinstance(value, Mapping):
        return False
    return names_elsewhere(value)
