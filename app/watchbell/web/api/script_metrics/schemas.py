"""What the script dashboard's family reads and answers."""

from __future__ import annotations

from typing import Any

import marshmallow

from watchbell.domain.analysis import anomaly, baseline, trend
from watchbell.web.api import fields

MOST_EXECUTIONS = 10_000
MOST_VALUES = 100_000
_SCRIPT = {
    "description": "The path of a script, or the name of a task; all of them without one.",
    "example": "nightly-backup",
}
_METRIC = {"description": "See `/api/metrics/available`.", "example": "execution_time_seconds"}
_MIXED = "Numbers and words by their names; which ones there are depends on the method."


def _script() -> fields.Text:
    # The line of a request holds no more: a character of an address may take twelve bytes of it.
    return fields.Text(validate=fields.long(1, 500), load_default=None, allow_none=True, metadata=_SCRIPT)


def _metric(default: str | None = "execution_time_seconds") -> fields.Text:
    return fields.Text(validate=fields.long(1, 100), load_default=default, allow_none=True, metadata=_METRIC)


def _days(default: int) -> fields.Whole:
    return fields.Whole(
        texts=True,
        load_default=default,
        validate=fields.between(1, 365),
        metadata={"description": "Only what was due within so many days.", "example": default},
    )


class ExecutionsAsked(fields.Schema):
    """Which executions."""

    script_path = _script()
    limit = fields.limit(50, MOST_EXECUTIONS)
    offset = fields.Whole(texts=True, load_default=0, validate=fields.between(0, 10_000_000))
    exit_code = fields.Whole(texts=True, load_default=None, metadata={"description": "-1 for one that has none."})


class FailedAsked(fields.Schema):
    """Which executions of those that did not succeed."""

    script_path = _script()
    limit = fields.limit(50, MOST_EXECUTIONS)
    offset = fields.Whole(texts=True, load_default=0, validate=fields.between(0, 10_000_000))


class LatestAsked(fields.Schema):
    """Of which executions."""

    script_path = _script()
    limit = fields.limit(100, MOST_EXECUTIONS)


class HistoryAsked(fields.Schema):
    """Which values."""

    script_path = _script()
    metric_name = _metric()
    days = _days(7)
    limit = fields.limit(1000, MOST_VALUES)


class ExportAsked(fields.Schema):
    """Which values; all metrics unless one is named."""

    script_path = _script()
    metric_name = _metric(None)
    days = _days(30)
    limit = fields.limit(1000, MOST_EXECUTIONS)


class AggregatedAsked(fields.Schema):
    """Of which executions."""

    script_path = _script()
    days = _days(30)


class TrendAsked(fields.Schema):
    """Which values, and how anomalies among them are found."""

    script_path = _script()
    metric_name = _metric()
    days = _days(30)
    method = fields.Word(list(anomaly.Method), load_default=anomaly.Method.IQR.value)
    threshold = fields.Shaped(
        {"type": "number"},
        load_default=None,
        metadata={"description": "1.5 for iqr, 3.0 for zscore and 3.5 for mad unless it is said."},
    )
    regression_threshold = fields.Shaped(
        {"type": "number"}, load_default=trend.REGRESSION_PERCENT, metadata={"description": "In percent."}
    )

    @marshmallow.post_load
    def _read_numbers(self, data: dict[str, Any], **_options: Any) -> dict[str, Any]:
        for name in ("threshold", "regression_threshold"):
            data[name] = _positive(name, data[name])
        return data


class BaselineAsked(fields.Schema):
    """Which values, and by which method."""

    script_path = _script()
    metric_name = _metric()
    days = _days(30)
    method = fields.Word(list(baseline.Method), load_default=baseline.Method.INTELLIGENT.value)
    percentile = fields.Whole(
        texts=True, load_default=50, validate=fields.between(0, 100), metadata={"description": "With percentile."}
    )


class ExecutionStatsAsked(fields.Schema):
    """Of how many of the newest executions."""

    limit = fields.limit(1000, MOST_VALUES)


class PerformanceAsked(fields.Schema):
    """Of which values."""

    script_path = _script()
    metric_name = _metric()
    days = _days(7)


def _positive(name: str, value: object) -> float | None:
    """Return a positive number that stands in an address."""
    if value is None or isinstance(value, float):
        return value
    try:
        number = float(str(value)[:40])
    except ValueError:
        number = 0.0
    if not 0 < number < 1e9:
        raise marshmallow.ValidationError("must be a positive number", name)
    return number


class Script(fields.Schema):
    """A task as a script."""

    path = fields.Text(required=True, metadata={"example": "nightly-backup"})
    execution_count = fields.Whole(required=True, metadata={"description": "Also of executions that are deleted."})
    last_execution = fields.Moment(required=True, allow_none=True)
    successful_runs = fields.Whole(required=True)
    success_rate = fields.Number(required=True, metadata={"description": "In percent."})


class ListedExecution(fields.Schema):
    """A run as an execution."""

    id = fields.Whole(required=True, metadata={"example": 42})
    script_path = fields.Text(required=True)
    exit_code = fields.Whole(required=True, metadata={"description": "-1 for one that has none."})
    stdout = fields.Text(required=True, allow_none=True, metadata={"description": "The first 500 characters."})
    stderr = fields.Text(required=True, allow_none=True, metadata={"description": "The first 500 characters."})
    stdout_lines = fields.Whole(required=True, allow_none=True)
    stderr_lines = fields.Whole(required=True, allow_none=True)
    timestamp = fields.Moment(required=True, metadata={"description": "When it began."})
    success = fields.Flag(required=True)
    timed_out = fields.Flag(required=True)


class NamedValue(fields.Schema):
    """A metric of an execution."""

    name = fields.Text(required=True, metadata={"example": "cpu_max"})
    value = fields.Number(required=True, allow_none=True, metadata={"description": "Null where nobody can know it."})


class Execution(ListedExecution):
    """An execution with all that is kept of its output, and its metrics."""

    stdout = fields.Text(required=True, allow_none=True)
    stderr = fields.Text(required=True, allow_none=True)
    truncated = fields.Flag(required=True, metadata={"description": "Whether more was written than stands here."})
    metrics = fields.Many(fields.Nested(NamedValue), required=True)


_AGGREGATE = {name: {"type": "number"} for name in ("min", "max", "avg", "median", "p95", "p99", "stddev")}
_AGGREGATE = {"count": {"type": "integer"}, **_AGGREGATE}


def _shape(properties: dict[str, Any], *, needed: bool = True) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **({"required": list(properties)} if needed else {})}


#: Aggregates by the names of their metrics.
LATEST = {
    "type": "object",
    "description": "By the names of metrics.",
    "additionalProperties": _shape({"latest": {"type": "number"}, **_AGGREGATE}),
}


class Point(fields.Schema):
    """A value."""

    timestamp = fields.Moment(required=True)
    value = fields.Number(required=True)


class History(fields.Schema):
    """Values in the order of time."""

    metric_name = fields.Text(required=True)
    script_path = fields.Text(required=True, metadata={"example": "all"})
    days = fields.Whole(required=True)
    data_points = fields.Whole(required=True)
    data = fields.Many(fields.Nested(Point), required=True)


class Exported(fields.Schema):
    """A value as it is exported."""

    timestamp = fields.Moment(required=True)
    metric_name = fields.Text(required=True)
    value = fields.Number(required=True)
    script_path = fields.Text(required=True)
    exit_code = fields.Whole(required=True)


class Aggregated(fields.Schema):
    """Aggregates of all metrics."""

    metrics = fields.Shaped(
        {"type": "object", "additionalProperties": _shape(_AGGREGATE)},
        required=True,
        metadata={"description": "By the names of metrics."},
    )


class Available(fields.Schema):
    """The names of metrics."""

    available_metrics = fields.Many(fields.Text(), required=True)


_NUMBER_OR_NONE = {"type": ["number", "null"]}
_ENTRY = _shape(
    {
        "index": {"type": "integer"},
        "value": {"type": "number"},
        "type": {"enum": ["outlier"]},
        "deviation": {"type": "number", "description": "With iqr: beyond the fence."},
        "z_score": {"type": "number", "description": "With zscore."},
        "modified_z": {"type": "number", "description": "With mad."},
    },
    needed=False,
)
_TREND = _shape(
    {
        "slope": {"type": "number"},
        "intercept": {"type": "number"},
        "r_squared": {"type": "number"},
        "trend": {"enum": list(trend.Direction)},
        "slope_pct_per_run": _NUMBER_OR_NONE,
    }
)
_REGRESSION = _shape(
    {
        "regression_detected": {"type": "boolean"},
        "severity": {"enum": list(trend.Severity)},
        "percent_change": _NUMBER_OR_NONE,
        "baseline_mean": {"type": "number"},
        "recent_mean": {"type": "number"},
        "baseline_size": {"type": "integer"},
        "recent_size": {"type": "integer"},
        "threshold_pct": {"type": "number"},
        "reason": {"enum": ["insufficient_data"]},
        "data_points": {"type": "integer"},
    },
    needed=False,
)
_ANOMALIES = _shape(
    {
        "anomalies": {"type": "array", "items": _ENTRY},
        "method": {"enum": list(anomaly.Method)},
        "count": {"type": "integer"},
        "percentage": {"type": "number"},
    }
)
_PERCENTILES = _shape(
    {name: {"type": "number"} for name in ("min", "max", "mean", "median", "p75", "p90", "p95", "p99", "stddev")}
)


class Analysis(fields.Schema):
    """All that a metric tells, or why it tells nothing."""

    script_path = fields.Text(required=True)
    metric_name = fields.Text(required=True)
    error = fields.Text(metadata={"description": "Why there is no analysis; then none of the following is there."})
    data_points = fields.Whole()
    period_days = fields.Whole()
    trend = fields.Shaped(_TREND)
    anomalies = fields.Shaped(_ANOMALIES)
    regression = fields.Shaped(_REGRESSION)
    percentiles = fields.Shaped(_PERCENTILES)
    latest_value = fields.Number()
    first_value = fields.Number()


_STATUSES = list(baseline.Status)


class Baseline(fields.Schema):
    """What a value usually is."""

    script_path = fields.Text(required=True)
    metric_name = fields.Text(required=True)
    error = fields.Text(metadata={"description": "Why there is none."})
    baseline = fields.Number()
    method = fields.Text(metadata={"description": "percentile, iqr_filtered, mean_fallback or time-based."})
    percentile = fields.Number()
    data_points = fields.Whole()
    min = fields.Number()
    max = fields.Number()
    iqr_k = fields.Number()
    outliers_removed = fields.Whole()
    outlier_percentage = fields.Number()
    filtered_data_points = fields.Whole()
    original_data_points = fields.Whole()
    reason = fields.Text()
    reasoning = fields.Text()
    data_characteristics = fields.Shaped(
        _shape(
            {
                **{name: {"type": "number"} for name in ("mean", "median", "stddev", "range")},
                "coefficient_of_variation": _NUMBER_OR_NONE,
                "data_points": {"type": "integer"},
            }
        ),
        metadata={"description": _MIXED},
    )
    recent_baseline = fields.Number()
    historical_baseline = fields.Number()
    percent_change = fields.Number(allow_none=True)
    recent_period_days = fields.Whole()
    historical_period_days = fields.Whole()
    recent_samples = fields.Whole()
    historical_samples = fields.Whole()
    status = fields.Word(_STATUSES)


class DatabaseStats(fields.Schema):
    """The whole database in numbers."""

    total_executions = fields.Whole(required=True, metadata={"description": "Also of executions that are deleted."})
    total_metrics = fields.Whole(required=True, metadata={"description": "Values that were ever measured."})
    total_alerts = fields.Whole(required=True)
    unique_scripts = fields.Whole(required=True)
    total_execution_time_seconds = fields.Number(required=True)
    database_file = fields.Text(
        required=True, metadata={"description": "Only its name to those who do not administer."}
    )
    database_size_mb = fields.Number(required=True)


class ExecutionStats(fields.Schema):
    """How executions ended."""

    total_executions = fields.Whole(required=True)
    successful = fields.Whole(required=True)
    failed = fields.Whole(required=True)
    success_rate = fields.Number(required=True, metadata={"description": "In percent."})


class PerformanceStats(fields.Schema):
    """What the values of a metric come to; null where there is none."""

    metric = fields.Text(required=True)
    min = fields.Number(required=True, allow_none=True)
    max = fields.Number(required=True, allow_none=True)
    avg = fields.Number(required=True, allow_none=True)
    count = fields.Whole(required=True)
