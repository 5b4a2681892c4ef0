"""The scale of values beside a picture: round lines, few of them, from zero where that is honest and room allows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

from watchbell.domain.analysis.histogram import round_step

_MOST_LINES = 4
#: Of values that all lie in the upper part of the picture, the lower part would say nothing: such a picture begins higher.
_NEAR_ZERO = 0.5


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One line of the grid."""

    y: float
    label: str


@dataclasses.dataclass(frozen=True, slots=True)
class Scale:
    """Where a value stands, in pixels from the top."""

    bottom: float
    top: float
    step: float
    height: float
    #: What is left free above the highest line.
    above: float

    def y(self, value: float) -> float:
        """Return where a value stands; one outside stands at the edge."""
        share = (value - self.bottom) / (self.top - self.bottom)
        return round(self.height - min(max(share, 0.0), 1.0) * (self.height - self.above), 2)

    def lines(self, words: Callable[[float], str]) -> Sequence[Line]:
        """Return the lines of the grid with their values in words."""
        values = [self.bottom + n * self.step for n in range(round((self.top - self.bottom) / self.step) + 1)]
        # What is left of a sum that should be zero is no value.
        return [Line(self.y(value), words(0.0 if abs(value) < self.step / 1e6 else value)) for value in values]


def make(values: Sequence[float], *, height: float, above: float, from_zero: bool = False) -> Scale:
    """Return the scale for values, of which there is at least one."""
    low, high = min(values), max(values)
    if from_zero or 0 <= low <= _NEAR_ZERO * high:
        low = min(low, 0.0)
    if high <= low:
        high = low + max(abs(low) * 0.1, 1.0)
        low = min(low, 0.0) if low <= 1 else low - abs(low) * 0.1
    step = round_step((high - low) / _MOST_LINES) or 1.0
    bottom, top = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    return Scale(bottom, top if top > bottom else bottom + step, step, height, above)
