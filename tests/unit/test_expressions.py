"""Conditions over numbers: against Python's own answer to the same text, with what is missing, and against garbage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.waiting import spends_at_most
from watchbell.domain.expressions import DEPTH_LIMIT, LENGTH_LIMIT, ExpressionError, Verdict, check_names, parse, told

VALUES = {"cpu_max": 93.5, "rows": 12.0, "memory_max_mb": 0.5}
NUMBERS = st.sampled_from([*VALUES, "0", "1", "2.5", "12", "1e2", "93.5"])


def _joined(left: str, sign: str, right: str) -> str:
    return f"{left} {sign} {right}"


SUMS = st.recursive(
    NUMBERS,
    lambda inner: (
        st.builds(_joined, inner, st.sampled_from("+-*/"), inner)
        | inner.map(lambda text: f"({text})")
        | inner.map(lambda text: f"-{text}")
    ),
    max_leaves=8,
)
COMPARISONS = st.builds(_joined, SUMS, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), SUMS)
CONDITIONS = st.recursive(
    COMPARISONS,
    lambda inner: (
        st.builds(_joined, inner, st.sampled_from(["and", "or"]), inner)
        | inner.map(lambda text: f"({text})")
        | inner.map(lambda text: f"not {text}")
    ),
    max_leaves=6,
)


@given(text=CONDITIONS)
def test_a_condition_comes_to_what_python_says_of_the_same_text(text: str) -> None:
    if len(text) > LENGTH_LIMIT:
        return
    try:
        # The texts are made here, of the pieces above.
        expected = eval(text, {"__builtins__": {}}, dict(VALUES))
    except ZeroDivisionError:
        # Where a part cannot be told, the rest may still decide.
        return
    holds = parse(text).evaluate(VALUES).holds

    assert holds in {expected, None}
    assert holds is expected or "/" in text


@given(text=st.text() | st.text(alphabet="0123456789.eE+-*/<>=!&|() abnotrd_x"))
def test_garbage_is_refused_with_a_place_in_it_or_read(text: str) -> None:
    refused: ExpressionError | None = None
    try:
        assert isinstance(parse(text).evaluate({}), Verdict)
    except ExpressionError as error:
        refused = error

    if refused is not None:
        assert 0 <= refused.position <= len(text)
        assert str(refused).endswith(f"(at character {refused.position + 1})")


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("", 0, "must not be empty"),
        ("cpu_max", 7, "compare it"),
        ("cpu_max = 3", 8, "write =="),
        ("cpu_max > 80%", 12, "'%' has no meaning"),
        ("cpu_max > 80mb", 12, "without a unit"),
        ("1 < rows < 3", 9, "one comparison at a time"),
        ("rows > 1 and 2", 13, "'and' needs a comparison"),
        ("not rows", 4, "'not' needs a comparison"),
        ("(rows > 1) + 2 > 1", 0, "'+' needs a number"),
        ("(rows > 1", 0, "not closed"),
        ("rows > 1)", 8, "not expected"),
        ("rows >", 6, "missing at the end"),
        ("rows > 1 rows < 2", 9, "not expected"),
        ("rows > 1e999", 7, "too large"),
        ("__import__('os')", 11, "has no meaning"),
        ("rows > 1\u202e", 8, "\\u202e"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, position: int, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)

    assert caught.value.position == position
    assert words in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "().__class__", "__import__('os')", "exit()", "cpu_max[0]", "lambda: 1", "{{7*7}}", "${7*7}",
        "'a' == 'a'", "cpu_max if 1 else 2", "(cpu_max := 1)", "1 == 1; 2 == 2", "9 ** 9 == 1",
        "f'{1}' == 1", "`id` == 1", "T(java.lang.Runtime) == 1",
    ],
)  # fmt: skip
def test_an_expression_reaches_nothing_but_the_numbers_that_are_named(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


@pytest.mark.parametrize("text", ["cpu_max.__class__ == 1", "cpu_max == cpu_max.real", "__builtins__ != 0"])
def test_a_dot_in_a_name_is_a_sign_like_any_other_and_leads_into_nothing(text: str) -> None:
    found = parse(text).evaluate({"cpu_max": 1.0})

    assert found.holds is None
    assert found.missing in {("cpu_max.__class__",), ("cpu_max.real",), ("__builtins__",)}


def test_length_and_depth_are_bounded_and_the_longest_is_quick() -> None:
    for text in ("1" * (LENGTH_LIMIT + 1), f"{'(' * (DEPTH_LIMIT + 1)}1 > 0{')' * (DEPTH_LIMIT + 1)}", "not " * 30):
        with pytest.raises(ExpressionError):
            parse(text)
    longest = "0 < 1" + "+1" * ((LENGTH_LIMIT - 5) // 2)

    assert spends_at_most(0.1, lambda: parse(longest).evaluate({})).holds is True


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("gone > 1", None),
        ("not gone > 1", None),
        ("gone > 1 and rows > 1", None),
        ("gone > 1 and rows > 100", False),
        ("rows > 1 or gone > 1", True),
        ("rows > 100 or gone > 1", None),
        ("gone - gone == 0", None),
        ("rows / 0 > 1", None),
        ("1e300 * 1e300 > 1", None),
    ],
)
def test_what_depends_on_what_is_missing_cannot_be_told_and_the_rest_can(text: str, holds: bool | None) -> None:
    assert parse(text).evaluate(VALUES).holds is holds


def test_it_is_said_what_was_missing_and_what_was_seen() -> None:
    condition = parse("gone > 1 AND rows > 1 && !(cpu_max < 5)")

    assert condition.evaluate(VALUES).why_not_told == "no gone"
    assert told(condition.values_in(VALUES)) == "rows 12, cpu_max 93.5"
    assert "division by zero" in parse("rows / 0 > 1").evaluate(VALUES).why_not_told
    with pytest.raises(ExpressionError, match=r"'cpu_mx' is no metric; did you mean cpu_max\? \(at character 14\)"):
        check_names(parse("rows > 1 and cpu_mx > 1"), VALUES)
