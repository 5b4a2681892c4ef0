"""What the form below the list of runs does with the runs that were ticked, or with all that match."""

from __future__ import annotations

import functools
import itertools

from flask import url_for
from werkzeug.wrappers import Response

from watchbell.services import bulk_parts, run_lists
from watchbell.services.bulk_parts import RunAction
from watchbell.web import bulk_forms, current, notices, progress, run_list
from watchbell.web.bulk_forms import Chosen
from watchbell.web.db import database
from watchbell.web.i18n import _, ngettext
from watchbell.web.progress import Work


def answer() -> Response | str:
    """Do what was asked for, or ask before it is done."""
    chosen = bulk_forms.read([action.value for action in RunAction], url_for("runs.index"))
    action = RunAction(chosen.action)
    names = _names(chosen)
    bulk_forms.require_few(len(names))
    if not chosen.is_sure:
        title, verb, text = _question(action, len(names))
        return bulk_forms.question(chosen, "runs.bulk", names, title, verb, text)
    work = functools.partial(
        bulk_parts.change_runs, database(), action, list(names), now=current.now(), actor=current.actor()
    )
    if action is RunAction.AGAIN:
        notices.warn_unless_running()
    words = {"cancelled": _("cancelled"), "asked to stop": _("asked to stop"), "queued": _("queued")}
    if len(names) <= progress.FEW:
        return bulk_forms.result(chosen.back, work(), words=words)
    return progress.page(
        Work(
            title=_question(action, len(names))[1],
            total=len(names),
            do=lambda tell: work(tell=tell),
            end=lambda done: bulk_forms.ending(chosen.back, done, words=words),
            back=chosen.back,
            back_label=_("Runs"),
            section="runs",
        )
    )


def _names(chosen: Chosen) -> dict[int, str]:
    if chosen.ids is not None:
        return run_lists.list_names(database(), chosen.ids)
    asked = run_list.read(chosen.filters, chosen.filters, database())
    found = run_list.walk(database(), asked, now=current.now(), zone=current.zone())
    return {run.id: run_lists.name_of(run) for run in itertools.islice(found, bulk_parts.MOST + 1)}


def _question(action: RunAction, number: int) -> tuple[str, str, str]:
    """Return the question, what its button says, and what comes of it."""
    runs = ngettext("%(num)s run", "%(num)s runs", number)
    if action is RunAction.CANCEL:
        told = _("What is going on is asked to stop; what waits does not start.")
        return _("Cancel %(runs)s?", runs=runs), _("Cancel runs"), told
    return _("Run %(runs)s again?", runs=runs), _("Run again"), _("Each asks for a new run of its task now.")
