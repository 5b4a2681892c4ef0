"""The engine: a scheduler that announces by a real broker, and workers that claim, run, end and are killed."""

from __future__ import annotations

import json
import signal
import uuid

import pytest

from tests.process.brokers import house_with
from tests.process.lives import list_processes
from tests.waiting import wait_until
from watchbell import clock
from watchbell.engine.broker import Call, Line, place_of
from watchbell.services import engine, queues, runs


@pytest.fixture(scope="module")
def house(tmp_path_factory, nursery, empty_database, redis_broker):
    """Give an installation with a broker and a scheduler that all tests of the module share."""
    redis_broker.flush()
    with house_with(redis_broker, tmp_path_factory.mktemp("engine") / "home", nursery, empty_database) as made:
        yield made


@pytest.fixture
def worker(house):
    life = house.start_worker()
    yield life
    if life in house.lab.lives:
        assert life.stop() == 0


def test_a_worker_carries_a_run_and_brings_its_output_home(house):
    task = house.lab.add(
        "carried", "echo early; head -c 300000 /dev/zero | tr '\\0' x; echo oops >&2; exit 3", queue="heavy"
    )
    run_id = house.run(task)
    wait_until(lambda: house.picture().unserved == ["heavy"], what="it to be told that nobody serves the queue")
    assert house.lab.run(run_id)["state"] == "queued"
    worker = house.start_worker()

    row = house.lab.wait_for_state(run_id, "failed")

    assert row["holder"].startswith("engine-")
    assert row["exit_code"] == 3
    assert house.text(run_id) == b"early\n" + 300_000 * b"x"
    assert house.text(run_id, "stderr") == b"oops\n"
    attempt = house.lab.rows("SELECT * FROM attempt WHERE run_id = ?", run_id)[0]
    assert attempt["user_seconds"] is not None
    assert worker.stop() == 0
    assert [w.stopped_at is not None for w in house.picture().workers] == [True]


def test_what_a_command_writes_is_there_while_it_runs_and_a_cancel_reaches_it(house, worker):
    task = house.lab.add("slow", "echo begun; sleep 60", queue="heavy", grace_seconds=1)
    run_id = house.run(task, "running")
    wait_until(lambda: house.text(run_id) == b"begun\n", what="its output to come home")

    runs.cancel(house.lab.db, run_id, now=clock.now(), actor="anna")

    house.lab.wait_for_state(run_id, "cancelled")
    assert house.text(run_id) == b"begun\n"
    assert house.lab.rows("SELECT * FROM live_output") == []
    assert not list_processes(house.lab.token)


def test_a_run_goes_to_a_worker_of_its_queue_and_of_its_host_and_ends_at_its_time_limit(house, worker):
    queues.set_bounds(house.lab.db, "reports", max_running=None, carrier="engine", now=clock.now(), actor="tester")
    other = house.start_worker(queues=("reports",), name="other")
    elsewhere = house.run(house.lab.add("elsewhere", "true", queue="reports", host="elsewhere"))
    runs_of = {
        queue: house.run(house.lab.add(f"of-{queue}", "sleep 60", queue=queue, host=host, time_limit_seconds=1))
        for queue, host in (("heavy", ""), ("reports", "lab"))
    }
    pids = {
        queue: house.lab.rows(
            "SELECT pid FROM run JOIN engine_worker ON incarnation = holder WHERE run.id = ?",
            house.lab.wait_for_state(run_id, "timed_out")["id"],
        )[0]["pid"]
        for queue, run_id in runs_of.items()
    }

    assert pids == {"heavy": worker.pid, "reports": other.pid}
    assert house.lab.run(elsewhere)["state"] == "queued"
    assert not list_processes(house.lab.token)
    runs.cancel(house.lab.db, elsewhere, now=clock.now(), actor="tester")
    assert other.stop() == 0


def test_messages_that_come_twice_or_are_forged_or_garbage_start_nothing_twice(house, worker):
    heavy, light = house.lab.add_task("once", 0, 0, queue="heavy"), house.lab.add_task("light", 0, 0, queue="held")
    queues.set_bounds(house.lab.db, "held", max_running=None, carrier="engine", now=clock.now(), actor="tester")
    forged = house.run(light)
    house.freeze(worker)
    run_id = house.run(heavy)
    house.lab.wait(lambda: house.lab.rows("SELECT 1 FROM announcement WHERE run_id = ?", run_id), "its announcement")
    nonce = house.lab.rows("SELECT nonce FROM announcement WHERE run_id = ?", run_id)[0]["nonce"]
    line, place = Line(house.broker.url), place_of("heavy")
    for number, word in [
        (run_id, nonce),
        (run_id, "0" * 32),
        (forged, "0" * 32),
        (10**9, nonce),
        (-1, nonce),
        (run_id, nonce),
    ]:
        line.send([Call(place, number, word)])
    line.close()
    worker.signal(signal.SIGCONT)

    house.lab.wait_for_state(run_id, "succeeded")
    last = house.run(heavy, "succeeded")

    assert len(house.lab.effect_lines(run_id=run_id)) == len(house.lab.effect_lines(run_id=last)) == 1
    assert house.lab.run(forged)["state"] == "queued"
    assert house.lab.effect_lines(run_id=forged) == []
    runs.cancel(house.lab.db, forged, now=clock.now(), actor="tester")


def test_whatever_somebody_writes_to_the_broker_a_worker_goes_on_listening_and_says_so(house, worker):
    place, name = place_of("heavy"), str(uuid.uuid4())
    whole = {
        "queue_name": place,
        "actor_name": "start",
        "args": [10**9, "0" * 32],
        "kwargs": {},
        "options": {"redis_message_id": name},
        "message_id": name,
        "message_timestamp": 1,
    }
    forged = [
        *({key: value for key, value in whole.items() if key != gone} for gone in whole),
        *({**whole, key: value} for key in whole for value in ([], {}, None, 7, "x" * 99, [[]], {"a": []})),
        *({**whole, "options": {"redis_message_id": value}} for value in ([], {}, None, 7, "\ud800", "x" * 99)),
        *({**whole, "args": value} for value in ([], [{}, {}], [10**99, "0" * 32], [True, "0" * 32], ["1", 1])),
        {**whole, "args": [1, "0" * 32, "x" * 5_000_000]},
    ]
    garbage = [
        b"",
        b"\x80\x04.",
        b"null",
        b"[" * 100_000,
        b"1" * 5000,
        b'{"args": NaN}',
        *(json.dumps(one).encode() for one in forged),
    ]

    for data in garbage:
        house.broker.forge(place, data)

    house.run(house.lab.add_task("after-garbage", 0, 0, queue="heavy"), "succeeded")
    words = (house.lab.home / "worker" / "scheduler.log").read_text()
    assert f"Ignored in the broker's queue {place} what is no announcement" in words
    assert "announcements that are not in force, of run 1000000000" in words
    assert "Traceback" not in words
    assert len(words) < 100_000
    # What lies about its name goes with the next that is none.
    house.broker.forge(place, b"")
    wait_until(lambda: house.broker.held(place) == 0, what="all of it to be put away")


def test_a_broker_that_is_stopped_or_flushed_makes_runs_late_and_loses_none(house, worker):
    task = house.lab.add_task("late", 0, 0, queue="heavy", overlap="allow")
    house.run(task, "succeeded")
    house.broker.stop()
    wait_until(lambda: house.picture().trouble, what="the trouble to be told")
    assert "late" in engine.sentences(house.picture())[0]
    waiting = [house.run(task) for _ in range(3)]
    house.broker.start()
    for run_id in waiting:
        house.lab.wait_for_state(run_id, "succeeded")
    assert house.picture().trouble == ""
    house.freeze(worker)
    run_id = house.run(task)
    house.lab.wait(lambda: house.lab.rows("SELECT 1 FROM announcement WHERE run_id = ?", run_id), "its announcement")
    house.broker.flush()
    worker.signal(signal.SIGCONT)
    # As if some time had passed already in which nobody has claimed it.
    house.lab.execute("UPDATE announcement SET announced_at = datetime(announced_at, '-1 hour')")

    house.lab.wait_for_state(run_id, "succeeded")

    assert all(len(house.lab.effect_lines(run_id=number)) == 1 for number in [*waiting, run_id])


def test_a_worker_that_is_killed_takes_its_commands_over_at_its_next_start(house):
    worker = house.start_worker()
    task = house.lab.add_task("kept", 2, 5, queue="heavy")
    run_id = house.run(task, "running")
    worker.kill()
    second = house.start_worker()

    row = house.lab.wait_for_state(run_id, "failed")

    assert row["exit_code"] == 5
    assert len(house.lab.effect_lines(run_id=run_id)) == 1
    assert second.stop() == 0


def test_a_command_whose_run_was_given_up_is_ended_when_its_worker_comes_back_and_all_is_reported_late(house):
    lab, worker = house.lab, house.start_worker()
    goes_on = house.run(lab.add_task("given-up", 60, 0, queue="heavy", grace_seconds=1), "running")
    ends = house.run(lab.add_task("ends-meanwhile", 1, 5, queue="heavy"), "running")
    worker.kill()
    # As if its lease had ended.
    lab.execute("UPDATE engine_worker SET lost_at = beat_at WHERE stopped_at IS NULL")
    for run_id in (goes_on, ends):
        assert "worker of the engine is gone" in lab.wait_for_state(run_id, "lost")["reason"]
    lab.wait(lambda: lab.effect_lines("END", ends), "the end of the one")
    before = [tuple(lab.run(run_id)) for run_id in (goes_on, ends)]
    assert list_processes(lab.token)
    second = house.start_worker()

    lab.wait(lambda: not list_processes(lab.token), "its command to be ended")

    late = "SELECT * FROM run_event WHERE run_id = ? AND from_state = to_state"
    lab.wait(lambda: lab.rows(late, goes_on) and lab.rows(late, ends), "what became of them to be told")
    assert [tuple(lab.run(run_id)) for run_id in (goes_on, ends)] == before
    told = runs.get_detail(lab.db, ends).events
    assert [event.is_late_report for event in told] == [*[False] * (len(told) - 1), True]
    assert "late report of attempt 1: exit code 5" in told[-1].reason and told[-1].reason.endswith("the run stays lost")
    assert second.stop() == 0
    # What has been told is not told again.
    third = house.start_worker()
    assert len(lab.rows(late, ends)) == len(lab.rows(late, goes_on)) == 1
    assert third.stop() == 0


def test_a_worker_that_is_asked_to_end_takes_nothing_more_and_waits_for_what_runs(house):
    worker = house.start_worker(drain=30)
    task = house.lab.add_task("drained", 2, 0, queue="heavy", overlap="allow")
    first = house.run(task, "running")
    worker.signal(signal.SIGTERM)
    house.lab.wait(
        lambda: house.lab.rows("SELECT 1 FROM engine_worker WHERE stopping_at IS NOT NULL AND stopped_at IS NULL"),
        "the drain",
    )
    second = house.run(task)

    assert worker.reap() == 0

    assert house.lab.run(first)["state"] == "succeeded"
    assert house.lab.run(second)["state"] == "queued"
    runs.cancel(house.lab.db, second, now=clock.now(), actor="tester")
