"""What the tabs of all browsers ask about again and again: which runs need a person.

Hundreds of tabs may ask at once whenever a run fails, so what was found is told for a second before it is found anew.
"""

from __future__ import annotations

import dataclasses
import threading
import weakref
from datetime import datetime

from watchbell import clock
from watchbell.services import attention, decisions
from watchbell.store.session import Database

_TOLD_SECONDS = 1.0
_MOST = 100
_lock = threading.Lock()


@dataclasses.dataclass(frozen=True, slots=True)
class Marks:
    """Numbers of runs, the newest first."""

    #: The newest run of each task that is in trouble.
    failed: list[int]
    #: Those about which a person is to decide.
    decide: list[int]


_kept: weakref.WeakKeyDictionary[Database, tuple[float, Marks]] = weakref.WeakKeyDictionary()


def find(db: Database, *, now: datetime) -> Marks:
    """Return which runs need a person, as it was a second ago at the most."""
    with _lock:
        at, found = _kept.get(db, (0.0, None))
        asked_at = clock.monotonic()
        if found is None or asked_at - at > _TOLD_SECONDS:
            found = _look(db, now)
            # What happens while it looks may be missing in it, so its second begins before.
            _kept[db] = (asked_at, found)
        return found


def _look(db: Database, now: datetime) -> Marks:
    # What waits for a decision is told apart from the rest, as on the first page.
    listed = [bad for bad in attention.list_troubles(db, now=now) if bad.muted is None]
    troubles = [bad.run for bad in listed if bad.run.decision != decisions.OPEN]
    undecided = decisions.list_open(db, limit=_MOST) if decisions.count_open(db) else []
    return Marks([run.id for run in troubles], [run.id for run in undecided])
