"""What a balancer, systemd or a container asks: whether the process lives, and whether work can begin."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from tests.unit.test_web_places import add_scheduler
from tests.web_fixtures import Person
from watchbell import clock
from watchbell.store.session import Database

ALL = {"database": True, "schema": True, "scheduler": True}


def told(person: Person, url: str = "/health/ready") -> tuple[int, dict[str, object]]:
    answer = person.get(url)
    return answer.status_code, answer.get_json()


def test_it_is_ready_once_a_scheduler_works(anonymous: Person, db: Database) -> None:
    before, web = told(anonymous), told(anonymous, "/health/ready?of=web")
    # On another host, so that its row and no process of this machine tells.
    add_scheduler(db, clock.now(), host="elsewhere")

    assert before == (503, {"status": "waiting", **ALL, "scheduler": False})
    assert web == (200, {"status": "ready", **ALL, "scheduler": False})
    assert told(anonymous) == (200, {"status": "ready", **ALL})


def test_a_scheduler_that_was_not_heard_of_lately_is_none(anonymous: Person, db: Database) -> None:
    add_scheduler(db, clock.now() - timedelta(minutes=2), host="elsewhere")

    assert told(anonymous) == (503, {"status": "waiting", **ALL, "scheduler": False})


def test_a_database_that_nobody_has_migrated_is_not_ready_and_the_process_lives(
    anonymous: Person, app: Flask, tmp_path: Path
) -> None:
    empty = Database.open(f"sqlite:///{tmp_path}/empty.db")
    app.extensions["watchbell.database"] = empty
    nothing = {"status": "waiting", "database": True, "schema": False, "scheduler": False}

    assert told(anonymous) == (503, nothing)
    assert told(anonymous, "/health/ready?of=web") == (503, nothing)
    assert told(anonymous, "/health/live") == (200, {"status": "live"})
    empty.close()


def test_a_database_that_cannot_be_opened_is_said_to_be_missing_and_nothing_of_it_is_told(
    anonymous: Person, app: Flask, tmp_path: Path
) -> None:
    (tmp_path / "broken.db").write_bytes(b"this is no database, however long it is read" * 99)
    broken = Database.open(f"sqlite:///{tmp_path}/broken.db")
    app.extensions["watchbell.database"] = broken

    assert told(anonymous) == (503, {"status": "waiting", "database": False, "schema": False, "scheduler": False})
    broken.close()


@pytest.mark.parametrize("revision", ["0001", "9999"])
def test_a_schema_of_before_is_not_ready_and_one_of_later_is(anonymous: Person, db: Database, revision: str) -> None:
    with db.write() as session:
        session.connection().exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")

    assert told(anonymous, "/health/ready?of=web")[0] == (200 if revision == "9999" else 503)


def test_a_question_that_is_none_is_refused(anonymous: Person) -> None:
    assert told(anonymous, "/health/ready?of=everything")[0] == 422
