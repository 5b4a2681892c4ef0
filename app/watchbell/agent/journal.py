"""What the agent must not forget: what it has begun, and what it has not been able to report yet.

Everything is a small file that is put in place whole and flushed before the agent acts on it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from watchbell.agent import files
from watchbell.domain.agent_protocol import Assignment

#: So many reports are kept while the server is away; the device works on one job at a time.
MOST_REPORTS = 1000
_MOST_SEEN = 200

log = logging.getLogger("watchbell.agent")


class Journal:
    """The files of one agent, in a directory of its own.

    Of a job that is held, one file says in one piece whether it was begun, and that it never is again; so that no crash and
    no full disk comes between the two. Whatever is to be written raises OSError if that cannot be.
    """

    def __init__(self, folder: Path) -> None:
        self._spool = folder / "spool"
        self._spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = folder / "journal.json"
        self._state = self._load()

    def ask(self, assignment: Assignment) -> None:
        """Note that the server is about to be told that a job begins: from now on it may hold this agent for busy with it."""
        held = {"job_id": assignment.job_id, "fence": assignment.fence, "is_begun": False}
        self._put(fence=assignment.fence, held=held)

    def begin(self, assignment: Assignment) -> None:
        """Note that a job is about to be begun: from now on it may have had an effect, and is never begun again."""
        held = {"job_id": assignment.job_id, "fence": assignment.fence, "is_begun": True}
        self._put(held=held, seen=self._seen_with(assignment.job_id, assignment.fence))

    def note_process(self, process: dict[str, Any]) -> None:
        """Note by which process the job that was begun goes on now."""
        self._put(held={**self._state["held"], "process": process})

    def drop(self) -> None:
        """Note that a job is not to be begun after all; it may be given again."""
        self._put(held=None)

    def held(self) -> dict[str, Any] | None:
        """Return the job that has no result, None if there is none; ``is_begun`` tells whether it was begun."""
        held: dict[str, Any] | None = self._state["held"]
        return held

    def is_new(self, assignment: Assignment) -> bool:
        """Return whether an assignment is none that was begun before, and not older than one that was."""
        is_seen = _mark(assignment.job_id, assignment.fence) in self._state["seen"]
        return assignment.fence >= self._state["fence"] and not is_seen

    def finish(self, job_id: str, fence: int, report: dict[str, Any]) -> None:
        """Note the result of a job, to be reported; what was begun is begun no more. The same again changes nothing."""
        self._spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Fences only grow, so that the names tell the order whatever the time of day was.
        self.replace(self._spool / f"{fence:010d}.json", job_id, fence, report)
        self._put(held=None, seen=self._seen_with(job_id, fence))

    def forget(self, job_id: str, fence: int) -> None:
        """Note that a job was reported without its result being kept here."""
        self._state = {**self._state, "held": None, "seen": self._seen_with(job_id, fence)}

    def reports(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Yield what is to be reported, oldest first, with the file to be removed when it is."""
        for file in sorted(self._spool.glob("*.json"))[-MOST_REPORTS:]:
            found = files.load(file)
            if found is None or not {"job_id", "fence", "report"} <= found.keys():
                log.warning("%s is damaged and tells nothing", file)
                file.unlink(missing_ok=True)
                continue
            yield file, found

    def replace(self, file: Path, job_id: str, fence: int, report: dict[str, Any]) -> None:
        """Keep a report in a file in place of what is there."""
        files.write(file, {"job_id": job_id, "fence": fence, "report": report})

    def _seen_with(self, job_id: str, fence: int) -> list[str]:
        mark = _mark(job_id, fence)
        return [*(one for one in self._state["seen"] if one != mark), mark][-_MOST_SEEN:]

    def _put(self, **changed: Any) -> None:
        state = {**self._state, **changed}
        files.write(self._file, state)
        self._state = state

    def _load(self) -> dict[str, Any]:
        found = files.load(self._file)
        if found is not None and _is_whole(found):
            return found
        if self._file.exists():
            # What an earlier process has begun, the server gives to no other, so that nothing is done twice without this.
            log.error("%s is damaged; it is put aside, and what was begun before is not known here", self._file)
            self._file.replace(self._file.with_suffix(".damaged"))
        return {"fence": 0, "held": None, "seen": []}


def _is_whole(state: dict[str, Any]) -> bool:
    held, seen = state.get("held"), state.get("seen")
    return (
        isinstance(state.get("fence"), int)
        and isinstance(seen, list)
        and (held is None or (isinstance(held, dict) and {"job_id", "fence", "is_begun"} <= held.keys()))
    )


def _mark(job_id: str, fence: int) -> str:
    return f"{job_id}/{fence}"
