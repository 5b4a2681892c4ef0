"""Secrets by their names: what a name may be, and how the environment of a task says ``${secret:NAME}``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from watchbell.errors import InputError

NAME_LIMIT = 64
#: As many characters as a variable's own value may have.
VALUE_LIMIT = 32_768
#: What is shorter would be found by chance in any output, and masking it would tell more than it hides.
LEAST_VALUE = 4

OPENING = "${secret:"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*\Z")
_REFERENCE = re.compile(r"\$\{secret:([^{}]*)\}")
#: A shell does not hand these on as they are, so that something else would have to carry their values to it, in the open.
_UNFIT = frozenset({"IFS", "OPTIND", "PPID", "LINENO"})
_EXAMPLE = "${secret:database-password}"


def check_name(name: object) -> str:
    """Return the name of a secret; raises InputError."""
    if not isinstance(name, str) or not _NAME.match(name) or len(name) > NAME_LIMIT:
        raise InputError.of(
            "name",
            f"must begin with a letter and hold letters, digits, and . _ - only, at most {NAME_LIMIT}",
            "database-password",
        )
    return name


def check_value(value: object) -> str:
    """Return the value of a secret; raises InputError, which never repeats any of it."""
    if not isinstance(value, str):
        raise InputError.of("value", "must be a text")
    if not value.strip():
        raise InputError.of("value", "must not be blank")
    # Line ends are never masked, and spaces say nothing.
    if len(value.strip()) < LEAST_VALUE:
        raise InputError.of("value", f"must be at least {LEAST_VALUE} characters long: a shorter one cannot be masked")
    if len(value) > VALUE_LIMIT:
        raise InputError.of("value", f"must be at most {VALUE_LIMIT} characters long")
    if "\0" in value or any(0xD800 <= ord(char) <= 0xDFFF for char in value):
        raise InputError.of("value", "must be text without NUL, since no variable can hold that")
    return value


def reference(name: str) -> str:
    """Return what stands for a secret in the value of a variable."""
    return f"{OPENING}{name}}}"


def names_in(text: str) -> list[str]:
    """Return the secrets that a text names, each once, in their order."""
    return list(dict.fromkeys(_REFERENCE.findall(text)))


def names_of(environment: Mapping[str, object]) -> tuple[str, ...]:
    """Return the secrets that variables name, each once, in their order."""
    found = [name for value in environment.values() if OPENING in str(value) for name in names_in(str(value))]
    return tuple(dict.fromkeys(found))


def is_reference(text: str) -> bool:
    """Return whether a text is nothing but the name of a secret, so that it tells nothing of its value."""
    return bool(_REFERENCE.fullmatch(text))


def fill(environment: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    """Return variables with the values of the secrets that they name; each of those must be given."""
    return {
        name: _REFERENCE.sub(lambda found: values[found[1]], text) if OPENING in text else text
        for name, text in environment.items()
    }


def check_environment(environment: Iterable[tuple[str, str]]) -> None:
    """Raise InputError for a variable that names a secret in a way that cannot be."""
    for variable, text in environment:
        if OPENING not in text:
            continue
        names = names_in(text)
        if text.count(OPENING) != len(_REFERENCE.findall(text)):
            raise InputError.of("environment", f"{variable} names a secret without an end", f"{variable}={_EXAMPLE}")
        if not all(_NAME.match(name) and len(name) <= NAME_LIMIT for name in names):
            raise InputError.of("environment", f"{variable} names what cannot be a secret", f"{variable}={_EXAMPLE}")
        if variable in _UNFIT:
            raise InputError.of("environment", f"{variable} cannot hold a secret", f"PASSWORD={_EXAMPLE}")


def check_command(field: str, text: str) -> None:
    """Raise InputError for a command that names a secret, where everybody on the machine would read it."""
    if OPENING in text:
        raise InputError.of(
            field,
            "a secret cannot stand in a command, where other users of the machine could read it; give it to a variable of "
            "the environment",
            f"PASSWORD={_EXAMPLE} in the environment",
        )
