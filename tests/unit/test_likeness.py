from __future__ import annotations

import pytest

from tests.waiting import spends_at_most
from watchbell.domain.likeness import MOST_LINES, Side, changed_fields, compare, normal


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2026-11-22T12:00:00.123Z started", "2026-11-23T01:02:03.9Z started"),
        ("2026-11-22 12:00:00,123 INFO x", "2027-01-01 00:00:00,001 INFO x"),
        ("Nov 22 12:00:00 db1 sshd[4242]: x", "Dec  1 01:02:03 db1 sshd[77]: x"),
        ("backup of 2026-11-22", "backup of 2026-11-23"),
        ("at 12:00:00", "at 23:59:59.999"),
        ("pid=4242 PID 17", "pid=9 PID 99999"),
        ("id 550e8400-e29b-41d4-a716-446655440000", "id 123e4567-e89b-12d3-a456-426614174000"),
        ("object at 0x7f3a2b", "object at 0xdeadbeef"),
        ("commit 3f2a91bc", "commit a0b1c2d3e4f5"),
        ("took 1.25 s", "took 310 ms"),
        ("epoch 1795348800", "epoch 1795348801.5"),
        ("trailing  ", "trailing"),
    ],
)
def test_what_differs_between_any_two_runs_is_the_same(one: str, other: str) -> None:
    assert normal(one) == normal(other)
    assert compare([one], [other]).hunks == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("12 rows", "13 rows"),
        ("exit code 1", "exit code 2"),
        ("defaced", "accede"),
        ("v1.2.3", "v1.2.4"),
        ("1234567", "1234568"),
        ("disk 91 %", "disk 99 %"),
    ],
)
def test_what_may_matter_stays_different(one: str, other: str) -> None:
    found = compare([one], [other])

    assert [(line.side, line.text) for line in found.hunks[0]] == [(Side.ONLY_BEFORE, one), (Side.ONLY_AFTER, other)]


def test_a_difference_stands_with_lines_around_it_and_the_rest_is_folded() -> None:
    before = [f"line {n}" for n in range(100)]
    after = [*before[:50], "new", *before[50:90], *before[91:]]

    found = compare(before, after)

    assert (found.added, found.removed, found.same) == (1, 1, 99)
    assert found.folded == [47, 34, 6]
    assert [line.text for line in found.hunks[0]] == [
        "line 47",
        "line 48",
        "line 49",
        "new",
        "line 50",
        "line 51",
        "line 52",
    ]
    assert [(line.before, line.after) for line in found.hunks[0]][2:5] == [(50, 50), (None, 51), (51, 52)]
    shown = sum(len([line for line in hunk if line.side is not Side.ONLY_BEFORE]) for hunk in found.hunks)
    assert shown + sum(found.folded) == len(after)


@pytest.mark.parametrize(
    ("before", "after"), [([], []), (["a"], []), ([], ["a"]), (["a"] * 10, ["a"] * 12), (["a", "b"], ["b", "a"])]
)
def test_the_numbers_add_up_also_at_the_ends(before: list[str], after: list[str]) -> None:
    found = compare(before, after)

    assert found.same + found.added == len(after)
    assert found.same + found.removed == len(before)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["a", "b"] * MOST_LINES, ["b", "a"] * MOST_LINES),
        ([str(n % 199) for n in range(MOST_LINES)], [str(n * 7 % 199) for n in range(MOST_LINES)]),
        ([str(n) for n in range(MOST_LINES)], [str(-n) for n in range(MOST_LINES)]),
        (["2026-01-01 00:00" * 12] * MOST_LINES, ["1:1:1" * 40] * MOST_LINES),
        (["ab1" * 60] * MOST_LINES, ["\x1b[" * 80] * MOST_LINES),
    ],
)
def test_hostile_outputs_are_compared_in_seconds(before: list[str], after: list[str]) -> None:
    spends_at_most(5, lambda: compare(before, after))


def test_fields_that_differ_are_told_and_those_that_are_missing_are_empty() -> None:
    found = changed_fields({"a": "1", "b": "2", "gone": "x"}, {"a": "1", "b": "3", "new": "y"})

    assert [(one.field, one.before, one.after) for one in found] == [
        ("b", "2", "3"),
        ("new", "", "y"),
        ("gone", "x", ""),
    ]
