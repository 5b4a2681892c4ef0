"""Making, changing and deleting tasks in the browser."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser.installations import expect_notice, expect_run, terminal, window

MOMENTS = "#preview .wb-moments li"
IN_TWO_YEARS = datetime.now(UTC).year + 2


def describe(page: Page, name: str, command: str = "echo done", kind: str = "Cron text", **fields: str) -> None:
    """Fill the form of a new task; the names of the fields are those of the form."""
    page.goto("/tasks/new")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Command", exact=True).fill(command)
    page.get_by_role("radio", name=kind).check()
    for field, value in fields.items():
        control = page.locator(f"#{field}")
        if control.evaluate("e => e.tagName") == "SELECT":
            control.select_option(label=value)
        else:
            control.fill(value)


def save(page: Page) -> None:
    page.get_by_role("button", name="Create task").click()


KINDS = [
    ("Cron text", {"cron": "*/5 8-17 * * mon-fri"}, 10, "every fifth minute"),
    ("Every so often", {"every": "90", "unit": "seconds"}, 10, "every 90 seconds"),
    ("Once, at a moment", {"at": f"{IN_TWO_YEARS}-12-01T09:30"}, 1, "once at"),
    ("Every … at …", {"every_word": "every Monday", "at_time": "09:30"}, 10, "every Monday"),
    ("Only by hand", {}, 0, "only when run by hand"),
]


@pytest.mark.parametrize(("kind", "fields", "moments", "sentence"), KINDS, ids=lambda given: str(given)[:14])
def test_every_kind_of_schedule_is_previewed_and_saved(page: Page, kind, fields, moments, sentence) -> None:
    name = f"of kind {kind}"
    describe(page, name, kind=kind, **fields)
    expect(page.locator(".wb-preview__sentence")).to_contain_text(re.compile(sentence, re.IGNORECASE))
    expect(page.locator(MOMENTS)).to_have_count(moments)
    first = page.locator(MOMENTS).first.locator("time").get_attribute("datetime") if moments else None

    save(page)
    expect_notice(page, f"{name} is saved.")
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()
    expect(page.locator(".wb-answer")).to_contain_text(re.compile(sentence, re.IGNORECASE))
    if first and kind != "Every so often":
        expect(page.locator("#next time").first).to_have_attribute("datetime", first)


def last_sunday(year: int, month: int) -> datetime:
    day = datetime(year, month, 31, tzinfo=UTC)
    return day - timedelta(days=(day.weekday() + 1) % 7)


def test_the_preview_says_what_the_next_clock_changes_do(page: Page) -> None:
    now = datetime.now(UTC)
    changes = sorted(
        day for year in (now.year, now.year + 1) for month in (3, 10) for day in [last_sunday(year, month)]
    )
    coming = [day for day in changes if day + timedelta(hours=1) > now][:2]
    describe(page, "at half past two", cron="30 2 * * *", zone="Europe/Berlin")
    notes = page.locator("#preview .wb-clock-change")
    expect(notes).to_have_count(2)

    for note, day in zip(notes.all(), coming, strict=True):
        expect(note).to_contain_text(f"{day:%a %Y-%m-%d}")
        if day.month == 3:
            expect(note).to_contain_text("from 02:00 to 03:00")
            expect(note.get_by_role("listitem")).to_have_text("due 03:00:00 CEST = 01:00:00 UTC")
        else:
            expect(note).to_contain_text("from 03:00 to 02:00")
            expect(note.get_by_role("listitem")).to_have_text("due 02:30:00 CEST = 00:30:00 UTC")
    page.get_by_label("When the clock changes").select_option("skip")
    expect(page.locator("#preview")).to_contain_text("02:30 does not exist then and is skipped")


def test_the_preview_says_at_once_what_is_wrong(page: Page) -> None:
    describe(page, "wrong", cron="61 2 * * *")

    expect(page.locator("#preview")).to_contain_text("Not a schedule yet")
    expect(page.locator(".wb-preview__problems")).to_contain_text("For example")


REFUSED = [
    ("Cron text", {"cron": "61 2 * * *"}, "cron"),
    ("Cron text", {"cron": "0 2 * * *", "zone": "Europe/Atlantis"}, "zone"),
    ("Every so often", {"every": "0", "unit": "minutes"}, "every"),
    ("Every … at …", {"every_word": "every day", "at_time": "25:00"}, "at_time"),
    ("Cron text", {"cron": "0 2 * * *", "directory": "/no/such/folder"}, "directory"),
    ("Cron text", {"cron": "0 2 * * *", "command": " "}, "command"),
    ("Cron text", {"cron": "0 2 * * *", "name": ""}, "name"),
]


@pytest.mark.parametrize(("kind", "fields", "wrong"), REFUSED, ids=lambda given: str(given)[:40])
def test_what_is_refused_stands_at_its_field_with_an_example_and_nothing_is_lost(page, kind, fields, wrong) -> None:
    given = {"name": "refused", "command": "echo 'kept as typed' | cat", **fields}
    describe(page, given.pop("name"), given.pop("command"), kind=kind, **given)
    save(page)
    summary = page.get_by_role("alert")
    expect(summary).to_contain_text("Nothing was saved.")
    expect(summary).to_be_focused()

    field = page.locator(f"#{wrong}")
    expect(field).to_have_attribute("aria-invalid", "true")
    assert field.get_attribute("aria-describedby").split()[0] == f"{wrong}-error"
    expect(page.locator(f"#{wrong}-error")).to_be_visible()
    expect(page.locator(f"#{wrong}-error")).to_contain_text("or example")
    for name, typed in {"command": "echo 'kept as typed' | cat", **fields}.items():
        if name not in {"unit", "every_word"}:
            expect(page.locator(f"#{name}")).to_have_value(typed)
    summary.get_by_role("link").first.click()
    expect(field).to_be_focused()


def test_a_name_that_is_taken_is_said_at_the_name(page: Page, installation) -> None:
    installation.add("taken", "true")
    describe(page, "taken", cron="0 2 * * *")
    save(page)

    expect(page.locator("#name-error")).to_contain_text(re.compile("taken|exists|already"))
    expect(page.locator("#name")).to_have_value("taken")
    expect(page.locator("#cron")).to_have_value("0 2 * * *")
    page.get_by_label("Name", exact=True).fill("not taken")
    save(page)
    expect_notice(page, "not taken is saved.")


def test_a_crontab_line_is_taken_apart_when_it_is_pasted(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/tasks/new")
    page.get_by_label("Name", exact=True).fill("from cron")
    cron = page.locator("#cron")
    cron.focus()
    page.evaluate("navigator.clipboard.writeText('15 3 * * 1-5 /usr/bin/find /tmp -name core\\n')")
    page.keyboard.press("ControlOrMeta+V")

    expect(cron).to_have_value("15 3 * * 1-5")
    expect(page.get_by_label("Command", exact=True)).to_have_value("/usr/bin/find /tmp -name core")
    expect(page.locator("[data-pasted-note]")).to_be_visible()
    save(page)
    expect_notice(page, "from cron is saved.")


def test_a_task_is_changed_and_both_versions_are_named(page: Page, installation) -> None:
    task = installation.add("to be changed", "echo one", cron="0 4 * * *")
    page.goto(f"/tasks/{task.id}")
    page.get_by_role("link", name="Edit").click()
    expect(page.locator("#cron")).to_have_value("0 4 * * *")
    page.get_by_label("Command", exact=True).fill("echo two")
    page.get_by_role("button", name="Save").click()

    expect_notice(page, "to be changed is saved.")
    expect(page.locator("#definition .wb-code").first).to_have_text("echo two")
    expect(page.locator("#versions li")).to_have_count(2)


def test_what_somebody_else_has_saved_meanwhile_is_not_overwritten_unseen(page: Page, installation) -> None:
    task = installation.add("edited by two", "echo one", cron="0 4 * * *")
    page.goto(f"/tasks/{task.id}/edit")
    other = page.context.new_page()
    other.goto(f"/tasks/{task.id}/edit")
    other.get_by_label("Command", exact=True).fill("echo theirs")
    other.get_by_role("button", name="Save").click()
    expect_notice(other, "is saved")
    page.get_by_label("Command", exact=True).fill("echo mine")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("alert")).to_contain_text("You have saved this task elsewhere while you were editing it")
    expect(page.get_by_role("alert")).to_be_focused()
    row = page.get_by_role("table", name="Differences").get_by_role("row").filter(has_text="Command")
    expect(row).to_contain_text("echo theirs")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#definition .wb-code").first).to_have_text("echo mine")


def test_a_task_is_disabled_enabled_copied_and_deleted(browser, installation) -> None:
    task = installation.add("the one", "echo hello", cron="0 4 * * *")
    # The page may still look after itself when what it shows is deleted.
    with window(browser, installation, expected={404, 410}) as page:
        page.goto(f"/tasks/{task.id}")
        page.get_by_role("button", name="Disable").click()
        expect_notice(page, "the one is disabled: it will not start by itself.")
        expect(page.locator("#next")).to_contain_text("None while it is disabled.")
        page.get_by_role("button", name="Enable").click()
        expect_notice(page, "the one is enabled. Next at")

        page.get_by_label("More", exact=True).click()
        page.get_by_role("button", name="Copy").click()
        expect(page.get_by_label("Name", exact=True)).to_have_value(re.compile("the one.+"))
        expect(page.locator("#enabled")).not_to_be_checked()
        expect(page.get_by_label("Command", exact=True)).to_have_value("echo hello")

        page.goto(f"/tasks/{task.id}")
        page.get_by_label("More", exact=True).click()
        page.get_by_role("button", name="Delete").click()
        expect_notice(page, "the one is deleted. Its runs stay in the history.")
        page.get_by_role("button", name="Undo").click()
        expect_notice(page, "the one is there again, with its runs and versions.")
        page.get_by_label("More", exact=True).click()
        page.get_by_role("button", name="Delete").click()
        expect_notice(page, "the one is deleted. Its runs stay in the history.")
        expect(page.get_by_role("row").filter(has=page.get_by_text("the one", exact=True))).to_have_count(0)


def test_run_now_leads_to_the_run_and_its_output(page: Page, installation) -> None:
    task = installation.add("by hand", "echo 'here I am'")
    page.goto(f"/tasks/{task.id}")
    page.get_by_role("button", name="Run now").click()

    expect_run(page, "succeeded")
    expect(terminal(page)).to_contain_text("here I am")
    expect(page.locator(".wb-run-head")).to_contain_text("admin")
