"""What many values of one metric come to, without the values: it can go on being added to, and joined with another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple


class Tally(NamedTuple):
    """How many, sum, sum of squares, lowest and highest."""

    number: int
    total: float
    squares: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float) -> Tally:
        """Return the tally of a single value."""
        return cls(1, value, value * value, value, value)

    def joined(self, other: Tally) -> Tally:
        """Return the tally of both."""
        return Tally(
            self.number + other.number,
            self.total + other.total,
            self.squares + other.squares,
            min(self.low, other.low),
            max(self.high, other.high),
        )

    @property
    def mean(self) -> float:
        """Return the arithmetic mean."""
        return self.total / self.number

    @property
    def stddev(self) -> float:
        """Return the standard deviation of a sample; 0 of a single value."""
        if self.number < 2:
            return 0.0
        return math.sqrt(max(0.0, self.squares - self.total * self.total / self.number) / (self.number - 1))


def add(tallies: dict[str, Tally], values: Mapping[str, float]) -> None:
    """Add the values of one run to the tallies of their metrics."""
    for name, value in values.items():
        known = tallies.get(name)
        if known is None:
            tallies[name] = Tally(1, value, value * value, value, value)
            continue
        number, total, squares, low, high = known
        # Some forty times for each run, so nothing is made that is not kept.
        tallies[name] = Tally(number + 1, total + value, squares + value * value, min(low, value), max(high, value))
