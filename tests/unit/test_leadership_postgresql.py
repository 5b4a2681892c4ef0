"""The lease of the leader on a server: who gets it, who keeps it, and that nobody writes as the leader without it."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from tests.database import NOW, add_task
from tests.unit.turning import HOLDER, all_runs, due_task, turn
from tests.waiting import wait_until
from watchbell.domain.policies import Overlap
from watchbell.errors import LeaseLost
from watchbell.services import heartbeats, leadership, tasks
from watchbell.services.leadership import Standing
from watchbell.services.tickets import DueTask
from watchbell.store.heartbeats import Scheduler
from watchbell.store.session import Database

MINE = text("INSERT INTO change_mark (name, value) VALUES ('mine', 1)")


@pytest.fixture
def server(postgres_url: str) -> Iterator[Database]:
    database = Database.open(postgres_url)
    yield database
    database.close()


def begin(db: Database, incarnation: str, host: str = "east", user: str = "ann") -> Standing:
    scheduler = Scheduler(
        incarnation=incarnation, user=user, host=host, environment="production", session_id="1", version="0.1.0",
        pid=1, start_ticks=1, boot_id="boot", started_at=NOW, beat_at=NOW,
    )  # fmt: skip
    return heartbeats.begin(db, scheduler)


def beat(db: Database, incarnation: str, term: int | None = None) -> Standing:
    return heartbeats.beat(db, incarnation, now=NOW, running=0, keep=False, load=0.5, term=term)


def run_out(db: Database) -> None:
    """Let the holder of the lease have given no sign for half a minute."""
    with db.write() as session:
        session.execute(text("UPDATE lease SET until = clock_timestamp() - interval '15 seconds'"))


def test_the_first_leads_and_the_next_on_another_host_stands_by_until_its_lease_has_run_out(server: Database) -> None:
    assert begin(server, "one.a", "east") == Standing(1)
    second = begin(server, "two.b", "west")
    assert (second.term, second.other) == (None, "ann@east")
    assert 0 < second.look_in <= leadership.LEASE_SECONDS + 1
    assert (beat(server, "one.a", 1).term, beat(server, "two.b").term) == (1, None)

    run_out(server)

    taken = beat(server, "two.b")
    assert (taken.term, taken.other, round(taken.silent_seconds)) == (2, "ann@east", 30)
    lost = beat(server, "one.a", 1)
    assert (lost.term, lost.other) == (None, "ann@west")


def test_a_lease_that_has_run_out_is_kept_if_nobody_else_has_taken_it(server: Database) -> None:
    begin(server, "one.a")
    run_out(server)

    assert beat(server, "one.a", 1).term == 1
    assert not leadership.is_free(server)


@pytest.mark.parametrize(
    ("incarnation", "host", "user", "leads"),
    [
        ("next.a", "east", "bob", True),
        ("next.b", "east", "ann", True),
        ("next.b", "east", "bob", False),
        ("next.a", "west", "ann", False),
    ],
    ids=["the same data directory", "the same user and host", "another user and directory", "another host"],
)
def test_the_newest_life_of_a_host_leads_in_place_of_the_one_before(
    server: Database, incarnation: str, host: str, user: str, leads: bool
) -> None:
    begin(server, "one.a", "east", "ann")

    assert begin(server, incarnation, host, user).term == (2 if leads else None)


def test_who_is_asked_to_stop_gives_the_lease_back_and_its_term_stays(server: Database) -> None:
    begin(server, "one.a", "east")
    begin(server, "two.b", "west")

    heartbeats.begin_stop(server, "one.a", now=NOW, reason="asked")

    assert leadership.is_free(server)
    assert beat(server, "two.b") == Standing(2, other="", silent_seconds=0.0)
    heartbeats.end(server, "one.a", now=NOW, running=0)
    assert beat(server, "two.b", 2).term == 2


def test_the_heartbeats_tell_who_leads_and_how_busy_its_machine_is(server: Database) -> None:
    begin(server, "one.a", "east")
    begin(server, "two.b", "west")
    beat(server, "one.a", 1)

    lives = {life.scheduler.host: life for life in heartbeats.list_lives(server, now=NOW)}

    assert {host: life.leads for host, life in lives.items()} == {"east": True, "west": False}
    assert lives["east"].scheduler.load == 0.5


def test_who_has_lost_the_lease_writes_nothing_as_the_leader(server: Database) -> None:
    begin(server, "one.a", "east")
    led = leadership.fenced(server, "one.a", lambda: 1)
    with led.write() as session:
        session.execute(text("INSERT INTO change_mark (name, value) VALUES ('while it led', 1)"))
    begin(server, "two.b", "west")
    run_out(server)
    beat(server, "two.b")

    with pytest.raises(LeaseLost), led.write() as session:
        session.execute(MINE)

    with server.read() as session:
        names = session.scalars(text("SELECT name FROM change_mark")).all()
    assert "while it led" in names and "mine" not in names


def test_who_has_waited_for_another_writer_sees_that_the_lease_was_taken_meanwhile(
    server: Database, postgres_url: str
) -> None:
    """What takes the lock sees the rows as they were when it began to wait; only a statement after it tells the truth."""
    begin(server, "one.a", "east")
    begin(server, "two.b", "west")
    run_out(server)
    other = Database.open(postgres_url)
    led = leadership.fenced(other, "one.a", lambda: 1)
    outcome: list[str] = []

    def write() -> None:
        try:
            with led.write() as session:
                session.execute(MINE)
            outcome.append("written")
        except LeaseLost:
            outcome.append("lost")

    thread = threading.Thread(target=write)
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    with server.write() as session:
        thread.start()
        wait_until(lambda: session.scalar(waiting), what="the first leader to wait for the lock")
        leadership.keep(session, "two.b", None, now=NOW)
    thread.join(20)
    other.close()

    assert outcome == ["lost"]


def test_a_turn_of_a_leader_of_the_past_makes_no_rows_of_what_may_run_anywhere(server: Database) -> None:
    anywhere = add_task(server, "anywhere", every="1m", host="")
    bound = add_task(server, "bound", every="1m", host="east")
    due = [dataclasses.replace(due_task(anywhere), is_anywhere=True), due_task(bound)]
    begin(server, HOLDER, "east")
    begin(server, "two.b", "west")
    run_out(server)
    beat(server, "two.b")

    turned = turn(server, *due, term=1)

    assert (turned.is_deposed, turned.changed_tasks, turned.planned_tasks) == (True, {anywhere.id}, {bound.id})
    assert [run.task_name for run in all_runs(server)] == ["bound"]
    assert tasks.get(server, anywhere.id).cursor_at == anywhere.cursor_at
    assert len(turned.tickets) == 1


def test_a_turn_of_the_leader_makes_rows_of_everything(server: Database) -> None:
    anywhere = dataclasses.replace(due_task(add_task(server, "anywhere", every="1m", host="")), is_anywhere=True)
    begin(server, HOLDER)

    turned = turn(server, anywhere, term=1)

    assert not turned.is_deposed
    assert [run.task_name for run in all_runs(server)] == ["anywhere"]


@pytest.mark.embedded
def test_on_the_embedded_database_everybody_leads_and_a_change_asks_nothing(db: Database) -> None:
    assert begin(db, "one.a", "east").term == 1
    assert begin(db, "two.b", "west").term == 2

    assert (beat(db, "one.a", 1).term, beat(db, "two.b", 2).term) == (1, 2)
    assert leadership.fenced(db, "one.a", lambda: 1) is db
    told = {life.scheduler.host: life.leads for life in heartbeats.list_lives(db, now=NOW)}
    assert told == {"east": False, "west": True}


def test_the_leader_knows_how_many_work_beside_it(server: Database) -> None:
    begin(server, "one.a", "east")
    begin(server, "two.b", "west")
    begin(server, "three.c", "north")
    assert beat(server, "one.a", 1).company == 2

    heartbeats.begin_stop(server, "two.b", now=NOW, reason="asked")

    assert beat(server, "one.a", 1).company == 1


def test_what_may_run_anywhere_is_dealt_out_after_what_the_leader_can_start_at_once() -> None:
    def due(number: int, *, is_anywhere: bool = True) -> DueTask:
        return DueTask(number, f"task {number}", 1, 1, "UTC", Overlap.SKIP, [], NOW, None, is_anywhere=is_anywhere)

    tasks_due = [due(0, is_anywhere=False), *map(due, range(1, 9))]

    shared = leadership.share(tasks_due, own=2, hands=3, turn=1)
    alone = leadership.share([due(1)], own=0, hands=2, turn=1)
    alone += leadership.share([due(1)], own=0, hands=2, turn=2)

    assert [one.task_id for one in shared if one.is_shared] == [3, 4, 6, 7]
    assert [one.is_shared for one in alone] == [True, False]


def test_what_is_shared_waits_in_the_queue_although_there_is_room(server: Database) -> None:
    task = add_task(server, "anywhere", every="1m", host="")
    begin(server, HOLDER)

    turned = turn(server, dataclasses.replace(due_task(task), is_anywhere=True, is_shared=True), term=1)

    (run,) = all_runs(server)
    assert (turned.tickets, turned.has_backlog) == ([], True)
    assert (run.state, run.reason) == ("queued", "waits for the first scheduler with room")
