"""Requests that wait until something happens to a run, each in a thread as a server would have it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
from flask import Flask

from tests.database import NOW, add_run, add_task
from tests.unit.run_rows import add_attempt
from tests.waiting import crowd, wait_until
from watchbell.config import Config
from watchbell.domain.run_state import RunState
from watchbell.errors import NotFound, TooMany
from watchbell.services import runs
from watchbell.store.runs import Run
from watchbell.store.session import Database
from watchbell.web import realtime
from watchbell.web.factory import create_app
from watchbell.web.outputs import Part, Stream
from watchbell.web.realtime import waiting
from watchbell.web.realtime.sockets import hub_of

T = TypeVar("T")
Ask = Callable[[Callable[[], T]], "Future[T]"]


@pytest.fixture
def served(web_config: Config, db: Database) -> Iterator[Flask]:
    """Give an application of the test's own, with its own hub on the test's database."""
    app = create_app(web_config)
    yield app
    realtime.end(app)
    app.extensions["watchbell.database"].close()


@pytest.fixture
def ask(served: Flask) -> Iterator[Ask[object]]:
    """Return a function that asks something in a request of its own, and whose answer can be waited for."""
    with ThreadPoolExecutor(max_workers=20) as pool:

        def within(question: Callable[[], object], *, threads: bool = True) -> object:
            with served.test_request_context(environ_overrides={"wsgi.multithread": threads}):
                return question()

        yield lambda question, **options: pool.submit(within, question, **options)
        realtime.end(served)


def waits(served: Flask, number: int = 1) -> None:
    """Wait until so many requests wait."""
    hub = hub_of(served)
    wait_until(lambda: sum(map(len, hub._watches.values())) == number, 10, f"{number} that wait")


def cancel(db: Database, run: Run) -> None:
    runs.cancel(db, run.id, now=NOW, actor="ann")


def test_the_end_of_a_run_is_answered_at_once(served: Flask, ask: Ask[Run], db: Database) -> None:
    run = add_run(db, add_task(db))
    answer = ask(lambda: realtime.wait_for(run.id, until_final=True, timeout=20))
    waits(served)
    begin = time.monotonic()
    cancel(db, run)

    assert answer.result(10).state == RunState.CANCELLED
    assert time.monotonic() - begin < 2 * crowd()


def test_a_change_that_is_no_end_is_one_only_for_whoever_waits_for_any(
    served: Flask, ask: Ask[Run], db: Database
) -> None:
    run = add_run(db, add_task(db), RunState.RUNNING, fence=1)
    any_change = ask(lambda: realtime.wait_for(run.id, until_final=False, timeout=20))
    the_end = ask(lambda: realtime.wait_for(run.id, until_final=True, timeout=40))
    waits(served, 2)
    cancel(db, run)

    assert any_change.result(10).state == RunState.CANCELLING
    assert not the_end.done()
    realtime.end(served)
    assert the_end.result(10).state == RunState.CANCELLING


def test_a_run_that_has_ended_is_waited_for_by_nobody(ask: Ask[Run], db: Database) -> None:
    run = add_run(db, add_task(db), RunState.SUCCEEDED)

    assert ask(lambda: realtime.wait_for(run.id, until_final=True, timeout=20)).result(5).id == run.id
    with pytest.raises(NotFound):
        ask(lambda: realtime.wait_for(999, until_final=True, timeout=20)).result(5)


def test_other_runs_wake_nobody(served: Flask, ask: Ask[Run], db: Database) -> None:
    task = add_task(db)
    run, other = add_run(db, task), add_run(db, task)
    answer = ask(lambda: realtime.wait_for(run.id, until_final=True, timeout=2))
    waits(served)
    (watch,) = hub_of(served)._watches[run.id]
    cancel(db, other)

    assert answer.result(10).state == RunState.QUEUED
    assert not watch._event.is_set()


def test_nobody_is_kept_waiting_by_a_server_with_one_thread(ask: Callable[..., Future[Run]], db: Database) -> None:
    run = add_run(db, add_task(db))
    begin = time.monotonic()

    found = ask(lambda: realtime.wait_for(run.id, until_final=True, timeout=20), threads=False).result(10)

    assert found.state == RunState.QUEUED
    assert time.monotonic() - begin < 3 * crowd()


def test_never_more_wait_than_the_server_can_spare(served: Flask, ask: Ask[Run], db: Database) -> None:
    run = add_run(db, add_task(db))
    answers = [
        ask(lambda: realtime.wait_for(run.id, until_final=True, timeout=20)) for _ in range(waiting.MOST_WAITING)
    ]
    waits(served, waiting.MOST_WAITING)

    with pytest.raises(TooMany):
        ask(lambda: realtime.wait_for(run.id, until_final=True, timeout=20)).result(5)
    cancel(db, run)
    assert {answer.result(10).state for answer in answers} == {RunState.CANCELLED}
    again = add_run(db, add_task(db, "other"))
    assert ask(lambda: realtime.wait_for(again.id, until_final=True, timeout=0.1)).result(5).state == RunState.QUEUED


def test_whoever_waits_is_answered_when_the_server_stops(served: Flask, ask: Ask[Run], db: Database) -> None:
    run = add_run(db, add_task(db))
    answer = ask(lambda: realtime.wait_for(run.id, until_final=True, timeout=20))
    waits(served)
    realtime.end(served)

    assert answer.result(2).state == RunState.QUEUED


def test_more_output_is_answered_when_it_is_written(
    served: Flask, ask: Ask[Part], db: Database, tmp_path: Path
) -> None:
    run = add_run(db, add_task(db), RunState.RUNNING, started_at=NOW, attempts=1)
    add_attempt(db, run, folder=str(tmp_path / "1.1"), ended=False)
    written = tmp_path / "1.1.out"
    written.write_bytes(b"one\n")
    stream = Stream(db, tmp_path, run.id, "stdout")
    first = ask(lambda: realtime.wait_for_output(stream, 0, timeout=20)).result(5)
    more = ask(lambda: realtime.wait_for_output(stream, first.slice.next_offset, timeout=20))
    waits(served)
    written.write_bytes(b"one\ntwo\n")

    assert first.slice.data == b"one\n"
    assert more.result(5).slice.data == b"two\n"


def test_output_that_does_not_come_is_an_empty_part_after_the_time(
    ask: Ask[Part], db: Database, tmp_path: Path
) -> None:
    run = add_run(db, add_task(db), RunState.RUNNING, started_at=NOW, attempts=1)
    add_attempt(db, run, folder=str(tmp_path / "1.1"), ended=False)
    stream = Stream(db, tmp_path, run.id, "stdout")

    part = ask(lambda: realtime.wait_for_output(stream, 0, timeout=0.5)).result(10)

    assert (part.slice.data, part.is_complete) == (b"", False)


def test_a_stream_that_is_complete_is_waited_for_by_nobody(ask: Ask[Part], db: Database, tmp_path: Path) -> None:
    run = add_run(db, add_task(db), RunState.SUCCEEDED, started_at=NOW, attempts=1)
    add_attempt(db, run)
    stream = Stream(db, tmp_path, run.id, "stdout")

    assert ask(lambda: realtime.wait_for_output(stream, 0, timeout=20)).result(5).is_complete


def test_the_hub_is_there_for_the_next_who_waits_after_it_has_rested(
    served: Flask, ask: Ask[Run], db: Database
) -> None:
    run = add_run(db, add_task(db))
    ask(lambda: realtime.wait_for(run.id, until_final=True, timeout=0.1)).result(5)
    hub = hub_of(served)
    wait_until(lambda: hub._thread is None, 20, "the hub to rest")
    # The thread says that it rests, and is gone a moment later.
    wait_until(
        lambda: "watchbell-hub" not in {thread.name for thread in threading.enumerate()}, 20, "its thread to end"
    )
    answer = ask(lambda: realtime.wait_for(run.id, until_final=True, timeout=20))
    waits(served)
    cancel(db, run)

    assert answer.result(10).state == RunState.CANCELLED
