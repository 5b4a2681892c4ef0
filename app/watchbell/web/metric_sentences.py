"""What the numbers of a metric tell, in sentences."""

from __future__ import annotations

from watchbell.domain.analysis.trend import RECENT, Direction, Regression, Severity, Trend
from watchbell.web import metric_texts
from watchbell.web.i18n import _, grouped, ngettext

#: A line that explains less than this part of how values differ says nothing about where they go.
UNCLEAR = 0.1
#: Of these more is no change for the worse.
_MORE_IS_BETTER = frozenset({"success", "sampling_efficiency", "sample_count"})


def usually(metric: str, number: int, median: float) -> str:
    """Return what a metric usually is."""
    runs = ngettext("%(count)s run", "%(count)s runs", number, count=grouped(number))
    title, value = metric_texts.title(metric), metric_texts.value(metric, median)
    return _("%(metric)s of %(runs)s: usually %(value)s.", metric=title, runs=runs, value=value)


def trend(metric: str, line: Trend, number: int) -> str:
    """Return where the line through the values goes; empty where there is none."""
    # The line begins and ends as far from the middle as it is long.
    rise = metric_texts.value(metric, abs(line.slope) * max(number - 1, 1))
    if line.direction in {Direction.INCREASING, Direction.DECREASING} and line.r_squared < UNCLEAR:
        return _("There is no clear trend.")
    match line.direction:
        case Direction.INCREASING:
            return _("The trend rises by %(rise)s from the first run to the last.", rise=rise)
        case Direction.DECREASING:
            return _("The trend falls by %(rise)s from the first run to the last.", rise=rise)
        case Direction.STABLE:
            return _("The trend is stable.")
    return ""


def regression(metric: str, found: Regression | None) -> str:
    """Return whether the newest runs are worse than those before, in a sentence; empty where that cannot be asked."""
    if metric in _MORE_IS_BETTER:
        return ""
    if found is None:
        return _("Whether the newest runs are worse is told from %(count)s runs on.", count=2 * RECENT)
    now, before = (metric_texts.value(metric, mean) for mean in (found.recent_mean, found.baseline_mean))
    told = {
        "count": found.recent_size,
        "now": now,
        "others": grouped(found.baseline_size),
        "before": before,
        "percent": f"{abs(found.percent_change or 0.0):.0f}",
    }
    if found.percent_change is None:
        return _("The last %(count)s runs average %(now)s, after nothing in the %(others)s before.", **told)
    if found.is_detected:
        if found.severity is Severity.HIGH:
            return _("Much worse: the last %(count)s runs average %(now)s, %(percent)s %% more than the %(others)s before (%(before)s).", **told)  # fmt: skip
        return _("Worse: the last %(count)s runs average %(now)s, %(percent)s %% more than the %(others)s before (%(before)s).", **told)  # fmt: skip
    if found.percent_change < -found.threshold_percent:
        return _("Better: the last %(count)s runs average %(now)s, %(percent)s %% less than the %(others)s before (%(before)s).", **told)  # fmt: skip
    return _("No regression: the last %(count)s runs average %(now)s, the %(others)s before %(before)s.", **told)


def anomalies(count: int, number: int) -> str:
    """Return how many values do not belong with the others."""
    if not count:
        return _("None is unusual.")
    return ngettext("%(num)d of %(all)s is unusual.", "%(num)d of %(all)s are unusual.", count, all=grouped(number))
