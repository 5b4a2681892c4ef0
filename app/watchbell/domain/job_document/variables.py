"""Filling in the ``{{NAME}}`` of a job document, so that a value stays within the argument in which its name stands.

A command of arguments is taken apart before a value comes in. A line for the shell never holds a value: it is given them as
the shell's own arguments, which it does not read as commands whatever they say.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from watchbell.domain.job_document import command, interpreters
from watchbell.errors import InputError, Problem

NAME = re.compile(r"\{\{([A-Z_]+)\}\}")
VALUE_LIMIT = 4096
_INNER = re.compile(r"`|\$\(|<<|\$'|\$\"")
_OPTION = (
    "must not begin with -, because it begins an argument; what is meant so needs -- or - before it in the document"
)
#: The name of the shell, as it tells of errors in a line.
_SHELL_NAME = "job"


def names_in(document: object) -> frozenset[str]:
    """Return the names of all variables that stand anywhere in the texts of a document."""
    return frozenset(name for text in _texts(_body(document)) for name in NAME.findall(text))


def defaults_in(document: object) -> dict[str, str]:
    """Return the values that a document gives its variables itself."""
    told = document.get("variables") if isinstance(document, Mapping) else None
    found: dict[str, str] = {}
    for name, variable in (told if isinstance(told, Mapping) else {}).items():
        default = variable.get("defaultValue") if isinstance(variable, Mapping) else None
        if isinstance(default, str) and default.strip():
            found[str(name)] = default
    return found


def leading_in(document: object) -> frozenset[str]:
    """Return the names of the variables that begin an argument, where a value with a dash would be an option.

    Behind an argument ``--`` nothing is one.
    """
    return frozenset(name for words in _arguments(_body(document), "") for name in _leading(words))


def fill_in(document: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """Return the document with a value in each place; raises InputError for a value that is missing or cannot be there.

    What the document gives a variable itself may begin an argument with a dash, a value that somebody else gives may not.
    """
    names = names_in(document)
    defaults = defaults_in(document)
    values = {**defaults, **{name: value for name, value in given.items() if value.strip()}}
    problems = [
        *(
            Problem(f"variables.{name}"[:100], "is needed by the document", "nginx")
            for name in sorted(names - set(values))
        ),
        *(Problem(f"variables.{name}"[:100], "is no variable of the document") for name in sorted(set(given) - names)),
        *(problem for name in sorted(names & set(values)) for problem in _problems_of(name, values[name])),
        *(
            Problem(f"variables.{name}"[:100], _OPTION)
            for name in sorted(leading_in(document))
            if values.get(name, "").startswith("-") and values[name] != defaults.get(name)
        ),
    ]
    if problems:
        raise InputError(*problems)
    filled: dict[str, Any] = _fill(_body(document), values, "")
    return {**filled, "variables": document["variables"]} if "variables" in document else filled


def _body(document: object) -> object:
    """Return what the variables stand in: not where they are explained."""
    if not isinstance(document, Mapping):
        return document
    return {name: value for name, value in document.items() if name != "variables"}


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for below in value.values():
            yield from _texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from _texts(below)


def _arguments(value: object, path: str) -> Iterator[list[str]]:
    """Yield the words of each command in a document, and the arguments of each handler."""
    if isinstance(value, list):
        for below in value:
            yield from _arguments(below, path)
    for name, below in value.items() if isinstance(value, Mapping) else ():
        if path == "environment":
            continue
        if name == "command" and isinstance(below, str):
            is_line = command.is_shell_line(below)
            yield from command.commands_of(below) if is_line else [command.split(below)]
        elif name == "args" and isinstance(below, list):
            yield [one for one in below if isinstance(one, str)]
        else:
            yield from _arguments(below, str(name))


def _leading(words: Sequence[str]) -> Iterator[str]:
    is_started = False
    plain = [command.bare(word) for word in words]
    for word, after in itertools.pairwise([*plain, ""]):
        # That of sudo and the like is followed by a program, which has options of its own.
        if word == "--" and (not is_started or NAME.match(after)):
            return
        is_started = is_started or word.rpartition("/")[2] in interpreters.STARTERS
        if found := NAME.match(word):
            yield found[1]


def _problems_of(name: str, value: str) -> Iterator[Problem]:
    if len(value) > VALUE_LIMIT:
        yield Problem(f"variables.{name}"[:100], f"must be at most {VALUE_LIMIT} characters long")
    if "\0" in value:
        yield Problem(f"variables.{name}"[:100], "must not hold NUL")


def _fill(value: Any, values: Mapping[str, str], path: str) -> Any:
    if isinstance(value, Mapping):
        return {
            name: _fill_command(below, values, f"{path}{name}")
            # A variable of an environment may have that name, too.
            if name == "command" and isinstance(below, str) and not path.endswith("environment.")
            else _fill(below, values, f"{path}{name}.")
            for name, below in value.items()
        }
    if isinstance(value, list):
        return [_fill(below, values, f"{path}{place}.") for place, below in enumerate(value)]
    return _put(value, values) if isinstance(value, str) else value


def _put(text: str, values: Mapping[str, str]) -> str:
    # In one go, so that a value that looks like a variable is not one.
    return NAME.sub(lambda found: values[found[1]], text)


def _fill_command(text: str, values: Mapping[str, str], path: str) -> str:
    if NAME.search(text) is None:
        return text
    # A name holds neither a comma nor white space, so that what the command is does not depend on the values.
    if command.is_shell_line(text):
        argv = _shell_argv(text.strip(), values, path)
    else:
        argv = [_put(token, values) for token in command.split(text)]
    filled = command.command_of(argv)
    if filled is None:
        raise InputError.of(
            path[:100],
            "cannot carry these values: an argument must not be empty, nor begin or end with white space, nor end with a "
            "backslash, and a program's name has no white space",
        )
    return filled


def _shell_argv(line: str, values: Mapping[str, str], path: str) -> list[str]:
    """Return a shell that is given the values beside its line."""
    if _INNER.search(line):
        raise InputError.of(
            path[:100],
            "must not mix variables with backquotes, $( ), $' ' or << in one line for the shell; write a handler",
        )
    order = list(dict.fromkeys(NAME.findall(line)))
    script = "".join(_pieces(line, {name: number for number, name in enumerate(order, start=1)}, path))
    return [*command.SHELL, script.strip(), _SHELL_NAME, *(values[name] for name in order)]


def _pieces(line: str, numbers: Mapping[str, int], path: str) -> Iterator[str]:
    """Yield a shell line with the number of an argument for each variable, quoted as the place in the line wants it."""
    quote, place, is_word_begin = "", 0, True
    while place < len(line):
        found = NAME.match(line, place)
        if found:
            argument = f"${{{numbers[found[1]]}}}"
            yield {"": f'"{argument}"', '"': argument, "'": f"'\"{argument}\"'"}[quote]
            place, is_word_begin = found.end(), False
            continue
        char = line[place]
        if char == "\\" and quote != "'":
            if NAME.match(line, place + 1):
                raise InputError.of(path[:100], "must not put a backslash before a variable")
            yield line[place : place + 2]
            place, is_word_begin = place + 2, False
            continue
        if char == "#" and not quote and is_word_begin:
            # A quote in a comment opens nothing.
            end = line.find("\n", place)
            place = len(line) if end < 0 else end
            continue
        if char in "'\"" and quote in {"", char}:
            quote = "" if quote else char
        is_word_begin = not quote and char in " \t\n;|&()<>"
        yield char
        place += 1
