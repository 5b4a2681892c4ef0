"""Finding variables that stand in a text which a shell reads as its commands, where a value could be one as well.

That is the script after the ``-c`` of a shell, and whatever ``eval`` is given. Beside them a value is safe: as an argument of
the script, which names it as ``$1``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from watchbell.domain.job_document import command
from watchbell.domain.job_document.variables import NAME

_SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "fish", "su", "runuser"})
#: These take the name of a user before their options, or behind them.
_OF_USERS = frozenset({"su", "runuser"})
_SCRIPT_OPTION = re.compile(r"-[A-Za-z]*c[A-Za-z]*|--command")
_WITH_VALUE = re.compile(r"[-+][A-Za-z]*[oO]|--rcfile|--init-file|-s|-g|-u")
_QUOTES = re.compile(r"['\"\\]")
_BETWEEN = frozenset(";|&()\n")


def reads_variable(text: str) -> bool:
    """Return whether a shell that a command starts reads a variable of it as its own commands."""
    if NAME.search(text) is None:
        return False
    commands = _commands(text) if command.is_shell_line(text) else [command.split(text)]
    return any(NAME.search(script) for words in commands for script in _scripts(words))


def _scripts(words: Sequence[str]) -> Iterator[str]:
    """Yield the words of one command that a shell reads as commands."""
    for place, word in enumerate(words):
        program = _QUOTES.sub("", word).rpartition("/")[2]
        if program == "eval":
            yield from words[place + 1 :]
        elif program in _SHELLS:
            yield from _script_of(program, words[place + 1 :])


def _script_of(program: str, arguments: Sequence[str]) -> Iterator[str]:
    """Yield the script of a shell that is given it as an argument."""
    is_wanted = is_value = False
    for word in arguments:
        plain = _QUOTES.sub("", word)
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


def _commands(line: str) -> Iterator[list[str]]:
    """Yield the words of each command in a line for the shell, with their quotes."""
    words: list[str] = []
    word, quote, place = "", "", 0
    while place < len(line):
        char = line[place]
        if char == "\\" and quote != "'":
            word += line[place : place + 2]
            place += 2
            continue
        place += 1
        if char in "'\"" and quote in {"", char}:
            quote = "" if quote else char
        if quote or not (char.isspace() or char in _BETWEEN):
            word += char
            continue
        words += [word] if word else []
        word = ""
        if char in _BETWEEN:
            yield words
            words = []
    yield [*words, word] if word else words
