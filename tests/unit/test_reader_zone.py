"""Times are shown in the reader's zone, in the words of the dashboards, and programs get the server's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from tests.database import add_run, add_task
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.config import Config
from watchbell.web import current, reader_zone
from watchbell.web.reader_zone import Choice

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def viewer(enter: Enter) -> Person:
    return enter("viewer")


@pytest.fixture
def words(app: Flask) -> Iterator[Callable[..., Any]]:
    """Give the macros of times, at a moment and in a zone."""

    def made(zone: str = "Europe/Berlin") -> Any:
        template = app.jinja_env.get_template("_macros/time.html")
        return template.make_module({"now": NOW, "shown_zone": ZoneInfo(zone)})

    with app.test_request_context("/"):
        yield made


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(None, "-"), (0, "<1s"), (0.99, "<1s"), (1, "1s"), (59.9, "59s"), (60, "1m 0s"), (125, "2m 5s"), (3600, "1h 0m"),
     (90061, "25h 1m"), (-3, "<1s")],
)  # fmt: skip
def test_durations_are_told_in_the_words_of_the_dashboard(words, seconds: float | None, told: str) -> None:
    assert words().duration(seconds).unescape() == told


@pytest.mark.parametrize(
    ("minutes", "told"),
    [(0, "just now"), (0.9, "just now"), (1, "1m ago"), (5, "5m ago"), (59.9, "59m ago"), (60, "1h ago"),
     (125, "2h ago"), (1439, "23h ago"), (60 * 50, "2d ago"), (60 * 24 * 7 - 1, "6d ago"), (60 * 24 * 8, "2026-11-14"),
     (-0.5, "in <1m"), (-1, "in 1m"), (-5, "in 5m"), (-180, "in 3h"), (-60 * 50, "in 2d"), (-60 * 24 * 8, "2026-11-30")],
)  # fmt: skip
def test_ages_are_told_in_the_words_of_the_dashboard(words, minutes: float, told: str) -> None:
    assert words().relative(NOW - timedelta(minutes=minutes)).unescape() == told


def test_a_time_says_on_hover_what_it_is_in_the_readers_zone_in_utc_and_in_the_tasks(words) -> None:
    moment = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)

    assert words("America/New_York").everywhere(moment, "Asia/Tokyo").splitlines() == [
        "2026-03-28 21:30:00 EDT (America/New_York)",
        "= 2026-03-29 01:30:00 UTC",
        "= 2026-03-29 10:30:00 JST (Asia/Tokyo)",
    ]
    assert words("UTC").everywhere(moment, "UTC") == "2026-03-29 01:30:00 UTC"
    assert words().everywhere(moment, "Europe/Berlin").count("=") == 1


@pytest.mark.parametrize(
    ("cookie", "choice", "zone"),
    [
        ("", Choice.MINE, "Europe/Berlin"),
        ("mine:Asia/Tokyo", Choice.MINE, "Asia/Tokyo"),
        ("mine:Mars/Olympus", Choice.MINE, "Europe/Berlin"),
        ("server", Choice.SERVER, "Europe/Berlin"),
        ("UTC", Choice.UTC, "UTC"),
        ("America/New_York", Choice.PICKED, "America/New_York"),
        ("../../etc/passwd", Choice.MINE, "Europe/Berlin"),
        ("localtime", Choice.MINE, "Europe/Berlin"),
        ("mine:" + "x" * 5000, Choice.MINE, "Europe/Berlin"),
    ],
)
def test_a_cookie_that_makes_no_sense_counts_as_none(cookie: str, choice: Choice, zone: str) -> None:
    found = reader_zone.read({reader_zone.COOKIE: cookie}, "Europe/Berlin")

    assert (found.choice, found.zone.key) == (choice, zone)
    assert (
        reader_zone.read({reader_zone.COOKIE: reader_zone.written(found.choice, zone)}, "Europe/Berlin").zone.key
        == zone
    )


def test_the_choice_is_kept_and_every_page_and_its_foot_follow(viewer: Person, db) -> None:
    run = add_run(db, add_task(db), due_at=clock.now() - timedelta(days=30))
    assert "Times are shown in Europe/Berlin" in viewer.see("/").text

    viewer.post("/settings/zone", {"choice": "picked", "zone": "Asia/Tokyo"})

    assert "Times are shown in Asia/Tokyo" in viewer.see("/").text
    tokyo = run.due_at.astimezone(ZoneInfo("Asia/Tokyo"))
    assert f"{tokyo:%Y-%m-%d %H:%M:%S}" in viewer.see(f"/runs/{run.id}").text
    viewer.post("/settings/zone", {"choice": "mine", "told": "America/New_York"})
    assert "Times are shown in America/New_York, your zone" in viewer.see("/runs").text
    viewer.post("/settings/zone", {"choice": "server"})
    assert "Times are shown in Europe/Berlin, the server's zone" in viewer.see("/runs").text


@pytest.mark.parametrize("fields", [{"choice": "picked", "zone": "Berlin"}, {"choice": "elsewhere"}, {}])
def test_a_zone_that_is_none_is_refused_beside_its_field(viewer: Person, fields: dict[str, str]) -> None:
    answer = viewer.post("/settings/zone", fields)

    assert answer.status_code == 422
    assert "is not the name of a time zone" in answer.text if fields.get("zone") else "Must be one of" in answer.text


def test_a_day_in_a_filter_begins_when_it_does_for_the_reader(viewer: Person, db) -> None:
    # 02:00 in Tokyo on the 22nd, and still the 21st in Berlin.
    add_run(db, add_task(db), due_at=datetime(2026, 11, 21, 17, 0, tzinfo=UTC))

    assert viewer.get("/runs.json?since=2026-11-22").json == []
    viewer.post("/settings/zone", {"choice": "picked", "zone": "Asia/Tokyo"})
    (shown,) = viewer.get("/runs.json?since=2026-11-22").json
    assert shown["due_at"] == "2026-11-22T02:00:00+09:00"


def test_programs_are_answered_in_the_servers_zone_whatever_cookie_they_carry(app: Flask) -> None:
    cookie = {"Cookie": f"{reader_zone.COOKIE}=Asia/Tokyo"}
    for path, headers, zone in (
        ("/api/runs", cookie, current_zone(app)),
        ("/runs.json", {**cookie, "Authorization": "Bearer x"}, current_zone(app)),
        ("/runs.json", cookie, "Asia/Tokyo"),
    ):
        with app.test_request_context(path, headers=headers):
            assert current.zone().key == zone, path


def current_zone(app: Flask) -> str:
    with app.app_context():
        config: Config = current.config()
        return config.zone
