"""How two outputs differ apart from what differs between any two runs: times, dates, process ids, ids and addresses in memory."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Sequence
from enum import StrEnum

#: What is put in the place of what differs anyway, in this order.
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b"), "<uuid>"),
    (
        re.compile(
            r"\b\d{4}[-/]\d{2}[-/]\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?: ?(?:Z|UTC|GMT|[A-Z]{3,4}|[+-]\d{2}:?\d{2})\b)?"
        ),
        "<time>",
    ),
    (
        re.compile(
            r"\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {1,2}\d{1,2} \d{2}:\d{2}:\d{2}\b(?: \d{4}\b)?"
        ),
        "<time>",
    ),
    (re.compile(r"\b\d{4}[-/]\d{2}[-/]\d{2}\b|\b\d{1,2}[./]\d{1,2}[./]\d{4}\b"), "<date>"),
    (re.compile(r"\b\d{1,2}:\d{2}:\d{2}(?:[.,]\d{1,9})?\b"), "<time>"),
    (re.compile(r"\b(pid|process)([ =:#]{1,3})\d{1,10}\b", re.IGNORECASE), r"\1\2<pid>"),
    (re.compile(r"\[\d{2,10}\](?=[: ])"), "[<pid>]"),
    (re.compile(r"\b0x[0-9a-fA-F]{1,32}\b"), "<hex>"),
    # Hashes and ids: long, and with both letters and digits, so that neither words nor amounts are taken for one.
    (re.compile(r"\b(?=[0-9a-f]{0,63}[0-9])(?=[0-9a-f]{0,63}[a-f])[0-9a-f]{7,64}\b", re.IGNORECASE), "<hex>"),
    # Seconds, milliseconds or more since 1970, of the years 2017 to 2033.
    (re.compile(r"\b1[5-9]\d{8}(?:\.\d{1,9}|\d{3}|\d{6}|\d{9})?\b"), "<time>"),
    (re.compile(r"\b\d{1,9}(?:[.,]\d{1,9})? ?(?:ns|us|µs|ms|s|sec|secs|second|seconds|min|minutes)\b"), "<span>"),
)
#: So much of a line counts; nobody reads on, and each rule costs time for each sign.
_LONGEST_LINE = 2000
#: So many lines of each side are laid against each other.
MOST_LINES = 3000
#: Up to so many pairs of lines are matched exactly; beyond it what stands in many places is no sign that two places match.
_EXACT_PAIRS = 40_000
#: Lines shown around each difference.
CONTEXT = 3


class Side(StrEnum):
    """Where a line stands."""

    BOTH = "both"
    ONLY_BEFORE = "before"
    ONLY_AFTER = "after"


@dataclasses.dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of a comparison, with its numbers on each side where it stands there."""

    side: Side
    text: str
    before: int | None
    after: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class Comparison:
    """Where two texts differ: the differences with some lines around, and how many lines are the same."""

    hunks: Sequence[Sequence[DiffLine]]
    #: Lines left out before each part, and behind the last one.
    folded: Sequence[int]
    added: int
    removed: int
    same: int


def normal(line: str) -> str:
    """Return a line with signs in the place of what differs between any two runs."""
    text = line[:_LONGEST_LINE]
    for pattern, sign in _RULES:
        text = pattern.sub(sign, text)
    return text.rstrip()


def compare(before: Sequence[str], after: Sequence[str], *, is_exact: bool = False) -> Comparison:
    """Return where the lines of two texts differ; of each at most MOST_LINES count.

    Those of two outputs are the same apart from what differs anyway, unless ``is_exact``.
    """
    before, after = before[:MOST_LINES], after[:MOST_LINES]
    old, new = (list(side) if is_exact else [normal(line) for line in side] for side in (before, after))
    # What is the same at both ends needs no matching; of it only the lines around are wanted.
    start = max(_same_lines(old, new) - CONTEXT, 0)
    alike = _same_lines(old[start:][::-1], new[start:][::-1])
    left = max(alike - CONTEXT, 0)
    stops = len(old) - left, len(new) - left
    size = (stops[0] - start) * (stops[1] - start)
    matcher = difflib.SequenceMatcher(None, old[start : stops[0]], new[start : stops[1]], autojunk=size > _EXACT_PAIRS)
    hunks: list[list[DiffLine]] = []
    folded: list[int] = []
    end = 0
    for group in matcher.get_grouped_opcodes(CONTEXT):
        folded.append(group[0][3] + start - end)
        hunks.append(
            [line for kind, *places in group for line in _lines(kind, [n + start for n in places], before, after)]
        )
        end = group[-1][4] + start
    added = sum(line.side is Side.ONLY_AFTER for hunk in hunks for line in hunk)
    removed = sum(line.side is Side.ONLY_BEFORE for hunk in hunks for line in hunk)
    return Comparison(hunks, [*folded, len(after) - end], added, removed, len(after) - added)


def _same_lines(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many lines are the same at the beginning."""
    count = 0
    for line, its in zip(one, other, strict=False):
        if line != its:
            break
        count += 1
    return count


def _lines(kind: str, places: Sequence[int], before: Sequence[str], after: Sequence[str]) -> list[DiffLine]:
    a_from, a_to, b_from, b_to = places
    if kind == "equal":
        return [DiffLine(Side.BOTH, after[b_from + n], a_from + n + 1, b_from + n + 1) for n in range(b_to - b_from)]
    gone = [DiffLine(Side.ONLY_BEFORE, before[a], a + 1, None) for a in range(a_from, a_to)]
    return gone + [DiffLine(Side.ONLY_AFTER, after[b], None, b + 1) for b in range(b_from, b_to)]


@dataclasses.dataclass(frozen=True, slots=True)
class FieldChange:
    """A field of a definition that differs."""

    field: str
    before: str
    after: str


def changed_fields(before: dict[str, str], after: dict[str, str]) -> list[FieldChange]:
    """Return the fields that differ, in the order of the newer one; a field that is missing is empty."""
    names = [*after, *(name for name in before if name not in after)]
    pairs = [(name, before.get(name, ""), after.get(name, "")) for name in names]
    return [FieldChange(name, old, new) for name, old, new in pairs if old != new]
