"""Finding things: sixty tasks, many runs, what comes next, who lives, and the scheduler's log."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser.installations import answer, expect_notice, expect_run
from tests.waiting import wait_until
from watchbell import clock
from watchbell.services import heartbeats, triggers
from watchbell.store.heartbeats import Scheduler

ROWS = "#tasks tbody tr"
RUN_ROWS = "#runs-list tbody tr"
INFO = ".dt-info"


@pytest.fixture(scope="module")
def many_tasks(installation):
    """Make sixty tasks: two disabled, every tenth tagged, due at different minutes."""
    for number in range(58):
        tags = ["backup"] if number % 10 == 0 else []
        installation.add(f"task-{number:02}", "true", cron=f"{number} {number % 24} * * *", tags=tags)
    for name in ("zz-resting", "zz-sleeping"):
        installation.add(name, "true", cron="0 0 * * *", enabled=False)
    return installation


@pytest.fixture(scope="module")
def many_runs(installation):
    """Run two tasks by hand, one that works 70 times and one that fails five times."""
    works = installation.add("works", "true")
    fails = installation.add("fails", "exit 3")
    for task, times in ((works, 70), (fails, 5)):
        for _ in range(times):
            triggers.run_now(installation.db, task.id, now=clock.now(), actor="admin")
    done = "SELECT count(*) FROM run WHERE ended_at IS NOT NULL AND task_name IN ('works', 'fails')"
    wait_until(lambda: installation.rows(done)[0][0] == 75, 60, "75 runs to end")
    return installation


def names(page: Page) -> list[str]:
    return page.locator(f"{ROWS} td.wb-cell--main a").all_inner_texts()


def test_tasks_are_found_by_a_word_and_the_address_keeps_it(page: Page, many_tasks) -> None:
    page.goto("/tasks")
    expect(page.locator(INFO)).to_contain_text(re.compile("1.25 of 6"))
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Search tasks")).to_be_focused()
    page.keyboard.type("task-4")
    expect(page.locator(ROWS)).to_have_count(10)
    expect(page).to_have_url(re.compile(r"q=task-4"))
    page.reload()

    expect(page.locator(ROWS)).to_have_count(10)
    assert names(page) == [f"task-4{digit}" for digit in range(10)]
    page.get_by_role("searchbox", name="Search tasks").fill("nothing like this")
    expect(page.locator("#tasks .dt-empty")).to_contain_text("No task matches.")
    page.get_by_role("searchbox", name="Search tasks").fill("backup")
    expect(page.locator(ROWS)).to_have_count(6)


def test_tasks_are_sorted_by_a_click_on_the_head(page: Page, many_tasks) -> None:
    page.goto("/tasks?q=task-")
    expect(page.locator(ROWS).first).to_contain_text("task-00")
    page.get_by_role("columnheader", name="Task").click()
    expect(page.locator(ROWS).first).to_contain_text("task-57")
    expect(page).to_have_url(re.compile("order=-name"))
    page.get_by_role("columnheader", name="Next").click()
    expect(page).to_have_url(re.compile("order=next"))
    due = page.locator(f"{ROWS} td:nth-child(4) time")
    expect(due).to_have_count(25)

    moments = [moment.get_attribute("datetime") for moment in due.all()]
    assert moments == sorted(moments)


def test_tasks_are_paged_and_filtered(page: Page, many_tasks) -> None:
    page.goto("/tasks?q=task-")
    expect(page.locator(INFO)).to_contain_text(re.compile("1.25 of 58 tasks"))
    page.locator(".dt-paging").get_by_label("Next page", exact=True).click()
    expect(page.locator(INFO)).to_contain_text(re.compile("26.50 of 58"))
    expect(page).to_have_url(re.compile("page=2"))
    page.reload()
    expect(page.locator(ROWS).first).to_contain_text("task-25")

    page.goto("/tasks")
    page.get_by_role("combobox", name="Status").select_option("Disabled")
    expect(page.locator(ROWS)).to_have_count(2)
    assert names(page) == ["zz-resting", "zz-sleeping"]
    page.get_by_role("button", name="Enable zz-resting").click()
    expect_notice(page, "zz-resting is enabled.")


def test_a_row_of_the_list_runs_and_deletes_its_task(page: Page, many_tasks) -> None:
    page.goto("/tasks?q=task-33")
    page.get_by_role("button", name="Delete task-33").click()
    expect_notice(page, "task-33 is deleted.")
    page.goto("/tasks?q=task-34")
    page.get_by_role("button", name="Run task-34 now").click()

    expect_run(page, "succeeded")


def test_next_runs_come_in_their_order_day_by_day(page: Page, many_tasks) -> None:
    page.goto("/next-runs")
    expect(page.locator(".wb-answer")).to_contain_text(re.compile(r"\d+ tasks are due in the next 24 hours"))
    moments = [time.get_attribute("datetime") for time in page.locator("tbody td:nth-child(2) time").all()]

    assert len(moments) == 50
    assert moments == sorted(moments)
    page.get_by_role("link", name="1 hour").click()
    expect(page).to_have_url(re.compile("within=1h"))
    expect(page.locator("tbody tr").nth(20)).to_have_count(0)
    page.get_by_label("Export").click()
    with page.expect_download() as coming:
        page.get_by_role("link", name="Calendar (.ics)").click()
    assert coming.value.suggested_filename.endswith(".ics")


def test_next_runs_and_the_audit_are_searched_and_turned_without_loading_the_page_anew(
    page: Page, installation
) -> None:
    for number in range(30):
        installation.add(f"quick-{number:02}", "true", cron=f"{number} 4 * * *", tags=["quick"])
    page.goto("/next-runs?within=7d&length=25")
    page.evaluate("window.isSame = true")
    page.get_by_label("Search tasks").press_sequentially("quick-0")
    # Ten of them three times, day by day, under the name of each.
    expect(page.get_by_role("link", name="Later")).to_be_visible()
    expect(page.locator("tr[data-group] td:first-child a").last).to_have_text(re.compile("quick-0"))
    expect(page).to_have_url(re.compile("q=quick-0"))
    expect(page.locator("tr.wb-group")).to_have_count(3)
    expect(page.locator(".wb-answer")).to_contain_text("10 tasks are due")
    page.get_by_role("link", name="All", exact=True).click()
    expect(page).to_have_url(re.compile("each=all.*q=quick-0"))
    page.get_by_role("link", name="Later").click()
    expect(page.get_by_role("link", name="Earlier")).to_be_visible()
    assert "q=quick-0" in str(page.locator("a[href*='next-runs.csv']").get_attribute("href"))
    page.get_by_label("Search tasks").fill("nothing like this")
    expect(page.locator("td.dt-empty")).to_have_text("No task that is due so soon has all of these marks.")
    page.locator(".wb-more-filters > summary").click()
    page.get_by_label("Search tasks").fill("")
    page.get_by_label("Tag", exact=True).fill("quick")
    page.get_by_label("Tag", exact=True).press("Enter")
    expect(page.locator("tr[data-group]")).to_have_count(25)
    assert page.evaluate("window.isSame")

    page.goto("/audit?kind=task&length=25")
    rows = page.locator("#audit tbody tr")
    newest = rows.first.get_attribute("id")
    page.evaluate("window.isSame = true")
    page.get_by_role("columnheader", name="When").click()
    expect(page).to_have_url(re.compile("order=when"))
    expect(rows.first).not_to_have_id(str(newest))
    page.get_by_role("link", name="Newest").click()
    expect(rows.last).to_have_id(str(newest))
    page.locator("#audit-search").fill("quick-29")
    expect(rows).to_have_count(1)
    expect(rows.locator("td").nth(3)).to_have_text("quick-29")
    page.get_by_label("What about").select_option("login")
    expect(page.locator("td.dt-empty")).to_have_text("No entry matches")
    assert page.evaluate("window.isSame")
    page.locator("#audit-search").fill("quick")
    page.get_by_role("link", name="Clear").click()
    expect(page.locator("#audit-search")).to_have_value("")


def test_runs_are_paged_by_key_there_and_back(page: Page, many_runs) -> None:
    page.goto("/runs?task=works")
    expect(page.locator(RUN_ROWS)).to_have_count(50)
    first = page.locator(RUN_ROWS).first.get_attribute("id")
    page.get_by_role("link", name="Older").click()
    expect(page.locator(RUN_ROWS)).to_have_count(20)
    expect(page.get_by_role("link", name="Older")).to_have_count(0)
    page.get_by_role("link", name="Newer").click()

    expect(page.locator(RUN_ROWS)).to_have_count(50)
    assert page.locator(RUN_ROWS).first.get_attribute("id") == first


def test_runs_are_filtered_by_chips_and_lists_and_said_in_a_sentence(page: Page, many_runs) -> None:
    page.goto("/runs")
    chips = page.get_by_role("navigation", name="States")
    chips.get_by_role("link", name="failed").click()
    expect(page.locator(".wb-answer")).to_contain_text("5 runs that are failed.")
    expect(page.locator(RUN_ROWS)).to_have_count(5)
    expect(page.locator(RUN_ROWS).first).to_contain_text("exit 3")
    page.get_by_role("combobox", name="Started").select_option("schedule")
    expect(page.get_by_text("No run matches")).to_be_visible()
    expect(page).to_have_url(re.compile("trigger=schedule"))
    page.go_back()
    expect(page.locator(RUN_ROWS)).to_have_count(5)
    page.get_by_role("link", name="Clear").click()
    page.locator("#run-task").fill("nobody")
    page.keyboard.press("Enter")
    expect(page.get_by_text("There is no task called nobody.")).to_be_visible()


TIERS = [
    ("ann", timedelta(minutes=4), "Active"),
    ("bob", timedelta(minutes=12), "Idle (12m ago)"),
    ("cy", timedelta(hours=5), "Idle (5h ago)"),
    ("dee", timedelta(days=3), "Inactive"),
]


def test_heartbeats_tell_four_tiers_in_words(page: Page, installation) -> None:
    now = clock.now()
    for user, age, _ in TIERS:
        row = Scheduler(
            incarnation=uuid.uuid4().hex, user=user, host="elsewhere", environment="production", session_id="1",
            version="0.1.0", pid=1, start_ticks=1, boot_id="another", started_at=now - age - timedelta(hours=2),
            beat_at=now - age,
        )  # fmt: skip
        heartbeats.begin(installation.db, row)
    page.goto("/heartbeats")

    for user, _, words in TIERS:
        card = page.get_by_role("region", name=f"{user}@elsewhere")
        expect(card.locator(".wb-status")).to_contain_text(words)
        expect(card.get_by_role("img", name=re.compile("Heartbeats of the last 24 hours"))).to_be_visible()
    here = page.get_by_role("region", name="@watchtower")
    expect(here.locator(".wb-status")).to_contain_text("Active")
    expect(here).to_contain_text(str(installation.scheduler_pid()))


def test_the_log_goes_on_while_it_is_open_lets_go_and_is_emptied(page: Page, installation) -> None:
    path = installation.config.log_path
    with path.open("a") as log:
        for number in range(150):
            log.write(f"[2026-01-01 00:00:00] [INFO] old line {number}\n")
    page.goto("/log")
    log_lines = page.locator("#log")
    expect(log_lines).to_contain_text("old line 149")
    with path.open("a") as log:
        log.write("[2026-01-01 00:00:01] [ERROR] <b>something</b> broke\n")
    expect(log_lines.locator(".wb-log__line--error")).to_have_text(
        "[2026-01-01 00:00:01] [ERROR] <b>something</b> broke\n"
    )
    expect(log_lines.locator(".wb-log__line--error")).to_be_in_viewport()

    follow = page.get_by_label("Follow")
    expect(follow).to_be_checked()
    log_lines.hover()
    page.mouse.wheel(0, -600)
    expect(follow).not_to_be_checked()
    with path.open("a") as log:
        log.write("[2026-01-01 00:00:02] [WARNING] the last one\n")
    # The scheduler itself may have warned of something on a busy machine.
    last = log_lines.locator(".wb-log__line--warning").filter(has_text="the last one")
    expect(last).to_have_count(1)
    expect(last).not_to_be_in_viewport()
    follow.check()
    expect(last).to_be_in_viewport()

    page.get_by_role("navigation", name="Levels").get_by_role("link", name="Errors", exact=True).click()
    expect(log_lines.locator(".wb-log__line")).to_have_count(1)
    page.goto("/log")
    page.get_by_role("button", name="Clear").click()
    answer(page, "Empty the scheduler's log?", "Empty the log")
    expect_notice(page, "The log is empty now.")
    expect(page.locator("main")).not_to_contain_text("old line")
