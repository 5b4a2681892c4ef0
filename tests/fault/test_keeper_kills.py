"""The keeper of commands is killed at random moments: its commands come to the scheduler, which loses none of their ends."""

from __future__ import annotations

import os
import random
import signal
from datetime import UTC, datetime

import pytest

from tests.fault.scale import SEED, rounds
from tests.process.lives import LAB
from tests.process.oracle import Oracle
from watchbell import clock
from watchbell.services import tasks

pytestmark = pytest.mark.fault

MIX = [
    ("quick", 0, "own", 0, {"every": "1s", "overlap": "allow"}),
    ("half", 0.5, "own", 0, {"every": "1s", "overlap": "allow"}),
    ("long", 1.5, 3, 0, {"every": "1s", "overlap": "allow"}),
    ("talks", 0.2, 9, 40_000, {"every": "1s", "overlap": "allow"}),
    ("retries", 0.1, 7, 0, {"every": "2s", "retries": 2, "retry_delay_seconds": 1}),
]


def finish(lab, made) -> datetime:
    """Switch the tasks off, let the scheduler that is there do the rest, and return until when all were looked after."""
    now = datetime.now(UTC).replace(tzinfo=None)
    behind = "SELECT count(*) FROM task WHERE cursor_at < ?"
    lab.wait(lambda: lab.rows(behind, str(now))[0][0] == 0, "the scheduler to come so far", 30)
    for task in made:
        tasks.set_enabled(lab.db, task.id, False, now=clock.now(), actor="tester")
    lab.wait(lambda: lab.rows("SELECT count(*) FROM run WHERE ended_at IS NULL")[0][0] == 0, "the last runs to end", 60)
    return now.replace(tzinfo=UTC)


def test_a_keeper_that_is_killed_costs_no_run_its_end(lab, claims):
    chance = random.Random(SEED)
    oracle = Oracle(lab.file, lab.effects, (LAB, lab.token))
    made = [lab.add_task(name, seconds, code, size, **fields) for name, seconds, code, size, fields in MIX]
    kills = 0

    with lab.running() as life:
        for _ in rounds("KEEPER_KILLS", 15, 1000):
            keeper = chance.choice(lab.wait(life.keepers, "a keeper to be there"))
            assert not life.ended(chance.uniform(0.0, 0.5)), lab.scheduler_words()
            os.kill(keeper, signal.SIGKILL)
            lab.wait(lambda gone=keeper: gone not in (alive := life.keepers()) and len(alive) == 2, "another keeper")
            kills += 1
            oracle.snapshot()
            oracle.scan_processes()
        # Whoever has taken a command over from its keeper has to be there when it ends: nobody else could know.
        verdict = oracle.judge(finish(lab, made))
        assert not life.ended(0), lab.scheduler_words()

    claims.figure("P8", "kills of the keeper", str(kills))
    claims.judged("P8", verdict)
    lost = lab.rows("SELECT id, reason FROM run WHERE state = 'lost'")
    claims.none_of(
        "P8", "runs lost by a kill of the keeper", verdict.counts["started"], [row["reason"] for row in lost]
    )
