"""Doing one thing with many tasks at once: with all of them or with none."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum

from watchbell.domain.task_definition import Defaults
from watchbell.errors import InputError, Problem
from watchbell.services import pauses, tasks, triggers
from watchbell.services.task_lists import TaskFilter
from watchbell.store import tasks as store
from watchbell.store.session import Database, Session
from watchbell.store.tasks import Task

#: So many tasks are changed in one transaction, during which nobody else can write.
MOST_TASKS = 1000


class Action(StrEnum):
    """What is done with each task."""

    ENABLE = "enable"
    DISABLE = "disable"
    RUN = "run"
    """Asks for a run of it now."""
    DELETE = "delete"
    PAUSE = "pause"
    RESUME = "resume"
    TAG = "tag"
    """Adds tags to those that it has."""
    UNTAG = "untag"


UNCHANGED = "unchanged"
#: What changes definitions or takes them away, as an edit does.
EDITS = frozenset({Action.DELETE, Action.TAG, Action.UNTAG})
#: What changes when tasks start by themselves.
MOVES = frozenset({Action.ENABLE, Action.DISABLE, Action.DELETE})


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """What is to be done."""

    action: Action
    #: Exactly these tasks, or if it is None those that the filter lets through.
    ids: Sequence[int] | None = None
    chosen: TaskFilter = dataclasses.field(default_factory=TaskFilter)
    tags: Sequence[str] = ()
    #: Of a pause.
    reason: str = ""
    until: datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Done:
    """What was done with one task, or would be."""

    task_id: int
    name: str
    #: In a word; "unchanged" if it was so already.
    outcome: str
    run_id: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class _Work:
    db: Database
    order: Order
    now: datetime
    actor: str
    defaults: Defaults


def carry_out(
    db: Database, order: Order, *, now: datetime, actor: str, defaults: Defaults, dry_run: bool = False
) -> list[Done]:
    """Do it with all chosen tasks in one transaction and return what was done with each, by id.

    With ``dry_run`` it is done and undone, so that whatever would go wrong is told. Raises InputError for ids that no task
    has and for too many tasks, and what the use case of the action raises.
    """
    if order.action in {Action.TAG, Action.UNTAG} and not order.tags:
        raise InputError.of("tags", "is required for this action", "backup")
    with db.rehearse() if dry_run else db.write() as session:
        work = _Work(db.within(session), order, now, actor, defaults)
        done = [_carry_out(work, task) for task in _choose(session, order)]
        # A number that was given in a rehearsal will be another run's.
        return [dataclasses.replace(one, run_id=None) for one in done] if dry_run else done


def _choose(session: Session, order: Order) -> Sequence[Task]:
    if order.ids is None:
        found = store.list_tasks(session, sort="id", limit=MOST_TASKS + 1, **dataclasses.asdict(order.chosen))
    else:
        wanted = list(dict.fromkeys(order.ids))
        found = store.list_by_ids(session, wanted[: MOST_TASKS + 1])
        missing = set(wanted) - {task.id for task in found}
        if missing and len(wanted) <= MOST_TASKS:
            raise InputError(*(Problem("ids", f"there is no task {number}") for number in sorted(missing)[:10]))
    if len(found) > MOST_TASKS:
        raise InputError.of("filter" if order.ids is None else "ids", f"chooses more than {MOST_TASKS} tasks")
    return found


def _carry_out(work: _Work, task: Task) -> Done:
    return _ACTIONS[work.order.action](work, task)


def _enable(work: _Work, task: Task) -> Done:
    return _set_enabled(work, task, enabled=True)


def _disable(work: _Work, task: Task) -> Done:
    return _set_enabled(work, task, enabled=False)


def _set_enabled(work: _Work, task: Task, *, enabled: bool) -> Done:
    is_new = task.enabled != enabled
    tasks.set_enabled(work.db, task.id, enabled, now=work.now, actor=work.actor)
    return Done(task.id, task.name, ("enabled" if enabled else "disabled") if is_new else UNCHANGED)


def _run(work: _Work, task: Task) -> Done:
    run = triggers.run_now(work.db, task.id, now=work.now, actor=work.actor)
    return Done(task.id, task.name, "queued", run.id)


def _delete(work: _Work, task: Task) -> Done:
    tasks.delete(work.db, task.id, now=work.now, actor=work.actor)
    return Done(task.id, task.name, "deleted")


def _pause(work: _Work, task: Task) -> Done:
    order, scope = work.order, pauses.task_scope(task.id)
    pauses.pause(work.db, scope, now=work.now, actor=work.actor, reason=order.reason, until=order.until)
    return Done(task.id, task.name, "paused")


def _resume(work: _Work, task: Task) -> Done:
    was_paused = pauses.resume(work.db, pauses.task_scope(task.id), now=work.now, actor=work.actor)
    return Done(task.id, task.name, "resumed" if was_paused else UNCHANGED)


def _tag(work: _Work, task: Task) -> Done:
    return _set_tags(work, task, [*task.tags, *(tag for tag in work.order.tags if tag not in task.tags)], "tagged")


def _untag(work: _Work, task: Task) -> Done:
    return _set_tags(work, task, [tag for tag in task.tags if tag not in work.order.tags], "untagged")


def _set_tags(work: _Work, task: Task, tags: list[str], outcome: str) -> Done:
    before = task.version
    changed = tasks.update(work.db, task.id, {"tags": tags}, now=work.now, actor=work.actor, defaults=work.defaults)
    return Done(task.id, task.name, outcome if changed.version != before else UNCHANGED)


_ACTIONS: dict[Action, Callable[[_Work, Task], Done]] = {
    Action.ENABLE: _enable,
    Action.DISABLE: _disable,
    Action.RUN: _run,
    Action.DELETE: _delete,
    Action.PAUSE: _pause,
    Action.RESUME: _resume,
    Action.TAG: _tag,
    Action.UNTAG: _untag,
}
