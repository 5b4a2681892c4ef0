from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.database import NOW, add_run, add_task
from tests.web_fixtures import Person
from watchbell import clock
from watchbell.domain.run_state import RunState
from watchbell.services import timeline
from watchbell.services.timeline import Lane, Timeline
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.store.tasks import Task
from watchbell.web.pictures.axis import Axis, window
from watchbell.web.pictures.lanes import _ROWS, LANE_HEIGHT
from watchbell.web.pictures.packing import pack

HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")


def look(db: Database, hours: float = 6, *, by: str = "task", **how: object) -> Timeline:
    """Return the timeline around the moment that tests call now."""
    when = {"start": NOW - hours * HOUR, "until": NOW + hours * HOUR, "now": NOW}
    return timeline.by_host(db, **when) if by == "host" else timeline.by_task(db, **{**when, **how})  # type: ignore[arg-type]


def ran(db: Database, task: Task, hours_ago: float, state: RunState = RunState.SUCCEEDED, minutes: float = 5) -> Run:
    """Put a run of some minutes into the past."""
    at = NOW - hours_ago * HOUR
    began = None if state in {RunState.MISSED, RunState.SKIPPED} else at
    return add_run(
        db, task, state, due_at=at, created_at=at, started_at=began, ended_at=at + timedelta(minutes=minutes)
    )


def lane_of(found: Timeline, label: str) -> Lane:
    return next(lane for lane in found.lanes if lane.label == label)


@given(some.lists(some.tuples(some.integers(0, 50), some.integers(1, 20)), max_size=30), some.integers(1, 5))
def test_no_two_bars_of_a_row_overlap_unless_there_are_too_few_rows(bars: list[tuple[int, int]], most: int) -> None:
    spans = sorted((float(start), float(start + width)) for start, width in bars)
    rows = pack(spans, most)

    assert all(0 <= row < most for row in rows)
    deepest = max((sum(low <= at < high for low, high in spans) for at, _ in spans), default=0)
    if deepest <= most:
        placed = zip(spans, rows, strict=True)
        for (one, row), (other, other_row) in itertools.combinations(placed, 2):
            assert row != other_row or one[1] <= other[0] or other[1] <= one[0]
        assert len(set(rows)) == deepest


@pytest.mark.parametrize("hours", [0.1, 1, 12, 48, 336, 744])
def test_labels_of_the_axis_are_round_few_and_in_order(hours: float) -> None:
    axis = Axis(NOW - hours * HOUR, NOW)
    ticks = axis.ticks(BERLIN)

    assert 1 <= len(ticks) <= 13
    assert all(before.at < after.at and before.x < after.x for before, after in itertools.pairwise(ticks))
    assert all(tick.at.astimezone(BERLIN).second == 0 for tick in ticks)


def test_labels_stay_round_on_the_day_on_which_the_clock_changes() -> None:
    axis = Axis(datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 3, 29, 10, tzinfo=UTC))

    shown = [tick.at for tick in axis.ticks(BERLIN)]

    # 02:00 does not exist on this day; its label would stand at the same instant as that of 03:00.
    assert [at.hour for at in shown] == [23, 0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11]


def test_a_window_is_neither_shorter_nor_longer_than_allowed() -> None:
    bounds = {"reach": HOUR, "now": NOW, "least": HOUR, "most": 48 * HOUR}

    assert window(start=None, until=None, **bounds).width == 2 * HOUR
    assert window(start=NOW, until=NOW + timedelta(seconds=1), **bounds).width == HOUR
    assert window(start=NOW, until=NOW + 999 * HOUR, **bounds).width == 48 * HOUR
    assert window(start=NOW, until=None, **bounds).start == NOW
    assert window(start=None, until=NOW, **bounds).until == NOW


def test_what_ran_and_what_comes_stands_in_the_lane_of_its_task(db: Database) -> None:
    task = add_task(db, "hourly", every="1h", now=NOW)
    run = ran(db, task, 2, RunState.FAILED)
    ran(db, task, 9)

    lane = lane_of(look(db), "hourly")

    assert [(span.run_id, span.state, span.end - span.start) for span in lane.spans] == [
        (run.id, "failed", timedelta(minutes=5))
    ]
    assert [one.due_at for one in lane.planned] == [NOW + n * HOUR for n in range(1, 7)]


def test_what_began_before_and_ended_within_is_drawn_too(db: Database) -> None:
    long = ran(db, add_task(db, "long"), 10, minutes=600)

    assert [span.run_id for span in lane_of(look(db, 1, search="long"), "long").spans] == [long.id]


def test_what_goes_on_reaches_to_now(db: Database) -> None:
    task = add_task(db, "going")
    at = NOW - 30 * HOUR
    run = add_run(db, task, RunState.RUNNING, due_at=at, created_at=at, started_at=at)

    (span,) = lane_of(look(db), "going").spans

    assert (span.run_id, span.start, span.end) == (run.id, at, NOW)


def test_a_missed_moment_that_was_written_down_later_stands_where_it_was_due(db: Database) -> None:
    task = add_task(db, "missed")
    due = NOW - 20 * HOUR
    run = add_run(db, task, RunState.MISSED, due_at=due, created_at=NOW - HOUR, ended_at=NOW - HOUR)

    found = timeline.by_task(db, start=due - HOUR, until=due + HOUR, now=NOW, search="missed")

    assert [(span.run_id, span.start) for span in lane_of(found, "missed").spans] == [(run.id, due)]


def test_of_many_runs_each_part_of_the_time_is_counted_and_none_is_lost(db: Database) -> None:
    task = add_task(db, "busy")
    for minute in range(240, 0, -1):
        ran(db, task, minute / 60, RunState.FAILED if minute % 50 == 0 else RunState.SUCCEEDED, 0.5)

    lane = lane_of(look(db), "busy")

    assert not lane.spans
    assert sum(part.total for part in lane.parts) == 240
    assert sum(part.bad for part in lane.parts) == 4
    for part in lane.parts:
        due = sum(part.start <= NOW - timedelta(minutes=m) < part.end for m in range(1, 241))
        # The place of a number between two whose times were looked at is near enough.
        assert abs(part.total - due) <= 2


def test_more_moments_than_have_room_are_said_to_go_on(db: Database) -> None:
    add_task(db, "often", every="1m", now=NOW)

    lane = lane_of(look(db), "often")

    assert len(lane.planned) == timeline.PLANNED
    assert lane.goes_on_from == NOW + (timeline.PLANNED + 1) * timedelta(minutes=1)


def test_tasks_with_trouble_come_first_and_a_disabled_one_has_no_plan(db: Database) -> None:
    ran(db, add_task(db, "a-good", every="1h", now=NOW), 1)
    ran(db, add_task(db, "z-bad"), 1, RunState.LOST)
    ran(db, add_task(db, "off", every="1h", now=NOW, enabled=False), 1)

    found = look(db)

    assert [lane.label for lane in found.lanes] == ["z-bad", "a-good", "off"]
    assert not lane_of(found, "off").planned


def test_lanes_come_in_pages_and_a_search_finds_those_that_have_no_room(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "MOST_LANES", 5)
    monkeypatch.setattr(timeline, "LANES", 3)
    for number in range(8):
        add_task(db, f"task-{number}", every="1h", now=NOW)

    first, second = look(db), look(db, offset=3)

    assert (first.total, first.is_cut, len(first.lanes), len(second.lanes)) == (5, True, 3, 2)
    assert not {lane.label for lane in first.lanes} & {lane.label for lane in second.lanes}
    assert [lane.label for lane in look(db, search="TASK-7").lanes] == ["task-7"]


def test_hosts_have_a_lane_each(db: Database) -> None:
    here, there = add_task(db, "here", host="db1"), add_task(db, "there", host="db2", every="1h", now=NOW)
    run = ran(db, here, 1)

    found = look(db, by="host")

    assert [lane.label for lane in found.lanes] == ["db1", "db2"]
    assert [span.run_id for span in lane_of(found, "db1").spans] == [run.id]
    assert {one.task_id for one in lane_of(found, "db2").planned} == {there.id}


def test_of_very_many_runs_of_a_host_samples_are_counted_and_all_that_went_wrong_is_drawn(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "SINGLE_OF_HOSTS", 50)
    monkeypatch.setattr(timeline, "SAMPLES", 30)
    task = add_task(db, "busy", host="db1")
    wrong = [
        ran(db, task, minute / 60, RunState.FAILED if minute % 50 == 0 else RunState.SUCCEEDED, 0.5)
        for minute in range(300, 0, -1)
    ]

    found = look(db, by="host")
    (lane,) = found.lanes

    assert found.sample_of == 10
    assert {span.run_id for span in lane.spans} == {run.id for run in wrong if run.state == "failed"}
    assert sum(part.total for part in lane.parts) == pytest.approx(294, abs=20)


def test_the_page_draws_what_ran_as_links_and_has_the_same_as_a_table(admin: Person, db: Database) -> None:
    now = clock.now()
    task = add_task(db, "backup", every="1h", now=now)
    run = add_run(
        db, task, RunState.FAILED, due_at=now - HOUR, created_at=now - HOUR, started_at=now - HOUR, reason="exit code 2"
    )

    page = admin.see("/timeline")

    drawn = page.select_one(f"svg a[href='/runs/{run.id}']")
    assert drawn is not None
    assert {"failed", "exit code 2"} <= {word for word in ("failed", "exit code 2") if word in drawn.title.text}  # type: ignore[union-attr]
    assert drawn.select_one("use[href='#i-failed']")
    assert page.select_one(".wb-bar--planned")
    assert page.select_one(".wb-picture__now")
    assert page.select_one(f"details table a[href='/runs/{run.id}']")


def test_zoom_and_moves_are_links_that_hold_everything_else(admin: Person, db: Database) -> None:
    add_task(db, "backup", every="1h", now=clock.now())

    page = admin.see("/timeline?from=2026-11-01T00:00&to=2026-11-01T12:00&q=back&by=task")
    links = [str(link["href"]) for link in page.select(".wb-toolbar a")]

    assert any("from=2026-10-31T18:00" in link and "to=2026-11-01T06:00" in link for link in links), links
    assert any("from=2026-11-01T03:00" in link and "to=2026-11-01T09:00" in link for link in links), links
    assert all("q=back" in link for link in links)


@pytest.mark.parametrize(
    "words",
    ["from=yesterday", "from=2026-11-02&to=2026-11-01", "from=0001-01-01T00:00", "range=1y", "by=dog", "page=0"],
)
def test_what_makes_no_sense_is_refused(admin: Person, words: str) -> None:
    assert admin.get(f"/timeline?{words}").status_code == 422


def test_the_twins_tell_runs_counted_parts_and_plans(admin: Person, db: Database) -> None:
    now = clock.now()
    task = add_task(db, "=cmd()", every="1h", now=now)
    add_run(db, task, RunState.SUCCEEDED, due_at=now - HOUR, created_at=now - HOUR, started_at=now - HOUR)

    rows = admin.get("/timeline.json").get_json()
    text = admin.get("/timeline.csv").text

    assert {row["kind"] for row in rows} == {"run", "planned"}
    assert len([row for row in rows if row["kind"] == "planned"]) == 24
    assert text.splitlines()[0].startswith("lane,kind,task_id")
    assert "'=cmd()" in text


def test_the_timeline_is_a_view_of_the_pages_from_which_one_came(admin: Person, db: Database) -> None:
    for number in range(timeline.LANES + 1):
        add_task(db, f"task-{number:02}", every="1h", now=clock.now())

    page = admin.see("/timeline?of=runs")

    here = [str(one["href"]) for one in page.select(".wb-nav__link[aria-current=page]")]
    assert here == ["/runs"]
    assert page.select_one(".wb-tabs a[href='/failures']")
    pager = page.select_one("nav.wb-pager a[rel=next]")
    assert pager is not None and pager.text == "Next lanes"
    assert "of=runs" in str(pager["href"])
    following = admin.see(str(pager["href"]))
    assert following.select_one("nav.wb-pager a[rel=prev]").text == "Previous lanes"  # type: ignore[union-attr]
    assert admin.see("/runs").select_one(".wb-tabs a[href='/timeline?of=runs']")
    other = admin.see("/timeline").select(".wb-nav__link[aria-current=page]")
    assert [str(one["href"]) for one in other] == ["/next-runs"]


def test_what_is_over_stands_before_now_and_the_label_of_now_alone(admin: Person, db: Database) -> None:
    now = clock.now()
    task = add_task(db, "backup", every="1h", now=now)
    just = {"due_at": now, "created_at": now, "started_at": now - timedelta(seconds=3)}
    run = add_run(db, task, RunState.FAILED, **just, ended_at=now - timedelta(seconds=1))

    page = admin.see("/timeline")

    def place(selector: str) -> float:
        return float(str(page.select_one(selector)["x"]).rstrip("%"))  # type: ignore[index]

    middle = place(".wb-picture__text--now")
    assert place(f"svg a[href='/runs/{run.id}'] use") <= middle - 1.4
    labels = [one for one in page.select("text.wb-picture__text") if "wb-picture__text--now" not in one["class"]]
    assert labels
    assert all(abs(float(str(one["x"]).rstrip("%")) - middle) > 6 for one in labels)


def test_what_began_later_never_stands_before_what_began_earlier(admin: Person, db: Database) -> None:
    now = clock.now()
    task = add_task(db, "backup", every="1h", now=now)
    states = (RunState.SUCCEEDED, RunState.FAILED, RunState.SUCCEEDED, RunState.RUNNING)
    began = [now - timedelta(minutes=minutes) for minutes in (9, 6, 4, 1)]
    made = [
        add_run(db, task, state, due_at=at, created_at=at, started_at=at, ended_at=None if state is RunState.RUNNING else at + timedelta(seconds=9))
        for state, at in zip(states, began, strict=True)
    ]  # fmt: skip

    page = admin.see("/timeline")

    places = [float(str(page.select_one(f"svg a[href='/runs/{run.id}'] [x]")["x"]).rstrip("%")) for run in made]  # type: ignore[index]
    assert places == sorted(places)
    assert places[-1] <= float(str(page.select_one(".wb-picture__text--now")["x"]).rstrip("%")) - 1.4  # type: ignore[index]


def test_bars_keep_away_from_the_lanes_above_and_below() -> None:
    assert all(top >= 3 and top + height <= LANE_HEIGHT - 3 for rows in _ROWS for top, height in rows)
