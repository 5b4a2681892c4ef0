"""F14, F15: a server that is killed, ends connections, only lets read or locks a table while a scheduler works makes runs late, no more."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgres
from tests.fault.claims import Claims
from tests.fault.scale import SEED, rounds
from tests.process.lives import Nursery
from tests.process.test_several_schedulers_postgresql import Host
from tests.waiting import wait_until
from watchbell import clock
from watchbell.domain.task_definition import Defaults
from watchbell.errors import Unavailable
from watchbell.services import tasks
from watchbell.store import postgres as store
from watchbell.store import schema
from watchbell.store.session import Database

pytestmark = pytest.mark.fault

_END_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IS NOT NULL AND pid <> pg_backend_pid()"
)


class Ground:
    """A server of its own, which keeps what it has committed, a scheduler's host, and what commands have written."""

    def __init__(self, cluster: postgres.Cluster, folder: Path, nursery: Nursery) -> None:
        self.cluster = cluster
        self.name = cluster.create()
        self.db = Database.open(cluster.url(self.name))
        schema.upgrade(self.db)
        self.host = Host(folder / "tower", nursery, cluster.url(self.name))
        self.effects = folder / "effects"

    def tell(self, *statements: str) -> list[tuple[object, ...]]:
        return self.cluster.tell(*statements, database=self.name)

    def count(self) -> int:
        return len(self.effects.read_text().split()) if self.effects.exists() else 0

    def wait_for_more(self) -> None:
        """Wait until a few more commands have run."""
        wanted = self.count() + 3
        try:
            wait_until(lambda: self.count() >= wanted, 40, "commands to go on")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.host.scheduler_words()}") from None

    @contextlib.contextmanager
    def trouble(self, kind: str) -> Iterator[None]:
        """Let the server be in trouble in the block."""
        if kind == "killed":
            self.cluster.stop(at_once=True)
            yield
            self.cluster.start()
        elif kind == "only lets read":
            self.tell(f'ALTER DATABASE "{self.name}" SET default_transaction_read_only = on', _END_OTHERS)
            yield
            undo = f'ALTER DATABASE "{self.name}" RESET default_transaction_read_only'
            self.cluster.tell(undo, _END_OTHERS)
        elif kind == "locks a table":
            import psycopg

            with psycopg.connect(host=str(self.cluster.folder), user=postgres.USER, dbname=self.name) as connection:
                connection.execute("LOCK TABLE run IN ACCESS EXCLUSIVE MODE")
                yield
        else:
            ended = [self.tell(_END_OTHERS) for _ in range(10)]
            assert ended
            yield


TROUBLES = ("killed", "ends connections", "only lets read", "locks a table")


@pytest.fixture
def ground(tmp_path: Path, nursery: Nursery) -> Iterator[Ground]:
    with postgres.running() as cluster:
        made = Ground(cluster, tmp_path, nursery)
        try:
            yield made
        finally:
            for life in list(made.host.lives):
                life.kill()
            made.db.close()


def test_a_server_that_crashed_is_asked_what_became_of_a_change_and_not_of_another_one_with_its_number(monkeypatch):
    with postgres.running() as cluster:
        name = cluster.create()
        engine = Database.open(cluster.url(name)).engine
        with engine.execution_options(**{store.WRITE: True}).connect() as connection:
            connection.begin()
            lost = store.transaction_of(connection)
            cluster.restart(at_once=True)
            connection.invalidate()
        assert store.was_committed(engine, lost) is False

        found = cluster.tell(
            "CREATE TABLE of_another AS SELECT pg_current_xact_id()::text AS number",
            "SELECT number, pg_xact_status(number::xid8) FROM of_another",
            database=name,
        )
        assert found == [(lost.number, "committed")]
        assert store.was_committed(engine, lost) is False

        with engine.execution_options(**{store.WRITE: True}).begin() as connection:
            connection.exec_driver_sql("INSERT INTO of_another VALUES ('1')")
            kept = store.transaction_of(connection)
        assert store.was_committed(engine, kept) is True
        cluster.restart(at_once=True)
        assert store.was_committed(engine, kept) is True

        # One that begins as a follower of another server knows neither what it will be told, nor which number comes next.
        (cluster.folder / "data" / "standby.signal").touch()
        cluster.restart(at_once=True)
        monkeypatch.setattr(store, "_FIND_OUT_SECONDS", 0.0)
        with pytest.raises(Unavailable):
            store.was_committed(engine, kept)
        cluster.tell("SELECT pg_promote()")
        monkeypatch.undo()
        assert store.was_committed(engine, kept) is True
        engine.dispose()


def test_a_server_in_trouble_loses_no_moment_and_starts_none_twice(ground: Ground, claims: Claims) -> None:
    chance = random.Random(SEED)
    given = {"every": "1s", "overlap": "allow", "latest_start_seconds": 3600, "catch_up": "all", "host": ""}
    command = f'echo "$WATCHBELL_RUN_ID" >> {ground.effects}'
    for name in ("one", "other"):
        fields = {**given, "name": name, "command": command}
        tasks.create(
            ground.db, fields, now=clock.now(), actor="tester", defaults=Defaults(zone="UTC", owner="tester", host="")
        )
    life = ground.host.start()
    ground.wait_for_more()
    troubles = 0
    for _ in rounds("SERVERS", 1, 20):
        for kind in chance.sample(TROUBLES, len(TROUBLES)):
            with ground.trouble(kind):
                life.ended(chance.uniform(0.5, 2.5))
            ground.wait_for_more()
            troubles += 1
    for task in tasks.list_soonest(ground.db, 10):
        tasks.set_enabled(ground.db, task.id, False, now=clock.now(), actor="tester")
    wait_until(lambda: ground.tell("SELECT count(*) FROM run WHERE ended_at IS NULL") == [(0,)], 40, "all to be over")
    assert life.stop() == 0

    found = ground.tell("SELECT id, state, stands_for FROM run")
    moments = ground.tell(
        "SELECT task_id, extract(epoch FROM max(due_at) - min(due_at))::int + 1, count(DISTINCT due_at), count(*) FROM run GROUP BY 1"
    )
    starts = Counter(map(int, ground.effects.read_text().split()))
    claims.figure("F14", "troubles of a server", str(troubles))
    claims.none_of(
        "F14", "moments without a row or with two", len(found), [one for one in moments if len(set(one[1:])) > 1]
    )
    wrong = [one for one in found if one[1] != "succeeded" or starts[int(str(one[0]))] != 1]
    claims.none_of("F14", "runs that did not start once and succeed", len(found), wrong)
    claims.none_of(
        "F14", "starts without a run", len(starts), [one for one in starts if one not in {row[0] for row in found}]
    )
