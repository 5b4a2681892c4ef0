"""Laying a run against another one of its task: by itself the last good one before it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from watchbell.domain import likeness
from watchbell.domain.likeness import Comparison
from watchbell.domain.run_state import RunState
from watchbell.domain.shown_text import plain_text
from watchbell.errors import NotFound
from watchbell.services import runs
from watchbell.services.output_sources import STREAMS
from watchbell.services.runs import RunDetail
from watchbell.services.streams import OutputGone, Stream
from watchbell.store import heartbeats, history
from watchbell.store.runs import Run
from watchbell.store.session import Database

#: Of a longer output its beginning and its end are compared.
HEAD_BYTES = 64 * 1024
TAIL_BYTES = 192 * 1024
#: Stands between the two.
LEFT_OUT = "⋯"
#: How many other runs one can choose from.
_CHOICES = 20


@dataclasses.dataclass(frozen=True, slots=True)
class Sides:
    """Two runs of one task."""

    run: RunDetail
    #: None where there is no other one to lay it against.
    other: RunDetail | None
    #: Good runs that it can be laid against, the newest first.
    choices: Sequence[Run]
    #: The machine of each, by the id of the run, as far as it is known.
    hosts: Mapping[int, str]


@dataclasses.dataclass(frozen=True, slots=True)
class StreamComparison:
    """One stream of both runs."""

    stream: str
    comparison: Comparison
    #: Bytes that each wrote, and how many of them were compared.
    size_before: int
    size_after: int
    compared_before: int
    compared_after: int
    #: Whether the output of either is not kept any more, so that there is nothing to compare.
    is_gone: bool = False


def find_sides(db: Database, run_id: int, with_id: int | None = None) -> Sides:
    """Return a run and what it is laid against; raises NotFound, also for a run of another task."""
    run = runs.get_detail(db, run_id)
    task_id = run.run.task_id
    with db.read() as session:
        good = [RunState.SUCCEEDED.value]
        earlier = history.list_runs(session, task_id=task_id, states=good, before_id=run_id, limit=_CHOICES)
        newest = history.list_runs(session, task_id=task_id, states=good, limit=_CHOICES)
    choices = list({one.id: one for one in (*earlier, *newest) if one.id != run_id}.values())
    chosen = with_id if with_id is not None else next((one.id for one in choices), None)
    other = runs.get_detail(db, chosen) if chosen is not None else None
    if other is not None and other.run.task_id != task_id:
        raise NotFound(f"run {chosen} is not one of the task of run {run_id}")
    both = [one for one in (run, other) if one is not None]
    return Sides(run, other, sorted(choices, key=lambda one: one.id, reverse=True)[:_CHOICES], _hosts(db, both))


def compare_outputs(db: Database, root: Path, before: RunDetail, after: RunDetail) -> list[StreamComparison]:
    """Return how the streams of two runs differ; one that neither has used is left out."""
    found = []
    for name in STREAMS:
        old, new = (_text(Stream(db, root, one.run.id, name)) for one in (before, after))
        if old is None or new is None:
            found.append(StreamComparison(name, likeness.compare((), ()), 0, 0, 0, 0, is_gone=True))
        elif old.size or new.size:
            comparison = likeness.compare(old.lines, new.lines)
            found.append(StreamComparison(name, comparison, old.size, new.size, old.compared, new.compared))
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class _Text:
    lines: Sequence[str]
    size: int
    compared: int


def _text(stream: Stream) -> _Text | None:
    """Return the lines of a stream; None of one that is not kept any more."""
    try:
        head = stream.read(0, HEAD_BYTES).slice
        place = max(head.next_offset, head.size - TAIL_BYTES)
        tail = stream.read(place, TAIL_BYTES).slice if place < head.size else None
    except OutputGone:
        return None
    lines = _lines(head.data)
    tail_data = tail.data if tail is not None else b""
    if tail is not None and tail.offset > head.offset + len(head.data):
        lines += [LEFT_OUT, *_lines(tail_data)]
    elif tail is not None:
        lines = _lines(head.data + tail_data)
    # So that no line is left out of one side only because the other one has more.
    most = likeness.MOST_LINES
    shown = (
        lines if len(lines) <= most else [*lines[: most // 4], LEFT_OUT, *lines[len(lines) - most + most // 4 + 1 :]]
    )
    share = len(shown) / max(len(lines), 1)
    return _Text(shown, head.size, int((len(head.data) + len(tail_data)) * share))


def _lines(data: bytes) -> list[str]:
    text = plain_text(data)
    return text.removesuffix("\n").split("\n") if text else []


def _hosts(db: Database, both: Sequence[RunDetail]) -> Mapping[int, str]:
    """Return on which machine each run was, by whoever held its newest attempt."""
    holders = {one.run.id: one.attempt.holder for one in both if one.attempt is not None}
    with db.read() as session:
        found = {life.incarnation: life.host for life in heartbeats.list_schedulers(session, list(holders.values()))}
    return {run_id: found[holder] for run_id, holder in holders.items() if holder in found}
