"""F33: stops in good order, storms of signals and upgrades while many commands run: each keeps its true result."""

from __future__ import annotations

import random
import signal

import pytest

from tests.fault.life_work import finish_and_judge
from tests.fault.scale import SEED, count, rounds
from watchbell import clock
from watchbell.services import triggers

pytestmark = pytest.mark.fault

STOP_SECONDS = 10


def test_every_command_that_ran_during_a_stop_keeps_its_result(make_lab, claims):
    chance = random.Random(SEED)
    lab = make_lab(max_running=100)
    many = count("RUNNING", 30, 50)
    task = lab.add_task("job", 3, "own", 40_000, overlap="allow")
    tick = lab.add_task("tick", 0, 0, every="1s")
    wrong, stops = [], 0

    for number in rounds("STOPS", 2, 100):
        life = lab.start()
        life.wait_for_beat()
        before = len(lab.effect_lines("START"))
        for one in range(many):
            triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester", key=f"{number}-{one}")
        lab.wait(lambda before=before: len(lab.effect_lines("START")) >= before + many / 2, "half of them to run")
        for _ in range(chance.choice((1, 20))):
            if not life.ended(0):
                life.signal(chance.choice((signal.SIGTERM, signal.SIGINT, signal.SIGHUP)))
        if not life.ended(0):
            life.signal(signal.SIGTERM)
        code = life.reap(STOP_SECONDS)
        wrong += [] if code == 0 else [f"stop {number}: exit code {code}"]
        stops += 1
    verdict = finish_and_judge(lab, [tick])

    claims.none_of("F33", f"stops that were not in good order within {STOP_SECONDS} s", stops, wrong)
    claims.judged("F33", verdict)
    assert verdict.cases["P8 true exit code recorded"] >= stops * many
