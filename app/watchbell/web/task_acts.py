"""The buttons of a row in the list of tasks: what can be done with a task without opening it.

A page of tasks has hundreds of them, which is why they are written here and not by a template. All of them send one form of
the page, so that none carries a form of its own.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import url_for
from markupsafe import Markup, escape

from watchbell.domain.permissions import Right
from watchbell.services import ownership
from watchbell.store.tasks import Task
from watchbell.web import offers
from watchbell.web.db import database
from watchbell.web.i18n import _

#: Act -> its icon, how it is asked for, and where below the address of the task.
_ACTS = {
    "run": ("play", "POST", "run"),
    "edit": ("edit", "GET", "edit"),
    "disable": ("cancelled", "POST", "disable"),
    "enable": ("check", "POST", "enable"),
    "copy": ("copy", "POST", "copy"),
    "delete": ("delete", "POST", "delete"),
}


def row_acts(icon: Callable[[str], str]) -> RowActs:
    """Return what draws the buttons of the rows of this page for whoever reads it; ``icon`` returns one by its name."""
    return RowActs(icon)


class RowActs:
    """Draws the buttons of a row; rights, words and icons are looked up once for all of them."""

    def __init__(self, icon: Callable[[str], str]) -> None:
        self._base = url_for("tasks.detail", task_id=0)[:-1]
        self._pause = url_for("pauses.new", scope="task:0")[:-1]
        words = {
            "run": _("Run %(name)s now"),
            "edit": _("Edit %(name)s"),
            "disable": _("Disable %(name)s"),
            "enable": _("Enable %(name)s"),
            "pause": _("Pause %(name)s"),
            "copy": _("Copy %(name)s"),
            "delete": _("Delete %(name)s"),
        }
        self._parts: dict[str, tuple[str, str, str]] = {}
        for act, (symbol, method, below) in _ACTS.items():
            if offers.may(f"{self._base}0/{below}", method):
                self._parts[act] = (str(escape(words[act])), str(icon(symbol)), "" if method == "GET" else below)
        if offers.may(url_for("pauses.new")):
            self._parts["pause"] = (str(escape(words["pause"])), str(icon("pause")), "")
        edits, runs = (ownership.judge(database(), right) for right in (Right.EDIT, Right.OPERATE))
        self._judges = {"edit": edits, "delete": edits, **dict.fromkeys(("run", "enable", "disable", "pause"), runs)}

    def draw(self, task: Task, resume: Markup | None = None) -> Markup:
        """Return the buttons of a task; ``resume`` is the one that takes the place of the pause of a paused one."""
        name, shown = str(escape(task.name)), []
        for act in ("run", "edit", "disable" if task.enabled else "enable", "pause", "copy", "delete"):
            if act in self._judges and not self._judges[act](task):
                continue
            if act == "pause" and resume is not None:
                shown.append(str(resume))
            elif act in self._parts:
                shown.append(self._one(act, task.id, name))
        # The name is escaped, and so is each word around it.
        return Markup(f'<div class="wb-acts">{"".join(shown)}</div>')  # noqa: S704

    def _one(self, act: str, task_id: int, name: str) -> str:
        words, icon, below = self._parts[act]
        label = words % {"name": name}
        said = f'aria-label="{label}" title="{label}">{icon}'
        if below:
            way = f'type="submit" form="row-acts" formaction="{self._base}{task_id}/{below}"'
            return f'<button class="btn wb-button--icon" {way} {said}</button>'
        address = f"{self._pause}{task_id}" if act == "pause" else f"{self._base}{task_id}/edit"
        return f'<a class="btn wb-button--icon" href="{address}" {said}</a>'
