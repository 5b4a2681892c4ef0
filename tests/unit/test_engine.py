"""What of the engine the database decides: who may claim what was announced, and what a worker that is gone leaves."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from tests.database import NOW, add_run, add_task
from watchbell.domain.policies import build_policies
from watchbell.engine.broker import place_of, read
from watchbell.scheduler.herald import Herald, Leases
from watchbell.services import engine, queues
from watchbell.services.lives import is_worker, is_worker_at, name_worker
from watchbell.services.tickets import Turn
from watchbell.services.turns import take_turn
from watchbell.store import runs as run_store
from watchbell.store.engine import EngineWorker

pytestmark = pytest.mark.on_both

_numbers = itertools.count(1)
WORKER = name_worker("one", "far", "/srv/worker")


@pytest.fixture
def heavy(db):
    queues.set_bounds(db, "heavy", max_running=None, carrier="engine", now=NOW, actor="ann")


def begin(db, name=WORKER, *, host="far", queues=("heavy",), seats=4):
    engine.begin(
        db,
        EngineWorker(
            incarnation=name, user="ann", host=host, version="1", pid=7, boot_id="boot", queues=list(queues),
            max_running=seats, started_at=NOW, beat_at=NOW,
        ),
    )  # fmt: skip


def claim(db, announced, *, holder=WORKER, host="far"):
    turn = Turn(NOW, holder, "worker@far", room=10, announced=announced, host=host)
    return [ticket.run_id for ticket in take_turn(db, turn).tickets]


def announce(db, *, now=NOW, living=(WORKER,)):
    return {one.run_id: one.nonce for one in engine.announce(db, living, now=now)}


def state_of(db, run_id):
    with db.read() as session:
        return run_store.find_run(session, run_id).state


def queued(db, **fields):
    task = add_task(db, f"task-{next(_numbers)}", **{"queue": "heavy", "host": "", **fields})
    return add_run(db, task, queue="heavy").id


def test_a_schedulers_turn_leaves_the_runs_of_the_engine_and_a_worker_takes_them_once(db, heavy):
    begin(db)
    run_id = queued(db)
    assert take_turn(db, Turn(NOW, "scheduler", "s", room=10)).tickets == []
    told = announce(db)
    assert list(told) == [run_id]
    assert announce(db) == {}

    assert claim(db, {run_id: "0" * 32}) == []
    assert claim(db, told) == [run_id]
    assert claim(db, told) == []


def test_what_nobody_claims_is_announced_again_under_its_nonce_and_ever_less_often(db, heavy):
    begin(db)
    queued(db)
    told = announce(db)
    moments = [NOW + timedelta(seconds=seconds) for seconds in (9, 11, 29, 32)]

    assert [announce(db, now=moment) for moment in moments] == [{}, told, {}, told]
    assert announce(db, now=NOW - timedelta(days=1)) == told


def test_nothing_is_announced_that_no_living_worker_could_take(db, heavy):
    begin(db)
    queued(db, host="elsewhere")
    assert announce(db) == {}
    free = queued(db)
    assert announce(db, living=()) == {}
    assert list(announce(db)) == [free]
    begin(db, name_worker("two", "elsewhere", "/srv/worker"), host="elsewhere", queues=("other",))
    assert announce(db, living=(WORKER, name_worker("two", "elsewhere", "/srv/worker"))) == {}


def test_no_more_is_announced_than_a_queue_may_run(db, heavy):
    begin(db)
    queues.set_bounds(db, "heavy", max_running=1, now=NOW, actor="ann")
    first, second = queued(db), queued(db)

    told = announce(db)

    assert list(told) == [first]
    assert claim(db, {**told, second: "0" * 32}) == [first]
    assert announce(db) == {}
    assert queues.get(db, "heavy", now=NOW).carrier == "engine"


def test_what_may_not_start_when_it_is_claimed_is_announced_anew(db, heavy):
    begin(db)
    run_id = queued(db)
    told = announce(db)
    queues.set_bounds(db, "heavy", max_running=None, carrier="scheduler", now=NOW, actor="ann")
    assert claim(db, told) == []
    queues.set_bounds(db, "heavy", max_running=None, carrier="engine", now=NOW, actor="ann")

    assert claim(db, announce(db)) == [run_id]


def test_a_worker_whose_lease_has_ended_claims_nothing_and_does_not_get_it_back(db, heavy):
    begin(db)
    run_id = queued(db)
    told = announce(db)
    assert engine.give_up(db, WORKER, now=NOW, beats=7) is False

    assert engine.give_up(db, WORKER, now=NOW, beats=0)

    assert claim(db, told) == []
    assert not engine.renew(db, WORKER, now=NOW, running=0)
    assert state_of(db, run_id) == "queued"


@pytest.mark.parametrize(
    ("choice", "state", "decision"), [("lost", "lost", None), ("run_again", "queued", None), ("ask", "lost", "open")]
)
def test_the_task_decides_what_becomes_of_runs_whose_worker_is_gone(db, heavy, monkeypatch, choice, state, decision):
    begin(db)
    policies = build_policies({"queue": "heavy", "uncertain": choice})
    run_id = queued(db, uncertain=choice)
    assert claim(db, announce(db)) == [run_id]
    herald = Herald(
        db, "", "tower", policies=lambda _task, _version: policies, actor="scheduler@tower", holder="scheduler"
    )
    herald.step(NOW)
    assert state_of(db, run_id) == "starting"
    monkeypatch.setattr(engine, "LEASE_SECONDS", 0.0)
    monkeypatch.setattr(herald, "_step_at", 0.0)
    monkeypatch.setattr(herald, "_watch_at", 0.0)

    herald.step(NOW)

    with db.read() as session:
        run = run_store.find_run(session, run_id)
    assert (run.state, run.decision) == (state, decision)
    assert "worker of the engine is gone" in run.reason
    assert engine.list_lost(db) == []


def test_a_lease_ends_by_the_watchers_own_clock_and_only_without_renewals():
    leases = Leases()
    assert leases.note({"a": 1, "b": 1}, 100.0) == {}
    assert leases.note({"a": 2, "b": 1}, 125.0) == {}
    assert leases.living(126.0) == {"a"}
    assert leases.note({"a": 2, "b": 1}, 130.0) == {"b": 1}
    assert leases.note({"a": 2}, 155.0) == {"a": 2}


def test_the_picture_says_what_is_late_and_why(db, heavy):
    assert engine.find_trouble(db, now=NOW) == []
    queued(db)
    assert engine.find_trouble(db, now=NOW) == ["Runs wait for a worker of the engine, and none serves: heavy."]
    begin(db)
    assert engine.find_trouble(db, now=NOW) == []
    engine.tell_broker(db, "tower", trouble="the broker is away", since=NOW, now=NOW)
    assert engine.find_trouble(db, now=NOW) == ["Runs of the engine's queues are late: the broker is away."]
    assert engine.find_trouble(db, now=NOW + timedelta(minutes=1)) != []
    queues.remove(db, "heavy", now=NOW, actor="ann")
    assert engine.find_trouble(db, now=NOW) is None


@pytest.mark.parametrize(
    "arguments",
    [None, "12", [1], [1, 2], [True, "0" * 32], ["1", "0" * 32], [0, "0" * 32], [2**63, "0" * 32], [1, "0" * 31], {}],
)
def test_what_is_no_announcement_is_none(arguments):
    assert read(arguments) is None
    assert read((7, "a" * 32)) == (7, "a" * 32)


def test_names_of_workers_and_places_tell_hosts_apart():
    assert is_worker(WORKER)
    assert not is_worker("exec-1")
    assert not is_worker(None)
    assert is_worker_at(WORKER, "far")
    assert not is_worker_at(WORKER, "near")
    assert len({place_of("a"), place_of("a", "h"), place_of("a", "i"), place_of("b")}) == 4
    assert place_of("a", "Tower") == place_of("a", "tower")
