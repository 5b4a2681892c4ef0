from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as some

from tests.database import NOW, add_run, add_task
from watchbell.domain.load import Load, Stay, at_once, load_of, peak_of, pile_ups, quiet_near
from watchbell.domain.run_state import RunState
from watchbell.services import forecast
from watchbell.store.session import Database
from watchbell.store.tasks import Task

BERLIN = ZoneInfo("Europe/Berlin")
STAYS = some.lists(
    some.builds(Stay, some.integers(0, 9), some.integers(-10, 40), some.integers(0, 25), some.integers(1, 3)),
    max_size=10,
)


@given(STAYS, some.integers(1, 5), some.sampled_from([1, 3, 10]))
def test_the_load_is_what_counting_each_second_gives(stays: list[Stay], cells: int, width: int) -> None:
    loads = load_of(stays, cells, width)

    for n, load in enumerate(loads):
        seconds = range(n * width, (n + 1) * width)
        there = [sum(stay.count for stay in stays if stay.start <= second < stay.end) for second in seconds]
        assert load.peak == max(there)
        assert there[int(load.at) - n * width] == load.peak
        assert abs(load.mean * width - sum(there)) < 1e-6
        assert load.starts == sum(stay.count for stay in stays if stay.start in seconds and stay.seconds > 0)


@given(STAYS)
def test_the_highest_peak_is_the_first_one_of_all_stretches(stays: list[Stay]) -> None:
    lasting = [stay for stay in stays if stay.seconds > 0 and stay.start >= 0]
    (load,) = load_of(lasting, 1, 100)

    assert peak_of(lasting) == (load.peak, load.at)


@given(STAYS)
def test_who_goes_on_at_the_peak_is_as_many_as_the_peak_says(stays: list[Stay]) -> None:
    (load,) = load_of(stays, 1, 40)

    assert set(at_once(stays, load.at)) == {stay.who for stay in stays if stay.start <= load.at < stay.end}


def of(*peaks: int) -> list[Load]:
    return [Load(peak, float(peak), peak, 0.0) for peak in peaks]


def test_a_pile_up_is_far_above_the_usual_and_the_highest_comes_first() -> None:
    assert pile_ups(of(0, 2, 2, 9, 2, 5, 2)) == [3, 5]
    assert pile_ups(of(1, 1, 2, 1)) == []
    assert pile_ups(of(0, 0)) == []


def test_a_calmer_hour_is_near_and_calmer_by_half_or_it_is_none() -> None:
    assert quiet_near(of(0, 4, 9, 3, 2), 2, 2) == 0
    assert quiet_near(of(0, 8, 9, 8), 2, 1) is None


def test_tasks_that_start_together_pile_up_and_are_named(db: Database) -> None:
    night = [add_task(db, f"night-{n}", cron="0 2 * * *", now=NOW) for n in range(20)]
    hourly = add_task(db, "hourly", cron="30 * * * *", now=NOW)

    found = forecast.week(db, now=NOW, zone=ZoneInfo("UTC"))

    assert found.tasks == 21
    assert found.highest == 20
    assert [pile.cell.hour for pile in found.piles] == [2] * 7
    first = found.piles[0]
    assert (first.at.hour, first.at.minute, len(first.tasks), first.others) == (2, 0, 12, 8)
    assert {task.id for task in first.tasks} <= {task.id for task in night}
    assert first.quieter is not None and first.quieter.load.peak == 1
    assert hourly.id not in {task.id for task in first.tasks}


def test_tasks_that_take_long_overlap_as_long_as_they_usually_do(db: Database) -> None:
    slow, other = add_task(db, "slow", cron="0 1 * * *", now=NOW), add_task(db, "other", cron="0 3 * * *", now=NOW)
    for task in (slow, other):
        began = NOW - timedelta(days=1)
        add_run(db, task, RunState.SUCCEEDED, due_at=began, started_at=began, ended_at=began + timedelta(hours=2.5))

    cells = {
        (cell.weekday, cell.hour): cell.load.peak for cell in forecast.week(db, now=NOW, zone=ZoneInfo("UTC")).cells
    }

    assert [cells[2, hour] for hour in range(7)] == [0, 1, 1, 2, 1, 1, 0]


def test_hours_are_those_of_the_zone_and_a_task_of_every_second_counts_all_the_time(db: Database) -> None:
    add_task(db, "nightly", cron="0 2 * * *", zone="Europe/Berlin", now=NOW)
    add_task(db, "always", every="1s", now=NOW)

    found = forecast.week(db, now=NOW, zone=BERLIN)

    assert [task.name for task in found.dense] == ["always"]
    assert {cell.hour for cell in found.cells if cell.load.peak == 2} == {2}
    assert all(cell.load.peak for cell in found.cells)


def test_days_of_a_month_say_how_much_comes_from_now_on(db: Database) -> None:
    add_task(db, "daily", cron="0 7 * * *", now=NOW)
    add_task(db, "monthly", cron="0 5 30 * *", now=NOW)

    days = {one.day: one for one in forecast.days(db, first=date(2026, 11, 1), count=30, now=NOW, zone=ZoneInfo("UTC"))}

    assert days[NOW.date()].moments == 0
    assert days[date(2026, 11, 23)].moments == 1
    assert [task.name for _, task in days[date(2026, 11, 30)].some] == ["monthly", "daily"]
    assert not any(one.is_cut for one in days.values())


def test_minutes_count_what_comes_in_each(db: Database) -> None:
    for number in range(2):
        add_task(db, f"often-{number}", cron="*/10 * * * *", now=NOW)
    add_task(db, "disabled", every="1m", now=NOW, enabled=False)

    counts, is_cut = forecast.minutes(db, start=NOW, count=31)

    assert ([minute for minute, count in enumerate(counts) if count], is_cut) == ([10, 20, 30], False)
    assert sum(counts) == 6


def test_minutes_count_all_that_comes_of_tasks_that_are_due_every_few_seconds(db: Database) -> None:
    add_task(db, "steady", every="2s", now=NOW)
    add_task(db, "uneven", every="7s", now=NOW)

    counts, is_cut = forecast.minutes(db, start=NOW, count=24 * 60)

    assert not is_cut
    assert {count - 30 for count in counts[1:]} == {8, 9}
    assert abs(sum(counts) - (24 * 3600 / 2 + 24 * 3600 / 7)) <= 2


def ran(db: Database, task: Task, seconds: float) -> None:
    began = NOW - timedelta(hours=1)
    add_run(db, task, RunState.SUCCEEDED, due_at=began, started_at=began, ended_at=began + timedelta(seconds=seconds))


def test_tasks_that_are_due_often_and_soon_over_coincide_only_at_the_moments_that_they_share(db: Database) -> None:
    for number in range(15):
        ran(db, add_task(db, f"often-{number}", cron="*/7 * * * *", now=NOW), 0.01)
    for name, cron in {"beside": "3 * * * *", "with": "14 3 * * *"}.items():
        ran(db, add_task(db, name, cron=cron, now=NOW), 0.01)

    found = forecast.week(db, now=NOW, zone=ZoneInfo("UTC"))

    # The one that is due at a minute of its own never meets them; the other one does once a day.
    assert {cell.hour: cell.load.peak for cell in found.cells} == {hour: 16 if hour == 3 else 15 for hour in range(24)}
    assert all(cell.load.mean < 0.01 for cell in found.cells)
    assert found.dense == []


def test_tasks_that_are_due_every_minute_at_other_seconds_never_meet(db: Database) -> None:
    for second in range(0, 60, 15):
        task = add_task(
            db, f"at-{second}", every="1m", anchor_at=(NOW + timedelta(seconds=second)).isoformat(), now=NOW
        )
        ran(db, task, 3)

    found = forecast.week(db, now=NOW, zone=ZoneInfo("UTC"))

    assert {cell.load.peak for cell in found.cells} == {1}
    assert found.dense == []


def test_a_task_that_is_due_again_before_it_is_over_goes_on_all_the_time(db: Database) -> None:
    short, long = (add_task(db, name, every="10s", now=NOW) for name in ("short", "long"))
    ran(db, short, 1)
    ran(db, long, 20)

    found = forecast.week(db, now=NOW, zone=ZoneInfo("UTC"))

    assert [task.name for task in found.dense] == ["long"]
    assert {cell.load.peak for cell in found.cells} == {3}
