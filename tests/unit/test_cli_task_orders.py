"""One thing done with many tasks at the shell: told and asked about first, and then with all of them or none."""

from __future__ import annotations

import pytest

from tests.database import add_task
from tests.shell import db, home, migrated_file, shell, typed  # noqa: F401 - fixtures.
from watchbell.errors import EXIT_NOT_FOUND, EXIT_USAGE
from watchbell.services import tasks

# ruff: noqa: F811


@pytest.fixture
def three(db):
    return [
        add_task(db, name, cron="0 2 * * *", tags=tag, enabled=enabled)
        for name, tag, enabled in (("a", "nightly", True), ("b", "nightly", True), ("c", "nightly", False))
    ]


def told(shell):
    return {one["name"]: one["enabled"] for one in shell("task", "list", "--json").json()}


def test_all_that_fit_are_disabled_and_enabled_again_and_what_is_so_already_is_left(shell, three):
    seen = shell("task", "disable", "--where", "tag=nightly", "--dry-run")
    assert seen.out.splitlines()[:3] == ["~ a: disabled", "~ b: disabled", "2 tasks of 3, the others are so already."]
    assert "60 removed" in seen.out and seen.out.endswith("Nothing was changed.\n")
    assert told(shell) == {"a": True, "b": True, "c": False}

    done = shell("task", "disable", "--where", "tag=nightly", "--yes")
    assert done.out.splitlines()[-1] == "Disabled 2 tasks."
    whole = shell("task", "enable", "a", "c", "--yes", "--json").json()
    assert [(one["name"], one["outcome"]) for one in whole["items"]] == [("a", "enabled"), ("c", "enabled")]
    assert told(shell) == {"a": True, "b": False, "c": True}
    again = shell("task", "enable", "a", "c", "--yes")
    assert (again.code, again.out) == (0, "0 tasks of 2, the others are so already.\n")


def test_many_are_deleted_only_by_a_yes(shell, db, three, typed):
    typed("")
    unasked = shell("task", "delete", "a", "b")
    assert unasked.code == EXIT_USAGE and "--yes" in unasked.err
    assert set(told(shell)) == {"a", "b", "c"}

    done = shell("task", "delete", "a", "b", "--yes")

    assert done.out.splitlines()[-1].startswith("Deleted 2 tasks. For 30 days")
    assert set(told(shell)) == {"c"}
    assert shell("task", "restore", "a").code == 0


def test_many_are_run_paused_and_resumed(shell, three):
    ran = shell("task", "trigger", "--where", "tag=nightly", "--where", "enabled=yes", "--yes")
    assert ran.out.splitlines()[-1] == "Asked for a run of 2 tasks. Runs: 1, 2"
    assert len(shell("runs", "list", "--json").json()) == 2

    shell("pause", "a", "b", "--reason", "disk", "--until", "2h", "--yes")
    found = shell("pause", "--json").json()
    assert [(one["scope"], one["reason"], one["until"] is None) for one in found] == [
        ("task:1", "disk", False),
        ("task:2", "disk", False),
    ]
    assert shell("resume", "a", "--dry-run").out == "~ a: resumed\n1 task of 1.\nNothing was changed.\n"
    assert shell("resume", "--where", "tag=nightly", "--yes").out.splitlines()[-1] == "Resumed 2 tasks."
    assert shell("pause", "--json").json() == []


def test_nothing_is_done_where_one_refuses_or_what_is_asked_is_not_clear(shell, db, three):
    for arguments in (
        ("task", "enable"),
        ("task", "enable", "a", "--where", "tag=nightly"),
        ("task", "delete", "--where", "colour=red", "--yes"),
        ("task", "disable", "--where", "tag=none", "--yes"),
        ("task", "trigger", "a", "b", "--param", "x=1", "--yes"),
        ("task", "trigger", "a", "b", "--wait", "--yes"),
        ("pause", "--all", "--dry-run"),
        ("resume", "--queue", "x", "--where", "tag=nightly"),
    ):
        answer = shell(*arguments)
        assert (answer.code, len(answer.err.splitlines())) == (EXIT_USAGE, 1), arguments
    assert shell("task", "disable", "a", "none", "--yes").code == EXIT_NOT_FOUND
    tasks.update(
        db, three[1].id, {"parameters": [{"name": "day", "required": True}], "kind": "manual", "cron": ""},
        now=three[1].created_at, actor="ann", defaults=tasks.Defaults("UTC", "ann", "h"),
    )  # fmt: skip
    assert shell("task", "trigger", "a", "b", "--yes").code == EXIT_USAGE
    assert shell("runs", "list", "--json").json() == []
    assert told(shell) == {"a": True, "b": True, "c": False}
