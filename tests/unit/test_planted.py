"""What the analysis finds in generated years: the counts of docs/analysis.md, of a few tasks."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks import planted

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("kind", planted.KINDS)
def test_the_learned_normal_finds_every_planted_outlier_and_marks_hardly_anything_else(kind):
    count = planted.look_for_outliers(kind, 2, random.Random(7))["learned normal"]

    assert (count.planted, count.found) == (2 * planted.OUTLIERS, 2 * planted.OUTLIERS)
    assert count.false <= 0.03 * count.looks


@pytest.mark.parametrize("method", ["anomalies, iqr", "anomalies, mad"])
def test_outliers_of_steady_numbers_are_found_by_a_method_that_they_cannot_blind(method):
    count = planted.look_for_outliers("steady", 2, random.Random(7))[method]

    assert count.found == count.planted
    assert count.false <= 0.03 * count.looks


def test_a_change_for_the_worse_is_found_where_it_was_planted_and_nowhere_else():
    count = planted.look_for_regressions("steady", 4, random.Random(7), factor=1.2)

    assert (count.planted, count.found, count.false) == (4, 4, 0)


def test_a_drift_is_found_in_its_direction():
    count = planted.look_for_trends("steady", 8, random.Random(7), percent=30, runs=365)

    assert (count.planted, count.found, count.false) == (4, 4, 0)


def test_the_page_of_the_documentation_has_the_rows_that_the_program_makes():
    page = (ROOT / "docs" / "analysis.md").read_text().splitlines()
    labels = [tuple(cell.strip() for cell in line.split("|")[1:4]) for line in page if line.startswith("| ")]

    assert labels[2:] == [tuple(map(str, row[:3])) for row in planted.rows(1)]
