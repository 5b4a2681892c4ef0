"""The scripts of a task with an interpreter: files, so that they may be long, stand in no list of processes, and are read by nobody else.

They lie beside the record of their attempt, in a folder that is its owner's alone. For a run as another user that folder
is out of reach, so there the script is that user's and lies in a folder of its own, which nobody can list or write to but
us; a link beside the record says where. They go when the bundle goes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import stat
from collections.abc import Sequence

from watchbell.domain.steps import Step
from watchbell.execution.bundle import SCRIPT, Bundle, shared_folder
from watchbell.execution.command import Command, User
from watchbell.execution.process import SpawnFailed

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
#: Others may open what they know by name in the folder of their scripts, and nothing else.
_MODE = stat.S_IRWXU | stat.S_IXGRP | stat.S_IXOTH


def put_scripts(bundle: Bundle, command: Command) -> tuple[str, ...]:
    """Write the script of a command, or of each of its steps, and return their files; raises SpawnFailed.

    A keeper that takes the place of another is asked anew: then what is there already is written again.
    """
    texts = [step.command for step in command.steps] or [command.script]
    first = f"{bundle.status}{SCRIPT}"
    paths = [first, *(f"{first}{number}" for number in range(2, len(texts) + 1))]
    try:
        return tuple(_put(path, text, bundle, command.user) for path, text in zip(paths, texts, strict=True))
    except OSError as error:
        raise SpawnFailed(f"its script could not be written: {error.strerror}", 1) from error


def step_of(step: Step, argv: Sequence[str], *more: str) -> Step:
    """Return a step that is one program with these arguments, which no shell takes for anything else."""
    return dataclasses.replace(step, command=f"exec {shlex.join([*argv, *more])}")


def _put(path: str, text: str, bundle: Bundle, user: User | None) -> str:
    data = (text if text.endswith("\n") else f"{text}\n").encode()
    if user is None:
        _write(path, data)
        return path
    folder = _claim(shared_folder(bundle.token.partition(".")[0]))
    place = os.path.join(folder, os.path.basename(path))
    _write(place, data, user)
    # It is there only if another keeper was asked before.
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    os.symlink(place, path)
    return place


def _write(path: str, data: bytes, user: User | None = None) -> None:
    descriptor = os.open(path, _FLAGS, 0o600)
    try:
        if user is not None:
            os.fchown(descriptor, user.uid, user.gid)
        while data:
            data = data[os.write(descriptor, data) :]
    finally:
        os.close(descriptor)


def _claim(folder: str) -> str:
    """Make a folder in which others can only open what they know by name; raises SpawnFailed for one that is not ours."""
    # It is looked at below, whoever made it.
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, _MODE)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise SpawnFailed(f"its script cannot be handed over: {folder} belongs to another user", 1)
    if stat.S_IMODE(found.st_mode) != _MODE:
        os.chmod(folder, _MODE)
    return folder
