"""Requests under a key: done once, answered alike, and never mixed up."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.api_fixtures import Program
from tests.database import NOW, add_task
from watchbell import clock
from watchbell.errors import Conflict, InputError
from watchbell.services import idempotency
from watchbell.services.idempotency import Answer, Asked
from watchbell.services.retention import Pass, Rules
from watchbell.store.session import Database

ASKED = Asked("ann", "native.run_task", "k", "digest")
KEY = {"Idempotency-Key": "deploy-1"}


def _count(db: Database, table: str) -> int:
    with db.read() as session:
        return int(session.connection().exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


@pytest.mark.parametrize(
    ("path", "body", "table"),
    [
        ("/api/v2/tasks", {"name": "made", "command": "true"}, "task"),
        ("/api/v2/tasks/1/copy", None, "task"),
        ("/api/v2/tasks/1/runs", None, "run"),
        ("/api/v2/tasks/bulk", {"action": "run", "ids": [1]}, "run"),
        ("/api/jobs", {"name": "made", "cron": "@daily", "command": "true"}, "task"),
        ("/api/jobs/backup/trigger", None, "run"),
        ("/api/task", {"ScriptName": "made.py", "ScriptFolder": "/tmp", "Every": "day", "AtTime": "09:30"}, "task"),
    ],
)
def test_what_is_asked_for_again_under_its_key_is_made_once(
    program: Program, db: Database, path: str, body: object, table: str
) -> None:
    add_task(db, "backup")
    before = _count(db, table)

    first, again = (program.call("POST", path, body, headers=KEY) for _ in range(2))

    assert _count(db, table) == before + 1
    assert "Idempotency-Replayed" not in first.headers and again.headers["Idempotency-Replayed"] == "true"
    kept = ("Content-Type", "Location", "ETag")
    assert (first.status_code, first.data, *map(first.headers.get, kept)) == (
        again.status_code,
        again.data,
        *map(again.headers.get, kept),
    )
    # Without a key nothing is remembered; a second task of that name is refused.
    is_name_taken = program.call("POST", path, body).status_code in {400, 409}
    assert _count(db, table) == before + 2 - is_name_taken


def test_a_family_refuses_a_key_in_its_own_words(program: Program) -> None:
    body = {"ScriptName": "made.py", "ScriptFolder": "/tmp", "Every": "day", "AtTime": "09:30"}
    program.want(200, "POST", "/api/task", body, headers=KEY)

    told = program.want(400, "POST", "/api/task", {**body, "AtTime": "09:31"}, headers=KEY)

    assert "success" not in told and "Idempotency-Key" in told["error"]


def test_a_key_belongs_to_one_body_at_one_address(program: Program, db: Database) -> None:
    add_task(db, "one")
    add_task(db, "two")
    program.want(201, "POST", "/api/v2/tasks/1/runs", {"asap": False}, headers=KEY)

    program.want(422, "POST", "/api/v2/tasks/1/runs", {"asap": True}, headers=KEY)
    told = program.want(422, "POST", "/api/v2/tasks/2/runs", {"asap": False}, headers=KEY)

    assert told["errors"][0]["field"] == "Idempotency-Key" and _count(db, "run") == 1
    # Another route has keys of its own.
    program.want(201, "POST", "/api/v2/tasks/1/copy", headers=KEY)


@pytest.mark.parametrize("key", ["", " ", "x" * 201, "d\xe9j\xe0"])
def test_a_key_is_a_short_plain_text(program: Program, db: Database, key: str) -> None:
    add_task(db)

    program.want(422, "POST", "/api/v2/tasks/1/runs", headers={"Idempotency-Key": key})
    assert _count(db, "run") == 0


def test_an_error_is_not_kept_so_that_it_can_be_tried_again(program: Program, db: Database) -> None:
    program.want(404, "POST", "/api/v2/tasks/1/runs", headers=KEY)
    add_task(db)

    program.want(201, "POST", "/api/v2/tasks/1/runs", headers=KEY)


def test_a_request_that_is_being_served_is_not_begun_again(db: Database) -> None:
    assert idempotency.begin(db, ASKED, now=NOW) is None

    with pytest.raises(Conflict):
        idempotency.begin(db, ASKED, now=NOW + timedelta(seconds=59))
    # A server that was killed while it served it does not stand in the way for ever.
    assert idempotency.begin(db, ASKED, now=NOW + timedelta(seconds=61)) is None
    idempotency.keep(db, ASKED, Answer(200, {}, b"{}"))
    assert idempotency.begin(db, ASKED, now=NOW + timedelta(hours=1)) == Answer(200, {}, b"{}")


def test_what_has_failed_gives_its_key_back(program: Program, db: Database) -> None:
    """The scheduler does not run, so it cannot be stopped; nothing of that is kept."""
    for _ in range(2):
        answer = program.call("POST", "/api/v2/scheduler/stop", headers=KEY)

        assert answer.status_code == 409 and "served" not in answer.get_json()["detail"]
    assert _count(db, "kept_answer") == 0


def test_a_key_is_forgotten_after_a_day(db: Database, tmp_path: Path) -> None:
    assert idempotency.begin(db, ASKED, now=NOW) is None
    idempotency.keep(db, ASKED, Answer(200, {}, b"{}"))
    other = Asked("ann", "native.run_task", "k", "another digest")
    with pytest.raises(InputError):
        idempotency.begin(db, other, now=NOW + timedelta(hours=23))

    assert idempotency.begin(db, other, now=NOW + timedelta(hours=25)) is None
    prune = Pass(db, Rules(), now=NOW + timedelta(hours=50), output_root=tmp_path)
    while prune.step().more:
        pass
    assert _count(db, "kept_answer") == 0


def test_keys_of_others_are_others(db: Database) -> None:
    assert idempotency.begin(db, ASKED, now=NOW) is None

    assert idempotency.begin(db, Asked("bea", ASKED.route, "k", "x"), now=NOW) is None
    assert idempotency.begin(db, Asked("ann", "native.copy_task", "k", "x"), now=clock.now()) is None
