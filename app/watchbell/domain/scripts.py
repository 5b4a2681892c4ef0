"""A script in a folder, as a command and back: how dashboards that know scripts only see tasks."""

from __future__ import annotations

import re
import shlex

from watchbell.errors import InputError

_PYTHON = re.compile(r"(?:.*/)?python[0-9.]*\Z")
_SUFFIX = ".py"


def to_command(name: str, *, python: str) -> str:
    """Return the command that runs a script in its folder: one of Python's by an interpreter, others by themselves.

    Others need the executable bit, and their first line says who runs them. Raises InputError for what is no file's name.
    """
    name = name.strip()
    if not name or name.endswith("/"):
        raise InputError.of("command", "must be the name of a script", "report.py")
    if name.endswith(_SUFFIX):
        # A name that begins with a dash would be an option.
        return shlex.join([python, f"./{name}" if name.startswith("-") else name])
    return shlex.quote(name if "/" in name else f"./{name}")


def to_script(command: str) -> str:
    """Return the script that a command runs, or the command itself if it is another one."""
    try:
        words = shlex.split(command)
    except ValueError:
        # A quotation without an end is a shell's business.
        return command
    if len(words) == 2 and _PYTHON.match(words[0]) and words[1].endswith(_SUFFIX):
        return words[1].removeprefix("./")
    if len(words) == 1 and words[0].startswith("./") and shlex.quote(words[0]) == command.strip():
        return words[0].removeprefix("./")
    return command
