"""Tasks that run after one another, as they are drawn: boxes in layers, and lines from each to those that come after it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

from watchbell.domain.chain_paths import layers
from watchbell.services.groups import Step, state_of

BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y = 176, 36, 18, 34
#: How wide the place is that a line takes where it passes a layer.
_PASS_WIDTH = 12
_LONGEST = 19
_SWEEPS = 6
#: Of more than so many the table alone is shown, and of a loop the words.
MOST_BOXES = 150
MOST_OF_LOOP = 20
#: How far beside the boxes the way back of a loop lies, and how far above and below their middle it begins and ends.
_BACK, _APART = 24, 8
#: A task, or the place where a line passes a layer: the two ends of the line and the layer.
_Place = int | tuple[int, int, int]


@dataclasses.dataclass(frozen=True, slots=True)
class Box:
    """One task."""

    x: int
    y: int
    step: Step
    shown: str
    #: Empty for one whose turn has not come.
    state: str
    #: Whether it is the task of the page.
    is_here: bool

    @property
    def middle(self) -> int:
        """Return the height of its middle."""
        return self.y + BOX_HEIGHT // 2


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """The way from a task to one that runs after it."""

    d: str
    #: After which end of it.
    on: str
    is_critical: bool
    #: Whether it is the one that would make a loop.
    is_refused: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Chain:
    """A picture."""

    boxes: Sequence[Box]
    lines: Sequence[Line]
    width: int
    height: int
    box_width: int = BOX_WIDTH
    box_height: int = BOX_HEIGHT


def draw(steps: Sequence[Step], here: int | None = None) -> Chain | None:
    """Return how tasks are drawn, ``here`` being the one of the page; None for more than a picture can show."""
    if not steps or len(steps) > MOST_BOXES:
        return None
    by_id = {step.task_id: step for step in steps}
    rows, ways = _rows(steps)
    spots = _untangle(rows, _neighbours(ways))
    first = min(spot - _width(one) // 2 for one, spot in spots.items()) - 1
    spots = {one: spot - first for one, spot in spots.items()}
    width = max(spot + _width(one) // 2 for one, spot in spots.items()) + 2
    boxes = []
    for number, row in enumerate(rows):
        for one in row:
            if isinstance(one, int):
                step = by_id[one]
                name = step.task_name
                shown = name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
                left = spots[one] - BOX_WIDTH // 2
                boxes.append(Box(left, _top(number), step, shown, state_of(step), one == here))
    lines = [
        Line(
            _path([(spots[place], number) for place, number in way]),
            by_id[child].parents[parent].value,
            by_id[child].is_critical and by_id[parent].is_critical,
        )
        for (parent, child), way in ways.items()
    ]
    # What matters most is drawn last, above the others.
    lines.sort(key=lambda line: line.is_critical)
    return Chain(boxes, lines, width, _top(len(rows)) - GAP_Y + 2)


def draw_loop(steps: Sequence[Step], on: str) -> Chain | None:
    """Return how a loop is drawn: its steps below one another, and beside them the way back, which is the link that is refused.

    The first of them would run after the last one's end ``on``. None for more than a picture can show.
    """
    chain = draw([dataclasses.replace(steps[0], parents={}), *steps[1:]]) if len(steps) <= MOST_OF_LOOP else None
    if chain is None:
        return None
    first, last = chain.boxes[0], chain.boxes[-1]
    right = first.x + BOX_WIDTH
    back = f"M{right} {last.middle + _APART}h{_BACK}V{first.middle - _APART}h{3 - _BACK}m4 -3.5l-6 3.5l6 3.5"
    line = Line(back, on, is_critical=False, is_refused=True)
    return dataclasses.replace(chain, lines=[*chain.lines, line], width=chain.width + _BACK + 2)


def _top(row: int) -> int:
    return 1 + row * (BOX_HEIGHT + GAP_Y)


def _width(place: _Place) -> int:
    return BOX_WIDTH if isinstance(place, int) else _PASS_WIDTH


def _rows(
    steps: Sequence[Step],
) -> tuple[list[list[_Place]], dict[tuple[int, int], list[tuple[_Place, int]]]]:
    """Return the places of each layer, and the places that each line goes through."""
    parents = {step.task_id: list(step.parents) for step in steps}
    rows: list[list[_Place]] = [list(row) for row in layers(parents, parents)]
    layer_of = {one: number for number, row in enumerate(rows) for one in row}
    ways: dict[tuple[int, int], list[tuple[_Place, int]]] = {}
    for child, its_parents in parents.items():
        for parent in its_parents:
            if parent not in layer_of or layer_of[parent] >= layer_of[child]:
                continue
            between = range(layer_of[parent] + 1, layer_of[child])
            passing: list[tuple[_Place, int]] = [((parent, child, number), number) for number in between]
            for place, number in passing:
                rows[number].append(place)
            ways[parent, child] = [(parent, layer_of[parent]), *passing, (child, layer_of[child])]
    return rows, ways


def _neighbours(
    ways: Mapping[tuple[int, int], Sequence[tuple[_Place, int]]],
) -> tuple[dict[_Place, list[_Place]], dict[_Place, list[_Place]]]:
    """Return which places lead to each, and to which each leads."""
    above: dict[_Place, list[_Place]] = {}
    below: dict[_Place, list[_Place]] = {}
    for way in ways.values():
        for (upper, _), (lower, _) in itertools.pairwise(way):
            above.setdefault(lower, []).append(upper)
            below.setdefault(upper, []).append(lower)
    return above, below


def _untangle(rows: list[list[_Place]], near: Sequence[Mapping[_Place, Sequence[_Place]]]) -> dict[_Place, int]:
    """Bring the places of each layer into an order in which few lines cross, and return the middle of each.

    Layer by layer, down and up again, each place goes below the middle of those that lead to it, then above the middle of
    those that it leads to.
    """
    spots = {place: spot for row in rows for place, spot in zip(row, _packed(row), strict=True)}
    for sweep in range(_SWEEPS):
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            wanted = {one: _mean([spots[other] for other in near[sweep % 2].get(one, ())], spots[one]) for one in row}
            row.sort(key=lambda one: wanted[one])
            spots |= zip(row, _placed(row, [wanted[one] for one in row]), strict=True)
    return spots


def _mean(values: Sequence[int], otherwise: int) -> float:
    return sum(values) / len(values) if values else float(otherwise)


def _packed(row: Sequence[_Place]) -> list[int]:
    """Return the middles of places that stand side by side, their own middle at 0."""
    ends = list(itertools.accumulate(_width(one) + GAP_X for one in row))
    return [round(end - (_width(one) + GAP_X) / 2 - ends[-1] / 2) for one, end in zip(row, ends, strict=True)]


def _placed(row: Sequence[_Place], wanted: Sequence[float]) -> list[int]:
    """Return middles as near to those that are wanted as their order and widths allow."""
    half = [_width(one) / 2 for one in row]
    right: list[float] = []
    for number, spot in enumerate(wanted):
        least = right[-1] + half[number - 1] + GAP_X + half[number] if right else spot
        right.append(max(spot, least))
    left: list[float] = []
    for number in range(len(row) - 1, -1, -1):
        most = left[-1] - half[number + 1] - GAP_X - half[number] if left else wanted[number]
        left.append(min(wanted[number], most))
    # Pushed apart to the right, and to the left: the middle between both keeps the distances, too.
    return [round((one + other) / 2) for one, other in zip(right, left[::-1], strict=True)]


def _path(points: Sequence[tuple[int, int]]) -> str:
    """Return a line from the bottom of the first place, past the others, to an arrow above the last one."""
    x, row = points[0]
    parts = [f"M{x} {_top(row) + BOX_HEIGHT}"]
    for x_next, row_next in points[1:]:
        start, end = _top(row_next) - GAP_Y, _top(row_next)
        is_last = (x_next, row_next) == points[-1]
        half = (start + end) // 2
        parts.append(f"C{x} {half} {x_next} {half} {x_next} {end - (3 if is_last else 0)}")
        if not is_last:
            parts.append(f"V{end + BOX_HEIGHT}")
        x = x_next
    return "".join(parts) + "m-3.5 -4l3.5 6l3.5 -6"
