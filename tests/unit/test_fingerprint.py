"""Which failures are the same one: what differs each time is left out, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchbell.domain.analysis.fingerprint import make, normalised

TRACE = b"""Traceback (most recent call last):
  File "/srv/app/sync.py", line 41, in <module>
    copy(%d)
ConnectionError: 2026-11-22T03:00:%02d host 10.0.0.%d refused request 5f0c2a9e-1111-4222-8333-%012d after %d ms
"""


def mark(stderr: bytes, *, state: str = "failed", code: int | None = 1, reason: str = "exit code 1") -> str:
    return make(state, code, stderr, reason)[0]


def test_the_same_failure_at_another_time_is_the_same() -> None:
    assert mark(TRACE % (7, 1, 3, 4, 20)) == mark(TRACE % (900, 59, 250, 987654321, 3))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("\x1b[31merror\x1b[0m: no", "error: no"),
        ("at 2026-11-22 03:00:01,123 it failed", "at <time> it failed"),
        ("at 03:00:01 it failed", "at <time> it failed"),
        ("/tmp/tmpab12/x.csv: No such file", "<tmp>: No such file"),
        ("object at 0x7f00aa11", "object at <hex>"),
        ("commit 3f2a91bc0d is gone", "commit <hex> is gone"),
        ("a deadbeef-like word: defaced", "a deadbeef-like word: defaced"),
        ("1,234 of 5.6 rows", "<n> of <n> rows"),
        ("retry\nretry\nretry\ngiven up", "retry\ngiven up"),
        ("attempt 1\nattempt 2\nattempt 3", "attempt <n>"),
        ("\n\n  \n", ""),
        ("x" * 5000, "x" * 200),
    ],
)
def test_what_differs_each_time_is_left_out(text: str, plain: str) -> None:
    assert normalised(text) == plain


def test_only_the_last_lines_count() -> None:
    assert normalised("a\nb\n" + "\n".join("cdefghij")) == "\n".join("cdefghij")


def test_another_exit_code_end_or_message_is_another_failure() -> None:
    marks = [mark(b"no"), mark(b"no", code=2), mark(b"no", state="timed_out"), mark(b"yes")]

    assert len(set(marks)) == 4


def test_without_error_output_the_reason_counts() -> None:
    assert mark(b"", reason="killed by SIGKILL") != mark(b"", reason="exit code 1")
    assert mark(b"", reason="time limit of 30 s reached") == mark(b"", reason="time limit of 60 s reached")


@given(st.binary(max_size=9000))
def test_any_output_has_a_fingerprint_and_a_text_that_can_be_shown(data: bytes) -> None:
    found, text = make("failed", 1, data, "exit code 1")

    assert len(found) == 16
    assert all(char.isprintable() or char == "\n" for char in text)


def test_what_has_exited_with_0_is_known_by_the_gate_that_it_has_broken_and_not_by_its_warnings() -> None:
    by_rows = [
        make("failed", 0, note, f"gate 'rows' broken: rows > 1 (rows {seen})") for note, seen in ((b"a", 0), (b"b", 1))
    ]
    by_time = make("failed", 0, b"a", "gate 'time' broken: execution_time_seconds < 5 (execution_time_seconds 9)")

    assert by_rows[0] == by_rows[1]
    assert by_rows[0][0] != by_time[0]


@pytest.mark.parametrize("reason", ["exit code 3", "gate 'rows' broken: rows > 1 (rows 0)"])
def test_how_often_a_task_tries_again_makes_no_other_failure_of_it(reason: str) -> None:
    code = 0 if reason.startswith("gate") else 3
    made = {
        make("failed", code, b"", f"{reason}{more}")
        for more in (
            "",
            "; given up after 2 attempts",
            "; given up after 1 of 3 attempts; policy: no attempt later than 60 s after the first",
            "; attempt 1 of 2; policy: this result is not retried",
        )
    }

    assert len(made) == 1
