"""What a schedule means, in the language of whoever looks: English as it is stored, or told anew by a language of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Protocol

from watchbell.domain import schedule as schedules
from watchbell.domain.schedule import Schedule, ScheduleKind, from_json, line_values
from watchbell.domain.short_memory import remembers
from watchbell.errors import WatchbellError
from watchbell.web import schedule_german
from watchbell.web.i18n import _, language
from watchbell.web.told import told

#: Language -> what makes its sentences. One without an entry shows the English ones.
DESCRIBERS: dict[str, Callable[[Schedule], str]] = {"de": schedule_german.describe}


class Scheduled(Protocol):
    """A row of a task: its schedule as it is stored, and the English sentence beside it."""

    @property
    def schedule(self) -> Mapping[str, object]: ...
    @property
    def schedule_words(self) -> str: ...


def sentence(schedule: Schedule) -> str:
    """Return what a schedule means, without a full stop."""
    return DESCRIBERS.get(language(), schedules.describe)(schedule)


def sentence_of(task: Scheduled) -> str:
    """Return what the schedule of a task means; the stored sentence is what English readers see."""
    name = language()
    if name not in DESCRIBERS:
        return task.schedule_words
    if is_after_others(task):
        return told(task.schedule_words)
    return _told(name, json.dumps(task.schedule)) or task.schedule_words


def is_after_others(task: Scheduled) -> bool:
    """Return whether a task has no schedule of its own and runs after other tasks."""
    return task.schedule.get("kind") == ScheduleKind.MANUAL and task.schedule_words.startswith("After ")


def without_next(task: Scheduled) -> str:
    """Return why an enabled task has no next moment: it is started otherwise, or what it says lies in the past."""
    if is_after_others(task):
        return _("after other tasks")
    return _("by hand") if task.schedule.get("kind") == ScheduleKind.MANUAL else _("not again")


@remembers(16_384, lambda _name, stored: len(stored))
def _told(name: str, stored: str) -> str:
    """Return the sentence of a stored schedule; nothing for one that cannot be read, which still has its English one."""
    try:
        return DESCRIBERS[name](schedules.from_json(json.loads(stored)))
    except (WatchbellError, ValueError, KeyError, TypeError):
        return ""


def line_values_of(plan: Mapping[str, object]) -> str:
    """Return what the lines of a stored schedule give of parameters, a line of text for each."""
    return line_values.as_text(from_json(plan))
