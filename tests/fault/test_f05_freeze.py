"""F05: a scheduler that is frozen while another one works on the same database, and goes on as if nothing had been."""

from __future__ import annotations

import random
import signal
import subprocess
import sys

import pytest

from tests.fault.life_work import come_to_an_end, oracle_of
from tests.fault.scale import SEED, count, rounds
from tests.process.lives import ROOT
from watchbell.errors import EXIT_ALREADY_RUNNING, EXIT_WATCHDOG

pytestmark = pytest.mark.fault

#: In the long lane longer than the 30 s after which a lease, or a watchdog's patience, is over.
FROZEN_SECONDS = count("FROZEN_SECONDS", 3, 45)


def go_on(lab, life) -> None:
    """Let a frozen scheduler go on; one whose own watchdog finds that it stood still may end itself, and is replaced."""
    life.signal(signal.SIGCONT)
    if life.ended(2):
        assert life.reap() == EXIT_WATCHDOG, lab.scheduler_words()
        lab.start().wait_for_beat()


def test_a_frozen_scheduler_writes_nothing_stale_and_doubles_nothing(make_lab, claims):
    chance = random.Random(SEED)
    one = make_lab("one")
    two = make_lab("two", database_url=one.config.database_url)
    oracle = oracle_of(one)
    made = [one.add_task(f"task-{n}", n * 0.2, "own", every="1s", latest_start_seconds=60) for n in range(5)]
    made.append(one.add_task("again", 0.5, "own", every="1s", uncertain="run_again", latest_start_seconds=60))
    frozen = one.start()
    frozen.wait_for_beat()
    other = two.start()
    other.wait_for_beat()

    for _ in rounds("FREEZES", 2, 40):
        victim, lab = (frozen, one) if chance.random() < 0.5 else (other, two)
        assert not victim.ended(chance.uniform(0.2, 1.0)), lab.scheduler_words()
        victim.signal(signal.SIGSTOP)
        assert not victim.ended(FROZEN_SECONDS)
        oracle.snapshot()
        go_on(lab, victim)
        frozen, other = one.lives[0], two.lives[0]
        oracle.snapshot()
    until = come_to_an_end(one, made)
    assert frozen.stop() == other.stop() == 0

    claims.judged("F05", oracle.judge(until))


def test_a_second_scheduler_does_not_take_the_place_of_a_frozen_one(lab, claims):
    task = lab.add_task("tick", 0, 0, every="1s")
    refused, tried = [], 0
    with lab.running() as life:
        life.signal(signal.SIGSTOP)
        for _ in rounds("SECOND_STARTS", 2, 20):
            command = [sys.executable, "-m", "watchbell", "--home", str(lab.home), "scheduler", "run"]
            second = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
            tried += 1
            if second.returncode != EXIT_ALREADY_RUNNING or f"PID {life.pid}" not in second.stderr:
                refused.append(f"{second.returncode}: {second.stderr}")
        life.signal(signal.SIGCONT)
        come_to_an_end(lab, [task])
    claims.none_of("F05", "second schedulers that started beside a frozen one", tried, refused)
