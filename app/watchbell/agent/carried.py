"""What the agent must not forget of the schedules that it carries: what they say, and what has become of their moments.

As in the journal, everything is put in place whole and flushed before the agent acts on it: in one piece, how far a schedule
was looked at and what was begun of it, so that no crash comes between the two.
"""

from __future__ import annotations

import logging
import re
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from watchbell.agent import files

#: So many results are kept with what was written; those behind that without, and none is made beyond the second number.
MOST_WHOLE, MOST_RESULTS = 500, 10_000
#: What was not run is told one by one up to so many; of more the older ones are told together.
MOST_UNTOLD = 500
_MOST_RAN = 200
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,99}")
_NOTHING: dict[str, Any] = {"cursors": {}, "ran": {}, "begun": None, "untold": [], "number": 0}

log = logging.getLogger("watchbell.agent")


class Carried:
    """The schedules of one agent; several threads may use it. Whatever is to be written raises OSError if that cannot be."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "carried"
        self._schedules = self._folder / "schedules"
        self._spool = self._folder / "spool"
        for one in (self._schedules, self._spool):
            one.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = self._folder / "state.json"
        self._lock = threading.RLock()
        self._state = self._load()
        loaded = [files.load(file) for file in sorted(self._schedules.glob("*.json"))]
        self._known = {str(one["schedule_id"]): one for one in loaded if one is not None and "schedule_id" in one}

    @property
    def versions(self) -> dict[str, int]:
        """The schedules that are carried, each with its version."""
        with self._lock:
            return {name: int(one["version"]) for name, one in self._known.items()}

    def schedules(self) -> Sequence[Mapping[str, Any]]:
        """Return what is carried, as the server has told it."""
        with self._lock:
            return tuple(self._known.values())

    def handlers_of(self, schedule: Mapping[str, Any]) -> Path:
        """Return the folder of the handlers of a schedule, as they were told with it; raises ValueError for a name that is none."""
        if _ID.fullmatch(str(schedule["schedule_id"])) is None:
            raise ValueError(f"{str(schedule['schedule_id'])[:50]!r} is no name of a schedule")
        return self._folder / "handlers" / f"{schedule['schedule_id']}-{int(schedule['version'])}"

    def put(self, schedule: Mapping[str, Any], *, now: datetime) -> None:
        """Carry a schedule from now on in place of what was carried of it; raises ValueError for one that makes no sense."""
        name, handlers = str(schedule["schedule_id"]), self.handlers_of(schedule)
        with self._lock:
            before = self._known.get(name)
            # What was due before it was known here is none of this device's moments.
            looked = (self.looked_until(name) if before is not None else None) or now
            if before is not None:
                looked = max(looked, datetime.fromisoformat(schedule["counts_from"]))
            self._put(cursors={**self._state["cursors"], name: looked.isoformat()})
            files.write(self._schedules / f"{name}.json", dict(schedule))
            self._known[name] = dict(schedule)
            # What was begun before may still go on.
            self._sweep(name, {handlers.name, *([self.handlers_of(before).name] if before is not None else [])})

    def drop(self, name: str) -> None:
        """Carry a schedule no more; what is to be told of it still is."""
        with self._lock:
            (self._schedules / f"{name}.json").unlink(missing_ok=True)
            self._known.pop(name, None)
            self._put(cursors={one: at for one, at in self._state["cursors"].items() if one != name})
            begun = self._state["begun"]
            self._sweep(name, {f"{name}-{begun['version']}"} if begun is not None else set())

    def _sweep(self, name: str, kept: set[str]) -> None:
        for folder in (self._folder / "handlers").glob(f"{name}-*"):
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    def looked_until(self, name: str) -> datetime | None:
        """Return up to when something has become of the moments of a schedule; None for one that is not carried any more."""
        found = self._state["cursors"].get(name)
        return datetime.fromisoformat(found) if found is not None else None

    def has_run(self, name: str, key: str) -> bool:
        """Return whether a moment was begun before, whatever the clock says."""
        return key in self._state["ran"].get(name, ())

    def note(self, name: str, until: datetime, told: Sequence[Mapping[str, Any]] = ()) -> None:
        """Note that up to a time nothing of a schedule is begun any more, and what is to be told of the moments before."""
        with self._lock:
            if name in self._known:
                cursors = {**self._state["cursors"], name: until.isoformat()}
                self._put(cursors=cursors, untold=_folded([*self._state["untold"], *map(dict, told)]))

    def set_back(self, name: str, now: datetime) -> None:
        """Note that a clock was far ahead when a schedule was looked at."""
        with self._lock:
            self._put(cursors={**self._state["cursors"], name: now.isoformat()})

    def begin(self, moment: Mapping[str, Any], until: datetime) -> bool:
        """Note that a moment is about to be begun, and never is again; return whether its schedule is carried still."""
        with self._lock:
            name = str(moment["schedule_id"])
            if name not in self._known:
                return False
            ran = [*self._state["ran"].get(name, ()), moment["key"]][-_MOST_RAN:]
            number = self._state["number"] + 1
            self._put(
                cursors={**self._state["cursors"], name: until.isoformat()},
                ran={**{one: keys for one, keys in self._state["ran"].items() if one in self._known}, name: ran},
                begun={**moment, "number": number},
                number=number,
            )
            return True

    def note_process(self, process: Mapping[str, Any]) -> None:
        """Note by which process the moment that was begun goes on now."""
        with self._lock:
            if self._state["begun"] is not None:
                self._put(begun={**self._state["begun"], "process": dict(process)})

    def begun(self) -> dict[str, Any] | None:
        """Return the moment that was begun and has no result, None if there is none."""
        with self._lock:
            begun: dict[str, Any] | None = self._state["begun"]
            if begun is not None and self._result(begun).exists():
                # It was killed between the two.
                self._put(begun=None)
                return None
            return begun

    def finish(self, result: Mapping[str, Any]) -> None:
        """Note the result of the moment that was begun, to be told."""
        with self._lock:
            begun = self._state["begun"]
            if begun is None:
                return
            moment = {name: value for name, value in begun.items() if name not in {"number", "process"}}
            if self.waiting_results() >= MOST_WHOLE:
                result = {name: value for name, value in result.items() if name not in {"stdout", "stderr"}}
            files.write(self._result(begun), {**moment, **result})
            self._put(begun=None)

    def _result(self, begun: Mapping[str, Any]) -> Path:
        return self._spool / f"{int(begun['number']):012d}.json"

    def waiting_results(self) -> int:
        """Return how many results wait to be told."""
        return sum(1 for _ in self._spool.glob("*.json"))

    def untold(self, most: int) -> list[dict[str, Any]]:
        """Return what is to be told of moments that were not run, the oldest first."""
        with self._lock:
            return list(self._state["untold"][:most])

    def note_told(self, told: Sequence[Mapping[str, Any]]) -> None:
        """Note that the server knows of these."""
        with self._lock:
            self._put(untold=[one for one in self._state["untold"] if one not in told])

    def results(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Yield the results to be told, oldest first, with the file to be removed when it is."""
        for file in sorted(self._spool.glob("*.json")):
            found = files.load(file)
            if found is not None:
                yield file, found
            else:
                log.warning("%s is damaged and tells nothing", file)
                file.unlink(missing_ok=True)

    def _put(self, **changed: Any) -> None:
        state = {**self._state, **changed}
        files.write(self._file, state)
        self._state = state

    def _load(self) -> dict[str, Any]:
        found = files.load(self._file)
        if found is not None and found.keys() >= _NOTHING.keys():
            return found
        if self._file.exists():
            log.error("%s is damaged; it is put aside, and schedules begin to count anew", self._file)
            self._file.replace(self._file.with_suffix(".damaged"))
        # Above all numbers that results have still.
        numbers = [int(file.stem) for file in self._spool.glob("*.json") if file.stem.isdigit()]
        return {**_NOTHING, "number": max(numbers, default=0)}


def _folded(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what is to be told, where that is very much with the older half of each schedule as one."""
    if len(told) <= MOST_UNTOLD:
        return told
    older, newer = told[: -MOST_UNTOLD // 2], told[-MOST_UNTOLD // 2 :]
    folded: dict[str, dict[str, Any]] = {}
    for one in older:
        first = folded.get(one["schedule_id"])
        key = one["key"] if first is None else f"{first['key'].partition('..')[0]}..{one['key'].rpartition('..')[2]}"
        count = one["stands_for"] + (first["stands_for"] if first is not None else 0)
        folded[one["schedule_id"]] = {**one, "key": key, "stands_for": count}
    return [*folded.values(), *newer]
