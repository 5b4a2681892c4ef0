"""What an address of the list of runs asks for, and the addresses that lead on from it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from watchbell.domain.run_state import RunState
from watchbell.errors import InputError, NotFound
from watchbell.services import decisions, run_lists, runs, task_lists, tasks
from watchbell.services.runs import RunFilter, RunPage
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.store.tasks import Task
from watchbell.web import query
from watchbell.web.list_look import EVERYTHING, Column, Look, Shape
from watchbell.web.query import HIGHEST_ID

SHAPE = Shape(
    "runs",
    (
        Column("task", "wb-cell--main", is_fixed=True),
        Column("id", "wb-cell--quiet", sorts=True),
        Column("state", "wb-cell--end", is_fixed=True),
        Column("took", "wb-number"),
        Column("due"),
        Column("lag", "wb-number wb-cell--quiet"),
        Column("started", is_shown=False),
        Column("ended", is_shown=False),
        Column("trigger", "wb-cell--quiet"),
        Column("queue", "wb-cell--quiet", is_shown=False),
        Column("attempts", "wb-number wb-cell--quiet", is_shown=False),
        Column("exit", "wb-number wb-cell--quiet", is_shown=False),
        Column("why", "wb-cell--wide wb-cell--rest"),
    ),
    length=50,
)
#: Open decisions are listed up to here.
MOST_UNDECIDED = 1000
TRIGGERS = ("", "schedule", "manual", "asap", "catch_up", "chain")
#: Choice -> how far back; today begins where the reader is.
SINCE = {
    "": None,
    "1h": timedelta(hours=1),
    "today": None,
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
_LEAST = timedelta(microseconds=1)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?", re.ASCII)
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
    #: From and to when runs were due, as they were typed in the zone of the page.
    start: str = ""
    end: str = ""
    search: str = ""
    queue: str = ""
    tag: str = ""
    host: str = ""
    user: str = ""
    team: str = ""
    #: "open" for those about which a person is to decide.
    decision: str = ""
    #: Whether the oldest come first.
    oldest_first: bool = False
    before: int | None = None
    after: int | None = None
    #: Whether the page at the other end is wanted.
    is_last_page: bool = False
    look: Look | None = None

    @property
    def is_filtered(self) -> bool:
        """Return whether runs may be left out."""
        marks = (self.states, self.task_text, self.trigger, self.since, self.search, self.decision)
        return any(marks) or self.more > 0

    @property
    def more(self) -> int:
        """Return how many of the filters are set that stand behind a button."""
        return sum(map(bool, (self.start, self.end, self.queue, self.tag, self.host, self.user, self.team)))

    @property
    def can_be_turned(self) -> bool:
        """Return whether an index leads to the oldest of these runs as it does to the newest."""
        marks = (self.search, self.queue, self.tag, self.host, self.user, self.team, self.decision)
        return not any(marks)

    @property
    def is_first_page(self) -> bool:
        """Return whether the newest runs are shown."""
        return self.before is None and self.after is None and not self.is_last_page

    def address(self, **changes: Any) -> dict[str, Any]:
        """Return the arguments of an address with these filters and changes; the place is not kept.

        One without anything would be the view that its reader meets first, so it says that it is not, unless ``view`` is changed.
        """
        kept: dict[str, Any] = {
            "state": list(self.states),
            "task": self.task_text,
            "trigger": self.trigger,
            "since": self.since,
            "from": self.start,
            "to": self.end,
            "q": self.search,
            "queue": self.queue,
            "tag": self.tag,
            "host": self.host,
            "user": self.user,
            "team": self.team,
            "decision": self.decision,
            "order": "id" if self.oldest_first else "",
            **(self.look.given if self.look else {}),
        }
        found = {name: value for name, value in {**kept, **changes}.items() if value not in ("", [], None)}
        return found or ({} if "view" in changes else {"view": EVERYTHING})

    def toggled(self, chip: str) -> dict[str, Any]:
        """Return the arguments of the address in which a chip is the other way round."""
        states = [state for state in self.states if state != chip]
        return self.address(state=states if chip in self.states else [*self.states, chip])


def read(args: Mapping[str, str], many: MultiArgs, db: Database, look: Look | None = None) -> RunQuery:
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
    found = RunQuery(
        states=states,
        task=_task(db, task_text) if task_text else None,
        task_text=task_text,
        trigger=query.word(args, "trigger", TRIGGERS, ""),
        since=since,
        start=read_moment(args, "from"),
        end=read_moment(args, "to"),
        search=query.text(args, "q"),
        **{name: query.text(args, name) for name in ("queue", "tag", "host", "user", "team")},
        decision=query.word(args, "decision", ("", "open"), ""),
        oldest_first=query.word(args, "order", ("", "id", "-id"), "") == "id",
        before=before,
        after=after,
        is_last_page=before is None and after is None and query.word(args, "page", ("", "last"), "") == "last",
        look=look,
    )
    # No index leads to the oldest of some lists: they stay as they are, on the page and in what is exported of it.
    return dataclasses.replace(found, oldest_first=found.oldest_first and found.can_be_turned)


def read_moment(args: Mapping[str, str], name: str) -> str:
    """Return a day or a time of a day, as it was typed."""
    text = args.get(name, "").strip()
    if (text and not _MOMENT.fullmatch(text)) or (text and not _is_moment(text)):
        raise InputError.of(name, "must be a day or a time of a day", "2026-11-22T14:30")
    return text


def _is_moment(text: str) -> bool:
    try:
        return 1970 < datetime.fromisoformat(text).year < 9999
    except ValueError:
        return False


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


def as_filter(db: Database, asked: RunQuery, *, now: datetime, zone: ZoneInfo) -> RunFilter:
    """Return the filter for the service."""
    states = tuple(state for chosen in asked.states for state in CHIPS.get(chosen, (chosen,)))
    # No task has the id 0, so a name that nobody has finds nothing.
    task_id = (asked.task.id if asked.task else 0) if asked.task_text else None
    starts = [found for found in (since_of(asked.since, now, zone), _start_of(asked.start, zone)) if found is not None]
    marks = {"tag": asked.tag or None, "owner": asked.user or None, "team": asked.team or None}
    return RunFilter(
        task_id=task_id,
        states=states,
        trigger=asked.trigger or None,
        search=asked.search,
        since=max(starts, default=None),
        until=end_of(asked.end, zone),
        queue=asked.queue or None,
        # Runs of a task that has been deleted are still those of its owner.
        among=task_lists.list_ids(db, deleted=True, **marks) if any(marks.values()) else None,
        place=run_lists.place_of(asked.host) if asked.host else None,
    )


def _start_of(text: str, zone: ZoneInfo) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC) if text else None


def end_of(text: str, zone: ZoneInfo) -> datetime | None:
    """Return the last moment of a time that was typed to the day, the minute or the second."""
    found = _start_of(text, zone)
    if found is None or len(text) == len("2026-11-22T14:30:00"):
        return found
    width = timedelta(days=1) if len(text) == len("2026-11-22") else timedelta(minutes=1)
    return (found.astimezone(zone).replace(tzinfo=None) + width).replace(tzinfo=zone).astimezone(UTC) - _LEAST


def find(db: Database, asked: RunQuery, chosen: RunFilter, limit: int) -> RunPage:
    """Return the page that was asked for, newest first; only that page and a count with an end are paid for."""
    if asked.decision:
        found = decisions.list_open(db, limit=MOST_UNDECIDED)
        if chosen.place is not None:
            there = run_lists.list_in_place(db, chosen.place, [run.id for run in found])
            found = [run for run in found if run.id in there]
        return undecided(found, chosen)
    if asked.can_be_turned and (asked.is_last_page or (asked.oldest_first and asked.is_first_page)):
        return run_lists.list_oldest(db, chosen, limit=limit)
    return runs.list_page(db, chosen, before_id=asked.before, after_id=asked.after, limit=limit)


def walk(db: Database, asked: RunQuery, *, now: datetime, zone: ZoneInfo) -> Iterator[Run]:
    """Yield all runs that the address asks for, in the order of the list, from the first row of its page on."""
    chosen = as_filter(db, asked, now=now, zone=zone)
    if asked.decision:
        yield from find(db, asked, chosen, MOST_UNDECIDED).runs
    elif asked.oldest_first and asked.before is None:
        yield from run_lists.walk_forwards(db, chosen, after_id=asked.after or 0)
    elif asked.before is not None and not asked.oldest_first:
        yield from run_lists.walk(db, chosen, before_id=asked.before)
    elif asked.is_first_page:
        yield from run_lists.walk(db, chosen)
    else:
        yield from _walk_from(db, asked, chosen)


def _walk_from(db: Database, asked: RunQuery, chosen: RunFilter) -> Iterator[Run]:
    """Yield the rows of a page whose beginning depends on its length, and what follows them in the list."""
    rows = find(db, asked, chosen, asked.look.length if asked.look else SHAPE.length).runs
    if rows and asked.oldest_first:
        yield from run_lists.walk_forwards(db, chosen, after_id=rows[-1].id - 1)
    elif rows:
        yield from run_lists.walk(db, chosen, before_id=rows[0].id + 1)


def places(asked: RunQuery, page: RunPage, limit: int) -> dict[str, dict[str, Any] | None]:
    """Return the arguments of the addresses of the newest, newer, older and oldest page; None where there is no such page."""
    rows = page.runs
    at_oldest = asked.is_last_page or (asked.oldest_first and asked.is_first_page)
    is_newest = (asked.is_first_page and not asked.oldest_first) or (
        (asked.after is not None or at_oldest) and len(rows) < limit
    )
    has_newer = bool(rows) and not is_newest and not asked.decision
    # The list that is turned round begins where the other one ends.
    newest = asked.address(before=HIGHEST_ID) if asked.oldest_first else asked.address()
    oldest = asked.address() if asked.oldest_first else asked.address(page="last")
    return {
        "newest": newest if has_newer else None,
        "newer": asked.address(after=rows[0].id) if has_newer else None,
        "older": asked.address(before=page.older_before) if page.has_older else None,
        "oldest": oldest if page.has_older and asked.can_be_turned else None,
    }


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
        and (chosen.until is None or run.due_at <= chosen.until)
        and (chosen.queue is None or run.queue == chosen.queue)
        and (chosen.among is None or run.task_id in chosen.among)
        and all(word in f"{run.task_name} {run.reason}".lower() for word in words)
    ]
    return RunPage(shown, len(shown), has_older=False)


def since_of(text: str, now: datetime, zone: ZoneInfo) -> datetime | None:
    """Return since when, for a text that ``require_since`` lets through."""
    if not text:
        return None
    back = SINCE.get(text)
    if back is not None:
        return now - back
    if text == "today":
        return day_start(now, zone)
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def day_start(now: datetime, zone: ZoneInfo) -> datetime:
    """Return the start of today in a zone."""
    return now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)
