"""What the form below the list of tasks does with the tasks that were ticked, or with all that match."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Collection

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from watchbell.domain.permissions import Right
from watchbell.errors import InputError, NotAllowed
from watchbell.services import bulk, bulk_edits, bulk_parts, simulation, task_lists, tasks, undoing
from watchbell.services.bulk import Action, Order
from watchbell.services.bulk_parts import Part
from watchbell.services.simulation import Edit
from watchbell.services.task_lists import TaskFilter
from watchbell.web import bulk_editing, bulk_forms, current, foreseeing, list_look, notices, progress, query, task_list
from watchbell.web.bulk_forms import Chosen, Undo
from watchbell.web.db import database
from watchbell.web.forms.bulk_edit_form import BulkEditForm
from watchbell.web.i18n import _, grouped, ngettext
from watchbell.web.presenters_simulation import Effect, effect_of
from watchbell.web.progress import Work

#: What is done without a question, since it is undone as easily; not with rows that nobody has seen.
_AT_ONCE = frozenset({Action.ENABLE, Action.RUN, Action.RESUME})
#: What takes an action back.
_OPPOSITES = {Action.ENABLE: Action.DISABLE, Action.DISABLE: Action.ENABLE}
#: What leads to the form that edits them, and how many an address has room for.
EDIT = "edit"
_MOST_IN_ADDRESS = 300
_NEEDS_TAGS = frozenset({Action.TAG, Action.UNTAG})


def answer() -> Response | str:
    """Do what was asked for, or ask before it is done."""
    chosen = bulk_forms.read([*(action.value for action in Action), EDIT], url_for("tasks.index"))
    if chosen.action == EDIT:
        return _to_form(chosen)
    action = Action(chosen.action)
    if action in bulk.EDITS and Right.EDIT not in current.user().rights:
        raise NotAllowed(_("to %(action)s needs the right to edit", action=action))
    names = task_lists.list_names(database(), _filter(chosen), bulk_parts.MOST + 1)
    bulk_forms.require_few(len(names))
    is_asked = not (chosen.is_sure or (action in _AT_ONCE and chosen.ids is not None))
    if is_asked or (action in _NEEDS_TAGS and not chosen.tags):
        title, verb, text = _question(action, len(names))
        return bulk_forms.question(chosen, "tasks.bulk", names, title, verb, text, effect=_effect(action, names))
    order = Order(action=action, tags=chosen.tags, reason=chosen.reason)
    work = functools.partial(
        bulk_parts.change_tasks,
        *(database(), order, names),
        now=current.now(),
        actor=current.actor(),
        defaults=current.defaults(),
    )
    if action is Action.RUN:
        notices.warn_unless_running()
    return _do(work, len(names), _question(action, len(names))[1], chosen.back, _undo(action))


def restore() -> Response:
    """Take back that tasks were deleted together, and say what has become of each."""
    deleted_at = query.moment(request.form, "deleted_at")
    if deleted_at is None:
        raise InputError.of("deleted_at", _("must be a date and time"), "2026-11-29T14:00")
    ids = undoing.list_deleted(database(), deleted_at)
    work = functools.partial(undoing.restore_all, database(), ids, now=current.now(), actor=current.actor())
    return _do(work, len(ids), _("Restore"), bulk_forms.back_of(url_for("tasks.index")))


def _effect(action: Action, names: Collection[int]) -> Effect | None:
    """Return what an action would do to the runs of the coming days; None for one that leaves schedules alone."""
    if action not in bulk.MOVES:
        return None
    edits = []
    for lot in bulk_parts.lots(list(names)):
        for task in bulk_edits.find(database(), lot):
            there = dataclasses.replace(tasks.definition_of(task), enabled=action is Action.ENABLE)
            edits.append(Edit(task, None if action is Action.DELETE else there))
    return effect_of(simulation.of_edits(database(), edits, now=current.now(), moments=foreseeing.moments()))


def _undo(action: Action) -> Undo | None:
    """Return what takes an action back, if anything does."""
    if action is Action.DELETE:
        # Their moment says which tasks it was, however many they were.
        return Undo(url_for("tasks.restore_many"), "restore", {"deleted_at": current.now().isoformat()})
    opposite = _OPPOSITES.get(action)
    return Undo(url_for("tasks.bulk"), opposite.value) if opposite is not None else None


def _do(work: Callable[..., list[Part]], number: int, title: str, back: str, undo: Undo | None = None) -> Response:
    """Do it and say what has become of each, on a page of its own if that takes a while."""
    if number <= progress.FEW:
        return bulk_forms.result(back, work(), words=_outcomes(), undo=undo)
    return progress.page(
        Work(
            title=title,
            total=number,
            do=lambda tell: work(tell=tell),
            end=lambda done: bulk_forms.ending(back, done, words=_outcomes(), undo=undo),
            back=back,
            back_label=_("Tasks"),
            section="tasks",
        )
    )


def _to_form(chosen: Chosen) -> Response:
    """Lead to the form that edits several tasks, whose address names them as long as it has room for that."""
    names = task_lists.list_names(database(), _filter(chosen), bulk.MOST_TASKS + 1)
    if len(names) > bulk.MOST_TASKS:
        told = _("chooses more than %(most)s tasks; so many are edited at a time", most=grouped(bulk.MOST_TASKS))
        raise InputError.of("all", told)
    if len(names) > _MOST_IN_ADDRESS:
        return bulk_editing.page(BulkEditForm(formdata=None), ids=list(names))
    return redirect(url_for("bulk_edits.index", id=list(names)), 303)


def _filter(chosen: Chosen) -> TaskFilter:
    if chosen.ids is not None:
        return TaskFilter(ids=chosen.ids)
    look = list_look.read(task_list.SHAPE, {}, {})
    return task_list.as_filter(task_list.from_page(chosen.filters, look))


def _question(action: Action, number: int) -> tuple[str, str, str]:
    """Return the question, what its button says, and what comes of it."""
    tasks = ngettext("%(num)s task", "%(num)s tasks", number)
    match action:
        case Action.ENABLE:
            return _("Enable %(tasks)s?", tasks=tasks), _("Enable"), _("They start again by their schedules.")
        case Action.DISABLE:
            return _("Disable %(tasks)s?", tasks=tasks), _("Disable"), _("They will not start by themselves any more.")
        case Action.RUN:
            return _("Run %(tasks)s now?", tasks=tasks), _("Run now"), _("Each is put into its queue at once.")
        case Action.PAUSE:
            return _("Pause %(tasks)s?", tasks=tasks), _("Pause"), _("Nothing of them starts until they are resumed.")
        case Action.RESUME:
            return _("Resume %(tasks)s?", tasks=tasks), _("Resume"), _("They start again by their schedules.")
        case Action.TAG:
            return _("Tag %(tasks)s", tasks=tasks), _("Add tags"), ""
        case Action.UNTAG:
            return _("Take tags from %(tasks)s", tasks=tasks), _("Take tags away"), ""
        case Action.DELETE:
            told = _("Their runs stay in the history; they will not start any more.")
            return _("Delete %(tasks)s?", tasks=tasks), _("Delete"), told


def _outcomes() -> dict[str, str]:
    return {
        "enabled": _("enabled"),
        "disabled": _("disabled"),
        "queued": _("queued"),
        "deleted": _("deleted"),
        "restored": _("restored"),
        "paused": _("paused"),
        "resumed": _("resumed"),
        "tagged": _("tagged"),
        "untagged": _("untagged"),
    }
