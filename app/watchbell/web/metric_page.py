"""What the pages of metrics show of the values of one metric."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flask import current_app

from watchbell.domain.analysis import anomaly, stats, trend
from watchbell.domain.analysis.anomaly import Anomalies
from watchbell.domain.analysis.histogram import histogram
from watchbell.domain.analysis.stats import Aggregate, Percentiles
from watchbell.domain.analysis.trend import Trend
from watchbell.services import metrics, scripts
from watchbell.services.metrics import Totals
from watchbell.store.samples import NO_EXIT_CODE, Measured
from watchbell.web import current, metric_sentences, metric_texts
from watchbell.web.db import database
from watchbell.web.i18n import _
from watchbell.web.metric_asked import METHODS, MOST_RUNS, Asked, range_words
from watchbell.web.pictures import trends
from watchbell.web.pictures.trends import Distribution, TrendPicture
from watchbell.web.presenters import local_text
from watchbell.web.realtime import metric_words

#: How many of the newest runs are listed.
LATEST = 20
_TOTALS = "watchbell.totals"
#: The columns of the twins: those of the script dashboard's export first.
CSV_COLUMNS = (
    "timestamp", "metric_name", "value", "script_path", "exit_code", "run_id", "task_id", "task", "state", "unusual",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One run with its value."""

    run: Measured
    value: float
    words: str
    #: Why the value is unusual; empty where it is not.
    odd: str


@dataclasses.dataclass(frozen=True, slots=True)
class Overall:
    """What one metric comes to over all runs that are looked at."""

    name: str
    title: str
    latest: float
    told: Aggregate


@dataclasses.dataclass(frozen=True, slots=True)
class Analysis:
    """What the values of a metric, in the order of time, tell; there is at least one."""

    metric: str
    series: Sequence[tuple[Measured, float]]
    line: Trend
    anomalies: Anomalies
    percentiles: Percentiles
    #: In sentences; empty where there is nothing to say.
    trend_words: str
    regression_words: str
    anomaly_words: str
    usual_words: str
    #: Why values are unusual, by their place.
    odd: Mapping[int, str]

    def rows(self, limit: int = LATEST) -> list[Row]:
        """Return the newest values, the newest first."""
        found = []
        for place in range(len(self.series) - 1, max(len(self.series) - limit, 0) - 1, -1):
            run, value = self.series[place]
            found.append(Row(run, value, metric_texts.value(self.metric, value), self.odd.get(place, "")))
        return found

    def picture(self, **more: object) -> TrendPicture:
        """Return the values as a picture."""
        return trends.draw(
            self.series, metric=self.metric, line=self.line, odd=self.odd, zone=current.zone(), **more  # type: ignore[arg-type]
        )  # fmt: skip

    def distribution(self) -> Distribution:
        """Return how often values are how high, as a picture."""
        return trends.draw_distribution(histogram([value for _run, value in self.series]), self.metric)

    def facts(self) -> list[tuple[str, str]]:
        """Return how the values are distributed, in words."""
        told = dataclasses.asdict(self.percentiles)
        # Two places are too few for what is small, so that ends and middle are told as they are.
        values = [value for _run, value in self.series]
        exact = {"min": min(values), "max": max(values), "mean": stats.mean(values), "median": stats.median(values)}
        named = {
            "min": _("Lowest"), "median": _("Median"), "mean": _("Mean"), "p75": "p75", "p90": "p90", "p95": "p95",
            "p99": "p99", "max": _("Highest"), "stddev": _("Standard deviation"),
        }  # fmt: skip
        exact |= {f"p{share}": stats.percentile(sorted(values), share) for share in (75, 90, 95, 99)}
        exact["stddev"] = stats.stdev(values)
        return [(label, metric_texts.value(self.metric, exact.get(name, told[name]))) for name, label in named.items()]


def analyse(runs: Sequence[Measured], asked: Asked) -> Analysis | None:
    """Return what runs, the newest first, tell of a metric; None if none of them has a value of it."""
    series = metrics.values(runs, asked.metric)
    if not series:
        return None
    values = [value for _run, value in series]
    found = anomaly.find(values, asked.method)
    line = trend.fit(values)
    centre = stats.median(values)
    return Analysis(
        metric=asked.metric,
        series=series,
        line=line,
        anomalies=found,
        percentiles=stats.percentiles(values),
        trend_words=metric_sentences.trend(asked.metric, line, len(values)),
        regression_words=metric_sentences.regression(asked.metric, trend.find_regression(values))
        if len({run.task_id for run, _value in series}) == 1
        else _("Choose a task to see whether it has become worse."),
        anomaly_words=metric_sentences.anomalies(len(found.found), len(values)),
        usual_words=metric_sentences.usually(asked.metric, len(values), centre),
        odd={one.index: _("unusually high") if one.value >= centre else _("unusually low") for one in found.found},
    )


def overall(runs: Sequence[Measured]) -> list[Overall]:
    """Return what each metric of runs, the newest first, comes to."""
    return [
        Overall(name, metric_texts.title(name), values[-1], stats.aggregate(values))
        for name, values in metrics.by_metric(runs).items()
    ]


def context(runs: Sequence[Measured], asked: Asked) -> dict[str, Any]:
    """Return what every page of metrics shows of runs, the newest first."""
    all_of_them = overall(runs)
    return {
        "asked": asked,
        "found": analyse(runs, asked),
        "overall": all_of_them,
        "is_cut": len(runs) >= MOST_RUNS,
        "metrics": metric_texts.choices([asked.metric, *(entry.name for entry in all_of_them)]),
        "ranges": range_words(),
        "methods": METHODS,
        "words": metric_texts.value,
    }


def cards() -> dict[str, object]:
    """Return the numbers of the whole database, as the script dashboard has them."""
    totals = current_app.extensions.setdefault(_TOTALS, Totals())
    return metric_words.database_stats(metrics.overview(database(), totals, current.now()))


def twin_rows(runs: Sequence[Measured], asked: Asked) -> Iterator[dict[str, object]]:
    """Return the values that a page shows, in the order of time."""
    found = analyse(runs, asked)
    paths = scripts.paths_of(database(), (run.task_id for run in runs))
    for place, (run, value) in enumerate(found.series if found is not None else ()):
        yield {
            "timestamp": local_text(run.at, current.zone()),
            "metric_name": asked.metric,
            "value": value,
            "script_path": paths.get(run.task_id, run.task_name),
            "exit_code": NO_EXIT_CODE if run.exit_code is None else run.exit_code,
            "run_id": run.run_id,
            "task_id": run.task_id,
            "task": run.task_name,
            "state": run.recorded.state,
            "unusual": bool(found and place in found.odd),
        }
