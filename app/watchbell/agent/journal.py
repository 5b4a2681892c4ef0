"""What the agent must not forget: what it has begun, and what it has not been able to report yet.

Everything is a small file that is put in place whole and flushed before the agent acts on it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from watchbell.agent import files
from watchbell.domain.agent_protocol import Assignment

#: So many reports are kept while the server is away; the device works on one job at a time.
MOST_REPORTS = 1000
_MOST_SEEN = 200


class Journal:
    """The files of one agent, in a directory of its own."""

    def __init__(self, folder: Path) -> None:
        self._spool = folder / "spool"
        self._spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._held = folder / "held.json"
        self._seen = folder / "seen.json"
        self._fence = folder / "fence.json"

    def begin(self, assignment: Assignment) -> None:
        """Note that a job is about to be begun: from now on it may have had an effect."""
        files.write(self._fence, {"fence": assignment.fence})
        files.write(self._held, {"job_id": assignment.job_id, "fence": assignment.fence})

    def drop(self) -> None:
        """Note that a job was not begun after all; it may be given again."""
        self._held.unlink(missing_ok=True)

    def held(self) -> dict[str, Any] | None:
        """Return the job that was begun and has no result, None if there is none."""
        return files.load(self._held)

    def is_new(self, assignment: Assignment) -> bool:
        """Return whether an assignment is none that was begun before, and not older than one that was."""
        newest = int((files.load(self._fence) or {}).get("fence", 0))
        return assignment.fence >= newest and _mark(assignment.job_id, assignment.fence) not in self._marks()

    def finish(self, job_id: str, fence: int, report: dict[str, Any]) -> None:
        """Note the result of a job, to be reported; what was begun is begun no more."""
        name = f"{len(self._marks()):06d}-{os.urandom(4).hex()}.json"
        files.write(self._spool / name, {"job_id": job_id, "fence": fence, "report": report})
        files.write(self._seen, {"seen": [*self._marks(), _mark(job_id, fence)][-_MOST_SEEN:]})
        self._held.unlink(missing_ok=True)

    def reports(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Yield what is to be reported, oldest first, with the file to be removed when it is."""
        spooled = sorted(self._spool.glob("*.json"), key=lambda file: (file.stat().st_mtime_ns, file.name))
        for file in spooled[-MOST_REPORTS:]:
            found = files.load(file)
            if found is None:
                file.unlink(missing_ok=True)
                continue
            yield file, found

    def _marks(self) -> list[str]:
        return list((files.load(self._seen) or {}).get("seen", []))


def _mark(job_id: str, fence: int) -> str:
    return f"{job_id}/{fence}"
