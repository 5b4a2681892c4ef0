"""Orders to many devices: whom they reach, what becomes of the whole, and taking back, trying again and deleting."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.database import NOW
from tests.fleet import DOCUMENT, add_device, execute, poll, say, state_of, states_of
from watchbell.domain.fleet_state import ExecutionState
from watchbell.errors import Conflict, InputError, NotFound
from watchbell.services import audit, devices, fleet_jobs, job_library, outbox
from watchbell.services.fleet_jobs import ExecutionNotFound, InProgress, NoDevices
from watchbell.services.fleet_orders import Order
from watchbell.services.job_library import TemplateNotFound
from watchbell.store.session import Database


def finish(db: Database, uuid: str, job_id: str, state: str = "succeeded", **fields: Any) -> None:
    poll(db, uuid)
    say(db, uuid, job_id, state, **fields)


def test_an_order_reaches_the_devices_that_it_names_in_their_order(db: Database) -> None:
    first, second = add_device(db), add_device(db)

    shown = execute(db, second, first, second)

    assert shown.targets == [second, first]
    assert (shown.execution.total, shown.execution.state) == (2, "queued")
    assert states_of(db, shown.execution.job_id) == ["queued", "queued"]


@pytest.mark.parametrize(
    ("target_filter", "reached"),
    [
        ({"device_type": "router"}, {"b"}),
        ({"device_type": "gateway"}, {"a", "c"}),
        ({"device_type": "gateway", "os_version": "12"}, {"c"}),
        ({"tags": {"site": "north"}}, {"a", "b"}),
        ({"tags": {"site": "north"}, "device_type": "gateway"}, {"a"}),
        ({"tags": {"site": "nor"}}, set()),
        ({"group": "kitchens"}, {"b", "c"}),
        ({"device_name": "a' OR '1'='1"}, set()),
        ({"is_online": True}, set()),
        ({"is_online": False, "device_name": "a"}, {"a"}),
    ],
)
def test_a_group_is_every_active_device_of_which_all_holds(
    db: Database, target_filter: dict[str, Any], reached: set[str]
) -> None:
    made = {
        "a": add_device(db, "a", tags={"site": "north"}),
        "b": add_device(db, "b", type="router", tags={"site": "north"}),
        "c": add_device(db, "c", os_version="12"),
        "d": add_device(db, "d", active=False, tags={"site": "north"}),
    }
    devices.put_group(db, "kitchens", [made["b"], made["c"], made["d"]], now=NOW, actor="ann")

    if not reached:
        with pytest.raises(NoDevices):
            execute(db, target_type="group", target_filter=target_filter)
        return
    shown = execute(db, target_type="group", target_filter=target_filter)

    assert set(shown.targets) == {made[name] for name in reached}


def test_all_is_every_active_device(db: Database) -> None:
    uuids = [add_device(db), add_device(db)]
    add_device(db, active=False)

    assert execute(db, target_type="all").targets == uuids


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": " "}, "job_name"),
        ({"name": "x" * 256}, "job_name"),
        ({"target_type": "planet"}, "target_type"),
        ({"document": None}, "job_document"),
        ({"document": {"version": "9"}}, "job_document.version"),
        ({"document": {**DOCUMENT, "steps": [{"type": "runCommand", "input": {"command": "a,{{B}}"}}]}}, "variables.B"),
        ({"target_devices": ["8479359e-dbeb-4858-813c-e8a9008dde04"]}, "target_devices"),
        ({"target_type": "group", "target_filter": {"key_hash": "x"}}, "target_filter.key_hash"),
        ({"target_type": "group", "target_filter": {"1=1; --": "x"}}, "target_filter.1=1; --"),
        ({"target_type": "group", "target_filter": {"device_type": 5}}, "target_filter.device_type"),
        ({"target_type": "group", "target_filter": {}}, "target_filter"),
        ({"execution_type": "often"}, "execution_type"),
        ({"schedule": {"scheduled_at": "tomorrow"}}, "schedule.scheduled_at"),
        ({"schedule": {"scheduled_at": "2026-11-29T12:00:00"}}, "schedule.scheduled_at"),
        ({"schedule": {"surprise": 1}}, "schedule.surprise"),
        ({"priority": 101}, "priority"),
    ],
)
def test_an_order_that_is_wrong_is_told_where_and_not_given(db: Database, fields: dict[str, Any], field: str) -> None:
    uuid = add_device(db)

    with pytest.raises(InputError) as told:
        execute(db, **{"target_devices": [uuid], **fields})

    assert told.value.problems[0].field == field
    assert fleet_jobs.list_page(db, limit=10) == []


def test_an_order_for_a_device_that_is_not_active_or_for_nobody_is_refused(db: Database) -> None:
    with pytest.raises(InputError, match="not active"):
        execute(db, add_device(db, active=False))
    for fields in ({"target_devices": []}, {"target_type": "all"}):
        with pytest.raises(NoDevices):
            execute(db, **fields)


def test_an_order_keeps_the_document_of_its_template_as_it_was(db: Database) -> None:
    uuid = add_device(db)
    template = next(one for one in job_library.list_templates(db) if one.name == "restart-service")

    job_id = execute(
        db, uuid, document=None, template_id=template.id, variables={"SERVICE_NAME": "nginx; reboot"}
    ).execution.job_id
    job_library.delete_template(db, template.id, now=NOW, actor="ann")

    kept = fleet_jobs.get(db, job_id)[0].execution
    assert kept.document["steps"][0]["input"]["command"] == "systemctl,restart,nginx; reboot"
    assert kept.template_id is None
    with pytest.raises(TemplateNotFound):
        execute(db, uuid, document=None, template_id=template.id)


def test_a_document_wins_over_a_template_and_a_template_at_rest_is_refused(db: Database) -> None:
    uuid = add_device(db)
    template = job_library.list_templates(db)[0]

    assert execute(db, uuid, template_id=template.id).execution.document == DOCUMENT

    job_library.update_template(db, template.id, {"is_active": False}, now=NOW, actor="ann")
    with pytest.raises(InputError, match="not in use"):
        execute(db, uuid, document=None, template_id=template.id)


def test_the_first_success_does_not_end_the_order_of_a_fleet(db: Database) -> None:
    first, second = add_device(db), add_device(db)
    job_id = execute(db, first, second).execution.job_id
    assert state_of(db, job_id) == "queued"

    finish(db, first, job_id)
    assert state_of(db, job_id) == "in_progress"
    assert fleet_jobs.get(db, job_id)[0].execution.started_at == NOW
    assert fleet_jobs.get(db, job_id)[0].execution.completed_at is None

    finish(db, second, job_id)
    execution = fleet_jobs.get(db, job_id)[0].execution
    assert (execution.state, execution.completed_at, execution.counts) == ("succeeded", NOW, {"succeeded": 2})


def test_one_failure_makes_the_order_of_a_fleet_a_failure_once_all_have_ended(db: Database) -> None:
    first, second = add_device(db), add_device(db)
    job_id = execute(db, first, second).execution.job_id

    finish(db, first, job_id, "failed", exit_code=1)
    assert state_of(db, job_id) == "in_progress"
    finish(db, second, job_id)

    assert state_of(db, job_id) == "failed"


def test_a_cancelled_order_is_taken_from_all_devices_and_those_that_had_it_hear_of_it(db: Database) -> None:
    waiting, busy = add_device(db), add_device(db)
    job_id = execute(db, waiting, busy).execution.job_id
    poll(db, busy)

    fleet_jobs.cancel(db, job_id, now=NOW, actor="ann", force=True)

    assert states_of(db, job_id) == ["cancelled", "cancelled"]
    assert state_of(db, job_id) == "cancelled"
    assert poll(db, waiting).cancelled == ()
    assert (poll(db, busy).cancelled, poll(db, busy).cancelled) == ([job_id], ())
    for again in (job_id, "unknown"):
        with pytest.raises(NotFound, match="already completed"):
            fleet_jobs.cancel(db, again, now=NOW, actor="ann", force=True)


@pytest.mark.parametrize(("last", "whole"), [("succeeded", "cancelled"), ("failed", "cancelled")])
def test_without_force_a_device_that_has_the_job_may_end_it(db: Database, last: str, whole: str) -> None:
    waiting, busy = add_device(db), add_device(db)
    job_id = execute(db, waiting, busy).execution.job_id
    poll(db, busy)

    fleet_jobs.cancel(db, job_id, now=NOW, actor="ann", force=False)
    assert (states_of(db, job_id), state_of(db, job_id)) == (["cancelled", "in_progress"], "in_progress")
    say(db, busy, job_id, last)

    assert (states_of(db, job_id), state_of(db, job_id)) == (["cancelled", last], whole)


def test_what_failed_or_ran_out_of_time_is_tried_again_and_what_was_rejected_is_not(db: Database) -> None:
    uuids = {state: add_device(db) for state in ("failed", "rejected", "succeeded")}
    job_id = execute(db, *uuids.values()).execution.job_id
    for state, uuid in uuids.items():
        finish(db, uuid, job_id, state)
    assert state_of(db, job_id) == "failed"

    assert fleet_jobs.retry(db, job_id, now=NOW + timedelta(minutes=1), actor="ann") == 1

    assert (state_of(db, job_id), fleet_jobs.get(db, job_id)[0].execution.completed_at) == ("in_progress", None)
    offer = poll(db, uuids["failed"], after=90).offer
    assert offer is not None
    assert (offer.part.number, offer.execution.job_id) == (2, job_id)
    say(db, uuids["failed"], job_id, "succeeded", after=95)
    assert sorted(states_of(db, job_id)) == ["rejected", "succeeded", "succeeded"]
    assert state_of(db, job_id) == "failed"
    with pytest.raises(Conflict):
        fleet_jobs.retry(db, job_id, now=NOW, actor="ann")


def test_only_the_devices_that_are_named_try_again(db: Database) -> None:
    first, second = add_device(db), add_device(db)
    job_id = execute(db, first, second).execution.job_id
    finish(db, first, job_id, "failed")
    finish(db, second, job_id, "failed")

    assert fleet_jobs.retry(db, job_id, now=NOW, actor="ann", uuids_of=[second]) == 1

    assert sorted(states_of(db, job_id)) == ["failed", "queued"]
    assert poll(db, first).offer is None


def test_an_order_in_progress_is_not_deleted_and_others_are(db: Database) -> None:
    uuid = add_device(db)
    first, second = execute(db, uuid).execution.job_id, execute(db, uuid).execution.job_id
    poll(db, uuid)

    with pytest.raises(InProgress):
        fleet_jobs.delete(db, first, now=NOW, actor="ann")
    fleet_jobs.delete(db, second, now=NOW, actor="ann")
    say(db, uuid, first, "succeeded")
    fleet_jobs.delete(db, first, now=NOW, actor="ann")

    assert fleet_jobs.list_page(db, limit=10) == []
    for gone in (first, "unknown"):
        with pytest.raises(ExecutionNotFound):
            fleet_jobs.delete(db, gone, now=NOW, actor="ann")


def test_a_continuous_order_reaches_a_device_that_joins_later(db: Database) -> None:
    target_filter = {"tags": {"site": "north"}}
    job_id = execute(db, target_type="group", target_filter=target_filter, execution_type="continuous").execution.job_id
    assert state_of(db, job_id) == "queued"

    late = add_device(db, tags={"site": "south"})
    assert poll(db, late).offer is None
    devices.set_tags(db, late, {"site": "north"}, now=NOW, actor="ann")
    offer = poll(db, late).offer
    assert offer is not None
    say(db, late, job_id, "succeeded")
    # It waits for others.
    assert state_of(db, job_id) == "in_progress"
    devices.set_tags(db, late, {"site": "north", "again": "yes"}, now=NOW, actor="ann")
    assert poll(db, late).offer is None

    fleet_jobs.cancel(db, job_id, now=NOW, actor="ann", force=True)
    add_device(db, tags=target_filter["tags"])
    assert states_of(db, job_id) == ["succeeded"]
    assert state_of(db, job_id) == "succeeded"


def test_an_order_whose_last_device_is_deleted_is_taken_back_and_one_that_had_ended_stays_what_it_was(
    db: Database,
) -> None:
    first, second = add_device(db), add_device(db)
    waiting = execute(db, first).execution.job_id
    done = execute(db, second).execution.job_id
    poll(db, second)
    say(db, second, done, "succeeded")

    devices.delete(db, first, now=NOW, actor="ann")
    devices.delete(db, second, now=NOW, actor="ann")

    execution = fleet_jobs.get(db, waiting)[0].execution
    assert (execution.state, execution.total, execution.paused_reason) == (
        *("cancelled", 0),
        "all of its devices were deleted",
    )
    assert execution.completed_at == NOW
    assert [one.detail for one in audit.list_page(db, limit=10) if one.action == "device_job.cancel"] == [
        {"reason": "all of its devices were deleted"}
    ]
    assert state_of(db, done) == "succeeded"


def test_a_device_that_is_not_active_is_not_tried_again_and_none_for_ever(db: Database) -> None:
    uuid = add_device(db)
    job_id = execute(db, uuid).execution.job_id
    for attempt in range(11):
        poll(db, uuid)
        say(db, uuid, job_id, "failed")
        devices.set_active(db, uuid, False, now=NOW, actor="ann")
        with pytest.raises(Conflict, match="no active device"):
            fleet_jobs.retry(db, job_id, now=NOW, actor="ann")
        devices.set_active(db, uuid, True, now=NOW, actor="ann")
        if attempt < 10:
            fleet_jobs.retry(db, job_id, now=NOW, actor="ann")

    with pytest.raises(Conflict, match="which each may 10 times"):
        fleet_jobs.retry(db, job_id, now=NOW, actor="ann")


def test_an_order_goes_on_without_a_device_that_is_deleted(db: Database) -> None:
    first, second = add_device(db), add_device(db)
    job_id = execute(db, first, second).execution.job_id
    finish(db, first, job_id)

    devices.delete(db, second, now=NOW, actor="ann")

    assert (state_of(db, job_id), fleet_jobs.get(db, job_id)[0].execution.total) == ("succeeded", 1)


def test_lists_are_newest_first_and_can_be_of_one_state(db: Database) -> None:
    uuid = add_device(db)
    ids = [execute(db, uuid, name=f"job {number}").execution.job_id for number in range(3)]
    poll(db, uuid)

    assert [one.execution.job_id for one in fleet_jobs.list_page(db, limit=2)] == [ids[2], ids[1]]
    assert [one.execution.job_id for one in fleet_jobs.list_page(db, limit=2, offset=2)] == [ids[0]]
    (busy,) = fleet_jobs.list_page(db, state=ExecutionState.IN_PROGRESS, limit=10)
    assert (busy.execution.job_id, busy.targets) == (ids[0], [uuid])


def test_a_preview_shows_the_final_document_and_who_would_reject_it_and_gives_nothing(db: Database) -> None:
    fits, other = add_device(db, "fits", type="pi"), add_device(db, "other")
    document = {
        "version": "1.0",
        "steps": [{"type": "runCommand", "input": {"command": "echo,{{WORD}}"}}],
        "conditions": [{"key": "device_type", "value": ["pi"]}],
    }

    order = Order("x", "device", document=document, target_devices=[fits, other], variables={"WORD": "a,b"})
    filled, shown = fleet_jobs.preview(db, order, now=NOW)

    assert filled["steps"][0]["input"]["command"] == r"echo,a\,b"
    assert [(one.uuid, one.unmet) for one in shown] == [(fits, None), (other, "device_type must be pi")]
    assert fleet_jobs.list_page(db, limit=10) == []


def test_what_happens_is_told_in_the_outbox_in_its_order(db: Database) -> None:
    uuid = add_device(db)
    before = outbox.newest_id(db)
    job_id = execute(db, uuid).execution.job_id
    finish(db, uuid, job_id)

    told, _place = outbox.list_since(db, before, limit=100)

    words = [(event.type, event.data["status"]) for event in told]
    assert words == [
        ("execution_changed", "QUEUED"),
        ("device_job_changed", "IN_PROGRESS"),
        ("execution_changed", "IN_PROGRESS"),
        ("device_job_changed", "SUCCEEDED"),
        ("execution_changed", "SUCCEEDED"),
    ]
    assert {event.data["job_id"] for event in told} == {job_id}


def test_a_handler_and_a_group_that_are_not_here_are_refused_when_an_order_is_given(db: Database) -> None:
    uuid = add_device(db)
    unknown = {"steps": [{"type": "runHandler", "input": {"handler": "nobodys"}}]}

    for fields in ({"document": unknown}, {"rollback_document": unknown}):
        with pytest.raises(InputError, match="names the handler 'nobodys'"):
            execute(db, uuid, **fields)
    with pytest.raises(InputError, match="is no group here"):
        execute(db, target_type="group", target_filter={"group": "nobodys"}, execution_type="continuous")


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
def test_a_moment_beyond_the_ends_of_time_is_refused(db: Database, moment: str) -> None:
    with pytest.raises(InputError, match="scheduled_at"):
        execute(db, add_device(db), schedule={"scheduled_at": moment})
