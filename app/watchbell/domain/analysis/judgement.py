"""Whether a run that succeeded was as usual: what its task has usually needed, and where this one left that.

A value is unusual only if it lies outside a band around the median of the task's earlier runs, and if hardly any of those
was like it: a task that does nothing every other time is not suspicious when it does nothing.
"""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from watchbell.domain.analysis import stats
from watchbell.domain.samples import METRICS

#: So many earlier runs must be known before any is judged, and so many of a weekday or hour before those are told apart.
LEAST = 10
LEAST_IN_SLOT = 8
#: The band reaches so many times the usual distance from the median to either side,
_DISTANCES = 4.0
#: (which makes the median distance of normally distributed values their standard deviation)
_SIGMA = 1.4826
#: but at least this part of the median, and not lower than this part of it.
_LEAST_REACH = 0.25
_LOWEST_PART = 0.2
#: No more than this part of the earlier runs may have been as far off on the same side; one always may.
_RARE_PART = 0.1
#: Times of the week are told apart when their medians are so many usual distances from each other.
_APART = 3.0
#: The highest median that is still nothing to speak of: how far off a value must be at all, in the unit of its metric.
_FLOORS = {"execution_time_seconds": 0.5, "cpu_seconds": 0.5, "memory_max_mb": 16.0, "output_bytes": 64.0}


class Verdict(StrEnum):
    """What a run was like beside the earlier ones of its task, the most telling first."""

    EMPTY = "empty"
    """It wrote suspiciously little, or a number of its own is much lower than usual."""
    SLOW = "slow"
    HEAVY = "heavy"
    """It used more CPU or memory than usual, or a number of its own is much higher."""
    FAST = "fast"
    USUAL = "usual"
    UNKNOWN = "unknown"
    """Too few earlier runs are known."""


#: What it means to lie below and above the band, where that means anything.
_MEANINGS: dict[str, tuple[Verdict | None, Verdict | None]] = {
    "execution_time_seconds": (Verdict.FAST, Verdict.SLOW),
    "cpu_seconds": (None, Verdict.HEAVY),
    "memory_max_mb": (None, Verdict.HEAVY),
    "output_bytes": (Verdict.EMPTY, None),
}
_OF_ITS_OWN = (Verdict.EMPTY, Verdict.HEAVY)


@dataclasses.dataclass(frozen=True, slots=True)
class Past:
    """The numbers of one earlier run."""

    at: datetime
    values: Mapping[str, float]
    #: Whether somebody has said that it was as it should be, however unusual: the band then reaches as far as it did.
    is_expected: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Band:
    """Where a metric of a task usually lies."""

    median: float
    low: float
    high: float
    #: The earlier values, sorted.
    ordered: Sequence[float]
    #: Which runs these are of, in words; empty for all.
    slot: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """A number that left its band."""

    verdict: Verdict
    metric: str
    value: float
    median: float
    low: float
    high: float
    #: How many earlier runs the band is of, and which ones they are, in words; empty for all.
    runs: int
    slot: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Judgement:
    """What a run was like, by all that it left."""

    verdict: Verdict
    findings: tuple[Finding, ...] = ()


def judged_values(values: Mapping[str, float]) -> dict[str, float]:
    """Return the numbers of a run that it is judged by: those with a meaning, and all of its own."""
    found = {name: value for name, value in values.items() if name in _MEANINGS or name not in METRICS}
    if "user_time_seconds" in values and "system_time_seconds" in values:
        found["cpu_seconds"] = values["user_time_seconds"] + values["system_time_seconds"]
    return found


class Habit:
    """What a task usually needs, from its earlier runs; bands are made when they are first asked for."""

    def __init__(self, past: Iterable[Past], zone: ZoneInfo) -> None:
        """Learn from what earlier runs of a task were judged by; weekdays and hours are those of its zone."""
        known = list(past)
        self._past = [(one.at.astimezone(zone), one.values) for one in known]
        self._expected = [one.values for one in known if one.is_expected]
        self._zone = zone
        self._bands: dict[tuple[str, tuple[int, int]], Band | None] = {}

    @property
    def runs(self) -> int:
        """Return how many runs it was learned from."""
        return len(self._past)

    def band(self, metric: str, at: datetime) -> Band | None:
        """Return where a metric usually lies at a time; None if that is not known."""
        local = at.astimezone(self._zone)
        key = (metric, (local.weekday(), local.hour))
        if key not in self._bands:
            found = self._find_band(metric, local)
            self._bands[key] = None if found is None else self._stretched(metric, found)
        return self._bands[key]

    def _stretched(self, metric: str, band: Band) -> Band:
        """Return a band that reaches as far as the runs that were expected, and as much further as a band of one value does."""
        for values in self._expected:
            if metric in values and not band.low <= values[metric] <= band.high:
                alone = make_band(metric, [values[metric]])
                band = dataclasses.replace(band, low=min(band.low, alone.low), high=max(band.high, alone.high))
        return band

    def _find_band(self, metric: str, local: datetime) -> Band | None:
        known = [(at, values[metric]) for at, values in self._past if metric in values]
        if len(known) < LEAST:
            return None
        for slot_of, describe in _SLOTS:
            groups: dict[object, list[float]] = {}
            for at, value in known:
                groups.setdefault(slot_of(at), []).append(value)
            enough = {slot: values for slot, values in groups.items() if len(values) >= LEAST_IN_SLOT}
            if slot_of(local) in enough and _differ(list(enough.values())):
                return make_band(metric, enough[slot_of(local)], describe(local))
        return make_band(metric, [value for _at, value in known])


#: What runs may depend on, the narrowest first, and in words.
_SLOTS: tuple[tuple[Callable[[datetime], object], Callable[[datetime], str]], ...] = (
    (lambda at: (at.weekday(), at.hour), lambda at: f"{at:%A}s at {at:%H}:00"),
    (lambda at: at.weekday(), lambda at: f"{at:%A}s"),
    (lambda at: at.hour, lambda at: f"days at {at:%H}:00"),
)


def _differ(groups: Sequence[Sequence[float]]) -> bool:
    """Return whether the medians of groups lie further apart than chance would have it.

    Bands of few values are guesses, so runs are told apart only where that says something.
    """
    medians = [stats.median(values) for values in groups]
    within = stats.median([stats.mad(values) for values in groups])
    apart = max(medians) - min(medians)
    return apart > max(_APART * _SIGMA * within, _LEAST_REACH * abs(stats.median(medians)))


def make_band(metric: str, values: Sequence[float], slot: str = "") -> Band:
    """Return the band of values, of which there is at least one."""
    ordered = sorted(values)
    middle = stats.middle(ordered)
    floor = _FLOORS.get(metric, 0.0)
    reach = max(_DISTANCES * _SIGMA * stats.mad(ordered, middle), _LEAST_REACH * abs(middle), floor)
    # Of a metric that spreads widely nothing would ever be too low: a fifth of what is usual is, if that is something.
    low = max(middle - reach, middle * _LOWEST_PART) if middle > 0 else middle - reach
    return Band(middle, min(low, middle - floor), middle + reach, ordered, slot)


def judge(values: Mapping[str, float], habit: Habit, at: datetime) -> Judgement:
    """Return what a run that succeeded was like, from what ``judged_values`` gives of it."""
    findings = []
    is_known = False
    for metric, value in values.items():
        band = habit.band(metric, at)
        if band is None:
            continue
        is_known = True
        verdict = _place(metric, value, band)
        if verdict is not None:
            median, low, high = band.median, band.low, band.high
            findings.append(Finding(verdict, metric, value, median, low, high, len(band.ordered), band.slot))
    findings.sort(key=lambda finding: list(Verdict).index(finding.verdict))
    if findings:
        return Judgement(findings[0].verdict, tuple(findings))
    return Judgement(Verdict.USUAL if is_known else Verdict.UNKNOWN)


def _place(metric: str, value: float, band: Band) -> Verdict | None:
    """Return what it means that a value lies outside its band; None inside, or if it means nothing."""
    below, above = _MEANINGS.get(metric, _OF_ITS_OWN)
    allowed = max(1.0, _RARE_PART * len(band.ordered))
    if value < band.low:
        return below if bisect.bisect_right(band.ordered, value) <= allowed else None
    if value > band.high:
        return above if len(band.ordered) - bisect.bisect_left(band.ordered, value) <= allowed else None
    return None


_UNITS = {"execution_time_seconds": "s", "cpu_seconds": "s", "memory_max_mb": "MiB", "output_bytes": "bytes"}
#: What is said of a number, with its unit.
_SAYINGS = {
    "execution_time_seconds": "took {}",
    "cpu_seconds": "used CPU for {}",
    "memory_max_mb": "used {}",
    "output_bytes": "wrote {}",
}


def words(finding: Finding) -> str:
    """Return why a number is unusual, as ``took 2.1 s; usually 18 to 26 s (median 22 s of 120 runs)``."""
    unit = f" {_UNITS[finding.metric]}" if finding.metric in _UNITS else ""
    value = f"{_number(finding.value)}{unit}"
    saying = _SAYINGS.get(finding.metric)
    told = saying.format(value) if saying else f"told {finding.metric} = {value}"
    of = f"{finding.runs} runs" + (f" on {finding.slot}" if finding.slot else "")
    low, high = (_number(max(bound, 0.0) if finding.median >= 0 else bound) for bound in (finding.low, finding.high))
    return f"{told}; usually {low} to {high}{unit} (median {_number(finding.median)}{unit} of {of})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
