"""The table of attacks in docs/security.md names tests that are there, and says why where it names none."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.docs.pages import ROOT, rows, section

NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
TABLE = [row for row in rows(section("docs/security.md", "## Each attack, and the test that holds it")) if row[0]]
MORE = [row for row in rows(section("docs/security.md", "## Doors that the list above does not name")) if row[0]]


@cache
def names_in(file: str) -> frozenset[str]:
    """Return the names of all tests in a file of this folder's parent, without running it."""
    path = ROOT / "tests" / file
    if not path.is_file():
        return frozenset()
    return frozenset(node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))


def test_every_attack_has_a_row_of_its_own_in_order() -> None:
    assert [row[0] for row in TABLE] == [f"S{number:02}" for number in range(1, 67)]


@pytest.mark.parametrize("row", [*TABLE, *MORE], ids=lambda row: row[0])
def test_a_row_names_tests_that_are_there_or_says_why_it_has_none(row: list[str]) -> None:
    _number, attack, held, requirements = row
    named = NAMED.findall(held)

    assert attack
    assert re.fullmatch(r"\d+\.\d+\.\d+(, \d+\.\d+\.\d+)*", requirements)
    assert named or held.startswith(("Does not apply: ", "Not yet: "))
    assert held.count("::") == len(named)
    assert [f"{file}::{name}" for file, name in named if name not in names_in(file)] == []


def deeds() -> set[str]:
    """Return every deed that the code writes into the audit under a name that stands there as it is."""
    nodes = (node for path in (ROOT / "app").rglob("*.py") for node in ast.walk(ast.parse(path.read_text())))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    noting = [call for call in calls if "note" in getattr(call.func, "attr", getattr(call.func, "id", ""))]
    texts = [arg.value for call in noting for arg in call.args if isinstance(arg, ast.Constant)]
    return {text for text in texts if isinstance(text, str) and re.fullmatch(r"[a-z_]+\.[a-z_]+", text)}


def test_every_deed_that_is_written_down_is_in_the_page_of_the_audit() -> None:
    known = {
        f"{kind}.{deed}"
        for kinds, words in rows(section("docs/audit.md", "# Who did what"))
        for kind in re.findall(r"`(\w+)\.`", kinds)
        for deed in re.findall(r"`(\w+)`", words)
    }

    found = deeds()
    assert len(found) > 40
    assert found - known == set()
