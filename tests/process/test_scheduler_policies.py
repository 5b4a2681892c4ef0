"""What a person decides about starting and waiting, with a real scheduler; the commands themselves are witnesses."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from tests.process.asking import (
    all_over,
    check,
    disable,
    moment,
    most_at_once,
    pause,
    reasons,
    resume,
    run_now,
    started,
)
from watchbell import clock
from watchbell.services import pauses, queues, runs, triggers


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        ("skip", {"succeeded", "skipped"}),
        ("queue_one", {"succeeded", "skipped"}),
        ("queue_all", {"succeeded", "skipped"}),
        ("replace", {"succeeded", "cancelled", "skipped"}),
        ("allow", {"succeeded"}),
    ],
)
def test_what_is_due_while_an_earlier_run_goes_on(lab, overlap, expected):
    task = lab.add_task("job", 2.5, every="1s", overlap=overlap, overlap_limit=2, grace_seconds=1)
    with lab.running():
        lab.wait(lambda: len(lab.states()) >= 6, "six occurrences")
        disable(lab, task)
        lab.wait(lambda: all_over(lab), "all runs to end", 40)
    check(lab)
    states = lab.states()
    assert set(states) <= expected | {"missed"}
    told = " ".join(reasons(lab, "skipped"))
    if overlap == "allow":
        assert most_at_once(lab) >= 2
        assert "skipped" not in states
    if overlap == "skip":
        assert "policy: skip on overlap" in told
    if overlap == "queue_one":
        assert "policy: one waits already" in told
    if overlap == "queue_all":
        assert "policy: 2 wait already" in told
    if overlap == "replace":
        newest = lab.rows("SELECT * FROM run ORDER BY id DESC LIMIT 1")[0]
        assert newest["state"] == "succeeded"
        ended = lab.rows("SELECT * FROM run WHERE state = 'cancelled' ORDER BY id")
        assert ended
        assert all(row["reason"].startswith("replaced by run #") for row in ended)
        actors = {row["actor"] for row in lab.rows("SELECT actor FROM run_event WHERE to_state = 'cancelling'")}
        assert actors == {"scheduler@lab"}


def test_of_what_waits_to_replace_a_run_only_the_newest_is_started(lab):
    stubborn = "trap '' TERM; sleep 60"
    task = lab.add("job", stubborn, every="1s", overlap="replace", grace_seconds=3)
    with lab.running():
        lab.wait(lambda: "skipped" in lab.states(), "a waiting run to be replaced")
        disable(lab, task)
        lab.wait(lambda: lab.states().count("cancelled") == 1, "the first to end")
        lab.wait(lambda: lab.states()[-1] == "running", "the newest to run")
        runs.cancel(lab.db, len(lab.states()), now=clock.now(), actor="tester")
        lab.wait(lambda: all_over(lab), "the end")
    rows = lab.rows("SELECT * FROM run WHERE state = 'skipped'")
    assert [row["reason"] for row in rows] == [f"replaced by run #{row['id'] + 1}" for row in rows]
    assert all(row["attempts"] == 0 for row in rows)


@pytest.mark.parametrize("is_restarted", [False, True], ids=["no room for long", "after a restart"])
def test_what_cannot_be_started_in_time_is_missed(make_lab, is_restarted):
    lab = make_lab(max_running=1)
    long = run_now(lab, lab.add_task("long", 6))
    late = lab.add_task("late", 0, every="1h", anchor_at=None, latest_start_seconds=3)
    life = lab.start()
    lab.wait_for_state(long, "running")
    # As if it had been due just now and had found no room.
    now = clock.now()
    row = {"start_by": str((now + timedelta(seconds=2)).replace(tzinfo=None)), "at": str(now.replace(tzinfo=None))}
    lab.execute(
        "INSERT INTO run (task_id, task_name, task_version, occurrence_key, trigger, due_at, local_time, zone, state, "
        "fence, reason, stands_for, requested_by, may_overlap, attempts, created_at, start_by) VALUES "
        "(?, 'late', 1, 'test', 'schedule', ?, '', 'UTC', 'queued', 0, 'waits', 1, '', 0, 0, ?, ?)",
        late.id,
        row["at"],
        row["at"],
        row["start_by"],
    )
    lab.execute(
        "INSERT INTO run_event (run_id, to_state, path, at, actor, fence, reason) VALUES (2, 'queued', '', ?, 'test', 0, '')",
        row["at"],
    )
    if is_restarted:
        life.kill()
        life = lab.start()
    ended = lab.wait_for_state(2, "missed", timeout=15)
    assert life.stop() == 0
    assert ended["reason"].startswith("not started by ")
    assert ended["reason"].endswith("its latest start; waits")
    assert moment(ended["ended_at"]) >= moment(ended["start_by"])
    assert lab.effect_lines("START", 2) == []


def test_while_everything_is_paused_moments_are_skipped_and_what_waits_goes_on_waiting(lab):
    tick, other = lab.add_task("tick", every="1s"), lab.add_task("other", 3)
    going = run_now(lab, other)
    with lab.running():
        lab.wait_for_state(going, "running")
        pause(lab, pauses.EVERYTHING, reason="a move")
        lab.wait(lambda: "skipped" in lab.states(task_id=tick.id), "a skipped moment")
        count = len(started(lab))
        waiting = run_now(lab, other)
        lab.wait_for_state(going, "succeeded")
        skipped = len(reasons(lab, "skipped"))
        lab.wait(lambda: len(reasons(lab, "skipped")) >= skipped + 2, "two more skipped moments")
        assert lab.run(waiting)["state"] == "queued"
        assert len(started(lab)) == count
        resume(lab, pauses.EVERYTHING)
        lab.wait_for_state(waiting, "succeeded")
        disable(lab, tick)
        lab.wait(lambda: all_over(lab), "the end")
    assert all("paused by anna since" in told and told.endswith(": a move") for told in reasons(lab, "skipped"))
    check(lab)


def test_a_paused_task_skips_its_own_moments_only_until_the_pause_ends_by_itself(lab):
    still, tick = lab.add_task("still", every="1s"), lab.add_task("tick", every="1s")
    pause(lab, pauses.task_scope(still.id), until=clock.now() + timedelta(seconds=5))
    waiting = run_now(lab, still)
    with lab.running():
        lab.wait(lambda: "skipped" in lab.states(task_id=still.id), "a skipped moment")
        lab.wait(lambda: "succeeded" in lab.states(task_id=tick.id), "the other one to go on")
        assert lab.run(waiting)["state"] == "queued"
        lab.wait_for_state(waiting, "succeeded", timeout=15)
        seen = lab.states(task_id=still.id).count("succeeded")
        lab.wait(lambda: lab.states(task_id=still.id).count("succeeded") > seen, "its moments to be run again")
        disable(lab, still)
        disable(lab, tick)
        lab.wait(lambda: all_over(lab), "the end")
    assert "skipped" not in lab.states(task_id=tick.id)
    check(lab)


def test_a_paused_queue_lets_runs_come_in_and_wait(lab):
    held = [lab.add_task(f"held-{number}", queue="backup") for number in range(3)]
    free = lab.add_task("free")
    pause(lab, pauses.queue_scope("backup"))
    with lab.running():
        waiting = [run_now(lab, task) for task in held]
        lab.wait_for_state(run_now(lab, free), "succeeded")
        lab.wait_for_state(run_now(lab, free), "succeeded")
        assert [lab.run(run)["state"] for run in waiting] == ["queued"] * 3
        resume(lab, pauses.queue_scope("backup"))
        lab.wait(lambda: lab.states() == ["succeeded"] * 5, "the waiting ones to run")
    check(lab)


def test_a_moment_for_a_paused_queue_waits_there(lab):
    tick = lab.add_task("tick", every="1s", queue="backup", overlap="queue_one")
    pause(lab, pauses.queue_scope("backup"), reason="a move")
    with lab.running():
        lab.wait(lambda: "queued" in lab.states(), "a waiting moment")
        assert "queue backup is paused by anna since" in reasons(lab, "queued")[0]
        resume(lab, pauses.queue_scope("backup"))
        lab.wait(lambda: "succeeded" in lab.states(), "it to run")
        disable(lab, tick)
        lab.wait(lambda: all_over(lab), "the end")
    check(lab)


def test_no_more_of_a_queue_run_at_once_than_it_allows_and_nobody_else_waits_for_it(lab):
    queues.set_bounds(lab.db, "backup", max_running=2, now=clock.now(), actor="anna")
    made = [lab.add_task(f"job-{number}", 0.4, queue="backup") for number in range(8)]
    made += [
        lab.add_task(f"tick-{number}", 0.4, queue="backup", every="1s", overlap="queue_one") for number in range(2)
    ]
    other = lab.add_task("other")
    with lab.running():
        for task in made[:8]:
            run_now(lab, task)
        lab.wait(lambda: len(started(lab)) >= 2, "the first two")
        behind = lab.wait_for_state(run_now(lab, other), "succeeded")
        assert "queued" in lab.states(), "the queue was empty before it was tried whether others pass it"
        lab.wait(lambda: {task.name for task in made} <= set(started(lab)), "all to have run", 30)
        for task in made[8:]:
            disable(lab, task)
        lab.wait(lambda: all_over(lab), "the end", 30)
    lines = [line for line in lab.effects.read_text().splitlines() if " other " not in line]
    going = list(itertools.accumulate(1 if line.split()[5] == "START" else -1 for line in lines))
    assert max(going) == 2
    assert behind["exit_code"] == 0
    check(lab)


def test_a_bound_that_is_raised_lets_more_start_at_once(lab):
    queues.set_bounds(lab.db, "backup", max_running=1, now=clock.now(), actor="anna")
    made = [lab.add_task(f"job-{number}", 30, queue="backup", grace_seconds=0) for number in range(3)]
    with lab.running():
        ids = [run_now(lab, task) for task in made]
        lab.wait(lambda: len(started(lab)) == 1, "the first")
        queues.set_bounds(lab.db, "backup", max_running=3, now=clock.now(), actor="anna")
        lab.wait(lambda: len(started(lab)) == 3, "the others")
        for run in ids:
            runs.cancel(lab.db, run, now=clock.now(), actor="tester")
        lab.wait(lambda: all_over(lab), "the end")


def test_what_has_the_highest_priority_is_started_first_whether_it_waits_or_is_due(make_lab):
    lab = make_lab(max_running=1)
    blocker = lab.add_task("blocker", 2.5)
    levels = {"low": -5, "normal": 0, "high": 5}
    waiting = {name: lab.add_task(name, 0.3, priority=level) for name, level in levels.items()}
    at = clock.now().replace(microsecond=0) + timedelta(seconds=4)
    lab.add_task("due-low", 0.3, priority=-6, at=f"{at:%Y-%m-%d %H:%M:%S}")
    lab.add_task("due-high", 0.3, priority=6, at=f"{at:%Y-%m-%d %H:%M:%S}")
    with lab.running():
        lab.wait(lambda: clock.now() > at - timedelta(seconds=2), "the moment to come near")
        run_now(lab, blocker)
        lab.wait(lambda: started(lab) == ["blocker"], "the only room to be taken")
        for task in waiting.values():
            run_now(lab, task)
        soon = triggers.run_soon(lab.db, lab.add_task("soon", 0.1).id, now=clock.now(), actor="tester")
        lab.wait(lambda: all_over(lab) and len(started(lab)) == 7, "all runs to end", 30)
    assert started(lab) == ["blocker", "soon", "due-high", "high", "normal", "low", "due-low"]
    assert lab.run(soon.id)["trigger"] == "asap"


def test_a_stream_of_urgent_runs_starves_nobody(make_lab):
    lab = make_lab(max_running=2)
    urgent, patient = lab.add_task("urgent", 0.2), lab.add_task("patient", every="1s")
    with lab.running():

        def ask_again() -> bool:
            triggers.run_soon(lab.db, urgent.id, now=clock.now(), actor="tester")
            return lab.states(task_id=patient.id).count("succeeded") >= 4

        lab.wait(ask_again, "the patient one to run four times beside it", 20)
        disable(lab, patient)
        lab.wait(lambda: all_over(lab), "the end")
    assert started(lab).count("urgent") >= 4
    check(lab)
