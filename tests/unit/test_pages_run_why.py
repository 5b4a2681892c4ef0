"""The page of a run says why the run is what it is, and shows of its environment what may be seen."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.database import DEFAULTS, NOW, add_run, add_task
from tests.unit.run_rows import add_attempt
from tests.web_fixtures import Person
from watchbell.domain.run_state import RunState
from watchbell.services import runs, tasks, triggers
from watchbell.store import ledger
from watchbell.store.runs import Run
from watchbell.store.session import Database


def answers(admin: Person, run: Run) -> dict[str, str]:
    page = admin.see(f"/runs/{run.id}?tab=why")
    return {
        " ".join(block.dt.text.split()): " ".join(block.dd.text.split())  # type: ignore[union-attr]
        for block in page.select(".wb-why > div")
    }


def log(db: Database, run: Run, *moves: tuple[str | None, str, str]) -> None:
    """Write moves of a run: state before, state after, reason."""
    rows = [
        ledger.event_row(
            run.id, RunState(before) if before else None, [RunState(name) for name in after.split(",")], at=NOW + timedelta(seconds=3 * number),
            actor="watchtower", fence=1, reason=reason,
        )
        for number, (before, after, reason) in enumerate(moves)
    ]  # fmt: skip
    with db.write() as session:
        ledger.add_events(session, rows)


def test_a_run_by_hand_says_who_asked_for_it(admin: Person, db: Database) -> None:
    run = triggers.run_now(db, add_task(db).id, now=NOW, actor="ann")

    told = answers(admin, run)

    assert "ann asked for it by hand." in told["What made it"]
    assert "Written by ann, as queued." in told["When it became a row"]
    assert "until now" in told["What it waited for"]


def test_a_scheduled_run_names_the_rule_of_its_version_and_the_moment(admin: Person, db: Database) -> None:
    task = add_task(db, kind="cron", cron="0 2 * * *", zone="Europe/Berlin")
    run = add_run(
        db,
        task,
        RunState.SUCCEEDED,
        local_time="2026-11-22 02:00:00",
        zone="Europe/Berlin",
        due_at=NOW - timedelta(seconds=90),
    )
    tasks.update(db, task.id, {"cron": "0 5 * * *"}, now=NOW, actor="ann", defaults=DEFAULTS)

    told = answers(admin, run)

    assert "version 1: at 02:00 every day" in told["What made it"].lower()
    assert "2026-11-22 02:00:00 in Europe/Berlin" in told["What made it"]
    assert "That was 1m 30s after it was due." in told["When it became a row"]


def test_one_that_waited_leads_to_the_run_that_it_waited_for(admin: Person, db: Database) -> None:
    task = add_task(db)
    earlier = add_run(db, task, RunState.SUCCEEDED)
    run = add_run(db, task, RunState.SUCCEEDED, started_at=NOW, attempts=1)
    add_attempt(db, run, number=1)
    log(
        db,
        run,
        (None, "queued", f"waits its turn: run #{earlier.id} is still running"),
        ("queued", "claimed,starting", ""),
    )

    page = admin.see(f"/runs/{run.id}?tab=why")

    assert page.select_one(f".wb-why a[href='/runs/{earlier.id}']")
    told = answers(admin, run)
    assert (
        f"Queued from 2026-11-22 13:00:00 CET for 3.00 s: waits its turn: run #{earlier.id}"
        in told["What it waited for"]
    )
    assert f"#{earlier.id} of backup ended succeeded" in told["What it waited for"]
    assert "Attempt 1 was taken by watchtower with fence 1" in told["Who took it"]


def test_one_that_was_skipped_says_by_which_policy_and_that_it_never_started(admin: Person, db: Database) -> None:
    run = add_run(
        db,
        add_task(db, overlap="skip"),
        RunState.SKIPPED,
        reason="overlap: run #1 is still running; policy: skip on overlap",
    )
    log(db, run, (None, "skipped", run.reason))

    told = answers(admin, run)

    assert "policy: skip on overlap" in told["When it became a row"]
    assert told["Who took it"] == "Nobody: it was never started."
    assert "Earlier run still going: skip the new one." in told["Policies in force"]


def test_one_that_was_tried_again_says_why_and_by_which_rule(admin: Person, db: Database) -> None:
    run = add_run(db, add_task(db, retries=2), RunState.FAILED, started_at=NOW, attempts=2)
    log(
        db,
        run,
        (None, "queued", ""),
        ("queued", "claimed,starting,running", ""),
        ("running", "retry_wait", "exit code 7"),
        ("retry_wait", "queued,claimed,starting,failed", "exit code 8"),
    )

    told = answers(admin, run)

    assert "Retry wait from" in told["What it waited for"]
    assert "exit code 7" in told["What it waited for"]
    assert "Failed: exit code 8, watchtower." in told["How it came to its state"]
    assert "is tried again after" in told["Policies in force"]


@pytest.mark.parametrize(
    "words",
    ["<script>alert(1)</script>", "run #0", "run #99999999999999999999", "run #999999 {{ 7*7 }}", "\u202eoverlap"],
)
def test_a_hostile_reason_is_words_and_leads_nowhere(admin: Person, db: Database, words: str) -> None:
    run = add_run(db, add_task(db, "<b>&\"'"), RunState.FAILED, reason=words)
    log(db, run, (None, "queued", ""), ("queued", "claimed,starting,failed", words))

    page = admin.see(f"/runs/{run.id}?tab=why")

    assert words in page.select_one(".wb-why").text  # type: ignore[union-attr]
    assert not page.select(".wb-why a, .wb-why script")


def test_secrets_of_the_environment_are_masked_on_the_pages_of_run_and_task(admin: Person, db: Database) -> None:
    given = {"API_TOKEN": "t0ps3cret", "URL": "https://ann:hunter2@db1/x", "STAGE": "<b>live</b>"}
    task = add_task(db, environment=given)
    run = add_run(db, task, RunState.SUCCEEDED)

    for address in (f"/runs/{run.id}?tab=definition", f"/tasks/{task.id}"):
        text = admin.get(address).text
        assert "t0ps3cret" not in text
        assert "hunter2" not in text
        assert "&lt;b&gt;live&lt;/b&gt;" in text
        assert "API_TOKEN=" in text


@pytest.mark.parametrize(
    ("took", "words"),
    [(2, "suspiciously short: usual 42s"), (42, "(usual 42s)"), (300, "unusually long: usual 42s")],
)
def test_the_head_says_what_is_usual_and_calls_the_unusual_so(
    admin: Person, db: Database, took: int, words: str
) -> None:
    task = add_task(db)
    for seconds in (40, 41, 42, 42, 43, 44):
        add_run(db, task, RunState.SUCCEEDED, started_at=NOW, ended_at=NOW + timedelta(seconds=seconds))
    run = add_run(db, task, RunState.SUCCEEDED, started_at=NOW, ended_at=NOW + timedelta(seconds=took))

    head = admin.see(f"/runs/{run.id}").select_one("[data-live-part=run-head]")

    assert words in " ".join(head.text.split())  # type: ignore[union-attr]
    assert runs.get(db, run.id).state == "succeeded"
