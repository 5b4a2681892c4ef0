"""The rows of a task's form that stand for the tasks that it runs after: how they are read, changed and filled.

Each row has the same two names, and a row left empty is left out.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from wtforms import Field

from watchbell.domain.chains import ALL, ANY, After, On
from watchbell.web.i18n import _, lazy
from watchbell.web.pictures.chain import Chain

#: The names of a row's controls.
NAMES = ("after_task", "after_on")
#: The button that changes the rows: add, or remove with the number of a row.
ACT = "after_act"
ON_WORDS = {
    On.SUCCEEDED: lazy("has succeeded"),
    On.FAILED: lazy("has failed"),
    On.FINISHED: lazy("has finished, however it went"),
}
#: So many are offered as the least number of parents; one that is stored is always offered, too.
_MOST_OFFERED = 9


@dataclasses.dataclass(frozen=True, slots=True)
class AfterRow:
    """What stands in one row."""

    task: str = ""
    on: str = On.SUCCEEDED.value


class AfterField(Field):  # type: ignore[misc]
    """All rows; its data is what the task service is told."""

    rows: list[AfterRow]
    #: How the loop is drawn that the rows would make; None where there is none, or it is too long.
    loop: Chain | None = None

    def process(self, formdata: Any, data: Any = None, extra_filters: Any = None) -> None:
        self.process_errors: list[str] = []
        self.object_data = data
        if formdata is not None and NAMES[0] in formdata:
            columns = [formdata.getlist(name) for name in NAMES]
            self.rows = [AfterRow(*cells) for cells in itertools.zip_longest(*columns, fillvalue="")]
        else:
            self.rows = list(data or ())
        self.drop_blank_rows()

    def drop_blank_rows(self) -> None:
        """Forget the rows in which no task stands: leaving one empty is how it is removed."""
        self.rows = [row for row in self.rows if row.task.strip()]
        self.data = [dataclasses.asdict(row) for row in self.rows]

    def act(self, text: str) -> None:
        """Add or remove a row as a button said; what makes no sense changes nothing."""
        verb, _colon, number = text.partition(":")
        index = int(number) - 1 if number.isascii() and number.isdigit() and len(number) < 4 else -1
        if verb == "add":
            self.rows.append(AfterRow())
        elif verb == "remove" and 0 <= index < len(self.rows):
            del self.rows[index]

    @property
    def shown(self) -> Sequence[AfterRow]:
        """Return the rows to be shown: one to type into where there is none."""
        return self.rows or [AfterRow()]


def on_words() -> dict[str, str]:
    """Return the ends of a task after which another one may run, in words."""
    return {on.value: str(words) for on, words in ON_WORDS.items()}


def after_rows(after: Iterable[After]) -> list[AfterRow]:
    """Return the rows of a stored task."""
    return [AfterRow(one.task, one.on.value) for one in after]


def after_lines(rows: Iterable[AfterRow]) -> str:
    """Return rows as text, one task a line, so that two people's can be told apart."""
    words = on_words()
    return "\n".join(f"{row.task} {words.get(row.on, row.on)}" for row in rows)


def join_words(join: str) -> str:
    """Return how many of its parents a task waits for, in words."""
    plain = {ALL: _("all of them"), ANY: _("any one of them")}
    return plain.get(join) or _("at least %(number)s of them", number=join)


def join_choices(chosen: str) -> list[tuple[str, str]]:
    """Return the joins that are offered, the chosen one among them."""
    offered = dict.fromkeys([ALL, ANY, *(str(number) for number in range(2, _MOST_OFFERED + 1)), chosen or ALL])
    return [(join, join_words(join)) for join in offered]
