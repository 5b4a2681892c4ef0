"""Finding tasks, devices, runs and lines of outputs by words, at a cost that does not grow with the history."""

from __future__ import annotations

import dataclasses
import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from watchbell import clock
from watchbell.domain import searching
from watchbell.domain.run_state import RunState
from watchbell.domain.searching import LineHit
from watchbell.services import runs
from watchbell.services.output_sources import OutputSource
from watchbell.services.streams import OutputGone, read_source
from watchbell.store import device_lists as device_store
from watchbell.store import history
from watchbell.store import search as store
from watchbell.store.base import can_hold
from watchbell.store.devices import Device, tags_of
from watchbell.store.session import Database

#: Runs whose outputs are looked for at a time: few at first, as the newest may answer, then twice as many each time.
_WINDOW, _WIDEST = 100, 800
_LINES_PER_STREAM = 3
#: Of one stream so much is read; a longer one is looked at in part.
_STREAM_BYTES = 2 * 1024 * 1024
#: Such runs have not begun, or never will.
_SILENT = frozenset({RunState.QUEUED, RunState.CLAIMED, RunState.SKIPPED, RunState.MISSED})
#: Outputs are searched for one at a time in a process, so that nobody else has to wait for the disk or the processor.
_TURN = threading.Lock()


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """Rows, and whether there are more of them."""

    rows: Sequence[Any]
    has_more: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceHit:
    """A device that was found."""

    device: Device
    tags: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Budget:
    """How far one search through outputs may go."""

    bytes: int = 16 * 1024 * 1024
    seconds: float = 0.3
    #: Of a processor's time, which is what a page costs; on a busy machine the other bound comes first.
    processor: float = 0.1
    #: Runs that answer; the search ends with the last of them.
    runs: int = 10
    #: How long to wait while somebody else searches.
    patience: float = 0.5


@dataclasses.dataclass(frozen=True, slots=True)
class OutputHit:
    """A run that has written the words, and where."""

    run: Any
    stream: str
    lines: Sequence[LineHit]


@dataclasses.dataclass(frozen=True, slots=True)
class OutputSearch:
    """What was found in outputs, and how far was looked."""

    hits: Sequence[OutputHit] = ()
    #: Runs that were looked at, and bytes that were read.
    looked_at: int = 0
    read_bytes: int = 0
    #: Streams of which only the beginning was read.
    cut: int = 0
    #: When the oldest of the runs was due.
    oldest: Any = None
    #: Below this run nothing was looked at; None if there is nothing more.
    further: int | None = None
    #: Whether nothing was looked at, because somebody else was searching.
    is_busy: bool = False


def find_tasks(db: Database, text: str, *, limit: int) -> Found:
    """Return tasks that have all words in name, command, tags, comment or the words of their schedules."""
    words = searching.words_of(text)
    if not words or not can_hold(text):
        return Found(())
    with db.read() as session:
        rows = store.find_tasks(session, words, limit + 1)
    return Found(rows[:limit], len(rows) > limit)


def find_runs(db: Database, text: str, *, limit: int) -> Found:
    """Return the run of a number, and the newest runs that have all words in the name of their task or in their reason."""
    words = searching.words_of(text)
    if not words or not can_hold(text):
        return Found(())
    number = searching.run_number(text)
    with db.read() as session:
        exact = list(store.list_runs(session, [number])) if number is not None else []
        # A number with its mark means that run and nothing else.
        if text.lstrip().startswith("#") and number is not None:
            return Found(exact)
        found = history.find_runs(session, search=" ".join(words), limit=limit + 1, columns=store.RUN_COLUMNS)
    rows = exact + [row for row in found.runs if row.id != number]
    return Found(rows[:limit], len(rows) > limit or found.looked_to is not None)


def find_devices(db: Database, text: str, *, limit: int) -> Found:
    """Return devices that have all words in name, UUID, type, addresses or tags."""
    words = searching.words_of(text)
    if not words or not can_hold(text):
        return Found(())
    with db.read() as session:
        rows = device_store.find(session, words, limit + 1)
        tags = tags_of(session, [row.id for row in rows])
    return Found([DeviceHit(row, tags[row.id]) for row in rows[:limit]], len(rows) > limit)


def list_devices(db: Database, device_ids: Sequence[int]) -> Sequence[DeviceHit]:
    """Return those of some devices that are there."""
    with db.read() as session:
        rows = device_store.list_by_ids(session, device_ids)
        tags = tags_of(session, [row.id for row in rows])
    return [DeviceHit(row, tags[row.id]) for row in rows]


def list_tasks(db: Database, task_ids: Sequence[int]) -> Sequence[Any]:
    """Return those of some tasks that are there."""
    with db.read() as session:
        return store.list_tasks(session, task_ids)


def list_runs(db: Database, run_ids: Sequence[int]) -> Sequence[Any]:
    """Return those of some runs that are there."""
    with db.read() as session:
        return store.list_runs(session, run_ids)


def find_outputs(
    db: Database, root: Path, text: str, *, below: int | None = None, budget: Budget | None = None
) -> OutputSearch:
    """Return the newest runs, below a number if one is given, that have written a line with all words in it.

    It ends when the budget is used up, and says how far it has come.
    """
    budget = budget or Budget()
    words = searching.words_of(text)
    if not words:
        return OutputSearch()
    if not _TURN.acquire(timeout=budget.patience):
        return OutputSearch(is_busy=True, further=below)
    try:
        return _Search(db, root, words, budget).look(below)
    finally:
        _TURN.release()


class _Search:
    """One look through outputs."""

    def __init__(self, db: Database, root: Path, words: Sequence[str], budget: Budget) -> None:
        self._db = db
        self._root = root
        self._words = words
        self._budget = budget
        self._until = clock.monotonic() + budget.seconds
        self._worked_until = clock.thread_cpu() + budget.processor
        self._hits: list[OutputHit] = []
        self._answered = 0
        self._read = 0
        self._cut = 0

    def look(self, below: int | None) -> OutputSearch:
        """Look from the newest run on."""
        count, oldest = 0, None
        for run, streams in self._runs(below):
            count, oldest, below = count + 1, run.due_at, run.id
            before = len(self._hits)
            for stream in ("stdout", "stderr"):
                if stream in streams:
                    self._look_at(run, streams[stream])
            self._answered += len(self._hits) > before
            if self._is_used_up():
                return OutputSearch(self._hits, count, self._read, self._cut, oldest, below)
        return OutputSearch(self._hits, count, self._read, self._cut, oldest)

    def _runs(self, below: int | None) -> Iterator[tuple[Any, dict[str, OutputSource]]]:
        window = _WINDOW
        while True:
            with self._db.read() as session:
                rows = store.list_newest(session, below, window)
            begun = [row.id for row in rows if row.state not in _SILENT]
            sources = runs.list_outputs(self._db, begun) if begun else {}
            for row in rows:
                yield row, dict(sources.get(row.id, {}))
            if len(rows) < window:
                return
            below, window = rows[-1].id, min(2 * window, _WIDEST)

    def _is_used_up(self) -> bool:
        budget = self._budget
        is_late = clock.monotonic() >= self._until or clock.thread_cpu() >= self._worked_until
        return is_late or self._answered >= budget.runs or self._read >= budget.bytes

    def _look_at(self, run: Any, source: OutputSource) -> None:
        head, tail = self._bytes(source)
        self._read += len(head) + len(tail)
        lines = list(itertools.islice(searching.find_lines(head, tail, self._words), _LINES_PER_STREAM))
        if lines:
            self._hits.append(OutputHit(run, source.stream, lines))

    def _bytes(self, source: OutputSource) -> tuple[bytes, bytes]:
        """Return what is kept before and behind what was dropped, each as far as the bound goes."""
        if source.kept is None and source.is_complete:
            return b"", b""
        most = min(_STREAM_BYTES, max(self._budget.bytes - self._read, 0))
        try:
            first = read_source(source, self._root, 0, most)
            if first is None:
                return b"", b""
            tail = b""
            room = most - len(first.data)
            if first.dropped is not None and first.next_offset >= first.dropped[1] and room:
                rest = read_source(source, self._root, first.dropped[1], room)
                tail = rest.data if rest is not None else b""
        except OutputGone:
            # It gave way to newer ones.
            return b"", b""
        dropped = first.dropped[1] - first.dropped[0] if first.dropped else 0
        self._cut += len(first.data) + len(tail) < first.size - dropped
        return first.data, tail
