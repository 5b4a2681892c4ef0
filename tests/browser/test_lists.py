"""Long lists: ticking rows and doing something with them, columns, saved views, filters, pages by key and exports."""

from __future__ import annotations

import csv
import json
import re
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser import many_rows
from tests.browser.installations import PAGE_ONLY, answer, expect_notice, window
from tests.browser.many_rows import RUN_ROWS, ids, names, tick, ticked
from tests.browser.test_every_page import judge, require_order
from tests.database import add_run
from watchbell import clock
from watchbell.domain.run_state import RunState

TASK_ROWS = "#tasks tbody tr"
PHONE = {"viewport": {"width": 360, "height": 800}, "color_scheme": "dark", "reduced_motion": "reduce"}


@pytest.fixture(scope="module")
def installation(launch):
    """Give a page without a scheduler."""
    house = launch(*PAGE_ONLY)
    many_rows.fill(house)
    return house


def enabled(installation) -> int:
    return installation.rows("SELECT count(*) FROM task WHERE enabled AND deleted_at IS NULL")[0][0]


def test_a_click_with_shift_ticks_all_between_and_the_head_all_of_the_page(page: Page) -> None:
    page.goto("/tasks")
    expect(page.locator(".wb-bulk")).to_be_hidden()
    tick(page, "task-03")
    page.get_by_role("checkbox", name="Select task-07").click(modifiers=["Shift"])
    expect(page.locator("[data-bulk-count]")).to_have_text("5 selected")

    page.get_by_role("checkbox", name="Select all rows of this page").check()
    assert ticked(page) == 25
    page.get_by_role("checkbox", name="Select all rows of this page").uncheck()
    assert ticked(page) == 0
    expect(page.locator(".wb-bulk")).to_be_hidden()


def test_ticked_tasks_are_disabled_after_a_question_that_names_them(page: Page, installation) -> None:
    before = enabled(installation)
    page.goto("/tasks?q=task-0")
    tick(page, "task-02", "task-03")
    page.locator(".wb-bulk").get_by_role("button", name="Disable").click()
    dialog = page.get_by_role("dialog", name="Disable 2 tasks?")
    expect(dialog.get_by_role("listitem")).to_have_text(["task-02", "task-03"])
    answer(page, "Disable 2 tasks?", "Disable")
    expect_notice(page, "2 disabled.")
    expect(page).to_have_url(re.compile("q=task-0"))
    assert enabled(installation) == before - 2

    # What needs no question is done at once, and what was so already is told.
    tick(page, "task-02", "task-03", "task-04")
    page.locator(".wb-bulk").get_by_role("button", name="Enable").click()
    expect_notice(page, "2 enabled. 1 was so already.")
    assert enabled(installation) == before


def test_many_tasks_are_switched_back_by_undo_which_leaves_alone_what_was_so_already(page: Page, installation) -> None:
    before = enabled(installation)
    page.goto("/tasks")
    page.get_by_label("Search tasks").fill("task-0")
    expect(page.locator(TASK_ROWS)).to_have_count(10)
    tick(page, "task-05")
    page.locator(".wb-bulk").get_by_role("button", name="Disable").click()
    answer(page, "Disable 1 task?", "Disable")
    expect_notice(page, "1 disabled.")
    tick(page, "task-05", "task-06")
    page.locator(".wb-bulk").get_by_role("button", name="Disable").click()
    answer(page, "Disable 2 tasks?", "Disable")
    expect_notice(page, "1 disabled. 1 was so already.")
    page.get_by_role("button", name="Undo").click()
    expect_notice(page, "1 enabled.")
    expect(page).to_have_url(re.compile("q=task-0"))
    assert installation.rows("SELECT name FROM task WHERE NOT enabled") == [("task-05",)]
    # What was taken back can be done again.
    page.get_by_role("button", name="Undo").click()
    expect_notice(page, "1 disabled.")
    installation.execute("UPDATE task SET enabled = 1")
    assert enabled(installation) == before


def test_everything_that_matches_is_asked_for_by_the_server_which_knows_the_names(page: Page, installation) -> None:
    page.goto("/tasks?tag=nightly")
    expect(page.locator(TASK_ROWS)).to_have_count(10)
    tick(page, "task-00")
    page.get_by_label("all 10 that match").check()
    page.locator(".wb-bulk").get_by_role("button", name="Disable").click()
    expect(page.get_by_role("heading", name="Disable 10 tasks?")).to_be_visible()
    expect(page.locator(".wb-names li")).to_have_count(10)
    assert judge(page) == []
    page.get_by_role("button", name="Disable").click()
    expect_notice(page, "10 disabled.")
    assert installation.rows("SELECT count(*) FROM task WHERE NOT enabled") == [(10,)]
    installation.execute("UPDATE task SET enabled = 1")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_tags_are_given_and_taken(browser, installation, scripts: bool) -> None:
    with window(browser, installation, java_script_enabled=scripts) as page:
        for button, act, tags in (("Tag…", "Add tags", ["weekly"]), ("Untag…", "Take tags away", [])):
            page.goto("/tasks?q=task-1")
            tick(page, "task-11", "task-13")
            page.locator(".wb-bulk").get_by_role("button", name=button, exact=True).click()
            page.get_by_label("Tags").fill("weekly")
            page.get_by_role("button", name=act).click()
            expect_notice(page, "2 tagged." if tags else "2 untagged.")
            stored = installation.rows("SELECT tags FROM task WHERE name IN ('task-11', 'task-13')")
            assert [json.loads(row[0]) for row in stored] == [tags, tags]


def test_what_refuses_is_told_with_its_reason_and_the_rest_is_done(page: Page, installation) -> None:
    task = installation.rows("SELECT id FROM task WHERE name = 'task-20'")[0][0]
    waiting = installation.add("waits", "true")
    made = add_run(installation.db, waiting, RunState.QUEUED, "man:waits", due_at=clock.now())
    page.goto("/runs")
    first = ids(page)[1]
    tick(page, f"waits #{made.id}")
    page.locator(f"#run-{first} input[name=id]").check()
    page.locator(".wb-bulk").get_by_role("button", name="Cancel").click()
    answer(page, "Cancel 2 runs?", "Cancel runs")
    expect_notice(page, "1 cancelled.")
    expect_notice(page, re.compile(r"1 was refused: .*has ended already"))
    assert installation.rows("SELECT state FROM run WHERE id = ?", made.id) == [("cancelled",)]
    assert task
    installation.execute("DELETE FROM run_event WHERE run_id = ?", made.id)
    installation.execute("DELETE FROM run WHERE id = ?", made.id)


def test_columns_are_chosen_remembered_and_stand_in_the_address(page: Page) -> None:
    page.goto("/tasks")
    page.get_by_label("Columns and rows").click()
    page.get_by_role("checkbox", name="Command").check()
    page.get_by_role("checkbox", name="Owner").uncheck()
    page.get_by_label("Rows a page").select_option("50")
    page.get_by_role("button", name="Show so").click()
    expect(page).to_have_url(re.compile(r"cols=name\.schedule.*command.*length=50"))
    heads = ["Task", "Schedule", "Next", "Last 30 runs", "Usual", "Command", "Tags"]
    assert page.locator("#tasks thead th").all_inner_texts()[1:-1] == heads
    page.goto("/tasks")
    assert page.locator("#tasks thead th").all_inner_texts()[1:-1] == heads
    expect(page.locator(TASK_ROWS)).to_have_count(41 if "waits" in names(page) else 40)

    # The script asks for the same columns.
    page.get_by_role("searchbox", name="Search tasks").fill("task-39")
    expect(page.locator(TASK_ROWS)).to_have_count(1)
    expect(page.locator(f"{TASK_ROWS} code")).to_have_text("true")


def test_a_view_is_saved_opened_by_its_link_met_first_and_given_up(page: Page, browser, installation) -> None:
    page.goto("/runs?state=failed&task=task-01")
    page.get_by_label("Saved views").click()
    page.get_by_label("Save this view as").fill("Fails of 01")
    page.get_by_label("Show it first").check()
    page.get_by_role("button", name="Save view").click()
    expect_notice(page, "The view Fails of 01 is saved.")
    page.get_by_label("Saved views").click()
    link = page.get_by_role("link", name="Fails of 01")
    expect(link).to_have_attribute("aria-current", "true")
    address = link.get_attribute("href") or ""
    page.goto("/runs")
    expect(page).to_have_url(re.compile("state=failed.*task=task-01"))
    page.get_by_role("link", name="Clear").click()
    expect(page).to_have_url(re.compile(r"/runs\?view=all$"))
    expect(page.locator(RUN_ROWS)).to_have_count(50)
    with window(browser, installation, java_script_enabled=False) as other:
        other.goto(address)
        expect(other).to_have_url(re.compile("state=failed.*task=task-01"))

        other.get_by_label("Saved views").click()
        other.get_by_role("link", name="Manage views").click()
        other.get_by_label("New name of Fails of 01").fill("Fails")
        other.get_by_role("button", name="Rename").click()
        expect_notice(other, "The view is called Fails now.")
        other.get_by_role("button", name="Do not show Fails first").click()
        expect_notice(other, "The whole list is shown first.")
        other.get_by_label("Delete the view Fails?").check()
        other.get_by_role("button", name="Delete Fails").click()
        expect_notice(other, "The view Fails is deleted.")
    page.goto("/runs")
    expect(page).to_have_url(re.compile(r"/runs$"))


def test_pages_are_turned_by_key_without_loading_the_page_anew(page: Page) -> None:
    page.goto("/runs?view=all")
    page.evaluate("window.isStillThere = true")
    seen = ids(page)
    page.get_by_role("link", name="Older").click()
    expect(page.locator(f"#run-{seen[0]}")).to_have_count(0)
    second = ids(page)
    page.get_by_role("link", name="Oldest").click()
    expect(page.locator("#run-1")).to_be_visible()
    assert len(ids(page)) == 50
    page.get_by_role("link", name="Newest").click()
    expect(page.locator(f"#run-{seen[0]}")).to_be_visible()
    assert page.evaluate("window.isStillThere")
    assert max(second) < min(seen)

    page.go_back()
    expect(page.locator("#run-1")).to_be_visible()


def test_rows_follow_while_one_types_and_so_does_all_that_leads_on(page: Page, installation) -> None:
    page.goto("/runs?view=all")
    page.evaluate("window.isStillThere = true")
    page.get_by_role("searchbox", name="Search runs").press_sequentially("task-04")
    expect(page.locator(".wb-answer")).to_contain_text("20 runs")
    page.locator(".wb-chips").get_by_role("link", name="succeeded").click()
    expect(page).to_have_url(re.compile("(?=.*q=task-04)(?=.*state=succeeded)"))
    expect(page.locator(".wb-chip[aria-current]")).to_have_count(1)
    page.locator("select[name=since]").select_option("7d")
    expect(page).to_have_url(re.compile("(?=.*q=task-04)(?=.*state=succeeded)(?=.*since=7d)"))
    expect(page.locator(".wb-answer")).to_contain_text("the last 7 days")
    expect(page.locator("a[href*='runs.csv']")).to_have_attribute(
        "href", re.compile("(?=.*q=task-04)(?=.*state=succeeded)")
    )
    page.get_by_role("searchbox", name="Search runs").fill("nothing like this")
    expect(page.locator("#runs tbody")).to_contain_text("No run matches.")
    assert page.evaluate("window.isStillThere")
    page.go_back()
    expect(page).to_have_url(re.compile("(?=.*q=task-04)(?!.*since=7d)"))
    expect(page.get_by_role("searchbox", name="Search runs")).to_have_value("task-04")


def test_the_oldest_runs_come_first_when_the_head_is_clicked(page: Page) -> None:
    page.goto("/runs?view=all")
    page.get_by_role("columnheader", name=re.compile("^Run")).click()
    expect(page.locator(RUN_ROWS).first).to_have_id("run-1")
    expect(page).to_have_url(re.compile("order=id"))
    page.get_by_role("link", name="Newer").click()
    expect(page.locator(RUN_ROWS).first).to_have_id("run-51")
    page.reload()
    expect(page.locator(RUN_ROWS).first).to_have_id("run-51")
    page.get_by_label("Search runs").fill("task")
    expect(page.get_by_role("columnheader", name=re.compile("^Run"))).to_have_attribute("aria-sort", "descending")
    expect(page).to_have_url(re.compile(r"/runs\?q=task$"))


def test_an_order_that_a_head_gave_stays_with_what_leads_on_from_the_list(page: Page) -> None:
    page.goto("/runs?view=all")
    page.get_by_role("columnheader", name=re.compile("^Run")).click()
    expect(page.locator(RUN_ROWS).first).to_have_id("run-1")
    page.get_by_label("Saved views").click()
    page.get_by_label("Save this view as").fill("First")
    page.get_by_role("button", name="Save view").click()
    expect_notice(page, "The view First is saved.")
    expect(page).to_have_url(re.compile("order=id"))
    page.goto("/runs?view=all")
    page.get_by_role("columnheader", name=re.compile("^Run")).click()
    expect(page.locator(RUN_ROWS).first).to_have_id("run-1")
    page.locator("select[name=since]").select_option("7d")
    expect(page).to_have_url(re.compile("(?=.*since=7d)(?=.*order=id)"))


def test_a_sentence_says_of_which_few_tasks_most_are(page: Page) -> None:
    page.goto("/runs?state=failed&state=succeeded&since=7d")
    expect(page.locator(".wb-answer")).to_contain_text("160 runs that are failed or succeeded")
    expect(page.locator(".wb-answer")).to_contain_text("120 of them are of task-01.")


def test_an_export_holds_all_that_is_filtered_or_what_was_ticked(page: Page, installation) -> None:
    page.goto("/runs?state=failed")
    page.locator("main").get_by_label("Export", exact=True).first.click()
    with page.expect_download() as coming:
        page.get_by_role("link", name="CSV").click()
    rows = list(csv.DictReader(coming.value.path().read_text().splitlines()))
    assert len(rows) == 120
    assert {row["state"] for row in rows} == {"failed"}
    page.keyboard.press("Escape")
    chosen = ids(page)[2:4]
    for number in chosen:
        page.locator(f"#run-{number} input[name=id]").check()
    for _time in range(2):
        with page.expect_download() as coming:
            page.locator(".wb-bulk").get_by_role("button", name="Export").click()
        assert [int(row["id"]) for row in csv.DictReader(coming.value.path().read_text().splitlines())] == chosen


def test_a_time_from_and_to_is_chosen_behind_the_button_of_filters(page: Page) -> None:
    page.goto("/runs?view=all")
    expect(page.get_by_label("Due from")).to_be_hidden()
    page.locator(".wb-more-filters > summary").click()
    now = clock.now()
    page.get_by_label("Due from").fill((now - timedelta(minutes=90)).strftime("%Y-%m-%dT%H:%M"))
    page.get_by_label("Due until").fill((now - timedelta(minutes=60)).strftime("%Y-%m-%dT%H:%M"))
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(RUN_ROWS).nth(32)).to_have_count(0)
    assert 29 <= len(ids(page)) <= 32
    expect(page.locator(".wb-answer")).to_contain_text("due from")
    expect(page.locator(".wb-more-filters > summary")).to_contain_text("2")
    page.go_back()
    expect(page.locator(RUN_ROWS)).to_have_count(50)
    expect(page.get_by_label("Due from")).to_have_value("")


def test_without_scripts_one_ticks_is_asked_and_told(browser, installation) -> None:
    with window(browser, installation, java_script_enabled=False) as page:
        page.goto("/tasks?q=task-3")
        tick(page, "task-31", "task-32")
        page.locator(".wb-bulk").get_by_role("button", name="Disable").click()
        expect(page.get_by_role("heading", name="Disable 2 tasks?")).to_be_visible()
        page.get_by_role("button", name="Disable").click()
        expect_notice(page, "2 disabled.")
        expect(page).to_have_url(re.compile("q=task-3"))
        page.get_by_label("Columns and rows").click()
        page.get_by_label("Rows a page").select_option("100")
        page.get_by_role("button", name="Show so").click()
        expect(page).to_have_url(re.compile("length=100"))
        page.goto("/runs?order=id&length=25")
        expect(page.locator(RUN_ROWS).first).to_have_id("run-1")
        page.get_by_role("link", name="Newer").click()
        expect(page.locator(RUN_ROWS).first).to_have_id("run-26")
    installation.execute("UPDATE task SET enabled = 1")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_next_runs_are_filtered_turned_page_by_page_and_saved(browser, installation, scripts: bool) -> None:
    moments, tag = "tbody tr time", f"listed-{scripts}".lower()
    # Of its own, since what others have switched by hand in the database has no next moment.
    hour = (clock.now().hour + 12) % 24
    for number in range(10):
        installation.add(f"{tag}-{number}", "true", cron=f"{number} {hour} * * *", tags=[tag])
    with window(browser, installation, java_script_enabled=scripts) as page:
        page.goto("/next-runs?view=all")
        page.locator(".wb-more-filters > summary").click()
        page.get_by_label("Tag", exact=True).fill(tag)
        page.get_by_role("button", name="Show", exact=True).click()
        expect(page.locator(".wb-answer")).to_contain_text("10 tasks are due in the next 24 hours")
        page.get_by_role("link", name="7 days").click()
        expect(page.locator(moments)).to_have_count(30)
        expect(page.locator(".wb-goes-on")).to_have_count(10)
        page.get_by_role("link", name="All", exact=True).click()
        # Only when its rows are there does the form of the columns know of the choice, too.
        expect(page.locator(moments)).to_have_count(50)
        page.get_by_label("Columns and rows").click()
        page.get_by_label("Rows a page").select_option("25")
        page.get_by_role("button", name="Show so").click()
        expect(page.locator(moments)).to_have_count(25)
        first = page.locator(moments).first.get_attribute("datetime")
        for _page in range(2):
            begins = str(page.locator(moments).first.get_attribute("datetime"))
            page.get_by_role("link", name="Later").click()
            expect(page.locator(moments).first).not_to_have_attribute("datetime", begins)
        expect(page.locator(moments)).to_have_count(20)
        expect(page.get_by_role("link", name="Later")).to_have_count(0)
        page.get_by_role("link", name="Earlier").click()
        expect(page.locator(moments)).to_have_count(25)
        page.get_by_role("link", name="From now on").click()
        expect(page.locator(moments).first).to_have_attribute("datetime", str(first))

        name = f"Of the night {scripts}"
        page.get_by_label("Saved views").click()
        page.get_by_label("Save this view as").fill(name)
        page.get_by_role("button", name="Save view").click()
        expect_notice(page, f"The view {name} is saved.")
        page.goto("/next-runs?view=all")
        page.get_by_label("Saved views").click()
        page.get_by_role("link", name=name).click()
        expect(page).to_have_url(re.compile(f"tag={tag}"))
        expect(page.locator(moments)).to_have_count(25)
        assert f"tag={tag}" in str(page.locator("a[href*='next-runs.csv']").get_attribute("href"))


@pytest.mark.parametrize("look", [{}, PHONE], ids=["desktop", "phone"])
def test_lists_with_all_that_opens_are_in_order(browser, installation, look) -> None:
    found = {}
    with window(browser, installation, **look) as page:
        for path in ("/tasks?tag=nightly&length=200", "/runs?state=failed&from=2026-01-01"):
            page.goto(path)
            page.locator("tbody input[name=id]").first.check()
            found[path] = judge(page)
        for path in (
            "/next-runs?within=7d&each=all&length=25&user=&tag=nightly&cols=task.in.here.there.schedule.owner.tags.command",
            "/audit?kind=task&until=2026-01-01",
            "/audit?until=2999-01-01T00:00&cols=what.when.who.of.from.more.id&length=25",
        ):
            page.goto(path)
            found[path] = judge(page)
        # Without rows, of which an open menu would cover halves, as it does of the buttons below it on a phone.
        for path in () if look else ("/tasks?tag=none", "/runs?task=none", "/next-runs?tag=none", "/audit?q=none"):
            page.goto(path)
            for label in ("Saved views", "Columns and rows"):
                menu = page.locator("main").get_by_label(label, exact=True)
                menu.first.click()
                found[f"{path} {label}"] = judge(page)
                page.keyboard.press("Escape")
        page.goto("/views")
        found["views"] = judge(page)
    require_order(found)
