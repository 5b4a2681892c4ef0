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
#: Experiment, words, value, seed, whether it counts violations, test and outcome.
Told = tuple[str, str, str, int, bool, str, str]


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
        self.figure(experiment, "what happened", counts)
        assert not verdict.all_violations, f"{experiment}: {verdict.all_violations}; seed {SEED}"
        assert verdict.cases, f"{experiment}: nothing was judged"

    def figure(self, experiment: str, words: str, value: str) -> None:
        """Tell a measured number."""
        self._tell(experiment, words, value, is_claim=False)

    def _tell(self, experiment: str, words: str, value: str, *, is_claim: bool = True) -> None:
        print(f"{experiment}  {words}: {value}; seed {SEED}")
        self.record(_PROPERTY, [experiment, words, value, SEED, is_claim])


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
    told.sort()
    terminalreporter.section(f"what the experiments claim ({'long' if LONG else 'short'} lane)")
    for line in _short(told):
        terminalreporter.line(line)
    file = os.environ.get("WATCHBELL_TEST_REPORT")
    if file:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text("\n".join(_table(told)) + "\n")
        terminalreporter.line(f"all claims and figures are in {file}")


def _short(told: Sequence[Told]) -> list[str]:
    """Return a line for each experiment: how many cases it looked at and how many of them broke a promise."""
    lines = []
    for experiment, group in itertools.groupby(told, key=lambda claim: claim[0]):
        claims = list(group)
        broken, cases = map(
            sum, zip(*[_parts(claim[2]) or (0, 0) for claim in claims if claim[4]] or [(0, 0)], strict=True)
        )
        failed = sorted({claim[5] for claim in claims if claim[6] != "passed"})
        lines.append(
            f"{experiment}: {broken} of {cases} cases broke a promise" + "".join(f", FAILED {name}" for name in failed)
        )
    return [*lines, _seeds(told)]


def _table(told: Sequence[Told]) -> list[str]:
    """Return the lines of a table that is Markdown and legible as it stands; what several tests claim is one line."""
    rows = [("experiment", "claim (violations of cases) or figure", "result", "test")]
    for (experiment, words), group in itertools.groupby(told, key=lambda claim: claim[:2]):
        claims = list(group)
        tests = ", ".join(sorted({claim[5].rpartition("/")[2].partition("::")[0] for claim in claims}))
        failed = " (FAILED)" if any(claim[6] != "passed" for claim in claims) else ""
        rows.append((experiment, words, _sum([claim[2] for claim in claims]) + failed, tests))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return [*lines, _seeds(told)]


def _seeds(told: Sequence[Told]) -> str:
    return f"seed {', '.join(map(str, sorted({claim[3] for claim in told})))}"


def _sum(values: Sequence[str]) -> str:
    """Return the sum of values that read "k of n", or all different ones."""
    parts = [_parts(value) for value in values]
    if all(parts):
        return " of ".join(str(sum(part[place] for part in parts if part)) for place in (0, 1))
    return "; ".join(dict.fromkeys(values))


def _parts(value: str) -> tuple[int, int] | None:
    """Return both numbers of a value that reads "k of n"."""
    match = re.fullmatch(r"([0-9]+) of ([0-9]+)", value)
    return (int(match[1]), int(match[2])) if match else None
