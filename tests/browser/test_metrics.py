"""Metrics in a browser: choosing what is looked at, walking a picture by keyboard, and saying what is known."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser.installations import Installation, window
from tests.unit.run_rows import add_execution
from watchbell import clock
from watchbell.services import failures
from watchbell.store.tasks import Task


@pytest.fixture(scope="module")
def installation(launch) -> Installation:
    """Give a page without a scheduler: its runs are planted."""
    return launch("-m", "watchbell", "dashboard", "--port", "0")


@pytest.fixture(scope="module")
def task(installation) -> Task:
    """Give a task that took 20 s thirty times and then 90 s, and that failed once."""
    made = installation.add("nightly", "true", now=clock.now() - timedelta(days=3))
    for number in range(31):
        seconds = 90.0 if number == 30 else 20.0 + number % 3
        add_execution(installation.db, made, seconds, hours_ago=40 - number, stdout=b"line\n")
    failed = add_execution(installation.db, made, 1, hours_ago=50, code=3, stderr=b"disk full\n")
    with installation.db.write() as session:
        failures.group(session, [failed], installation.home)
    return made


def test_a_metric_is_chosen_and_its_picture_walked_by_keyboard(page: Page, task: Task) -> None:
    page.goto("/metrics")
    page.get_by_label("Task or script").fill("nightly")
    page.get_by_label("Metric", exact=True).select_option("output_bytes")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".wb-answer")).to_contain_text("Output of 32 runs: usually 5 B.")
    page.get_by_role("link", name="24 hours").click()
    expect(page).to_have_url(re.compile("metric=output_bytes.*range=24h"))

    page.locator("svg.wb-trend a").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_contain_text("nightly #")


def test_what_is_expected_is_said_on_the_run_and_taken_back(page: Page, installation, task: Task) -> None:
    slow = installation.rows("SELECT max(id) FROM run WHERE state = 'succeeded'")[0][0]
    page.goto(f"/runs/{slow}")
    expect(page.get_by_role("region", name="Unusual")).to_contain_text("took 1m 30s; usually")

    page.get_by_role("button", name="Mark as expected").click()
    expect(page.get_by_text("as expected by admin")).to_be_visible()
    expect(page.get_by_role("region", name="Unusual")).to_be_hidden()

    page.get_by_role("button", name="Undo").first.click()
    expect(page.get_by_role("region", name="Unusual")).to_be_visible()


def test_without_scripts_all_of_it_works(browser, installation, task: Task) -> None:
    with window(browser, installation, java_script_enabled=False) as page:
        page.goto(f"/tasks/{task.id}")
        page.get_by_role("link", name="All metrics").click()
        expect(page.locator("rect.wb-durations__band").first).to_be_visible()
        page.locator("#trend summary").click()
        expect(page.locator("#trend tbody tr")).to_have_count(32)
        page.get_by_label("Or a moment").fill((clock.now() - timedelta(hours=30)).strftime("%Y-%m-%dT%H:%M"))
        page.get_by_role("button", name="Compare").click()
        expect(page.locator("#compare")).to_contain_text("Since then")

        page.goto("/failures")
        page.get_by_role("link", name="disk full").click()
        page.get_by_label("What to do about it").fill("Empty the cache.")
        page.get_by_role("button", name="Save").click()
        page.locator("#latest a").first.click()
        expect(page.get_by_role("region", name="Note")).to_contain_text("Empty the cache.")
