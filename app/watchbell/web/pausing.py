"""Pauses as the pages show them: what is paused, where that leads, and the one of everything, which is on every page."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import cast

from flask import g, url_for

from watchbell.errors import NotFound
from watchbell.services import pauses, tasks
from watchbell.store.pauses import Pause
from watchbell.web import current
from watchbell.web.db import database
from watchbell.web.i18n import _

_QUEUE, _TASK = pauses.queue_scope(""), pauses.task_scope("")


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """What a scope stands for."""

    scope: str
    #: Everything, queue nightly, or task backup.
    words: str
    #: The page on which it is seen.
    address: str

    @property
    def kind(self) -> str:
        """Return everything, queue or task."""
        return self.scope.partition(":")[0]


@dataclasses.dataclass(frozen=True, slots=True)
class PauseView:
    """One pause in force."""

    subject: Subject
    since: datetime
    until: datetime | None
    by: str
    reason: str


def subject_of(scope: str) -> Subject:
    """Return what a scope stands for; raises NotFound for a task that does not exist or a scope that means nothing."""
    if scope == pauses.EVERYTHING:
        return Subject(scope, _("everything"), url_for("overview.index"))
    if scope.startswith(_QUEUE):
        return Subject(scope, _("queue %(name)s", name=scope.removeprefix(_QUEUE)[:50]), url_for("queues.index"))
    number = scope.removeprefix(_TASK)
    if not scope.startswith(_TASK) or not number.isascii() or not number.isdigit() or len(number) > 18:
        raise NotFound(_("there is nothing of that name that could be paused"))
    task = tasks.get(database(), int(number))
    return Subject(
        pauses.task_scope(task.id), _("task %(name)s", name=task.name), url_for("tasks.detail", task_id=task.id)
    )


def in_force() -> Sequence[Pause]:
    """Return the pauses in force at the time of the request."""
    if "pauses" not in g:
        g.pauses = pauses.list_all(database(), now=current.now())
    return cast(Sequence[Pause], g.pauses)


def of(scope: str) -> Pause | None:
    """Return the pause of something, or None."""
    return next((pause for pause in in_force() if pause.scope == scope), None)


def of_everything() -> Pause | None:
    """Return the pause of everything, or None."""
    return of(pauses.EVERYTHING)


def of_tasks() -> dict[int, Pause]:
    """Return the pauses of single tasks by their ids."""
    found = ((pause.scope.removeprefix(_TASK), pause) for pause in in_force() if pause.scope.startswith(_TASK))
    return {int(number): pause for number, pause in found if number.isdigit()}


def views() -> list[PauseView]:
    """Return all pauses with what they stand for; one of a task that was deleted since is left out."""
    found = []
    for pause in in_force():
        try:
            subject = subject_of(pause.scope)
        except NotFound:
            # Nothing of it can start any more, paused or not.
            continue
        found.append(PauseView(subject, pause.since, pause.until, pause.by, pause.reason))
    return found
