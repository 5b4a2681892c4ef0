"""What the agent must not forget: what it has begun, and what it has not been able to report yet.

Everything is a small file that is put in place whole and flushed before the agent acts on it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: So many reports are kept while the server is away; the device works on one job at a time.
MOST_REPORTS = 1000
_MOST_SEEN = 200


class Journal:
    """The files of one agent, in a directory of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._spool = folder / "spool"
        self._spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._held = folder / "held.json"
        self._seen = folder / "seen.json"

    def begin(self, job: dict[str, Any]) -> None:
        """Note that a job is about to be begun: from now on it may have had an effect."""
        _write(self._held, {"job_id": job["job_id"], "number": job.get("execution_number", 1)})

    def held(self) -> dict[str, Any] | None:
        """Return the job that was begun and has no result, None if there is none."""
        return _load(self._held)

    def has_seen(self, job: dict[str, Any]) -> bool:
        """Return whether this attempt at a job was begun before."""
        return _mark(job["job_id"], job.get("execution_number", 1)) in self._marks()

    def finish(self, job_id: str, number: int, report: dict[str, Any]) -> None:
        """Note the result of a job, to be reported; what was begun is begun no more."""
        name = f"{len(self._marks()):06d}-{os.urandom(4).hex()}.json"
        _write(self._spool / name, {"job_id": job_id, "report": report})
        _write(self._seen, {"seen": [*self._marks(), _mark(job_id, number)][-_MOST_SEEN:]})
        self._held.unlink(missing_ok=True)

    def reports(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Yield what is to be reported, oldest first, with the file to be removed when it is."""
        files = sorted(self._spool.glob("*.json"), key=lambda file: (file.stat().st_mtime_ns, file.name))
        for file in files[-MOST_REPORTS:]:
            found = _load(file)
            if found is None:
                file.unlink(missing_ok=True)
                continue
            yield file, found

    def _marks(self) -> list[str]:
        return list((_load(self._seen) or {}).get("seen", []))


def _mark(job_id: str, number: int) -> str:
    return f"{job_id}/{number}"


def _write(file: Path, value: dict[str, Any]) -> None:
    part = file.with_suffix(".part")
    with part.open("w") as out:
        json.dump(value, out)
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _load(file: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        # It is not there, or was broken off before it was put in its place.
        return None
    return found if isinstance(found, dict) else None
