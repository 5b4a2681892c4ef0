"""``${param:NAME}`` in a command that is a plain list of arguments: where it may stand, and what takes its place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from watchbell.domain.interpreters import NO_SHELL, direct_argv
from watchbell.domain.parameters import FIELD, Parameter, ParameterType
from watchbell.domain.plain_command import literal_words
from watchbell.errors import Problem

OPENING = "${param:"
_PLACE = re.compile(r"\$\{param:([^{}]*)\}")
#: Stands for a place while a command is taken apart: nothing that a shell, or the taking apart, would look at.
_STAND_IN = "WBPLACE{}WBEND"
_STANDING = re.compile(r"WBPLACE(\d+)WBEND")


def template_of(command: str, parameters: Sequence[Parameter], interpreter: str = "") -> tuple[str, ...] | None:
    """Return the arguments of a command with its places in them; None if it has none, or is for a shell or another program."""
    # A shell may mean something else by these signs, where a task has no parameters.
    is_text = interpreter not in {"", NO_SHELL}
    if is_text or not parameters or OPENING not in command or _STANDING.search(command):
        return None
    places: list[str] = []

    def stand_in(found: re.Match[str]) -> str:
        places.append(found[0])
        return _STAND_IN.format(len(places) - 1)

    text = _PLACE.sub(stand_in, command)
    words = direct_argv(text) if interpreter == NO_SHELL else literal_words(text)
    if not words or _STANDING.search(words[0]):
        return None
    return tuple(_STANDING.sub(lambda found: places[int(found[1])], word) for word in words)


def fill(template: Sequence[str], values: Mapping[str, str]) -> tuple[str, ...]:
    """Return arguments with values in their places: each stays one argument, whatever is in the value."""
    return tuple(_PLACE.sub(lambda found: values.get(found[1], ""), word) for word in template)


def check(command: str, steps: Sequence[str], parameters: Sequence[Parameter], interpreter: str = "") -> list[Problem]:
    """Return what is wrong with the places in what a task runs; nothing may be wrong with the rest of it."""
    if not parameters:
        return []
    if any(OPENING in text for text in steps):
        return [Problem("steps", _for_shell(parameters[0]), f'"${parameters[0].variable_name}"')]
    if OPENING not in command:
        return []
    known = {one.name: one for one in parameters}
    named = _PLACE.findall(command)
    strange = [name for name in named if name not in known]
    if strange or len(named) != command.count(OPENING):
        return [Problem("command", "names a parameter that the task does not have", f"${{param:{parameters[0].name}}}")]
    secret = next((known[name] for name in named if known[name].type is ParameterType.SECRET), None)
    if secret is not None:
        words = "a secret cannot stand in a command, where other users of the machine could read it; take its variable"
        return [Problem("command", words, f'"${secret.variable_name}"')]
    if template_of(command, parameters, interpreter) is None:
        return [Problem("command", _for_shell(known[named[0]]), f'"${known[named[0]].variable_name}"')]
    return []


def check_values(template: Sequence[str], parameters: Sequence[Parameter], values: Mapping[str, str]) -> list[Problem]:
    """Return which free texts would be taken for an option, because they begin an argument and with a dash."""
    free = {one.name for one in parameters if one.type is ParameterType.TEXT and not one.pattern}
    leading = dict.fromkeys(found[1] for word in template if (found := _PLACE.match(word)) and found[1] in free)
    words = "must not begin with -, because it is an argument of the command"
    return [Problem(f"{FIELD}.{name}", words) for name in leading if values.get(name, "").startswith("-")]


def _for_shell(one: Parameter) -> str:
    return (
        f"a value is never put into what a shell reads; take its variable {one.variable_name} in quotes there, or make the "
        "command a program with its arguments"
    )
