"""What runs were like beside the earlier ones of their tasks, in the language of the reader."""

from __future__ import annotations

import re

from watchbell.domain.analysis.judgement import Finding, Judgement, Verdict
from watchbell.web import metric_texts
from watchbell.web.i18n import _, lazy

VERDICTS = {
    Verdict.EMPTY: lazy("suspiciously empty"),
    Verdict.SLOW: lazy("slow"),
    Verdict.HEAVY: lazy("heavy"),
    Verdict.FAST: lazy("fast"),
    Verdict.USUAL: lazy("usual"),
    Verdict.UNKNOWN: lazy("not known yet"),
}
_DAYS = {
    "Monday": lazy("Mondays"), "Tuesday": lazy("Tuesdays"), "Wednesday": lazy("Wednesdays"),
    "Thursday": lazy("Thursdays"), "Friday": lazy("Fridays"), "Saturday": lazy("Saturdays"), "Sunday": lazy("Sundays"),
}  # fmt: skip
#: As domain.analysis.judgement stores it: a weekday, an hour, or both.
_SLOT = re.compile(r"(?:(?P<day>[A-Z][a-z]+day)s|days)(?: at (?P<hour>\d\d:00))?")


def word(verdict: Verdict) -> str:
    """Return a verdict as people read it."""
    return str(VERDICTS[verdict])


def reasons(judgement: Judgement) -> list[str]:
    """Return why a run was not as usual, one reason for each number that left its band; none for one that was."""
    return [_reason(finding) for finding in judgement.findings]


def _reason(finding: Finding) -> str:
    low, high = (max(bound, 0.0) if finding.median >= 0 else bound for bound in (finding.low, finding.high))
    told = {
        name: metric_texts.value(finding.metric, number)
        for name, number in (("low", low), ("high", high), ("median", finding.median))
    }
    slot = _slot(finding.slot)
    of = _("%(count)s runs on %(slot)s", count=finding.runs, slot=slot) if slot else _("%(count)s runs", count=finding.runs)  # fmt: skip
    usually = _("usually %(low)s to %(high)s (median %(median)s of %(runs)s)", **told, runs=of)
    return f"{_deed(finding)}; {usually}"


def _deed(finding: Finding) -> str:
    value = metric_texts.value(finding.metric, finding.value)
    match finding.metric:
        case "execution_time_seconds":
            return _("took %(value)s", value=value)
        case "cpu_seconds":
            return _("used %(value)s of CPU time", value=value)
        case "memory_max_mb":
            return _("used %(value)s of memory", value=value)
        case "output_bytes":
            return _("wrote %(value)s", value=value)
    return _("told %(metric)s = %(value)s", metric=finding.metric, value=value)


def _slot(slot: str) -> str:
    found = _SLOT.fullmatch(slot)
    if found is None:
        return slot
    day, hour = found["day"], found["hour"]
    told = str(_DAYS.get(day, day)) if day else _("days")
    return _("%(days)s at %(hour)s", days=told, hour=hour) if hour else told
