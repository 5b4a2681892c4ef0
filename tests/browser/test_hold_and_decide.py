"""Holding work back and deciding about it: pauses, queues, retries and lost runs, with and without scripts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.installations import Installation, answer, expect_notice, expect_run, run_number, window
from watchbell import clock
from watchbell.services import pauses, queues, triggers

BAR = "[data-live-part=pause-bar]"


@pytest.fixture(params=["with scripts", "without scripts"])
def way(request) -> str:
    return str(request.param)


@pytest.fixture
def page(browser, installation, way):
    with window(browser, installation, java_script_enabled=way == "with scripts") as opened:
        yield opened


def test_everything_is_paused_from_the_panel_and_resumed_from_any_page(
    page: Page, installation: Installation, way: str
) -> None:
    task = installation.add(f"held back {way}", "echo went")
    page.goto("/")
    page.locator("main").get_by_role("link", name="Pause everything").click()
    page.get_by_label("Reason").fill("the rack is moved")
    page.get_by_label("How long").select_option(label="for 4 hours")
    page.get_by_role("button", name="Pause everything").click()
    expect_notice(page, "Everything is paused.")

    page.goto(f"/tasks/{task.id}")
    expect(page.locator(BAR)).to_contain_text("the rack is moved.")
    page.get_by_role("button", name="Run now").click()
    number = run_number(page)
    page.goto("/queues")
    page.get_by_role("button", name="Resume everything").click()

    expect_notice(page, "Everything goes on.")
    assert page.url.endswith("/queues"), "one stays where one was"
    expect(page.locator(BAR)).to_have_text("")
    installation.wait_for_state(task.name, "succeeded")
    page.goto(f"/runs/{number}")
    expect_run(page, "succeeded")


def test_a_task_is_paused_by_its_menu_until_a_moment(page: Page, installation: Installation, way: str) -> None:
    task = installation.add(f"rests {way}", "true", every="1h")
    page.goto(f"/tasks/{task.id}")
    page.locator("summary[aria-label=More]").click()
    page.get_by_role("link", name="Pause").click()
    page.get_by_label("How long").select_option(label="until a moment")
    page.get_by_role("button", name="Pause the task").click()
    expect(page.locator("#until-error")).to_contain_text("For example")
    page.get_by_role("textbox", name="Until").fill("2090-01-31T09:30")
    page.get_by_role("button", name="Pause the task").click()

    expect(page.locator(".wb-notice").filter(has_text="This task is paused")).to_contain_text("until 2090-01-31")
    page.locator("main").get_by_role("button", name="Resume").click()
    expect_notice(page, "goes on.")


def test_a_queue_is_made_and_its_bound_is_seen(page: Page, way: str) -> None:
    name = f"database-{way.split()[0]}"
    page.goto("/queues")
    page.get_by_role("link", name="New queue").click()
    page.get_by_label("Name").fill(name)
    page.get_by_label("At most so many at a time").fill("0")
    page.get_by_role("button", name="Create queue").click()
    expect(page.locator("#max_running-error")).to_contain_text("Must be between 1 and")
    page.get_by_label("At most so many at a time").fill("2")
    page.get_by_role("button", name="Create queue").click()

    expect_notice(page, f"Queue {name} runs 2 at a time.")
    expect(page.get_by_role("row").filter(has_text=name)).to_contain_text("0 of 2")


def test_lists_follow_what_happens_by_themselves(browser, installation: Installation) -> None:
    task = installation.add("shows up", "true")
    with window(browser, installation) as page:
        for path, place in (("/queues", "#queues"), ("/runs", "#runs-list"), (f"/tasks/{task.id}", "#task-runs")):
            page.goto(path)
            if path == "/queues":
                queues.set_bounds(installation.db, "grows", max_running=3, now=clock.now(), actor="ann")
                told = "grows"
            else:
                made = triggers.run_now(installation.db, task.id, now=clock.now(), actor="ann")
                told = f"#{made.id}"
            expect(page.locator(place)).to_contain_text(told, timeout=20_000)


def test_long_words_in_names_and_reasons_make_no_page_wider_than_a_phone(browser, installation: Installation) -> None:
    task, reason = installation.add("W" * 90, "true", every="1h"), "W" * 200
    scopes = (pauses.EVERYTHING, pauses.queue_scope("default"), pauses.task_scope(task.id))
    for scope in scopes:
        pauses.pause(installation.db, scope, now=clock.now(), actor="ann", reason=reason)
    with window(browser, installation, viewport={"width": 360, "height": 780}) as page:
        for path in (
            "/",
            "/queues",
            "/pause",
            f"/pause?scope=task:{task.id}",
            f"/tasks/{task.id}",
            f"/tasks/{task.id}/edit",
        ):
            page.goto(path)
            expect(page.locator(BAR)).to_contain_text(reason)
            assert page.evaluate("document.documentElement.scrollWidth") == 360, path
    for scope in scopes:
        pauses.resume(installation.db, scope, now=clock.now(), actor="ann")


def lost_run(installation: Installation, name: str, command: str) -> int:
    """Make a run of which nobody knows how it ended, as the reaper leaves it."""
    task = installation.add(name, command, uncertain="ask")
    installation.execute(
        "INSERT INTO run (task_id, task_name, task_version, occurrence_key, trigger, due_at, local_time, zone, state,"
        " fence, reason, stands_for, requested_by, may_overlap, attempts, created_at, ended_at, decision)"
        " VALUES (?, ?, 1, 'x', 'manual', ?, '', 'UTC', 'lost', 1, 'nobody knows', 1, 'admin', 0, 1,"
        " ?, ?, 'open')",
        task.id,
        name,
        *[f"{clock.now():%Y-%m-%d %H:%M:%S}.000000"] * 3,
    )
    return installation.wait_for_state(name, "lost")


@pytest.mark.parametrize("choice", ["Run it again", "Leave it"])
def test_a_lost_run_is_decided_about(browser, installation: Installation, choice: str) -> None:
    name = f"asks to {choice.lower()}"
    gate = installation.gate(f"decided-{choice.split()[0]}")
    number = lost_run(installation, name, gate.wait)
    with window(browser, installation) as page:
        page.goto("/")
        page.get_by_role("link", name=f"Decide about #{number}").click()
        page.locator("#decision").get_by_role("button", name=choice).click()
        answer(page, f"Run {name} again for" if choice != "Leave it" else f"Leave run #{number}", choice)

        if choice == "Leave it":
            expect_notice(page, f"Run #{number} is left as it is.")
            expect(page.locator("main")).to_contain_text("It was decided to leave it.")
        else:
            said = f"Run #{number} is run again as this one."
            expect_run(page, "running")
            expect_notice(page, said)
            page.evaluate("document.body.dataset.isTheFirst = ''")
            gate.open()
            # A run that has ended without a word is shown anew, and what was just said with it.
            expect(page.locator("body[data-is-the-first]")).to_have_count(0)
            expect_run(page, "succeeded")
            expect_notice(page, said)
            page.reload()
            expect(page.get_by_text(said)).to_have_count(0)
            page.get_by_role("link", name=f"#{number}", exact=True).click()
            expect(page.locator("main")).to_contain_text("It was decided to run it again.")
        expect(page.locator("#decision")).to_have_count(0)


def test_the_rule_for_retries_follows_what_is_typed(browser, installation: Installation) -> None:
    with window(browser, installation) as page:
        page.goto("/tasks/new")
        page.locator("#how-retries > summary").click()
        rule = page.locator("#retry-rule")
        expect(rule).to_have_text("A run that fails is not tried again.")
        page.get_by_label("Retries", exact=True).fill("3")
        page.get_by_label("First delay").fill("5m")
        page.get_by_label("Longest delay").fill("1h")
        expect(rule).to_contain_text("is tried again after 5 min, 10 min, 20 min; then it has failed.")
        page.get_by_label("Delays grow").select_option(label="by the first delay each time")
        expect(rule).to_contain_text("after 5 min, 10 min, 15 min;")
        expect(page.get_by_label("Factor")).to_be_hidden()


def test_a_run_tells_its_attempts_and_when_the_next_one_is_made(browser, installation: Installation) -> None:
    task = installation.add("tries", "exit 9", retries="1", retry_delay_seconds="3000", retry_max_delay_seconds="3000")
    with window(browser, installation) as page:
        page.goto(f"/tasks/{task.id}")
        page.get_by_role("button", name="Run now").click()
        expect_run(page, "retry_wait")
        head = page.locator("[data-live-part=run-head]")
        expect(head).to_contain_text("attempt 1 of 2")
        expect(head).to_contain_text(re.compile(r"Next attempt in \d+m, at \d{4}-"))
