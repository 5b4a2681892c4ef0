"""The picture of how long the last runs of a task took, and its table twin."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.database import NOW, add_run, add_task
from tests.web_fixtures import Person
from watchbell.domain.run_state import RunState
from watchbell.store.session import Database
from watchbell.web.pictures.durations import HEIGHT, DurationPicture, draw
from watchbell.web.presenters_runs import run_views, usual_of

BERLIN = ZoneInfo("Europe/Berlin")


def picture(db: Database, *took: float, states: dict[int, RunState] | None = None) -> DurationPicture | None:
    task = add_task(db)
    runs = [
        add_run(
            db,
            task,
            (states or {}).get(n, RunState.SUCCEEDED),
            started_at=NOW,
            ended_at=NOW + timedelta(seconds=seconds),
        )
        for n, seconds in enumerate(took)
    ]
    views = run_views(runs, NOW)
    return draw(views, usual_of(views), BERLIN)


def test_bars_stand_on_zero_and_are_as_high_as_the_runs_were_long(db: Database) -> None:
    drawn = picture(db, 10, 20, 40)

    assert drawn is not None
    assert all(bar.y + bar.height == pytest.approx(HEIGHT) for bar in drawn.bars)
    heights = [bar.height for bar in drawn.bars]
    assert [height / heights[0] for height in heights] == pytest.approx([1, 2, 4], abs=0.01)
    assert (drawn.lines[0].label, drawn.lines[-1].label) == ("0 s", "40s")
    assert drawn.band is None


def test_the_band_is_of_good_runs_and_whatever_lies_outside_has_a_shape_of_its_own(db: Database) -> None:
    drawn = picture(db, 40, 41, 42, 42, 43, 44, 90, 1, 300, states={8: RunState.FAILED})

    assert drawn is not None
    assert [bar.kind for bar in drawn.bars] == ["good"] * 6 + ["long", "short", "bad"]
    assert drawn.usual is not None
    assert drawn.usual.median == 42
    assert drawn.band is not None
    assert 0 < drawn.band[0] < drawn.median_y < drawn.band[0] + drawn.band[1] < HEIGHT  # type: ignore[operator]


@pytest.mark.parametrize("seconds", [0.0, 0.0001, 0.5, 59, 61, 3599, 86_400, 40 * 86_400.0])
def test_the_lines_are_few_and_reach_as_far_as_the_bars_whatever_the_scale(db: Database, seconds: float) -> None:
    drawn = picture(db, seconds)

    assert drawn is not None
    assert 2 <= len(drawn.lines) <= 6
    assert all(0 <= bar.y <= HEIGHT for bar in drawn.bars)
    assert len({line.label for line in drawn.lines}) == len(drawn.lines)


def test_runs_that_took_no_time_are_not_drawn(db: Database) -> None:
    task = add_task(db)
    views = run_views([add_run(db, task, RunState.SKIPPED), add_run(db, task, RunState.RUNNING, started_at=NOW)], NOW)

    assert draw(views, None, BERLIN) is None


def test_the_page_of_a_task_has_the_picture_and_the_same_as_a_table(admin: Person, db: Database) -> None:
    task = add_task(db, "<script>alert(1)</script>")
    for seconds in (40, 41, 42, 42, 43, 90):
        add_run(db, task, RunState.SUCCEEDED, started_at=NOW, ended_at=NOW + timedelta(seconds=seconds))

    page = admin.see(f"/tasks/{task.id}")

    part = page.select_one("#durations")
    assert part is not None
    assert "Usually 42s: good runs lie between" in part.text
    assert [title.text.partition(",")[0] for title in part.select("a title")] == [
        f"#{n} succeeded" for n in range(1, 7)
    ]
    rows = [[" ".join(cell.text.split()) for cell in row.select("td")] for row in part.select("tbody tr")]
    assert rows[0][:4] == ["#6", "succeeded", "1m 30s", "unusually long"]
    assert rows[1][3] == "yes"
    assert not part.select("script, [style]")


def test_a_task_without_runs_has_no_picture(admin: Person, db: Database) -> None:
    assert not admin.see(f"/tasks/{add_task(db).id}").select("#durations")


def test_one_run_is_a_bar_and_no_block_and_its_time_is_told_once(admin: Person, db: Database) -> None:
    task = add_task(db, "backup")
    add_run(db, task, RunState.SUCCEEDED, started_at=NOW, ended_at=NOW + timedelta(seconds=3))

    part = admin.see(f"/tasks/{task.id}").select_one("#durations")

    assert part is not None
    bar = part.select_one(".wb-duration__bar")
    assert bar is not None
    x, width = (float(str(bar[name]).rstrip("%")) for name in ("x", "width"))
    assert width <= 5
    assert x + width / 2 == pytest.approx(50)
    assert len(part.select(".wb-durations__ends > span")) == 1
