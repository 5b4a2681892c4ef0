"""Gates: conditions on the numbers of a run that must hold, or a command that has exited with 0 has failed all the same."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import NamedTuple

from watchbell.domain import expressions
from watchbell.domain.expressions import Expression, ExpressionError
from watchbell.domain.samples import METRICS
from watchbell.errors import InputError

FIELD = "gates"
EXAMPLE = "fast: execution_time_seconds < 60"
MOST = 20
#: What the reason of a run that has broken one begins with.
WORD = "gate"
NAME_LIMIT = 50
#: What is known of a run only when it is settled how it ended, or not in time for that.
_AFTERWARDS = frozenset({"success", "timed_out", "queue_seconds"})
KNOWN = frozenset(METRICS) - _AFTERWARDS
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")


class Gate(NamedTuple):
    """A condition, and what it is called; empty for one that goes by its own text."""

    name: str
    expression: Expression

    @property
    def text(self) -> str:
        """Return it as it is stored and shown."""
        return f"{self.name}: {self.expression.text}" if self.name else self.expression.text


@functools.lru_cache(maxsize=512)
def parse(text: str) -> tuple[Gate, ...]:
    """Return the gates in a text, one on each line: a condition, with a name and a colon before it or without.

    ``cpu_max:80`` is what the runner of scripts says for ``cpu_max <= 80``. Raises InputError, which names the line.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > MOST:
        raise InputError.of(FIELD, f"must be at most {MOST}", EXAMPLE)
    return tuple(_gate(line) for line in lines)


def _gate(line: str) -> Gate:
    name, colon, condition = line.partition(":")
    name, condition = (name.strip(), condition.strip()) if colon else ("", line)
    if name in METRICS and _NUMBER.fullmatch(condition):
        name, condition = "", f"{name} <= {condition}"
    if colon and (not name.isprintable() or len(name) > NAME_LIMIT):
        raise InputError.of(FIELD, f"a name must be at most {NAME_LIMIT} printable characters", EXAMPLE)
    try:
        return Gate(name, expressions.parse(condition))
    except ExpressionError as error:
        raise _problem(line, error) from None


def check(text: str, *, reads_own: bool) -> str:
    """Return gates in one spelling; raises InputError for what is none, or names what a run cannot have by then."""
    found = parse(text)
    for gate in found:
        for name, position in gate.expression.names.items():
            if name in _AFTERWARDS:
                raise _problem(gate.text, ExpressionError(f"{name} is known only when a run is over", position))
        if reads_own:
            _check_slips(gate)
            continue
        try:
            expressions.check_names(gate.expression, KNOWN)
        except ExpressionError as error:
            words = f"{error.message}; metrics of its own are read of a task whose own_metrics is read"
            raise _problem(gate.text, ExpressionError(words, error.position)) from None
    return "\n".join(gate.text for gate in found)


def _check_slips(gate: Gate) -> None:
    try:
        expressions.check_slips(gate.expression, KNOWN)
    except ExpressionError as error:
        raise _problem(gate.text, error) from None


def _problem(line: str, error: ExpressionError) -> InputError:
    return InputError.of(FIELD, f"'{line[:60]}': {error}", EXAMPLE)


def broken(text: str, values: Mapping[str, float]) -> str:
    """Return which gates the numbers of a run break, in words; empty if they keep all of them.

    One that cannot be told is broken if that is the command's own doing: it has not told the number. What could not be
    measured of it, because it was over too soon, is not held against it.
    """
    words = []
    for gate in parse(text):
        verdict = gate.expression.evaluate(values)
        name = f"gate '{gate.name}'" if gate.name else "gate"
        if verdict.holds is False:
            seen = expressions.told(gate.expression.values_in(values))
            words.append(
                f"{name} broken: {gate.expression.text} ({seen})" if seen else f"{name} broken: {gate.expression.text}"
            )
        elif verdict.holds is None and not (verdict.missing and KNOWN.issuperset(verdict.missing)):
            words.append(f"{name} broken: {gate.expression.text} cannot be told: {verdict.why_not_told}")
    return "; ".join(words)
