from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.database import add_run, add_task
from tests.unit.device_rows import add, give, put
from tests.unit.run_rows import add_attempt
from tests.web_fixtures import Person
from watchbell import clock
from watchbell.domain.run_state import RunState
from watchbell.services import attention, lives
from watchbell.services.attention import list_troubles, trouble_of
from watchbell.services.runs import Overview
from watchbell.store.engine import LiveOutput, put_live
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.web.pages.overview import answer

HOSTILE = '"><img src=x onerror=alert(1)> {{1234*4321}} ${1234*4321} __proto__'


def counters(person: Person) -> dict[str, str]:
    """Return label -> number of the four counters."""
    cards = person.see("/").select(".wb-stat")
    return {c.select_one(".wb-stat__label").text: c.select_one(".wb-stat__value").text for c in cards}  # type: ignore[union-attr]


def test_an_empty_installation_says_what_to_do_next(admin: Person) -> None:
    page = admin.see("/")

    assert "Nothing is scheduled yet" in page.text
    assert page.select_one("a[href='/tasks/new']")
    assert set(counters(admin).values()) == {"0"}


def test_a_fleet_has_a_card_of_its_own_once_there_is_one(admin: Person, db: Database) -> None:
    assert "Devices online" not in counters(admin)
    assert admin.get("/overview.json").get_json()["fleet"] is None

    add(db, "off", active=False)
    online, silent = add(db, "on"), add(db, "silent")
    give(db, online, end="failed", exit_code=1)
    give(db, online, end="succeeded", exit_code=0)
    put(db, online, seen_at=clock.now())
    put(db, silent, seen_at=clock.now() - timedelta(hours=1))

    assert counters(admin)["Devices online"] == "1 of 2"
    (card,) = admin.see("/").select("a.wb-stat[href='/fleet']")
    assert "1 job failed in 24 h" in card.text
    assert admin.get("/overview.json").get_json()["fleet"] == {"active": 2, "online": 1, "failed": 1}


def test_the_four_counters_count_and_lead_to_their_rows(admin: Person, db: Database) -> None:
    now = clock.now()
    task = add_task(db, "hourly", now=now, every="1h")
    add_task(db, "off", now=now, every="1h", enabled=False)
    add_run(db, task, RunState.SUCCEEDED, due_at=now)
    add_run(db, task, RunState.MISSED, due_at=now, stands_for=7)

    assert counters(admin) == {"Total tasks": "2", "Enabled tasks": "1", "Scheduled": "24", "Recent executions": "1"}
    links = [card["href"] for card in admin.see("/").select("a.wb-stat")]
    assert [str(link).split("?")[0] for link in links] == ["/tasks", "/tasks", "/next-runs", "/runs"]


def test_more_than_a_thousand_coming_moments_are_not_counted(admin: Person, db: Database) -> None:
    add_task(db, "busy", now=clock.now(), every="1s")

    assert counters(admin)["Scheduled"] == "1,000+"


def test_names_are_shown_as_text_wherever_they_come_from(admin: Person, db: Database) -> None:
    now = clock.now()
    task = add_task(db, HOSTILE, now=now, every="1h", comment=HOSTILE)
    for state in (RunState.FAILED, RunState.RUNNING):
        add_run(db, task, state, due_at=now, started_at=now, reason=HOSTILE)

    for url in ("/", "/overview/parts"):
        page = admin.see(url)
        assert not page.select("img, script:not([src])")
        assert not [name for tag in page.find_all(True) for name in tag.attrs if name.startswith("on")]
        assert page.text.count(HOSTILE) >= 4
    assert str(1234 * 4321) not in admin.see("/overview/parts").text
    assert admin.get("/overview.json").content_type == "application/json"


def test_what_failed_is_named_with_its_reason_and_since_when(admin: Person, db: Database) -> None:
    now = clock.now()
    task = add_task(db, "backup-db", now=now, every="1h")
    add_run(db, task, RunState.SUCCEEDED, due_at=now - timedelta(hours=4))
    for hours in (3, 2, 1):
        due = now - timedelta(hours=hours)
        last = add_run(db, task, RunState.FAILED, due_at=due, ended_at=due, exit_code=2, reason="exit code 2")

    part = admin.see("/").select_one("#attention")

    assert part is not None
    assert "\N{MULTIPLICATION SIGN} 3" in part.text
    assert "exit code 2" in part.text
    assert "3h ago" in part.text
    assert part.select_one(f"a[href='/runs/{last.id}']")
    assert part.select_one(f"form[action='/tasks/{task.id}/run'][method=post]")


def test_a_task_that_is_well_again_needs_no_attention(admin: Person, db: Database) -> None:
    task = add_task(db, now=clock.now(), every="1h")
    add_run(db, task, RunState.FAILED, due_at=clock.now())
    add_run(db, task, RunState.SUCCEEDED, due_at=clock.now())

    assert admin.see("/").select_one("#attention") is None


@pytest.mark.parametrize("gone", ["disabled", "deleted"])
def test_a_task_that_is_switched_off_needs_no_attention(db: Database, gone: str) -> None:
    now = clock.now()
    task = add_task(db, now=now, every="1h")
    add_run(db, task, RunState.FAILED, due_at=now)
    assert len(list_troubles(db, now=now)) == 1

    column = "enabled = false" if gone == "disabled" else "deleted_at = '2026-01-01 00:00:00.000000'"
    with db.write() as session:
        session.connection().exec_driver_sql(f"UPDATE task SET {column}")

    assert list_troubles(db, now=now) == []


def test_what_a_pause_has_held_until_it_was_too_late_needs_no_attention(db: Database) -> None:
    now = clock.now()
    task = add_task(db, now=now, every="1h")
    late = "not started by 2026-03-02 10:00:00 UTC, its latest start; "
    for words in (
        "queue default is paused by ann since 2026-03-02 09:00 UTC: a move",
        "everything was paused until 2026",
    ):
        add_run(db, task, RunState.MISSED, due_at=now, ended_at=now, reason=late + words)

    assert list_troubles(db, now=now) == []

    add_run(db, task, RunState.MISSED, due_at=now, ended_at=now, reason="no scheduler was running")
    assert [bad.in_a_row for bad in list_troubles(db, now=now)] == [1]


@pytest.mark.parametrize(("decision", "troubles"), [("open", 1), (None, 1), ("leave", 0), ("run_again", 0)])
def test_a_lost_run_that_was_decided_about_does_not_come_back(
    db: Database, decision: str | None, troubles: int
) -> None:
    now = clock.now()
    task = add_task(db, now=now, every="1h")
    add_run(db, task, RunState.LOST, due_at=now, ended_at=now, reason="host rebooted", decision=decision)

    assert len(list_troubles(db, now=now)) == troubles


@pytest.mark.parametrize(
    ("states", "in_a_row"),
    [
        ("succeeded failed", 0),
        ("failed succeeded", 1),
        ("skipped failed cancelled lost timed_out succeeded failed", 3),
        ("running failed", 1),
        ("running missed", 0),
        ("queued missed missed", 0),
        ("missed failed", 2),
        ("skipped cancelled", 0),
        ("", 0),
    ],
)
def test_the_newest_result_decides_whether_a_task_is_in_trouble(states: str, in_a_row: int) -> None:
    """The states are those of a task's runs, the newest first."""
    names = states.split()
    now = clock.now()
    runs = [Run(id=len(names) - place, state=state, due_at=now, reason="") for place, state in enumerate(names)]

    found = trouble_of(runs)

    assert (found.in_a_row if found else 0) == in_a_row


@pytest.mark.parametrize(
    ("today", "troubles", "state", "said"),
    [
        ({}, 0, "running", "All quiet. No run today yet."),
        ({"succeeded": 1}, 0, "running", "All quiet. 1 run today: 1 succeeded."),
        (
            {"succeeded": 1260, "failed": 1, "skipped": 1, "queued": 2, "timed_out": 3},
            1,
            "running",
            "1 task needs attention. 1,267 runs today: 1,260 succeeded, 1 failed, 3 timed out, 1 skipped, 2 waiting.",
        ),
        ({"failed": 2}, 2, "stopped", "2 tasks need attention. 2 runs today: 2 failed."),
        ({}, 0, "stalled", "The scheduler is stalled. No run today yet."),
        ({}, 0, "stopped", "The scheduler is stopped. No run today yet."),
        ({}, 0, "unknown", "The scheduler is out of sight. No run today yet."),
    ],
)
def test_the_first_sentence_answers_whether_all_is_well(
    today: dict[str, int], troubles: int, state: str, said: str
) -> None:
    found = Overview(total_tasks=3, enabled_tasks=3, today=today, running=(), waiting=(), recent=())

    assert answer(found, troubles, state) == said


def test_the_parts_that_are_fetched_again_are_those_of_the_page(admin: Person, db: Database) -> None:
    add_run(db, add_task(db, now=clock.now(), every="1h"), RunState.FAILED, due_at=clock.now())
    names = {
        url: {str(part["data-live-part"]) for part in admin.see(url).select("[data-live-part]")}
        for url in ("/", "/overview/parts", "/scheduler/panel")
    }

    assert names["/"] == names["/overview/parts"] | names["/scheduler/panel"]


def test_a_page_without_scripts_has_every_control(admin: Person) -> None:
    page = admin.see("/")

    assert page.select_one("form[action='/scheduler/start'][method=post] button[type=submit]")
    assert page.select_one("a.wb-skip[href='#content']")
    assert [link["aria-current"] for link in page.select(".wb-nav__link[aria-current]")] == ["page"]


def test_the_program_reads_what_the_page_shows(admin: Person, db: Database) -> None:
    now = clock.now()
    task = add_task(db, now=now, every="1h")
    run = add_run(db, task, RunState.FAILED, due_at=now, reason="exit code 1", exit_code=1)

    told = SimpleNamespace(**admin.get("/overview.json").get_json())

    assert told.counters == {"total_tasks": 1, "enabled_tasks": 1, "scheduled": "24", "recent_executions": 1}
    assert [(row["id"], row["in_a_row"]) for row in told.troubles] == [(run.id, 1)]
    assert told.recent[0]["due_at"].endswith("+01:00")
    assert told.scheduler["state"] == "stopped"
    assert [row["task"] for row in told.next] == [task.name]


def test_a_task_of_every_second_leaves_room_for_the_others(admin: Person, db: Database) -> None:
    for name, every in (("busy", "1s"), ("hourly", "1h"), ("two-hourly", "2h")):
        add_task(db, name, now=clock.now(), every=every)

    listed = admin.see("/").select('table[aria-label="Next runs"] tbody a')

    assert [link.text for link in listed] == ["busy", "hourly", "two-hourly"]


def test_a_muted_failure_is_hidden_until_it_changes(admin: Person, db: Database) -> None:
    now = clock.now()
    task = add_task(db, "backup", now=now, every="1h")
    failed = add_run(db, task, RunState.FAILED, due_at=now, exit_code=2, reason="exit code 2")

    assert admin.post("/troubles/mute", {"run": failed.id}).status_code == 303
    page = admin.see("/")
    assert page.select_one("#attention") is None
    assert "backup" in page.select_one("#muted").text  # type: ignore[union-attr]
    assert admin.get("/overview.json").get_json()["troubles"][0]["muted_by"] == admin.username

    add_run(db, task, RunState.FAILED, due_at=now, exit_code=2, reason="exit code 2")
    assert admin.see("/").select_one("#attention") is None

    add_run(db, task, RunState.FAILED, due_at=now, exit_code=3, reason="exit code 3")
    assert admin.see("/").select_one("#attention")


def test_a_mute_ends_when_the_task_has_gone_well_and_when_somebody_says_so(db: Database) -> None:
    now = clock.now()
    one, other = (add_task(db, name, now=now, every="1h") for name in ("one", "other"))
    for task in (one, other):
        run = add_run(db, task, RunState.FAILED, due_at=now, exit_code=1, reason="exit code 1")
        attention.mute(db, run.id, now=now, actor="ann")
    assert all(bad.muted for bad in list_troubles(db, now=now))

    add_run(db, one, RunState.SUCCEEDED, due_at=now)
    add_run(db, one, RunState.FAILED, due_at=now, exit_code=1, reason="exit code 1")
    assert {bad.run.task_name: bool(bad.muted) for bad in list_troubles(db, now=now)} == {"one": False, "other": True}

    assert attention.unmute(db, other.id, now=now, actor="ann")
    assert not attention.unmute(db, other.id, now=now, actor="ann")
    assert not any(bad.muted for bad in list_troubles(db, now=now))


def test_only_a_failure_can_be_muted(admin: Person, db: Database) -> None:
    run = add_run(db, add_task(db), RunState.SUCCEEDED)

    assert "is no failure" in admin.post("/troubles/mute", {"run": run.id}, follow_redirects=True).text
    assert admin.post("/troubles/mute", {"run": 999}).status_code == 404
    assert admin.post("/troubles/mute", {"run": "x"}).status_code == 422


def test_the_strip_has_a_bar_for_each_half_hour_that_holds_something(admin: Person, db: Database) -> None:
    now = clock.now()
    task = add_task(db, "hourly", now=now, every="1h")
    add_run(db, task, RunState.FAILED, due_at=now - timedelta(hours=3))

    page = admin.see("/")

    bars = page.select("#day svg a")
    assert len(bars) == 1 + 24
    assert "1 failed" in bars[0].text
    assert all("1 planned" in bar.text for bar in bars[1:])
    assert len(page.select("#day details table tbody tr")) == 25
    assert len(admin.get("/overview.json").get_json()["half_hours"]) == 25


def test_what_runs_shows_how_far_it_is_by_what_is_usual_and_can_be_stopped(admin: Person, db: Database) -> None:
    now = clock.now()
    task = add_task(db, "copy", now=now)
    ago = now - timedelta(days=1)
    add_run(db, task, RunState.SUCCEEDED, due_at=ago, started_at=ago, ended_at=ago + timedelta(seconds=100))
    begun = now - timedelta(seconds=50)
    run = add_run(db, task, RunState.RUNNING, due_at=begun, started_at=begun)

    row = admin.see("/").select_one("#running tbody tr")

    assert row is not None
    assert 50 <= int(str(row.select_one("progress")["value"])) <= 60  # type: ignore[index]
    assert row.select_one(f"form[action='/runs/{run.id}/cancel']")


def test_the_last_failure_is_named_also_when_all_is_well_again(admin: Person, db: Database) -> None:
    task = add_task(db, "backup", now=clock.now(), every="1h")
    failed = add_run(db, task, RunState.FAILED, due_at=clock.now())
    add_run(db, task, RunState.SUCCEEDED, due_at=clock.now())

    assert admin.see("/").select_one(f".wb-answer a[href='/runs/{failed.id}']")


def test_what_programs_read_of_the_page_is_english_whatever_the_browser_speaks(admin: Person, db: Database) -> None:
    add_run(db, add_task(db, now=clock.now(), every="1h"), RunState.TIMED_OUT, due_at=clock.now())
    admin.post("/language", {"language": "de"})

    told = admin.get("/overview.json").get_json()

    assert told["answer"] == "1 task needs attention. 1 run today: 1 timed out."
    assert told["troubles"][0]["state_word"] == "timed out"


@pytest.mark.parametrize("holder", ["ann@here", "engine-there-w1-1"])
def test_what_runs_is_shown_with_its_last_line_wherever_it_runs(
    admin: Person, db: Database, tmp_path: Path, holder: str
) -> None:
    run = add_run(db, add_task(db), RunState.RUNNING, started_at=clock.now(), attempts=1, holder=holder)
    attempt = add_attempt(db, run, folder=str(tmp_path / "1.1"), ended=False, holder=holder)
    if lives.is_worker(holder):
        with db.write() as session:
            put_live(
                session,
                [LiveOutput(attempt_id=attempt, stream="stdout", start=0, size=15, content=b"a\nhalf way there")],
            )
    else:
        (tmp_path / "1.1.out").write_bytes(b"a\nhalf way there")

    assert "half way there" in admin.see("/").text
