"""The rows of a task's form that stand for its parameters: how they are read, changed and filled.

Each row has the same names, and the order of the rows is the order of the parameters.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

from wtforms import Field

from watchbell.domain.parameters import Parameter, ParameterType
from watchbell.web.i18n import _, lazy

#: The names of a row's controls.
NAMES = ("param_name", "param_type", "param_default", "param_required", "param_choices", "param_pattern", "param_variable", "param_help")  # fmt: skip
#: The button that changes the rows: add, or up, down or remove with the number of a row.
ACT = "param_act"
TYPE_WORDS = {
    ParameterType.TEXT: lazy("text"),
    ParameterType.NUMBER: lazy("number"),
    ParameterType.INTEGER: lazy("whole number"),
    ParameterType.FLAG: lazy("yes or no"),
    ParameterType.CHOICE: lazy("choice"),
    ParameterType.DATE: lazy("date"),
    ParameterType.SECRET: lazy("secret"),
}


def type_words() -> dict[str, str]:
    """Return the types that a parameter may have, in words."""
    return {kind.value: str(words) for kind, words in TYPE_WORDS.items()}


@dataclasses.dataclass(frozen=True, slots=True)
class ParameterRow:
    """What stands in one row."""

    name: str = ""
    type: str = ParameterType.TEXT.value
    default: str = ""
    required: str = ""
    choices: str = ""
    pattern: str = ""
    variable: str = ""
    help: str = ""

    @property
    def is_blank(self) -> bool:
        """Return whether nothing was typed into it."""
        return not any(text.strip() for text in (self.name, self.default, self.choices, self.pattern, self.help))


class ParametersField(Field):  # type: ignore[misc]
    """All rows; its data is what the task service is told."""

    rows: list[ParameterRow]

    def process(self, formdata: Any, data: Any = None, extra_filters: Any = None) -> None:
        self.process_errors: list[str] = []
        self.object_data = data
        if formdata is not None and NAMES[0] in formdata:
            columns = [formdata.getlist(name) for name in NAMES]
            self.rows = [ParameterRow(*cells) for cells in itertools.zip_longest(*columns, fillvalue="")]
        else:
            self.rows = list(data or ())
        self.drop_blank_rows()

    def drop_blank_rows(self) -> None:
        """Forget the rows in which nothing stands: leaving one empty is how it is removed."""
        self.rows = [row for row in self.rows if not row.is_blank]
        self.data = [dataclasses.asdict(row) for row in self.rows]

    def act(self, text: str) -> None:
        """Add, move or remove a row as a button said; what makes no sense changes nothing."""
        verb, _colon, number = text.partition(":")
        index = int(number) - 1 if number.isascii() and number.isdigit() and len(number) < 4 else -1
        if verb == "add":
            self.rows.append(ParameterRow())
        elif verb == "remove" and 0 <= index < len(self.rows):
            del self.rows[index]
        elif verb == "up" and 0 < index < len(self.rows):
            self.rows[index - 1 : index + 1] = self.rows[index], self.rows[index - 1]
        elif verb == "down" and 0 <= index < len(self.rows) - 1:
            self.rows[index : index + 2] = self.rows[index + 1], self.rows[index]


def parameter_rows(declared: Sequence[Parameter]) -> list[ParameterRow]:
    """Return the rows of stored parameters."""
    return [
        ParameterRow(
            name=one.name,
            type=one.type.value,
            default=one.default,
            required="yes" if one.required else "",
            choices=", ".join(one.choices),
            pattern=one.pattern,
            variable=one.variable,
            help=one.help,
        )
        for one in declared
    ]


def parameter_lines(rows: Sequence[ParameterRow]) -> str:
    """Return rows as text, one parameter a line, so that two people's can be told apart."""
    return "\n".join(map(_line, rows))


def _line(row: ParameterRow) -> str:
    kind = type_words().get(row.type, row.type)
    more = [kind, *([_("required")] if row.required else []), *filter(None, (row.choices, row.pattern, row.variable))]
    default = f" = {row.default}" if row.default else ""
    return f"{row.name}{default} ({'; '.join(more)}){': ' + row.help if row.help else ''}"
