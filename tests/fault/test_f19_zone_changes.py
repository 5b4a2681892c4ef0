"""F19: schedulers that live through changes of clocks, and through an update of the time zone database."""

from __future__ import annotations

import contextlib
import importlib.resources
import shutil
import zoneinfo
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from tests.fault import diary
from tests.fault.faked_time import scheduler_at
from tests.fault.scale import LONG
from tests.process.lives import LAB
from tests.unit import brute_force_calendar
from watchbell.domain.schedule import DSTRule
from watchbell.domain.task_definition import Defaults
from watchbell.services import tasks

TEXTS = [
    "30 2 * * *",
    "0 0 * * *",
    "30 0 * * *",
    "0 3 * * *",
    "15,45 0-3 * * *",
    "*/30 * * * *",
    "0 * * * *",
    "30 23 * * *",
]
#: A fold of half an hour and a gap at midnight; the long lane takes all of the year.
SHORT = ["Australia/Lord_Howe 1", "America/Santiago 2"]
ALL = [
    f"{zone} {number}"
    for zone in ("Europe/Berlin", "Australia/Lord_Howe", "Antarctica/Troll", "America/Santiago", "Asia/Beirut",
                 "America/Havana", "Africa/Cairo", "Africa/Casablanca", "Pacific/Chatham", "Europe/Dublin", "Asia/Gaza")
    for number in (1, 2)
]  # fmt: skip
AROUND = timedelta(hours=3)
LEAD = timedelta(seconds=3)
DONE = "SELECT 1 FROM run WHERE ended_at IS NOT NULL"
DEFAULTS = Defaults(zone="UTC", owner="tester", host="")


def add(lab, text: str, zone: str, rule: str, now: datetime):
    fields = {
        "name": f"{text} {rule}".replace("*", "x").replace("/", "-").replace(" ", "_"),
        "command": f"{lab.script} 0 0",
        "environment": {LAB: lab.token, "EFFECT_LOG": str(lab.effects)},
        "cron": text, "zone": zone, "dst": rule, "catch_up": "all", "overlap": "allow",
    }  # fmt: skip
    return tasks.create(lab.db, fields, now=now, actor="tester", defaults=DEFAULTS)


def change_of(name: str) -> tuple[str, datetime]:
    zone, number = name.split()
    minute = diary.Diary(zone, 2026, 2026, steps=False).changes[int(number) - 1]
    return zone, datetime.fromtimestamp(60 * minute, UTC)


def moments_in_ledger(lab, task) -> list[tuple[datetime, str]]:
    rows = lab.rows("SELECT due_at, local_time FROM run WHERE task_id = ? ORDER BY due_at", task.id)
    return [(datetime.fromisoformat(row["due_at"]).replace(tzinfo=UTC), row["local_time"]) for row in rows]


def test_what_runs_over_a_change_of_the_clock_is_what_was_announced(make_lab, claims):
    changes = {name: change_of(name) for name in (ALL if LONG else SHORT)}
    labs, made = {}, {}
    for name, (zone, at) in changes.items():
        labs[name] = make_lab(name.replace("/", "-").replace(" ", "-"))
        pairs = [(text, rule) for text in TEXTS for rule in DSTRule]
        made[name] = [((text, rule), add(labs[name], text, zone, rule, at - AROUND)) for text, rule in pairs]
    previews = {
        (name, pair): [o.due_at for o in tasks.upcoming(task, after=at - AROUND, limit=99, until=at + AROUND)]
        for name, (_zone, at) in changes.items()
        for pair, task in made[name]
    }
    expected = {
        (name, pair): brute_force_calendar.due_in(
            brute_force_calendar.matcher(pair[0]),
            fixed=brute_force_calendar.is_fixed(pair[0]),
            zone=zone, rule=str(pair[1]), start=at - AROUND, end=at + AROUND,
        )
        for name, (zone, at) in changes.items()
        for pair, _task in made[name]
    }  # fmt: skip
    # One life sees the change itself; what came before it, and what comes after, is caught up.
    for begin in (-LEAD, AROUND):
        with contextlib.ExitStack() as lives:
            for name, (_zone, at) in changes.items():
                lives.enter_context(scheduler_at(labs[name], at + begin))
            for name, (_zone, at) in changes.items():
                until = at + (timedelta(0) if begin < timedelta(0) else AROUND)
                wanted = sum(moment[0] <= until for pair, _task in made[name] for moment in expected[name, pair])
                labs[name].wait(partial(lambda lab, wanted: len(lab.rows(DONE)) >= wanted, labs[name], wanted),
                                f"{wanted} runs", 60)  # fmt: skip

    compared, differences = 0, []
    for name in changes:
        for pair, task in made[name]:
            wanted = [(due, wall.isoformat(sep=" ")) for due, wall, _fold in expected[name, pair]]
            found = moments_in_ledger(labs[name], task)
            compared += len(wanted)
            if found != wanted or previews[name, pair] != [due for due, _wall in wanted]:
                differences.append(f"{name} {pair}: {sorted(set(found) ^ set(wanted))[:4]}")
        started = {line[0] for line in labs[name].effect_lines("START")}
        assert len(started) == len(labs[name].effect_lines("START")) == len(labs[name].rows("SELECT 1 FROM run"))
    claims.none_of("F19", "moments around a change that ran otherwise than announced", compared, differences)


@pytest.fixture
def zone_files(tmp_path):
    """Return two copies of the time zone database; in the second one Berlin's clock is that of London."""
    source = next((Path(folder) for folder in zoneinfo.TZPATH if (Path(folder) / "Europe/Berlin").is_file()), None)
    if source is None:
        source = Path(str(importlib.resources.files("tzdata.zoneinfo")))
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        (folder / "Europe").mkdir(parents=True)
        for zone in ("Europe/Berlin", "Europe/London", "UTC"):
            shutil.copy(source / zone, folder / zone)
    shutil.copy(source / "Europe/London", new / "Europe/Berlin")
    return old, new


@pytest.mark.parametrize("order", ["the moment comes later", "the moment comes earlier"])
def test_a_new_time_zone_database_runs_no_moment_again(lab, claims, zone_files, order):
    later = order == "the moment comes later"
    old, new = zone_files if later else reversed(zone_files)
    # Noon in Berlin is 11:00 UTC in January, and 12:00 UTC where the clock is that of London.
    day = datetime(2026, 1, 15, tzinfo=UTC)
    before, after = (11, 12) if later else (12, 11)
    add(lab, "0 12 * * *", "Europe/Berlin", "cron_like", day + timedelta(hours=9))
    if not later:
        # The test itself knows the usual files; this is what a task says that was made under the others.
        lab.execute("UPDATE task SET next_due_at = '2026-01-15 12:00:00'")

    def live(start: datetime, folder: Path, runs: int) -> None:
        with scheduler_at(lab, start, PYTHONTZPATH=str(folder)):
            lab.wait(lambda: lab.rows("SELECT 1 FROM scheduler WHERE stopped_at IS NULL"), "the scheduler")
            lab.wait(lambda: len(lab.rows(DONE)) >= runs, f"{runs} runs", 30)

    live(day + timedelta(hours=before) - LEAD, old, 1)
    first = day + timedelta(hours=12) if later else day + timedelta(days=1, hours=11)
    live(first - LEAD, new, 1)
    live(day + timedelta(days=1, hours=after) - LEAD, new, 2)

    rows = lab.rows("SELECT due_at, local_time FROM run ORDER BY id")
    locals_of = [row["local_time"] for row in rows]
    again = [text for text in locals_of if locals_of.count(text) > 1]
    claims.none_of("F19", "moments run again after a new time zone database", len(rows), again)
    assert locals_of == ["2026-01-15 12:00:00", "2026-01-16 12:00:00"]
    assert len(lab.effect_lines("START")) == 2
