"""The values of a metric from run to run, as a picture: a line through them, what is unusual marked, and where they go."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from watchbell.domain.analysis import stats
from watchbell.domain.analysis.histogram import Bin
from watchbell.domain.analysis.judgement import Band
from watchbell.domain.analysis.trend import Trend
from watchbell.store.samples import Measured
from watchbell.web import metric_texts
from watchbell.web.i18n import _, grouped, ngettext
from watchbell.web.pictures import scale as scales
from watchbell.web.pictures.looks import moment_words
from watchbell.web.pictures.scale import Line, Scale

HEIGHT = 200
_TOP = 12
#: With more runs than this the line stands alone, and only what is unusual has a mark.
_MOST_MARKS = 150
#: The line has two ends of each of so many parts at the most: more than there are pixels to tell them apart.
_MOST_PARTS = 400


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """One run."""

    run_id: int
    x: float
    y: float
    #: usual, high or low: each has a shape of its own.
    kind: str
    title: str


@dataclasses.dataclass(frozen=True, slots=True)
class Usual:
    """Where values usually lie, for some runs in a row: place and width in per cent, top and height in pixels."""

    x: float
    width: float
    y: float
    height: float
    median_y: float


@dataclasses.dataclass(frozen=True, slots=True)
class Edge:
    """Where something begins that divides the runs, such as a revision."""

    x: float
    label: str


@dataclasses.dataclass(frozen=True, slots=True)
class TrendPicture:
    """The line, its marks, the grid, and what is usual; the points of lines lie in 100 by ``height``."""

    points: str
    marks: Sequence[Mark]
    lines: Sequence[Line]
    fit: str
    usual: Sequence[Usual]
    edges: Sequence[Edge]
    first_at: datetime
    last_at: datetime
    height: int = HEIGHT


Series = Sequence[tuple[Measured, float]]


def draw(
    series: Series,
    *,
    metric: str,
    line: Trend,
    odd: Mapping[int, str],
    zone: ZoneInfo,
    bands: Sequence[Band | None] = (),
    edges: Mapping[int, str] | None = None,
) -> TrendPicture:
    """Return the picture of values in the order of time, of which there is at least one.

    ``odd`` says of places in the list why they are unusual; ``bands`` what was usual for each place; ``edges`` what begins
    at a place.
    """
    values = [value for _run, value in series]
    known = [band for band in bands if band is not None]
    ends = [bound for band in known for bound in (band.low, band.high)]
    # What is usual has to be seen, but not where that leaves nothing of the values to be seen.
    low, high = min(values), max(values)
    reach = (high - low) or abs(high) or 1.0
    ends = [min(max(end, low - reach, 0.0 if low >= 0 else low - reach), high + reach) for end in ends]
    scale = scales.make([*values, *ends], height=HEIGHT, above=_TOP)
    middle, half = stats.mean(values), (len(values) - 1) / 2
    fit = [(_x(place, len(values)), scale.y(middle + line.slope * (place - half))) for place in (0, len(values) - 1)]
    return TrendPicture(
        points=_points([(_x(place, len(values)), scale.y(value)) for place, value in _thinned(values)]),
        marks=_marks(series, scale, metric, odd, zone),
        lines=scale.lines(lambda value: metric_texts.tick(metric, value)),
        fit=_points(fit) if len(values) > 1 else "",
        usual=_usual(bands, scale),
        edges=[Edge(round(100 * place / len(values), 3), label) for place, label in (edges or {}).items()],
        first_at=series[0][0].at,
        last_at=series[-1][0].at,
    )


def _x(place: int, number: int) -> float:
    return round(100 * (place + 0.5) / number, 3)


def _points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in places)


def _thinned(values: Sequence[float]) -> list[tuple[int, float]]:
    """Return places and values for the line: the lowest and the highest of each part, in their order."""
    if len(values) <= 2 * _MOST_PARTS:
        return list(enumerate(values))
    found: list[tuple[int, float]] = []
    for part in range(_MOST_PARTS):
        start, end = part * len(values) // _MOST_PARTS, (part + 1) * len(values) // _MOST_PARTS
        places = range(start, end)
        found += sorted((place, values[place]) for place in {min(places, key=values.__getitem__), max(places, key=values.__getitem__)})  # fmt: skip
    return found


def _marks(series: Series, scale: Scale, metric: str, odd: Mapping[int, str], zone: ZoneInfo) -> list[Mark]:
    centre = stats.median([value for _run, value in series])
    marks = []
    for place, (run, value) in enumerate(series):
        if place not in odd and len(series) > _MOST_MARKS:
            continue
        kind = "usual" if place not in odd else "high" if value >= centre else "low"
        told = _("#%(id)s of %(task)s: %(value)s, %(moment)s", id=run.run_id, task=run.task_name,
                 value=metric_texts.value(metric, value), moment=moment_words(run.at, zone))  # fmt: skip
        title = f"{told}; {odd[place]}" if odd.get(place) else told
        marks.append(Mark(run.run_id, _x(place, len(series)), scale.y(value), kind, title))
    # What is unusual is drawn last, on top of the others.
    return sorted(marks, key=lambda mark: mark.kind != "usual")


def _usual(bands: Sequence[Band | None], scale: Scale) -> list[Usual]:
    found: list[Usual] = []
    start = 0
    for place in range(1, len(bands) + 1):
        if place < len(bands) and bands[place] == bands[start]:
            continue
        band = bands[start]
        if band is not None:
            top, bottom = scale.y(band.high), scale.y(band.low)
            x, end = 100 * start / len(bands), 100 * place / len(bands)
            found.append(Usual(round(x, 3), round(end - x, 3), top, round(bottom - top, 2), scale.y(band.median)))
        start = place
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """One part of a distribution: place and width in per cent, top and height in pixels."""

    x: float
    width: float
    y: float
    height: float
    low: str
    high: str
    count: int
    title: str


@dataclasses.dataclass(frozen=True, slots=True)
class Distribution:
    """How often values lie in each part of their range."""

    columns: Sequence[Column]
    lines: Sequence[Line]
    low: str
    high: str
    #: Whether the outermost columns also hold what lies far off.
    has_far: bool
    height: int = HEIGHT


def draw_distribution(bins: Sequence[Bin], metric: str) -> Distribution:
    """Return the picture of the parts of a range, of which there is at least one."""
    scale = scales.make([float(one.count) for one in bins], height=HEIGHT, above=_TOP, from_zero=True)
    each = 100 / len(bins)
    columns = []
    for place, one in enumerate(bins):
        low, high = (metric_texts.value(metric, end) for end in (one.low, one.high))
        runs = ngettext("%(num)d run", "%(num)d runs", one.count)
        between = low if one.low == one.high else _("%(low)s to %(high)s", low=low, high=high)
        y = scale.y(one.count)
        columns.append(
            Column(
                x=round(place * each + each * 0.04, 3),
                width=round(each * 0.92, 3),
                y=y,
                height=round(HEIGHT - y, 2),
                low=low,
                high=high,
                count=one.count,
                title=f"{between}: {runs}",
            )
        )
    # Half a run is none.
    lines = [line for line in scale.lines(lambda value: grouped(value, 0) if value == int(value) else "") if line.label]
    widths = [one.high - one.low for one in bins]
    return Distribution(columns, lines, columns[0].low, columns[-1].high, max(widths) > min(widths) * 1.001)
