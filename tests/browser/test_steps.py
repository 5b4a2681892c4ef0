"""Tasks of steps in the browser: made row by row, with and without scripts, and watched while they run."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.installations import Installation, expect_notice, expect_run, terminal, window
from watchbell.domain.steps import Step
from watchbell.services import tasks

NAMES = "[name=step_name]"


def begin(page: Page, name: str) -> None:
    page.goto("/tasks/new")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("radio", name="Only by hand").check()
    page.get_by_role("radio", name="Steps in order").check()


def fill(page: Page, number: int, name: str, command: str) -> None:
    page.get_by_label(f"Name of step {number}", exact=True).fill(name)
    page.get_by_label(f"Command of step {number}", exact=True).fill(command)


def names(page: Page) -> list[str]:
    return page.locator(NAMES).evaluate_all("fields => fields.map(field => field.value)")


def press(page: Page, label: str, number: int) -> None:
    page.locator("[data-step]").nth(number - 1).get_by_role("button", name=label).click()


def add(page: Page) -> None:
    page.get_by_role("button", name="Add a step").click()


def stored(installation: Installation, name: str) -> tuple[Step, ...]:
    return tasks.definition_of(tasks.find_by_name(installation.db, name)).steps


@pytest.fixture(params=["with scripts", "without scripts"])
def hand(request: pytest.FixtureRequest, browser: Browser, installation: Installation):
    """Give the window of somebody whose browser runs scripts, and of somebody whose does not."""
    with window(browser, installation, java_script_enabled=request.param == "with scripts") as opened:
        opened.name = request.param  # type: ignore[attr-defined]
        yield opened


def test_rows_are_added_moved_and_removed(hand: Page, installation: Installation) -> None:
    name = f"rows {hand.name}"  # type: ignore[attr-defined]
    begin(hand, name)
    expect(hand.get_by_label("Command", exact=True)).to_be_hidden()
    fill(hand, 1, "first", "echo 1")
    for number, word in ((2, "second"), (3, "third")):
        add(hand)
        fill(hand, number, word, f"echo {number}")
    expect(hand.get_by_role("button", name="Move step up").first).to_be_disabled()

    press(hand, "Move step up", 3)
    expect(hand.locator(NAMES).nth(1)).to_have_value("third")
    press(hand, "Move step down", 1)
    expect(hand.locator(NAMES).first).to_have_value("third")
    press(hand, "Remove step", 3)
    expect(hand.locator(NAMES)).to_have_count(2)
    assert names(hand) == ["third", "first"]

    hand.get_by_label("Time limit", exact=True).first.fill("10m")
    hand.locator("[data-step]").first.get_by_label("If it fails").select_option(label="go on with the next")
    hand.get_by_role("button", name="Create task").click()

    expect_notice(hand, f"{name} is saved.")
    assert stored(installation, name) == (
        Step("third", "echo 3", 600, continue_on_failure=True),
        Step("first", "echo 1"),
    )


def test_a_step_that_is_wrong_is_told_and_what_was_typed_stays(page: Page) -> None:
    begin(page, "wrong steps")
    fill(page, 1, "good", "true")
    add(page)
    fill(page, 2, "bad", "")
    page.get_by_role("button", name="Create task").click()

    expect(page.locator("#steps-error")).to_contain_text("Step 2: its command must not be empty.")
    assert names(page) == ["good", "bad"]
    expect(page.locator("[data-step].wb-step--wrong")).to_have_count(1)


def test_the_focus_stays_with_what_was_done(page: Page) -> None:
    begin(page, "by keyboard")
    fill(page, 1, "a", "true")
    page.get_by_role("button", name="Add a step").press("Enter")
    expect(page.get_by_label("Name of step 2", exact=True)).to_be_focused()
    page.keyboard.type("b")
    page.locator("[data-step]").nth(1).get_by_role("button", name="Move step up").press("Enter")
    expect(page.locator("[data-step]").first.get_by_role("button", name="Move step down")).to_be_focused()
    expect(page.locator("[data-step-said]")).to_have_text("Moved to place 1 of 2.")
    assert names(page) == ["b", "a"]
    # Enter in a line saves, and presses none of the buttons of a step.
    page.get_by_label("Command of step 1", exact=True).fill("true")
    page.get_by_label("Name of step 1", exact=True).press("Enter")
    expect_notice(page, "by keyboard is saved.")


def test_a_run_shows_its_steps_while_they_go_and_each_leads_to_its_output(
    page: Page, installation: Installation
) -> None:
    gate = installation.gate("second")
    steps = [
        {"name": "fetch", "command": "echo fetched"},
        {"name": "import", "command": f"{gate.wait}; echo imported; exit 3", "continue_on_failure": True},
        {"name": "publish", "command": "no-such-program"},
        {"name": "tidy up", "command": "true"},
    ]
    task = installation.add("watched", "", steps=steps)
    page.goto(f"/tasks/{task.id}")
    page.get_by_role("button", name="Run now").click()
    states = page.locator(".wb-run-steps [data-state]")
    expect(states).to_have_text(["succeeded", "running", "waiting", "waiting"], timeout=20_000)

    gate.open()
    expect_run(page, "failed")
    expect(states).to_have_text(["succeeded", re.compile("failed *exit 3"), "not found", "not run"])
    expect(page.locator(".wb-run-head__reason")).to_have_text(
        "2 of 4 steps failed: import (exit 3), publish (not found)."
    )
    page.get_by_role("link", name="import", exact=True).click()
    expect(terminal(page)).to_contain_text("imported")
    expect(terminal(page)).not_to_contain_text("fetched")
    page.get_by_role("link", name="Show all").click()
    expect(terminal(page)).to_contain_text("fetched")
