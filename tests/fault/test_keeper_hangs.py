"""Keepers that are stopped, and tasks whose directory lies on a file system that does not answer: others go on."""

from __future__ import annotations

import os
import signal
from collections import Counter

import pytest

from tests.fault import dead_mount
from tests.fault.scale import rounds
from tests.process.lives import LAB
from tests.process.oracle import Oracle
from watchbell import clock
from watchbell.services import tasks, triggers

pytestmark = pytest.mark.fault


def test_no_start_that_a_stopped_keeper_was_asked_for_happens_twice(lab, claims):
    oracle = Oracle(lab.file, lab.effects, (LAB, lab.token))
    made = [
        lab.add_task("quick", 0, "own", every="1s", overlap="allow", latest_start_seconds=60),
        lab.add_task("long", 2, "own", every="1s", overlap="allow", latest_start_seconds=60),
    ]
    stops = 0

    with lab.running() as life:
        for number in rounds("KEEPER_STOPS", 3, 100):
            known = lab.wait(lambda: (found := life.keepers()) and len(found) == 2 and found, "two keepers")
            # One of them, or both at once.
            stopped = set(known[: 1 + number % 2])
            for keeper in stopped:
                os.kill(keeper, signal.SIGSTOP)
                stops += 1
            # All of them: one that is still there would be stopped, and counted, twice.
            lab.wait(lambda gone=stopped: not gone & set(life.keepers()), "the keepers to be replaced", 30)
            oracle.snapshot()
        for task in made:
            tasks.set_enabled(lab.db, task.id, False, now=clock.now(), actor="tester")
        lab.wait(lambda: not lab.rows("SELECT 1 FROM run WHERE ended_at IS NULL"), "the last runs to end", 60)
        told_of = "SELECT 1 FROM incident WHERE kind = 'keeper'"
        lab.wait(lambda: len(lab.rows(told_of)) >= stops, f"all {stops} stopped keepers to be told of", 15)

    starts = Counter(line[0] for line in lab.effect_lines("START"))
    told = lab.rows("SELECT message FROM incident WHERE kind = 'keeper'")
    wrong = [row["reason"] for row in lab.rows("SELECT reason FROM run WHERE state IN ('lost', 'running')")]
    claims.figure("P2", "keepers stopped", str(stops))
    claims.none_of("P2", "runs started twice around stopped keepers", len(starts), [n for n in starts if starts[n] > 1])
    claims.none_of("P8", "runs lost by stopped keepers", len(starts), wrong)
    claims.none_of("P5", "stopped keepers that were told to nobody", stops, ["untold"] * (stops - len(told)))


def test_a_directory_that_does_not_answer_holds_up_nothing_but_its_own_run(lab, claims, tmp_path):
    with dead_mount.mounted(tmp_path / "dead") as is_mounted:
        gone = str(tmp_path / "dead" / "job") if is_mounted else str(tmp_path / "nowhere")
        held = lab.add("held", "pwd", directory=gone, time_limit_seconds=3, grace_seconds=1)
        lab.add_task("other", 0, 0, every="1s", latest_start_seconds=5)
        with lab.running() as life:
            before = set(lab.wait(life.keepers, "keepers"))
            run_id = triggers.run_now(lab.db, held.id, key="k", now=clock.now(), actor="tester").id
            seen = len(lab.effect_lines("START"))
            lab.wait(lambda: len(lab.effect_lines("START")) >= seen + 8, "the other task to go on", 30)
            row = lab.wait_for_state(run_id, "timed_out" if is_mounted else "failed", timeout=30)
            assert set(life.keepers()) == before

    late = lab.rows("SELECT id FROM run WHERE state = 'missed'")
    stalls = lab.rows("SELECT message FROM incident")
    assert "time limit of 3 s reached" in row["reason"] or not is_mounted
    claims.none_of("P5", "moments missed beside a directory that does not answer", 8, [row["id"] for row in late])
    claims.none_of("P5", "stalls of the loop by such a directory", 8, [row["message"] for row in stalls])
