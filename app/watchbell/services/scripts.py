"""Tasks as the scripts that a dashboard of scripts knows: under which path each stands, and which tasks a path means."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import PurePosixPath

from watchbell.domain.scripts import to_script
from watchbell.store import script_counts as store
from watchbell.store.session import Database


def path_of(name: str, command: str, directory: str | None) -> str:
    """Return the path of a task: that of its script, or its name if its command is no plain script."""
    script = to_script(command)
    if script == command:
        return name
    return str(PurePosixPath(directory or "") / script)


def paths_of(db: Database, task_ids: Iterable[int]) -> Mapping[int, str]:
    """Return the paths of tasks, deleted ones included."""
    with db.read() as session:
        rows = store.list_commands(session, sorted(set(task_ids)))
    return {row.id: path_of(row.name, row.command, row.directory) for row in rows}


def task_ids(db: Database, path: str) -> list[int]:
    """Return the tasks that a path means, by the path of their script or by their name; deleted ones included."""
    with db.read() as session:
        rows = store.find_commands(session, path, PurePosixPath(path).name)
    return [row.id for row in rows if path in {row.name, path_of(row.name, row.command, row.directory)}]


@dataclasses.dataclass(frozen=True, slots=True)
class Script:
    """A path with what is known of its executions, also of those whose runs are deleted."""

    path: str
    executions: int
    successful: int
    #: When its newest execution began; None if that run is deleted.
    last_at: datetime | None


def list_all(db: Database) -> Sequence[Script]:
    """Return all paths that were ever executed, the one that was executed last first."""
    with db.read() as session:
        rows = store.list_counts(session)
        commands = {row.id: row for row in store.list_commands(session, [row.task_id for row in rows])}
        newest = store.list_newest(session, [row.task_id for row in rows])
    found: dict[str, Script] = {}
    for row in rows:
        task = commands.get(row.task_id)
        if task is None:
            continue
        path = path_of(task.name, task.command, task.directory)
        other = found.get(path)
        times = [at for at in (newest.get(row.task_id), other.last_at if other else None) if at is not None]
        found[path] = Script(
            path,
            int(row.executions) + (other.executions if other else 0),
            int(row.successful) + (other.successful if other else 0),
            max(times, default=None),
        )
    return sorted(
        found.values(), key=lambda script: script.last_at.timestamp() if script.last_at else 0.0, reverse=True
    )
