"""Which failures are the same one: grouping them as they come, and telling of one how often and since when there were others."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from watchbell.domain.analysis import fingerprint
from watchbell.domain.run_state import RunState
from watchbell.errors import InputError, NotFound
from watchbell.services import audit
from watchbell.store import failures as store
from watchbell.store import secrets as secret_store
from watchbell.store.failures import Failure, FailureGroup, TaskFailures
from watchbell.store.runs import Run
from watchbell.store.session import Database, Session

#: What is grouped: a run that was lost or cancelled has not failed by itself.
STATES = frozenset({RunState.FAILED.value, RunState.TIMED_OUT.value})
NOTE_LIMIT = 4000


@dataclasses.dataclass(frozen=True, slots=True)
class Grouping:
    """What is known of a failure from others like it."""

    group_id: int
    fingerprint: str
    #: What the fingerprint is of: the end of the error output, without what differs each time.
    text: str
    #: The how manieth it was, and how many there are by now, of all tasks together.
    number: int
    times: int
    tasks: int
    first_run_id: int
    first_at: datetime
    #: Under which revision its own task failed in this way for the first time.
    first_version: int
    note: str
    note_by: str


def group(session: Session, run_ids: Sequence[int], output_root: Path) -> None:
    """Count failed runs in their groups, in the caller's transaction."""
    unmasked = secret_store.list_unmasked(session, run_ids)
    for failed in store.list_failed(session, run_ids):
        tail = _tail(failed, output_root) if failed.run_id not in unmasked else b""
        mark, words = fingerprint.make(failed.state, failed.exit_code, tail, failed.reason)
        store.count_in(session, mark, words, failed)


def _tail(failed: store.Failed, output_root: Path) -> bytes:
    """Return the end of what a run has written to its error output; nothing if that is gone."""
    if failed.file is None:
        return failed.content or b""
    try:
        with (output_root / failed.file).open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - fingerprint.TAIL_BYTES))
            return file.read()
    except OSError:
        # It had to give way to newer ones; the reason of the run is what is left to go by.
        return b""


def of_run(db: Database, run_id: int) -> Grouping | None:
    """Return what is known of a failure, None for a run that has not failed or was not looked at yet."""
    with db.read() as session:
        found = store.find(session, run_id)
        if found is None:
            return None
        failure, group = found
        first = store.first_of_task(session, group.id, failure.task_id)
        tasks = store.count_tasks(session, group.id)
    return Grouping(
        group_id=group.id,
        fingerprint=group.fingerprint,
        text=group.text,
        number=failure.number,
        times=group.times,
        tasks=tasks,
        first_run_id=group.first_run_id,
        first_at=group.first_at,
        first_version=first.task_version,
        note=group.note,
        note_by=group.note_by,
    )


def words(grouping: Grouping) -> str:
    """Return a failure among those like it, as ``7th time in 2 tasks, first at revision 12``."""
    if grouping.number == 1:
        return f"first time, at revision {grouping.first_version}"
    among = f" in {grouping.tasks} tasks" if grouping.tasks > 1 else ""
    return f"{_ordinal(grouping.number)} time{among}, first at revision {grouping.first_version}"


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


@dataclasses.dataclass(frozen=True, slots=True)
class GroupView:
    """A group with the tasks that have failed in its way, the one that did so last first."""

    group: FailureGroup
    tasks: Sequence[TaskFailures]


@dataclasses.dataclass(frozen=True, slots=True)
class GroupDetail:
    """All about a group."""

    group: FailureGroup
    tasks: Sequence[TaskFailures]
    #: The newest failures with their runs, the newest first.
    newest: Sequence[tuple[Failure, Run]]
    #: The machines that the newest failures were on.
    hosts: Sequence[str]


def list_groups(db: Database, *, limit: int = 50) -> Sequence[FailureGroup]:
    """Return the groups with the newest failures, those first."""
    with db.read() as session:
        return store.list_groups(session, limit)


def list_views(db: Database, *, limit: int) -> list[GroupView]:
    """Return the groups with the newest failures, those first, with their tasks."""
    with db.read() as session:
        groups = store.list_groups(session, limit)
        tasks = store.list_by_task(session, [group.id for group in groups])
    return [GroupView(group, tasks.get(group.id, ())) for group in groups]


def get_group(db: Database, group_id: int, *, newest: int) -> GroupDetail:
    """Return all about a group, with so many of its newest failures; raises NotFound."""
    with db.read() as session:
        group = store.find_group(session, group_id)
        if group is None:
            raise NotFound("there is no such group of failures")
        return GroupDetail(
            group=group,
            tasks=store.list_by_task(session, [group_id]).get(group_id, ()),
            newest=store.list_newest(session, group_id, newest),
            hosts=store.list_hosts(session, group_id, newest),
        )


def set_note(db: Database, group_id: int, note: str, *, now: datetime, by: str) -> None:
    """Attach a note to a group, which comes back with its next failure; raises NotFound and InputError."""
    text = note.strip()
    if len(text) > NOTE_LIMIT:
        raise InputError.of("note", f"must be at most {NOTE_LIMIT} characters long", "call the storage team")
    if "\0" in text:
        raise InputError.of("note", "must not hold a null character")
    with db.write() as session:
        group = store.find_group(session, group_id)
        if group is None:
            raise NotFound("there is no such group of failures")
        if group.note == text:
            return
        said = {"note": [group.note, text], "fingerprint": group.fingerprint}
        audit.note(session, "failure.note", f"failure:{group_id}", now=now, actor=by, detail=said)
        store.set_note(session, group_id, text, by if text else "")
