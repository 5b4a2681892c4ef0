"""Kill the scheduler again and again at random moments; the independent checker says what that has done to the ledger."""

from __future__ import annotations

import contextlib
import os
import random
import time
from datetime import UTC, datetime

import pytest

from tests.process.lives import LAB
from tests.process.oracle import Oracle
from watchbell import clock
from watchbell.domain.task_definition import Defaults
from watchbell.errors import Conflict
from watchbell.services import runs, tasks, triggers

pytestmark = pytest.mark.fault

KILLS = int(os.environ.get("WATCHBELL_TEST_KILLS", "200"))
SEED = int(os.environ.get("WATCHBELL_TEST_SEED", "0")) or random.SystemRandom().randrange(1 << 32)
#: name, seconds, exit code, bytes of output, policies and schedule
MIX = [
    ("quick", 0, "own", 0, {"every": "1s"}),
    ("fails", 0, 7, 0, {"every": "1s"}),
    ("half", 0.5, "own", 0, {"every": "1s"}),
    ("long", 1.5, 3, 0, {"every": "2s"}),
    ("beside", 1.2, 5, 0, {"every": "1s", "overlap": "allow"}),
    ("queues", 0.8, 0, 0, {"every": "1s", "overlap": "queue_one"}),
    ("again", 0.3, "own", 0, {"every": "2s", "uncertain": "run_again"}),
    ("all", 0, 0, 0, {"every": "1s", "catch_up": "all"}),
    ("talks", 0.2, 9, 40_000, {"every": "2s"}),
    ("by-hand", 0.2, "own", 0, {}),
]


def live_and_die(lab, chance: random.Random) -> None:
    """Start a scheduler and kill it at a random moment: mostly while it works, sometimes while it only starts."""
    life = lab.start()
    if chance.random() < 0.75:
        life.wait_for_beat()
        moment = chance.uniform(0.0, 0.6)
    else:
        moment = chance.uniform(0.0, 0.25)
    assert not life.ended(moment), f"it ended by itself:\n{lab.scheduler_words()}"
    life.kill()


def test_random_kills_lose_nothing_and_double_nothing(lab, capsys):
    chance = random.Random(SEED)
    oracle = Oracle(lab.file, lab.effects, (LAB, lab.token))
    made = [lab.add_task(name, seconds, code, size, **fields) for name, seconds, code, size, fields in MIX]
    began = time.monotonic()

    for number in range(KILLS):
        live_and_die(lab, chance)
        oracle.snapshot()
        oracle.scan_processes()
        if number % 3 == 0:
            triggers.run_now(lab.db, made[-1].id, now=clock.now(), actor="tester", key=f"kill-{number}")
    verdict = oracle.judge(finish(lab, made))

    with capsys.disabled():
        print(f"\n{KILLS} kills in {time.monotonic() - began:.0f} s, seed {SEED}\n{verdict}")
    assert not verdict.all_violations, f"seed {SEED}"
    assert verdict.counts["started"] > KILLS, "too little was done to prove anything"


def meddle(lab, chance: random.Random, made) -> None:
    """Do what a person at the page might do at this moment."""
    task = chance.choice(made)
    active = lab.rows("SELECT id FROM run WHERE ended_at IS NULL")
    kind = chance.randrange(3)
    if kind == 0:
        triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester")
    elif kind == 1:
        defaults = Defaults(zone="UTC", owner="tester", host="")
        fields = {"comment": f"change {chance.random()}"}
        tasks.update(lab.db, task.id, fields, now=clock.now(), actor="tester", defaults=defaults)
    elif active:
        # One that ends by itself at this very moment keeps its own result, which is said by a Conflict.
        with contextlib.suppress(Conflict):
            runs.cancel(lab.db, chance.choice(active)["id"], now=clock.now(), actor="tester")


def test_random_kills_among_changes_and_cancels_lose_nothing_either(lab, capsys):
    chance = random.Random(SEED)
    oracle = Oracle(lab.file, lab.effects, (LAB, lab.token))
    made = [
        lab.add_task(name, seconds, code, size, grace_seconds=1, **fields) for name, seconds, code, size, fields in MIX
    ]

    for _ in range(KILLS // 5):
        meddle(lab, chance, made)
        life = lab.start()
        for _ in range(4):
            assert not life.ended(chance.uniform(0.0, 0.2)), lab.scheduler_words()
            meddle(lab, chance, made)
        life.kill()
        oracle.snapshot()
        oracle.scan_processes()
    verdict = oracle.judge(finish(lab, made))

    with capsys.disabled():
        print(f"\n{KILLS // 5} kills among changes and cancels, seed {SEED}\n{verdict}")
    assert not verdict.all_violations, f"seed {SEED}"


def finish(lab, made) -> datetime:
    """Let one more scheduler do all that is left, switch the tasks off and return until when all were looked after."""
    with lab.running():
        now = datetime.now(UTC).replace(tzinfo=None)
        behind = "SELECT count(*) FROM task WHERE schedule LIKE '%interval%' AND cursor_at < ?"
        lab.wait(lambda: lab.rows(behind, str(now))[0][0] == 0, "the scheduler to catch up", 30)
        for task in made:
            tasks.set_enabled(lab.db, task.id, False, now=clock.now(), actor="tester")
        active = "SELECT count(*) FROM run WHERE ended_at IS NULL"
        lab.wait(lambda: lab.rows(active)[0][0] == 0, "the last runs to end", 60)
    return now.replace(tzinfo=UTC)
