"""When a growing output is looked at next, and whether a write to one that stands still is heard."""

from __future__ import annotations

import itertools
import os
import select

import pytest

from watchbell.execution.throttle import (
    AHEAD_BYTES,
    FULL_SPEED,
    LEAST_SECONDS,
    MOST_SECONDS,
    STEP_BYTES,
    WriteAlarm,
    next_look,
)

#: Room that is no reason to look early.
PLENTY = 1 << 40


def test_a_flood_is_looked_at_as_often_as_its_growth_asks_for():
    assert next_look(STEP_BYTES, 0.05, PLENTY) == pytest.approx(0.05)
    assert next_look(100 * STEP_BYTES, 0.05, PLENTY) == LEAST_SECONDS


def test_a_trickle_is_looked_at_seldom_but_never_out_of_the_blue():
    waits = [LEAST_SECONDS]
    while waits[-1] < MOST_SECONDS:
        waits.append(next_look(100, waits[-1], PLENTY))

    assert all(later <= 2 * earlier + 1e-9 for earlier, later in itertools.pairwise(waits))
    assert waits[-1] == MOST_SECONDS


def test_little_growth_in_a_moment_says_nothing_about_the_next_one():
    """A writer that has just gone on may be at full speed; half a second was once given to it for its first 64 KiB."""
    assert next_look(4096, 0.0002, PLENTY) == LEAST_SECONDS
    assert next_look(0, 0.0, PLENTY) == LEAST_SECONDS


def test_a_writer_that_is_let_run_after_a_while_is_looked_at_before_it_is_ahead():
    """It was thought to need 200 ms for 4 MiB because it had not been given a processor, and wrote a hundred in them."""
    assert next_look(4096, 0.2, AHEAD_BYTES) == pytest.approx(AHEAD_BYTES / FULL_SPEED)
    assert next_look(4096, 0.2, 0) == LEAST_SECONDS


def test_no_write_to_a_file_that_stands_still_is_missed(tmp_path):
    """The alarm is set again while the kernel may still be taking the old one away."""
    alarm: WriteAlarm[str] = WriteAlarm()
    file = tmp_path / "out"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
    try:
        for number in range(2000):
            assert alarm.arm(str(file), "owner")
            os.write(descriptor, b"x")
            assert select.select([alarm.descriptor], [], [], 5)[0], f"write {number} was not heard"
            while "owner" not in alarm.ring():
                assert select.select([alarm.descriptor], [], [], 5)[0], f"write {number} was not heard"
    finally:
        os.close(descriptor)
        alarm.close()
