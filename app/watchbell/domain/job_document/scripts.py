"""Finding variables that stand in a text which a program reads as commands, where a value could be one as well.

That is the script after the ``-c`` of a shell, whatever ``eval`` is given, and the text of an interpreter. Beside them a value
is safe: as an argument of the script, which names it as ``$1``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence

from watchbell.domain.job_document import command, interpreters
from watchbell.domain.job_document.variables import NAME

_SHELLS = frozenset(
    {"sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "fish", "csh", "tcsh", "rbash", "su", "runuser"}
)
#: These take the name of a user before their options, or behind them.
_OF_USERS = frozenset({"su", "runuser"})
_SCRIPT_OPTION = re.compile(r"-[A-Za-z]*c[A-Za-z]*|--command")
_WITH_VALUE = re.compile(r"[-+][A-Za-z]*[oO]|--rcfile|--init-file|-s|-g|-u")


@dataclasses.dataclass(frozen=True, slots=True)
class Misplaced:
    """What is wrong with a variable that stands in a program's text, and how it is said instead if there is such a way."""

    message: str
    example: str | None


_IN_SCRIPT = Misplaced(
    "must not hold a variable in what a shell or eval reads as commands; give it as an argument beside the script",
    'sh,-c,cat<"$1",_,{{FILE}}',
)
_IN_TEXT = (
    "must not hold a variable in the text of a program, as of python -c, perl -e, awk or sed; "
    "give it as an argument beside the text, or in the environment"
)
_ELSEWHERE = "must not hold a variable in what ssh, watch or cmd give to a shell as its commands; write a handler"


def misplaced(text: str) -> Misplaced | None:
    """Return what is wrong if a program that a command starts reads a variable of it as commands, else None."""
    if NAME.search(text) is None:
        return None
    commands = command.commands_of(text) if command.is_shell_line(text) else [command.split(text)]
    found = (why for words in commands for script, why in _scripts(words) if NAME.search(script))
    return next(found, None)


def _scripts(words: Sequence[str]) -> Iterator[tuple[str, Misplaced]]:
    """Yield the words of one command that a program reads as commands, with what is wrong about a variable in them."""
    for place, word in enumerate(words):
        program, arguments = command.bare(word).rpartition("/")[2], words[place + 1 :]
        if program == "eval":
            yield from ((script, _IN_SCRIPT) for script in arguments)
        elif program in _SHELLS:
            yield from ((script, _IN_SCRIPT) for script in _script_of(program, arguments))
        elif (interpreter := interpreters.find(words, place)) is not None:
            why = Misplaced(_IN_TEXT if interpreter.example else _ELSEWHERE, interpreter.example)
            yield from ((script, why) for script in interpreters.texts_of(interpreter, arguments))


def _script_of(program: str, arguments: Sequence[str]) -> Iterator[str]:
    """Yield the script of a shell that is given it as an argument."""
    is_wanted = is_value = False
    for word in arguments:
        plain = command.bare(word)
        if plain.startswith("--command="):
            yield word
        elif _SCRIPT_OPTION.fullmatch(plain):
            is_wanted = True
        elif is_value:
            is_value = False
        elif _WITH_VALUE.fullmatch(plain):
            is_value = not is_wanted or program in _OF_USERS
        elif plain.startswith("-") and not is_wanted:
            continue
        elif is_wanted:
            # An option may stand between; what looks like one may be the script itself.
            yield word
            if not plain.startswith("-"):
                return
        elif program not in _OF_USERS:
            return
