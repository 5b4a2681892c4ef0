"""Which paths lead to file systems that may never answer."""

from __future__ import annotations

import pytest

from watchbell.execution import Command
from watchbell.execution.far import Mounts, go_there_itself, is_far


@pytest.fixture
def mounts(tmp_path) -> Mounts:
    (tmp_path / "near").mkdir()
    (tmp_path / "far away").mkdir()
    (tmp_path / "near" / "link").symlink_to(tmp_path / "far away" / "deep")
    (tmp_path / "near" / "up").symlink_to("../far away")
    (tmp_path / "near" / "loop").symlink_to("loop")
    away = str(tmp_path / "far away").replace(" ", "\\040")
    table = tmp_path / "mounts"
    table.write_text(f"disk / ext4 rw 0 0\nserver:/x {away} nfs4 rw 0 0\ntmpfs {tmp_path}/near tmpfs rw 0 0\n")
    return Mounts(str(table))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("far away", True),
        ("far away/job/data", True),
        ("far awayish", False),
        ("near", False),
        ("near/job", False),
        ("near/link", True),
        ("near/link/more", True),
        ("near/up/x", True),
        ("near/../far away/x", True),
        ("near/loop/x", False),
    ],
)
def test_a_path_is_far_when_any_step_of_it_is(mounts, tmp_path, path, expected):
    assert mounts.hold(f"{tmp_path}/{path}") is expected


@pytest.mark.parametrize("kind", ["nfs", "cifs", "fuse.sshfs", "fuse", "ceph", "autofs"])
def test_a_root_of_that_kind_is_not_avoided(tmp_path, kind):
    table = tmp_path / "mounts"
    table.write_text(f"server:/ / {kind} rw 0 0\n")

    assert Mounts(str(table)).hold("/srv") is False


def test_a_command_is_far_by_its_directory_its_program_or_where_its_program_is_looked_for(mounts, tmp_path):
    near, far = str(tmp_path / "near"), str(tmp_path / "far away")

    assert is_far(Command(("/bin/sh", "-c", "x"), directory=far), mounts)
    assert is_far(Command((f"{far}/x",), directory=near), mounts)
    assert is_far(Command(("../far away/x",), directory=near), mounts)
    assert is_far(Command(("x",), {"PATH": f"/usr/bin:{far}"}, near), mounts)
    assert not is_far(Command(("/bin/sh", "-c", f"{far}/x"), directory=near), mounts)
    assert not is_far(Command(("x",), {"PATH": "/usr/bin"}, near), mounts)


def test_a_far_command_is_handed_to_a_shell_as_arguments_and_never_as_text():
    argv = go_there_itself("/x; rm", ("a b", "$(c)"))

    assert argv[-3:] == ("/x; rm", "a b", "$(c)")
