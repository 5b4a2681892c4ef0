"""Texts in a job document, as the rows of its form need them: all that it holds, and the variables of a step as lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence


def texts_in(value: object) -> Iterator[str]:
    """Yield every text in a value, names included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, below in value.items():
            yield str(name)
            yield from texts_in(below)
    elif isinstance(value, Sequence):
        for below in value:
            yield from texts_in(below)


def lines_of(environment: object) -> str:
    """Return variables as they are typed, one NAME=value a line; of what holds none, what stands there."""
    if not isinstance(environment, Mapping):
        return "" if environment is None else json.dumps(environment)
    lines = (f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in environment.items())
    return "\n".join(line.replace("\r", " ").replace("\n", " ") for line in lines)


def variables_of(text: str) -> dict[str, str | None]:
    """Return the variables that were typed; what is none of them keeps its line as its name, for the check to refuse."""
    found: dict[str, str | None] = {}
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        name, equals, value = line.partition("=")
        if line.strip():
            found[name.strip()] = value if equals else None
    return found
