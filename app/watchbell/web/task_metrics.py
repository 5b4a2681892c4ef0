"""What the page of a task's metrics shows besides the values: what is usual, which runs left that, what came with a revision."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import request

from watchbell.domain.analysis import shift
from watchbell.domain.analysis.shift import Shift
from watchbell.services import judgements
from watchbell.services.judgements import Told
from watchbell.store.samples import Measured
from watchbell.web import current, metric_sentences, metric_texts, query, verdict_words
from watchbell.web.db import database
from watchbell.web.i18n import _, grouped
from watchbell.web.metric_page import Analysis

_UNUSUAL = 20
#: Among so many of the newest unusual runs those are found that are in the picture.
_LOOKED_AT = 500


@dataclasses.dataclass(frozen=True, slots=True)
class Unusual:
    """A run that left what is usual."""

    run: Measured
    told: Told
    word: str
    reasons: Sequence[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Drift:
    """A step that came with a revision."""

    version: int
    at: datetime
    words: str


@dataclasses.dataclass(frozen=True, slots=True)
class Compared:
    """Two periods beside each other."""

    shift: Shift
    words: str
    #: What divides them, in words.
    edge: str
    #: Label, before, after and change, in words.
    rows: Sequence[tuple[str, str, str, str]]


def context(task_id: int, found: Analysis) -> dict[str, Any]:
    """Return what the page shows of the values of a task; raises InputError for a place to compare at that is none."""
    unusual = [
        Unusual(run, told, verdict_words.word(told.judgement.verdict), verdict_words.reasons(told.judgement))
        for run, told in judgements.list_unusual(database(), task_id, limit=_LOOKED_AT)
    ]
    revisions = _revisions(found)
    values = [value for _run, value in found.series]
    odd = _odd(found, unusual)
    shown = dataclasses.replace(found, odd=odd, anomaly_words=metric_sentences.anomalies(len(odd), len(values)))
    bands = judgements.bands_of(database(), task_id, found.metric, [run for run, _value in found.series])
    edges = {place: _("revision %(version)s", version=version) for place, version in revisions.items()}
    newest = bands[-1] if bands else None
    return {
        "found": shown,
        "picture": shown.picture(bands=bands, edges=edges),
        "band_words": _band_words(found.metric, newest.low, newest.high, newest.median) if newest is not None else "",
        "unusual": unusual[:_UNUSUAL],
        "drifts": [
            Drift(revisions[place], found.series[place][0].at, _drift_words(found.metric, revisions[place], step))
            for place, step in reversed(shift.find_steps(values, list(revisions)))
        ],
        "revisions": sorted(revisions.values(), reverse=True),
        "compared": _compare(found, values, revisions),
        "asked_revision": query.optional_id(request.args, "revision"),
        "asked_moment": query.text(request.args, "moment"),
    }


def _revisions(found: Analysis) -> dict[int, int]:
    """Return at which places of the series a revision was run for the first time."""
    places: dict[int, int] = {}
    newest = found.series[0][0].task_version
    for place, (run, _value) in enumerate(found.series):
        if run.task_version > newest:
            newest = places[place] = run.task_version
    return places


def _odd(found: Analysis, unusual: Sequence[Unusual]) -> Mapping[int, str]:
    """Return why values are unusual: by the method that was chosen, or by the verdict of their run; not what was expected."""
    known = {one.run.run_id: one for one in unusual}
    odd = dict(found.odd)
    for place, (run, _value) in enumerate(found.series):
        one = known.get(run.run_id)
        if one is None:
            continue
        if one.told.is_expected:
            odd.pop(place, None)
        elif any(finding.metric == found.metric for finding in one.told.judgement.findings):
            odd[place] = one.word
    return odd


def _band_words(metric: str, low: float, high: float, median: float) -> str:
    told = {name: metric_texts.value(metric, number) for name, number in (("high", high), ("median", median))}
    least = metric_texts.value(metric, max(low, 0.0) if median >= 0 else low)
    return _("Usual for the next run: %(low)s to %(high)s, in the middle %(median)s.", low=least, **told)


def _drift_words(metric: str, version: int, step: Shift) -> str:
    told = {
        "version": version,
        "before": metric_texts.value(metric, step.before.median),
        "after": metric_texts.value(metric, step.after.median),
    }
    if step.change_percent is None:
        return _("Since revision %(version)s: usually %(after)s, after %(before)s.", **told)
    percent = f"{abs(step.change_percent):.0f}"
    if step.change_percent > 0:
        return _("Since revision %(version)s %(percent)s %% more: usually %(after)s, after %(before)s.", percent=percent, **told)  # fmt: skip
    return _("Since revision %(version)s %(percent)s %% less: usually %(after)s, after %(before)s.", percent=percent, **told)  # fmt: skip


def _compare(found: Analysis, values: Sequence[float], revisions: Mapping[int, int]) -> Compared | None:
    """Return the values before and after what is asked for: a moment, a revision, else the newest revision or the middle."""
    moment, version = query.moment(request.args, "moment"), query.optional_id(request.args, "revision")
    if moment is not None:
        place = next((n for n, (run, _value) in enumerate(found.series) if run.at >= moment), 0)
        edge = f"{moment.astimezone(current.zone()):%Y-%m-%d %H:%M}"
    elif version is not None:
        place = next((n for n, (run, _value) in enumerate(found.series) if run.task_version >= version), 0)
        edge = _("revision %(version)s", version=version)
    elif revisions:
        place, newest = max(revisions.items())
        edge = _("revision %(version)s", version=newest)
    else:
        place = len(values) // 2
        edge = f"{found.series[place][0].at.astimezone(current.zone()):%Y-%m-%d %H:%M}"
    if not 0 < place < len(values):
        return None
    step = shift.compare(values[:place], values[place:])
    return Compared(step, _change_words(step), edge, _rows(found.metric, step))


def _change_words(step: Shift) -> str:
    if not step.is_clear:
        return _("No clear difference: what there is may be chance.")
    if step.change_percent is None:
        return _("A clear difference, after nothing.")
    percent = f"{abs(step.change_percent):.0f}"
    if step.change_percent > 0:
        return _("Clearly more: the median is %(percent)s %% higher.", percent=percent)
    return _("Clearly less: the median is %(percent)s %% lower.", percent=percent)


def _rows(metric: str, step: Shift) -> list[tuple[str, str, str, str]]:
    old, new = step.before, step.after
    rows = [(_("Runs"), grouped(old.count), grouped(new.count), "")]
    for label, before, after in (
        (_("Median"), old.median, new.median), (_("Mean"), old.avg, new.avg), ("p95", old.p95, new.p95),
        (_("Lowest"), old.min, new.min), (_("Highest"), old.max, new.max),
    ):  # fmt: skip
        change = f"{(after - before) / abs(before) * 100:+,.0f} %" if before else ""
        rows.append((label, metric_texts.value(metric, before), metric_texts.value(metric, after), change))
    return rows
