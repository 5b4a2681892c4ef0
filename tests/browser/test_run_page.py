"""The page of a run: both streams by time, search, why it is what it is, its charts, and the comparison with another one."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser.installations import expect_run, run_number, terminal, window
from tests.browser.test_every_page import LOOKS, judge_all, require_order
from tests.browser.test_watch_it_run import run_now
from tests.waiting import wait_until
from watchbell import clock
from watchbell.services import triggers

TURNS = "for n in 1 2 3; do echo out $n; sleep 0.15; echo wrong $n >&2; sleep 0.15; done"


def lines(page: Page) -> list[str]:
    return [line.inner_text() for line in terminal(page).locator(".wb-line__text").all()]


def test_both_streams_stand_in_the_order_of_time_also_while_it_runs(page: Page, installation) -> None:
    gate = installation.gate("turns")
    number = run_now(page, installation, "turns", f"{TURNS}; {gate.wait}; echo end")
    expect_run(page, "running")
    page.goto(f"/runs/{number}?stream=both")
    expect(terminal(page)).to_contain_text("wrong 3")
    in_turns = [f"{word} {n}" for n in (1, 2, 3) for word in ("out", "wrong")]
    # The page may be drawn anew between the two looks.
    wait_until(lambda: lines(page) == in_turns, 20, "the lines in their order")
    gate.open()
    expect_run(page, "succeeded")
    expect(terminal(page)).to_contain_text("end")
    wait_until(lambda: lines(page) == [*in_turns, "end"], 20, "the last line behind them")

    page.reload()
    wait_until(lambda: lines(page) == [*in_turns, "end"], 20, "the same lines again")
    expect(page.locator("[data-output-exact]")).to_contain_text("the order is exact")
    expect(page.locator("#E2")).to_have_class(re.compile("wb-line--err"))
    expect(page.locator("#L4 .wb-line__text")).to_have_text("end")


def test_a_command_too_quick_for_its_order_shows_one_stream_below_the_other_and_says_so(
    page: Page, installation
) -> None:
    number = run_now(page, installation, "quick", "echo one; echo two >&2")
    expect_run(page, "succeeded")
    page.goto(f"/runs/{number}?stream=both")

    expect(page.locator("[data-order-unknown]")).to_be_visible()
    expect(page.locator("[data-output-text]").nth(0)).to_contain_text("one")
    expect(page.locator("[data-output-text]").nth(1)).to_contain_text("two")


def test_words_are_found_counted_and_gone_through_by_enter(page: Page, installation) -> None:
    number = run_now(
        page, installation, "words", "for n in 1 2 3 4; do echo an Apple and an apple $n; echo other; done"
    )
    expect_run(page, "succeeded")
    page.goto(f"/runs/{number}")
    box = page.get_by_role("searchbox", name="Find in output")
    hits = page.locator("[data-output-hits]")
    box.fill("apple")
    expect(hits).to_have_text("8 matches")
    assert page.evaluate("CSS.highlights.get('wb-find').size") == 8
    box.press("Enter")
    expect(hits).to_have_text("1 of 8")
    box.press("Enter")
    box.press("Enter")
    expect(hits).to_have_text("3 of 8")
    box.press("Shift+Enter")
    expect(hits).to_have_text("2 of 8")
    assert page.evaluate("[...CSS.highlights.get('wb-find-now')][0].toString()") == "apple"
    box.fill("pear")
    expect(hits).to_have_text("no match")
    box.press("Escape")
    expect(box).to_have_value("")
    expect(hits).to_have_text("")


def test_a_search_says_that_bytes_are_missing_where_some_were_dropped(page: Page, installation) -> None:
    flood = "echo needle; head -c 5000000 /dev/zero | tr '\\0' x; echo; echo needle"
    number = run_now(page, installation, "needles", flood, output_limit_mib="1")
    expect_run(page, "succeeded", timeout=40)
    page.goto(f"/runs/{number}")
    page.get_by_role("searchbox", name="Find in output").fill("needle")

    expect(page.locator("[data-output-hits]")).to_contain_text("2 matches")
    expect(page.locator("[data-output-hits]")).to_contain_text("were dropped")


def test_hostile_output_is_searched_as_text(page: Page, installation, tmp_path) -> None:
    script = tmp_path / "hostile.bin"
    script.write_bytes(
        b"\x1b[31mre\x1b[32md\x1b[0m <script>alert(1)</script>\x00\n"
        + b"\xff\xfe" * 50
        + b"\n"
        + b"z" * 60_000
        + b"\n"
        + "ẞİ\u202e".encode()
    )
    number = run_now(page, installation, "hostile words", f"cat '{script}'")
    expect_run(page, "succeeded")
    page.goto(f"/runs/{number}")
    box = page.get_by_role("searchbox", name="Find in output")
    for words in ("<script>alert", "red <", "zzzz", "ẞ"):
        box.fill(words)
        expect(page.locator("[data-output-hits]")).to_contain_text("match")
        box.press("Enter")
        expect(page.locator("[data-output-hits]")).to_contain_text("1 of")
    expect(terminal(page).locator("script")).to_have_count(0)


def test_without_scripts_the_server_lists_the_lines_and_leads_to_them(page: Page, installation, browser) -> None:
    number = run_now(page, installation, "listed", "seq 1 500 | sed s/^/row-/; echo '<b>row-x' >&2")
    expect_run(page, "succeeded")
    with window(browser, installation, java_script_enabled=False) as plain:
        plain.goto(f"/runs/{number}?stream=stdout")
        plain.get_by_role("searchbox", name="Find in output").fill("ROW-49")
        plain.get_by_role("searchbox", name="Find in output").press("Enter")
        expect(plain.get_by_text("11 lines of stdout have “ROW-49”.")).to_be_visible()
        plain.get_by_role("link", name="499", exact=True).click()
        expect(plain.locator("#L499 .wb-line__text")).to_have_text("row-499")
        expect(plain.locator("#L499")).to_be_in_viewport()
        plain.goto(f"/runs/{number}?stream=both&find=row-x")
        expect(plain.locator(".wb-hits__lines").get_by_text("<b>row-x")).to_be_visible()


def test_a_link_to_a_line_of_stderr_holds_in_its_view_and_in_that_of_both(page: Page, installation) -> None:
    number = run_now(page, installation, "linked", TURNS)
    expect_run(page, "succeeded")
    for view in ("stderr", "both"):
        page.goto(f"/runs/{number}?stream={view}#E2")
        expect(page.locator("#E2")).to_have_class(re.compile("wb-line--marked"))
        expect(page.locator("#E2 .wb-line__text")).to_have_text("wrong 2")


def test_long_lines_are_wrapped_on_the_next_page_too_once_that_was_chosen(page: Page, installation) -> None:
    number = run_now(page, installation, "wraps", "seq 1 500 | tr '\\n' ' '")
    expect_run(page, "succeeded")
    page.get_by_role("button", name="Wrap").click()
    page.goto(f"/runs/{number}")
    expect(page.get_by_role("button", name="Wrap")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Wrap").click()


def test_why_a_run_is_what_it_is_can_be_read(page: Page, installation) -> None:
    run_now(page, installation, "reasons", "true")
    expect_run(page, "succeeded")
    page.get_by_role("link", name="Why").click()

    told = page.locator("[data-live-part=run-why]")
    expect(told).to_contain_text("asked for it by hand.")
    expect(told).to_contain_text("Attempt 1 was taken by")
    expect(told).to_contain_text("A run that fails is not tried again.")


def test_a_failure_is_compared_with_the_last_good_run(page: Page, installation) -> None:
    breaks = installation.folder / "breaks"
    task = installation.add(
        "compared", f"date; echo pid $$; [ -e {breaks} ] && {{ echo broken; exit 3; }}; echo 12 rows"
    )
    for state in ("succeeded", "failed"):
        page.goto(f"/tasks/{task.id}")
        page.get_by_role("button", name="Run now").click()
        number = run_number(page)
        expect_run(page, state)
        breaks.touch()
    page.get_by_role("link", name="Compare", exact=True).click()

    expect(page).to_have_url(re.compile(rf"/runs/{number}/compare"))
    expect(page.get_by_role("row", name="Result succeeded failed")).to_be_visible()
    shown = page.locator(".wb-diff__line")
    expect(shown.filter(has=page.locator(".wb-diff__sign", has_text="-"))).to_contain_text(["12 rows"])
    expect(shown.filter(has=page.locator(".wb-diff__sign", has_text="+"))).to_contain_text(["broken"])
    page.get_by_role("button", name="Compare with this one").click()
    expect(page).to_have_url(re.compile(r"with=\d+"))


def test_what_a_run_used_over_time_is_drawn_and_stands_in_a_table(page: Page, installation) -> None:
    gate = installation.gate("used")
    number = run_now(
        page, installation, "used", f"i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; sleep 0.5; {gate.wait}"
    )
    gate.open()
    expect_run(page, "succeeded", timeout=60)
    page.goto(f"/runs/{number}?tab=resources")

    expect(page.locator("[data-chart] canvas")).to_have_count(2)
    assert page.evaluate(
        "[...document.querySelectorAll('[data-chart] canvas')].every(canvas => Chart.getChart(canvas).data.datasets[0].data.length"
        " === document.querySelectorAll('#run-samples tbody tr').length && Chart.getChart(canvas).scales.y.min === 0)"
    )
    page.get_by_text("Show as table").click()
    expect(page.locator("#run-samples tbody tr").first).to_be_visible()


def lengths(installation, name: str) -> int:
    """Let a task have run often, for as long as usual and not; return its id."""
    task = installation.add(name, "true")
    task_id = int(task.id)
    for took, state in ((40, "succeeded"), (43, "succeeded"), (41, "succeeded"), (90, "failed"), (42, "succeeded"),
                        (44, "succeeded"), (120, "succeeded"), (2, "succeeded"), (43, "succeeded")):  # fmt: skip
        run = triggers.run_now(installation.db, task_id, now=clock.now(), actor="ann")
        installation.wait_for_state(name, "succeeded")
        end = clock.now()
        installation.execute(
            "UPDATE run SET state = ?, started_at = ?, ended_at = ? WHERE id = ?", state,
            (end - timedelta(seconds=took)).strftime("%Y-%m-%d %H:%M:%S.%f"), end.strftime("%Y-%m-%d %H:%M:%S.%f"), run.id,
        )  # fmt: skip
    return task_id


def test_how_long_runs_took_is_walked_by_keys_and_leads_to_them(page: Page, installation) -> None:
    task_id = lengths(installation, "lengths")
    page.goto(f"/tasks/{task_id}")

    plot = page.locator("#durations svg[data-picture]")
    expect(plot.locator("a")).to_have_count(9)
    expect(plot.locator("rect.wb-duration__mark")).to_have_count(1)
    expect(plot.locator("polygon.wb-duration__mark")).to_have_count(2)
    expect(page.locator("#durations .wb-durations__band")).to_be_visible()
    plot.locator("a").last.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("a.wb-duration:focus title")).to_contain_text("suspiciously short")
    page.keyboard.press("Enter")
    expect(page.locator("[data-live-part=run-head]")).to_contain_text("suspiciously short: usual 42s")


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_all_of_it_is_in_order_wide_and_narrow_light_and_dark(browser, page, installation, scheme, width) -> None:
    task_id = lengths(installation, f"in order at {width}")
    number = run_now(
        page, installation, f"looked at, at {width}", f"{TURNS}; sleep 1; printf '\\033[31m<b>red\\033[0m\\n'"
    )
    expect_run(page, "succeeded")
    other = run_now(
        page, installation, f"<i>hostile</i> at {width}", "echo '<script>' ; seq 1 30 | tr '\\n' ' '; exit 3"
    )
    expect_run(page, "failed")
    paths = [
        f"/runs/{number}?stream=both", f"/runs/{number}?stream=stderr&find=wrong&line=2#E2", f"/runs/{number}?tab=resources",
        f"/runs/{number}?tab=why", f"/runs/{number}/compare", f"/runs/{other}/compare", f"/runs/{other}?find=script",
        f"/tasks/{task_id}", f"/runs/{other}?stream=both",
    ]  # fmt: skip
    # The newest run of the task of lengths, laid against the last good one.
    newest = installation.rows("SELECT max(id) FROM run WHERE task_id = ?", task_id)[0][0]
    paths.append(f"/runs/{newest}/compare")
    with window(
        browser, installation, color_scheme=scheme, viewport={"width": width, "height": 800}, reduced_motion="reduce"
    ) as look:
        require_order(judge_all(look, paths))
