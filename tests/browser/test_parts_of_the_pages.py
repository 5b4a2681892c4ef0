"""The parts that all pages are made of, in a real browser and under the real content policy."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.styleguide import serve
from tests.waiting import wait_until
from watchbell.web.presenters import age_words, duration_words

pytestmark = pytest.mark.browser
PAGES = ("/", "/login", "/password", "/error", "/?state=stopped", "/?state=stalled")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = serve.server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    yield context.new_page()
    context.close()


def module(page: Page, code: str) -> Any:
    """Run a piece of code with one of the modules imported as ``m``."""
    name, body = code.split(":", 1)
    return page.evaluate(f"async () => {{ const m = await import('/static/stamp/js/lib/{name}.js'); {body} }}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_blocked_missing_or_wider_than_the_window(
    browser: Browser, address: str, path: str, width: int, scheme: Any
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 780}, color_scheme=scheme)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on(
        "response",
        lambda response: said.append(f"{response.status} {response.url}") if response.status >= 400 else None,
    )

    page.goto(address + path, wait_until="networkidle" if path == "/login" else "load")
    too_wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    context.close()

    assert said == []
    assert too_wide <= 0


def test_every_icon_that_is_used_exists_and_every_id_is_unique(page: Page, address: str) -> None:
    page.goto(address)
    missing = page.evaluate(
        "[...document.querySelectorAll('use')].map(u => u.getAttribute('href')).filter(h => !document.querySelector(h))"
    )
    doubled = page.evaluate(
        "(ids => ids.filter((id, n) => ids.indexOf(id) !== n))([...document.querySelectorAll('[id]')].map(e => e.id))"
    )

    assert missing == []
    assert doubled == []


def test_every_control_has_a_name(page: Page, address: str) -> None:
    page.goto(address)
    nameless = page.evaluate(
        """[...document.querySelectorAll('button, a[href], summary, input:not([type=hidden]), select, textarea')]
           .filter(e => !e.closest('svg') && !e.textContent.trim() && !e.getAttribute('aria-label') && !(e.labels && e.labels.length))
           .map(e => e.outerHTML)"""
    )

    assert nameless == []


def test_the_theme_is_chosen_kept_and_given_back_to_the_system(page: Page, address: str) -> None:
    page.goto(address)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_label("Theme", exact=True).click()
    page.get_by_role("button", name="Dark").click()
    dark = page.evaluate(ground)
    page.reload()

    assert page.evaluate(ground) == dark != light
    page.get_by_label("Theme", exact=True).click()
    page.get_by_role("button", name="As the system").click()
    assert page.evaluate(ground) == light


def test_harm_asks_with_the_name_and_cancel_sends_nothing(page: Page, address: str) -> None:
    page.goto(address)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method) if request.method == "POST" else None)
    page.get_by_role("button", name="Delete check-web").click()
    dialog = page.get_by_role("dialog", name="Delete check-web?")

    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert sent == []
    page.get_by_role("button", name="Delete check-web").click()
    with page.expect_request(lambda request: request.method == "POST"):
        dialog.get_by_role("button", name="Delete").click()


def test_a_bulk_question_names_the_ticked_rows(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_label("Select backup-db").check()
    page.get_by_label("Select pipeline").check()
    page.locator(".wb-bulk button").click()
    dialog = page.get_by_role("dialog", name="Delete 2 tasks?")

    expect(dialog.get_by_role("listitem")).to_have_text(["backup-db", "pipeline"])


def test_keys_reach_pages_and_the_list_of_keys(page: Page, address: str) -> None:
    page.goto(address)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_contain_text("Next runs")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    with page.expect_request("**/runs.index"):
        page.keyboard.press("r")


def test_a_search_is_in_the_address_and_survives_a_reload(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("searchbox", name="Find a task").fill("disk")
    expect(page.locator("#tasks tbody tr")).to_have_count(1)
    expect(page).to_have_url(f"{address}/?q=disk")
    page.reload()

    expect(page.locator("#tasks tbody tr")).to_have_count(1)


def test_output_is_shown_as_text_with_colours_and_can_be_linked_to(page: Page, address: str) -> None:
    page.goto(f"{address}/#L62")
    line = page.locator("#L62")

    expect(line).to_have_class("wb-line wb-line--marked")
    expect(line).to_contain_text("<b>soon</b>")
    expect(line.locator(".wb-sgr-f3")).to_have_text("warning:")
    # A line that redraws itself is one line, and what it said before is behind its mark.
    expect(page.locator("#L63 .wb-line__text")).to_contain_text(re.compile(r"100 %\s*$"))
    expect(page.locator("#L63 details > summary")).to_have_text("2 overwritten")
    expect(page.locator("#L64 .wb-line__text")).to_contain_text("NUL ^@ and bell ^G")


def test_following_lets_go_when_one_scrolls_up(page: Page, address: str) -> None:
    page.goto(address)
    follow = page.get_by_role("button", name="Follow")
    expect(page.locator("#L65")).to_be_attached()
    expect(follow).to_have_attribute("aria-pressed", "true")
    page.locator(".wb-output .wb-terminal").hover()
    page.mouse.wheel(0, -400)

    expect(follow).to_have_attribute("aria-pressed", "false")
    follow.click()
    # The page's own waiting for a function would need eval, which the policy forbids.
    terminal = page.locator(".wb-output .wb-terminal")
    wait_until(
        lambda: terminal.evaluate("t => t.scrollHeight - t.scrollTop - t.clientHeight < 4"),
        what="the end to be in sight",
    )


def test_sequences_cut_in_two_are_read_as_one(page: Page, address: str) -> None:
    page.goto(f"{address}/login")
    read = "lines:const l = new m.Lines(); l.read('a\\x1b[3'); l.read('1mred\\x1b]8;;http://x\\x1b'); const d = l.read('\\\\link\\n'); return d[0].pieces"

    assert module(page, read) == [
        {"text": "a", "classes": ""},
        {"text": "red", "classes": "wb-sgr-f1"},
        {"text": "link", "classes": "wb-sgr-f1"},
    ]


@pytest.mark.parametrize("written", ["FAILED\\x1b[1A\\rSUCCESS", "FAILED\\rSUCCESS", "FAILED\\r\\r   \\rSUCCESS"])
def test_what_was_written_over_has_a_mark_and_can_be_read(page: Page, address: str, written: str) -> None:
    page.goto(f"{address}/login")
    show = f"""screen:const p = document.createElement('pre'); document.body.prepend(p);
        const s = new m.Screen(p, 'stdout'); s.add('{written}'); s.add('\\nnext\\r\\n'); return null"""
    module(page, show)
    row = page.locator("#L1 .wb-line__text")
    mark = row.locator("summary")

    expect(mark).to_have_text("1 overwritten")
    expect(mark).to_be_visible()
    expect(row).to_contain_text("SUCCESS")
    expect(page.get_by_text("FAILED", exact=True)).to_be_hidden()
    mark.click()
    expect(page.get_by_text("FAILED", exact=True)).to_be_visible()
    expect(page.locator("#L2 .wb-line__text")).to_have_text("next")


def test_a_bar_of_progress_is_one_line_that_says_how_often_it_was_redrawn(page: Page, address: str) -> None:
    page.goto(f"{address}/login")
    show = """screen:const p = document.createElement('pre'); document.body.prepend(p);
        const s = new m.Screen(p, 'stdout');
        for (let n = 0; n <= 1000; n += 1) { s.add(`${n} of 1000\\r`); if (n === 500) p.querySelector('details').open = true; }
        return [p.querySelectorAll('.wb-line').length, p.querySelector('details').open]"""

    assert module(page, show) == [1, True]
    told = page.locator("#L1 .wb-line__text")
    expect(told.locator("summary")).to_have_text("1000 overwritten")
    expect(told).to_contain_text("1000 of 1000")
    expect(told.locator(".wb-overwritten__text").first).to_have_text("0 of 1000")
    expect(told.locator(".wb-overwritten__text").last).to_have_text("999 of 1000")
    expect(told).to_contain_text("… 900 more, in the raw download")


def test_of_a_flood_only_what_stays_is_drawn_and_an_open_line_goes_on_behind_it(page: Page, address: str) -> None:
    page.goto(f"{address}/login")
    show = """screen:const p = document.createElement('pre'); document.body.prepend(p);
        const s = new m.Screen(p, 'both');
        s.add('begun '); s.add('half of an error, ', 'stderr');
        s.add('here\\n' + Array.from({length: 1000}, (_, n) => `line ${n + 2}`).join('\\n'), 'stdout', '', 10);
        s.add('and its end\\n', 'stderr'); s.add(' ends\\n');
        return [s.isCut, [...p.querySelectorAll('.wb-line')].map(row => `${row.id} ${row.querySelector('.wb-line__text').textContent}`)]"""

    is_cut, rows = module(page, show)

    assert is_cut
    assert rows == [
        *(f"L{n} line {n}" for n in range(992, 1001)),
        "L1001 line 1001 ends",
        "E1 half of an error, and its end",
    ]
    expect(page.locator("pre > .wb-line__gap")).to_have_text(
        "What comes before is not shown here; it is in the raw download."
    )


@pytest.mark.parametrize(
    "hostile",
    [
        "'\\x1b]'.repeat(300000)",
        "'\\x1b'.repeat(300000)",
        "'\\x1b[1'.repeat(200000)",
        "'x'.repeat(5e6)",
        "'\\r'.repeat(1e6)",
        "Array.from({length: 3e5}, (_, n) => n).join('\\r')",
    ],
)
def test_hostile_output_costs_time_in_proportion_to_its_length(page: Page, address: str, hostile: str) -> None:
    page.goto(f"{address}/login")
    read = f"lines:const t = performance.now(); new m.Lines().read({hostile}); return performance.now() - t"

    assert module(page, read) < 5000


def test_a_living_part_keeps_the_focus_and_what_is_open(page: Page, address: str) -> None:
    page.goto(f"{address}/login")
    after = module(
        page,
        """morph:
        document.body.innerHTML = '<div id="a"><details><summary>s</summary><button id="b">1</button></details><p>x</p></div>';
        document.querySelector('details').open = true; document.querySelector('#b').focus();
        const next = document.createElement('div'); next.id = 'a';
        next.innerHTML = '<details><summary>s</summary><button id="b">2</button></details><p id="new">y</p>';
        m.morph(document.querySelector('#a'), next);
        return [document.activeElement.id, document.activeElement.textContent, document.querySelector('details').open,
                document.querySelector('#a').lastChild.outerHTML, document.querySelector('#a').children.length]""",
    )

    assert after == ["b", "2", True, '<p id="new">y</p>', 2]


def test_ages_and_durations_read_as_the_server_writes_them(page: Page, address: str) -> None:
    page.goto(f"{address}/login")
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    zone = ZoneInfo("Europe/Berlin")
    seconds = [0, 0.5, 1, 59, 60, 61, 3599, 3600, 86399, 86400, 172800, 604799]
    both = [*seconds, *(-n for n in seconds if n)]

    assert module(page, f"time:return {seconds}.map(m.duration)") == [duration_words(n) for n in seconds]
    with serve.APP.app_context():
        told = [age_words(now + timedelta(seconds=n), now, zone) for n in both]
    assert module(page, f"time:return {both}.map(m.relative)") == told
    begin = "document.documentElement.dataset.zone = 'Asia/Tokyo'; Date.now = () => Date.UTC(2026, 10, 22, 12);"
    assert module(page, f"time:{begin} return [-604800, 604800, 700000].map(m.relative)") == [
        "2026-11-15",
        "2026-11-29",
        "2026-11-30",
    ]


def test_without_scripts_menus_open_and_harm_needs_a_tick(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    page.locator(".wb-pill > summary").click()
    panel = page.locator(".wb-pill .wb-panel")

    expect(panel).to_contain_text("4242")
    expect(panel.get_by_role("checkbox")).to_have_count(2)
    expect(panel.get_by_role("checkbox").first).to_have_attribute("required", "")
    expect(page.get_by_label("Theme", exact=True)).to_be_hidden()
    expect(page.locator(".wb-output pre")).to_have_text("what is shown without scripts")
    context.close()


def test_a_long_output_is_followed_to_its_end(page: Page, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than is loaded unasked, so this also shows that following is not lost while blocks get their heights."""
    monkeypatch.setattr(serve, "OUTPUT", "a line of some sixty characters, as a program writes so often\n" * 60_000)
    monkeypatch.setattr(serve, "CHUNK", 256 * 1024)
    page.goto(address)

    page.locator("#L60000").wait_for(state="attached", timeout=60_000)
    expect(page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#L60000")).to_be_in_viewport()
