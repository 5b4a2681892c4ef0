"""Schedulers as they tell of themselves."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.database import NOW, add_run, add_task, url_of
from watchbell.domain.run_state import RunState
from watchbell.errors import Unavailable
from watchbell.services import heartbeats
from watchbell.store.heartbeats import Scheduler
from watchbell.store.session import Database

MINUTE = timedelta(minutes=1)


def _life(name: str = "one", *, at: datetime = NOW, user: str = "ann", host: str = "watchtower") -> Scheduler:
    return Scheduler(
        incarnation=name,
        user=user,
        host=host,
        environment="production",
        session_id="1795348800000000",
        version="0.1.0",
        pid=4711,
        start_ticks=5,
        boot_id="boot",
        started_at=at,
        beat_at=at,
    )


def _beats(db: Database, now: datetime) -> list[list[datetime]]:
    return [[beat.at for beat in life.beats] for life in heartbeats.list_lives(db, now=now)]


def test_there_is_no_life_before_the_first(db: Database) -> None:
    assert (heartbeats.newest(db), heartbeats.find(db, "one"), heartbeats.list_lives(db, now=NOW)) == (None, None, [])


def test_a_life_begins_with_its_first_beat(db: Database) -> None:
    heartbeats.begin(db, _life())

    (life,) = heartbeats.list_lives(db, now=NOW)
    assert (life.scheduler.incarnation, life.presence.words) == ("one", "Active")
    assert [beat.at for beat in life.beats] == [NOW]


def test_a_first_beat_that_could_not_be_stored_can_be_tried_again(db: Database, database_file: Path) -> None:
    impatient = Database.open(url_of(database_file), busy_timeout_seconds=0.01)
    scheduler = _life()
    with db.write() as session:
        session.add(_life("holds the lock"))
        session.flush()
        with pytest.raises(Unavailable):
            heartbeats.begin(impatient, scheduler)

    heartbeats.begin(impatient, scheduler)

    assert heartbeats.find(db, "one").pid == 4711
    impatient.close()


def test_a_beat_moves_the_life_on_and_only_some_are_kept(db: Database) -> None:
    heartbeats.begin(db, _life())

    heartbeats.beat(db, "one", now=NOW + MINUTE, running=2, keep=True)
    heartbeats.beat(db, "one", now=NOW + 2 * MINUTE, running=3, keep=False)

    life = heartbeats.find(db, "one")
    assert (life.beat_at, life.running) == (NOW + 2 * MINUTE, 3)
    assert _beats(db, NOW) == [[NOW, NOW + MINUTE]]


def test_who_asked_first_is_why_it_stops(db: Database) -> None:
    heartbeats.begin(db, _life())

    heartbeats.begin_stop(db, "one", now=NOW + MINUTE, reason="asked by ann")
    heartbeats.begin_stop(db, "one", now=NOW + 2 * MINUTE, reason="SIGTERM")
    heartbeats.end(db, "one", now=NOW + 3 * MINUTE, running=1)

    life = heartbeats.find(db, "one")
    assert (life.stopping_at, life.stop_reason) == (NOW + MINUTE, "asked by ann")
    assert (life.stopped_at, life.beat_at, life.running) == (NOW + 3 * MINUTE, NOW + 3 * MINUTE, 1)


def test_a_life_that_is_not_in_the_database_is_no_error(db: Database) -> None:
    heartbeats.beat(db, "gone", now=NOW, running=0, keep=False)
    heartbeats.begin_stop(db, "gone", now=NOW, reason="x")
    heartbeats.end(db, "gone", now=NOW, running=0)

    assert heartbeats.find(db, "gone") is None


def test_the_newest_life_is_the_one_that_began_last(db: Database) -> None:
    heartbeats.begin(db, _life("old", at=NOW - MINUTE))
    heartbeats.begin(db, _life("new"))
    heartbeats.begin(db, _life("far", at=NOW + MINUTE, host="elsewhere"))
    heartbeats.beat(db, "old", now=NOW + 9 * MINUTE, running=0, keep=False)

    assert heartbeats.newest(db).incarnation == "far"
    assert heartbeats.newest(db, "watchtower").incarnation == "new"
    assert heartbeats.newest(db, "nowhere") is None


def test_lives_of_one_user_on_one_host_are_one_card_with_all_their_beats(db: Database) -> None:
    heartbeats.begin(db, _life("first", at=NOW - 60 * MINUTE))
    heartbeats.begin(db, _life("second", at=NOW - 10 * MINUTE))
    heartbeats.begin(db, _life("other", at=NOW - 30 * MINUTE, user="bob"))

    lives = heartbeats.list_lives(db, now=NOW)

    told = [(life.scheduler.user, life.scheduler.incarnation, life.presence.words) for life in lives]
    assert told == [("ann", "second", "Idle (10m ago)"), ("bob", "other", "Idle (30m ago)")]
    assert [beat.at for beat in lives[0].beats] == [NOW - 60 * MINUTE, NOW - 10 * MINUTE]


def test_beats_of_yesterday_are_not_shown(db: Database) -> None:
    heartbeats.begin(db, _life(at=NOW - timedelta(hours=25)))
    heartbeats.beat(db, "one", now=NOW - timedelta(hours=24), running=0, keep=True)

    assert _beats(db, NOW) == [[NOW - timedelta(hours=24)]]


def test_a_card_tells_what_its_scheduler_runs_and_not_what_others_do(db: Database) -> None:
    heartbeats.begin(db, _life("mine"))
    task = add_task(db)
    own = add_run(db, task, RunState.RUNNING, "a", holder="mine", started_at=NOW)
    add_run(db, task, RunState.RUNNING, "b", holder="another", started_at=NOW)
    add_run(db, task, RunState.SUCCEEDED, "c", holder="mine", started_at=NOW, ended_at=NOW)

    (life,) = heartbeats.list_lives(db, now=NOW)

    assert [run.id for run in life.runs] == [own.id]
