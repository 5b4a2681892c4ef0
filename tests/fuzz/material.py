"""What inputs are made of: the signs of a grammar, samples that somebody has spoiled, and pieces that come again and again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

#: What breaks readers of any grammar.
ODD = (
    "", "\0", "\r", "\n", "\r\n", "\t", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u202e", "\ufeff", "\ud800", "é", "İ", "ß", "\u0663", "²",
    "\U0001f514", "'", '"', "`", "\\", "%", "%00", "{{A}}", "${secret:a}", "$(id)", "../", "-", "#", "~", "0", "-1", "1" * 30,
    "9" * 5000, "1e999", "NaN", "__proto__", "null", "[", "{", "(", ")", "}", "]", ",", ";", "=", ":", "*", "@", "&", "|", "<", ">",
)  # fmt: skip


def texts(signs: Sequence[str], samples: Sequence[str], longest: int) -> SearchStrategy[str]:
    """Return texts of a grammar, right ones, nearly right ones and very long ones."""
    sign = st.sampled_from([*signs]) | st.sampled_from(ODD) | st.text(max_size=4)
    words = st.lists(sign, max_size=30).map("".join)
    kinds = [words, grown(sign, longest), st.text(max_size=60)]
    if samples:
        kinds += [spoiled(samples, sign), spoiled(samples, sign)]
    return st.one_of(kinds).map(lambda text: text[:longest])


def grown(sign: SearchStrategy[str], longest: int) -> SearchStrategy[str]:
    """Return texts in which one piece comes again and again, each time the same or with a number: costly for careless readers."""

    def make(parts: tuple[str, list[str], int, str, bool]) -> str:
        begin, piece, power, end, is_numbered = parts
        fragment = "".join(piece) or "a"
        # Each size is as likely as its double.
        count = max(1, min(2**power, longest) // (len(fragment) + 6 * is_numbered))
        middle = "".join(f"{fragment}{number}" for number in range(count)) if is_numbered else fragment * count
        return f"{begin}{middle}{end}"

    powers = st.integers(2, max(3, longest.bit_length()))
    return st.tuples(sign, st.lists(sign, min_size=1, max_size=3), powers, sign, st.booleans()).map(make)


def spoiled(samples: Sequence[str], sign: SearchStrategy[str]) -> SearchStrategy[str]:
    """Return samples with a few edits: something cut out, put in, or written twice."""
    edit = st.tuples(st.sampled_from("cit"), st.integers(0, 10_000), st.integers(0, 40), sign)

    def make(parts: tuple[str, list[tuple[str, int, int, str]]]) -> str:
        text, edits = parts
        for kind, place, length, more in edits:
            at = place % (len(text) + 1)
            if kind == "c":
                text = text[:at] + text[at + length :]
            elif kind == "i":
                text = text[:at] + more + text[at:]
            else:
                text = text[: at + length] + text[at:]
        return text

    return st.tuples(st.sampled_from(samples), st.lists(edit, max_size=4)).map(make)


def values(names: Sequence[str], words: SearchStrategy[str]) -> SearchStrategy[Any]:
    """Return values as JSON has them, whose names are mostly those that a reader knows."""
    name = st.sampled_from([*names]) | st.sampled_from([*names]) | words
    whole = st.integers(-5, 70) | st.integers(-(2**70), 2**70)
    plain = st.none() | st.booleans() | whole | st.floats() | words | st.sampled_from([*names])
    return st.recursive(
        plain,
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(name, inner, max_size=8),
        max_leaves=25,
    )


def characters_in(value: Any) -> int:
    """Return how many characters and bytes are in all of a value."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, dict):
        return sum(characters_in(name) + characters_in(inner) for name, inner in value.items())
    return sum(map(characters_in, value)) if isinstance(value, list | tuple) else 1


def varied(value: Any, chance: random.Random) -> Any:
    """Return a value of the same form in which one of its texts or numbers of bytes is a little different."""
    if isinstance(value, str):
        return _edited(value, chance, chance.choice(ODD))
    if isinstance(value, bytes):
        return _edited(value, chance, chance.randbytes(chance.randrange(4)))
    if isinstance(value, dict) and value:
        name = chance.choice(list(value))
        return {**value, name: varied(value[name], chance)}
    if isinstance(value, list | tuple) and value:
        place = chance.randrange(len(value))
        made = [*value[:place], varied(value[place], chance), *value[place + 1 :]]
        return made if isinstance(value, list) else tuple(made)
    return value


def _edited(text: Any, chance: random.Random, more: Any) -> Any:
    """Return a text or bytes with something put in, cut out, written twice or moved."""
    begin = chance.randrange(len(text) + 1)
    end = min(len(text), begin + chance.randrange(1, 12))
    other = chance.randrange(len(text) + 1)
    return chance.choice(
        [
            text[:begin] + more + text[begin:],
            text[:begin] + text[end:],
            text[:end] + text[begin:],
            text[:other] + text[begin:end] + text[other:],
            text[:begin] + more + text[end:],
        ]
    )
