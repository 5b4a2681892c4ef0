from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from watchbell.execution.order import FINE_MARKS, MOST_MARKS, Mark, Order, decode_marks, encode_marks, read_marks


@pytest.fixture
def order(tmp_path: Path) -> Order:
    return Order(str(tmp_path / "1.1.order"))


def test_a_command_that_uses_one_stream_makes_no_file_and_keeps_nothing(order: Order) -> None:
    for step in range(1, 100):
        order.note(step * 10, step, 0)

    assert order.finish(2000, 100, 0) == b""
    assert not Path(order.path).exists()


def test_one_that_ended_before_anybody_looked_keeps_nothing(order: Order) -> None:
    assert order.finish(5, 10, 10) == b""
    assert not Path(order.path).exists()


def test_streams_used_in_turns_give_a_mark_for_each_turn(order: Order) -> None:
    for at, out, err in [(10, 5, 0), (20, 9, 0), (30, 9, 4), (40, 9, 4), (50, 9, 8), (60, 12, 8)]:
        order.note(at, out, err)

    kept = decode_marks(order.finish(70, 12, 8))

    assert kept == [Mark(0, 20, 9, 0), Mark(20, 50, 9, 8), Mark(50, 60, 12, 8)]


def test_what_was_written_to_both_between_two_looks_says_in_which_time(order: Order) -> None:
    order.note(10, 5, 0)
    order.note(20, 9, 4)
    order.note(30, 9, 4)
    order.note(40, 12, 6)

    assert decode_marks(order.finish(50, 12, 6)) == [Mark(0, 10, 5, 0), Mark(10, 20, 9, 4), Mark(30, 40, 12, 6)]


def test_whoever_reads_along_finds_all_but_the_growth_that_goes_on(order: Order) -> None:
    order.note(10, 5, 0)
    order.note(20, 5, 4)
    assert read_marks(order.path) == [Mark(0, 10, 5, 0)]

    order.note(30, 7, 9)

    assert read_marks(order.path) == [Mark(0, 10, 5, 0), Mark(10, 20, 5, 4), Mark(20, 30, 7, 9)]


def test_a_stream_that_was_cut_short_has_no_order_any_more(order: Order) -> None:
    order.note(10, 50, 0)
    order.note(20, 50, 5)
    order.note(30, 2, 5)

    assert order.finish(50, 9, 9) == b""


def test_a_command_that_uses_both_for_hours_keeps_a_bounded_number_of_marks(order: Order) -> None:
    for step in range(1, 200_000):
        order.note(step * 100, step, step)

    kept = decode_marks(order.finish(20_000_000, 300_000, 300_000))

    assert FINE_MARKS < len(kept) <= MOST_MARKS
    assert kept[:FINE_MARKS] == [Mark((n - 1) * 100, n * 100, n, n) for n in range(1, FINE_MARKS + 1)]
    assert read_marks(order.path) == kept[: len(read_marks(order.path))]
    assert all(late.at_ms > early.at_ms for early, late in itertools.pairwise(kept))


def test_another_watcher_goes_on_where_the_former_one_stopped(order: Order) -> None:
    order.note(10, 5, 0)
    order.note(20, 5, 4)
    order.note(30, 9, 4)

    later = Order.resume(order.path)
    later.note(90, 20, 4)

    assert decode_marks(later.finish(95, 20, 4)) == [Mark(0, 10, 5, 0), Mark(10, 20, 5, 4), Mark(20, 90, 20, 4)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0),
        (b"1 2 3", 0),
        (b"0 1 5 5\n1 2 4 5\n", 1),
        (b"0 5 5 5\n1 2 6 6\n", 1),
        (b"0 1 1 1\n0 x 1 1\n0 2 2 2\n", 1),
        (b"0 1 1 1\n0 2 2 2 9\n", 1),
        (b"0 1 99999999999999999999 1\n", 0),
        (b"\xff\x00\n" * 50, 0),
    ],
)
def test_what_is_no_order_is_read_as_far_as_it_is_one(data: bytes, expected: int) -> None:
    assert len(decode_marks(data)) == expected


def test_marks_come_back_as_they_were() -> None:
    marks = [Mark(0, 1, 2, 3), Mark(1, 5, 2, 2**40)]

    assert decode_marks(encode_marks(marks)) == marks


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"0 1 1 1\n")
    link = tmp_path / "1.1.order"
    link.symlink_to(other)

    Order(str(link)).note(10, 5, 5)

    assert read_marks(str(link)) == []
    assert other.read_bytes() == b"0 1 1 1\n"
