"""``watchbell task``: tasks that were deleted, and the tree of tags."""

from __future__ import annotations

from tests.shell import db, home, migrated_file, shell  # noqa: F401 - fixtures.
from watchbell import errors
from watchbell.store.tasks import list_newest_revisions

# ruff: noqa: F811


def test_a_deleted_task_is_listed_and_brought_back(shell, db):
    shell("task", "add", "backup", "--command", "true", "--manual")
    assert shell("task", "list", "--deleted").out == "No task was deleted within 30 days.\n"
    shell("task", "delete", "backup", "--yes")
    shell("task", "add", "backup", "--command", "false", "--manual")

    assert "backup" in shell("task", "list", "--deleted").out
    assert shell("task", "list", "--deleted", "--tag", "x").code == errors.EXIT_USAGE
    taken = shell("task", "restore", "backup")
    assert taken.code == errors.EXIT_CONFLICT and "under another name" in taken.err
    back = shell("task", "restore", "1", "--name", "backup-2", "--json").json()
    assert (back["id"], back["name"], back["version"]) == (1, "backup-2", 2)
    assert shell("task", "restore", "backup").code == errors.EXIT_NOT_FOUND


def test_versions_are_compared_field_by_field(shell, db):
    shell("task", "add", "a", "--command", "true", "--cron", "0 2 * * *", "--zone", "UTC")
    shell("task", "edit", "a", "--cron", "0 3 * * *", "--retries", "2")
    shell("task", "edit", "a", "--comment", "mine")

    lines = shell("task", "revisions", "a", "2").out.splitlines()
    assert lines[0].startswith("Version 2 of a, ")
    assert sorted(lines[1:]) == [
        "  policies.retries: 0 -> 2",
        '  schedule.expressions: ["0 2 * * *"] -> ["0 3 * * *"]',
    ]
    whole = shell("task", "revisions", "a", "3", "--against", "1", "--json").json()
    assert {one["field"] for one in whole["differences"]} == {"schedule.expressions", "policies.retries", "comment"}
    assert shell("task", "revisions", "a", "9").code == errors.EXIT_NOT_FOUND
    assert shell("task", "revisions", "a", "--against", "1").code == errors.EXIT_USAGE


def test_a_version_of_an_earlier_program_differs_in_nothing_that_came_later(shell, db):
    shell("task", "add", "a", "--command", "true", "--manual")
    with db.write() as session:
        kept = list_newest_revisions(session, 1, 1)[0]
        policies = {name: value for name, value in kept.definition["policies"].items() if name != "interpreter"}
        later = ("environment_sets", "set_variables")
        kept.definition = {name: value for name, value in kept.definition.items() if name not in later} | {
            "policies": policies
        }
    shell("task", "edit", "a", "--comment", "mine")

    assert shell("task", "revisions", "a", "2").out.splitlines()[1:] == ["  comment: - -> mine"]
    assert shell("task", "revisions", "a").out.splitlines()[1].split()[-1] == "comment"


def test_tags_nest_in_the_list_and_the_tree(shell, db):
    shell("task", "add", "a", "--command", "true", "--manual", "--tag", "billing/nightly")
    shell("task", "add", "b", "--command", "true", "--manual", "--tag", "ops")

    assert [one["name"] for one in shell("task", "list", "--tag", "billing", "--json").json()] == ["a"]
    assert shell("task", "tags").out.splitlines()[1:3] == ["billing        1        -", "  nightly      1        -"]
    assert shell("task", "tags", "--json").json()[2] == {"tag": "ops", "tasks": 1, "failing": 0}
