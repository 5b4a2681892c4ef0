"""Steps of a task as they are drawn: boxes below one another, arrows between them, and the way out where a failure ends the run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

BOX_WIDTH, BOX_HEIGHT, GAP = 250, 34, 26
_LEFT, _TOP = 1, 1
_RAIL = BOX_WIDTH + 22
WIDTH = BOX_WIDTH + 70
_LONGEST = 28


@dataclasses.dataclass(frozen=True, slots=True)
class Box:
    """One step, or one of the ends."""

    y: int
    number: int
    name: str
    shown: str
    #: What has become of it in a run; empty where no run is drawn.
    state: str
    goes_on: bool
    #: Whether its output can be looked at by itself.
    has_output: bool

    @property
    def middle(self) -> int:
        """Return the height of its middle."""
        return self.y + BOX_HEIGHT // 2

    @property
    def bottom(self) -> int:
        """Return where it ends."""
        return self.y + BOX_HEIGHT


@dataclasses.dataclass(frozen=True, slots=True)
class Flow:
    """All steps of a task."""

    boxes: Sequence[Box]
    #: From where to where the way out goes down beside the boxes; nothing if no failure ends the run.
    rail: tuple[int, int] | None
    #: Where the ends stand.
    end: int
    height: int
    box_width: int = BOX_WIDTH
    box_height: int = BOX_HEIGHT
    rail_x: int = _RAIL
    width: int = WIDTH


def flow(steps: Sequence[Mapping[str, Any]], results: Sequence[Any] = ()) -> Flow:
    """Return how steps are drawn; ``results`` are those of a run, in the same order."""
    boxes = []
    for n, step in enumerate(steps):
        result = results[n] if n < len(results) else None
        name = str(step["name"])
        boxes.append(
            Box(
                y=_TOP + n * (BOX_HEIGHT + GAP),
                number=n + 1,
                name=name,
                shown=name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…",
                state=str(result.state) if result else "",
                goes_on=bool(step.get("continue_on_failure")),
                has_output=result is not None and result.stdout_from is not None,
            )
        )
    end = _TOP + len(boxes) * (BOX_HEIGHT + GAP)
    ending = [box.middle for box in boxes if not box.goes_on]
    return Flow(boxes, (min(ending), end) if ending else None, end, end + BOX_HEIGHT + 2)
