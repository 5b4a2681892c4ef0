"""How a command is written in a job document: its arguments with commas between them, or a line for the shell.

``df,-h`` is two arguments and needs no shell. A text whose first argument would hold white space cannot be meant so, since
no program is called that, and is a line for the shell.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

SHELL = ("sh", "-c")
_SEPARATOR = re.compile(r"(?<!\\),")


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
