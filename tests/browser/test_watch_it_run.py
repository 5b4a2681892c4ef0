"""Watching a command run: its output as it comes, its end, stopping it, and whatever hostile thing it writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.installations import answer, expect_notice, expect_run, run_number, terminal

# Window title, clipboard, colour, clearing the screen, a hyperlink, NUL, bell, bytes that are no text, markup, no last line end.
HOSTILE = (
    rb"\033]0;owned\007\033]52;c;b3duZWQ=\007\033[31mred\033[0m\033[2J\033[1;1H"
    rb"\033]8;;javascript:alert(1)\007link\033]8;;\007\nnul:\000 bell:\007 bytes:\377\376 end\r\n"
    rb"<script>alert(1)</script><img src=x onerror=alert(1)>\n</pre></body>{{ 7*7 }}"
)
WRITTEN = HOSTILE.replace(rb"\033", b"\x1b").replace(rb"\007", b"\x07").replace(rb"\000", b"\x00")
WRITTEN = WRITTEN.replace(rb"\377\376", b"\xff\xfe").replace(rb"\r", b"\r").replace(rb"\n", b"\n")


def run_now(page: Page, installation, name: str, command: str, **fields: object) -> int:
    """Make a task, press Run now, and return the number of the run whose page is then shown."""
    task = installation.add(name, command, **fields)
    page.goto(f"/tasks/{task.id}")
    page.get_by_role("button", name="Run now").click()
    return run_number(page)


def shown_anew(page: Page) -> Page:
    """Return another window with the same page: this one may load itself anew at any moment, because the run has ended."""
    other = page.context.new_page()
    other.goto(page.url)
    return other


def test_output_grows_and_the_end_shows_without_a_reload(page: Page, installation) -> None:
    first, second = installation.gate("first"), installation.gate("second")
    command = f"echo one; {first.wait}; echo two; {second.wait}; echo three"
    run_now(page, installation, "grows", command)
    shown = terminal(page)
    expect(shown).to_contain_text("one", timeout=20_000)
    expect_run(page, "running")
    page.evaluate("window.notReloaded = true")
    lengths = [len(shown.inner_text())]
    first.open()
    expect(shown).to_contain_text("two")
    expect_run(page, "running")
    lengths.append(len(shown.inner_text()))
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    second.open()
    expect_run(page, "succeeded")
    expect(shown).to_contain_text("three")

    assert lengths[0] < lengths[1] < len(shown.inner_text())
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(page.get_by_role("button", name="Run again")).to_be_visible()
    expect(page.locator("[data-output-state]")).not_to_contain_text("so far")
    assert page.evaluate("window.notReloaded")


def test_the_steps_of_a_run_are_listed_in_their_order(page: Page, installation) -> None:
    gate = installation.gate("steps")
    number = run_now(page, installation, "steps", f"{gate.wait}; echo done")
    expect_run(page, "running")
    gate.open()
    expect_run(page, "succeeded")
    page.get_by_role("link", name="History of states").click()
    steps = page.locator("[data-live-part=run-history] [data-state]")
    expect(steps.last).to_have_attribute("data-state", "succeeded")

    passed = [step.get_attribute("data-state") for step in steps.all()]
    assert passed[0] == "queued"
    assert passed[-2:] == ["running", "succeeded"]
    expect(page).to_have_url(re.compile(rf"/runs/{number}\?tab=history"))
    page.get_by_role("link", name="Resources").click()
    expect(page.locator("[data-live-part=run-resources]")).to_contain_text(re.compile("memory", re.IGNORECASE))
    page.get_by_role("link", name="Definition and environment").click()
    expect(page.locator(".wb-code").first).to_contain_text("echo done")


def test_a_long_run_is_cancelled_after_a_question(page: Page, installation) -> None:
    number = run_now(page, installation, "long", "echo begun; exec sleep 600")
    expect(terminal(page)).to_contain_text("begun")
    page.get_by_role("button", name="Cancel").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect_run(page, "running")
    page.get_by_role("button", name="Cancel").click()
    answer(page, f"Cancel run #{number} of long?", f"Cancel run #{number}")

    expect_notice(page, f"Run #{number} was asked to stop.")
    expect_run(page, "cancelled")
    expect(terminal(page)).to_contain_text("begun")


def test_a_failure_says_how_it_ended_and_shows_the_stream_that_tells_why(page: Page, installation) -> None:
    gate = installation.gate("fails")
    run_now(page, installation, "fails", f"{gate.wait}; echo 'the disk is full' >&2; exit 3")
    expect_run(page, "running")
    gate.open()
    expect_run(page, "failed")
    expect(page.locator("[data-live-part=run-head]")).to_contain_text("exit 3")

    expect(terminal(page)).to_contain_text("the disk is full")
    expect(page.get_by_role("link", name="stderr")).to_have_attribute("aria-current", "page")
    page.get_by_role("link", name="stdout").click()
    expect(terminal(page)).to_contain_text("The command wrote nothing to stdout.")


@pytest.mark.parametrize(
    ("command", "said"),
    [("exit 127", "127"), ("kill -SEGV $$", "SIGSEGV"), ("kill -KILL $$", "SIGKILL")],
)
def test_the_kind_of_end_is_said_in_words(page: Page, installation, command, said) -> None:
    run_now(page, installation, f"ends by {command}", command)
    expect_run(page, "failed")

    expect(page.locator("[data-live-part=run-head]")).to_contain_text(said)


def test_hostile_output_is_shown_does_no_harm_and_comes_down_byte_for_byte(page: Page, installation, tmp_path) -> None:
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    script = tmp_path / "hostile.bin"
    script.write_bytes(WRITTEN)
    run_now(page, installation, '<b>hostile</b> & "co"', f"cat '{script}'")
    expect_run(page, "succeeded")
    shown = terminal(page)
    expect(shown).to_contain_text("<script>alert(1)</script><img src=x onerror=alert(1)>")

    expect(shown).to_contain_text("nul:^@ bell:^G bytes:\ufffd\ufffd end")
    expect(shown).to_contain_text("</pre></body>{{ 7*7 }}")
    expect(shown.locator(".wb-sgr-f1")).to_have_text("red")
    expect(shown.locator("script, img, a[href*=javascript]")).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).to_contain_text('<b>hostile</b> & "co"')
    assert "owned" not in page.title()
    with page.expect_download() as coming:
        page.get_by_role("link", name="Raw").click()
    assert Path(coming.value.path()).read_bytes() == WRITTEN
    assert coming.value.suggested_filename.endswith("-stdout.txt")
    assert asked == []


def test_what_was_dropped_from_a_flood_is_said_in_its_place(page: Page, installation) -> None:
    flood = "echo beginning; head -c 5000000 /dev/zero | tr '\\0' x; echo; echo the end"
    run_now(page, installation, "flood", flood, output_limit_mib="1")
    expect_run(page, "succeeded", timeout=40)
    page = shown_anew(page)
    shown = terminal(page)

    expect(shown).to_contain_text("dropped here: the command wrote more than is kept.")
    expect(shown).to_contain_text("beginning")
    page.get_by_role("button", name="End").click()
    expect(shown).to_contain_text("the end")


def test_a_flood_of_short_lines_leaves_the_page_usable(page: Page, installation) -> None:
    run_now(page, installation, "short lines", "seq 500000")
    expect_run(page, "succeeded", timeout=40)
    page = shown_anew(page)
    shown = terminal(page)

    expect(page.get_by_role("button", name="Show more")).to_be_visible()
    assert shown.locator(".wb-line").count() < 60_000
    page.get_by_role("button", name="End").click()
    expect(shown.locator(".wb-line").last).to_contain_text("500000", timeout=60_000)
    expect(shown).to_contain_text("What comes before is not shown here")
    assert shown.locator(".wb-line").count() < 60_000


def test_a_run_can_be_done_again_from_its_page(page: Page, installation) -> None:
    number = run_now(page, installation, "again", "echo once more")
    expect_run(page, "succeeded")
    page.get_by_role("button", name="Run again").click()
    expect(page).not_to_have_url(re.compile(rf"/runs/{number}$"))

    assert run_number(page) > number
    expect_run(page, "succeeded")
