"""How long the last runs of a task took, as a picture: a bar for each from zero, and a band for what is usual."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from watchbell.domain.analysis.usual import Unusual, Usual
from watchbell.web.i18n import _
from watchbell.web.pictures.looks import moment_words, tone_of
from watchbell.web.presenters import RunView, state_word
from watchbell.web.spans import short_words

#: Height of the plot, and what is left free above it for the marks on the highest bars.
HEIGHT = 160
_TOP = 12
_MOST_LINES = 4
#: A bar takes no more of the width than so many per cent.
_WIDEST = 5.0
#: Round amounts above ten seconds, as clocks have them; below they are 1, 2, 5.
_STEPS = (15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)
_BAD = frozenset({"failed", "timed_out", "lost"})


@dataclasses.dataclass(frozen=True, slots=True)
class Bar:
    """One run."""

    run: RunView
    #: Place and width in per cent of the width, top and height in pixels.
    x: float
    width: float
    y: float
    height: float
    #: good, bad, long or short: each has a shape of its own.
    kind: str
    tone: str
    title: str
    #: In which way it is unusual, in words; empty where it is not.
    note: str

    @property
    def middle(self) -> float:
        """Return where its mark stands."""
        return round(self.x + self.width / 2, 3)


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One line of the grid."""

    y: float
    label: str


@dataclasses.dataclass(frozen=True, slots=True)
class DurationPicture:
    """The bars, the grid and the band."""

    bars: Sequence[Bar]
    lines: Sequence[Line]
    usual: Usual | None
    #: Top and height of the band, and where the median lies; None of too few good runs.
    band: tuple[float, float] | None
    median_y: float | None
    height: int = HEIGHT

    @property
    def answer(self) -> str:
        """Return what the picture shows, in a sentence."""
        if self.usual is None:
            return _("None of these runs has succeeded, so nothing is usual yet.")
        median = short_words(self.usual.median)
        if self.usual.low is None or self.usual.high is None:
            return _("Usually %(median)s; of more good runs there will be a band of what is usual.", median=median)
        low, high = short_words(self.usual.low), short_words(self.usual.high)
        return _("Usually %(median)s: good runs lie between %(low)s and %(high)s.", median=median, low=low, high=high)


def draw(runs: Sequence[RunView], usual: Usual | None, zone: ZoneInfo) -> DurationPicture | None:
    """Return the picture of those runs, oldest first, that have taken a time; None if none has."""
    shown = [run for run in runs if run.duration_seconds is not None and run.ended_at is not None]
    if not shown:
        return None
    highest = max([run.duration_seconds or 0.0 for run in shown] + [usual.high if usual and usual.high else 0.0])
    step = _step(max(highest, 0.001))
    top = math.ceil(max(highest, 0.001) / step) * step
    scale = (HEIGHT - _TOP) / top
    lines = [Line(round(HEIGHT - n * step * scale, 2), short_words(n * step)) for n in range(round(top / step) + 1)]
    each = 100 / len(shown)
    bars = [_bar(run, number * each, each, scale, usual, zone) for number, run in enumerate(shown)]
    band = None
    if usual is not None and usual.low is not None and usual.high is not None:
        band = (round(HEIGHT - usual.high * scale, 2), round((usual.high - usual.low) * scale, 2))
    median_y = round(HEIGHT - usual.median * scale, 2) if usual is not None else None
    return DurationPicture(bars, lines, usual, band, median_y)


def _bar(run: RunView, x: float, each: float, scale: float, usual: Usual | None, zone: ZoneInfo) -> Bar:
    seconds = run.duration_seconds or 0.0
    verdict = usual.verdict(seconds) if usual is not None and run.state == "succeeded" else None
    note = {None: "", Unusual.LONG: _("unusually long"), Unusual.SHORT: _("suspiciously short")}[verdict]
    kind = "bad" if run.state in _BAD else str(verdict) if verdict else "good"
    words = _("#%(id)s %(state)s, took %(took)s, due %(due)s", id=run.id, state=state_word(run.state), took=short_words(seconds),
              due=moment_words(run.due_at, zone))  # fmt: skip
    height = max(round(seconds * scale, 2), 1.0)
    # A few runs are bars, too, and no blocks.
    width = min(each * 0.7, _WIDEST)
    return Bar(
        run=run,
        x=round(x + (each - width) / 2, 3),
        width=round(width, 3),
        y=round(HEIGHT - height, 2),
        height=height,
        kind=kind,
        tone=tone_of(run.state),
        title=f"{words}; {note}" if note else words,
        note=note,
    )


def _step(highest: float) -> float:
    """Return the distance of the lines of the grid: round, and few of them."""
    least = highest / _MOST_LINES
    if least > 10:
        return next((step for step in _STEPS if step >= least), math.ceil(least / 86_400) * 86_400)
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * 0.999999)
