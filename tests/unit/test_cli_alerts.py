"""``watchbell alert``: rules by name, trying them on runs that were, and alerts that are acknowledged."""

from __future__ import annotations

import pytest

from tests.database import NOW, add_alert, add_run, add_task
from tests.shell import db, home, migrated_file, shell  # noqa: F401 - fixtures.
from tests.unit.run_rows import add_attempt
from watchbell.domain.run_state import RunState
from watchbell.errors import EXIT_CONFLICT, EXIT_NOT_FOUND, EXIT_USAGE
from watchbell.services import alert_rules

# ruff: noqa: F811


def test_a_rule_is_made_changed_listed_and_removed(shell, db):
    task = add_task(db, "import", own_metrics="read")
    made = shell("alert", "add", "few", "--when", "rows < 5", "--task", "import", "--throttle", "1h", "--json").json()
    said = shell("alert", "add", "--alert-config", "hot: cpu_max > 80", "--severity", "critical", "--disabled")
    changed = shell("alert", "edit", "few", "--all-tasks", "--throttle", "0", "--severity", "info")

    assert (made["task_id"], made["throttle_seconds"], made["severity"], made["enabled"]) == (
        task.id,
        3600,
        "warning",
        True,
    )
    assert said.out == "Made rule hot: critical when cpu_max > 80, for all tasks, disabled.\n"
    assert changed.out == "Changed rule few: info when rows < 5, for all tasks.\n"
    assert shell("alert", "edit", "hot", "--enable").code == 0
    rules = {one["name"]: one for one in shell("alert", "list", "--json").json()}
    assert (rules["few"]["throttle_seconds"], rules["hot"]["enabled"]) == (0, True)
    assert "cpu_max > 80" in shell("alert", "list").out
    assert shell("alert", "remove", "hot").out == "Removed rule hot. Its alerts stay.\n"
    assert [view.rule.name for view in alert_rules.list_all(db)] == ["few"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("add", "x", "--when", "cpu_mx > 1"), EXIT_USAGE, "--when: 'cpu_mx' is no metric; did you mean cpu_max? (at character 1)"),
        (("add", "x"), EXIT_USAGE, "Give NAME and --when"),
        (("add", "x", "--alert-config", "a:b"), EXIT_USAGE, "leave NAME and --when out"),
        (("add", "x", "--when", "cpu_max > 1", "--throttle", "soon"), EXIT_USAGE, "--throttle: must be a length of time"),
        (("add", "x", "--when", "cpu_max > 1", "--throttle", "40d"), EXIT_USAGE, "--throttle: must be between 0 and"),
        (("add", "x", "--when", "cpu_max > 1", "--task", "none"), EXIT_NOT_FOUND, "none"),
        (("add", "taken", "--when", "cpu_max > 1"), EXIT_CONFLICT, "there is an alert rule 'taken' already"),
        (("edit", "none", "--enable"), EXIT_NOT_FOUND, "there is no alert rule 'none'"),
        (("edit", "taken"), EXIT_USAGE, "Nothing to change"),
        (("test",), EXIT_USAGE, "Give a RULE or --when"),
        (("acknowledge",), EXIT_USAGE, "Give ids, or --all"),
        (("history", "--since", "noon"), EXIT_USAGE, "must be a length of time"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_wrong_is_one_line_with_the_name_of_the_option(shell, db, arguments, code, said):
    alert_rules.create(db, {"name": "taken", "expression": "cpu_max > 1"}, now=NOW, actor="ann")

    done = shell("alert", *arguments)

    assert done.code == code
    assert said in done.err


def test_a_condition_is_tried_on_the_last_runs(shell, db):
    task = add_task(db, "job")
    for state in (RunState.FAILED, RunState.SUCCEEDED):
        add_attempt(db, add_run(db, task, state, started_at=NOW, attempts=1))
    alert_rules.create(db, {"name": "failing", "expression": "success == 0"}, now=NOW, actor="ann")

    said = shell("alert", "test", "failing").out
    found = shell("alert", "test", "--when", "memory_avg_mb > 5", "--task", "job", "--json").json()

    assert said.endswith("1 of 2 would have fired, 0 cannot be told.\n")
    assert (found["would_fire"], found["untold"]) == (0, 2)
    assert found["items"][0]["reason"] == "no memory_avg_mb"


def test_alerts_are_listed_and_acknowledged(shell, db):
    run = add_run(db, add_task(db, "job"), RunState.FAILED)
    first, second = add_alert(db, run), add_alert(db, run, "other", severity="critical")

    assert [one["id"] for one in shell("alert", "history", "--severity", "critical", "--json").json()] == [second]
    assert shell("alert", "acknowledge", str(first)).out == f"1 alert(s) acknowledged: {first}.\n"
    assert shell("alert", "acknowledge", "--all", "--json").json() == {"changed": [second]}
    assert shell("alert", "history", "--open", "--json").json() == []
    assert shell("alert", "acknowledge", "--undo", str(first)).out == f"1 alert(s) open again: {first}.\n"
    assert "failing: success == 0 (success 0)" in shell("alert", "history", "--open").out
