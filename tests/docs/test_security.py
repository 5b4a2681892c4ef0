"""The table of attacks in docs/security.md names tests that are there, and says why where it names none."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.docs.pages import ROOT, rows, section

NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
TABLE = [row for row in rows(section("docs/security.md", "## Each attack, and the test that holds it")) if row[0]]


@cache
def names_in(file: str) -> frozenset[str]:
    """Return the names of all tests in a file of this folder's parent, without running it."""
    path = ROOT / "tests" / file
    if not path.is_file():
        return frozenset()
    return frozenset(node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))


def test_every_attack_has_a_row_of_its_own_in_order() -> None:
    assert [row[0] for row in TABLE] == [f"S{number:02}" for number in range(1, 67)]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_a_row_names_tests_that_are_there_or_says_why_it_has_none(row: list[str]) -> None:
    _number, attack, held, requirements = row
    named = NAMED.findall(held)

    assert attack
    assert re.fullmatch(r"\d+\.\d+\.\d+(, \d+\.\d+\.\d+)*", requirements)
    assert named or held.startswith(("Does not apply: ", "Not yet: "))
    assert held.count("::") == len(named)
    assert [f"{file}::{name}" for file, name in named if name not in names_in(file)] == []
