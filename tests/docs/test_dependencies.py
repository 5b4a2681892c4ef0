"""What is installed is listed with its licence, and nothing of it has a hole that is known here."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.audit import advisories
from tests.audit.__main__ import accepted, told
from tests.docs.pages import ROOT, load_script, text_of

dependencies = load_script("dependencies")
FOUND = {"test_id": "B608", "filename": "./app/watchbell/store/x.py", "line_number": 5, "issue_text": "a statement"}


def wanted_in(page: str) -> set[tuple[str, str]]:
    """Return what a page says is asked for, and in which range."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| ")]
    return {(row[0], row[1]) for row in rows if row[1] and row[1] != "wanted"}


def test_the_page_of_dependencies_says_what_is_asked_for() -> None:
    # Not what comes along with it, nor the spelling of licences: a release elsewhere changes those any day.
    found = wanted_in(text_of("docs/dependencies.md"))

    assert len(found) > 30
    assert found == wanted_in(dependencies.page()), "run: python docs/dependencies.py"


def test_nothing_that_is_installed_has_a_hole_that_is_known_here() -> None:
    assert advisories.holes_installed() == []
    assert advisories.holes_in_assets() == []
    assert advisories.below(
        {"jquery": "3.4.1", "mako": "1.2.2"}, {"jquery": ("3.5.0", "x"), "mako": ("1.2.2", "y")}
    ) == ["jquery 3.4.1: x, mended in 3.5.0"]


@pytest.mark.parametrize("use", dependencies.wanted())
def test_no_range_lets_a_version_with_a_known_hole_in(use: str) -> None:
    ranges = {found.name.lower(): found.specifier for found in map(Requirement, dependencies.wanted()[use])}
    floors = {name: Version(floor) for name, (floor, _called) in advisories.FLOORS.items() if name in ranges}
    lowest = {
        name: max(
            (Version(part.version) for part in ranges[name] if part.operator in {">=", "==", "~="}),
            default=Version("0"),
        )
        for name in floors
    }

    assert {name: str(found) for name, found in lowest.items() if found < floors[name]} == {}


def test_a_finding_needs_a_reason_and_a_reason_a_finding() -> None:
    reason = {"rule": "B608", "where": "app/watchbell/store/x.py", "why": "w"}

    assert list(told([FOUND], [reason])) == []
    assert list(told([FOUND], [])) == ["app/watchbell/store/x.py:5: B608 a statement"]
    (line,) = told([], [reason])
    assert "is not found in app/watchbell/store/x.py any more" in line


def test_what_is_accepted_is_there_and_has_a_sentence_that_says_why() -> None:
    places = [(entry["rule"], entry["where"]) for entry in accepted()]

    assert len(places) == len(set(places))
    assert [where for _rule, where in places if not (ROOT / where).is_file()] == []
    assert [entry for entry in accepted() if len(entry["why"].split()) < 6] == []
