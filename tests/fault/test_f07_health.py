"""F07: a scheduler that hangs, fails or loses a thread is told by /health within 15 s, and ends instead of lingering."""

from __future__ import annotations

import json
import signal
import time
import urllib.error
import urllib.request

import pytest

from tests.fault.scale import LONG
from tests.process.lives import list_processes
from tests.process.page import Page
from tests.process.points import BREAK_NOW
from tests.waiting import wait_until
from watchbell import clock
from watchbell.control.supervisor import Supervisor
from watchbell.errors import EXIT_FAILURE, EXIT_WATCHDOG
from watchbell.services import incidents, triggers

pytestmark = pytest.mark.fault

#: What is promised.
SECONDS = 15.0


def health(page) -> tuple[int, dict[str, object]]:
    try:
        with urllib.request.urlopen(f"{page.url}/health", timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def seconds_until_ill(page) -> float:
    began = time.monotonic()
    wait_until(lambda: health(page)[0] == 503, SECONDS + 5, "/health to tell", interval=0.5)
    return time.monotonic() - began


@pytest.fixture
def page(lab):
    made = Page(lab)
    yield made
    made.kill()


def test_a_suspended_scheduler_is_told_and_goes_on(lab, page, claims):
    life = lab.start()
    life.wait_for_beat()
    wait_until(lambda: health(page)[0] == 200, 10, "a healthy answer")
    life.signal(signal.SIGSTOP)

    seconds = seconds_until_ill(page)

    claims.none_of("F07", "suspended, not told within 15 s", 1, [seconds] if seconds > SECONDS else [])
    claims.figure("F07", "suspended, told after", f"{seconds:.0f} s")
    assert health(page)[1]["scheduler"] == "stalled"
    life.signal(signal.SIGCONT)
    wait_until(lambda: health(page)[0] == 200, 10, "a healthy answer again")
    # The watchdog does not blame the loop for a silence of the whole process.
    assert not life.ended(2)
    assert life.stop() == 0
    assert [found.kind for found in incidents.list_newest(lab.db)] == ["held_up"]


BREAKS = [
    ("the loop raises", EXIT_FAILURE, "failed", "MemoryError"),
    ("the watcher dies", EXIT_FAILURE, "failed", "RuntimeError"),
    ("the clock dies", EXIT_WATCHDOG, "watchdog", "the clock has ended"),
]
HANGS = [("the loop hangs", EXIT_WATCHDOG, "watchdog", "the loop has not turned for")]


@pytest.mark.parametrize(("point", "code", "kind", "words"), BREAKS + (HANGS if LONG else []))
def test_a_scheduler_that_cannot_go_on_is_told_and_ends_with_a_code(lab, page, claims, point, code, kind, words):
    # So that every thread has something to do.
    lab.add_task("tick", 0, 0, every="1s")
    task = lab.add_task("long", 40 if point == "the loop hangs" else 8, 7)
    life = lab.start(point)
    life.wait_for_beat()
    run_id = triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester").id
    lab.wait(lambda: lab.effect_lines("START", run_id), "the start")
    (lab.home / BREAK_NOW).touch()

    seconds = seconds_until_ill(page)

    assert life.reap(40) == code, lab.scheduler_words()
    claims.none_of("F07", f"{point}, not told within 15 s", 1, [seconds] if seconds > SECONDS else [])
    claims.figure("F07", f"{point}, told after", f"{seconds:.0f} s")
    (told,) = incidents.list_newest(lab.db)
    assert told.kind == kind
    assert words in told.message
    # Its command runs on, and the next life knows how it ended.
    assert list_processes(lab.token)
    with lab.running():
        wait_until(lambda: health(page)[0] == 200, 10, "a healthy answer again")
        assert lab.wait_for_state(run_id, "failed", timeout=45)["exit_code"] == 7


def test_the_watchdog_takes_no_end_in_good_order_for_a_thread_that_died(lab):
    life = lab.start("the clock ends long before the rest")
    life.wait_for_beat()

    assert life.stop() == 0, lab.scheduler_words()
    assert incidents.list_newest(lab.db) == []


def test_an_end_that_hangs_is_ended(lab):
    life = lab.start("the end hangs")
    life.wait_for_beat()

    assert life.stop() == EXIT_WATCHDOG, lab.scheduler_words()
    (told,) = incidents.list_newest(lab.db)
    assert "its end has taken" in told.message


def test_up_starts_a_scheduler_that_the_watchdog_has_ended_again(lab, page, claims):
    """The supervisor looks at how it ended, whatever the code."""
    said = []
    supervisor = Supervisor(lab.config, said.append)
    life = lab.start("the loop hangs")
    life.wait_for_beat()
    supervisor.begin()
    (lab.home / BREAK_NOW).touch()
    seconds = seconds_until_ill(page)
    claims.none_of("F07", "the loop hangs, not told within 15 s", 1, [seconds] if seconds > SECONDS else [])
    assert life.reap(45) == EXIT_WATCHDOG
    (lab.home / BREAK_NOW).unlink()
    began = time.monotonic()

    def is_back() -> bool:
        supervisor.step()
        return bool(lab.rows("SELECT 1 FROM scheduler WHERE pid <> ? AND stopped_at IS NULL", life.pid))

    wait_until(is_back, 20, "the next scheduler", interval=0.2)
    claims.figure("F07", "started again after", f"{time.monotonic() - began:.1f} s")
    supervisor.end()
    assert any("It is started again" in line for line in said), said
