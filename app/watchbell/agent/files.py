"""Small files that are put in place whole and flushed, and that nobody but the agent's own user can read."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any


def write(file: Path, value: dict[str, Any]) -> None:
    """Put a value into a file, all of it or nothing; it is on the disk when this returns."""
    part = file.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        json.dump(value, out)
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load(file: Path) -> dict[str, Any] | None:
    """Return the value in a file, None if it is not there or holds none; raises OSError if it cannot be read now."""
    try:
        found = json.loads(file.read_text())
    except (FileNotFoundError, ValueError, RecursionError):
        # Nothing was ever put there whole.
        return None
    return found if isinstance(found, dict) else None


def give(folder: Path, uid: int) -> None:
    """Make a folder and the files in it another user's; raises OSError.

    Whoever has them already may have put in links to files that are not for that user. Links are left as they are, and so is
    what has a second name elsewhere, and what is neither file nor folder.
    """
    for _path, _folders, names, descriptor in os.fwalk(folder, follow_symlinks=False):
        os.fchown(descriptor, uid, -1)
        for name in names:
            _give_file(name, descriptor, uid)


def _give_file(name: str, folder: int, uid: int) -> None:
    if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        return
    # What is looked at and given is what was opened, whatever is put in its place meanwhile.
    found = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        looks = os.fstat(found)
        if stat.S_ISREG(looks.st_mode) and looks.st_nlink == 1:
            os.fchown(found, uid, -1)
    finally:
        os.close(found)
