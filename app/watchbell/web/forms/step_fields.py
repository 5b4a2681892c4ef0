"""The rows of a task's form that stand for its steps: how they are read, moved about and filled.

Each row has the same four names, and the order of the rows is the order of the steps: so a row can be added, moved and
removed without a number being changed anywhere.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

from wtforms import Field

from watchbell.domain.steps import Step
from watchbell.web.i18n import _
from watchbell.web.spans import seconds_text, span_text

#: The names of a row's controls.
NAMES = ("step_name", "step_command", "step_limit", "step_failure")
#: The button that changes the rows: add, or up, down or remove with the number of a row.
ACT = "step_act"
GO_ON, STOP = "go_on", "stop"


@dataclasses.dataclass(frozen=True, slots=True)
class StepRow:
    """What stands in one row."""

    name: str = ""
    command: str = ""
    limit: str = ""
    failure: str = STOP

    @property
    def is_blank(self) -> bool:
        """Return whether nothing was typed into it."""
        return not (self.name.strip() or self.command.strip() or self.limit.strip())


class StepsField(Field):  # type: ignore[misc]
    """All rows; its data is what the task service is told."""

    rows: list[StepRow]

    def process(self, formdata: Any, data: Any = None, extra_filters: Any = None) -> None:
        self.process_errors: list[str] = []
        self.object_data = data
        if formdata is not None and NAMES[1] in formdata:
            columns = [formdata.getlist(name) for name in NAMES]
            self.rows = [StepRow(*cells) for cells in itertools.zip_longest(*columns, fillvalue="")]
        else:
            self.rows = list(data or ())
        self.drop_blank_rows()

    def drop_blank_rows(self) -> None:
        """Forget the rows in which nothing stands: leaving one empty is how it is removed."""
        self.rows = [row for row in self.rows if not row.is_blank]
        self.data = [_as_step(row) for row in self.rows]

    def act(self, text: str) -> None:
        """Add, move or remove a row as a button said; what makes no sense changes nothing."""
        verb, _colon, number = text.partition(":")
        index = int(number) - 1 if number.isascii() and number.isdigit() and len(number) < 4 else -1
        if verb == "add":
            self.rows.append(StepRow())
        elif not 0 <= index < len(self.rows):
            return
        elif verb == "remove":
            del self.rows[index]
        elif verb in {"up", "down"}:
            other = index + (1 if verb == "down" else -1)
            if 0 <= other < len(self.rows):
                self.rows[index], self.rows[other] = self.rows[other], self.rows[index]

    @property
    def shown(self) -> Sequence[StepRow]:
        """Return the rows to be shown: one to type into where there is none."""
        return self.rows or [StepRow()]


def rows_of(steps: Sequence[Step]) -> list[StepRow]:
    """Return the rows of a stored task."""
    return [
        StepRow(
            step.name,
            step.command,
            span_text(step.timeout_seconds) if step.timeout_seconds else "",
            GO_ON if step.continue_on_failure else STOP,
        )
        for step in steps
    ]


def _as_step(row: StepRow) -> dict[str, object]:
    # A word that is neither of the two is refused by the service.
    failure = {GO_ON: True, STOP: False, "": False}.get(row.failure, row.failure)
    return {
        "name": row.name,
        "command": row.command,
        "timeout_seconds": seconds_text(row.limit),
        "continue_on_failure": failure,
    }


def rows_text(rows: Sequence[StepRow]) -> str:
    """Return rows as text, one step a line, so that two people's can be told apart."""
    return "\n".join(map(_row_text, rows))


def _row_text(row: StepRow) -> str:
    limit = " " + _("(at most %(time)s)", time=row.limit) if row.limit else ""
    failure = " " + _("(goes on)") if row.failure == GO_ON else ""
    return f"{row.name}: {row.command}{limit}{failure}"
