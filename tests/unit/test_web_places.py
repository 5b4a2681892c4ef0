from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from tests.database import NOW, add_task
from tests.web_fixtures import Person
from watchbell import clock
from watchbell.services import heartbeats
from watchbell.store.heartbeats import Heartbeat, Scheduler
from watchbell.store.session import Database
from watchbell.web import current, presenters
from watchbell.web.beats import day_strip

BERLIN = ZoneInfo("Europe/Berlin")


def add_scheduler(db: Database, beat_at: datetime, *, host: str = "watchtower", **values: object) -> Scheduler:
    """Store a life of a scheduler whose process does not exist any more."""
    fields: dict[str, object] = {
        "incarnation": f"{host}-{beat_at.timestamp()}", "user": "ann", "host": host, "environment": "production",
        "session_id": "1795391725046817", "version": "0.1.0", "pid": 4242, "start_ticks": 1, "boot_id": "another-boot",
        "started_at": beat_at - timedelta(hours=2), "beat_at": beat_at, "running": 0, "stop_reason": "",
    }  # fmt: skip
    scheduler = Scheduler(**{**fields, **values})
    heartbeats.begin(db, scheduler)
    return scheduler


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(0, "Active"), (4, "Active"), (5, "Idle (5m ago)"), (59, "Idle (59m ago)"), (60, "Idle (1h ago)"),
     (1439, "Idle (23h ago)"), (1440, "Inactive (1d ago)"), (5000, "Inactive (3d ago)")],
)  # fmt: skip
def test_a_card_tells_the_tier_in_words(admin: Person, db: Database, minutes: int, words: str) -> None:
    add_scheduler(db, clock.now() - timedelta(minutes=minutes, seconds=5))

    card = admin.see("/heartbeats").select_one(".wb-card")

    assert card is not None
    assert words in card.text
    assert card.select_one(".wb-status svg")


def test_a_card_tells_who_runs_where_and_as_what(admin: Person, db: Database) -> None:
    add_scheduler(db, clock.now(), environment="development", running=3, user="<b>ann</b>")

    card = admin.see("/heartbeats").select_one(".wb-card")

    assert card is not None
    assert {"<b>ann</b>@watchtower", "Development"} <= {text.strip() for text in card.strings}
    assert {"4242", "0.1.0", "1795391725046817", "3"} <= {text.strip() for text in card.strings}


def test_each_user_host_and_environment_has_one_card(admin: Person, db: Database) -> None:
    now = clock.now()
    for values in ({}, {"host": "lighthouse"}, {"environment": "development"}, {"user": "bo"}):
        add_scheduler(db, now - timedelta(seconds=len(str(values))), **values)  # type: ignore[arg-type]
    add_scheduler(db, now - timedelta(hours=3), stopped_at=now - timedelta(hours=3))

    assert len(admin.see("/heartbeats").select(".wb-card")) == 4
    assert len(admin.get("/heartbeats.json").get_json()["heartbeats"]) == 4


def test_without_any_heartbeat_the_page_says_what_to_do(admin: Person) -> None:
    page = admin.see("/heartbeats")

    assert "No scheduler has been heard of yet" in page.text
    assert "watchbell scheduler start" in page.text


def test_a_scheduler_that_was_killed_is_not_called_active(admin: Person, db: Database) -> None:
    add_scheduler(db, clock.now() - timedelta(seconds=40))

    page = admin.see("/heartbeats")

    assert "The only scheduler does not run at the moment" in page.text
    assert "killed or crashed" in page.text


def test_a_gap_between_beats_is_a_gap_on_the_strip() -> None:
    beats = [NOW - timedelta(minutes=m) for m in (1500, 700, 699, 698, 600, 599, 2, 1)]

    strip = day_strip(beats, NOW)

    places = [(stretch.x, stretch.x + stretch.width) for stretch in strip.stretches]
    assert [(round(left), round(right)) for left, right in places] == [(740, 746), (840, 846), (1434, 1440)]
    assert all(0 <= left < right <= 1440 for left, right in places)
    assert strip.share == pytest.approx((2 + 1 + 2) / 1440)
    assert len(strip.hours) == 24


def test_a_day_without_beats_is_an_empty_strip() -> None:
    assert day_strip([], NOW).stretches == ()
    assert day_strip([NOW], NOW).stretches[0].width > 0


def test_the_parts_of_the_heartbeats_are_those_of_the_page(admin: Person, db: Database) -> None:
    add_scheduler(db, clock.now())

    names = {str(part["data-live-part"]) for part in admin.see("/heartbeats/parts").select("[data-live-part]")}

    assert names == {"heartbeats-answer", "heartbeats-cards", "heartbeats-workers", "heartbeats-incidents"}
    assert len(admin.see("/heartbeats").select("[data-live-part^=heartbeats]")) == 4


def test_a_history_of_beats_is_drawn(admin: Person, db: Database) -> None:
    scheduler = add_scheduler(db, clock.now())
    with db.write() as session:
        for minutes in range(1, 100):
            at = clock.now() - timedelta(minutes=minutes)
            session.add(Heartbeat(incarnation=scheduler.incarnation, at=at, running=0))

    assert admin.get("/heartbeats.json").get_json()["heartbeats"][0]["share_of_day"] > 0.06


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    path = tmp_path / "scheduler.log"
    path.write_text(
        "[2026-11-22 12:00:00] [INFO] Scheduler started\n"
        "[2026-11-22 12:00:01] [WARNING] <script>alert(1)</script>\n"
        "[2026-11-22 12:00:02] [ERROR] it failed\nTraceback (most recent call last):\n"
        "[2026-11-22 12:00:03] [INFO] it goes on\n"
    )
    return path


def lines_of(person: Person, url: str) -> list[str]:
    return [line.text.strip() for line in person.see(url).select("#log .wb-log__line")]


def test_the_log_is_shown_as_it_was_written_and_as_text(admin: Person, log_file: Path) -> None:
    page = admin.see("/log")

    assert lines_of(admin, "/log") == log_file.read_text().splitlines()
    assert not page.select("#log script")
    assert "1 error and 1 warning among these 5 lines, the last at 2026-11-22 12:00:02" in page.text


@pytest.mark.parametrize(
    ("level", "lines"),
    [("all", 5), ("info", 5), ("warning", 3), ("WARNING", 3), ("error", 2), ("nonsense", 5), ("' OR 1=1", 5)],
)
def test_the_level_filter_keeps_what_belongs_to_a_line(admin: Person, log_file: Path, level: str, lines: int) -> None:
    assert len(lines_of(admin, f"/log?level={level}")) == lines
    assert len(admin.get(f"/log.json?level={level}").get_json()["lines"]) == lines


def test_what_is_written_later_is_fetched_from_where_the_page_ended(admin: Person, log_file: Path) -> None:
    log = admin.see("/log").select_one("#log")
    assert log is not None
    with log_file.open("a") as file:
        file.write("[2026-11-22 12:00:04] [INFO] one more\n[2026-11-22 12:00:05] [INFO] half a li")

    told = admin.get(f"/log.json?after={log['data-log-end']}").get_json()

    assert [line["text"] for line in told["lines"]] == ["[2026-11-22 12:00:04] [INFO] one more"]
    assert not told["fresh"]
    with log_file.open("a") as file:
        file.write("ne\n")
    for place in (f"after={told['end']}", f"offset={told['offset']}"):
        again = admin.get(f"/log.json?{place}").get_json()
        assert [line["text"] for line in again["lines"]] == ["[2026-11-22 12:00:05] [INFO] half a line"]


@pytest.mark.parametrize("offset", ["-5", "99999999999999999999", "x", ""])
def test_an_offset_that_makes_no_sense_begins_anew(admin: Person, log_file: Path, offset: str) -> None:
    assert len(admin.get(f"/log.json?offset={offset}").get_json()["lines"]) == 5


def test_only_the_last_lines_of_a_long_log_are_shown(admin: Person, log_file: Path) -> None:
    log_file.write_text("".join(f"[2026-11-22 12:00:00] [INFO] line {n:07}\n" for n in range(60_000)))

    shown = lines_of(admin, "/log")

    assert len(shown) == 200
    assert shown[-1].endswith("line 0059999")
    assert len(lines_of(admin, "/log?lines=1000")) == 1000
    assert admin.see("/log").find("a", string="Show older lines")


def test_the_log_is_emptied_by_a_form_that_asks_first(admin: Person, log_file: Path) -> None:
    form = admin.see("/log").select_one("form[action='/log/clear']")
    assert form is not None
    assert "cannot be brought back" in str(form["data-confirm"])

    admin.post("/log/clear")

    assert log_file.read_bytes() == b""
    assert "The log is empty" in admin.see("/log").text


def test_a_stop_without_a_scheduler_is_told_and_does_no_harm(admin: Person) -> None:
    answer = admin.post("/scheduler/stop", {"next": "/log"})

    assert answer.headers["Location"] == "/log"
    assert "not running" in admin.see("/log").text


def test_a_button_never_leads_to_another_site(admin: Person) -> None:
    assert admin.post("/scheduler/stop", {"next": "//evil.example"}).headers["Location"] == "/"


def test_health_is_public_and_tells_a_crash_from_a_stop(anonymous: Person, db: Database) -> None:
    def told() -> tuple[int, str, str]:
        answer = anonymous.get("/health")
        body = answer.get_json()
        assert set(body) == {"status", "timestamp", "scheduler", "database", "changes", "tick_age_seconds"}
        assert body["changes"] == ("file" if db.is_sqlite else "notify")
        return answer.status_code, body["status"], body["scheduler"]

    assert told() == (200, "healthy", "stopped")

    now = clock.now()
    add_scheduler(db, now - timedelta(minutes=2), stopping_at=now, stopped_at=now, stop_reason="stopped by ann")
    assert told() == (200, "healthy", "stopped")

    add_scheduler(db, now - timedelta(seconds=20), started_at=now - timedelta(seconds=30))
    assert told() == (503, "unhealthy", "stopped")


@pytest.mark.parametrize(
    ("begun_seconds_ago", "ended_seconds_ago", "state"),
    [
        (1, None, "starting"),
        (1, 3600, "starting"),
        (3, 2, "stopped"),
        (11, None, "stopped"),
        (None, None, "stopped"),
    ],
)
def test_run_now_right_after_the_start_does_not_warn_of_a_stopped_scheduler(
    admin: Person, app: Flask, db: Database, begun_seconds_ago: int | None, ended_seconds_ago: int | None, state: str
) -> None:
    now = clock.now()
    if begun_seconds_ago is not None:
        with app.app_context():
            current.keep_scheduler_begun_at(now - timedelta(seconds=begun_seconds_ago))
    if ended_seconds_ago is not None:
        ended_at = now - timedelta(seconds=ended_seconds_ago)
        add_scheduler(db, ended_at, stopping_at=ended_at, stopped_at=ended_at, stop_reason="stopped by ann")

    run = admin.post(f"/tasks/{add_task(db).id}/run").headers["Location"]
    page = admin.see(run)

    assert ("nothing will start until you press Start" in page.text) == (state == "stopped")
    assert page.select_one('[data-live-part="scheduler-pill"]')["data-state"] == state  # type: ignore[index]


@pytest.mark.parametrize(
    ("size", "words"),
    [(None, "-"), (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (20 * 1024**2, "20.0 MiB"),
     (500 * 1024**3, "500 GiB"), (5000 * 1024**4, "5,000 TiB")],
)  # fmt: skip
def test_sizes_are_told_in_the_unit_that_keeps_them_short(size: int | None, words: str) -> None:
    assert presenters.size_words(size) == words


def test_addresses_of_the_gateways_pages_lead_to_ours(admin: Person, db: Database) -> None:
    task = add_task(db, "daily_backup")

    assert admin.get("/jobs").headers["Location"] == "/tasks"
    assert admin.get("/jobs/daily_backup").headers["Location"] == f"/tasks/{task.id}"
    assert admin.get("/jobs/none").status_code == 404


def test_a_search_marks_its_hits_as_text_and_can_leave_the_other_entries_out(admin: Person, log_file: Path) -> None:
    page = admin.see("/log?q=<SCRIPT>")

    assert [mark.text for mark in page.select("#log mark")] == ["<script>"]
    assert len(page.select("#log .wb-log__line")) == 5
    assert lines_of(admin, "/log?q=traceback&only=1") == log_file.read_text().splitlines()[2:4]
    assert "No line like this" in admin.see("/log?q=nowhere&only=1").text


def test_older_lines_are_a_link_away_down_to_the_first(admin: Person, log_file: Path) -> None:
    whole = [f"[2026-11-22 12:00:00] [INFO] line {n:07}" for n in range(3000)]
    log_file.with_name("scheduler.log.1").write_text("".join(f"{text}\n" for text in whole[:2000]))
    log_file.write_text("".join(f"{text}\n" for text in whole[2000:]))
    url, pages = "/log", []
    while url:
        page = admin.see(url)
        pages.append([line.text.strip() for line in page.select("#log .wb-log__line")])
        older = page.find("a", string="Show older lines")
        url = str(older["href"]) if older else ""

    assert [text for page in reversed(pages) for text in page] == whole
    assert len(pages[0]) == 200
    assert "The log begins here." in page.text


def test_the_raw_log_is_downloaded_byte_by_byte(admin: Person, log_file: Path) -> None:
    before = b"[2026-11-22 11:00:00] [INFO] \xff\x1b[31m\n"
    log_file.with_name("scheduler.log.1").write_bytes(before)

    answer = admin.get("/log/download")

    assert answer.data == before + log_file.read_bytes()
    assert answer.headers["Content-Disposition"] == "attachment; filename=scheduler.log"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
