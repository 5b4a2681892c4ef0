"""What is told of a trouble with the database when it is over."""

from __future__ import annotations

import pytest

from watchbell.scheduler.vitals import past


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        ("the database is locked by another program; try again", "the database was locked by another program"),
        ("the disk of the database is full", "the disk of the database was full"),
        ("the connection to the database was lost", "the connection to the database was lost"),
    ],
)
def test_a_trouble_that_is_over_is_told_as_something_past(trouble: str, told: str) -> None:
    assert past(trouble) == told
