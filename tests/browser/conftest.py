"""The browser of all modules, and an installation for each module whose tests can share one."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.installations import Installation, state_of_windows, window
from tests.waiting import wait_until
from watchbell import resources

Launch = Callable[..., Installation]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "call" and report.failed:
        report.sections.append(("windows", "\n".join(state_of_windows())))
    return report


@pytest.fixture(scope="package")
def browser(browser_path: str) -> Iterator[Browser]:
    # A busy machine may take longer than the usual five seconds.
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def launch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launch]:
    """Start installations; all that they have started is gone when the module ends."""
    if not resources.have_assets():
        pytest.skip("the browser libraries are missing; run: make assets")
    made: list[Installation] = []

    def start(*command: str, **environment: str) -> Installation:
        folder: Path = tmp_path_factory.mktemp("installation")
        made.append(Installation(folder, *([command] if command else []), **environment))
        return made[-1]

    yield start
    for installation in made:
        installation.close()


@pytest.fixture(scope="module")
def installation(launch: Launch) -> Installation:
    """Give ``watchbell up`` without the sample task, its scheduler at work."""
    made = launch()
    wait_until(lambda: made.rows("SELECT 1 FROM scheduler"), 20, "the scheduler")
    return made


@pytest.fixture
def page(browser: Browser, installation: Installation) -> Iterator[Page]:
    """Give the window of somebody who has logged in."""
    with window(browser, installation) as opened:
        yield opened
