"""Numbers that a command tells about itself: which lines count, and that no other text gets in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchbell.domain.own_metrics import MOST, read


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"::watchbell metric=rows value=120", 120.0),
        (b"::watchbell  metric=rows\tvalue=-1.5 ", -1.5),
        (b"::watchbell metric=rows value=+2e3\r", 2000.0),
    ],
)
def test_a_line_of_its_own_tells_a_number(line: bytes, value: float) -> None:
    assert read([b"before\n" + line + b"\nafter"]) == {"rows": value}


@pytest.mark.parametrize(
    "line",
    [
        b" ::watchbell metric=rows value=1",
        b"x::watchbell metric=rows value=1",
        b"::watchbell metric=rows value=",
        b"::watchbell metric=rows value=nan",
        b"::watchbell metric=rows value=inf",
        b"::watchbell metric=rows value=1e99",
        b"::watchbell metric=rows value=1 value=2",
        b"::watchbell metric=rows value=0x10",
        b"::watchbell metric=Rows value=1",
        b"::watchbell metric=<b> value=1",
        b"::watchbell metric=" + b"a" * 51 + b" value=1",
        b"::watchbell metric=success value=1",
        "::watchbell metric=rows value=\u0661".encode(),
    ],
)
def test_any_other_line_is_output_like_any_other(line: bytes) -> None:
    assert read([line]) == {}


def test_the_last_value_of_a_name_counts_and_both_streams_are_read() -> None:
    line = b"::watchbell metric=%s value=%d\n"

    assert read([line % (b"a", 1) + line % (b"a", 2), line % (b"b", 3)]) == {"a": 2, "b": 3}


def test_so_many_names_are_taken_and_no_more() -> None:
    text = b"".join(b"::watchbell metric=m%d value=%d\n" % (number, number) for number in range(1000))

    assert read([text]) == {f"m{number}": number for number in range(MOST)}


@given(st.binary())
def test_no_text_does_any_harm(text: bytes) -> None:
    assert len(read([text, b"::watchbell metric=" + text, b"::watchbell metric=a value=" + text])) <= MOST
