"""Our rows and findings in the script dashboard's words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from watchbell.domain.analysis import anomaly, baseline, stats, trend
from watchbell.domain.analysis.anomaly import Anomalies, Method
from watchbell.domain.analysis.baseline import Chosen, OfFences, OfMean, OfPercentile, OverTime, TooFew
from watchbell.domain.run_state import RunState
from watchbell.domain.samples import ORIGINAL, values_of
from watchbell.services.scripts import Script
from watchbell.store.samples import NO_EXIT_CODE, Measured
from watchbell.web.api.output_texts import NOTHING, OutputText

#: What stands for the path of a script where all are meant.
ALL = "all"
NO_DATA = "no data available"
#: The name of an anomaly's score, by its method.
_SCORES = {Method.IQR: "deviation", Method.ZSCORE: "z_score", Method.MAD: "modified_z"}
_PLACES = 6


def time(moment: datetime, zone: ZoneInfo) -> str:
    """Return a time in the server's zone with its offset."""
    return moment.astimezone(zone).isoformat()


def rate(successful: int, total: int) -> float:
    """Return how many of all were successful, in percent."""
    return round(successful / total * 100, 2) if total else 0.0


def script(found: Script, zone: ZoneInfo) -> dict[str, object]:
    """Return a script with its counts."""
    return {
        "path": found.path,
        "execution_count": found.executions,
        "last_execution": None if found.last_at is None else time(found.last_at, zone),
        "successful_runs": found.successful,
        "success_rate": rate(found.successful, found.executions),
    }


def execution(run: Measured, path: str, output: Mapping[str, OutputText], zone: ZoneInfo) -> dict[str, object]:
    """Return a run as an execution."""
    return {
        "id": run.run_id,
        "script_path": path,
        "exit_code": NO_EXIT_CODE if run.exit_code is None else run.exit_code,
        "stdout": output.get("stdout", NOTHING).text,
        "stderr": output.get("stderr", NOTHING).text,
        "stdout_lines": run.recorded.stdout_lines,
        "stderr_lines": run.recorded.stderr_lines,
        "timestamp": time(run.at, zone),
        "success": run.recorded.state == RunState.SUCCEEDED,
        "timed_out": run.recorded.state == RunState.TIMED_OUT,
    }


def metrics(run: Measured) -> list[dict[str, object]]:
    """Return the metrics of an execution; each that the dashboard knew is there, be it without a value."""
    found = values_of(run.recorded)
    names = [*ORIGINAL, *(name for name in found if name not in ORIGINAL)]
    return [{"name": name, "value": _short(found[name]) if name in found else None} for name in names]


def _short(value: float) -> float:
    return round(value, _PLACES)


def aggregate(values: Sequence[float]) -> dict[str, float]:
    """Return what values come to."""
    found = dataclasses.asdict(stats.aggregate(values))
    return {name: value if name == "count" else _short(value) for name, value in found.items()}


def analysis(
    values: Sequence[float], *, method: Method, threshold: float | None, regression_percent: float
) -> dict[str, object]:
    """Return all that values in the order of time tell; there is at least one."""
    line = trend.fit(values)
    return {
        "data_points": len(values),
        "trend": {
            "slope": line.slope,
            "intercept": line.intercept,
            "r_squared": line.r_squared,
            "trend": line.direction,
            "slope_pct_per_run": line.slope_percent_per_run,
        },
        "anomalies": anomalies(anomaly.find(values, method, threshold)),
        "regression": regression(values, regression_percent),
        "percentiles": dataclasses.asdict(stats.percentiles(values)),
        "latest_value": _short(values[-1]),
        "first_value": _short(values[0]),
    }


def anomalies(found: Anomalies) -> dict[str, object]:
    """Return the values that do not belong with the others."""
    score = _SCORES[found.method]
    entries = [{"index": one.index, "value": one.value, "type": "outlier", score: one.score} for one in found.found]
    return {"anomalies": entries, "method": found.method, "count": len(entries), "percentage": found.percentage}


def regression(values: Sequence[float], threshold_percent: float) -> dict[str, object]:
    """Return whether the newest values are worse than those before."""
    found = trend.find_regression(values, threshold_percent)
    if found is None:
        return {"regression_detected": False, "reason": "insufficient_data", "data_points": len(values)}
    return {
        "regression_detected": found.is_detected,
        "severity": found.severity,
        "percent_change": found.percent_change,
        "baseline_mean": found.baseline_mean,
        "recent_mean": found.recent_mean,
        "baseline_size": found.baseline_size,
        "recent_size": found.recent_size,
        "threshold_pct": found.threshold_percent,
    }


def base_of(
    method: baseline.Method, values: Sequence[float], recent: Sequence[float], *, percent: int, days: int
) -> dict[str, object]:
    """Return a baseline of values, or why there is none."""
    try:
        if method is baseline.Method.PERCENTILE:
            return _of_percentile(baseline.by_percentile(values, percent))
        if method is baseline.Method.IQR:
            return _of_fences(baseline.by_fences(values))
        if method is baseline.Method.TIME_BASED:
            return _over_time(baseline.over_time(recent, values), days)
        return _chosen(baseline.choose(values))
    except TooFew as error:
        return {"error": str(error) if values else NO_DATA}


def _of_percentile(found: OfPercentile) -> dict[str, object]:
    return {**dataclasses.asdict(found), "method": "percentile"}


def _of_fences(found: OfFences) -> dict[str, object]:
    return {**dataclasses.asdict(found), "method": "iqr_filtered"}


def _chosen(chosen: Chosen) -> dict[str, object]:
    found: dict[str, object]
    match chosen.found:
        case OfPercentile():
            found = _of_percentile(chosen.found)
        case OfFences():
            found = _of_fences(chosen.found)
        case OfMean():
            return {**dataclasses.asdict(chosen.found), "method": "mean_fallback", "reason": chosen.reasoning}
        case None:
            found = {"error": "too few values for the method that would suit them", "method": "iqr_filtered"}
    assert chosen.characteristics is not None
    told = dataclasses.asdict(chosen.characteristics)
    return {**found, "reasoning": chosen.reasoning, "data_characteristics": told}


def _over_time(found: OverTime, days: int) -> dict[str, object]:
    return {
        **dataclasses.asdict(found),
        "method": "time-based",
        "recent_period_days": min(baseline.RECENT_DAYS, days),
        "historical_period_days": days,
    }
