"""What earlier runs of a script tell, in words: their list, and trend, regression, anomalies and baseline of a metric."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from watchbell.cli.screen import moment, one_line, span
from watchbell.domain.analysis import anomaly, baseline, stats, trend
from watchbell.domain.samples import METRICS, values_of
from watchbell.store.samples import Measured

#: What is looked at where no metric is named.
USUAL = ("execution_time_seconds", "cpu_max", "memory_max_mb", "output_bytes")
#: What can be told of a metric.
PARTS = ("trend", "regression", "anomalies", "baseline")
#: So many anomalies are told one by one, the newest ones.
_MOST = 5
_HISTORY = ("execution_time_seconds", "cpu_max", "memory_max_mb", "output_bytes")
HEADS = ("RUN", "STARTED", "STATE", "EXIT", "TOOK", "CPU MAX %", "MEMORY MIB", "OUTPUT BYTES")


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """How a metric is looked at."""

    parts: Sequence[str] = PARTS
    regression_percent: float = trend.REGRESSION_PERCENT
    method: anomaly.Method = anomaly.Method.IQR
    base: baseline.Method = baseline.Method.INTELLIGENT
    percent: float = 50
    #: What is newer than this is what the last days are.
    recent_since: datetime | None = None


def history_row(run: Measured, zone: ZoneInfo) -> tuple[object, ...]:
    """Return the cells of a run in a list of runs."""
    found = values_of(run.recorded)
    took, cpu, memory, output = (found.get(name) for name in _HISTORY)
    numbers = ("-" if cpu is None else f"{cpu:.1f}", "-" if memory is None else f"{memory:.1f}", f"{output or 0:.0f}")
    code = "-" if run.exit_code is None else run.exit_code
    return run.run_id, moment(run.at, zone), run.recorded.state, code, span(took), *numbers


def history_json(run: Measured) -> dict[str, object]:
    """Return a run as JSON has it, with all its metrics."""
    return {
        "run_id": run.run_id,
        "task": run.task_name,
        "started_at": run.at,
        "state": run.recorded.state,
        "exit_code": run.exit_code,
        "metrics": values_of(run.recorded),
    }


def describe(metric: str, found: Sequence[tuple[Measured, float]], wanted: Wanted, zone: ZoneInfo) -> Iterator[str]:
    """Yield the lines that tell of a metric, whose values come in the order of time."""
    unit = METRICS.get(metric, ("", ""))[0]
    values = [value for _run, value in found]
    yield f"{one_line(metric)}{f' ({unit})' if unit else ''}"
    if not values:
        yield "  no run has a value of it"
        return
    told = stats.percentiles(values)
    yield f"  values      {len(values)}: median {told.median:g}, from {told.min:g} to {told.max:g}, 95 % below {told.p95:g}"
    words = {"trend": _trend, "regression": _regression, "anomalies": _anomalies, "baseline": _baseline}
    for part in wanted.parts:
        if part == "anomalies":
            yield from _anomaly_lines(found, wanted, zone)
        else:
            yield f"  {part.ljust(12)}{words[part](found, wanted)}"


def to_json(metric: str, found: Sequence[tuple[Measured, float]], wanted: Wanted) -> dict[str, object]:
    """Return the same as JSON has it; what too few values cannot tell is null."""
    values = [value for _run, value in found]
    told: dict[str, object] = {"metric": metric, "data_points": len(values)}
    if not values:
        return told
    told["percentiles"] = dataclasses.asdict(stats.percentiles(values))
    if "trend" in wanted.parts:
        told["trend"] = dataclasses.asdict(trend.fit(values))
    if "regression" in wanted.parts:
        worse = trend.find_regression(values, wanted.regression_percent)
        told["regression"] = None if worse is None else dataclasses.asdict(worse)
    if "anomalies" in wanted.parts:
        odd = anomaly.find(values, wanted.method)
        entries = [{"run_id": found[one.index][0].run_id, **dataclasses.asdict(one)} for one in odd.found]
        told["anomalies"] = {
            "method": odd.method,
            "threshold": odd.threshold,
            "percentage": odd.percentage,
            "found": entries,
        }
    if "baseline" in wanted.parts:
        told["baseline"] = _base_json(found, wanted)
    return told


def _trend(found: Sequence[tuple[Measured, float]], _wanted: Wanted) -> str:
    line = trend.fit([value for _run, value in found])
    if line.direction is trend.Direction.INSUFFICIENT:
        return "not known of a single run"
    if line.direction is trend.Direction.STABLE:
        return "stable"
    percent = "" if line.slope_percent_per_run is None else f" ({line.slope_percent_per_run:+g} %)"
    return f"{line.direction}: {line.slope:+.4g}{percent} with each run; the line explains {line.r_squared * 100:.0f} % of it"


def _regression(found: Sequence[tuple[Measured, float]], wanted: Wanted) -> str:
    worse = trend.find_regression([value for _run, value in found], wanted.regression_percent)
    if worse is None:
        return f"not known of fewer than {2 * trend.RECENT} runs"
    change = "from nothing" if worse.percent_change is None else f"{worse.percent_change:+g} %"
    sides = (
        f"the last {worse.recent_size} runs average {worse.recent_mean:g}, the {worse.baseline_size} before them "
        f"{worse.baseline_mean:g} ({change}; up to {worse.threshold_percent:g} % is none)"
    )
    return f"{'yes, ' + worse.severity.value if worse.is_detected else 'none'}: {sides}"


def _anomalies(found: Sequence[tuple[Measured, float]], wanted: Wanted) -> str:
    odd = anomaly.find([value for _run, value in found], wanted.method)
    if len(found) < anomaly.LEAST:
        return f"not known of fewer than {anomaly.LEAST} runs"
    if not odd.found:
        return f"none by {odd.method}"
    return f"{len(odd.found)} by {odd.method} ({odd.percentage:g} % of the runs)"


def _anomaly_lines(found: Sequence[tuple[Measured, float]], wanted: Wanted, zone: ZoneInfo) -> Iterator[str]:
    yield f"  {'anomalies'.ljust(12)}{_anomalies(found, wanted)}"
    odd = anomaly.find([value for _run, value in found], wanted.method).found
    for one in odd[-_MOST:][::-1]:
        run = found[one.index][0]
        yield f"{' ' * 14}run {run.run_id}, {moment(run.at, zone)}: {one.value:g}"
    if len(odd) > _MOST:
        yield f"{' ' * 14}and {len(odd) - _MOST} before them"


def _baseline(found: Sequence[tuple[Measured, float]], wanted: Wanted) -> str:
    told = _base_json(found, wanted)
    if "error" in told:
        return f"none: {told['error']}"
    if wanted.base is baseline.Method.TIME_BASED:
        change = "" if told["percent_change"] is None else f", {told['percent_change']:+g} %"
        return f"{told['recent_baseline']:g} in the last days, {told['historical_baseline']:g} before ({told['status']}{change})"
    why = f" ({told['reasoning']})" if told.get("reasoning") else ""
    return f"{told['baseline']:g}{why}"


def _base_json(found: Sequence[tuple[Measured, float]], wanted: Wanted) -> Mapping[str, object]:
    values = [value for _run, value in found]
    recent = [value for run, value in found if wanted.recent_since is None or run.at >= wanted.recent_since]
    try:
        if wanted.base is baseline.Method.PERCENTILE:
            return dataclasses.asdict(baseline.by_percentile(values, wanted.percent))
        if wanted.base is baseline.Method.IQR:
            return dataclasses.asdict(baseline.by_fences(values))
        if wanted.base is baseline.Method.TIME_BASED:
            return dataclasses.asdict(baseline.over_time(recent, values))
        chosen = baseline.choose(values)
    except baseline.TooFew as error:
        return {"error": str(error)}
    if chosen.found is None:
        return {"error": "too few values for the method that would suit them", "reasoning": chosen.reasoning}
    return {**dataclasses.asdict(chosen.found), "reasoning": chosen.reasoning}
