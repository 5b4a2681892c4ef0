"""What is foretold of thirty days is what a scheduler then writes into the ledger, its clock put on from moment to moment.

By random schedules, calendars, date ranges, blackouts, pauses and spreads, around the clock changes of several zones. The long
lane tries more of them.
"""

from __future__ import annotations

import collections
import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as some

from tests.database import DEFAULTS
from tests.fault.scale import count
from tests.unit.turning import HOLDER
from watchbell.domain.run_state import RunState
from watchbell.errors import InputError
from watchbell.scheduler.plan import Plan
from watchbell.services import blackouts, calendars, forecast, pauses, simulation, tasks
from watchbell.services.simulation import DAYS, Edit, Simulation
from watchbell.services.turns import Turn, take_turn
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.store.tasks import Task

#: Days before a clock change, each with a zone that it is about: forwards, backwards, by half an hour, at midnight.
BEGINNINGS = [
    (datetime(2026, 3, 20, 11, 17, tzinfo=UTC), "Europe/Berlin"),
    (datetime(2026, 10, 10, 0, 0, tzinfo=UTC), "Europe/Berlin"),
    (datetime(2026, 10, 31, 22, 40, 30, tzinfo=UTC), "America/New_York"),
    (datetime(2026, 9, 20, 5, 5, tzinfo=UTC), "Australia/Lord_Howe"),
    (datetime(2026, 8, 25, 3, 59, 59, tzinfo=UTC), "America/Santiago"),
    (datetime(2026, 3, 27, 21, 59, tzinfo=UTC), "Asia/Beirut"),
]
SPREAD = 3600
Row = tuple[str, datetime]

CRONS = some.builds(
    "{} {} {} * {}".format,
    some.sampled_from(["0", "15", "0,30", "59"]),
    some.sampled_from(["0", "1", "2", "3", "23", "2-3"]),
    some.sampled_from(["*", "*", "1", "*/3", "L"]),
    some.sampled_from(["*", "*", "mon-fri", "sun"]),
)
#: Days after the beginning, or none.
BOUNDS = some.one_of(some.none(), some.integers(-2, DAYS + 2))


@some.composite
def schedules(draw: some.DrawFn, begin: datetime, zone: str) -> dict[str, Any]:
    """Return when a task starts, as somebody would say it."""
    kind = draw(some.sampled_from(["cron", "cron", "cron", "every", "manual"]))
    if kind == "manual":
        return {"kind": "manual"}
    given: dict[str, Any] = {"zone": draw(some.sampled_from([zone, zone, "UTC"]))}
    if kind == "every":
        given |= {"every": draw(some.sampled_from([7, 23, 24, 50])), "unit": "hours"}
    else:
        given |= {"cron": draw(CRONS), "dst": draw(some.sampled_from(["cron_like", "skip", "both"]))}
        if draw(some.booleans()):
            given |= {"calendar": "closed", "calendar_rule": draw(some.sampled_from(["leave_out", "only", "next"]))}
    first, last = sorted((draw(BOUNDS) or 0, draw(BOUNDS) or DAYS + 5))
    if first:
        given["not_before"] = f"{begin + timedelta(days=first):%F}"
    if last <= DAYS:
        given["not_after"] = f"{begin + timedelta(days=last):%F}"
    return given


@dataclasses.dataclass(frozen=True)
class World:
    """What there is before a change, and the change."""

    begin: datetime
    zone: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    other: dict[str, Any]
    closed: list[int]
    window: dict[str, Any] | None
    spread: int
    paused_days: int | None
    enabled: bool

    @property
    def until(self) -> datetime:
        return self.begin + timedelta(days=DAYS)


@some.composite
def worlds(draw: some.DrawFn) -> World:
    """Return any world; a change makes a task, deletes one, or gives it another schedule."""
    begin, zone = draw(some.sampled_from(BEGINNINGS))
    before, after = draw(some.none() | schedules(begin, zone)), draw(some.none() | schedules(begin, zone))
    windows = some.one_of(
        some.none(),
        some.fixed_dictionaries(
            {
                "from_time": some.sampled_from(["23:30", "00:00", "02:00"]),
                "to_time": some.sampled_from(["00:30", "02:31", "03:00"]),
                "weekdays": some.sampled_from([[], ["sun"], ["sat", "sun"]]),
            }
        ),
        some.just({"starts": f"{begin + timedelta(days=3):%F} 00:00", "ends": f"{begin + timedelta(days=9):%F} 02:15"}),
    )
    return World(
        begin, zone, before, after, draw(schedules(begin, zone)), draw(some.lists(some.integers(0, DAYS), max_size=9)),
        draw(windows), draw(some.sampled_from([0, 0, SPREAD])), draw(some.none() | some.integers(1, DAYS)),
        draw(some.sampled_from([True, True, True, False])),
    )  # fmt: skip


class Lab:
    """An installation of a world, in a transaction that is never kept."""

    def __init__(self, db: Database, world: World) -> None:
        self.db, self.world = db, world
        days = "\n".join(f"{world.begin + timedelta(days=day):%F}" for day in sorted(set(world.closed)))
        calendars.create(db, {"name": "closed", "days": days or "2030-01-01"}, now=world.begin, actor="ann")
        self.defaults = dataclasses.replace(DEFAULTS, calendars=calendars.finder(db))
        self.other = self.create("other", world.other)
        self.task = self.create("changed", world.before) if world.before is not None else None
        if world.window is not None:
            given = {"name": "freeze", **world.window}
            blackouts.create(db, given, now=world.begin, actor="ann", default_zone=world.zone)
        if world.paused_days is not None:
            until = world.begin + timedelta(days=world.paused_days)
            scope = pauses.task_scope(self.other.id)
            pauses.pause(db, scope, now=world.begin, actor="ann", reason="no disk", until=until)

    def given(self, name: str, schedule: dict[str, Any]) -> dict[str, Any]:
        # What waits is not given up, so that each moment is seen as what its schedule makes of it.
        kept = {"overlap": "queue_all", "overlap_limit": 1000, "spread_seconds": self.world.spread}
        return {"name": name, "command": "true", **kept, **schedule}

    def create(self, name: str, schedule: dict[str, Any]) -> Task:
        return tasks.create(
            self.db, self.given(name, schedule), now=self.world.begin, actor="ann", defaults=self.defaults
        )

    def foretell(self) -> Simulation:
        """Return what is said of the change."""
        world, definition = self.world, None
        base = tasks.definition_of(self.task) if self.task is not None else None
        if world.after is not None:
            given = {**self.given("changed", world.after), "enabled": world.enabled}
            try:
                definition = tasks.check(given, now=world.begin, defaults=self.defaults, base=base)
            except InputError:
                # Such as an end before the beginning, which it keeps: nothing is foretold of it, and nothing saved.
                reject()
        edits = [Edit(self.task, definition)] if self.task is not None or definition is not None else []
        return simulation.of_edits(self.db, edits, now=world.begin)

    def change(self) -> None:
        """Do what was foretold."""
        world = self.world
        if world.after is None:
            if self.task is not None:
                tasks.delete(self.db, self.task.id, now=world.begin, actor="ann")
            return
        given = {**self.given("changed", world.after), "enabled": world.enabled}
        if self.task is None:
            tasks.create(self.db, given, now=world.begin, actor="ann", defaults=self.defaults)
        else:
            tasks.update(self.db, self.task.id, given, now=world.begin, actor="ann", defaults=self.defaults)

    def live(self) -> set[Row]:
        """Let a scheduler work for thirty days and return the moments of its rows that no window and no calendar leaves out.

        What a pause keeps from starting is among them; it is undone afterwards.
        """
        with self.db.rehearse() as session:
            own = self.db.within(session)
            plan = Plan(DEFAULTS.host)
            plan.read(tasks.list_changed(own, 0))
            last = self.world.until + timedelta(seconds=SPREAD)
            while (at := plan.next_at()) is not None and at <= last:
                holds = pauses.load_holds(own, now=at)
                due = plan.take_due(at, 1000, self.world.begin, holds.blackouts)
                turned = take_turn(own, Turn(now=at, holder=HOLDER, actor="x", room=0, due=due, holds=holds))
                assert turned.planned_tasks == {one.task_id for one in due}
                for one in due:
                    plan.settle(one)
            return {row for row in self._rows(session) if self.world.begin < row[1] <= self.world.until}

    def _rows(self, session: Any) -> set[Row]:
        rows = set()
        for run in session.query(Run).all():
            assert run.state in {RunState.QUEUED, RunState.SKIPPED}, (run.state, run.reason)
            is_left_out = run.state == RunState.SKIPPED and "the task is paused" not in run.reason
            rows |= set() if is_left_out else {(run.task_name, run.due_at)}
        return rows


@settings(
    max_examples=count("FORESEEN", 10, 400),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(world=worlds())
def test_thirty_days_that_are_foretold_are_the_rows_that_a_clock_then_makes(db: Database, world: World) -> None:
    zone = ZoneInfo(world.zone)
    with db.rehearse() as session:
        lab = Lab(db.within(session), world)
        once = lab.live()
        told = lab.foretell()
        lab.change()
        first = world.begin.astimezone(zone).date()
        days = forecast.days(lab.db, first=first, count=DAYS, now=world.begin, zone=zone)
        then = lab.live()

    assert told.added.count + told.moved.count == len(then - once)
    assert told.removed.count + told.moved.count == len(once - then)
    for change in (*told.added.first, *told.moved.first):
        assert (change.task, change.after) in then - once
    for change in (*told.removed.first, *told.moved.first):
        assert (change.task, change.before) in once - then
    by_day = collections.Counter(at.astimezone(zone).date() for _name, at in then)
    assert {day.day: day.moments for day in days if day.moments} == {
        day: number for day, number in by_day.items() if (day - first).days < DAYS
    }
