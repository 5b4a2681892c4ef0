"""Every page, full and empty, wide and narrow, light and dark: nothing is blocked, cut off or out of anybody's reach."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, Page, expect

from tests.browser import full_fleet
from tests.browser.full_house import fill
from tests.browser.installations import expect_scheduler, window
from tests.fault.scale import LONG

Rules = dict[str, Any]
RULES: Rules = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
#: What may differ between the looks of a page that is judged whole in one of them.
_OF_A_LOOK = ("target-size", "scrollable-region-focusable", "link-in-text-block")
_CONTRAST = "color-contrast"
_AXE = Axe()
LOOKS: list[tuple[Literal["light", "dark"], int]] = [("light", 1280), ("dark", 360)]


@pytest.fixture(scope="module")
def runs_of(installation):
    """Let everything happen that can, and give the numbers of runs by their ends."""
    return fill(installation)


@pytest.fixture(scope="module")
def fleet(installation):
    """Fill a fleet, too, and give the order, the device and the schedule whose pages say most."""
    return full_fleet.fill(installation)


def judge(page: Page, rules: Rules = RULES) -> list[str]:
    """Return what is wrong with a page: wider than the window, out of reach of somebody's senses, or broken marks."""
    violations = violations_of(page, rules)
    if "target-size" in violations:
        # What floats over the page may cover a part of something that is whole once one scrolls.
        page.evaluate("scrollBy(0, 150)")
        again = violations_of(page, rules).get("target-size", [])
        violations["target-size"] = [html for html in violations["target-size"] if html in again]
    wrong = [f"{name}: {found[:4]}" for name, found in violations.items() if found]
    too_wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    doubled = page.evaluate(
        "(ids => ids.filter((id, n) => ids.indexOf(id) !== n))([...document.querySelectorAll('[id]')].map(e => e.id))"
    )
    return (
        wrong
        + ([f"{too_wide} px wider than the window"] if too_wide > 0 else [])
        + [f"id {name} is there twice" for name in doubled]
    )


def violations_of(page: Page, rules: Rules) -> dict[str, list[str]]:
    """Return what axe finds: rule -> the elements that break it, each with where it is, for many look the same."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE.axe_script)
    found = page.evaluate("async rules => (await axe.run(rules)).violations", rules)
    return {one["id"]: [f"{node['target']} {node['html'][:150]}" for node in one["nodes"]] for one in found}


def rules_of(look: int, place: int) -> Rules:
    """Return what the page at a place of a long list is held against in a look of it.

    Contrast is two thirds of the work: in the short lane a page is held against it in one look, its neighbours in the other.
    """
    if LONG:
        return RULES
    has_contrast = place % len(LOOKS) == look
    if look == 0:
        # Whether fingers meet what they aim at is asked of the narrow look.
        left_out = ["target-size", *([] if has_contrast else [_CONTRAST])]
        return {**RULES, "rules": {name: {"enabled": False} for name in left_out}}
    asked = [*_OF_A_LOOK, *([_CONTRAST] if has_contrast else [])]
    return {**RULES, "runOnly": {"type": "rule", "values": asked}}


def require_order(found: dict[str, list[str]]) -> None:
    """Fail with everything that was found, one thing a line."""
    told = "\n".join(f"{place}: {wrong}" for place, all_wrong in found.items() for wrong in all_wrong)
    if told:
        pytest.fail(told, pytrace=False)


def dress(page: Page, scheme: Literal["light", "dark"], width: int) -> None:
    """Let a page be seen in another light and width, as somebody who turns a device or a switch would."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})


def judge_all(page: Page, paths: list[str]) -> dict[str, list[str]]:
    found = {}
    for path in paths:
        page.goto(path)
        found[path] = judge_or_again(page, RULES)
    return found


def judge_or_again(page: Page, rules: Rules) -> list[str]:
    """Judge a page that may load itself anew meanwhile, because what it shows has gone on."""
    try:
        return judge(page, rules)
    except Error as error:
        if "because of a navigation" not in error.message:
            raise
        page.wait_for_load_state()
        return judge(page, rules)


def test_full_pages_are_in_order(browser, installation, runs_of, fleet) -> None:
    task = installation.rows("SELECT max(id) FROM task WHERE name LIKE 'nightly%'")[0][0]
    steps = installation.rows("SELECT id FROM task WHERE name = 'in-steps'")[0][0]
    fails = installation.rows("SELECT id FROM task WHERE name = 'fails'")[0][0]
    deleted = installation.rows("SELECT id FROM task WHERE deleted_at IS NOT NULL")[0][0]
    chained = installation.rows("SELECT id FROM task WHERE name LIKE 'joined%'")[0][0]
    paths = [
        f"/tasks/{deleted}",
        f"/tasks/{steps}", f"/tasks/{steps}/edit", f"/tasks/{steps}/revisions", f"/tasks/{steps}/revisions/1", f"/tasks/{steps}/run?set=live&param.day=never&param.x=1", f"/runs/{runs_of['failed: in-steps']}",
        f"/runs/{runs_of['failed: in-steps']}?step=2&stream=stderr", "/", "/tasks", "/tasks?q=nothing-like-this", f"/tasks/{task}", f"/tasks/{task}/edit", f"/tasks/{task}/metrics", f"/tasks/{fails}/metrics", "/tasks/new", "/tasks/import", "/tasks/templates", "/tasks/new?start=preset:steps", f"/tasks/edit?id={task}&id={steps}", "/next-runs", "/timeline", "/timeline?by=host", "/runs/calendar", "/next-runs/calendar", "/next-runs/load", "/runs", "/queues", "/heartbeats", "/failures", "/failures/1", "/metrics", "/metrics?task=colours&metric=output_bytes", "/log", "/log?level=error", "/settings",
        "/calendars", "/calendars/1", "/calendars/1/edit", "/environments", "/environments/new", "/environments/named/database", "/environments/named/database/edit", "/blackouts", "/blackouts/new", "/blackouts/1/remove", "/tasks/deleted", f"/tasks/{task}/why", "/queues/edit", "/queues/edit?name=default", "/alerts", "/alerts?state=all&task=fails", "/alerts/rules", "/alerts/rules/1/edit", "/pause?scope=everything", f"/pause?scope=task:{task}", "/runs?decision=open",
        "/account/password", "/account/tokens", "/account/tokens?of=*", "/account/tokens/new", "/account/tokens/1/rotate", "/account/sessions", "/account/second-factor", "/account/passkeys", "/account/identities", "/audit", "/users", "/users/new", "/users/1", "/teams", "/teams/new", "/teams/1", "/teams/1/delete",
        "/fleet/templates", "/fleet/templates/4", "/fleet/templates/4/edit", "/fleet/templates/2/test", "/fleet/handlers", "/fleet/handlers/3?version=2&against=1", "/fleet/handlers/3/edit", "/fleet/execute?template=4",
        "/secrets", "/secrets/new", "/secrets/named/database-password", "/secrets/named/database-password/replace", "/secrets/named/database-password/delete",
        "/logout", "/runs/999999", "/nowhere", "/search", "/search?q=rather+long", "/search?q=fails", "/search?q=nightly-export", "/runs?before=60",
        "/fleet", "/fleet/executions", f"/fleet/executions/{fleet['order']}?by=site", f"/fleet/executions/{fleet['order']}/devices/{fleet['device']}", "/fleet/schedules", f"/fleet/schedules/{fleet['schedule']}", f"/fleet/schedules/{fleet['schedule']}/edit",
        "/fleet/devices?view=all", "/fleet/devices?q=nothing-like-this", "/fleet/devices/new", f"/fleet/devices/{fleet['device']}", f"/fleet/devices/{fleet['device']}?state=failed", f"/fleet/devices/{fleet['device']}/edit", "/fleet/devices/join?state=all", "/fleet/devices/join/new", "/fleet/groups", "/fleet/groups/new", "/fleet/groups/1", "/fleet/groups/1/edit", "/search?q=site%3Dnorth",
        f"/runs/groups/{runs_of['chain']}", f"/tasks/{chained}", f"/tasks/{chained}/edit",
        *(f"/runs/{runs_of[end]}" for end in ("failed: fails", "succeeded: colours", "lost: killed-fro", "retry_wait: comes-back", "queued", "running", "skipped")),
        *(f"/runs/{runs_of['failed: fails']}?tab={tab}" for tab in ("resources", "history", "definition")),
    ]  # fmt: skip
    found: dict[str, list[str]] = {}
    with window(browser, installation, reduced_motion="reduce") as page:
        for place, path in enumerate(paths):
            dress(page, *LOOKS[0])
            page.goto(path)
            found[path] = judge_or_again(page, rules_of(0, place))
            # Loaded once for both, as there are so many of them.
            dress(page, *LOOKS[1])
            found[f"{path} {LOOKS[1]}"] = judge_or_again(page, rules_of(1, place))
    require_order(found)


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_what_opens_on_a_page_is_in_order(browser, installation, runs_of, scheme, width) -> None:
    found = {}
    with window(
        browser, installation, color_scheme=scheme, viewport={"width": width, "height": 800}, reduced_motion="reduce"
    ) as page:
        page.goto("/")
        page.locator(".wb-pill > summary").click()
        found["panel"] = judge(page)
        page.locator(".wb-pill .wb-panel").get_by_role("button", name="Stop").click()
        expect(page.get_by_role("dialog")).to_be_visible()
        found["question"] = judge(page)
        page.goto("/tasks")
        page.keyboard.press("Control+k")
        expect(page.get_by_role("option", name="Heartbeats")).to_be_visible()
        found["palette"] = judge(page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("option", name="Heartbeats")).to_be_hidden()
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        found["keys"] = judge(page)
        page.goto("/tasks/new")
        page.get_by_role("button", name="Create task").click()
        expect(page.get_by_role("alert")).to_be_visible()
        found["refused form"] = judge(page)
        page.goto("/account/tokens/new")
        page.get_by_label("Name").fill(f"seen once, at a width of {width} pixels and in {scheme}")
        page.get_by_role("button", name="Create token").click()
        expect(page.get_by_label("Secret", exact=True)).to_be_visible()
        found["secret"] = judge(page)
        page.goto("/account/second-factor")
        if page.get_by_role("button", name="Set up").is_visible():
            page.get_by_role("button", name="Set up").click()
        expect(page.get_by_label("Code")).to_be_visible()
        found["second factor"] = judge(page)
        page.goto("/runs?q=nothing-like-this")
        found["no match"] = judge(page)
    with window(
        browser,
        installation,
        logged_in=False,
        expected={400, 401, 422},
        color_scheme=scheme,
        viewport={"width": width, "height": 800},
    ) as page:
        page.goto("/")
        found["login"] = judge(page)
        page.goto(installation.make_link())
        page.goto("/tasks/new")
        page.get_by_role("textbox", name="Command").fill("echo typed before the login ended")
        page.context.clear_cookies()
        page.get_by_role("button", name="Create task").click()
        expect(page.get_by_role("button", name="Send again")).to_be_visible()
        found["the login has ended"] = judge(page)
        other = page.context.new_page()
        other.goto(installation.make_link())
        for words in ("What was asked for", "made before you logged in"):
            expect(page.locator(".wb-prose")).to_contain_text(words)
            page.get_by_role("button", name="Send again").click()
        expect(page.get_by_role("textbox", name="Command")).to_have_value("echo typed before the login ended")

    require_order(found)


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_empty_pages_are_in_order_and_offer_the_next_step(browser, empty, scheme, width) -> None:
    paths = [
        "/",
        "/tasks",
        "/next-runs",
        "/runs",
        "/heartbeats",
        "/metrics",
        "/log",
        "/account/tokens",
        "/fleet",
        "/fleet/executions",
        "/fleet/devices",
        "/fleet/devices/join",
        "/fleet/groups",
        "/fleet/schedules",
    ]
    with window(browser, empty, color_scheme=scheme, viewport={"width": width, "height": 800}) as page:
        require_order(judge_all(page, paths))
        expect_scheduler(page, "stopped")
        for path in paths:
            page.goto(path)
            expect(page.locator("main .wb-empty a, main .wb-empty button").first).to_be_visible()


@pytest.fixture(scope="module")
def empty(launch):
    """Give a page without any task and with a scheduler that has never been started."""
    return launch("-m", "watchbell", "dashboard", "--port", "0")


def test_a_locked_database_is_told_and_what_was_typed_can_be_sent_again(browser, empty) -> None:
    with window(browser, empty, expected={503}) as page:
        page.goto("/tasks/new")
        page.get_by_label("Name", exact=True).fill("late")
        page.get_by_label("Command", exact=True).fill("true")
        page.locator("#cron").fill("0 2 * * *")
        with contextlib.closing(sqlite3.connect(empty.home / "watchbell.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            sent = page.expect_response(
                lambda answer: answer.request.method == "POST" and answer.url.endswith("/tasks/new"), timeout=30_000
            )
            with sent as answered:
                page.get_by_role("button", name="Create task").click()
            assert answered.value.status == 503
            expect(page.locator("main")).to_contain_text(re.compile("database|again", re.IGNORECASE))
            other.execute("ROLLBACK")
        page.reload()
        expect(page.get_by_role("heading", level=1, name="late")).to_be_visible()
