"""Two schedulers on one server: one of them leads, and what becomes of that when it is killed, stopped or ends."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.process.lives import Life, Nursery
from tests.waiting import wait_until
from watchbell import clock
from watchbell.config import Config
from watchbell.domain.task_definition import Defaults
from watchbell.services import tasks
from watchbell.store.session import Database

pytestmark = pytest.mark.fault

#: From the last sign of a leader until another scheduler has taken its place.
TAKE_OVER_SECONDS = 20


class Host:
    """One host of its own name and data directory, for as much as a scheduler can tell; several share a database."""

    def __init__(self, home: Path, nursery: Nursery, url: str) -> None:
        self.nursery = nursery
        self.lives: list[Life] = []
        self.name = home.name
        self.settings = {"home": str(home), "zone": "UTC", "hostname": self.name, "database_url": url}
        self.config = Config.load(self.settings)
        self.out = home.with_suffix(".txt")

    def start(self) -> Life:
        pid = self.nursery.ask(do="start", settings=self.settings, out=str(self.out), die_at="")["pid"]
        self.lives.append(Life(self, pid, os.pidfd_open(pid)))  # type: ignore[arg-type]
        return self.lives[-1]

    def scheduler_words(self) -> str:
        files = [self.config.log_path, self.out]
        return "\n".join(file.read_text()[-2500:] for file in files if file.exists())


class Pair:
    """Two hosts, and what their database tells."""

    def __init__(self, folder: Path, nursery: Nursery, url: str) -> None:
        self.db = Database.open(url)
        self.hosts = {name: Host(folder / name, nursery, url) for name in ("east", "west")}

    def add(self, name: str, host: str = "", command: str = "true") -> None:
        given = {"name": name, "command": command, "every": "1s", "host": host}
        defaults = Defaults(zone="UTC", owner="tester", host="")
        tasks.create(self.db, given, now=clock.now(), actor="tester", defaults=defaults)

    def start(self) -> tuple[Life, Life]:
        """Start both and return the leader, which is on the east, and the one that stands by."""
        east = self.hosts["east"].start()
        self.wait(lambda: self.leader() == "east", "the first to lead")
        west = self.hosts["west"].start()
        self.wait(lambda: self.rows("SELECT 1 FROM scheduler WHERE host = 'west'"), "the second to beat")
        return east, west

    def rows(self, query: str) -> list[Any]:
        with self.db.read() as session:
            return list(session.execute(text(query)).all())

    def leader(self) -> str:
        found = self.rows("SELECT host FROM lease JOIN scheduler ON incarnation = holder")
        return str(found[0].host) if found else ""

    def term(self) -> int:
        return int(self.rows("SELECT term FROM lease")[0].term)

    def incidents(self, kind: str) -> list[str]:
        return [row.host for row in self.rows(f"SELECT host FROM incident WHERE kind = '{kind}'")]

    def made_by(self, host: str, task: str) -> list[int]:
        """Return the runs of a task whose rows a scheduler has made."""
        found = self.rows(
            "SELECT run.id FROM run JOIN run_event ON run_id = run.id WHERE from_state IS NULL "
            f"AND run_event.actor = 'scheduler@{host}' AND task_name = '{task}' ORDER BY run.id"
        )
        return [row.id for row in found]

    def wait(self, predicate: Any, what: str, timeout: float = 20) -> Any:
        try:
            return wait_until(predicate, timeout, what)
        except AssertionError as error:
            words = [f"{host.name}:\n{host.scheduler_words()}" for host in self.hosts.values()]
            raise AssertionError("\n".join([str(error), *words])) from None

    def require_each_moment_once(self, task: str) -> None:
        """Let no more come, and fail unless each second from the first to the last has exactly one row."""
        (row,) = self.rows(f"SELECT id FROM task WHERE name = '{task}'")
        tasks.set_enabled(self.db, row.id, False, now=clock.now(), actor="tester")
        moments = Counter(row.due_at for row in self.rows(f"SELECT due_at FROM run WHERE task_id = {row.id}"))
        first, last = min(moments), max(moments)
        wanted = [first + timedelta(seconds=n) for n in range(int((last - first).total_seconds()) + 1)]
        assert moments == Counter(wanted)

    def close(self) -> None:
        for host in self.hosts.values():
            for life in list(host.lives):
                life.signal(signal.SIGKILL)
                life.reap()
        self.db.close()


@pytest.fixture
def pair(tmp_path: Path, nursery: Nursery, postgres_url: str) -> Iterator[Pair]:
    made = Pair(tmp_path, nursery, postgres_url)
    yield made
    made.close()


def test_when_the_leader_is_killed_the_other_leads_and_no_moment_is_lost_or_doubled(pair: Pair) -> None:
    pair.add("anywhere")
    pair.add("at-west", host="west")
    east, _west = pair.start()
    pair.wait(lambda: pair.made_by("east", "anywhere") and pair.made_by("west", "at-west"), "both to do their work")
    assert not pair.made_by("west", "anywhere")

    east.kill()
    known = pair.made_by("west", "at-west")
    pair.wait(lambda: pair.leader() == "west", "the other to lead", TAKE_OVER_SECONDS)
    pair.wait(lambda: pair.made_by("west", "anywhere"), "the other to make what may run anywhere")

    assert pair.term() == 2
    assert pair.incidents("lease_taken") == ["west"]
    assert pair.made_by("west", "at-west") > known, "what belongs to a host had to go on"
    reasons = [row.reason for row in pair.rows("SELECT reason FROM run WHERE state = 'missed'")]
    assert any("the leader, " in reason and "gave no sign for" in reason for reason in reasons), reasons
    pair.require_each_moment_once("anywhere")
    pair.require_each_moment_once("at-west")


def test_a_leader_that_was_stopped_and_goes_on_writes_nothing_as_the_leader_and_says_so(pair: Pair) -> None:
    pair.add("anywhere")
    east, _west = pair.start()
    pair.wait(lambda: pair.made_by("east", "anywhere"), "the leader to do its work")

    east.signal(signal.SIGSTOP)
    pair.wait(lambda: pair.leader() == "west", "the other to lead", TAKE_OVER_SECONDS)
    before = pair.made_by("east", "anywhere")
    east.signal(signal.SIGCONT)
    pair.wait(lambda: pair.incidents("lease_lost") == ["east"], "the first to notice")
    newest = max(pair.made_by("west", "anywhere"), default=0)
    pair.wait(lambda: max(pair.made_by("west", "anywhere"), default=0) > newest, "the other to go on")

    assert pair.made_by("east", "anywhere") == before
    assert (pair.leader(), pair.term()) == ("west", 2)
    assert "west leads now" in pair.hosts["east"].scheduler_words()
    pair.require_each_moment_once("anywhere")


def test_a_leader_that_ends_leaves_its_place_at_once_and_the_newest_of_a_host_takes_it(pair: Pair) -> None:
    east, west = pair.start()
    assert east.stop() == 0
    pair.wait(lambda: pair.leader() == "west", "the other to lead")
    # Nobody had to wait until it gave no sign any more.
    assert pair.incidents("lease_taken") == []

    # The next life on its host takes the place of a killed one without waiting.
    west.kill()
    pair.hosts["west"].start()
    pair.wait(lambda: pair.term() == 3, "the next life to lead")

    assert (pair.leader(), pair.incidents("lease_taken")) == ("west", [])


def test_what_may_run_anywhere_is_run_by_both_once_the_leader_has_no_processor_free(pair: Pair) -> None:
    pair.start()
    # More than there are processors, with as many again in the next second.
    for number in range(2 * (os.cpu_count() or 1) + 2):
        pair.add(f"anywhere-{number}", command="sleep 2")
    on_host = "SELECT attempt.id FROM attempt JOIN scheduler ON holder = incarnation JOIN run ON run.id = run_id WHERE host = "

    pair.wait(lambda: pair.rows(f"{on_host} 'west' AND state = 'succeeded'"), "the one that stands by to run some")

    assert pair.rows(f"{on_host} 'east'")
    assert not any(pair.made_by("west", f"anywhere-{number}") for number in range(4)), "only the leader makes rows"
    assert not pair.rows("SELECT run_id FROM attempt GROUP BY run_id HAVING count(*) > 1")
