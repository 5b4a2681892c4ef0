"""How many requests were made to find out whether each route keeps to its right, told at the end of a run that made any.

A pytest plugin, named in tests/conftest.py. What a test notes goes with its report, also from a worker process.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

_NAME = "crawled"
#: Called with who asks, and how many requests are made so.
Note = Callable[[str, int], None]


@pytest.fixture
def note_crawl(record_property: Callable[[str, object], None]) -> Note:
    """Return what notes that every route was asked by somebody."""
    return lambda identity, requests: record_property(_NAME, [str(identity), requests])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [
        (outcome, report) for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])
    ]
    found = [
        (outcome, *value) for outcome, report in reports for name, value in report.user_properties if name == _NAME
    ]
    if found:
        routes = max(number for _outcome, _identity, number in found)
        unexpected = sum(outcome == "failed" for outcome, _identity, _number in found)
        total = sum(number for _outcome, _identity, number in found)
        terminalreporter.write_line(
            f"rights: {routes} requests of all routes x {len(found)} identities = {total:,} answers; {unexpected} identities got "
            "one that was not expected"
        )
