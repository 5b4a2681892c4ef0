"""Tasks of steps under a real scheduler: what hangs, forks, ignores TERM, fails or is missing, and schedulers that are killed."""

from __future__ import annotations

import contextlib
import os
import signal
from datetime import datetime
from pathlib import Path

import pytest

from tests.process.lives import LAB, list_processes
from tests.waiting import wait_until
from watchbell import clock
from watchbell.services import runs, steps, triggers
from watchbell.store import retention

STUBBORN = "trap '' TERM; while :; do sleep 1; done"


def add(lab, *given, **fields):
    """Make a task of steps; each is a command, or a dictionary."""
    listed = [{"command": step} if isinstance(step, str) else step for step in given]
    return lab.add("pipeline", "", steps=listed, **{"grace_seconds": 1, **fields})


def run_now(lab, task) -> int:
    return triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester").id


def rows(lab, run_id, attempt=1):
    return lab.rows(
        "SELECT s.* FROM attempt_step s JOIN attempt a ON a.id = s.attempt_id WHERE a.run_id = ? AND a.number = ? ORDER BY s.number",
        run_id,
        attempt,
    )


def states(lab, run_id):
    return [(row["state"], row["exit_code"]) for row in rows(lab, run_id)]


def finish(lab, task, *wanted, timeout=20):
    run_id = run_now(lab, task)
    return lab.wait_for_state(run_id, *(wanted or ("succeeded", "failed", "timed_out", "cancelled")), timeout=timeout)


def marker(lab, number):
    return [pid for pid, env in list_processes(lab.token).items() if env.get("WATCHBELL_STEP") == str(number)]


def out_of(lab, run_id):
    """Return what a run that goes on has written to its standard output."""
    folder = lab.rows("SELECT folder FROM attempt WHERE run_id = ?", run_id)[0]["folder"]
    return Path(f"{folder}.out").read_bytes() if folder else b""


def test_steps_run_in_order_and_the_run_succeeds_when_all_have(lab):
    task = add(lab, "echo one; echo to-err >&2", "echo two", "echo three $WATCHBELL_STEP $EFFECT_LOG")
    with lab.running():
        run = finish(lab, task)
    assert (run["state"], run["exit_code"], run["reason"]) == ("succeeded", 0, "exit code 0")
    assert states(lab, run["id"]) == [("succeeded", 0)] * 3
    output = lab.rows("SELECT o.* FROM output o JOIN attempt a ON a.id = o.attempt_id WHERE a.run_id = ?", run["id"])
    kept = {row["stream"]: bytes(row["content"]) for row in output}
    assert kept["stdout"] == f"one\ntwo\nthree 3 {lab.effects}\n".encode()
    # The part of each step is delimited to the byte.
    parts = [kept["stdout"][row["stdout_from"] : row["stdout_to"]] for row in rows(lab, run["id"])]
    assert parts[:2] == [b"one\n", b"two\n"]
    assert [(row["stderr_from"], row["stderr_to"]) for row in rows(lab, run["id"])] == [(0, 7), (7, 7), (7, 7)]
    times = [datetime.fromisoformat(row[name]) for row in rows(lab, run["id"]) for name in ("started_at", "ended_at")]
    assert times == sorted(times)


def test_nothing_runs_after_a_failure_unless_the_step_may_be_passed_over(lab):
    task = add(
        lab,
        {"command": "exit 3", "continue_on_failure": True},
        "echo on",
        {"name": "x", "command": "exit 4"},
        "echo never",
    )
    with lab.running():
        run = finish(lab, task)
    assert (run["state"], run["exit_code"]) == ("failed", 3)
    assert run["reason"] == "2 of 4 steps failed: step 1 (exit 3), x (exit 4)"
    assert states(lab, run["id"]) == [("failed", 3), ("succeeded", 0), ("failed", 4), ("not_run", None)]


def test_a_missing_program_a_signal_and_a_command_that_cannot_be_parsed_are_failures_of_their_own(lab):
    given = ["no-such-program-here", "kill -9 $$", "if then", "echo still here"]
    task = add(lab, *({"command": command, "continue_on_failure": True} for command in given))
    with lab.running():
        run = finish(lab, task)
    assert [state for state, _ in states(lab, run["id"])] == ["not_found", "failed", "failed", "succeeded"]
    assert run["reason"] == "3 of 4 steps failed: step 1 (not found), step 2 (signal 9), step 3 (exit 2)"
    assert run["exit_code"] == 127


@pytest.mark.parametrize(
    "command",
    [
        "sleep 60",
        STUBBORN,
        "sleep 61 & sleep 62 & sleep 63",
        f'setsid sh -c "{STUBBORN}" & sleep 60',
        "setsid -f setsid -f sleep 60; sleep 60",
        "kill -STOP $$",
    ],
    ids=["hangs", "ignores TERM", "forks", "leaves the group and ignores TERM", "double fork", "stopped"],
)
def test_a_step_that_reaches_its_time_limit_is_ended_with_all_that_it_started(lab, command):
    # Of this run alone: other tests have steps at the same time.
    mark = '"WATCHBELL_STEP_MARK=${WATCHBELL_STEP_MARK%.*}.1"'
    look = {
        "command": f"cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -cxF {mark} >{lab.home}/left; true"
    }
    task = add(lab, {"command": command, "timeout_seconds": 1, "continue_on_failure": True}, look)
    with lab.running():
        run = finish(lab, task)
        assert not list_processes(lab.token)
    assert [state for state, _ in states(lab, run["id"])] == ["timed_out", "succeeded"]
    assert run["reason"] == "1 of 2 steps failed: step 1 (timed out)"
    # By the time the next step began nothing of it was left.
    assert (lab.home / "left").read_text().strip() == "0"
    first = rows(lab, run["id"])[0]
    took = datetime.fromisoformat(first["ended_at"]) - datetime.fromisoformat(first["started_at"])
    assert 0.95 <= took.total_seconds() < 15


def test_a_command_with_the_exit_code_of_a_time_out_has_not_timed_out(lab):
    task = add(
        lab,
        {"command": "exit 124", "timeout_seconds": 5, "continue_on_failure": True},
        {"command": "exit 137", "timeout_seconds": 5},
    )
    with lab.running():
        run = finish(lab, task)
    assert states(lab, run["id"]) == [("failed", 124), ("failed", 137)]


def test_what_a_step_leaves_running_is_there_for_the_next_one_and_ended_with_the_run(lab):
    task = add(lab, "sleep 300 & echo $! >helper", "kill -0 $(cat helper)", directory=str(lab.home))
    with lab.running():
        run = finish(lab, task)
        assert not list_processes(lab.token)
    assert run["state"] == "succeeded"
    assert run["reason"] == "exit code 0; 1 process left behind and ended"


def test_a_step_that_signals_its_whole_group_does_not_hit_the_others(lab):
    task = add(lab, {"command": "kill 0; sleep 9", "continue_on_failure": True}, "echo on")
    with lab.running():
        run = finish(lab, task)
    assert states(lab, run["id"]) == [("failed", 143), ("succeeded", 0)]


def test_the_time_limit_of_the_run_is_over_all_steps(lab):
    task = add(lab, "echo first", "sleep 60", "echo never", time_limit_seconds=1)
    with lab.running():
        run = finish(lab, task)
        assert not list_processes(lab.token)
    assert run["state"] == "timed_out"
    assert run["reason"] == "time limit of 1 s reached: killed by SIGTERM; in step 2 of 3, step 2"
    assert [state for state, _ in states(lab, run["id"])] == ["succeeded", "cut_off", "not_run"]


def test_a_cancelled_step_has_its_grace_to_clean_up_and_no_other_one_begins(lab):
    tidy = f"trap 'sleep 0.5; echo tidied >{lab.home}/tidy; exit 5' TERM; echo up; while :; do sleep 0.1; done"
    task = add(lab, tidy, "echo never", grace_seconds=10)
    with lab.running():
        run_id = run_now(lab, task)
        lab.wait(lambda: marker(lab, 1), "the step to run")
        lab.wait_for_state(run_id, "running")
        lab.wait(lambda: out_of(lab, run_id) == b"up\n", "its trap to be set")
        runs.cancel(lab.db, run_id, now=clock.now(), actor="anna")
        run = lab.wait_for_state(run_id, "cancelled")
        assert not list_processes(lab.token)
    assert (lab.home / "tidy").read_text() == "tidied\n"
    assert states(lab, run_id) == [("cut_off", 5), ("not_run", None)]
    assert "in step 1 of 2, step 1" in run["reason"]


def test_a_stubborn_step_is_killed_when_the_run_is_cancelled(lab):
    task = add(lab, STUBBORN, {"command": "echo never"})
    with lab.running():
        run_id = run_now(lab, task)
        lab.wait(lambda: len(marker(lab, 1)) >= 2, "the step to run")
        lab.wait_for_state(run_id, "running")
        runs.cancel(lab.db, run_id, now=clock.now(), actor="anna")
        lab.wait_for_state(run_id, "cancelled")
        assert not list_processes(lab.token)
    assert [state for state, _ in states(lab, run_id)] == ["cut_off", "not_run"]


def live(lab, run_id):
    return [result.state.value for result in steps.list_of(lab.db, runs.get_detail(lab.db, run_id))]


def test_how_far_the_steps_are_is_seen_while_they_run(lab):
    gate = lab.home / "gate"
    task = add(lab, "echo a", f"until [ -e {gate} ]; do sleep 0.05; done", "exit 7")
    with lab.running():
        run_id = run_now(lab, task)
        lab.wait_for_state(run_id, "running")
        lab.wait(lambda: live(lab, run_id) == ["succeeded", "running", "waiting"], "the second step")
        gate.touch()
        lab.wait_for_state(run_id, "failed")
    assert live(lab, run_id) == ["succeeded", "succeeded", "failed"]


def test_a_scheduler_killed_in_the_middle_of_the_second_step_costs_nothing(lab):
    gate = lab.home / "gate"
    task = add(lab, "echo a", f"until [ -e {gate} ]; do sleep 0.05; done; echo b", "echo c")
    life = lab.start()
    life.wait_for_beat()
    run_id = run_now(lab, task)
    lab.wait_for_state(run_id, "running")
    lab.wait(lambda: live(lab, run_id)[1] == "running", "the second step")
    life.kill()
    # Nobody schedules any more, and the steps go on; the page shows it.
    assert live(lab, run_id) == ["succeeded", "running", "waiting"]
    gate.touch()
    wait_until(lambda: not list_processes(lab.token), what="the steps to end by themselves")
    assert live(lab, run_id) == ["succeeded"] * 3
    with lab.running():
        run = lab.wait_for_state(run_id, "succeeded")
    assert states(lab, run_id) == [("succeeded", 0)] * 3
    assert "taken over" in run["reason"]


def test_a_time_limit_of_a_step_holds_while_no_scheduler_lives(lab):
    task = add(lab, "echo a", {"command": "sleep 60", "timeout_seconds": 2, "continue_on_failure": True}, "echo c")
    life = lab.start()
    life.wait_for_beat()
    run_id = run_now(lab, task)
    lab.wait_for_state(run_id, "running")
    lab.wait(lambda: live(lab, run_id)[1] == "running", "the second step")
    life.kill()
    wait_until(lambda: not list_processes(lab.token), what="the limit to end it")
    with lab.running():
        run = lab.wait_for_state(run_id, "failed")
    assert states(lab, run_id) == [("succeeded", 0), ("timed_out", 124), ("succeeded", 0)]
    assert run["reason"].startswith("1 of 3 steps failed: step 2 (timed out)")


def test_steps_that_live_on_are_adopted_and_can_be_cancelled(lab):
    task = add(lab, "echo a", "sleep 60", "echo never")
    life = lab.start()
    life.wait_for_beat()
    run_id = run_now(lab, task)
    lab.wait_for_state(run_id, "running")
    lab.wait(lambda: live(lab, run_id)[1] == "running", "the second step")
    life.kill()
    with lab.running():
        runs.cancel(lab.db, run_id, now=clock.now(), actor="anna")
        lab.wait_for_state(run_id, "cancelled")
        assert not list_processes(lab.token)
    assert [state for state, _ in states(lab, run_id)] == ["succeeded", "cut_off", "not_run"]


def test_a_lost_run_says_what_is_known_of_its_steps(lab):
    gate = lab.home / "gate"
    task = add(lab, "echo a", f"until [ -e {gate} ]; do sleep 0.05; done", "sleep 60")
    life = lab.start()
    life.wait_for_beat()
    run_id = run_now(lab, task)
    lab.wait_for_state(run_id, "running")
    lab.wait(lambda: live(lab, run_id)[1] == "running", "the second step")
    life.kill_with_keeper()
    for pid in list_processes(lab.token):
        # The step starts something short again and again.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with lab.running():
        run = lab.wait_for_state(run_id, "lost")
    assert [state for state, _ in states(lab, run_id)] == ["succeeded", "lost", "not_run"]
    assert "in step 2 of 3, step 2" in run["reason"]


def test_hostile_names_and_commands_never_break_out(lab):
    hostile = [
        {"name": "'; touch pwned; '", "command": "printf '%s' \"it's; $(echo fine) `echo ok`\""},
        {"name": "$(touch pwned)", "command": "echo '\"; exit 9; \"' \\\n  'second line'"},
        {"name": "-k 0 --help", "command": "-n"},
        {"name": "done 9 9 exit 0 0 0", "command": 'echo "done 2 1 exit 0 0 0"; # $* $3'},
        {"name": "`id`", "command": "echo ${wb_record:-unset} ${wb_first-unset}"},
    ]
    task = add(lab, *({**step, "continue_on_failure": True} for step in hostile), directory=str(lab.home))
    with lab.running():
        run = finish(lab, task)
    assert not (lab.home / "pwned").exists()
    assert [state for state, _ in states(lab, run["id"])] == [
        "succeeded",
        "succeeded",
        "not_found",
        "succeeded",
        "succeeded",
    ]
    assert [row["name"] for row in rows(lab, run["id"])] == [step["name"] for step in hostile]
    output = lab.rows("SELECT content FROM output WHERE stream = 'stdout'")[0]["content"]
    assert bytes(output) == b'it\'s; fine ok"; exit 9; " second line\ndone 2 1 exit 0 0 0\nunset unset\n'


def test_steps_do_without_a_path_and_see_the_variables_of_the_task(lab):
    names = ["code", "limit", "record", "number", "IFS"]
    environment = {LAB: lab.token, "PATH": "/nowhere", **{name: f"own {name}" for name in names}}
    task = add(lab, "echo $code, $limit, $record, $number", "/bin/true", environment=environment)
    with lab.running():
        run = finish(lab, task)
    assert run["state"] == "succeeded"
    output = lab.rows("SELECT content FROM output WHERE stream = 'stdout'")[0]["content"]
    assert bytes(output) == b"own code, own limit, own record, own number\n"


def test_each_attempt_has_its_own_steps(lab):
    task = add(
        lab,
        "echo a",
        f"test -e {lab.home}/second || {{ touch {lab.home}/second; exit 75; }}",
        retries=2,
        retry_delay_seconds=0,
    )
    with lab.running():
        run = finish(lab, task, "succeeded")
    assert states(lab, run["id"]) == [("succeeded", 0), ("failed", 75)]
    assert [row["state"] for row in rows(lab, run["id"], 2)] == ["succeeded", "succeeded"]


def test_a_flood_of_a_step_is_bounded_like_any_other(lab):
    task = add(lab, "head -c 120000000 /dev/zero", "echo end", output_limit_mib=1)
    with lab.running():
        run = finish(lab, task, "succeeded", timeout=60)
    first, second = rows(lab, run["id"])
    assert (first["stdout_from"], first["stdout_to"]) == (0, 120_000_000)
    assert second["stdout_to"] == 120_000_004
    kept = lab.rows("SELECT size, dropped FROM output WHERE stream = 'stdout'")[0]
    assert (kept["size"], kept["size"] - kept["dropped"]) == (120_000_004, 1024 * 1024)


def test_limits_on_processes_and_memory_hold_over_all_steps(lab):
    task = add(lab, "echo fine", {"name": "eats", "command": "head -c 400000000 /dev/zero | tail"}, memory_limit_mib=64)
    with lab.running():
        run = finish(lab, task, "failed", timeout=40)
    assert next(state for state, _ in states(lab, run["id"])) == "succeeded"
    assert "memory limit of 64 MiB" in run["reason"]


def test_deleting_old_runs_takes_their_steps_along(lab):
    task = add(lab, "echo a", "echo b", keep_runs=1)
    with lab.running():
        first = finish(lab, task)
        finish(lab, task)
    with lab.db.write() as session:
        retention.delete_runs(session, [first["id"]])
    assert len(lab.rows("SELECT * FROM attempt_step")) == 2
