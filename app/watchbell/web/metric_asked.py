"""What the address of a page of metrics asks for: of which task, which metric, of which time, and by which method."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from watchbell.domain.analysis import anomaly
from watchbell.domain.analysis.anomaly import Method
from watchbell.errors import InputError
from watchbell.services import metrics, scripts
from watchbell.store.samples import Measured
from watchbell.web import current, query
from watchbell.web.db import database
from watchbell.web.i18n import _, lazy, ngettext

DEFAULT_METRIC = "execution_time_seconds"
DEFAULT_RANGE = "7d"
#: Most tasks run once a day.
TASK_RANGE = "30d"
#: Choice -> how far back it looks.
RANGES = {
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
    "365d": timedelta(days=365),
}
#: A page tells of so many of the newest runs at the most.
MOST_RUNS = 1000
METHODS = {
    Method.IQR: lazy("quartiles"),
    Method.ZSCORE: lazy("standard deviation"),
    Method.MAD: lazy("median distance"),
}
_FORM = "%Y-%m-%dT%H:%M"


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for."""

    #: A task by its name, or by the path of its script; empty for all.
    task: str
    metric: str
    #: One of RANGES, or empty where a time is given by its ends.
    range: str
    since: datetime
    #: None for up to now.
    until: datetime | None
    method: Method
    #: The range where none is asked for, which the address leaves out.
    default_range: str = DEFAULT_RANGE

    def address(self, **changes: Any) -> dict[str, Any]:
        """Return the arguments of the address with changes; what is the default is left out, and a range takes ends away."""
        kept: dict[str, Any] = {
            "task": self.task,
            "metric": self.metric,
            "range": self.range,
            "method": self.method.value,
        }
        if not self.range:
            kept |= {"from": self.from_text, "to": self.to_text}
        given = {**kept, **changes}
        usual = {"metric": DEFAULT_METRIC, "range": self.default_range, "method": Method.IQR.value}
        return {name: value for name, value in given.items() if value and usual.get(name) != value}

    @property
    def from_text(self) -> str:
        """Return the beginning as its field holds it; empty where it follows from a range."""
        return "" if self.range else self.since.astimezone(current.zone()).strftime(_FORM)

    @property
    def to_text(self) -> str:
        """Return the end as its field holds it."""
        return "" if self.until is None else self.until.astimezone(current.zone()).strftime(_FORM)


def range_words() -> dict[str, str]:
    """Return the choices of a time in words."""
    days = ("7d", "30d", "90d")
    told = {name: ngettext("%(num)d day", "%(num)d days", RANGES[name].days) for name in days}
    return {"24h": _("24 hours"), **told, "365d": _("a year")}


def read(args: Mapping[str, str], *, of_task: bool = False) -> Asked:
    """Return what an address asks for, on the page of all tasks or on that of one; raises InputError."""
    since, until = query.moment(args, "from"), query.moment(args, "to")
    if since is not None and until is not None and until <= since:
        raise InputError.of("to", _("must be later than from"))
    default_range = TASK_RANGE if of_task else DEFAULT_RANGE
    chosen = query.word(args, "range", tuple(RANGES), default_range)
    is_own = since is not None or until is not None
    if since is None:
        since = (until or current.now()) - RANGES[chosen]
    return Asked(
        task="" if of_task else query.text(args, "task"),
        metric=query.text(args, "metric") or DEFAULT_METRIC,
        range="" if is_own else chosen,
        since=since,
        until=until,
        method=Method(query.word(args, "method", tuple(METHODS), anomaly.Method.IQR)),
        default_range=default_range,
    )


def runs_of(asked: Asked, task_id: int | None = None) -> list[Measured]:
    """Return the newest runs that are meant, newest first."""
    task_ids = [task_id] if task_id is not None else None
    if asked.task:
        task_ids = scripts.task_ids(database(), asked.task)
    return metrics.list_runs(database(), task_ids=task_ids, since=asked.since, until=asked.until, limit=MOST_RUNS)
