"""``watchbell task edit`` of many tasks: what would change is told and asked about, and then it is all or none."""

from __future__ import annotations

import pytest

from tests.database import DEFAULTS, NOW, add_task
from tests.shell import db, home, migrated_file, shell, typed  # noqa: F401 - fixtures.
from watchbell.errors import EXIT_CONFLICT, EXIT_USAGE
from watchbell.services import bulk_edits, tasks

# ruff: noqa: F811

SLOWER = ("--time-limit", "2h", "--set", "priority=5", "--add-tag", "x", "--remove-tag", "nightly")


@pytest.fixture
def three(db):
    return [
        add_task(db, name, cron="0 2 * * *", tags=tag) for name, tag in (("a", "nightly"), ("b", "nightly"), ("c", ""))
    ]


def told(shell):
    return {
        one["name"]: (one["version"], one["policies"]["priority"], one["policies"]["time_limit_seconds"], one["tags"])
        for one in shell("task", "list", "--json").json()
    }


def test_all_that_fit_are_changed_and_the_others_are_not(shell, three):
    done = shell("task", "edit", "--where", "tag=nightly", *SLOWER, "--yes")

    assert done.code == 0, done.err
    assert "policies.priority: 0 -> 5" in done.out and "2 tasks of 2 would change." in done.out
    assert done.out.splitlines()[-1].startswith("Changed 2 tasks.")
    assert told(shell) == {"a": (2, 5, 7200, ["x"]), "b": (2, 5, 7200, ["x"]), "c": (1, 0, 86400, [])}


def test_a_dry_run_changes_nothing_and_says_which_runs_move(shell, three):
    before = told(shell)

    said = shell("task", "edit", "a", "c", "--cron", "0 3 * * *", "--dry-run")
    whole = shell("task", "edit", "a", "c", "--cron", "0 3 * * *", "--dry-run", "--json").json()

    assert "60 moved" in said.out and said.out.endswith("Nothing was changed.\n")
    assert whole["dry_run"] and whole["changed"] == 2 and whole["simulation"]["moved"]["count"] == 60
    assert told(shell) == before


def test_where_nobody_can_be_asked_nothing_is_done_without_yes(shell, three, typed):
    typed("")

    done = shell("task", "edit", "a", "b", *SLOWER)

    assert done.code == EXIT_USAGE and "--yes" in done.err
    assert told(shell)["a"] == (1, 0, 86400, ["nightly"])


def test_what_somebody_has_changed_between_question_and_answer_stays(shell, db, three, monkeypatch):
    apply = bulk_edits.apply

    def later(*arguments, **options):
        tasks.update(db, three[1].id, {"comment": "mine"}, now=NOW, actor="ben", defaults=DEFAULTS)
        return apply(*arguments, **options)

    monkeypatch.setattr(bulk_edits, "apply", later)
    done = shell("task", "edit", "a", "b", *SLOWER, "--yes")

    assert done.code == EXIT_CONFLICT and "b changed meanwhile" in done.err
    assert told(shell)["a"] == (1, 0, 86400, ["nightly"])


def test_one_task_in_the_words_for_many_tells_the_same_to_programs(shell, three):
    done = shell("task", "edit", "a", "--set", "enabled=no", "--yes", "--json").json()

    assert [(one["name"], one["outcome"], one["differences"]) for one in done["items"]] == [
        ("a", "changed", [{"field": "enabled", "before": True, "after": False}])
    ]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ((), "--where"),
        (("a", "--where", "tag=x", "--zone", "UTC"), "--where"),
        (("a", "b"), "Nothing to change"),
        (("a", "b", "--tag", "x"), "--add-tag"),
        (("a", "b", "--command", "true"), "--command"),
        (("a", "b", "--parameter", "day"), "--param-default"),
        (("a", "b", "--set", "priorities=5", "--yes"), "priority"),
        (("a", "b", "--set", "priority=500", "--yes"), "--priority"),
        (("a", "b", "--set", "priority", "--yes"), "--set"),
        (("a", "b", "--set", "enabled=maybe", "--yes"), "--set"),
        (("a", "b", "--param-default", "day=x", "--yes"), "--param-default"),
        (("--where", "colour=red", "--zone", "UTC"), "--where"),
        (("--where", "tag=none", "--zone", "UTC"), "--where"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_would_do(shell, three, arguments, names):
    done = shell("task", "edit", *arguments)

    assert (done.code, done.out) == (EXIT_USAGE, "") and names in done.err


def test_an_edit_is_undone_but_for_what_somebody_has_changed_since(shell, db, three, tmp_path):
    before = told(shell)
    done = shell("task", "edit", "a", "b", "c", *SLOWER, "--set", "enabled=no", "--yes", "--json")
    (tmp_path / "edit.json").write_text(done.out)
    tasks.update(db, three[1].id, {"comment": "mine"}, now=NOW, actor="eve", defaults=DEFAULTS)

    undone = shell("task", "undo", str(tmp_path / "edit.json"))

    assert undone.out == "2 tasks as before.\nChanged since, and left as they are: b.\n"
    after = told(shell)
    assert [after[name][1:] == before[name][1:] for name in "abc"] == [True, False, True]
    assert {one["name"]: one["enabled"] for one in shell("task", "list", "--json").json()} == {
        "a": True, "b": False, "c": True,
    }  # fmt: skip
    for text in ("[]", "{", '{"items": [{"task_id": 1}]}', '{"items": []}'):
        (tmp_path / "edit.json").write_text(text)
        assert shell("task", "undo", str(tmp_path / "edit.json")).code == EXIT_USAGE
    assert shell("task", "undo", str(tmp_path / "none")).code == EXIT_USAGE
