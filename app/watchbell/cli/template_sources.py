"""What commands ask of templates of tasks, on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from watchbell import clock

if TYPE_CHECKING:
    from watchbell.cli.program import Program
    from watchbell.cli.source import TaskRow
    from watchbell.store.tasks import Task


class TemplateSource(Protocol):
    """Templates of tasks, each as ``services.task_templates.told`` has it."""

    def list_templates(self) -> Sequence[Mapping[str, Any]]:
        """Return all templates by name."""

    def find_template(self, name: str) -> Mapping[str, Any]:
        """Return the template of a name or an id; raises NotFound."""

    def save_template(self, task: TaskRow) -> Mapping[str, Any]:
        """Keep what a task says as a template of its name; raises Conflict for too many."""

    def delete_template(self, template: Mapping[str, Any]) -> None:
        """Delete a template."""

    def add_of_template(self, template: Mapping[str, Any], fields: Mapping[str, object]) -> TaskRow:
        """Make a task that says what a template says, but for these fields; raises InputError and Conflict."""


class LocalTemplates:
    """Answers from the database of this machine."""

    _program: Program

    def list_templates(self) -> Sequence[Mapping[str, Any]]:
        """Return all templates by name."""
        from watchbell.services import task_templates

        return list(map(task_templates.told, task_templates.list_all(self._program.existing_db)))

    def find_template(self, name: str) -> Mapping[str, Any]:
        """Return the template of a name or an id."""
        from watchbell.services import task_templates

        return task_templates.told(task_templates.find_by_name(self._program.existing_db, name))

    def save_template(self, task: TaskRow) -> Mapping[str, Any]:
        """Keep what a task says as a template of its name."""
        from watchbell.services import task_templates

        db, actor = self._program.existing_db, self._program.actor
        return task_templates.told(task_templates.save(db, task.id, now=clock.now(), actor=actor))

    def delete_template(self, template: Mapping[str, Any]) -> None:
        """Delete a template."""
        from watchbell.services import task_templates

        task_templates.delete(self._program.existing_db, template["id"], now=clock.now(), actor=self._program.actor)

    def add_of_template(self, template: Mapping[str, Any], fields: Mapping[str, object]) -> Task:
        """Make a task that says what a template says, but for these fields."""
        from watchbell.services import task_templates

        program = self._program
        return task_templates.make_task(
            program.existing_db, template["id"], fields,
            now=clock.now(), actor=program.actor, defaults=program.defaults,
        )  # fmt: skip
