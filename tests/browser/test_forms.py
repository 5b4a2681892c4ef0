"""What forms do for people: nothing typed is lost, nothing is sent twice, tasks come from elsewhere after a look."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.installations import answer, expect_notice, window
from tests.browser.test_every_page import judge

CRONTAB = """\
# every night
30 2 * * * /usr/local/bin/backup.sh
61 * * * * never
@hourly rotate-logs
"""
GUARDED = [
    ("/tasks/new", "Name", "Tasks"),
    ("/queues/edit", "Name", "Queues"),
    ("/pause?scope=everything", "Reason", "Back"),
]


@pytest.mark.parametrize(("path", "field", "back"), GUARDED, ids=lambda given: given)
def test_leaving_with_something_typed_asks_first(page: Page, path: str, field: str, back: str) -> None:
    page.goto(path)
    page.locator("main").get_by_role("link", name=back, exact=True).first.click()
    page.wait_for_url(re.compile(f"^(?!.*{re.escape(path)})"))

    page.goto(path)
    page.get_by_label(field, exact=False).first.fill("half typed")
    page.locator("main").get_by_role("link", name=back, exact=True).first.click()
    page.get_by_role("dialog", name="Leave without saving?").get_by_role("button", name="Cancel").click()
    expect(page.get_by_label(field, exact=False).first).to_have_value("half typed")
    page.locator("main").get_by_role("link", name=back, exact=True).first.click()
    answer(page, "Leave without saving?", "Leave")
    page.wait_for_url(re.compile(f"^(?!.*{re.escape(path)})"))


def test_closing_and_reloading_ask_too_and_menus_and_saving_do_not(page: Page) -> None:
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.goto("/queues/edit")
    page.get_by_label("Theme", exact=True).click()
    page.get_by_role("button", name="Dark").click()
    page.reload()
    assert asked == []

    page.get_by_label("Name", exact=True).fill("guarded")
    page.reload()
    assert asked == ["beforeunload"]
    page.get_by_label("Name", exact=True).fill("guarded")
    page.get_by_role("button", name="Create queue").click()
    expect_notice(page, "guarded")
    assert asked == ["beforeunload"]


def test_what_was_refused_is_still_guarded(page: Page) -> None:
    page.goto("/tasks/new")
    page.get_by_role("button", name="Create task").click()
    expect(page.get_by_role("alert")).to_be_focused()
    page.locator("main").get_by_role("link", name="Tasks", exact=True).click()

    expect(page.get_by_role("dialog", name="Leave without saving?")).to_be_visible()


PRESS_TWICE = """button => {
  const left = [];
  addEventListener("submit", (event) => left.push(!event.defaultPrevented));
  button.click();
  const seen = [button.getAttribute("aria-busy"), button.textContent.trim()];
  button.click();
  return [left, ...seen];
}"""


def test_a_form_that_was_sent_says_so_and_is_not_sent_twice(page: Page) -> None:
    page.goto("/tasks/import")
    page.locator("#text").fill(CRONTAB)
    button = page.get_by_role("button", name="Show what would be made")

    assert button.evaluate(PRESS_TWICE) == [[True, False], "true", "Reading…"]
    expect(page.locator("#offers")).to_be_visible()


def test_enter_in_the_name_of_a_set_keeps_it_and_starts_nothing(page: Page, installation) -> None:
    task = installation.add("asks", "true", parameters=[{"name": "region", "type": "text", "default": "north"}])
    page.goto(f"/tasks/{task.id}/run")
    page.get_by_text("Keep these values as a set").click()
    page.get_by_label("Name of the set").fill("usual")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="usual")).to_have_attribute("aria-current", "true")
    assert installation.rows("SELECT count(*) FROM run WHERE task_id = ?", task.id) == [(0,)]


def test_a_crontab_is_looked_at_chosen_from_and_imported_by_keyboard(page: Page, installation) -> None:
    page.goto("/tasks")
    page.keyboard.press("i")
    page.wait_for_url("**/tasks/import")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.insert_text(CRONTAB)
    for _ in range(5):
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Show what would be made")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.locator("#offers tbody tr")).to_have_count(3)
    expect(page.locator("[data-pick-count]")).to_have_text("2 of 2 ticked")
    expect(page.locator("#offers tbody tr").nth(1)).to_contain_text("cannot be imported")
    page.get_by_label("rotate-logs").focus()
    page.keyboard.press("Space")
    expect(page.locator("[data-pick-count]")).to_have_text("1 of 2 ticked")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Import what is ticked")).to_be_focused()
    page.keyboard.press("Enter")
    expect_notice(page, "1 added (backup)")
    assert installation.rows("SELECT name FROM task WHERE name IN ('backup', 'rotate-logs')") == [("backup",)]


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_an_export_comes_back_as_a_file_on_a_phone(browser, installation, scripts: bool, tmp_path) -> None:
    name = f"travelled {scripts}"
    installation.add(name, f"echo there and back {scripts}", cron="0 5 * * *")
    look = {"viewport": {"width": 360, "height": 800}, "java_script_enabled": scripts, "color_scheme": "dark"}
    with window(browser, installation, **look) as page:
        page.goto("/tasks")
        page.get_by_label("More", exact=True).click()
        with page.expect_download() as coming:
            page.get_by_role("link", name="Definitions as JSON").click()
        document = json.loads(coming.value.path().read_text())
        document["tasks"] = [{**task, "name": f"{name} again"} for task in document["tasks"] if task["name"] == name]
        file = tmp_path / "tasks.json"
        file.write_text(json.dumps(document))
        page.goto("/tasks/import")
        page.get_by_label("Or choose a file").set_input_files(file)
        page.get_by_role("button", name="Show what would be made").click()
        expect(page.locator("#offers")).to_contain_text(f"Does the same as task {name}.")
        page.get_by_label(f"{name} again").check()
        if scripts:
            assert judge(page) == []
        page.get_by_role("button", name="Import what is ticked").click()
        expect_notice(page, f"1 added ({name} again)")


def paste(page: Page, text: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("text => navigator.clipboard.writeText(text)", text)
    page.keyboard.press("ControlOrMeta+V")


def test_pasted_crontab_lines_fill_the_form_and_undo_empties_it_again(page: Page) -> None:
    lines = "PATH=/bin\n# nightly\n15 3 * * 1-5 root /usr/bin/tidy.sh # quickly"
    page.goto("/tasks/new")
    command = page.get_by_label("Command", exact=True)
    command.focus()
    paste(page, lines)

    note = page.locator("[data-pasted-note]")
    expect(note).to_contain_text("The user root in it was left out")
    filled = {
        "#name": "tidy",
        "#command": "/usr/bin/tidy.sh",
        "#cron": "15 3 * * 1-5",
        "#environment": "PATH=/bin",
        "#comment": "nightly\nquickly",
    }
    for field, text in filled.items():
        expect(page.locator(field)).to_have_value(text)
        expect(page.locator(field)).to_be_visible()
    note.get_by_role("button", name="Undo").click()
    for field in filled:
        expect(page.locator(field)).to_have_value(lines if field == "#command" else "")
    expect(note).to_have_count(0)
    # It is not taken apart a second time.
    page.locator("#cron").fill("0 4 * * *")
    expect(page.locator(".wb-preview__sentence")).to_contain_text("At 04:00")
    expect(command).to_have_value(lines)


def test_a_field_is_called_wrong_when_it_is_left_and_right_again_while_typing(page: Page, installation) -> None:
    installation.add("there already", "true")
    page.goto("/tasks/new")
    name = page.get_by_label("Name", exact=True)
    name.press_sequentially("there already")
    expect(page.locator(".wb-preview__problems, #preview p").first).to_be_visible()
    expect(page.locator("#name-error")).to_have_count(0)
    name.press("Tab")
    expect(page.locator("#name-error")).to_have_text("Another task has this name already.")
    expect(name).to_have_attribute("aria-invalid", "true")
    expect(name).to_have_attribute("aria-describedby", re.compile("name-error"))
    assert judge(page) == []
    name.fill("not there yet")
    expect(page.locator("#name-error")).to_have_count(0)
    expect(name).not_to_have_attribute("aria-invalid", "true")
    # Nobody has been in the command, so nothing is said of it.
    expect(page.locator("#command-error")).to_have_count(0)
    page.locator("#how-retries > summary").click()
    page.get_by_label("Retries", exact=True).fill("3")
    expect(page.locator("[data-how-words=retries]")).to_contain_text("tries again after")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_two_people_settle_field_by_field_on_a_phone(browser, installation, scripts: bool) -> None:
    task = installation.add(f"settled {scripts}", "echo one", cron="0 4 * * *", comment="one")
    look = {"viewport": {"width": 360, "height": 800}, "java_script_enabled": scripts}
    with window(browser, installation, **look) as page, window(browser, installation) as other:
        page.goto(f"/tasks/{task.id}/edit")
        other.goto(f"/tasks/{task.id}/edit")
        for who, words in ((other, "theirs"), (page, "mine")):
            who.get_by_label("Command", exact=True).fill(f"echo {words}")
        other.get_by_label("Comment").fill("theirs")
        page.locator("#cron").fill("0 5 * * *")
        other.get_by_role("button", name="Save").click()
        expect_notice(other, "is saved")
        page.get_by_role("button", name="Save").click()
        table = page.get_by_role("table", name="Differences")
        rows = {name: table.locator("tr").filter(has_text=name) for name in ("Command", "Comment", "Schedule")}
        expect(rows["Command"]).to_contain_text("both changed it")
        expect(rows["Comment"].get_by_label("Take theirs")).to_be_checked()
        expect(rows["Schedule"].get_by_label("Keep mine")).to_be_checked()
        rows["Command"].get_by_label("Take theirs").check()
        if scripts:
            assert judge(page) == []
            rows["Schedule"].get_by_label("Take theirs").check()
            # Who goes on typing wants what is typed.
            page.locator("#cron").fill("0 6 * * *")
            expect(rows["Schedule"].get_by_label("Keep mine")).to_be_checked()
        page.get_by_role("button", name="Save").click()
        expect_notice(page, "is saved")
    stored = installation.rows("SELECT command, comment, schedule_words FROM task WHERE id = ?", task.id)[0]
    assert stored[:2] == ("echo theirs", "theirs")
    assert ("06:00" if scripts else "05:00") in stored[2]


def test_what_others_do_at_the_same_minute_and_the_last_run_stand_beside_the_form(page: Page, installation) -> None:
    for number in range(11):
        installation.add(f"crowd {number}", f"echo {number}", cron="7 3 * * *")
    task = installation.add("has run", "echo has run")
    page.goto(f"/tasks/{task.id}")
    page.get_by_role("button", name="Run now").click()
    expect(page.locator("[data-live-part=run-head] [data-state]").first).to_have_attribute("data-state", "succeeded")
    page.goto("/tasks/new")
    page.get_by_label("Command", exact=True).fill("echo has run")
    page.locator("#cron").fill("7 3 * * *")

    expect(page.locator(".wb-preview__crowd")).to_contain_text("Up to 11 other tasks")
    expect(page.locator("#preview")).to_contain_text(re.compile(r"succeeded\s+took .*s"))
    page.locator("#cron").fill("8 3 * * *")
    expect(page.locator("#preview")).to_contain_text("No other task is due within the same minutes.")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_several_tasks_are_edited_after_a_look_and_the_edit_is_taken_back_on_a_phone(
    browser, installation, scripts: bool
) -> None:
    made = [installation.add(f"many {scripts} {number}", "true", retries=str(number)) for number in range(3)]
    query = "&".join(f"id={task.id}" for task in made)
    look = {"viewport": {"width": 360, "height": 800}, "java_script_enabled": scripts, "color_scheme": "dark"}
    with window(browser, installation, **look) as page:
        page.goto(f"/tasks/edit?{query}")
        page.get_by_label("Retries", exact=True).fill("2")
        if scripts:
            expect(page.get_by_label("Change: Retries")).to_be_checked()
        page.get_by_label("Change: Retries").check()
        page.get_by_role("button", name="Show what would change").click()
        expect(page.get_by_role("heading", name="Changes 2 of 3 tasks")).to_be_visible()
        if scripts:
            assert judge(page) == []
        page.get_by_role("button", name="Change 2 tasks").click()
        expect(page.get_by_role("heading", level=1, name="2 tasks changed")).to_be_visible()
        page.get_by_role("button", name="Undo").click()
        expect_notice(page, "2 tasks are as they were before.")


def test_a_task_begins_from_a_ready_made_one_and_becomes_a_template_by_keyboard(page: Page, installation) -> None:
    page.goto("/tasks/new")
    page.get_by_text("Start from…").focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Watch the disk space").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name", exact=True)).to_have_value("disk-space")
    expect(page.locator("#preview .wb-moments li")).to_have_count(10)
    page.get_by_role("button", name="Create task").focus()
    page.keyboard.press("Enter")
    expect_notice(page, "disk-space is saved.")
    page.get_by_label("More", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Save as template").focus()
    page.keyboard.press("Enter")
    expect_notice(page, "disk-space is a template now")
    page.get_by_role("link", name="disk-space", exact=True).click()
    expect(page.locator("#command")).to_have_value(re.compile("^df -P"))
    expect(page.get_by_label("Name", exact=True)).to_have_value("")
    assert installation.rows("SELECT count(*) FROM task WHERE name = 'disk-space'") == [(1,)]


def test_a_rule_is_judged_and_tried_on_the_last_runs_while_it_is_typed(page: Page) -> None:
    page.goto("/alerts/rules/new")
    page.get_by_label("Name", exact=True).fill("long")
    condition = page.get_by_label("Alert when")
    condition.fill("execution_time_secnds > 1")
    condition.press("Tab")
    expect(page.locator("#expression-error")).to_contain_text("did you mean execution_time_seconds?")
    condition.fill("execution_time_seconds > -1")
    expect(page.locator("#expression-error")).to_be_hidden()
    expect(page.locator("#trial")).to_contain_text(re.compile("last|No run"))
    page.get_by_role("button", name="Create rule").click()
    expect_notice(page, "long")
    expect(page.get_by_role("link", name="long", exact=True)).to_be_visible()
