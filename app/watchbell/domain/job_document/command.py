"""How a command is written in a job document: its arguments with commas between them, or a line for the shell.

``df,-h`` is two arguments and needs no shell. A text whose first argument would hold white space cannot be meant so, since
no program is called that, and is a line for the shell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

SHELL = ("sh", "-c")
_SEPARATOR = re.compile(r"(?<!\\),")
_QUOTES = re.compile(r"['\"\\]")
_BETWEEN = frozenset(";|&()\n")


def split(text: str) -> list[str]:
    r"""Return the arguments between commas, trimmed and without empty ones; ``\,`` is a comma in one of them."""
    tokens = (token.replace("\\,", ",").strip() for token in _SEPARATOR.split(text))
    return [token for token in tokens if token]


def is_shell_line(text: str) -> bool:
    """Return whether a command is a line for the shell."""
    tokens = split(text)
    return bool(tokens) and re.search(r"\s", tokens[0]) is not None


def argv_of(text: str) -> list[str]:
    """Return what a command starts, empty if it says nothing."""
    return [*SHELL, text.strip()] if is_shell_line(text) else split(text)


def command_of(argv: Sequence[str]) -> str | None:
    """Return the text that means exactly these arguments, None if none does.

    Nothing can be told by an argument that is empty or begins or ends with white space, nor a program with white space in
    its name, nor a backslash before the next argument's comma.
    """
    text = ",".join(token.replace(",", "\\,") for token in argv)
    return text if not is_shell_line(text) and split(text) == list(argv) and argv else None


def bare(word: str) -> str:
    """Return a word of a line for the shell without its quotes and backslashes."""
    return _QUOTES.sub("", word)


def commands_of(line: str) -> Iterator[list[str]]:
    """Yield the words of each command in a line for the shell, with their quotes; comments are none."""
    words: list[str] = []
    word, quote, place = "", "", 0
    while place < len(line):
        char = line[place]
        if char == "\\" and quote != "'":
            word += line[place : place + 2]
            place += 2
            continue
        if char == "#" and not quote and not word:
            # A quote in a comment opens nothing.
            end = line.find("\n", place)
            place = len(line) if end < 0 else end
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
