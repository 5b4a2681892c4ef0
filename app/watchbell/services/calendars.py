"""Named calendars of days: making and changing them, and letting the tasks that name one follow."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from watchbell.domain.day_calendar import NO_DAYS, DayCalendar, build_calendar
from watchbell.domain.permissions import Right
from watchbell.domain.schedule import Calendars
from watchbell.domain.shown_text import is_visible
from watchbell.errors import Conflict, InputError, NotFound, Problem, VersionConflict
from watchbell.services import audit, calendar_sources, ownership, task_calendars, tasks
from watchbell.store import day_calendars as store
from watchbell.store import tasks as task_store
from watchbell.store.day_calendars import NamedCalendar
from watchbell.store.session import Database, Session
from watchbell.store.tasks import Task

MOST_CALENDARS = 200
DESCRIPTION_LIMIT = 500
FIELDS = ("name", "description", "weekdays", "days", "ical", "country", "region", "years")
_KEPT = ("name", "description", "weekdays", "days")
#: So many tasks follow their calendar in one transaction, during which nobody else can write.
_AT_ONCE = 50
#: So many of the tasks that name a calendar are told by name.
_NAMED = 5


@dataclasses.dataclass(frozen=True, slots=True)
class CalendarView:
    """A calendar, and how many tasks name it."""

    row: NamedCalendar
    tasks: int

    @property
    def calendar(self) -> DayCalendar:
        """Return its days."""
        return task_calendars.to_calendar(self.row)


def told(view: CalendarView) -> dict[str, Any]:
    """Return a calendar as programs read it."""
    row = view.row
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "weekdays": [name for name in row.weekdays.split(",") if name],
        "days": [line for line in row.days.split("\n") if line],
        "tasks": view.tasks,
        "version": row.version,
        "updated_at": row.updated_at,
        "updated_by": row.updated_by,
    }


def list_all(db: Database) -> list[CalendarView]:
    """Return all calendars by name."""
    with db.read() as session:
        uses = store.count_uses(session)
        return [CalendarView(row, uses.get(row.name, 0)) for row in store.list_calendars(session)]


def get(db: Database, calendar_id: int) -> CalendarView:
    """Return a calendar; raises NotFound."""
    with db.read() as session:
        return _view(session, _require(session, calendar_id))


def find_by_name(db: Database, name: str) -> CalendarView:
    """Return the calendar of a name or an id; raises NotFound."""
    with db.read() as session:
        found = store.find_calendar_by_name(session, name)
        if found is None and name.isascii() and name.isdigit():
            found = store.find_calendar(session, int(name[:18]))
        if found is None:
            raise NotFound(f"there is no calendar {name[:100]!r}")
        return _view(session, found)


def list_users(db: Database, name: str) -> Sequence[Task]:
    """Return the tasks that name a calendar, by name."""
    with db.read() as session:
        return store.list_users(session, name)


def finder(db: Database) -> Calendars:
    """Return what finds the calendar of a name at the door of a schedule."""

    def find(name: str) -> DayCalendar | None:
        with db.read() as session:
            row = store.find_calendar_by_name(session, name)
        return task_calendars.to_calendar(row) if row is not None else None

    return find


def check(fields: Mapping[str, object], *, year: int, before: NamedCalendar | None = None) -> dict[str, str]:
    """Return the columns that fields come to, on top of a calendar that is there; raises InputError that tells all problems.

    ``ical`` is the text of an iCalendar file, ``country``, ``region`` and ``years`` name public holidays from a year on:
    both are added to the days that are given, or else to those that are there.
    """
    problems = [
        Problem(name[:40], "this is not a field of a calendar", "name") for name in fields if name not in FIELDS
    ]
    kept: dict[str, Any] = {name: getattr(before, name) for name in _KEPT} if before is not None else {}
    given = {**kept, **{name: value for name, value in fields.items() if name in _KEPT and value is not None}}
    days = given.get("days") or ""
    parts: list[object] = [days] if isinstance(days, str) else list(days) if isinstance(days, list | tuple) else [None]
    for read in (_read_ical, _read_holidays):
        try:
            parts.append(read(fields, year))
        except InputError as error:
            problems += error.problems
    text = "\n".join(map(str, parts)) if all(isinstance(part, str) for part in parts) else object()
    described = str(given.get("description") or "").strip()
    if len(described) > DESCRIPTION_LIMIT or not is_visible(described):
        problems.append(Problem("description", f"must be at most {DESCRIPTION_LIMIT} printable characters", None))
    try:
        made = build_calendar(given.get("name"), text, given.get("weekdays"))
    except InputError as error:
        # Without the days that could not be read from elsewhere there is no use in saying that there are none.
        problems += [one for one in error.problems if not (problems and one.message == NO_DAYS)]
    if problems:
        raise InputError(*problems)
    return {"name": made.name, "description": described, "weekdays": made.weekdays, "days": made.days}


def create(db: Database, fields: Mapping[str, object], *, now: datetime, actor: str) -> CalendarView:
    """Make a calendar; raises InputError, and Conflict for a name that is taken or one calendar too many."""
    columns = check(fields, year=now.year)
    with db.write() as session:
        return _view(session, add(session, columns, now=now, actor=actor))


def add(session: Session, columns: Mapping[str, str], *, now: datetime, actor: str) -> NamedCalendar:
    """Make a calendar of columns that were checked, within a transaction; raises Conflict."""
    _require_free(session, columns["name"])
    if len(store.list_calendars(session)) >= MOST_CALENDARS:
        raise Conflict(f"there are {MOST_CALENDARS} calendars already; remove one first")
    row = NamedCalendar(**columns, version=1, created_at=now, created_by=actor, updated_at=now, updated_by=actor)
    store.add_calendar(session, row)
    _note(session, row, "calendar.create", now, actor, dict(columns))
    return row


def update(
    db: Database,
    calendar_id: int,
    fields: Mapping[str, object],
    *,
    now: datetime,
    actor: str,
    expected_version: int | None = None,
) -> CalendarView:
    """Change a calendar; absent fields stay. The tasks that name it follow, each by a new version of its own.

    Raises NotFound, InputError, Conflict, and VersionConflict if the calendar has another version than the one expected.
    """
    with db.write() as session:
        row = _require(session, calendar_id)
        _require_version(row, expected_version)
        columns = check(fields, year=now.year, before=row)
        before = row.name
        change(session, row, columns, now=now, actor=actor)
    follow(db, columns["name"], now=now, actor=actor, before=before)
    return get(db, calendar_id)


def change(session: Session, row: NamedCalendar, columns: Mapping[str, str], *, now: datetime, actor: str) -> None:
    """Store what was checked of a calendar, within a transaction; its tasks are still to follow. Raises Conflict."""
    changed = audit.changes({name: getattr(row, name) for name in _KEPT}, columns)
    if not changed:
        return
    for task in store.list_users(session, row.name):
        # Whoever may not change one of these may not change when it is due.
        ownership.require(session, Right.EDIT, task)
    if columns["name"] != row.name:
        _require_free(session, columns["name"])
    for name, value in columns.items():
        setattr(row, name, value)
    row.version, row.updated_at, row.updated_by = row.version + 1, now, actor
    session.flush()
    _note(session, row, "calendar.update", now, actor, changed)


def follow(db: Database, name: str, *, now: datetime, actor: str, before: str = "") -> int:
    """Let the tasks that name a calendar, by this or its former name, count by it as it is now; return how many changed.

    In several short transactions: whoever is interrupted in between goes on at the next change, or at a scheduler's start.
    """
    with db.read() as session:
        row = store.find_calendar_by_name(session, name)
        users = [*store.list_users(session, name), *(store.list_users(session, before) if before != name else ())]
    if row is None:
        return 0
    ids = [task.id for task in users if task_calendars.differs(task, task_calendars.to_calendar(row))]
    for start in range(0, len(ids), _AT_ONCE):
        with db.write() as session:
            for task_id in ids[start : start + _AT_ONCE]:
                _let_follow(session, task_id, row.id, now=now, actor=actor)
    return len(ids)


def follow_all(db: Database, *, now: datetime, actor: str) -> int:
    """Let all tasks follow that did not come to it, because a program was killed in between; return how many did now."""
    with db.read() as session:
        names = [row.name for row in store.list_calendars(session)]
    return sum(follow(db, name, now=now, actor=actor) for name in names)


def follow_within(session: Session, row: NamedCalendar, *, now: datetime, actor: str) -> None:
    """Let the tasks that name a calendar follow within a transaction, as where many things change together."""
    for task in store.list_users(session, row.name):
        _let_follow(session, task.id, row.id, now=now, actor=actor)


def _let_follow(session: Session, task_id: int, calendar_id: int, *, now: datetime, actor: str) -> None:
    # Both may be others by now, or gone.
    task, row = task_store.find_task(session, task_id), store.find_calendar(session, calendar_id)
    if task is not None and row is not None and task_calendars.differs(task, task_calendars.to_calendar(row)):
        definition = task_calendars.with_calendar(tasks.definition_of(task), task_calendars.to_calendar(row))
        tasks.change_definition(session, task, definition, now=now, actor=actor)


def remove(
    db: Database, calendar_id: int, *, now: datetime, actor: str, expected_version: int | None = None
) -> NamedCalendar:
    """Remove a calendar that no task names; raises NotFound, VersionConflict, and Conflict that tells who names it."""
    with db.write() as session:
        row = _require(session, calendar_id)
        _require_version(row, expected_version)
        users = store.list_users(session, row.name)
        if users:
            names = ", ".join(task.name for task in users[:_NAMED])
            more = f" and {len(users) - _NAMED} more" if len(users) > _NAMED else ""
            raise Conflict(f"calendar {row.name!r} is named by {names}{more}; take it from these tasks first")
        _note(session, row, "calendar.delete", now, actor, {name: getattr(row, name) for name in _KEPT})
        store.delete_calendar(session, row)
        return row


def _read_ical(fields: Mapping[str, object], _year: int) -> str:
    text = fields.get("ical") or ""
    if not isinstance(text, str):
        raise InputError.of("ical", "this is the text of an iCalendar file", None)
    return calendar_sources.read_ical(text) if text.strip() else ""


def _read_holidays(fields: Mapping[str, object], year: int) -> str:
    country, region = (str(fields.get(name) or "") for name in ("country", "region"))
    if not country.strip():
        if region.strip():
            raise InputError.of("country", "is needed beside a region", "DE")
        return ""
    years = fields.get("years")
    try:
        number = int(str(years)[:9]) if years not in (None, "") else calendar_sources.YEARS
    except ValueError:
        raise InputError.of("years", "must be a whole number", str(calendar_sources.YEARS)) from None
    return calendar_sources.read_holidays(country, region, first_year=year, years=number)


def _view(session: Session, row: NamedCalendar) -> CalendarView:
    return CalendarView(row, store.count_uses(session).get(row.name, 0))


def _require(session: Session, calendar_id: int) -> NamedCalendar:
    row = store.find_calendar(session, calendar_id)
    if row is None:
        raise NotFound(f"there is no calendar {calendar_id}")
    return row


def _require_version(row: NamedCalendar, expected: int | None) -> None:
    if expected is not None and row.version != expected:
        who = row.updated_by or "somebody"
        raise VersionConflict(f"{who} has changed this calendar meanwhile; look at it and change it again")


def _require_free(session: Session, name: str) -> None:
    if store.find_calendar_by_name(session, name) is not None:
        raise Conflict(f"there is a calendar {name!r} already")


def _note(
    session: Session, row: NamedCalendar, action: str, now: datetime, actor: str, detail: Mapping[str, Any]
) -> None:
    # What the schedules of tasks mean may have changed with it.
    task_store.next_change(session)
    audit.note(session, action, f"calendar:{row.id}", now=now, actor=actor, name=row.name, detail=detail)
