"""Whether the keepers answer. One that does not is ended, and its commands come to us like those of one that has died.

A keeper answers at once: it waits for nothing but requests and ends. One that is stopped, or held by the kernel on a disk
that does not answer, says nothing at all, and whatever it was asked for would wait with it. To wait for it would leave
unknown what it has begun; the kill makes it known, because a process that was sent KILL takes no further step. What it had
not begun carries no mark, gets ours, and is started by another keeper as a further attempt; what runs goes on, and its
end is told to us.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from watchbell.execution.kept import KeptRuns

#: How often a keeper with something to do is looked at.
LOOK_SECONDS = 1.0
#: One that has said nothing for so long hangs.
SILENCE_SECONDS = 5.0
#: How long the end of one that was killed is waited for.
_DEATH_SECONDS = 1.0


class KeeperHealth:
    """Looks at keepers; to be asked by the thread that listens to them, after it has listened."""

    def __init__(self, keepers: Sequence[KeptRuns]) -> None:
        self._keepers = keepers
        self._looked: float | None = None

    def look(self, now: float) -> Iterator[KeptRuns]:
        """Ask those that have said nothing, end those that do not answer, and yield those that are to be replaced."""
        step = now - self._looked if self._looked is not None else 0.0
        if self._looked is not None and step < LOOK_SECONDS:
            return
        self._looked = now
        for kept in self._keepers:
            # Whoever was stopped together with it has no right to call it silent.
            kept.note_silence(min(step, 2 * LOOK_SECONDS))
            if kept.killed_at is not None:
                if now - kept.killed_at >= _DEATH_SECONDS:
                    yield kept
            elif kept.silence >= SILENCE_SECONDS:
                kept.kill(now)
