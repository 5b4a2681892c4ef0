"""The map of an order: a mark for each of its devices, by waves or by a tag, in the shape and tone of its state.

Of few devices each mark is a link. Of many the marks of one state are one shape that a pattern fills, so that ten thousand
devices are a handful of elements.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from markupsafe import Markup, escape

from watchbell.domain.fleet_state import DeviceJobState
from watchbell.services.fleet_views import Group
from watchbell.store.fleet_views import Cell
from watchbell.web import fleet_words
from watchbell.web.i18n import grouped

WIDTH = 720
#: Up to so many devices a mark is so many pixels wide; the width is a multiple of each.
_PITCHES = ((600, 16), (3_000, 10))
_LEAST_PITCH = 6
#: With more devices than this a mark stands for several; on a page with several maps, with more than the second.
MOST_MARKS, FEW_MARKS = 20_000, 3_000
#: In a bar what has ended comes first, the good before the bad, in a map the bad before the good; then what has not ended.
_BAR = (
    *(DeviceJobState.SUCCEEDED, DeviceJobState.FAILED, DeviceJobState.TIMED_OUT, DeviceJobState.REJECTED),
    *(DeviceJobState.CANCELLED, DeviceJobState.IN_PROGRESS, DeviceJobState.QUEUED),
)
_MAP = (
    *(DeviceJobState.FAILED, DeviceJobState.TIMED_OUT, DeviceJobState.REJECTED, DeviceJobState.SUCCEEDED),
    *(DeviceJobState.CANCELLED, DeviceJobState.IN_PROGRESS, DeviceJobState.QUEUED),
)
_RANK = {state.value: rank for rank, state in enumerate(_MAP)}


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One group of the map."""

    group: Group
    total: int
    picture: Markup


@dataclasses.dataclass(frozen=True, slots=True)
class Map:
    """The whole map."""

    rows: Sequence[Row]
    #: How wide a mark is, in pixels.
    pitch: int
    #: For how many devices a mark stands.
    each: int


@dataclasses.dataclass(frozen=True, slots=True)
class Links:
    """Where marks lead: that of a device by its uuid, and those of a group's devices in one state."""

    device: Callable[[str], str]
    state: Callable[[Group, DeviceJobState], str]


def draw(groups: Sequence[Group], total: int, links: Links, *, most: int = MOST_MARKS) -> Map:
    """Return the map of an order to so many devices, in which there are about so many marks at the most."""
    pitch = next((pitch for most, pitch in _PITCHES if total <= most), _LEAST_PITCH)
    each = -(-total // most) or 1
    rows = []
    for group in groups:
        draws = _single if group.cells else _counted
        rows.append(Row(group, sum(group.counts.values()), draws(group, pitch, each, links)))
    return Map(rows, pitch, each)


def _single(group: Group, pitch: int, _each: int, links: Links) -> Markup:
    cells: list[Cell] = sorted(group.cells, key=lambda cell: (_RANK[cell.state], cell.part_id))
    columns = WIDTH // pitch
    marks = []
    for place, cell in enumerate(cells):
        y, x = divmod(place, columns)
        title = escape(f"{cell.name}: {fleet_words.word_of(cell.state)}")
        marks.append(
            f'<a href="{escape(links.device(cell.uuid))}" tabindex="-1"><title>{title}</title>'
            f'<rect x="{x * pitch}" y="{y * pitch}" width="{pitch}" height="{pitch}" fill="url(#cell-{cell.state}-{pitch})"/></a>'
        )
    return _picture("".join(marks), len(cells), pitch, group)


def _counted(group: Group, pitch: int, each: int, links: Links) -> Markup:
    columns = WIDTH // pitch
    begin, marks = 0, []
    for state in _MAP:
        count = group.counts.get(state, 0)
        if not count:
            continue
        end = begin + -(-count // each)
        title = escape(f"{grouped(count)} {fleet_words.word_of(state)}")
        marks.append(
            f'<a href="{escape(links.state(group, state))}" tabindex="-1"><title>{title}</title>'
            f'<path d="{_outline(begin, end, columns, pitch)}" fill="url(#cell-{state.value}-{pitch})"/></a>'
        )
        begin = end
    return _picture("".join(marks), begin, pitch, group)


def _outline(begin: int, end: int, columns: int, pitch: int) -> str:
    """Return the path around the marks of places that follow one another in lines: at most three rectangles."""
    parts = []
    while begin < end:
        y, x = divmod(begin, columns)
        if x == 0 and end - begin >= columns:
            lines = (end - begin) // columns
            parts.append((0, y, columns, lines))
            begin += lines * columns
        else:
            width = min(columns - x, end - begin)
            parts.append((x, y, width, 1))
            begin += width
    return "".join(f"M{x * pitch} {y * pitch}h{w * pitch}v{h * pitch}h-{w * pitch}z" for x, y, w, h in parts)


def _picture(marks: str, count: int, pitch: int, group: Group) -> Markup:
    height = max(1, -(-count // (WIDTH // pitch))) * pitch
    label = escape(fleet_words.counts_words(group.counts))
    return Markup(  # noqa: S704 - numbers and words of ours, and what is escaped where it is put together.
        f'<svg class="wb-picture wb-map__picture" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="group" '
        f'aria-label="{label}" data-picture>{marks}</svg>'
    )


def shares(counts: Mapping[DeviceJobState, int]) -> list[tuple[str, float, float]]:
    """Return where the part of each state begins in a bar and how wide it is, in per cent; what is to be done comes last."""
    total = sum(counts.values())
    found, begin = [], 0.0
    for state in _BAR:
        width = 100 * counts.get(state, 0) / total if total else 0.0
        if width:
            found.append((state.value, round(begin, 3), round(width, 3)))
            begin += width
    return found
