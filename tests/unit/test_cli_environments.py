"""``watchbell environment``: sets of variables that are made, changed, followed and removed."""

from __future__ import annotations

from pathlib import Path

from tests.shell import db, home, migrated_file, shell  # noqa: F401 - fixtures.
from watchbell.errors import EXIT_CONFLICT, EXIT_NOT_FOUND, EXIT_USAGE

# ruff: noqa: F811


def test_a_set_is_made_named_changed_and_removed(shell, db, tmp_path: Path):
    (tmp_path / "proxy.env").write_text("# where to\nHTTP_PROXY=http://proxy:3128\n\nNO_PROXY=localhost\n")
    made = shell("environment", "add", "proxy", "--file", str(tmp_path / "proxy.env"), "--env", "NO_PROXY=local")
    assert made.out == "Environment set proxy is made: 2 variable(s).\n"
    shell("environment", "add", "base", "--env", "LANG=C", "--description", "for all")
    added = shell("task", "add", "fetch", "--command", "true", "--manual", "--env-set", "base", "--env-set", "proxy")
    assert added.code == 0
    shown = shell("task", "show", "fetch", "--json").json()
    assert (shown["environment_sets"], shown["environment"]) == (["base", "proxy"], {})
    assert "base, proxy" in shell("task", "show", "fetch").out

    told = shell("environment", "edit", "proxy", "--unset", "HTTP_PROXY", "--env", "A=1", "--dry-run")
    assert told.out == "It would change A, HTTP_PROXY of set proxy.\nTasks that would follow: fetch.\n"
    edited = shell("environment", "edit", "proxy", "--unset", "HTTP_PROXY", "--env", "A=1")
    assert edited.out == "Environment set proxy is changed: 2 variable(s); these follow: fetch.\n"
    assert shell("environment", "show", "proxy").out.endswith("\n\nNO_PROXY=local\nA=1\n")
    assert [one["tasks"] for one in shell("environment", "list", "--json").json()] == [1, 1]
    assert "LANG" in shell("environment", "list").out

    assert shell("environment", "remove", "proxy").code == EXIT_CONFLICT
    assert shell("task", "edit", "fetch", "--env-set", "").code == 0
    assert shell("environment", "remove", "proxy").out == "Environment set proxy is removed.\n"


def test_what_is_wrong_is_one_line(shell, db, tmp_path):
    (no_pair := tmp_path / "no-pair").write_text("# a comment\nLANG\n")
    shell("environment", "add", "base", "--env", "LANG=C")

    assert shell("environment", "add", "base", "--env", "LANG=C").code == EXIT_CONFLICT
    assert shell("environment", "show", "none").code == EXIT_NOT_FOUND
    for arguments in (
        ("add", "x"),
        ("add", "x", "--env", "LANG"),
        ("add", "1", "--env", "LANG=C"),
        ("add", "x", "--file", "/nowhere"),
        ("add", "x", "--file", str(no_pair)),
        ("edit", "base"),
        ("edit", "base", "--unset", "NONE"),
        ("edit", "base", "--unset", "LANG"),
    ):
        answer = shell("environment", *arguments)
        assert (answer.code, len(answer.err.splitlines())) == (EXIT_USAGE, 1), answer
        # Without its last variable the set itself is wrong.
        named = {"1": "NAME", "LANG": "--env"}.get(arguments[1 if "1" in arguments else -1], "".join(arguments[2:3]))
        assert named in answer.err, answer
    assert shell("task", "add", "x", "--command", "true", "--manual", "--env-set", "none").code == EXIT_USAGE
