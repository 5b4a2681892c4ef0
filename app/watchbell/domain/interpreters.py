"""Which program is given what a task says as its script: a shell unless the task names another one, or none at all."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from watchbell.domain.plain_command import plain_argv, shell_command
from watchbell.domain.shown_text import is_visible
from watchbell.errors import InputError

FIELD = "interpreter"
#: No shell ever: what a task says is a program and its arguments.
NO_SHELL = "none"
TEXT_LIMIT = 500
MOST_WORDS = 20
_EXAMPLE = "/bin/bash -e"
#: The name of a program that is looked for in PATH, or an absolute path; a name with `=` would be a variable to most readers.
_PROGRAM = re.compile(r"/[^\0]*[^/\0]|[A-Za-z0-9_][A-Za-z0-9_.+@-]*")


def read(name: str, value: object) -> str:
    """Return an interpreter in one spelling: nothing, ``none``, or a program with its arguments; raises InputError."""
    text = str(value).strip()
    if len(text) > TEXT_LIMIT:
        raise InputError.of(name, f"must be at most {TEXT_LIMIT} characters long", _EXAMPLE)
    if text.lower() in {"", NO_SHELL}:
        return text.lower()
    if not is_visible(text):
        raise InputError.of(name, "must not hold control characters or invisible ones", _EXAMPLE)
    try:
        words = shlex.split(text)
    except ValueError:
        raise InputError.of(name, "has a quotation without an end", _EXAMPLE) from None
    if not words or not _PROGRAM.fullmatch(words[0]):
        raise InputError.of(name, "must begin with the name of a program in PATH, or with its absolute path", _EXAMPLE)
    if len(words) > MOST_WORDS:
        raise InputError.of(name, f"must be a program with at most {MOST_WORDS - 1} arguments", _EXAMPLE)
    return shlex.join(words)


def words_of(interpreter: object) -> tuple[str, ...]:
    """Return the program that is given scripts, with its arguments; nothing where there is none, or it is a shell as usual."""
    text = str(interpreter or "")
    return () if text in {"", NO_SHELL} else tuple(shlex.split(text))


def of_policies(policies: object) -> str:
    """Return the interpreter that stored policies name."""
    return str(policies.get(FIELD) or "") if isinstance(policies, Mapping) else ""


def direct_argv(text: str) -> tuple[str, ...]:
    """Return a program and its arguments from what a task without a shell says; raises ValueError for none."""
    words = shlex.split(text)
    if not words:
        raise ValueError("there is no word")
    return tuple(words)


def argv_of(text: str, interpreter: str) -> tuple[str, ...]:
    """Return the arguments that run a text; those of an interpreter lack the file of the script, which comes last.

    Raises ValueError for what no list of arguments can be made of.
    """
    if interpreter == NO_SHELL:
        return direct_argv(text)
    return words_of(interpreter) or plain_argv(text) or shell_command(text)


def find_fault(text: str, interpreter: str) -> str:
    """Return what is wrong with a text for its interpreter; empty for nothing."""
    if interpreter == NO_SHELL:
        try:
            direct_argv(text)
        except ValueError:
            return "without a shell it must be a program and its arguments, with an end to each quotation"
    return ""


def called(text: str, interpreter: str) -> str:
    """Return the program that a text is certain to call first, as it is named there; empty where only a shell knows."""
    if interpreter == NO_SHELL and find_fault(text, interpreter):
        return ""
    words = argv_of(text, interpreter)
    return "" if words == shell_command(text) else words[0]
