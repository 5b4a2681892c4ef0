"""Orders that go through a fleet wave by wave: gates, stops, pauses, rollbacks, and devices that begin by their own clocks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.database import NOW
from tests.fleet import DOCUMENT, STEP, add_device, execute, poll, say, state_of
from watchbell.domain.fleet_state import DeviceJobState
from watchbell.errors import Conflict, InputError
from watchbell.services import audit, devices, fleet_jobs, fleet_orders, fleet_rollouts, job_handlers, job_library
from watchbell.services.device_jobs import ReportRefused
from watchbell.services.fleet_jobs import ExecutionNotFound
from watchbell.services.fleet_orders import Order
from watchbell.services.fleet_rollouts import Moved, NotRolling
from watchbell.store.devices import Device
from watchbell.store.session import Database

UNDO = {"version": "1.0", "steps": [{**STEP, "name": "undo"}]}


def add_many(db: Database, count: int) -> list[str]:
    """Make many active devices at once."""
    uuids = [f"8479359e-dbeb-4858-813c-{number:012x}" for number in range(count)]
    with db.write() as session:
        session.add_all(
            Device(
                uuid=uuid, name=f"pi-{number}", type="gateway", is_active=True, facts={}, created_at=NOW, modified_at=NOW,
                provisioning_state="provisioned",
            )
            for number, uuid in enumerate(uuids)
        )  # fmt: skip
    return uuids


def finish(db: Database, job_id: str, uuids: Sequence[str], state: str = "succeeded", *, after: float = 0) -> None:
    for uuid in uuids:
        offer = poll(db, uuid, after=after).offer
        assert offer is not None and offer.execution.job_id == job_id, uuid
        say(db, uuid, job_id, state, after=after)


def offered(db: Database, uuids: Sequence[str], *, after: float = 0) -> list[str]:
    """Return who would be offered something, which they have from then on."""
    return [uuid for uuid in uuids if poll(db, uuid, after=after).offer is not None]


def move_on(db: Database, *, after: float = 0) -> Moved:
    return fleet_rollouts.move_on(db, now=NOW + timedelta(seconds=after))


def execution_of(db: Database, job_id: str) -> Any:
    return fleet_jobs.get(db, job_id)[0].execution


def test_a_rollout_over_a_thousand_devices_that_fails_in_its_second_wave_stops_where_its_rule_says(
    db: Database,
) -> None:
    uuids = add_many(db, 1000)
    rule = {"failure_type": "FAILED", "threshold_percentage": 10, "minimum": 20, "action": "PAUSE"}
    job_id = execute(
        db, target_type="all", rollout={"canary": 10, "wave": 100, "factor": 2, "abort": [rule]}
    ).execution.job_id  # fmt: skip
    assert [sum(wave.counts.values()) for wave in fleet_rollouts.waves(db, job_id)] == [10, 100, 200, 400, 290]
    assert offered(db, uuids[10:20]) == []
    finish(db, job_id, uuids[:9])
    assert move_on(db) == Moved()
    finish(db, job_id, uuids[9:10])
    assert move_on(db) == Moved(waves=1)

    # Of the second wave every third device fails; the rule looks after each.
    stopped_at = None
    for number, uuid in enumerate(uuids[10:110]):
        finish(db, job_id, [uuid], "failed" if number % 3 == 0 else "succeeded")
        if move_on(db).stopped:
            stopped_at = number
            break

    # 20 devices have ended with the tenth of them; 4 of them have failed, which is more than a tenth.
    assert stopped_at == 9
    execution = execution_of(db, job_id)
    assert (execution.state, execution.wave) == ("in_progress", 2)
    assert execution.paused_reason == "4 of 20 devices have failed, 20 %; the limit is 10 %"
    assert offered(db, [*uuids[20:110:9], *uuids[110::45]]) == []
    assert execution.counts == {"succeeded": 16, "failed": 4, "queued": 980}
    assert move_on(db, after=3600) == Moved()


def test_the_next_wave_waits_for_its_interval(db: Database) -> None:
    uuids = add_many(db, 3)
    job_id = execute(db, *uuids, rollout={"wave": 1, "interval_seconds": 60}).execution.job_id
    finish(db, job_id, uuids[:1])

    assert move_on(db, after=59) == Moved()
    assert move_on(db, after=60) == Moved(waves=1)
    finish(db, job_id, uuids[1:2], after=60)
    assert move_on(db, after=119) == Moved()
    assert move_on(db, after=120) == Moved(waves=1)
    finish(db, job_id, uuids[2:], after=120)
    assert move_on(db, after=500) == Moved()
    assert state_of(db, job_id) == "succeeded"


def test_a_gate_that_is_not_met_pauses_until_somebody_lets_it_pass(db: Database) -> None:
    uuids = add_many(db, 6)
    job_id = execute(db, *uuids, rollout={"wave": 2}).execution.job_id
    finish(db, job_id, uuids[:1], "failed")
    finish(db, job_id, uuids[1:2])

    assert move_on(db) == Moved(stopped=1)
    assert execution_of(db, job_id).paused_reason.startswith("1 of 2 devices have succeeded, 50 %")

    fleet_rollouts.resume(db, job_id, now=NOW, actor="ann")

    assert move_on(db) == Moved(waves=1)
    assert offered(db, uuids[2:]) == uuids[2:4]
    for uuid in uuids[2:4]:
        say(db, uuid, job_id, "failed")
    # What was let pass is not what has gone wrong since.
    assert move_on(db) == Moved(stopped=1)


def test_who_tries_again_and_succeeds_opens_the_gate(db: Database) -> None:
    uuids = add_many(db, 2)
    job_id = execute(db, *uuids, rollout={"wave": 1}).execution.job_id
    finish(db, job_id, uuids[:1], "failed")
    assert move_on(db) == Moved(stopped=1)

    fleet_jobs.retry(db, job_id, now=NOW, actor="ann")
    finish(db, job_id, uuids[:1])
    fleet_rollouts.resume(db, job_id, now=NOW, actor="ann")

    assert move_on(db) == Moved(waves=1)


def test_a_failure_that_was_let_pass_and_tried_again_hides_no_other_one(db: Database) -> None:
    uuids = add_many(db, 6)
    job_id = execute(db, *uuids, rollout={"wave": 2}).execution.job_id
    finish(db, job_id, uuids[:1], "failed")
    finish(db, job_id, uuids[1:2])
    assert move_on(db) == Moved(stopped=1)
    fleet_rollouts.resume(db, job_id, now=NOW, actor="ann")
    fleet_jobs.retry(db, job_id, now=NOW, actor="ann")
    finish(db, job_id, uuids[:1])
    assert move_on(db) == Moved(waves=1)

    finish(db, job_id, uuids[2:3], "failed")
    finish(db, job_id, uuids[3:4])

    assert move_on(db) == Moved(stopped=1)
    assert execution_of(db, job_id).paused_reason.startswith("3 of 4 devices have succeeded, 75 %")


def test_a_wave_of_which_every_device_was_deleted_stops_a_rollout_until_somebody_lets_it_pass(db: Database) -> None:
    uuids = add_many(db, 4)
    job_id = execute(db, *uuids, rollout={"canary": 1, "wave": 2}).execution.job_id
    assert offered(db, uuids) == uuids[:1]

    devices.delete(db, uuids[0], now=NOW, actor="ann")

    assert move_on(db) == Moved(stopped=1)
    assert execution_of(db, job_id).paused_reason.startswith("no device is left in the last wave")
    assert offered(db, uuids[1:]) == []
    fleet_rollouts.resume(db, job_id, now=NOW, actor="ann")
    assert move_on(db) == Moved(waves=1)
    assert offered(db, uuids[1:]) == uuids[1:3]
    for uuid in uuids[1:3]:
        devices.delete(db, uuid, now=NOW, actor="ann")
    assert move_on(db) == Moved(stopped=1)


def test_letting_failures_of_a_wave_pass_does_not_let_it_pass_once_nobody_is_left_in_it(db: Database) -> None:
    uuids = add_many(db, 3)
    job_id = execute(db, *uuids, rollout={"wave": 1}).execution.job_id
    fleet_rollouts.pause(db, job_id, now=NOW, actor="ann")
    fleet_rollouts.resume(db, job_id, now=NOW, actor="ann")

    devices.delete(db, uuids[0], now=NOW, actor="ann")

    assert move_on(db) == Moved(stopped=1)


def test_what_undoes_an_order_is_given_also_when_its_handler_is_gone(db: Database) -> None:
    uuids = add_many(db, 1)
    handler = job_library.create_handler(db, {"name": "undo", "script_content": "true"}, now=NOW, actor="ann")
    undo = {"steps": [{"type": "runHandler", "input": {"handler": "undo"}}]}
    job_id = execute(db, *uuids, rollback_document=undo).execution.job_id
    finish(db, job_id, uuids)
    job_handlers.delete(db, handler.id, now=NOW, actor="ann")

    assert fleet_rollouts.roll_back(db, job_id, now=NOW, actor="ann").execution.total == 1


def test_nobody_tries_again_what_was_rolled_back(db: Database) -> None:
    uuids = add_many(db, 2)
    job_id = execute(db, *uuids, rollback_document=UNDO).execution.job_id
    finish(db, job_id, uuids, "failed")
    fleet_rollouts.roll_back(db, job_id, now=NOW, actor="ann")

    with pytest.raises(Conflict, match="rolled back"):
        fleet_jobs.retry(db, job_id, now=NOW, actor="ann")


def test_who_has_to_wait_for_its_wave_or_for_a_pause_cannot_begin_by_saying_so(db: Database) -> None:
    uuids = add_many(db, 2)
    job_id = execute(db, *uuids, rollout={"wave": 1}).execution.job_id
    with pytest.raises(ReportRefused, match="waits for its wave"):
        say(db, uuids[1], job_id, "in_progress", report_id="1")
    fleet_rollouts.pause(db, job_id, now=NOW, actor="ann")
    with pytest.raises(ReportRefused, match="paused"):
        say(db, uuids[0], job_id, "in_progress")

    fleet_rollouts.resume(db, job_id, now=NOW, actor="ann")
    finish(db, job_id, uuids[:1])
    move_on(db)

    # Under the same number as before.
    assert say(db, uuids[1], job_id, "in_progress", report_id="1").state == "in_progress"


def test_a_rule_that_cancels_takes_it_from_all_that_wait_and_undoes_it_where_it_was_begun(db: Database) -> None:
    uuids = add_many(db, 5)
    rule = {"failure_type": "ALL", "threshold_percentage": 50, "minimum": 2, "action": "CANCEL"}
    job_id = execute(
        db, *uuids, rollout={"wave": 3, "abort": [rule]}, rollback_document=UNDO, timeout_seconds=77
    ).execution.job_id  # fmt: skip
    finish(db, job_id, uuids[:1])
    finish(db, job_id, uuids[1:2], "failed")
    assert offered(db, uuids[2:3]) == uuids[2:3]

    assert move_on(db) == Moved(stopped=1)

    parts = fleet_jobs.get(db, job_id)[1]
    assert [part.state for part, _device in parts] == ["succeeded", "failed", "in_progress", "cancelled", "cancelled"]
    undo = next(one for one in fleet_jobs.list_page(db, limit=10) if one.execution.rollback_of == job_id)
    assert undo.targets == uuids[:3]
    assert (undo.execution.document, undo.execution.timeout_seconds) == (UNDO, 77)
    # Who is at it still finishes that first.
    assert [held.job_id for held in [poll(db, uuids[2]).offer.execution]] == [job_id]  # type: ignore[union-attr]
    say(db, uuids[2], job_id, "succeeded")
    finish(db, undo.execution.job_id, uuids[:3])
    with pytest.raises(Conflict, match="rolled back before"):
        fleet_rollouts.roll_back(db, job_id, now=NOW, actor="ann")


@pytest.mark.parametrize(("action", "is_undone"), [("CANCEL", True), ("PAUSE", False)])
def test_what_ends_with_too_many_failures_is_undone_where_a_rule_says_so(
    db: Database, action: str, is_undone: bool
) -> None:
    uuids = add_many(db, 2)
    rule = {"failure_type": "FAILED", "threshold_percentage": 50, "minimum": 2, "action": action}
    job_id = execute(db, *uuids, rollout={"wave": 2, "abort": [rule]}, rollback_document=UNDO).execution.job_id
    finish(db, job_id, uuids, "failed")
    assert execution_of(db, job_id).state == "failed"

    moved = [fleet_rollouts.move_on(db, now=NOW, ended_since=NOW - timedelta(minutes=1)) for _ in range(2)]

    undoing = [one for one in fleet_jobs.list_page(db, limit=10) if one.execution.rollback_of == job_id]
    assert [one.targets for one in undoing] == [uuids] * is_undone
    assert moved == [Moved(stopped=int(is_undone)), Moved()]
    assert execution_of(db, job_id).state == "failed"


def test_a_pause_holds_everybody_who_has_not_begun_and_is_told(db: Database) -> None:
    uuids = add_many(db, 3)
    job_id = execute(db, *uuids).execution.job_id
    assert offered(db, uuids[:1]) == uuids[:1]

    fleet_rollouts.pause(db, job_id, now=NOW, actor="ann")

    assert offered(db, uuids) == uuids[:1]
    say(db, uuids[0], job_id, "succeeded")
    assert execution_of(db, job_id).paused_reason == "paused by ann"
    with pytest.raises(Conflict, match="paused already"):
        fleet_rollouts.pause(db, job_id, now=NOW, actor="ann")
    fleet_rollouts.resume(db, job_id, now=NOW, actor="ann")
    with pytest.raises(Conflict, match="not paused"):
        fleet_rollouts.resume(db, job_id, now=NOW, actor="ann")
    finish(db, job_id, uuids[1:])
    with pytest.raises(NotRolling):
        fleet_rollouts.pause(db, job_id, now=NOW, actor="ann")
    with pytest.raises(ExecutionNotFound):
        fleet_rollouts.pause(db, "none", now=NOW, actor="ann")
    noted = [entry.action for entry in audit.list_page(db, limit=20)]
    assert noted.count("device_job.pause") == noted.count("device_job.resume") == 1


def test_a_device_that_joins_later_comes_with_the_last_wave(db: Database) -> None:
    uuids = add_many(db, 2)
    job_id = execute(db, target_type="all", execution_type="continuous", rollout={"wave": 1}).execution.job_id

    late = add_device(db)

    assert offered(db, [late]) == []
    finish(db, job_id, uuids[:1])
    assert move_on(db) == Moved(waves=1)
    assert offered(db, [late]) == [late]


def test_nothing_undoes_an_order_that_was_given_without(db: Database) -> None:
    uuids = add_many(db, 2)
    plain = execute(db, *uuids).execution.job_id
    with pytest.raises(Conflict, match="without anything"):
        fleet_rollouts.roll_back(db, plain, now=NOW, actor="ann")
    undoable = execute(db, *uuids, rollback_document=UNDO).execution.job_id
    with pytest.raises(Conflict, match="no device has begun"):
        fleet_rollouts.roll_back(db, undoable, now=NOW, actor="ann")
    # Nothing of it has happened.
    assert state_of(db, undoable) == "queued"


def test_what_undoes_an_order_has_the_same_values_and_is_checked_at_the_door(db: Database) -> None:
    uuid = add_device(db)
    step = {"type": "runCommand", "input": {"command": "rm,{{FILE}}"}}
    undo = {"version": "1.0", "steps": [step]}

    made = execute(db, uuid, document=DOCUMENT, rollback_document=undo, variables={"FILE": "x"}).execution

    assert made.rollback_document["steps"][0]["input"]["command"] == "rm,x"
    with pytest.raises(InputError):
        execute(db, uuid, rollback_document=undo)
    with pytest.raises(InputError):
        execute(db, uuid, rollout={"wave": 0})


def test_each_device_begins_by_its_own_clock(db: Database) -> None:
    berlin = add_device(db, zone="Europe/Berlin")
    york = add_device(db, zone="America/New_York")
    day = NOW.date() + timedelta(days=2)
    job_id = execute(db, berlin, york, schedule={"local_time": f"{day}T02:00"}).execution.job_id

    begins = {device.uuid: part.not_before for part, device in fleet_jobs.get(db, job_id)[1]}

    assert begins[york] - begins[berlin] == timedelta(hours=6)
    after = (begins[berlin] - NOW).total_seconds()
    assert offered(db, [berlin, york], after=after - 1) == []
    assert offered(db, [berlin, york], after=after) == [berlin]


def test_a_device_begins_only_while_its_window_is_open(db: Database) -> None:
    uuid = add_device(db, zone="Europe/Berlin")
    job_id = execute(db, uuid, schedule={"window": {"start": "02:00", "end": "03:00"}}).execution.job_id
    opening = fleet_jobs.get(db, job_id)[1][0][0].not_before
    assert opening is not None
    assert opening.astimezone(UTC).time() == datetime(2026, 1, 1, 1).time()
    after = (opening - NOW).total_seconds()

    # It was off while the window was open, and waits for the next one.
    assert offered(db, [uuid], after=after + 3600) == []
    assert offered(db, [uuid], after=after + 86_399) == []
    assert offered(db, [uuid], after=after + 86_400 + 3599) == [uuid]
    # What is begun is finished, also behind the window.
    assert offered(db, [uuid], after=after + 90_000) == [uuid]


def test_a_preview_says_how_large_the_waves_are_and_when_each_device_begins(db: Database) -> None:
    uuid = add_device(db, zone="Europe/Berlin")
    day = NOW.date() + timedelta(days=2)
    order = Order(
        "check", "device", DOCUMENT, target_devices=[uuid], schedule={"local_time": f"{day}T02:00"}, rollout={"wave": 3}
    )

    _document, found = fleet_jobs.preview(db, order, now=NOW)

    assert found[0].begins_at is not None
    assert fleet_orders.sizes_of(order, 7) == [3, 3, 1]


def test_a_wave_that_a_person_has_taken_a_device_out_of_does_not_wait_for_it(db: Database) -> None:
    uuids = add_many(db, 3)
    job_id = execute(db, *uuids, rollout={"wave": 2}).execution.job_id
    finish(db, job_id, uuids[:1])
    devices.delete(db, uuids[1], now=NOW, actor="ann")

    assert move_on(db) == Moved(waves=1)
    assert {wave.number: dict(wave.counts) for wave in fleet_rollouts.waves(db, job_id)} == {
        1: {DeviceJobState.SUCCEEDED: 1},
        2: {DeviceJobState.QUEUED: 1},
    }
