"""JSON that every program reads, whatever was let into the database once."""

from __future__ import annotations

import json
from typing import NoReturn

from flask import Flask
from sqlalchemy import text

from tests.api_fixtures import Program
from tests.database import NOW
from tests.fleet import add_device, execute, poll
from watchbell.domain.fleet_state import DeviceJobState
from watchbell.services import device_jobs
from watchbell.services.device_jobs import Report
from watchbell.store.session import Database


def refuse(word: str) -> NoReturn:
    raise AssertionError(word)


def test_numbers_that_json_has_no_way_to_write_are_null(app: Flask) -> None:
    told = app.json.dumps({"b": [1.5, float("inf"), {"c": float("nan")}], "a": (-float("inf"), "Infinity", None)})

    assert told.index('"b"') < told.index('"a"')
    found = json.loads(told, parse_constant=refuse)
    assert found == {"b": [1.5, None, {"c": None}], "a": [None, "Infinity", None]}


def test_what_a_device_was_let_say_once_makes_no_answer_unreadable(program: Program, db: Database) -> None:
    if not db.is_sqlite:
        # A server of PostgreSQL takes no such number.
        return
    uuid = add_device(db)
    job_id = execute(db, uuid).execution.job_id
    poll(db, uuid)
    given = Report(DeviceJobState.IN_PROGRESS, {}, {"a": [7654321]})
    device_jobs.report(db, uuid, job_id, given, now=NOW)
    with db.write() as session:
        session.execute(text("UPDATE device_job SET details = replace(details, '7654321', '1e999')"))

    told = program.client.get(f"/api/v1/jobs/executions/{job_id}").text

    json.loads(told, parse_constant=refuse)
    assert '"status_details":{"a":[null]}' in "".join(told.split())
