"""``watchbell device``: a code alone on standard output, lists without codes, and devices that wait."""

from __future__ import annotations

import pytest

from tests.shell import db, home, migrated_file, shell  # noqa: F401 - fixtures.
from tests.unit import test_carried
from watchbell import clock
from watchbell.errors import EXIT_CONFLICT, EXIT_NOT_FOUND, EXIT_USAGE
from watchbell.services import devices, enrolment

# ruff: noqa: F811


def test_the_code_is_all_of_the_output_and_a_device_joins_with_it(shell, db):
    devices.put_group(db, "kitchens", [], now=clock.now(), actor="ann")
    done = shell(
        *("device", "enroll-code", "create", "--name", "pi", "--group", "kitchens", "--tag", "site=north=1"),
        *("--expires", "10m"),
    )

    joined = enrolment.join(db, done.out.removesuffix("\n"), now=clock.now())

    assert (done.code, joined.name) == (0, "pi")
    assert devices.get(db, joined.uuid, now=clock.now()).tags == {"site": "north=1"}
    assert done.out.strip() not in done.err
    (told,) = shell("device", "enroll-code", "list", "--json").json()
    assert (told["state"], told["device_uuid"]) == ("used", joined.uuid)
    assert shell("device", "enroll-code", "list", "--open", "--json").json() == []


def test_a_code_is_taken_back_by_how_it_begins(shell, db):
    made = shell("device", "enroll-code", "create", "--json").json()

    done = shell("device", "enroll-code", "revoke", made["prefix"])

    assert (done.code, made["prefix"] in done.out) == (0, True)
    assert "revoked" in shell("device", "enroll-code", "list").out
    used = shell("device", "enroll-code", "create", "--json").json()
    enrolment.join(db, used["code"], now=clock.now())
    assert shell("device", "enroll-code", "revoke", str(used["id"])).code == EXIT_CONFLICT


def test_a_device_that_waits_is_listed_and_let_in(shell, db):
    code = shell("device", "enroll-code", "create", "--approve").out.strip()
    joined = enrolment.join(db, code, hostname="pi", now=clock.now())
    shell("device", "enroll-code", "create")

    (waiting,) = shell("device", "list", "--pending", "--json").json()
    done = shell("device", "approve", joined.uuid)

    assert (waiting["uuid"], waiting["is_active"], done.code) == (joined.uuid, False, 0)
    assert shell("device", "list", "--pending", "--json").json() == []
    assert "active" in shell("device", "list").out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("enroll-code", "create", "--tag", "north"), EXIT_USAGE, "'north' has no ="),
        (("enroll-code", "create", "--expires", "soon"), EXIT_USAGE, "no length of time"),
        (("enroll-code", "create", "--expires", "30d"), EXIT_USAGE, "must be a minute to 7 days"),
        (("enroll-code", "create", "--group", "none"), EXIT_USAGE, "is no group here"),
        (("enroll-code", "revoke", "none"), EXIT_NOT_FOUND, "there is no enrolment code"),
        (("approve", "8479359e-dbeb-4858-813c-e8a9008dde04"), EXIT_NOT_FOUND, "Device not found"),
    ],
    ids=str,
)
def test_what_will_not_do_is_told(shell, db, arguments, code, said):
    done = shell("device", *arguments)

    assert (done.code, said in done.err) == (code, True), done.err


def test_devices_are_let_carry_a_schedule_and_what_became_of_it_is_listed(shell, db):
    schedule_id, uuid = test_carried.make(db, is_carried=False), test_carried.join(db)
    assert shell("device", "schedule", "list", "--carried", "--json").json() == []

    done = shell("device", "schedule", "carry", schedule_id, "--catch-up", "skip")

    assert (done.code, "in version 2" in done.out) == (0, True)
    (told,) = shell("device", "schedule", "list", "--json").json()
    assert (told["is_carried"], told["catch_up"], told["next_at"]) == (True, "skip", None)
    assert "the devices" in shell("device", "schedule", "list").out
    test_carried.carry(db, uuid, schedule_id)
    test_carried.tell(db, uuid, schedule_id, version=2)
    (carrier,) = shell("device", "schedule", "devices", schedule_id, "--json").json()
    assert (carrier["uuid"], carrier["version"], carrier["is_current"]) == (uuid, 2, True)
    (moment,) = shell("device", "schedule", "moments", schedule_id, "--json").json()
    assert (moment["outcome"], moment["status"]) == ("run", "SUCCEEDED")
    assert "SUCCEEDED" in shell("device", "schedule", "moments", schedule_id).out
    assert uuid in shell("device", "schedule", "devices", schedule_id).out
    assert "drop it" in shell("device", "schedule", "carry", schedule_id, "--off").out
    assert shell("device", "schedule", "moments", "none").code == EXIT_NOT_FOUND
