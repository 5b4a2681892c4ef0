"""The socket of metrics, from a real server: the same numbers for everybody, every two seconds, once."""

from __future__ import annotations

import contextlib
import itertools
import json
import time

import pytest

from tests.served.listening import Web
from tests.waiting import crowd, wait_until
from watchbell import clock, resources
from watchbell.services import triggers

pytestmark = pytest.mark.skipif(
    not resources.have_assets(), reason="the browser libraries are missing; run: make assets"
)


@pytest.fixture
def web(lab):
    made = Web(lab)
    yield made
    made.kill()


def hear(ear, seconds: float) -> list[tuple[float, dict]]:
    """Return what comes within some seconds, with when it came."""
    until, heard = time.monotonic() + seconds, []
    while (left := until - time.monotonic()) > 0:
        # Nothing more came; the loop ends by its own condition.
        with contextlib.suppress(TimeoutError):
            text = ear.connection.recv(timeout=left)
            heard.append((time.monotonic(), json.loads(text)))
    return heard


def test_each_of_many_is_pushed_the_same_numbers_every_two_seconds_and_once(lab, web) -> None:
    task = lab.add("quick", "true")
    with contextlib.ExitStack() as stack, lab.running():
        run = triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester")
        lab.wait_for_state(run.id, "succeeded", timeout=20)
        ears = [stack.enter_context(web.listen(path="/ws/metrics")) for _ in range(5)]
        # The last one is heard from its beginning on, so that it is known when each word came.
        first, *others = (hear(ear, 7.0 if number == 0 else 0.5) for number, ear in enumerate(reversed(ears)))

    times, told = zip(*first, strict=True)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(told) in {3, 4}
    assert all(1.5 <= gap <= 2.5 * crowd() for gap in gaps), gaps
    for message in (*told, *(message for heard in others for _at, message in heard)):
        assert message.keys() >= {
            "total_executions", "total_metrics", "total_alerts", "unique_scripts", "total_execution_time_seconds",
            "database_file", "database_size_mb", "execution_statistics", "performance_metrics", "cached_at",
        }  # fmt: skip
        assert "type" not in message, "no event and no heartbeat"
    assert told[-1]["total_executions"] == 1
    assert told[-1]["execution_statistics"] == {
        "total_executions": 1,
        "successful": 1,
        "failed": 0,
        "success_rate": 100.0,
    }
    assert told[-1]["performance_metrics"]["count"] == 1
    assert "/" not in told[-1]["database_file"]


def test_what_a_listener_says_is_passed_over_and_its_end_is_clean(lab, web) -> None:
    with web.listen(path="/ws/metrics") as ear:
        for text in ("{}", "not json", '{"type": "ping"}') * 5:
            ear.connection.send(text)
        heard = [message for _at, message in hear(ear, 2.5)]

    assert heard
    assert all("total_executions" in message for message in heard)
    wait_until(lambda: json.loads(web.read("/api/health"))["websocket_clients"] == 0, 5, "the place to be free")


def test_it_takes_no_arguments_and_nothing_but_sockets(web) -> None:
    assert web.status("/ws/metrics?after=3") == 422
    assert web.status("/ws/metrics") == 426
