from __future__ import annotations

import re
from datetime import date

from tests.docs.pages import section, text_of
from watchbell.version import __version__

HEADS = re.findall(r"^## \[(.+?)\](?: - (\S+))?$", text_of("CHANGELOG.md"), re.MULTILINE)


def test_the_newest_version_of_the_changelog_is_this_one() -> None:
    assert HEADS[0] == ("Unreleased", "")
    assert HEADS[1][0] == __version__


def test_versions_go_down_and_dates_with_them() -> None:
    versions = [tuple(map(int, version.split("."))) for version, _ in HEADS[1:]]
    dates = [date.fromisoformat(day) for _, day in HEADS[1:]]

    assert versions == sorted(set(versions), reverse=True)
    assert dates == sorted(dates, reverse=True)


def test_every_change_is_one_line_under_a_known_head() -> None:
    for version, day in HEADS:
        told = section("CHANGELOG.md", f"## [{version}]" + (f" - {day}" if day else ""))

        kinds = set(re.findall(r"^### (.+)$", told, re.MULTILINE))
        assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
        entries = re.findall(r"^- .+$", told, re.MULTILINE)
        assert all(entry.endswith(".") for entry in entries)
        assert bool(entries) == bool(kinds)
