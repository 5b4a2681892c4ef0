"""What the experiments claim: each as "k of n", told where it is made and once more in a table at the end of a run.

A pytest plugin, named in tests/conftest.py, because the table is written by the process that starts the workers.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.fault.scale import LONG, SEED

_PROPERTY = "claim"


@dataclasses.dataclass
class Claims:
    """The claims of one test; those of a test that fails are told, too."""

    record: Any

    def none_of(self, experiment: str, words: str, cases: int, violations: Sequence[object] = ()) -> None:
        """Claim that none of so many cases broke a promise, and fail if one did or if nothing was looked at."""
        self._tell(experiment, words, f"{len(violations)} of {cases}")
        assert not violations, f"{experiment} {words}: {[str(words) for words in violations[:10]]}; seed {SEED}"
        assert cases, f"{experiment} {words}: nothing was looked at"

    def judged(self, experiment: str, verdict: Any) -> None:
        """Claim all that the oracle has judged."""
        for promise, cases in verdict.cases.items():
            self._tell(experiment, promise, f"{len(verdict.violations[promise])} of {cases}")
        counts = ", ".join(f"{name} {number}" for name, number in sorted(verdict.counts.items()))
        self._tell(experiment, "what happened", counts)
        assert not verdict.all_violations, f"{experiment}: {verdict.all_violations}; seed {SEED}"
        assert verdict.cases, f"{experiment}: nothing was judged"

    def figure(self, experiment: str, words: str, value: str) -> None:
        """Tell a measured number."""
        self._tell(experiment, words, value)

    def _tell(self, experiment: str, words: str, value: str) -> None:
        print(f"{experiment}  {words}: {value}; seed {SEED}")
        self.record(_PROPERTY, [experiment, words, value, SEED])


@pytest.fixture
def claims(record_property: Any) -> Claims:
    return Claims(record_property)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [
        report
        for reports in terminalreporter.stats.values()
        for report in reports
        if hasattr(report, "user_properties")
    ]
    told = [
        (*value, report.nodeid, report.outcome)
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == _PROPERTY
    ]
    if not told:
        return
    lines = _table(sorted(told))
    terminalreporter.section(f"what the experiments claim ({'long' if LONG else 'short'} lane)")
    for line in lines:
        terminalreporter.line(line)
    file = os.environ.get("WATCHBELL_TEST_REPORT")
    if file:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text("\n".join(lines) + "\n")
        terminalreporter.line(f"written to {file}")


def _table(told: Sequence[tuple[str, str, str, int, str, str]]) -> list[str]:
    """Return the lines of a table that is Markdown and legible as it stands; what several tests claim is one line."""
    rows = [("experiment", "claim (violations of cases) or figure", "result", "test")]
    for (experiment, words), group in itertools.groupby(told, key=lambda claim: claim[:2]):
        claims = list(group)
        tests = ", ".join(sorted({claim[4].rpartition("/")[2].partition("::")[0] for claim in claims}))
        failed = " (FAILED)" if any(claim[5] != "passed" for claim in claims) else ""
        rows.append((experiment, words, _sum([claim[2] for claim in claims]) + failed, tests))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    seeds = sorted({claim[3] for claim in told})
    return [*lines, f"seed {', '.join(map(str, seeds))}"]


def _sum(values: Sequence[str]) -> str:
    """Return the sum of values that read "k of n", or all different ones."""
    matches = [re.fullmatch(r"([0-9]+) of ([0-9]+)", value) for value in values]
    if all(matches):
        return " of ".join(str(sum(int(match[part]) for match in matches if match)) for part in (1, 2))
    return "; ".join(dict.fromkeys(values))
