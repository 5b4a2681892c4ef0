"""Tokens in a browser, with and without scripts: made, copied, used, replaced and revoked."""

from __future__ import annotations

import copy
import re
import shlex
import subprocess
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import Page, expect

from tests.browser.installations import Installation, answer, expect_notice, window
from tests.waiting import wait_until
from watchbell import clock
from watchbell.services import accounts


@pytest.fixture(params=["with scripts", "without scripts"])
def way(request) -> str:
    return str(request.param)


@pytest.fixture
def page(browser, installation, way):
    with window(browser, installation, java_script_enabled=way == "with scripts") as opened:
        yield opened


def status(installation: Installation, secret: str) -> int:
    """Return what the server answers to a program with this token."""
    request = urllib.request.Request(f"{installation.root}/tasks.json", headers={"Authorization": f"Bearer {secret}"})
    try:
        with urllib.request.urlopen(request, timeout=20) as told:
            return int(told.status)
    except urllib.error.HTTPError as error:
        return error.code


def use(line: str) -> None:
    """Run the line that the page gives to try a token."""
    done = subprocess.run(
        [*shlex.split(line), "--silent", "--fail"], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr


def make(page: Page, name: str) -> str:
    """Make a token on the page and return its secret."""
    page.goto("/account/tokens/new")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Create token").click()
    return page.get_by_label("Secret", exact=True).input_value()


def test_a_token_is_made_from_the_menu_of_the_account_and_its_line_works(
    page: Page, installation: Installation, way: str
) -> None:
    page.goto("/")
    page.get_by_label("Account of admin").click()
    page.get_by_role("link", name="Tokens").click()
    page.get_by_role("link", name="New token").first.click()
    page.get_by_label("Name").fill(f"deploy {way}")
    page.get_by_label("run: also runs").check()
    page.get_by_label("Expires after").select_option(label="7 days")
    page.get_by_role("button", name="Create token").click()

    expect_notice(page, "This is the secret.")
    line = page.get_by_label("Try it").input_value()
    use(line)
    page.get_by_role("link", name="Done").click()
    row = page.get_by_role("row").filter(has_text=f"deploy {way}")
    expect(row).to_contain_text("run")
    expect(row).to_contain_text("soon")

    # A use is not written down where the database is busy; then the next one is.
    def is_told() -> bool:
        use(line)
        page.reload()
        return "from 127.0.0.1" in row.inner_text()

    wait_until(is_told, 20, "the use of the token on the page")


def test_a_token_is_rotated_and_revoked(page: Page, installation: Installation, way: str) -> None:
    name = f"rotates {way}"
    old = make(page, name)
    page.goto("/account/tokens")
    page.get_by_role("link", name=f"Rotate {name}").click()
    page.get_by_role("button", name="Rotate").click()
    new = page.get_by_label("Secret", exact=True).input_value()
    assert (status(installation, old), status(installation, new)) == (401, 200)

    page.goto("/account/tokens")
    row = page.get_by_role("row").filter(has_text=name)
    if way == "without scripts":
        row.get_by_label(f"Revoke {name}?").check()
    row.get_by_role("button", name=f"Revoke {name}").click()
    if way == "with scripts":
        answer(page, f"Revoke {name}?", "Revoke")

    expect_notice(page, f"The token {name} is revoked")
    assert status(installation, new) == 401


def test_the_secret_is_copied_by_its_button(browser, installation: Installation) -> None:
    with window(browser, installation, permissions=["clipboard-read", "clipboard-write"]) as page:
        secret = make(page, "copied")
        page.get_by_role("button", name="Copy the secret").click()
        expect(page.locator(".wb-toasts")).to_contain_text("Copied.")

        assert page.evaluate("navigator.clipboard.readText()") == secret


def test_without_scripts_no_button_promises_to_copy(browser, installation: Installation) -> None:
    with window(browser, installation, java_script_enabled=False) as page:
        make(page, "by hand")

        expect(page.get_by_role("button", name="Copy")).to_have_count(0)


def test_the_password_is_asked_for_when_the_login_is_of_long_ago(browser, installation: Installation) -> None:
    accounts.set_password(installation.db, "admin", "a bell at noon", now=clock.now())
    # A password makes the session another one, and the frame may have asked with the one before.
    with window(browser, installation, logged_in=False, expected={401}) as page:
        page.goto(installation.make_link())
        # As long ago as a session may be that has not come to its end.
        installation.execute("UPDATE session SET created_at = strftime('%Y-%m-%d %H:%M:%f000', 'now', '-20 days')")
        page.goto("/account/tokens/new")
        page.get_by_label("Name").fill("late")
        page.get_by_label("Your password").fill("wrong")
        page.get_by_role("button", name="Create token").click()
        expect(page.locator("#current-error")).to_contain_text("Invalid password")
        expect(page.get_by_label("Name")).to_have_value("late")
        page.get_by_label("Your password").fill("a bell at noon")
        page.get_by_role("button", name="Create token").click()

        expect(page.get_by_label("Secret", exact=True)).to_have_value(re.compile("^wb_"))


def test_a_passkey_is_added_logs_in_alone_and_in_place_of_a_code_and_opens_nothing_once_it_is_removed(
    browser, installation: Installation
) -> None:
    # Passkeys belong to a name, and not to the number by which the other tests come.
    named = copy.copy(installation)
    named.root = installation.root.replace("127.0.0.1", "localhost")
    accounts.add(installation.db, "pat", role="viewer", password="a bell at night", now=clock.now())
    link = accounts.make_link(installation.db, "pat", now=clock.now())
    with window(browser, named, logged_in=False) as page:
        device = page.context.new_cdp_session(page)
        device.send("WebAuthn.enable")
        kind = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
        device.send("WebAuthn.addVirtualAuthenticator", {"options": {**kind, "isUserVerified": True}})
        page.goto(f"/login/link/{link}")
        page.goto("/account/passkeys")
        page.get_by_label("Name", exact=True).fill("laptop")
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
        code = page.locator(".wb-factor__codes li").first.inner_text()

        for act in ("alone", "after the password"):
            page.goto("/logout")
            page.get_by_role("button", name="Log out").click()
            if act == "alone":
                page.get_by_role("link", name="Log in with a passkey").click()
            else:
                page.get_by_label("Name").fill("pat")
                page.get_by_label("Password").fill("a bell at night")
                page.get_by_role("button", name="Log in").click()
                page.get_by_role("link", name="Use a passkey").click()
            expect(page.get_by_label("Account of pat")).to_be_visible()

        page.goto("/account/passkeys")
        row = page.get_by_role("row").filter(has=page.get_by_label("Name of the passkey laptop"))
        expect(row).to_contain_text("localhost")
        expect(row).not_to_contain_text("never")
        row.get_by_role("link", name="Remove laptop").click()
        page.get_by_role("button", name="Remove").click()
        expect(page.get_by_role("heading", name="Remove the passkey laptop")).to_be_visible()
        page.get_by_label("Code").fill(code)
        page.get_by_role("button", name="Remove").click()
        expect_notice(page, "The passkey laptop is removed.")

        # The device still has it, and nobody else has one.
        page.goto("/logout")
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("button", name="Log in")).to_be_visible()
        expect(page.get_by_role("link", name="Log in with a passkey")).to_have_count(0)
        page.goto("/login/passkey")
        expect_notice(page, "This passkey does not open an account here")
        expect(page.get_by_role("button", name="Use a passkey")).to_be_visible()
