"""Parameters of tasks on the command line."""

from __future__ import annotations

from tests.shell import db, home, migrated_file, shell  # noqa: F401 - fixtures.
from tests.unit.test_following import began, follow
from watchbell import errors
from watchbell.domain.run_state import RunState
from watchbell.services import tasks

# ruff: noqa: F811


def test_parameters_are_declared_shown_given_and_taken_away(shell):
    shell(
        "task", "add", "report", "--command", "true", "--manual", "--parameter", "day:date=2026-11-30",
        "--parameter", "target!:choice(staging,live)", "--value-set", "go:target=live", "--value-set", "go:day=2026-01-02",
    )  # fmt: skip

    told = shell("task", "show", "report").out
    refused = shell("task", "trigger", "report", "--param", "day=x", "--param", "hue=red")
    made = shell("task", "trigger", "report", "--value-set", "go", "--param", "target=staging", "--json").json()

    assert "day:date=2026-11-30; target!:choice(staging,live)" in told
    assert refused.code == errors.EXIT_USAGE
    assert "--param day: must be a date" in refused.err
    assert "--param hue: is not a parameter of this task" in refused.err
    assert "day=2026-01-02, target=staging" in shell("runs", "show", str(made["run_id"])).out
    assert shell("task", "trigger", "report", "--value-set", "none").code == errors.EXIT_USAGE
    assert shell("task", "edit", "report", "--no-parameters", "--json").json()["parameters"] == []
    assert shell("task", "trigger", "report", "--json").json()["state"] == "queued"


def test_versions_are_listed_restored_and_run(shell):
    shell("task", "add", "report", "--command", "one", "--manual", "--parameter", "day=monday")
    shell("task", "edit", "report", "--command", "two", "--no-parameters")

    first = shell("task", "trigger", "report", "--revision", "1", "--param", "day=friday", "--json").json()["run_id"]
    again = shell("runs", "again", str(first), "--exactly", "--json").json()

    listed = shell("task", "revisions", "report").out.splitlines()
    assert [line.split()[0] for line in listed[1:]] == ["2", "1"]
    assert "command, parameters" in listed[1]
    assert (again["task_version"], again["parameters"], again["rerun_of"]) == (1, {"day": "friday"}, first)
    assert shell("runs", "again", str(first), "--json").json()["task_version"] == 2
    assert shell("task", "restore", "report", "1", "--json").json()["command"] == "one"
    assert shell("task", "restore", "report", "9").code == errors.EXIT_NOT_FOUND


def test_a_runbook_and_links_are_given_and_taken_away(shell, tmp_path):
    (tmp_path / "book.md").write_text("# Do this\n")
    shell("task", "add", "report", "--command", "true", "--manual", "--runbook", str(tmp_path / "book.md"),
          "--link", "Wiki=https://example.org/?a=b", "--link", "https://example.org/?c=d")  # fmt: skip

    made = shell("task", "show", "report", "--json").json()
    assert made["runbook"] == "# Do this"
    assert [(link["title"], link["url"]) for link in made["links"]] == [
        ("Wiki", "https://example.org/?a=b"), ("https://example.org/?c=d", "https://example.org/?c=d"),
    ]  # fmt: skip
    assert "Wiki <https://example.org/?a=b>" in shell("task", "show", "report").out
    gone = shell("task", "edit", "report", "--runbook", "", "--link", "", "--json").json()
    assert (gone["runbook"], gone["links"]) == ("", [])
    assert shell("task", "edit", "report", "--runbook", str(tmp_path / "none.md")).code == errors.EXIT_USAGE


def test_the_tasks_that_one_runs_after_are_given_shown_and_taken_away(shell):
    shell("task", "add", "import", "--command", "true", "--manual")
    made = shell("task", "add", "report", "--command", "true", "--after", "import=finished", "--json").json()

    assert made["after"] == [{"task": "import", "on": "finished"}]
    assert "import finished" in shell("task", "show", "report").out
    refused = shell("task", "edit", "import", "--after", "report")
    assert refused.code == errors.EXIT_USAGE
    assert "--after: would be a loop: import → report → import" in refused.err
    assert "--after: there is no task 'imprt'" in shell("task", "edit", "report", "--after", "imprt").err
    assert shell("task", "edit", "report", "--after", "", "--json").json()["after"] == []


def test_the_runs_of_a_chain_are_shown_as_one_and_a_step_is_run_again(shell, db):
    shell("task", "add", "import", "--command", "true", "--manual")
    shell("task", "add", "report", "--command", "true", "--after", "import")
    began(db, tasks.find_by_name(db, "import"), RunState.FAILED)
    follow(db)

    shown = shell("runs", "group", "2").out
    made = shell("runs", "again", "1", "--chain", "--json").json()

    assert "import (run 1)" in shown
    assert "not started because import failed (run #1)" in shown
    assert "began with run 1; see: watchbell runs group 2" in shell("runs", "show", "2").out
    assert (made["group_id"], made["round"], made["rerun_of"]) == (1, 1, 1)
    assert len(shell("runs", "group", "1", "--json").json()["steps"]) == 2
    assert shell("runs", "again", "1", "--chain", "--exactly").code == errors.EXIT_USAGE
    assert shell("runs", "group", "99").code == errors.EXIT_NOT_FOUND
