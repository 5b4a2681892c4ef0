"""A moment of fuzzing for each target, so that none of them is broken when somebody wants hours of it: ``make fuzz``."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import strategies as st

from tests.fuzz.fuzzing import Target, fuzz
from tests.fuzz.server import Server
from tests.fuzz.targets import READERS

SECONDS = 0.2
#: What grows is not let grow so far here that one example takes all of the time.
LONGEST = 20_000
SERVER = ("form bodies", "imported texts", "cookies and headers", "agent messages")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Server:
    return Server.made_in(tmp_path_factory.mktemp("fuzzed"), migrated_file)


def _feed(target: Target) -> None:
    outcome = fuzz(target, seconds=SECONDS, first_seed=1, longest=LONGEST)

    assert outcome.examples > 0
    assert {where: (crash.example, crash.trace) for where, crash in outcome.crashes.items()} == {}, str(outcome)


@pytest.mark.parametrize("target", READERS, ids=lambda target: target.name)
def test_nothing_that_a_reader_is_fed_breaks_it(target: Target) -> None:
    _feed(target)


@pytest.mark.parametrize("name", SERVER)
def test_nothing_that_a_server_is_sent_breaks_it(name: str, server: Server) -> None:
    (target,) = [target for target in server.targets() if target.name == name]

    _feed(target)


def test_what_breaks_and_what_takes_too_long_is_told_with_an_example() -> None:
    def take(value: str) -> None:
        if "7" in value:
            raise KeyError(value)
        if "8" in value:
            begin = time.process_time()
            while time.process_time() - begin < 0.06:
                pass

    target = Target("numbers", lambda _longest: st.sampled_from(["7", "8", "9"]), take, 10, most_seconds=0.05)

    outcome = fuzz(target, seconds=0.3, first_seed=1)

    assert any(where.startswith("KeyError at ") for where in outcome.crashes)
    assert "8" in outcome.crashes["slow"].example
    assert str(outcome).startswith(f"numbers: {sum(crash.count for crash in outcome.crashes.values())} of ")
