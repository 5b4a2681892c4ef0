"""How each plain field of a task is read: what people type, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from watchbell.domain import chains, environment_sets, environments, runbooks, secret_names
from watchbell.domain import parameters as task_parameters
from watchbell.domain import steps as task_steps
from watchbell.domain.chains import AFTER_FIELD, JOIN_FIELD
from watchbell.domain.parameters import FIELD, SETS_FIELD
from watchbell.domain.runbooks import LINKS_FIELD, RUNBOOK_FIELD
from watchbell.domain.shown_text import is_visible
from watchbell.domain.tags import tidy
from watchbell.errors import InputError

NAME_LIMIT = 100
TEAM_LIMIT = 64
COMMAND_LIMIT = 32_768
#: The script of an interpreter, which is no argument of anything, may be longer.
SCRIPT_LIMIT = 262_144
TEXT_LIMIT = 4000
TAG_LIMIT = 50


def _text(limit: int, example: str, *, required: bool = False, lines: bool = False) -> Callable[[str, object], str]:
    def read(name: str, value: object) -> str:
        text = _require_text(name, value, example)
        text = text if lines else text.strip()
        if required and not text.strip():
            raise InputError.of(name, "must not be empty", example)
        if len(text) > limit:
            raise InputError.of(name, f"must be at most {limit} characters long", example)
        if not (_is_clean(text, "\n\t\r") if lines else is_visible(text)):
            raise InputError.of(name, "must not hold control characters or invisible ones", example)
        return text.replace("\r\n", "\n")

    return read


def _require_text(name: str, value: object, example: str) -> str:
    if value is not None and not isinstance(value, str):
        raise InputError.of(name, "must be a text", example)
    return value or ""


def _is_clean(text: str, allowed: str = "") -> bool:
    """Return whether a text is free of control characters and of half characters, which nothing can store."""
    return all(
        char in allowed or not (ord(char) < 32 or ord(char) == 127 or 0xD800 <= ord(char) <= 0xDFFF) for char in text
    )


def _directory(name: str, value: object) -> str | None:
    example = "/var/backups"
    text = _require_text(name, value, example).strip()
    if not text:
        return None
    if not text.startswith("/"):
        raise InputError.of(name, "must be an absolute path", example)
    if len(text) > TEXT_LIMIT:
        raise InputError.of(name, f"must be at most {TEXT_LIMIT} characters long", example)
    if not _is_clean(text):
        raise InputError.of(name, "must not hold control characters", example)
    return text


def _environment(name: str, value: object) -> dict[str, str]:
    pairs = environments.pairs_of(name, value)
    secret_names.check_environment(pairs)
    return dict(pairs)


def _tags(name: str, value: object) -> tuple[str, ...]:
    parts = value if isinstance(value, list | tuple) else str(value or "").split(",")
    tags = tuple(dict.fromkeys(tidied for part in parts if (tidied := tidy(str(part)))))
    for tag in tags:
        if len(tag) > TAG_LIMIT or "," in tag or not is_visible(tag):
            raise InputError.of(name, f"each must be at most {TAG_LIMIT} printable characters", "backup, daily")
    if len(tags) > 20:
        raise InputError.of(name, "must be at most 20", "backup, daily")
    return tags


def _enabled(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"on": True, "true": True, "1": True, "yes": True, "off": False, "false": False, "0": False, "no": False}
    try:
        return words[str(value).strip().lower()]
    except KeyError:
        raise InputError.of(name, "must be true or false", "true") from None


def _command(name: str, value: object) -> str:
    text = _text(SCRIPT_LIMIT, "echo hello", lines=True)(name, value)
    secret_names.check_command(name, text)
    return text


def read_name(name: str, value: object) -> str:
    """Return a name that a task may have; raises InputError on the field of that name."""
    text = _text(NAME_LIMIT, "backup-home", required=True)(name, value)
    if text.isascii() and text.isdigit():
        raise InputError.of(name, "must not be a number only, because tasks also have ids", "backup-1")
    return text


#: Returns the value of a field; raises InputError on it.
READERS: Mapping[str, Callable[[str, object], object]] = {
    "name": read_name,
    "command": _command,
    "steps": lambda _name, value: task_steps.build_steps(value),
    "directory": _directory,
    "environment": _environment,
    environment_sets.FIELD: environment_sets.build_names,
    "tags": _tags,
    "comment": _text(TEXT_LIMIT, "why it is there", lines=True),
    "owner": _text(NAME_LIMIT, "ann"),
    "team": _text(TEAM_LIMIT, "database"),
    "host": _text(255, "server-1"),
    "enabled": _enabled,
    FIELD: lambda _name, value: task_parameters.build_parameters(value),
    SETS_FIELD: lambda _name, value: task_parameters.build_sets(value),
    RUNBOOK_FIELD: lambda _name, value: runbooks.build_runbook(value),
    LINKS_FIELD: lambda _name, value: runbooks.build_links(value),
    AFTER_FIELD: lambda _name, value: chains.build_after(value),
    JOIN_FIELD: lambda _name, value: chains.build_join(value),
}
