"""Secrets in the jobs of devices: who may name one, who is given one, and where none is to be seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.database import NOW
from tests.fleet import add_device, execute, poll
from watchbell.domain import job_document
from watchbell.domain.agent_protocol import STEP_ENVIRONMENT, Assignment
from watchbell.errors import Conflict, InputError
from watchbell.services import agents, enrolment, fleet_jobs, fleet_schedules, job_library, secrets
from watchbell.services.agents import Asked
from watchbell.services.fleet_orders import Order
from watchbell.store.session import Database

VALUE = "correct horse battery"
WHO = "1" * 32


def step(**environment: str) -> dict[str, Any]:
    return {"name": "push", "type": "runCommand", "input": {"command": "push,--all"}, "environment": environment}


def document(**environment: str) -> dict[str, Any]:
    return {"version": "1.0", "steps": [step(**environment)]}


NAMING = document(TOKEN="Bearer ${secret:registry}")


@pytest.fixture
def registry(db: Database) -> None:
    for version in (VALUE, "another", VALUE):
        secrets.put(db, "registry", version, now=NOW, actor="ann")


@pytest.fixture
def uuid(db: Database) -> str:
    return enrolment.join(db, enrolment.create(db, name="pi", now=NOW, actor="ann").secret, now=NOW).uuid


def ask(
    db: Database, uuid: str, seq: int = 1, *, knows: str = STEP_ENVIRONMENT, is_private: bool = True, who: str = WHO
) -> Assignment | None:
    asked = Asked(who, (WHO,), seq, knows=frozenset({knows}), is_private=is_private)
    return agents.poll(db, uuid, asked, now=NOW).told.assignment


def part_of(db: Database, job_id: str) -> Any:
    ((part, _device),) = fleet_jobs.get(db, job_id)[1]
    return part


def uses(db: Database) -> list[tuple[str, int, str, int]]:
    return [(use.device_name, use.version, use.job_id, use.attempt) for use in secrets.get(db, "registry").uses]


def test_the_device_that_has_the_job_is_given_the_value_and_all_else_holds_the_name(
    db: Database, uuid: str, registry: None, database_file: Path
) -> None:
    shown, _found = fleet_jobs.preview(db, Order("x", "device", NAMING, target_devices=[uuid]), now=NOW)
    job_id = execute(db, uuid, document=NAMING).execution.job_id

    job = ask(db, uuid)

    assert job is not None
    assert job.payload["secrets"] == {"registry": VALUE}
    assert shown == NAMING == job.payload["document"]
    assert fleet_jobs.get(db, job_id)[0].execution.document == NAMING
    one = secrets.get(db, "registry").secret
    assert (one.used_at, one.used_run_id, one.used_device_uuid, one.used_device_name) == (NOW, None, uuid, "pi")
    db.close()
    assert not any(VALUE.encode() in path.read_bytes() for path in database_file.parent.iterdir())


def test_one_that_asks_again_is_given_it_again_which_is_written_down_once(
    db: Database, uuid: str, registry: None
) -> None:
    job_id = execute(db, uuid, document=NAMING).execution.job_id

    # It has not heard the first answer; the second is of the process that follows after a crash.
    jobs = [ask(db, uuid), ask(db, uuid, 2), ask(db, uuid, 1, who="2" * 32)]

    assert [job.payload["secrets"] for job in jobs if job] == [{"registry": VALUE}] * 3
    assert uses(db) == [("pi", 3, job_id, 1)]


def test_a_job_that_names_none_carries_none(db: Database, uuid: str, registry: None) -> None:
    execute(db, uuid, document=document(LANG="C"))

    job = ask(db, uuid, is_private=False)

    assert job is not None
    assert "secrets" not in job.payload
    assert uses(db) == []


@pytest.mark.parametrize(
    ("how", "reason"),
    [({"knows": "something"}, "the agent of this device is too old"), ({"is_private": False}, "over https only")],
)
def test_who_cannot_keep_it_gets_neither_value_nor_job(
    db: Database, uuid: str, registry: None, how: dict[str, Any], reason: str
) -> None:
    job_id = execute(db, uuid, document=NAMING).execution.job_id
    after = execute(db, uuid).execution.job_id

    job = ask(db, uuid, **how)

    assert job is not None
    assert job.job_id == after
    assert (part_of(db, job_id).state, uses(db)) == ("rejected", [])
    assert reason in part_of(db, job_id).reason


def test_a_device_that_asks_where_nothing_is_signed_gets_no_job_with_secrets(db: Database, registry: None) -> None:
    plain = add_device(db)
    job_id = execute(db, plain, document=NAMING).execution.job_id

    assert poll(db, plain).offer is None
    assert "answers that are signed" in part_of(db, job_id).reason
    execute(db, plain, document=document(LANG="C"))
    assert poll(db, plain).offer is not None


def test_a_secret_that_has_gone_is_told_before_and_after_the_job_was_given(
    db: Database, uuid: str, registry: None
) -> None:
    waiting, given = (execute(db, uuid, document=NAMING, priority=p).execution.job_id for p in (0, 1))
    assert ask(db, uuid) is not None
    with pytest.raises(Conflict, match="order check, order check would fail"):
        secrets.delete(db, "registry", now=NOW, actor="ann")
    secrets.delete(db, "registry", now=NOW, actor="ann", is_forced=True)

    assert ask(db, uuid, 2) is None
    assert ask(db, uuid, 3) is None

    for job_id in (given, waiting):
        assert (part_of(db, job_id).state, part_of(db, job_id).reason) == ("rejected", "there is no secret registry")
    with pytest.raises(InputError, match="names the secret 'registry', which is not here"):
        execute(db, uuid, document=NAMING)


def test_without_the_key_of_the_secrets_the_job_is_rejected_and_says_so(
    db: Database, uuid: str, registry: None, database_file: Path
) -> None:
    job_id = execute(db, uuid, document=NAMING).execution.job_id
    (database_file.parent / "encryption.key").unlink()

    assert ask(db, uuid) is None
    assert "key" in part_of(db, job_id).reason


@pytest.mark.parametrize(
    ("variables", "environment"),
    [
        ({"X": "${secret:registry}"}, {"P": "{{X}}"}),
        ({"X": "${secret", "Y": ":registry}"}, {"P": "{{X}}{{Y}}"}),
        ({"X": "registry"}, {"P": "${secret:{{X}}}"}),
        ({"X": "registry} ${secret:registry"}, {"P": "${secret:registry} {{X}}"}),
    ],
)
def test_whoever_fills_in_a_template_does_not_choose_a_secret(
    db: Database, uuid: str, registry: None, variables: dict[str, str], environment: dict[str, str]
) -> None:
    with pytest.raises(InputError, match="secret"):
        execute(db, uuid, document=document(**environment), variables=variables)


def test_a_value_is_filled_into_an_environment_whatever_its_variable_is_called(db: Database, uuid: str) -> None:
    execute(db, uuid, document=document(command="{{X}}", PLAIN="a,{{X}} b"), variables={"X": "one, two"})

    job = ask(db, uuid)

    assert job is not None
    assert job.payload["document"]["steps"][0]["environment"] == {"command": "one, two", "PLAIN": "a,one, two b"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (step(**{"1A": "x"}), "is not the name of a variable"),
        (step(WATCHBELL_X="x"), "is set by Watchbell itself"),
        (step(A="x\ny"), "must be one line"),
        (step(A="${secret:a"), "without an end"),
        (step(A="${secret:1}"), "cannot be a secret"),
        (step(IFS="${secret:a}"), "cannot hold a secret"),
        ({**step(), "environment": {"A": 1}}, "must be a text"),
        ({**step(), "environment": "A=1"}, "must be an object"),
        ({**step(), "input": {"command": "push,${secret:a}"}}, "the only place that can name a secret"),
        ({**step(), "name": "${secret:a}"}, "the only place that can name a secret"),
    ],
)
def test_a_document_that_names_secrets_or_variables_wrongly_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        job_document.read({"version": "1.0", "steps": [given]})


def test_what_names_a_secret_in_the_fleet_is_told_where_it_is_used(db: Database, uuid: str, registry: None) -> None:
    made = job_library.create_template(db, {"name": "Push", "document": NAMING}, now=NOW, actor="ann")
    fields = {
        "name": "Nightly", "document": document(A="${secret:gone}", B="${secret:registry}"), "target_type": "all",
        "schedule_type": "interval", "interval_minutes": 60,
    }  # fmt: skip
    schedule = fleet_schedules.create(db, fields, now=NOW, zone="UTC", actor="ann")
    job_id = execute(db, uuid, document={"version": "1.0", "steps": [step()], "finalStep": step(A="${secret:registry}")}).execution.job_id  # fmt: skip

    found = secrets.get(db, "registry").places

    assert [(one.kind, one.name, one.key, one.variables) for one in found] == [
        ("job template", "Push", str(made.id), ("TOKEN",)),
        ("fleet schedule", "Nightly", schedule.schedule_id, ("B",)),
        ("order", "check", job_id, ("A",)),
    ]
    assert secrets.list_missing(db) == {"gone": ["Nightly"]}


def test_only_the_device_that_holds_a_job_is_given_its_secrets(db: Database, uuid: str, registry: None) -> None:
    other = enrolment.join(db, enrolment.create(db, name="b", now=NOW, actor="ann").secret, now=NOW).uuid
    execute(db, uuid, document=NAMING)

    assert ask(db, other) is None
    assert [use[0] for use in uses(db)] == []
