"""Find out what the analysis finds: generated years of daily runs in which every trend, regression and outlier was planted.

    python -m benchmarks.planted [--tasks N] [--to docs/analysis.md]

Each task has 365 runs, and its numbers are steady, have a long tail, or depend on the weekday. Everything is counted: what was
planted and found, planted and missed, and found where nothing was planted. The numbers come from a fixed seed, so the page
is the same on every machine.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from watchbell.domain.analysis import anomaly, trend
from watchbell.domain.analysis.judgement import Habit, Past, judge
from watchbell.domain.analysis.trend import Direction

DAYS = 365
#: What is looked at by default, and what a task's habit is learned from.
WINDOW = 30
LEARNED_FROM = 150
#: A usual duration in seconds.
USUAL = 100.0
OUTLIERS = 12
#: A change must be told within so many runs, and may be told of as long as it is still in the window.
SOON = 10
START = datetime(2025, 1, 1, 2, 30, tzinfo=UTC)
ZONE = ZoneInfo("UTC")
METRIC = "execution_time_seconds"


@dataclasses.dataclass
class Count:
    """What came of looking with one method at one kind of numbers."""

    planted: int = 0
    found: int = 0
    false: int = 0
    #: How many times it could have been wrong.
    looks: int = 0

    def add(self, planted: int, found: int, false: int, looks: int) -> None:
        """Add the counts of a task."""
        self.planted += planted
        self.found += found
        self.false += false
        self.looks += looks

    def cells(self) -> tuple[object, ...]:
        """Return planted, found, missed, false, and the share of the false."""
        share = f"{self.false / self.looks * 100:.2f} %" if self.looks else "-"
        return self.planted, self.found, self.planted - self.found, self.false, share


def steady(source: random.Random, _day: int) -> float:
    """Return a duration that differs by 3 % as a rule."""
    return source.gauss(USUAL, 3)


def tailed(source: random.Random, _day: int) -> float:
    """Return a duration with a long tail: a twentieth of them are half as long again, or longer."""
    return source.lognormvariate(4.6, 0.25)


def weekly(source: random.Random, day: int) -> float:
    """Return a duration that is three times as long at weekends."""
    return source.gauss(USUAL, 5) * (3 if (START + timedelta(days=day)).weekday() >= 5 else 1)


KINDS: dict[str, Callable[[random.Random, int], float]] = {"steady": steady, "long tail": tailed, "weekly": weekly}


def year(kind: str, source: random.Random) -> list[float]:
    """Return a year without anything planted."""
    return [max(KINDS[kind](source, day), 1.0) for day in range(DAYS)]


def look_for_outliers(kind: str, tasks: int, source: random.Random) -> dict[str, Count]:
    """Plant outliers of four times, or a tenth of, what the run would have taken, and count what finds them.

    Each method looks at the last thirty runs on each day, and its answer about the newest run counts.
    """
    counts = {**{f"anomalies, {method}": Count() for method in anomaly.Method}, "learned normal": Count()}
    for _ in range(tasks):
        values = year(kind, source)
        places = set(source.sample(range(WINDOW, DAYS), OUTLIERS))
        for place in places:
            values[place] *= source.choice((4.0, 0.1))
        for method in anomaly.Method:
            told = {place for place in range(WINDOW, DAYS) if _is_odd(values[place - WINDOW + 1 : place + 1], method)}
            _count(counts[f"anomalies, {method}"], places, told)
        _count(counts["learned normal"], places, set(_judged(values)))
    return counts


def _is_odd(window: Sequence[float], method: anomaly.Method) -> bool:
    return any(one.index == len(window) - 1 for one in anomaly.find(window, method).found)


def _judged(values: Sequence[float]) -> Iterator[int]:
    """Yield the places of runs that are not usual beside those that came before them."""
    past = [Past(START + timedelta(days=day), {METRIC: value}) for day, value in enumerate(values)]
    for place in range(WINDOW, DAYS):
        habit = Habit(past[max(0, place - LEARNED_FROM) : place], ZONE)
        if judge(past[place].values, habit, past[place].at).findings:
            yield place


def _count(count: Count, places: set[int], told: set[int]) -> None:
    count.add(len(places), len(places & told), len(told - places), DAYS - WINDOW - len(places))


def look_for_regressions(kind: str, tasks: int, source: random.Random, *, factor: float) -> Count:
    """Plant a change for the worse that stays, on one day of the year, and look at the last thirty runs on each day.

    It is found if it is told of within ten runs. Told of before it, or later than its own window, is false.
    """
    count = Count()
    for _ in range(tasks):
        values, place = year(kind, source), source.randrange(2 * WINDOW, DAYS - 2 * WINDOW)
        values[place:] = [value * factor for value in values[place:]]
        told = [day for day in range(WINDOW, DAYS) if _is_worse(values[day - WINDOW + 1 : day + 1])]
        found = any(place <= day < place + SOON for day in told)
        false = sum(not place <= day < place + WINDOW for day in told)
        count.add(1, int(found), false, DAYS - 2 * WINDOW)
    return count


def _is_worse(window: Sequence[float]) -> bool:
    found = trend.find_regression(window)
    return found is not None and found.is_detected


def look_for_trends(kind: str, tasks: int, source: random.Random, *, percent: float, runs: int) -> Count:
    """Plant a drift by so many percent over so many runs, in every other task; found is its direction, false any other."""
    count = Count()
    for number in range(tasks):
        values = year(kind, source)[:runs]
        way = (1, -1, 0, 0)[number % 4]
        values = [value * (1 + way * percent / 100 * place / runs) for place, value in enumerate(values)]
        told = trend.fit(values).direction
        right = {1: Direction.INCREASING, -1: Direction.DECREASING, 0: Direction.STABLE}[way]
        count.add(int(way != 0), int(way != 0 and told is right), int(told not in (right, Direction.STABLE)), 1)
    return count


def rows(tasks: int) -> Iterator[tuple[object, ...]]:
    """Yield the rows of the table."""
    source = random.Random(20251)
    for kind in KINDS:
        for method, count in look_for_outliers(kind, tasks, source).items():
            yield "outliers, times 4 or 1/10", kind, method, *count.cells()
    for kind in KINDS:
        for factor in (1.2, 1.5):
            found = look_for_regressions(kind, tasks, source, factor=factor)
            yield f"regressions of {factor * 100 - 100:.0f} %", kind, "regression", *found.cells()
    for kind in KINDS:
        for percent, runs in ((30, 30), (30, 365)):
            found = look_for_trends(kind, tasks, source, percent=percent, runs=runs)
            yield f"trends of {percent} % in {runs} runs", kind, "trend", *found.cells()


HEAD = ("what was planted", "numbers", "method", "planted", "found", "missed", "false", "false of looks")
PAGE = """# What the analysis finds

This page is written by `python -m benchmarks.planted --tasks {tasks} --to docs/analysis.md`, from {tasks} generated years of daily
runs for each row, in which it is known what is wrong and when. It says how far [the methods](metrics.md) can be relied on, and
which one suits which numbers.

- *steady* numbers differ by 3 %; those with a *long tail* are log-normal (a twentieth is half as long again, or longer);
  *weekly* ones are three times as high at weekends.
- An outlier is a single run of four times, or a tenth of, what it would have been; twelve in a year. Each method looks at the last
  30 runs, as the API does by default, on each day; *learned normal* is [the verdict](metrics.md#what-is-usual) that every run gets
  without being asked for.
- A regression is a change for the worse that stays. It counts as found if it is told of within ten runs, and every day counts
  as false on which it is told of before, or when it has left the window of 30 runs.
- A trend is a straight drift from the first to the last run looked at; in every other year there is none. Found is the right
  direction, false a direction where there is none, or the wrong one.

{table}

What follows from it:

- For single wild runs the learned normal is the one to trust, whatever the numbers: it looks at more runs, allows for what was seen
  before, and tells weekdays apart once it has seen enough weeks.
- Of the three methods of the API, over 30 runs, `mad` and `iqr` find what there is in steady numbers. `zscore` is blinded by what it
  looks for, since a wild value, and any before it, is in its own standard deviation. None of them knows weekdays: of weekly
  numbers `iqr` and `zscore` see next to nothing, and `mad` takes each weekend for an outlier.
- The regression compares the mean of five runs with that of all before them, against a fixed threshold of 10 %. For steady numbers
  that is sharp, and without a false word. Numbers that scatter by more than that cross it by chance on every fifth day, weekly ones
  on every other: raise `regression_threshold`, or ask for the [baseline](metrics.md) of the last days beside a longer time.
- A trend over few runs of scattered numbers is often chance: look at `r_squared` beside it, or at more days.
"""


def table_of(found: Sequence[Sequence[object]]) -> str:
    """Return the rows as a table of the documentation."""
    cells = [tuple(map(str, row)) for row in [HEAD, *found]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEAD))]
    lines = [f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |" for row in cells]
    dashes = ["-" * width if column < 3 else f"{'-' * (width - 1)}:" for column, width in enumerate(widths)]
    return "\n".join([lines[0], f"| {' | '.join(dashes)} |", *lines[1:]])


def main() -> int:
    """Count, and print or write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=20, help="years of each kind")
    parser.add_argument("--to", type=Path, help="write the page there")
    options = parser.parse_args()
    table = table_of(list(rows(options.tasks)))
    if options.to:
        options.to.write_text(PAGE.format(tasks=options.tasks, table=table))
    else:
        print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
