"""Which group is ours to divide: the topmost that can be seen, or one that was given away; never somebody else's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from watchbell.execution import cgroups

#: For anybody else a folder of their own is one that was given to them, and all folders of a test are.
IS_ROOT = os.geteuid() == 0


@pytest.fixture
def mount(tmp_path: Path) -> Path:
    """Return a folder that stands for a mounted hierarchy; delegation is an attribute of a folder, here as there."""
    (tmp_path / "system.slice/ours.service/main").mkdir(parents=True)
    (tmp_path / "system.slice/theirs.service").mkdir()
    return tmp_path


def give_away(folder: Path) -> None:
    os.setxattr(folder, "user.delegate", b"1")


def find(mount: Path, own: str, root: str = "/") -> str | None:
    return cgroups._find_base(str(mount), root, own)


def test_the_topmost_group_that_can_be_seen_is_ours(mount: Path) -> None:
    assert find(mount, "/") == str(mount)


def test_a_group_that_nobody_gave_away_is_left_alone(mount: Path) -> None:
    assert (find(mount, "/system.slice/ours.service") is None) is IS_ROOT


def test_a_delegated_group_is_ours_from_wherever_in_it_we_are(mount: Path) -> None:
    ours = mount / "system.slice/ours.service"
    give_away(ours)

    assert find(mount, "/system.slice/ours.service") == str(ours)
    assert find(mount, "/system.slice/ours.service/main") in (str(ours), str(ours / "main"))


def test_a_group_given_to_somebody_else_is_not_ours(mount: Path) -> None:
    give_away(mount / "system.slice/ours.service")

    assert (find(mount, "/system.slice/theirs.service") is None) is IS_ROOT


def test_a_mount_that_shows_only_a_part_is_understood(mount: Path) -> None:
    """A container without a namespace of its own sees its group as the root of the mount."""
    give_away(mount / "system.slice")

    assert find(mount, "/machine/box/system.slice", root="/machine/box") == str(mount / "system.slice")
    assert find(mount, "/elsewhere", root="/machine/box") is None
    assert find(mount, "/../other") is None
