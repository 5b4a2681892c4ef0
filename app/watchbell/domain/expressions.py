"""Conditions over the numbers of a run, such as ``cpu_max > 80 and rows < 100``, in a small language of their own.

There are numbers, names of metrics, ``+ - * /``, ``< <= > >= == !=``, ``and``, ``or``, ``not`` and parentheses. A text is
read into steps for a stack: nothing of it is ever run as code, and neither its reading nor its evaluation can take long.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import operator
import re
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from typing import NamedTuple

LENGTH_LIMIT = 500
#: So many parentheses, ``not`` and signs may stand around each other.
DEPTH_LIMIT = 20
EXAMPLE = "cpu_max > 80 and execution_time_seconds > 60"
_TOKEN = re.compile(
    r"(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)|(?P<word>[A-Za-z_][A-Za-z0-9_.]*)"
    r"|(?P<sign><=|>=|==|!=|&&|\|\||[-+*/<>()!])"
)
#: Other spellings that people know.
_SAME = {"&&": "and", "||": "or", "!": "not"}
_WORDS = frozenset({"and", "or", "not"})
_COMPARED: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
_COUNTED: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
}  # fmt: skip


class ExpressionError(ValueError):
    """A text that is no condition; ``position`` counts its characters from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message} (at character {position + 1})")
        self.message = message
        self.position = position


class Token(NamedTuple):
    """A piece of a text: its kind (number, word, sign, end), what it says, and where it begins."""

    kind: str
    text: str
    position: int


class Step(NamedTuple):
    """A step of an evaluation: ``put`` a number, ``look`` up a name, or an operator."""

    kind: str
    name: str = ""
    number: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What a condition comes to; ``holds`` is None where that cannot be told, and ``missing`` says what was not there."""

    holds: bool | None
    missing: tuple[str, ...] = ()

    @property
    def why_not_told(self) -> str:
        """Return why it cannot be told, in words; empty if it can."""
        if self.holds is not None:
            return ""
        return (
            f"no {', no '.join(self.missing)}" if self.missing else "a division by zero, or a number beyond all bounds"
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Expression:
    """A condition that was read."""

    text: str
    steps: tuple[Step, ...]
    #: The metrics that it names, each once, and where it names each first.
    names: Mapping[str, int]

    def evaluate(self, values: Mapping[str, float]) -> Verdict:
        """Return whether it holds of these numbers.

        What depends on a number that is not there cannot be told, but what holds (or not) without it does.
        """
        stack: list[float | None] = []
        for step in self.steps:
            if step.kind == "put":
                stack.append(step.number)
            elif step.kind == "look":
                stack.append(values.get(step.name))
            elif step.kind == "not":
                value = stack.pop()
                stack.append(value if value is None or math.isnan(value) else float(not value))
            elif step.kind == "negate":
                value = stack.pop()
                stack.append(None if value is None else -value)
            else:
                right, left = stack.pop(), stack.pop()
                stack.append(_apply(step.kind, left, right))
        found = stack.pop()
        if found is not None:
            # Whatever the missing numbers were, a division by zero would leave it untold.
            return Verdict(None) if math.isnan(found) else Verdict(bool(found))
        return Verdict(None, tuple(name for name in self.names if name not in values))

    def values_in(self, values: Mapping[str, float]) -> dict[str, float]:
        """Return those of some numbers that it looks at."""
        return {name: values[name] for name in self.names if name in values}


def _apply(kind: str, left: float | None, right: float | None) -> float | None:
    """Return what an operator makes of two values; truths are 0 and 1.

    One that is not there is None. One that cannot be, as by a division by zero, is not a number.
    """
    if kind in _WORDS:
        # Whatever the unknown one is: one that is false decides "and", one that is true decides "or".
        decides = 0.0 if kind == "and" else 1.0
        if decides in (left, right):
            return decides
    if any(value is not None and math.isnan(value) for value in (left, right)):
        return math.nan
    if left is None or right is None:
        return None
    if kind in _WORDS:
        return 1.0 if kind == "and" else 0.0
    if kind in _COMPARED:
        return float(_COMPARED[kind](left, right))
    try:
        value = _COUNTED[kind](left, right)
    except (ZeroDivisionError, OverflowError):
        return math.nan
    return value if math.isfinite(value) else math.nan


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> Expression:
    """Return the condition that a text stands for; raises ExpressionError."""
    if len(text) > LENGTH_LIMIT:
        raise ExpressionError(f"must be at most {LENGTH_LIMIT} characters long", LENGTH_LIMIT)
    return _Parser(text).parse()


#: A name as like to another as this is a slip of the finger more often than a name of its own.
_NEARLY_SAME = 0.9


def check_slips(expression: Expression, known: Collection[str]) -> None:
    """Raise ExpressionError for the first name that is all but one of the known ones; others may be anybody's own."""
    for name, position in expression.names.items():
        near = get_close_matches(name, known, n=1, cutoff=_NEARLY_SAME)
        if near and name not in known:
            words = f"'{name}' is no metric; did you mean {near[0]}? One of a command's own must be less like it"
            raise ExpressionError(words, position)


def check_names(expression: Expression, known: Collection[str]) -> None:
    """Raise ExpressionError for the first name that is not among the known ones."""
    for name, position in expression.names.items():
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ExpressionError(f"'{name}' is no metric{hint}", position)


def told(values: Mapping[str, float]) -> str:
    """Return numbers in words, such as ``cpu_max 93.4, rows 12``."""
    return ", ".join(f"{name} {value:.6g}" for name, value in values.items())


class _Parser:
    """Reads a text from left to right; each part says whether it stands for a truth or for a number."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._place = 0
        self._depth = 0
        self._steps: list[Step] = []
        self._names: dict[str, int] = {}

    def parse(self) -> Expression:
        begin = self._next
        if begin.kind == "end":
            raise ExpressionError("must not be empty", 0)
        is_truth = self._either()
        rest = self._next
        if rest.kind != "end":
            raise ExpressionError(f"'{rest.text}' is not expected here", rest.position)
        if not is_truth:
            raise ExpressionError("a number alone is neither true nor false; compare it, as in x > 80", rest.position)
        return Expression(self._text.strip(), tuple(self._steps), dict(self._names))

    @property
    def _next(self) -> Token:
        return self._tokens[self._place]

    def _take(self, *texts: str) -> Token | None:
        """Go on behind the next token if it is one of these, and return it."""
        token = self._next
        if token.kind not in {"sign", "keyword"} or token.text not in texts:
            return None
        self._place += 1
        return token

    def _either(self) -> bool:
        return self._joined("or", lambda: self._joined("and", self._negated))

    def _joined(self, word: str, part: Callable[[], bool]) -> bool:
        begin = self._next.position
        is_truth = part()
        while (token := self._take(word)) is not None:
            self._need(is_truth, True, begin, word)
            begin = self._next.position
            self._need(part(), True, begin, token.text)
            self._steps.append(Step(word))
        return is_truth

    def _negated(self) -> bool:
        if self._take("not") is None:
            return self._comparison()
        begin = self._next.position
        self._need(self._deeper(self._negated), True, begin, "not")
        self._steps.append(Step("not"))
        return True

    def _comparison(self) -> bool:
        begin = self._next.position
        is_truth = self._sum()
        token = self._take(*_COMPARED)
        if token is None:
            return is_truth
        self._need(is_truth, False, begin, token.text)
        begin = self._next.position
        self._need(self._sum(), False, begin, token.text)
        self._steps.append(Step(token.text))
        again = self._take(*_COMPARED)
        if again is not None:
            raise ExpressionError("one comparison at a time; join several by 'and'", again.position)
        return True

    def _sum(self) -> bool:
        return self._counted(("+", "-"), lambda: self._counted(("*", "/"), self._signed))

    def _counted(self, signs: tuple[str, ...], part: Callable[[], bool]) -> bool:
        begin = self._next.position
        is_truth = part()
        while (token := self._take(*signs)) is not None:
            self._need(is_truth, False, begin, token.text)
            begin = self._next.position
            self._need(part(), False, begin, token.text)
            self._steps.append(Step(token.text))
        return is_truth

    def _signed(self) -> bool:
        token = self._take("-", "+")
        if token is None:
            return self._atom()
        begin = self._next.position
        self._need(self._deeper(self._signed), False, begin, token.text)
        if token.text == "-":
            self._steps.append(Step("negate"))
        return False

    def _atom(self) -> bool:
        token = self._next
        if self._take("(") is not None:
            is_truth = self._deeper(self._either)
            if self._take(")") is None:
                raise ExpressionError("the parenthesis that begins here is not closed", token.position)
            return is_truth
        if token.kind == "number":
            number = float(token.text)
            if not math.isfinite(number):
                raise ExpressionError(f"'{token.text[:20]}' is too large", token.position)
            self._steps.append(Step("put", number=number))
        elif token.kind == "word":
            self._names.setdefault(token.text, token.position)
            self._steps.append(Step("look", token.text))
        elif token.kind == "end":
            raise ExpressionError("something is missing at the end", token.position)
        else:
            raise ExpressionError(f"'{token.text}' is not expected here", token.position)
        self._place += 1
        return False

    def _deeper(self, part: Callable[[], bool]) -> bool:
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            raise ExpressionError(f"is nested more than {DEPTH_LIMIT} deep", self._next.position)
        is_truth = part()
        self._depth -= 1
        return is_truth

    @staticmethod
    def _need(is_truth: bool, wanted: bool, position: int, sign: str) -> None:
        if is_truth is not wanted:
            what = "a comparison, as in x > 80" if wanted else "a number, not something that is true or false"
            raise ExpressionError(f"'{sign}' needs {what}", position)


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    place = 0
    while place < len(text):
        if text[place] in " \t":
            place += 1
            continue
        match = _TOKEN.match(text, place)
        if match is None:
            raise ExpressionError(_not_read(text[place]), place)
        kind, words = str(match.lastgroup), match[0]
        words = _SAME.get(words, words)
        if words.lower() in _WORDS:
            kind, words = "keyword", words.lower()
        elif kind == "number" and match.end() < len(text) and (text[match.end()].isalnum() or text[match.end()] == "_"):
            raise ExpressionError("a number stands alone, without a unit", match.end())
        found.append(Token(kind, words, place))
        place = match.end()
    return [*found, Token("end", "", len(text))]


def _not_read(char: str) -> str:
    if char == "=":
        return "'=' does not compare; write =="
    shown = char if char.isprintable() else f"\\u{ord(char):04x}"
    return f"'{shown}' has no meaning here"
