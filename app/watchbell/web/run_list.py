"""What an address of the list of runs asks for, and the addresses that lead on from it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from watchbell.domain.run_state import RunState
from watchbell.errors import InputError, NotFound
from watchbell.services import tasks
from watchbell.services.runs import RunFilter, RunPage
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.store.tasks import Task
from watchbell.web import query

PAGE_ROWS = 50
#: Open decisions are listed up to here.
MOST_UNDECIDED = 1000
TRIGGERS = {
    "": "any",
    "schedule": "by the schedule",
    "manual": "by hand",
    "asap": "as soon as possible",
    "catch_up": "to catch up",
}
#: Choice -> how far back, and words.
SINCE = {
    "": (None, "any time"),
    "1h": (timedelta(hours=1), "the last hour"),
    "today": (None, "today"),
    "24h": (timedelta(hours=24), "the last 24 hours"),
    "7d": (timedelta(days=7), "the last 7 days"),
    "30d": (timedelta(days=30), "the last 30 days"),
}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
#: States that a chip each stands for; the waiting ones share theirs.
CHIPS = {
    "running": ("starting", "running", "cancelling"),
    "queued": ("queued", "claimed", "retry_wait"),
    **{state: (state,) for state in ("succeeded", "failed", "timed_out", "lost", "missed", "skipped", "cancelled")},
}


class MultiArgs(Protocol):
    """The arguments of an address, of which one may be there several times."""

    def getlist(self, name: str) -> list[str]:
        """Return all values of an argument."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class RunQuery:
    """Filters and place in the list, as they stand in the address."""

    states: tuple[str, ...] = ()
    task: Task | None = None
    task_text: str = ""
    trigger: str = ""
    since: str = ""
    search: str = ""
    queue: str = ""
    #: "open" for those about which a person is to decide.
    decision: str = ""
    before: int | None = None
    after: int | None = None

    @property
    def is_filtered(self) -> bool:
        """Return whether runs may be left out."""
        marks = (self.states, self.task_text, self.trigger, self.since, self.search, self.queue, self.decision)
        return any(marks)

    @property
    def is_first_page(self) -> bool:
        """Return whether the newest runs are shown."""
        return self.before is None and self.after is None

    def address(self, **changes: Any) -> dict[str, Any]:
        """Return the arguments of an address with these filters and changes; the place is not kept."""
        kept: dict[str, Any] = {
            "state": list(self.states),
            "task": self.task_text,
            "trigger": self.trigger,
            "since": self.since,
            "q": self.search,
            "queue": self.queue,
            "decision": self.decision,
        }
        return {name: value for name, value in {**kept, **changes}.items() if value not in ("", [], None)}

    def toggled(self, chip: str) -> dict[str, Any]:
        """Return the arguments of the address in which a chip is the other way round."""
        states = [state for state in self.states if state != chip]
        return self.address(state=states if chip in self.states else [*self.states, chip])


def read(args: Mapping[str, str], many: MultiArgs, db: Database) -> RunQuery:
    """Return what the address asks for; raises InputError that names the argument that is wrong."""
    states = tuple(dict.fromkeys(state for state in many.getlist("state") if state))
    for state in states:
        if state not in CHIPS and state not in set(RunState):
            raise InputError.of("state", f"must be one of {', '.join(CHIPS)}", "failed")
    since = args.get("since", "").strip()
    require_since(since)
    task_text = query.text(args, "task")
    before, after = query.optional_id(args, "before"), query.optional_id(args, "after")
    if before is not None and after is not None:
        raise InputError.of("before", "cannot stand beside after; give one of them")
    return RunQuery(
        states=states,
        task=_task(db, task_text) if task_text else None,
        task_text=task_text,
        trigger=query.word(args, "trigger", TRIGGERS, ""),
        since=since,
        search=query.text(args, "q"),
        queue=query.text(args, "queue"),
        decision=query.word(args, "decision", ("", "open"), ""),
        before=before,
        after=after,
    )


def require_since(text: str) -> None:
    """Raise InputError unless a text says since when."""
    if text not in SINCE and not _is_day(text):
        raise InputError.of("since", f"must be a date or one of {', '.join(filter(None, SINCE))}", "24h")


def _task(db: Database, text: str) -> Task | None:
    try:
        return tasks.find_by_name(db, text)
    except NotFound:
        # A name that no task has is no error in a search: no run matches, and the page says so.
        return None


def _is_day(text: str) -> bool:
    try:
        return bool(_DAY.fullmatch(text)) and datetime.fromisoformat(text).year > 1970
    except ValueError:
        return False


def as_filter(asked: RunQuery, *, now: datetime, zone: ZoneInfo) -> RunFilter:
    """Return the filter for the service."""
    states = tuple(state for chosen in asked.states for state in CHIPS.get(chosen, (chosen,)))
    # No task has the id 0, so a name that nobody has finds nothing.
    task_id = (asked.task.id if asked.task else 0) if asked.task_text else None
    return RunFilter(
        task_id=task_id,
        states=states,
        trigger=asked.trigger or None,
        search=asked.search,
        since=since_of(asked.since, now, zone),
        queue=asked.queue or None,
    )


def undecided(found: Sequence[Run], chosen: RunFilter) -> RunPage:
    """Return those of the runs that wait for a decision which the other filters let through; they are few, on one page."""
    words = chosen.search.lower().split()
    shown = [
        run
        for run in found
        if (chosen.task_id is None or run.task_id == chosen.task_id)
        and (not chosen.states or run.state in chosen.states)
        and (chosen.trigger is None or run.trigger == chosen.trigger)
        and (chosen.since is None or run.due_at >= chosen.since)
        and (chosen.queue is None or run.queue == chosen.queue)
        and all(word in f"{run.task_name} {run.reason}".lower() for word in words)
    ]
    return RunPage(shown, len(shown), has_older=False)


def since_of(text: str, now: datetime, zone: ZoneInfo) -> datetime | None:
    """Return since when, for a text that ``require_since`` lets through."""
    if not text:
        return None
    back = SINCE.get(text, (None, ""))[0]
    if back is not None:
        return now - back
    if text == "today":
        return day_start(now, zone)
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def day_start(now: datetime, zone: ZoneInfo) -> datetime:
    """Return the start of today in a zone."""
    return now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)


def sentence(asked: RunQuery, count: int, at_most: int) -> str:
    """Return what a filtered list has found."""
    number = f"At least {count:,}" if count >= at_most else f"{count:,}" if count else "No"
    what = f"{number} run{'' if count == 1 else 's'}"
    parts = [f"of {asked.task_text}" if asked.task_text else ""]
    if asked.states:
        parts.append(f"that {'is' if count == 1 else 'are'} {' or '.join(s.replace('_', ' ') for s in asked.states)}")
    parts.append(f"started {TRIGGERS[asked.trigger]}" if asked.trigger else "")
    parts.append(f"due since {SINCE[asked.since][1] if asked.since in SINCE else asked.since}" if asked.since else "")
    parts.append(f"with “{asked.search}”" if asked.search else "")
    parts.append(f"in queue {asked.queue}" if asked.queue else "")
    if asked.decision:
        parts.append(f"that {'waits' if count == 1 else 'wait'} for a decision")
    return f"{' '.join([what, *filter(None, parts)])}."
