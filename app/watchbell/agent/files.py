"""Small files that are put in place whole and flushed, and that nobody but the agent's own user can read."""

from __future__ import annotations

import json
import os
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
