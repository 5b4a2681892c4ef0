"""What every test stands on: a clean environment, marks by folder, and no silent skips where they would hide a fault."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from watchbell.config import SETTINGS

pytest_plugins = ["tests.postgres", "tests.database", "tests.fault.claims", "tests.lanes", "tests.crawl"]

ROOT = Path(__file__).resolve().parent.parent
#: Tests in these folders carry the mark of the same name.
MARKED_FOLDERS = ("process", "fault", "served", "browser", "packaging", "migration")
#: How many failed tests are named at the end, and how much of each.
MOST_NAMED = 30
MOST_LETTERS = 240
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def _scrub_environment() -> None:
    """Take every setting of ours out of the environment and let child processes find the package.

    It happens when this file is imported, before any test or fixture could have read a setting.
    """
    ours = {name for setting in SETTINGS for name in setting.env}
    for name in list(os.environ):
        # WATCHBELL_TEST_ names are for the tests themselves, such as how many kills to make and with which seed.
        if name in ours or (
            name.startswith(("WATCHBELL_", "TASK_SCHEDULER_")) and not name.startswith("WATCHBELL_TEST_")
        ):
            del os.environ[name]
    paths = [str(ROOT / "app"), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))


_scrub_environment()

# A busy machine makes any example late, which says nothing about the code.
settings.register_profile("watchbell", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("watchbell")


def find_browser() -> str | None:
    """Return the path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def in_ci() -> bool:
    """Return whether this run must prove everything, so that a skipped test is a failed one."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def pytest_report_header() -> str:
    browser = find_browser()
    if browser:
        return f"browser: {browser}"
    return f"browser: NONE FOUND ({', '.join(BROWSERS)}), so the browser tests cannot run; install chromium"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their folder."""
    for item in items:
        relative = item.path.relative_to(ROOT).parts
        folder = relative[1] if len(relative) > 2 else ""
        if folder in MARKED_FOLDERS:
            item.add_marker(getattr(pytest.mark, folder))


def _forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if in_ci() and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: CI is set, so nothing may be skipped. {reason}"


def _make_portable(report: pytest.TestReport) -> None:
    """Write half characters, which hostile input is full of, so that a report can travel from a worker process."""
    report.sections = [(name, _portable(text)) for name, text in report.sections]
    told = str(report.longrepr) if report.longrepr is not None else ""
    if _portable(told) != told:
        report.longrepr = _portable(told)


def _portable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _forbid_skip(report)
    _make_portable(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _forbid_skip(report)
    return report


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what failed in the last lines, which are all that some people see of a run."""
    failed = [report for kind in ("failed", "error") for report in terminalreporter.stats.get(kind, ())]
    if not failed:
        return
    terminalreporter.section(f"what failed: {len(failed)}")
    for report in failed[:MOST_NAMED]:
        terminalreporter.line(f"{report.nodeid}: {_first_words(report)}"[:MOST_LETTERS])
    if len(failed) > MOST_NAMED:
        terminalreporter.line(f"and {len(failed) - MOST_NAMED} more")


def _first_words(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return the first line of why a test failed, as far as it is known."""
    crash = getattr(report.longrepr, "reprcrash", None)
    words = crash.message if crash is not None else str(report.longrepr or "")
    return next(iter(words.strip().splitlines()), "it does not say why")


@pytest.fixture(scope="session")
def browser_path() -> str:
    """Return the path of a Chromium; without one the test cannot run and says so."""
    found = find_browser()
    if not found:
        pytest.skip(f"no browser found ({', '.join(BROWSERS)}); install chromium to run the browser tests")
    return found
