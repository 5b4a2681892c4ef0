"""F01: kill the scheduler again and again at random moments; the independent checker says what that does to the ledger."""

from __future__ import annotations

import contextlib
import random
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.fault.scale import SEED, count, rounds
from tests.process.lives import LAB
from tests.process.oracle import Oracle
from watchbell import clock
from watchbell.domain.task_definition import Defaults
from watchbell.errors import Conflict
from watchbell.services import pauses, queues, runs, tasks, triggers

pytestmark = pytest.mark.fault

#: name, seconds, exit code, bytes of output, policies and schedule
MIX = [
    ("quick", 0, "own", 0, {"every": "1s"}),
    ("fails", 0, 7, 0, {"every": "1s"}),
    ("half", 0.5, "own", 0, {"every": "1s"}),
    ("long", 1.5, 3, 0, {"every": "2s"}),
    ("beside", 1.2, 5, 0, {"every": "1s", "overlap": "allow"}),
    ("queues", 0.8, 0, 0, {"every": "1s", "overlap": "queue_one"}),
    ("lines-up", 0.8, 0, 0, {"every": "1s", "overlap": "queue_all", "overlap_limit": 3}),
    ("replaces", 1.5, "own", 0, {"every": "1s", "overlap": "replace", "grace_seconds": 1}),
    ("retries", 0.1, 7, 0, {"every": "2s", "retries": 2, "retry_delay_seconds": 1, "retry_backoff": "linear"}),
    ("first", 0.3, 4, 0, {"every": "1s", "queue": "narrow", "priority": 5}),
    ("second", 0.3, "own", 0, {"every": "1s", "queue": "narrow", "overlap": "queue_one"}),
    ("again", 0.3, "own", 0, {"every": "2s", "uncertain": "run_again"}),
    ("asks", 0.3, "own", 0, {"every": "2s", "uncertain": "ask"}),
    ("all", 0, 0, 0, {"every": "1s", "catch_up": "all"}),
    ("none", 0, 0, 0, {"every": "1s", "catch_up": "skip", "latest_start_seconds": 1}),
    ("talks", 0.2, 9, 40_000, {"every": "2s"}),
    ("by-hand", 0.2, "own", 0, {}),
]
#: Within this, on the same host, a new scheduler knows of every run of the one that was killed.
RECOVERY_SECONDS = 5.0


def live_and_die(lab, chance: random.Random) -> None:
    """Start a scheduler and kill it at a random moment: mostly while it works, sometimes while it only starts."""
    life = lab.start()
    if chance.random() < 0.75:
        life.wait_for_beat()
        if chance.random() < 0.5:
            # On a slow machine a life would otherwise be over before it has started anything.
            lines = len(lab.effect_lines())
            lab.wait(lambda: len(lab.effect_lines()) > lines, "a command to be started")
        moment = chance.uniform(0.0, 0.6)
    else:
        moment = chance.uniform(0.0, 0.25)
    assert not life.ended(moment), f"it ended by itself:\n{lab.scheduler_words()}"
    life.kill()


def seconds_to_recover(lab) -> float:
    """Start a scheduler, measure until every run that was in the air is over or its own, and kill it."""
    held = "SELECT id FROM run WHERE state IN ('claimed', 'starting', 'running', 'cancelling')"
    left = [row["id"] for row in lab.rows(held)]
    began = time.monotonic()
    life = lab.start()
    life.wait_for_beat()
    mine = lab.rows("SELECT incarnation FROM scheduler WHERE pid = ? ORDER BY started_at DESC", life.pid)[0][0]
    marks = ",".join(map(str, left)) or "-1"
    elsewhere = f"SELECT 1 FROM run WHERE id IN ({marks}) AND ended_at IS NULL AND holder IS NOT NULL AND holder != ?"
    lab.wait(lambda: not lab.rows(elsewhere, mine), "the runs in the air to be taken over")
    took = time.monotonic() - began
    life.kill()
    return took


def test_random_kills_lose_nothing_and_double_nothing(lab, claims):
    chance = random.Random(SEED)
    oracle = Oracle(lab.file, lab.effects, (LAB, lab.token))
    made = [lab.add_task(name, seconds, code, size, **fields) for name, seconds, code, size, fields in MIX]
    queues.set_bounds(lab.db, "narrow", max_running=1, comment="", now=clock.now(), actor="tester")
    kills = 0
    recoveries = []

    for number in rounds("KILLS", 30, 5000):
        if number % 10 == 0:
            recoveries.append(seconds_to_recover(lab))
        else:
            live_and_die(lab, chance)
        kills += 1
        oracle.snapshot()
        oracle.scan_processes()
        if number % 3 == 0:
            triggers.run_now(lab.db, made[-1].id, now=clock.now(), actor="tester", key=f"kill-{number}")
    verdict = oracle.judge(finish(lab, made))

    report(claims, verdict, kills)
    slow = [f"{took:.2f} s" for took in recoveries if took > RECOVERY_SECONDS]
    claims.figure("F01", "recovery on the same host, longest", f"{max(recoveries):.2f} s of {len(recoveries)} measured")
    claims.none_of("F01", f"recoveries that took longer than {RECOVERY_SECONDS:g} s", len(recoveries), slow)
    assert verdict.counts["started"] > kills, "too little was done to prove anything"


def report(claims, verdict, kills: int) -> None:
    """Tell the shares that are promised, and then every promise."""
    results = verdict.cases["P8 true exit code recorded"]
    wrong = len(verdict.violations["P8 true exit code recorded"]) + len(verdict.violations["P8 true output kept"])
    claims.figure("F01", "kills", str(kills))
    claims.figure("F01", "runs that keep their true exit code and output", f"{1 - wrong / results:.2%} of {results}")
    claims.judged("F01", verdict)


def meddle(lab, chance: random.Random, made) -> None:
    """Do what a person at the page might do at this moment."""
    task = chance.choice(made)
    active = lab.rows("SELECT id FROM run WHERE ended_at IS NULL")
    kind = chance.randrange(5)
    if kind == 0:
        triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester")
    elif kind == 1:
        defaults = Defaults(zone="UTC", owner="tester", host="")
        fields = {"comment": f"change {chance.random()}"}
        tasks.update(lab.db, task.id, fields, now=clock.now(), actor="tester", defaults=defaults)
    elif kind == 2:
        scope = chance.choice([pauses.EVERYTHING, pauses.task_scope(task.id), pauses.queue_scope("narrow")])
        until = clock.now() + timedelta(seconds=1)
        pauses.pause(lab.db, scope, now=clock.now(), actor="tester", reason="a look", until=until)
    elif kind == 3:
        triggers.run_soon(lab.db, task.id, now=clock.now(), actor="tester")
    elif active:
        # One that ends by itself at this very moment keeps its own result, which is said by a Conflict.
        with contextlib.suppress(Conflict):
            runs.cancel(lab.db, chance.choice(active)["id"], now=clock.now(), actor="tester")


def test_random_kills_among_changes_and_cancels_lose_nothing_either(lab, claims):
    chance = random.Random(SEED)
    oracle = Oracle(lab.file, lab.effects, (LAB, lab.token))
    made = [
        lab.add_task(name, seconds, code, size, **{"grace_seconds": 1, **fields})
        for name, seconds, code, size, fields in MIX
    ]

    kills = 0
    for _ in rounds("KILLS_AMONG_CHANGES", 15, count("KILLS", 30, 5000) // 5):
        meddle(lab, chance, made)
        life = lab.start()
        for _ in range(4):
            assert not life.ended(chance.uniform(0.0, 0.2)), lab.scheduler_words()
            meddle(lab, chance, made)
        life.kill()
        kills += 1
        oracle.snapshot()
        oracle.scan_processes()
    report(claims, oracle.judge(finish(lab, made)), kills)


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
