"""What the first page shows of the moment: how far what runs has come, its last line, and the strip of the day."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import url_for

from watchbell.domain.shown_text import plain_text
from watchbell.errors import NotFound
from watchbell.services import forecast, runs, timeline
from watchbell.services.output_sources import STREAMS
from watchbell.services.streams import read_source
from watchbell.web import current, forecasts
from watchbell.web.db import database
from watchbell.web.pictures.strip import HALF_HOUR, PARTS, Strip, begin, strip
from watchbell.web.presenters import RunView, local_text

#: The last lines of so many runs are looked at, each in so many bytes from the end, and shown in so many signs.
MOST_LINES = 10
_TAIL = 2048
_SHOWN = 160
#: The past of the strip is counted anew after so many minutes; its newest half hour always is.
_MINUTES = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Going:
    """A run that goes on: how far it is by what is usual, and what it has written last."""

    run: RunView
    usual_seconds: float | None
    last_line: str

    @property
    def share(self) -> int | None:
        """Return how much of its usual time has passed, in per cent; one that takes longer than usual stays below 100."""
        if not self.usual_seconds or self.run.duration_seconds is None:
            return None
        return min(int(100 * self.run.duration_seconds / self.usual_seconds), 99)


def going(views: Sequence[RunView]) -> list[Going]:
    """Return what is shown of runs that go on."""
    usual = timeline.usual_seconds(database(), [view.task_id for view in views], now=current.now())
    lines = _last_lines([view.id for view in views[:MOST_LINES]])
    return [Going(view, usual.get(view.task_id), lines.get(view.id, "")) for view in views]


def _last_lines(run_ids: Sequence[int]) -> Mapping[int, str]:
    found: dict[int, str] = {}
    for run_id, sources in runs.list_outputs(database(), run_ids).items():
        for name in STREAMS:
            try:
                part = read_source(sources[name], current.config().output_path, -_TAIL, _TAIL)
            except NotFound:
                # What has given way to newer output has no last line.
                part = None
            written = [line for line in plain_text(part.data).splitlines() if line.strip()] if part else []
            if written:
                found[run_id] = written[-1].strip()[:_SHOWN]
                break
    return found


def day_strip() -> Strip:
    """Return the strip of the last and the next 24 hours."""
    now = current.now()
    half = begin(now)

    def past() -> list[dict[str, int]]:
        return timeline.count_states(database(), start=half - PARTS * HALF_HOUR, until=half, parts=PARTS)

    def plan() -> tuple[list[int], bool]:
        return forecast.minutes(database(), start=half, count=(PARTS + 1) * 30)

    old = forecasts.recall("strip", (half, now.minute // _MINUTES), past)
    (new,) = timeline.count_states(database(), start=half, until=half + HALF_HOUR, parts=1)
    minutes, is_cut = forecasts.recall("plan", (half, forecast.change_mark(database())), plan)
    # What has come of this half hour's plan so far stands in the ledger.
    coming = [*[0] * (now.minute % 30 + 1), *minutes[now.minute % 30 + 1 :]]
    planned = [sum(coming[n : n + 30]) for n in range(0, len(coming), 30)]
    return strip([*old, new], planned, now=now, is_cut=is_cut)


def strip_address(start: datetime, until: datetime) -> str:
    """Return where a half hour is shown."""
    times: dict[str, Any] = {"from": local_text(start, current.zone()), "to": local_text(until, current.zone())}
    return url_for("timeline.index", **times)
