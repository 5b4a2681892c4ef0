"""What commands ask about giving many tasks the same values, and have done."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from watchbell import clock
from watchbell.errors import InputError

if TYPE_CHECKING:
    from watchbell.cli.program import Program
    from watchbell.cli.source import TaskRow
    from watchbell.services.bulk_edits import Changes


class EditSource(Protocol):
    """Edits of many tasks, told as ``POST /api/v2/tasks/edit`` tells them; changes have the fields of its body."""

    def missing_interpreter(self, task: TaskRow) -> str:
        """Return the interpreter of a task that is not on this machine; empty if it is, or if that is not known."""

    def foresee_edit(
        self,
        tasks: Sequence[TaskRow] | None,
        chosen: Mapping[str, Any],
        changes: Mapping[str, Any],
        tell: Callable[[int], None],
    ) -> Mapping[str, Any]:
        """Return what would change of these tasks, or if there are none of all that a filter chooses; raises InputError.

        ``tell`` is given how many of them are through, where that is known.
        """

    def edit_tasks(self, seen: Mapping[int, int], changes: Mapping[str, Any]) -> Mapping[str, Any]:
        """Change tasks, by their ids and the versions that were seen; raises InputError, and VersionConflict."""

    def undo_edit(self, items: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Give tasks back what they had before an edit that told of them so; return names, ``restored`` and ``left``."""

    def order_tasks(
        self,
        action: str,
        ids: Sequence[int] | None,
        chosen: Mapping[str, Any],
        *,
        dry_run: bool,
        reason: str = "",
        until: datetime | None = None,
    ) -> Mapping[str, Any]:
        """Do one thing with tasks by their ids, or without ids with all that a filter chooses: with all of them or none.

        It is told as ``POST /api/v2/tasks/bulk`` tells it; raises InputError, and what the action raises.
        """


class LocalEdits:
    """Answers from the database of this machine."""

    _program: Program

    def missing_interpreter(self, task: TaskRow) -> str:
        """Return the interpreter that is not here, as this shell would look for it."""
        from watchbell.control.diagnosis.programs import missing_interpreter

        return missing_interpreter(task.policies, task.environment, task.host, self._program.config)

    def foresee_edit(
        self,
        tasks: Sequence[TaskRow] | None,
        chosen: Mapping[str, Any],
        changes: Mapping[str, Any],
        tell: Callable[[int], None],
    ) -> Mapping[str, Any]:
        """Return what would change, and nothing does."""
        from watchbell.services import bulk_edits, simulation

        db, now = self._program.existing_db, clock.now()
        ids = [task.id for task in tasks] if tasks is not None else self._choose(chosen)
        planned = bulk_edits.plan_definitions(db, ids, _changes(changes), now=now, defaults=self._program.defaults)
        wanted = [simulation.Edit(task, definition) for task, definition in planned]
        items = list(map(bulk_edits.told_of, bulk_edits.told(planned)))
        effect = simulation.told(simulation.of_edits(db, wanted, now=now, tell=tell))
        return _answer(items, effect)

    def edit_tasks(self, seen: Mapping[int, int], changes: Mapping[str, Any]) -> Mapping[str, Any]:
        """Change tasks."""
        from watchbell.services import bulk_edits

        program = self._program
        done = bulk_edits.apply(
            program.existing_db, list(seen), _changes(changes),
            now=clock.now(), actor=program.actor, defaults=program.defaults, versions=seen,
        )  # fmt: skip
        return _answer(list(map(bulk_edits.told_of, done)), None)

    def undo_edit(self, items: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Give tasks back what they had before an edit."""
        from watchbell.services import bulk_edits

        db, actor = self._program.existing_db, self._program.actor
        found = bulk_edits.undo(db, list(map(bulk_edits.edited_of, items)), now=clock.now(), actor=actor)
        return {"restored": list(found.names), "left": list(found.left)}

    def order_tasks(
        self,
        action: str,
        ids: Sequence[int] | None,
        chosen: Mapping[str, Any],
        *,
        dry_run: bool,
        reason: str = "",
        until: datetime | None = None,
    ) -> Mapping[str, Any]:
        """Do one thing with many tasks."""
        from watchbell.services import bulk, bulk_foresight, simulation, task_lists

        program = self._program
        order = bulk.Order(
            bulk.Action(action), ids=ids, chosen=task_lists.TaskFilter(**chosen), reason=reason, until=until
        )
        asking: dict[str, Any] = {"now": clock.now(), "actor": program.actor, "defaults": program.defaults}
        effect = None
        if dry_run and order.action in bulk.MOVES:
            done, found = bulk_foresight.rehearse(program.existing_db, order, **asking)
            effect = simulation.told(found)
        else:
            done = bulk.carry_out(program.existing_db, order, **asking, dry_run=dry_run)
        return {"dry_run": dry_run, "items": list(map(dataclasses.asdict, done)), "simulation": effect}

    def _choose(self, chosen: Mapping[str, Any]) -> Sequence[int]:
        from watchbell.services import bulk, task_lists

        found = task_lists.list_names(
            self._program.existing_db,
            task_lists.TaskFilter(**chosen),
            bulk.MOST_TASKS + 1,
        )
        if not found:
            raise InputError.of("filter", "chooses no task")
        return list(found)


def _changes(given: Mapping[str, Any]) -> Changes:
    from watchbell.services.bulk_edits import Changes

    return Changes(given["set"], given["add_tags"], given["remove_tags"], given["parameter_defaults"])


def _answer(items: Sequence[Mapping[str, Any]], effect: Mapping[str, Any] | None) -> Mapping[str, Any]:
    changed = sum(bool(one["differences"]) for one in items)
    return {"dry_run": effect is not None, "changed": changed, "items": items, "simulation": effect}
