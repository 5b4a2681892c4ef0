"""The files of kept outputs: removing those that no row names, and the oldest when all together are too large.

A file is written before the row that names it and removed after that row, so there may be files without a row, and never
rows that were promised a file which is gone, but for those that the bound on all outputs takes: their rows say so.
"""

from __future__ import annotations

import contextlib
import dataclasses
import heapq
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from watchbell.store import retention as store
from watchbell.store.retention import FileKey
from watchbell.store.session import Database

#: Files that one step looks at.
BATCH = 500
#: A kept output, or, with a dot before and a mark behind, one that was being written.
_NAME = re.compile(r"\.?(?P<run>[0-9]{1,18})\.(?P<attempt>[0-9]{1,9})\.(?P<stream>out|err)(?:\.[0-9a-f]{8})?")
_STREAMS = {"out": "stdout", "err": "stderr"}
#: The oldest files that are remembered as the first to go.
_REMEMBERED = 2000
#: A file that was changed less than this ago is nobody's orphan yet: who has just restored a backup may look first.
_GRACE = timedelta(hours=1)


@dataclasses.dataclass(frozen=True, slots=True)
class Swept:
    """What a step has removed: files without a row, and files of rows that now say that their output is gone."""

    orphans: int = 0
    given_up: int = 0
    freed_bytes: int = 0
    more: bool = True


def remove(output_root: Path, files: Iterable[str]) -> int:
    """Remove kept outputs by the names that rows had for them, and return how many were there."""
    removed = 0
    for name in files:
        # A name comes from the database; it may lead nowhere but into the folder.
        if _NAME.fullmatch(name):
            # Whoever was killed after the row was gone may have removed it.
            with contextlib.suppress(FileNotFoundError):
                (output_root / name).unlink()
                removed += 1
    return removed


class Sweep:
    """One look at every file in the folder of outputs, some at a time."""

    def __init__(self, db: Database, output_root: Path, limit_bytes: int | None, *, now: datetime) -> None:
        self._db = db
        self._young = (now - _GRACE).timestamp()
        self._root = output_root
        self._limit = limit_bytes
        self._entries: Iterator[os.DirEntry[str]] | None = None
        self._bytes = 0
        #: The oldest files so far, the youngest of them first: (minus time of change, size, name).
        self._oldest: list[tuple[float, int, str]] = []
        self._is_read = False

    def step(self, limit: int = BATCH) -> Swept:
        """Look at some files, or give up the oldest ones when all together are too large; raises Unavailable."""
        if self._entries is None:
            self._entries = _scan(self._root)
        if not self._is_read:
            return self._look(self._entries, limit)
        if self._limit is not None and self._bytes > self._limit and self._oldest:
            return self._give_up(limit)
        return Swept(more=False)

    def _look(self, entries: Iterator[os.DirEntry[str]], limit: int) -> Swept:
        seen: dict[str, tuple[FileKey, os.stat_result]] = {}
        for entry in entries:
            match = _NAME.fullmatch(entry.name)
            # It may have been renamed or removed since the folder was read.
            with contextlib.suppress(FileNotFoundError):
                if match and entry.is_file(follow_symlinks=False):
                    key = (int(match["run"]), int(match["attempt"]), _STREAMS[match["stream"]])
                    seen[entry.name] = (key, entry.stat(follow_symlinks=False))
            if len(seen) >= limit:
                break
        else:
            self._is_read = True
        orphans = self._orphans({name: key for name, (key, stat) in seen.items() if stat.st_mtime < self._young})
        for name, (_key, stat) in seen.items():
            if name not in orphans:
                self._remember(name, stat)
        freed = sum(seen[name][1].st_size for name in orphans)
        return Swept(orphans=remove(self._root, orphans), freed_bytes=freed)

    def _orphans(self, keys: dict[str, FileKey]) -> set[str]:
        """Return the files that no row names and none ever will: of runs that are over, or not there any more.

        One look at the database sees a run either still going on or together with the row of its output.
        """
        if not keys:
            return set()
        with self._db.read() as session:
            active = store.list_active(session, sorted({key[0] for key in keys.values()}))
            named = store.list_named_files(session, list(keys.values()))
        return {name for name, key in keys.items() if key[0] not in active and name not in named}

    def _remember(self, name: str, stat: os.stat_result) -> None:
        self._bytes += stat.st_size
        item = (-stat.st_mtime, stat.st_size, name)
        if len(self._oldest) < _REMEMBERED:
            heapq.heappush(self._oldest, item)
        else:
            heapq.heappushpop(self._oldest, item)

    def _give_up(self, limit: int) -> Swept:
        """Let the oldest outputs go, rows first, until the rest fits."""
        limit_bytes = self._limit or 0
        self._oldest.sort(reverse=True)
        chosen: list[tuple[str, int]] = []
        excess = self._bytes - limit_bytes
        while self._oldest and excess > 0 and len(chosen) < limit:
            _time, size, name = self._oldest.pop(0)
            chosen.append((name, size))
            excess -= size
        gone = self._forget([name for name, _size in chosen])
        removed = remove(self._root, gone)
        freed = sum(size for name, size in chosen if name in gone)
        self._bytes -= sum(size for _name, size in chosen)
        return Swept(given_up=removed, freed_bytes=freed)

    def _forget(self, names: Sequence[str]) -> list[str]:
        gone = []
        with self._db.write() as session:
            for name in names:
                match = _NAME.fullmatch(name)
                if match and store.give_up_file(
                    session, (int(match["run"]), int(match["attempt"]), _STREAMS[match["stream"]])
                ):
                    gone.append(name)
        return gone


def _scan(root: Path) -> Iterator[os.DirEntry[str]]:
    try:
        return os.scandir(root)
    except FileNotFoundError:
        # No output has been kept yet.
        return iter(())
