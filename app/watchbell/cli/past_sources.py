"""What commands ask of tasks besides what each is: their versions, those that were deleted, and their tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from watchbell import clock

if TYPE_CHECKING:
    from watchbell.cli.program import Program
    from watchbell.cli.source import RevisionRow, TaskRow
    from watchbell.store.tasks import Task, TaskRevision


class PastSource(Protocol):
    """Versions of tasks, tags, and deleted tasks, each of these as ``services.deleted_tasks.told`` has it."""

    def list_revisions(self, task: TaskRow, limit: int) -> Sequence[RevisionRow]:
        """Return the newest versions of a task, the newest first."""

    def restore_revision(self, task: TaskRow, version: int) -> TaskRow:
        """Let a task say again what it said in a version, unless somebody has changed it since it was looked at."""

    def list_tags(self) -> Sequence[Mapping[str, Any]]:
        """Return the tags of tasks, each followed by those that lie in it: tag, tasks, failing."""

    def list_deleted(self) -> Sequence[Mapping[str, Any]]:
        """Return the tasks that were deleted and can be restored, the newest deletion first."""

    def undelete_task(self, task_id: int, name: str) -> TaskRow:
        """Take the deletion of a task back, under another name unless it is empty; raises NotFound and Conflict."""


class LocalPast:
    """Answers from the database of this machine."""

    _program: Program

    def list_revisions(self, task: TaskRow, limit: int) -> Sequence[TaskRevision]:
        """Return the newest versions of a task."""
        from watchbell.services import task_lists

        return task_lists.list_revisions(self._program.existing_db, task.id, limit=limit)

    def restore_revision(self, task: TaskRow, version: int) -> Task:
        """Let a task say again what it said in a version."""
        from watchbell.services import revisions

        db, actor = self._program.existing_db, self._program.actor
        return revisions.restore(db, task.id, version, now=clock.now(), actor=actor, expected_version=task.version)

    def list_tags(self) -> Sequence[Mapping[str, Any]]:
        """Return the tags of tasks."""
        from watchbell.domain import tags
        from watchbell.services import task_lists

        found = tags.flat(task_lists.tag_tree(self._program.existing_db))
        return [{"tag": one.tag, "tasks": one.tasks, "failing": one.failing} for one in found]

    def list_deleted(self) -> Sequence[Mapping[str, Any]]:
        """Return the tasks that were deleted and can be restored."""
        from watchbell.services import deleted_tasks

        now = clock.now()
        return [deleted_tasks.told(one) for one in deleted_tasks.list_all(self._program.existing_db, now=now)]

    def undelete_task(self, task_id: int, name: str) -> Task:
        """Take the deletion of a task back."""
        from watchbell.services import undoing

        db, actor = self._program.existing_db, self._program.actor
        return undoing.restore(db, task_id, now=clock.now(), actor=actor, name=name)
