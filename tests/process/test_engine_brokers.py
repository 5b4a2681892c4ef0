"""F16: a broker that is stopped, killed, paused, full or forgets makes runs late; it loses none and doubles none. S42: nor do forgers."""

from __future__ import annotations

import json
import random
import signal
from datetime import UTC, datetime

import pytest

from tests.fault.scale import SEED, rounds
from tests.process.brokers import house_with
from tests.process.lives import LAB
from tests.process.oracle import Oracle
from tests.waiting import wait_until
from watchbell import clock
from watchbell.engine.broker import place_of
from watchbell.services import queues, runs, tasks

pytestmark = pytest.mark.fault

#: All come late here, which is no reason for them not to come; nor is it that a busy machine has held the scheduler up for
#: longer than from one moment to the next.
LATE = {"queue": "heavy", "overlap": "allow", "latest_start_seconds": 3600, "catch_up": "all"}
TROUBLES = {
    "redis_broker": ("killed", "paused", "full", "forgetful"),
    "rabbit": ("restarted", "paused", "full", "forgetful"),
}


@pytest.fixture(scope="module", params=list(TROUBLES))
def house(request, tmp_path_factory, nursery, empty_database):
    broker = request.getfixturevalue(request.param)
    with house_with(broker, tmp_path_factory.mktemp("brokers") / "home", nursery, empty_database) as made:
        made.troubles = TROUBLES[request.param]
        yield made


def begin(house, worker, trouble: str) -> None:
    broker = house.broker
    if trouble == "forgetful":
        # What is announced now is in the broker when that forgets it.
        house.freeze(worker)
    else:
        {"killed": broker.kill, "restarted": broker.stop, "paused": broker.pause, "full": broker.fill}[trouble]()


def end(house, worker, trouble: str) -> None:
    broker = house.broker
    if trouble == "forgetful":
        house.lab.wait(lambda: house.lab.rows("SELECT 1 FROM announcement"), "an announcement")
        broker.flush()
        worker.signal(signal.SIGCONT)
    else:
        {"killed": broker.start, "restarted": broker.start, "paused": broker.resume, "full": broker.make_room}[
            trouble
        ]()


def newest(house) -> int:
    return house.lab.rows("SELECT coalesce(max(id), 0) AS id FROM run")[0]["id"]


def wait_for_runs(house, count: int) -> int:
    """Wait until so many more runs have been made, and return the last of them."""
    wanted = newest(house) + count
    house.lab.wait(lambda: newest(house) >= wanted, "moments to come")
    return wanted


def require_all_done(house, last: int) -> None:
    """Wait until all runs up to one are over, as if the times had passed after which they are announced again."""

    def is_done() -> bool:
        house.lab.execute(
            "UPDATE announcement SET announced_at = datetime(announced_at, '-1 hour') WHERE run_id <= ?", last
        )
        return not house.lab.rows("SELECT 1 FROM run WHERE id <= ? AND ended_at IS NULL", last)

    house.lab.wait(is_done, "the runs of that time to be over", 60)


def test_a_broker_in_trouble_loses_no_run_and_doubles_none(house, claims):
    lab, chance = house.lab, random.Random(SEED)
    oracle = Oracle(lab.file, lab.effects, (LAB, lab.token))
    made = [
        lab.add_task("each-second", 0, "own", every="1s", **LATE),
        lab.add_task("lasting", 1.5, 3, every="2s", **LATE),
        lab.add_task("again", 0.3, "own", every="2s", uncertain="run_again", **LATE),
    ]
    worker = house.start_worker()
    wait_for_runs(house, 2)
    count = 0
    for number in rounds("BROKERS", 1, 50):
        for trouble in chance.sample(house.troubles, len(house.troubles)):
            begin(house, worker, trouble)
            last = wait_for_runs(house, chance.randint(2, 4 if number == 0 else 30))
            if trouble in {"killed", "full"}:
                wait_until(lambda: house.picture().trouble, 30, "the trouble to be told")
            end(house, worker, trouble)
            require_all_done(house, last)
            oracle.snapshot()
            count += 1
        if number:
            worker.kill()
            worker = house.start_worker()
    until = datetime.now(UTC)
    for task in made:
        tasks.set_enabled(lab.db, task.id, False, now=clock.now(), actor="tester")
    require_all_done(house, newest(house))
    assert worker.stop() == 0

    verdict = oracle.judge(until)

    claims.figure("F16", "troubles of a broker", str(count))
    claims.judged("F16", verdict)
    # What is due at the very moment in which a task is disabled, and not made yet, is written down with that reason.
    query = "SELECT state, reason FROM run WHERE state IN ('missed', 'skipped', 'lost')"
    missing = [f"{state}: {why}" for state, why in lab.rows(query) if "the task was disabled" not in why]
    claims.none_of("F16", "runs that came to nothing", sum(verdict.counts.values()), missing)
    assert house.picture().trouble == ""


def forgeries(run_id: int, nonce: str) -> list[bytes]:
    """Return what somebody might write into a broker."""
    whole = {
        "queue_name": place_of("heavy"), "actor_name": "start", "kwargs": {}, "options": {},
        "message_id": "1", "message_timestamp": 1,
    }  # fmt: skip
    arguments = [
        [run_id, "0" * 32], [run_id, ""], [10**9, nonce], [2**63, nonce], [-1, nonce], [True, nonce], [str(run_id), nonce], [run_id], [],
        [[run_id], {"nonce": nonce}], [run_id, "x" * (1 << 20)],
    ]  # fmt: skip
    told = [json.dumps({**whole, "args": one}).encode() for one in arguments]
    told += [json.dumps({**whole, "args": [run_id, "1" * 32], "options": one}).encode() for one in (None, [], 1)]
    return [b"", b"\0\xff", b"{}", b"[]", b"null", b"{" * 5000, *told]


def test_what_a_forger_writes_into_the_broker_starts_nothing_and_deafens_nobody(house):
    lab = house.lab
    queues.set_bounds(lab.db, "held", max_running=None, carrier="engine", now=clock.now(), actor="tester")
    worker = house.start_worker()
    held, task = lab.add_task("held", 0, 0, queue="held"), lab.add_task("true", 0, 0, queue="heavy")
    waits, over = house.run(held), house.run(task, "succeeded")
    for body in forgeries(waits, "a" * 32) + forgeries(over, "a" * 32)[:8]:
        house.broker.forge(place_of("heavy"), body)

    last = house.run(task)
    lab.wait_for_state(last, "succeeded", timeout=60)

    assert lab.run(waits)["state"] == "queued"
    assert [len(lab.effect_lines(run_id=number)) for number in (waits, over, last)] == [0, 1, 1]
    assert [one.trouble for one in house.picture().workers if one.pid == worker.pid] == [""]
    runs.cancel(lab.db, waits, now=clock.now(), actor="tester")
    assert worker.stop() == 0
