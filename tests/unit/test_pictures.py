from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.database import NOW, add_run, add_task
from tests.web_fixtures import Person
from watchbell import clock
from watchbell.domain.run_state import RunState
from watchbell.domain.steps import StepResult, StepState
from watchbell.services import timeline
from watchbell.store.session import Database
from watchbell.web.pictures import calendars
from watchbell.web.pictures.flow import BOX_HEIGHT, GAP, flow
from watchbell.web.pictures.strip import HEIGHT, strip

STEPS = [
    {"name": "fetch", "command": "true"},
    {"name": "x" * 100, "command": "false", "continue_on_failure": True},
    {"name": "load", "command": "true"},
]


@pytest.mark.parametrize("last", [date(2026, 11, 29), date(2024, 2, 29), date(2025, 2, 28), date(2026, 1, 1)])
def test_a_year_has_each_day_once_below_its_weekday(last: date) -> None:
    year = calendars.year({}, last)

    days = [cell.day for cell in year.cells]
    assert days[-1] == last
    assert len(days) in {365, 366}
    assert days == [days[0] + timedelta(days=n) for n in range(len(days))]
    assert len({(cell.x, cell.y) for cell in year.cells}) == len(days)
    assert all((cell.y - year.cells[0].y) % 15 == 0 for cell in year.cells)
    assert len({cell.y for cell in year.cells if cell.day.weekday() == 0}) == 1
    assert [month.day for _, month in year.months] == [1] * len(year.months)


def test_a_day_is_as_dark_as_much_ran_and_marked_by_the_worst() -> None:
    day = date(2026, 11, 29)
    counts = {
        day: {"succeeded": 100},
        day - timedelta(days=1): {"succeeded": 1},
        day - timedelta(days=2): {"succeeded": 5, "missed": 1, "failed": 1, "skipped": 3},
        day - timedelta(days=3): {"skipped": 3},
    }

    cells = {cell.day: cell for cell in calendars.year(counts, day).cells}

    found = [(cells[day - timedelta(days=n)].level, cells[day - timedelta(days=n)].bad) for n in range(5)]
    assert found == [(4, ""), (1, ""), (1, "failed"), (1, ""), (0, "")]


@pytest.mark.parametrize(("month", "by", "found"), [(12, 1, (2027, 1)), (1, -1, (2025, 12)), (6, 24, (2028, 6))])
def test_months_follow_one_another_over_the_year(month: int, by: int, found: tuple[int, int]) -> None:
    year = 2026
    assert calendars.shifted(date(year, month, 1), by) == date(*found, 1)


def test_the_flow_shows_each_step_where_failures_go_and_what_became_of_it() -> None:
    results = [
        StepResult(1, "fetch", StepState.SUCCEEDED, None, None, 0, 0, 1, 0, 1),
        StepResult(2, "x", StepState.FAILED, None, None, 3, 0, 1, 0, 1),
    ]
    drawn = flow(STEPS, results)

    assert [box.y for box in drawn.boxes] == [1 + n * (BOX_HEIGHT + GAP) for n in range(3)]
    assert [box.state for box in drawn.boxes] == ["succeeded", "failed", ""]
    assert [box.goes_on for box in drawn.boxes] == [False, True, False]
    assert len(drawn.boxes[1].shown) < 30 < len(drawn.boxes[1].name)
    assert drawn.rail == (drawn.boxes[0].middle, drawn.end)
    assert flow([STEPS[1]]).rail is None


def test_half_hours_of_the_strip_stand_side_by_side_with_now_between_past_and_plan() -> None:
    now = datetime(2026, 11, 22, 12, 10, tzinfo=UTC)
    past = [{} for _ in range(48)]
    past[0], past[47] = {"succeeded": 10}, {"succeeded": 3, "failed": 1, "running": 1}

    drawn = strip(past, [5, *[0] * 47, 2], now=now)

    first, middle, last = drawn.bars
    assert (first.start, middle.start, last.start) == (
        datetime(2026, 11, 21, 12, 30, tzinfo=UTC),
        datetime(2026, 11, 22, 12, 0, tzinfo=UTC),
        datetime(2026, 11, 23, 12, 0, tzinfo=UTC),
    )
    assert (first.height, first.tone, first.bad_height) == (HEIGHT, "succeeded", 0)
    assert (middle.tone, middle.planned, middle.total) == ("failed", 5, 5)
    assert 0 < middle.bad_height < middle.height
    assert middle.x < drawn.now_x < middle.x + 100 / 95
    assert (drawn.ran, drawn.planned) == (15, 7)


def test_states_are_counted_in_the_part_in_which_they_were_due(db: Database) -> None:
    task = add_task(db)
    for minutes, state in (
        (0, RunState.FAILED),
        (29, RunState.SUCCEEDED),
        (30, RunState.SUCCEEDED),
        (60, RunState.LOST),
    ):
        add_run(db, task, state, due_at=NOW + timedelta(minutes=minutes))
    add_run(db, task, RunState.MISSED, due_at=NOW + timedelta(minutes=45), stands_for=7)

    found = timeline.count_states(db, start=NOW, until=NOW + timedelta(hours=1), parts=2)

    assert found == [{"failed": 1, "succeeded": 1}, {"succeeded": 1, "missed": 7}]


def test_the_calendar_of_runs_marks_days_and_leads_to_their_runs(admin: Person, db: Database) -> None:
    now = clock.now()
    task = add_task(db, "backup", now=now)
    add_run(db, task, RunState.FAILED, due_at=now)
    day = now.astimezone(UTC).date()

    page = admin.see("/runs/calendar")
    link = page.select_one("svg a.wb-day--bad")

    assert link is not None
    assert "1 failed" in link.text
    assert link.select_one("path")
    assert f"from={day - timedelta(days=1)}" in str(link["href"]) or f"from={day}" in str(link["href"])
    assert page.select_one("details table a")
    assert admin.get("/runs/calendar.json").get_json()[-1] == {
        "day": day.isoformat(), "runs": 1, "succeeded": 0, "failed": 1, "timed_out": 0, "lost": 0, "missed": 0, "skipped": 0,
        "cancelled": 0,
    }  # fmt: skip
    assert admin.get("/runs/calendar.csv").text.splitlines()[-1].startswith(f"{day},1,")
    assert admin.see(f"/tasks/{task.id}").select_one("#calendar a.wb-day--bad")


def test_the_calendar_of_next_runs_has_a_page_for_each_month(admin: Person, db: Database) -> None:
    now = clock.now()
    add_task(db, "daily", cron="0 7 * * *", now=now)
    following = calendars.shifted(now.date().replace(day=1), 1)

    page = admin.see(f"/next-runs/calendar?month={following:%Y-%m}")

    assert len(page.select("td .wb-month__number")) in {28, 29, 30, 31}
    assert page.select_one("a[rel=prev]")
    assert "daily" in page.select_one("details table").text  # type: ignore[union-attr]
    assert admin.get("/next-runs/calendar.csv").text.startswith("day,moments")
    for wrong in ("2020-01", "2026-13", "soon", "9999-12"):
        assert admin.get(f"/next-runs/calendar?month={wrong}").status_code == 422


def test_the_load_of_the_week_marks_what_piles_up_and_says_where_it_could_go(admin: Person, db: Database) -> None:
    for number in range(6):
        add_task(db, f"night-{number}", cron="0 2 * * *", zone="Europe/Berlin", now=clock.now())

    page = admin.see("/next-runs/load")

    # The hours are the next 168 from the one that has begun on: during the hour that piles up, one of seven is over.
    is_during_it = clock.now().astimezone(ZoneInfo("Europe/Berlin")).hour == 2
    assert len(page.select("svg a.wb-hour--pile")) == (6 if is_during_it else 7)
    table = page.select_one("#piles")
    assert table is not None and "night-5" in table.text and "02:00" in table.text
    assert len(admin.get("/next-runs/load.json").get_json()) == 168
    add_task(db, "one-more", cron="0 2 * * *", zone="Europe/Berlin", now=clock.now())
    assert "7" in admin.see("/next-runs/load").select_one("svg a.wb-hour--pile text").text  # type: ignore[union-attr]


def test_empty_pictures_say_what_to_do_next(admin: Person) -> None:
    for path in ("/timeline", "/runs/calendar", "/next-runs/load"):
        assert admin.see(path).select_one(".wb-empty a"), path


def test_steps_are_drawn_on_the_page_of_their_task(admin: Person, db: Database) -> None:
    task = add_task(db, "in-steps", command="", steps=STEPS)

    boxes = admin.see(f"/tasks/{task.id}").select("svg.wb-flow .wb-flow__box")

    assert [box.title.text for box in boxes] == ["1. fetch", f"2. {'x' * 100}", "3. load"]  # type: ignore[union-attr]


def test_hours_and_labels_are_those_of_the_reader(admin: Person, db: Database) -> None:
    add_task(db, "nightly", cron="0 2 * * *", zone="Europe/Berlin", now=clock.now())

    def hours() -> set[int]:
        return {row["hour"] for row in admin.get("/next-runs/load.json").get_json() if row["at_once"]}

    assert hours() == {2}
    admin.client.set_cookie("watchbell_zone", "Asia/Tokyo")
    assert hours() <= {9, 10}
    tick = admin.see("/timeline?q=nightly&from=2026-11-01T00:00&to=2026-11-01T01:00").select_one(
        "svg .wb-picture__text"
    )
    assert tick is not None and tick.text.strip() == "Sun 1 Nov"
