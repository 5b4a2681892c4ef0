"""The timeline as it is drawn: lanes below one another, in each of them bars, counted parts and hollow bars of what is planned."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup

from watchbell.services.timeline import Lane, Part, Planned, Span
from watchbell.web import schedule_words
from watchbell.web.i18n import _
from watchbell.web.pictures import looks
from watchbell.web.pictures.axis import Axis
from watchbell.web.pictures.packing import pack

LANE_HEIGHT = 28
#: Top and height of the bars of a lane with one, two and three rows of them.
_ROWS = (((8, 12),), ((4, 9), (15, 9)), ((3, 6), (11, 6), (19, 6)))
#: A bar takes at least so much of the width, in per cent, because its icon does.
_LEAST = 0.9
_LOWEST, _HIGHEST = 6, 22
#: What the mark of a short run takes with its icon.
_ICON = 1.5


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """Something drawn in a lane: where it begins and how wide it is, in per cent; its top and height in pixels."""

    x: float
    width: float
    y: int
    height: int
    icon: str
    tone: str
    title: str
    href: str

    @property
    def place(self) -> Markup:
        """Return where it stands and how big it is, as attributes."""
        return Markup(f'x="{self.x}%" y="{self.y}" width="{self.width}%" height="{self.height}"')  # noqa: S704 - of numbers.

    @property
    def corner(self) -> Markup:
        """Return where it begins and how high it is, as attributes."""
        return Markup(f'x="{self.x}%" y="{self.y}" height="{self.height}"')  # noqa: S704 - of numbers.


@dataclasses.dataclass(frozen=True, slots=True)
class DrawnLane:
    """One lane with everything in it."""

    label: str
    href: str
    #: Of single runs, of counted ones, and of what is planned; the last of these may be a band that says so.
    marks: Sequence[Mark]
    parts: Sequence[Mark]
    planned: Sequence[Mark]
    band: Mark | None
    #: For the table beside the picture.
    counts: dict[str, int]
    wrong: Sequence[Span]
    next_at: datetime | None
    #: Where one asks of a moment at which nothing is drawn; which moment is still to be added.
    why: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Links:
    """Where marks lead to."""

    run: Callable[[int], str]
    task: Callable[[int], str]
    why: Callable[[int], str]
    #: A stretch of the timeline, of the task of a lane.
    zoom: Callable[[datetime, datetime, str], str]


@dataclasses.dataclass(frozen=True, slots=True)
class Drawing:
    """What all lanes of a picture share."""

    axis: Axis
    zone: ZoneInfo
    links: Links
    sayings: looks.Sayings
    #: How many runs one sample stands for.
    sample_of: int = 1
    #: What has begun stands before it, however wide its mark is; None where it does not matter.
    now: datetime | None = None

    def lane(self, lane: Lane) -> DrawnLane:
        """Return a lane as it is drawn."""
        planned = self._planned(lane)
        counts: dict[str, int] = {}
        for span in lane.spans:
            counts[span.state] = counts.get(span.state, 0) + 1
        for part in lane.parts:
            for state, number in part.counts.items():
                counts[state] = counts.get(state, 0) + number
        return DrawnLane(
            label=lane.label or _("no host"),
            href=self.links.task(lane.task.id) if lane.task and lane.task.is_on else "",
            why=self.links.why(lane.task.id) if lane.task and lane.task.is_on else "",
            marks=self._singles(lane.spans),
            parts=self._parts(lane),
            planned=planned,
            band=self._band(lane),
            counts=counts,
            wrong=[span for span in lane.spans if span.state in looks.BAD][-5:],
            next_at=min((one.due_at for one in lane.planned), default=None),
        )

    def _singles(self, spans: Sequence[Span]) -> list[Mark]:
        places = [self._place_of(span) for span in spans]
        rows = pack([(low, max(high, low + _LEAST)) for low, high in places], len(_ROWS))
        shape = _ROWS[max(rows, default=0)]
        return [
            Mark(
                x=low,
                width=round(high - low, 3),
                y=shape[row][0],
                height=shape[row][1],
                # What went as it should needs no mark to be read.
                icon="" if span.state == "succeeded" else looks.icon_of(span.state),
                tone=looks.tone_of(span.state),
                title=self.sayings.of_span(span),
                href=self.links.run(span.run_id),
            )
            for span, (low, high), row in zip(spans, places, rows, strict=True)
        ]

    def _place_of(self, span: Span) -> tuple[float, float]:
        low, high = self.axis.x(span.start), self.axis.x(span.end)
        if self.now is None or span.start > self.now:
            return low, high
        # The same for all, so that nothing comes to stand before what was earlier.
        latest = max(self.axis.x(self.now) - _ICON, 0.0)
        back = max(low - latest, 0.0)
        return round(low - back, 3), round(high - back, 3)

    def _parts(self, lane: Lane) -> list[Mark]:
        most = max((part.total for part in lane.parts), default=1)
        return [self._part(part, most, lane.label if lane.task else "") for part in lane.parts]

    def _part(self, part: Part, most: int, name: str) -> Mark:
        low, high = self.axis.x(part.start), self.axis.x(part.end)
        height = max(round(_HIGHEST * part.total / most), _LOWEST)
        state = looks.worst_of(part.counts) if part.bad else "other"
        return Mark(
            x=low,
            width=round(max(high - low - 0.1, 0.05), 3),
            y=LANE_HEIGHT - 2 - height,
            height=height,
            icon=looks.icon_of(state) if part.bad else "",
            tone=looks.tone_of(state),
            title=self.sayings.of_part(part, about=self.sample_of > 1),
            href=self.links.zoom(part.start, part.end, name),
        )

    def _planned(self, lane: Lane) -> list[Mark]:
        ordered = sorted(lane.planned, key=lambda one: one.due_at)
        places = [self._place(one) for one in ordered]
        rows = pack([(low, max(high, low + _LEAST)) for low, high in places], len(_ROWS))
        shape = _ROWS[max(rows, default=0)]
        return [
            Mark(
                x=low,
                width=round(high - low, 3),
                y=shape[row][0],
                height=shape[row][1],
                icon="",
                tone="skipped" if one.is_left_out else "waiting",
                title=self.sayings.of_planned(one),
                href=self.links.task(one.task_id),
            )
            for one, (low, high), row in zip(ordered, places, rows, strict=True)
        ]

    def _place(self, planned: Planned) -> tuple[float, float]:
        return self.axis.x(planned.due_at), self.axis.x(planned.due_at + timedelta(seconds=planned.seconds))

    def _band(self, lane: Lane) -> Mark | None:
        """Return the band that stands for the moments that are too many to be drawn."""
        if lane.goes_on_from is None or lane.task is None:
            return None
        low = self.axis.x(lane.goes_on_from)
        words = _("and so on: %(schedule)s", schedule=schedule_words.sentence_of(lane.task))
        return Mark(low, round(100 - low, 3), 8, 12, "", "waiting", words, self.links.task(lane.task.id))
