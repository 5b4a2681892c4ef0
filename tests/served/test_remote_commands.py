"""Commands against a server elsewhere say and do what they say and do on its own machine."""

from __future__ import annotations

import json

import pytest

from tests.process.programs import watchbell
from tests.served.test_client import make_token

#: What only looks, and must look the same from both sides.
LOOKS = [
    ("task", "list", "--json"),
    ("task", "list"),
    ("task", "list", "--search", "fail"),
    ("task", "show", "works", "--json"),
    ("task", "show", "fails"),
    ("runs", "list", "--json"),
    ("runs", "list", "--task", "works", "-n", "1"),
    ("runs", "show", "1", "--json"),
    ("runs", "logs", "1"),
    ("runs", "logs", "2", "--stream", "stderr"),
    ("queue", "list", "--json"),
    ("pause", "--json"),
    ("list", "--all"),
    ("last", "works"),
    ("last", "works", "--json"),
    ("tail", "works"),
    ("runs", "list", "-n", "5000"),
    ("task", "show", "none"),
    ("runs", "show", "99"),
    ("alert", "list"),
    ("alert", "list", "--json"),
    ("alert", "test", "hot"),
    ("alert", "test", "--when", "success == 0", "--json"),
    ("alert", "history", "--open", "--since", "1d", "--severity", "critical", "--json"),
    ("alert", "test", "none"),
]


@pytest.fixture(scope="module")
def far(served):
    """Give a function that runs a command against a server, and one that runs it beside it."""
    lab, page = served.lab, served.page
    token = make_token(lab)
    elsewhere = lab.home.parent / "elsewhere"

    def ask(*arguments: str, text: str | None = None):
        return watchbell(elsewhere, *arguments, text=text, WATCHBELL_URL=page.url, WATCHBELL_TOKEN=token)

    def here(*arguments: str):
        return watchbell(lab.home, *arguments)

    for name, command in (("works", "echo fine"), ("fails", "echo broken >&2; exit 4")):
        made = ask("task", "add", name, "--command", command, "--tag", "a", "--tag", "b", "--cron", "0 2 * * *")
        assert made.returncode == 0, made.stderr
        ask("task", "trigger", name, "--wait")
    assert ask("alert", "add", "hot", "--when", "cpu_max > 1e9", "--task", "works").returncode == 0
    yield ask, here
    assert not elsewhere.exists() or not any(elsewhere.glob("*.db")), "a remote command has made a database here"


@pytest.mark.parametrize("arguments", LOOKS, ids=" ".join)
def test_a_command_that_looks_sees_the_same_from_both_sides(far, arguments) -> None:
    ask, here = far

    from_far, from_here = ask(*arguments), here(*arguments)

    assert (from_far.returncode, from_far.stdout) == (from_here.returncode, from_here.stdout), from_far.stderr
    assert from_far.stderr == from_here.stderr


def test_a_task_is_made_changed_and_deleted_from_afar(far) -> None:
    ask, here = far

    assert ask("task", "add", "far", "--command", "true", "--every", "5m", "--retries", "2").returncode == 0
    assert ask("task", "edit", "far", "--comment", "changed").returncode == 0
    assert ask("task", "disable", "far").returncode == 0
    shown = json.loads(here("task", "show", "far", "--json").stdout)
    assert (shown["comment"], shown["enabled"], shown["policies"]["retries"]) == ("changed", False, 2)
    assert ask("task", "delete", "far", "--yes").returncode == 0
    assert here("task", "show", "far").returncode == 5


def test_several_tasks_are_changed_from_afar_or_only_told(far) -> None:
    ask, _ = far
    given = ("task", "edit", "--where", "search=works", "--set", "priority=3", "--latest-start", "1h")

    told = ask(*given, "--dry-run")
    done = ask(*given, "--yes", "--json")

    assert "policies.priority: 0 -> 3" in told.stdout, told.stderr
    assert [one["outcome"] for one in json.loads(done.stdout)["items"]] == ["changed"], done.stderr
    assert ask("task", "edit", "works", "--set", "priority=0", "--yes").returncode == 0
    assert "--priority" in ask("task", "edit", "works", "fails", "--set", "priority=500", "--yes").stderr


def test_one_thing_is_done_with_several_tasks_from_afar_and_sets_are_shared(far) -> None:
    ask, here = far
    seen = ask("task", "disable", "--where", "tag=a", "--dry-run")
    assert "2 tasks of 2" in seen.stdout and "removed" in seen.stdout, seen.stderr
    assert ask("task", "disable", "works", "fails", "--yes").stdout.endswith("Disabled 2 tasks.\n")
    assert ask("pause", "--where", "tag=a", "--until", "2h", "--yes").stdout.endswith("Paused 2 tasks.\n")
    assert ask("resume", "works", "fails", "--yes").stdout.endswith("Resumed 2 tasks.\n")
    assert ask("task", "enable", "--where", "tag=a", "--yes").returncode == 0
    assert "chooses no task" in ask("task", "delete", "--where", "tag=none", "--yes").stderr

    assert ask("environment", "add", "shared", "--env", "A=1").returncode == 0
    assert ask("task", "edit", "works", "--env-set", "shared").returncode == 0
    assert ask("environment", "edit", "shared", "--env", "A=2").stdout.endswith("these follow: works.\n")
    assert (
        ask("environment", "show", "shared", "--json").stdout == here("environment", "show", "shared", "--json").stdout
    )
    assert ask("environment", "remove", "shared").returncode == 6
    assert ask("task", "edit", "works", "--env-set", "").returncode == 0
    assert ask("environment", "remove", "shared").returncode == 0


def test_a_run_is_triggered_waited_for_and_its_result_is_the_exit_code(far) -> None:
    ask, _here = far

    good, bad = ask("task", "trigger", "works", "--wait"), ask("task", "trigger", "fails", "--wait")

    assert good.returncode == 0, good.stderr
    assert bad.returncode == 10, bad.stderr


def test_a_rule_is_made_changed_and_removed_from_afar(far) -> None:
    ask, here = far

    assert ask("alert", "add", "slow", "--when", "execution_time_seconds > 5", "--throttle", "1h").returncode == 0
    assert ask("alert", "edit", "slow", "--severity", "critical", "--disable").returncode == 0
    (slow,) = [one for one in json.loads(here("alert", "list", "--json").stdout) if one["name"] == "slow"]
    assert (slow["severity"], slow["enabled"], slow["throttle_seconds"]) == ("critical", False, 3600)
    refused = ask("alert", "edit", "slow", "--when", "cpu_mx > 1")
    assert (refused.returncode, "did you mean cpu_max" in refused.stderr) == (2, True)
    assert ask("alert", "acknowledge", "--all").stdout == "0 alert(s) acknowledged.\n"
    assert ask("alert", "remove", "slow").returncode == 0
    assert ask("alert", "edit", "slow", "--enable").returncode == 5


def test_pauses_and_queues_work_from_afar(far) -> None:
    ask, here = far

    made = ask("queue", "set", "disk", "--max-running", "2")
    assert made.returncode == 0, made.stderr
    assert ask("pause", "--queue", "disk", "--reason", "why").returncode == 0
    assert "disk" in here("pause").stdout
    assert ask("resume", "--queue", "disk").returncode == 0
    assert ask("queue", "remove", "disk").returncode == 0


def test_commands_for_the_servers_own_machine_say_so(far) -> None:
    ask, _here = far

    for arguments in (("db", "check"), ("user", "list"), ("token", "list"), ("doctor",)):
        told = ask(*arguments)
        assert told.returncode == 2, (arguments, told.stdout)
        assert "works on the data of this machine" in told.stderr
