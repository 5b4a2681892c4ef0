"""What a person means who gives a command line to be run at once: where it runs, and which task its runs belong to."""

from __future__ import annotations

import dataclasses
import hashlib
import shlex
from collections.abc import Sequence
from pathlib import PurePosixPath

from watchbell.domain.task_fields import NAME_LIMIT
from watchbell.errors import InputError

_SCRIPT = ".py"


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """A command line as the task has it."""

    #: What the task is called unless something else is asked for.
    name: str
    command: str
    directory: str
    #: The file that must be there; empty where a program is looked up by its name.
    file: str = ""


def read_line(words: Sequence[str], *, here: str, directory: str | None, python: str) -> Line:
    """Return what a command line means that is given in the directory ``here``.

    A script of Python's is run by an interpreter, in its own folder unless a directory is named; anything else is run as it
    stands, here. Raises InputError.
    """
    if not words or not words[0]:
        raise InputError.of("command", "is required", "report.py")
    first, *rest = words
    folder = PurePosixPath(here) / directory if directory else None
    if first.endswith(_SCRIPT):
        script = _plain(PurePosixPath(here) / first)
        inside = folder or script.parent
        given = script.name if inside == script.parent else str(script)
        # A name that begins with a dash would be an option of the interpreter's.
        given = f"./{given}" if given.startswith("-") else given
        return Line(_short(str(script)), shlex.join([python, given, *rest]), str(inside), str(script))
    inside = folder or PurePosixPath(here)
    if "/" not in first:
        return Line(_short(first), shlex.join(words), str(inside))
    program = _plain(PurePosixPath(here) / first)
    return Line(_short(str(program)), shlex.join([str(program), *rest]), str(inside), str(program))


def _plain(path: PurePosixPath) -> PurePosixPath:
    """Return a path without the steps that lead nowhere; those that lead up stay, since a link may be in their way."""
    return PurePosixPath(*(part for part in path.parts if part != "."))


def _short(name: str) -> str:
    """Return a name that a task may have: of a path that is too long the end, and what tells it from others."""
    if len(name) <= NAME_LIMIT:
        return name
    mark = hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    return f"{name[-(NAME_LIMIT - 9) :]}-{mark}"
