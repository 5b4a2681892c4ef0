"""What is taken from a message of the broker, whoever wrote it."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.waiting import spends_at_most
from watchbell.engine.broker import parse, read

NAME = str(uuid.uuid4())


def message(**fields: Any) -> bytes:
    return json.dumps({"args": [7, "a" * 32], "options": {"redis_message_id": NAME}, **fields}).encode()


def test_an_announcement_is_read() -> None:
    arguments, name = parse(message())

    assert (read(arguments), name) == ((7, "a" * 32), NAME)


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"null", b"[]", b'"args"', b"[" * 4000, b"9" * 4096, b"NaN", b"\x80\x04N."]
)
def test_what_is_no_object_says_nothing(data: bytes) -> None:
    assert parse(data) == ([], "")


def test_what_is_too_large_is_not_even_read() -> None:
    huge = message(more="x" * 50_000_000)

    assert spends_at_most(0.05, lambda: parse(huge)) == ([], "")


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=20), below, max_size=4),
    max_leaves=8,
)


@given(_VALUES, st.fixed_dictionaries({"redis_message_id": _VALUES}) | _VALUES)
def test_nothing_but_two_arguments_and_a_name_is_ever_taken_from_a_message(arguments: Any, options: Any) -> None:
    found, name = parse(message(args=arguments, options=options))

    announced = read(found)
    assert announced is None or (type(announced[0]) is int and 0 < announced[0] < 2**63 and len(announced[1]) == 32)
    assert name == "" or (len(name) == 36 and name.isascii())
