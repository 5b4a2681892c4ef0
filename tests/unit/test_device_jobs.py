"""The part of one device: what it is offered, what it may report, and what becomes of it when its time is over."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from tests.database import NOW
from tests.fleet import DOCUMENT, add_device, execute, poll, say, state_of, states_of
from watchbell.domain.fleet_state import DeviceJobState, may_follow
from watchbell.errors import Conflict, InputError, NotFound
from watchbell.services import device_jobs, devices, fleet_jobs, job_handlers, job_library, outbox
from watchbell.services.device_jobs import DeviceInactive, PartNotFound, ReportRefused
from watchbell.store.device_reports import DeviceReport
from watchbell.store.fleet_jobs import DeviceJob
from watchbell.store.session import Database

STATES = [state.value for state in DeviceJobState]


def offered(db: Database, uuid: str, *, after: float = 0) -> str | None:
    offer = poll(db, uuid, after=after).offer
    return offer.execution.job_id if offer is not None else None


def bring_to(db: Database, state: str) -> tuple[str, str]:
    """Return a device and an order of which its part is in a state."""
    uuid = add_device(db)
    job_id = execute(db, uuid, timeout_seconds=10).execution.job_id
    if state not in {"queued", "cancelled"}:
        poll(db, uuid)
    if state == "cancelled":
        fleet_jobs.cancel(db, job_id, now=NOW, actor="ann", force=True)
    elif state == "timed_out":
        device_jobs.time_out(db, now=NOW + timedelta(seconds=11))
    elif state not in {"queued", "in_progress"}:
        say(db, uuid, job_id, state)
    assert states_of(db, job_id) == [state]
    return uuid, job_id


def test_a_device_has_what_it_is_offered_and_gets_it_again_before_anything_new(db: Database) -> None:
    uuid = add_device(db)
    first = execute(db, uuid).execution.job_id
    assert offered(db, uuid) == first
    second = execute(db, uuid, priority=100).execution.job_id

    assert offered(db, uuid, after=60) == first
    assert sorted(states_of(db, first) + states_of(db, second)) == ["in_progress", "queued"]
    say(db, uuid, first, "succeeded")

    assert offered(db, uuid) == second
    say(db, uuid, second, "failed")
    assert offered(db, uuid) is None


def test_what_is_urgent_is_offered_first_and_then_what_waits_longest(db: Database) -> None:
    uuid = add_device(db)
    old = execute(db, uuid).execution.job_id
    late = execute(db, uuid, schedule={"scheduled_at": (NOW + timedelta(minutes=5)).isoformat()}).execution.job_id
    urgent = execute(db, uuid, priority=10).execution.job_id

    order = []
    for after in (0, 1, 2, 301):
        found = offered(db, uuid, after=after)
        order.append(found)
        if found:
            say(db, uuid, found, "succeeded", after=after)

    assert order == [urgent, old, None, late]


def test_fifty_polls_at_once_give_a_device_one_job(db: Database) -> None:
    uuid = add_device(db)
    ids = {execute(db, uuid).execution.job_id for _ in range(3)}
    found: list[str | None] = []
    threads = [threading.Thread(target=lambda: found.append(offered(db, uuid))) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(found) == 50
    assert len(set(found)) == 1
    assert found[0] in ids
    assert len(device_jobs.list_events(db, uuid, str(found[0]))) == 1


def test_only_an_active_device_that_is_there_may_ask(db: Database) -> None:
    with pytest.raises(NotFound):
        poll(db, "8479359e-dbeb-4858-813c-e8a9008dde04")
    with pytest.raises(DeviceInactive):
        poll(db, add_device(db, active=False))


def test_a_device_that_does_not_meet_a_condition_rejects_the_job_and_gets_the_next(db: Database) -> None:
    uuid = add_device(db, type="router", tags={"site": "north"})
    document = {**DOCUMENT, "conditions": [{"key": "device_type", "value": ["gateway"]}]}
    refused = execute(db, uuid, document=document).execution.job_id
    fits = execute(
        db, uuid, document={**DOCUMENT, "conditions": [{"key": "site", "value": ["north"]}]}
    ).execution.job_id

    assert offered(db, uuid) == fits

    ((part, _device),) = fleet_jobs.get(db, refused)[1]
    assert (part.state, part.reason) == ("rejected", "device_type is router, not gateway")
    assert state_of(db, refused) == "failed"


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("to", STATES)
def test_a_device_may_report_what_the_table_lets_follow_and_only_what_is_its_own_to_say(
    db: Database, state: str, to: str
) -> None:
    uuid, job_id = bring_to(db, state)
    before, _ = device_jobs.history(db, uuid, state=None, limit=1, offset=0)
    was = (before[0][0].state, before[0][0].version)
    is_sayable = to in {"in_progress", "succeeded", "failed", "rejected"}
    is_legal = may_follow(DeviceJobState(state), DeviceJobState(to)) or (state == to == "in_progress")

    if is_sayable and (is_legal or state == to):
        assert say(db, uuid, job_id, to, after=1).state == to
        return
    with pytest.raises(ReportRefused if is_sayable else InputError) as told:
        say(db, uuid, job_id, to, after=1)

    after, _ = device_jobs.history(db, uuid, state=None, limit=1, offset=0)
    assert (after[0][0].state, after[0][0].version) == was
    if isinstance(told.value, ReportRefused):
        assert (told.value.state.value, told.value.version) == was


def test_a_report_says_what_it_says_and_leaves_the_rest(db: Database) -> None:
    uuid, job_id = bring_to(db, "in_progress")
    say(db, uuid, job_id, "in_progress", stdout="half", details={"message": "at it"}, executed_steps=1, after=5)

    part = say(db, uuid, job_id, "failed", exit_code=3, failed_step="disk", after=9)

    assert (part.stdout, part.executed_steps, part.exit_code, part.failed_step) == ("half", 1, 3, "disk")
    assert part.details == {"message": "at it"}
    assert (part.completed_at, part.deadline_at) == (NOW + timedelta(seconds=9), None)


def test_a_success_with_an_exit_code_other_than_0_is_a_failure(db: Database) -> None:
    uuid, job_id = bring_to(db, "in_progress")

    assert say(db, uuid, job_id, "succeeded", exit_code=1).state == "failed"
    assert state_of(db, job_id) == "failed"


@pytest.mark.parametrize("report_id", [None, "r-1"])
def test_the_same_report_a_hundred_times_at_once_is_one_step(db: Database, report_id: str | None) -> None:
    uuid, job_id = bring_to(db, "in_progress")
    before = outbox.newest_id(db)
    found: list[tuple[str, int]] = []

    def send() -> None:
        part = say(db, uuid, job_id, "succeeded", exit_code=0, report_id=report_id)
        found.append((part.state, part.version))

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for _ in range(80):
        send()

    assert len(found) == 100
    assert len(set(found)) == 1
    told, _place = outbox.list_since(db, before, limit=100)
    assert [event.type for event in told] == ["device_job_changed", "execution_changed"]


def test_another_report_under_a_number_that_was_used_is_refused(db: Database) -> None:
    uuid, job_id = bring_to(db, "in_progress")
    say(db, uuid, job_id, "in_progress", stdout="a", report_id="r-1")

    with pytest.raises(Conflict, match="another report"):
        say(db, uuid, job_id, "succeeded", report_id="r-1")

    assert states_of(db, job_id) == ["in_progress"]


def test_a_refused_report_is_refused_again_under_its_number(db: Database) -> None:
    uuid, job_id = bring_to(db, "queued")
    with pytest.raises(ReportRefused):
        say(db, uuid, job_id, "succeeded", report_id="r-1")
    poll(db, uuid)

    with pytest.raises(ReportRefused):
        say(db, uuid, job_id, "succeeded", report_id="r-1")
    assert say(db, uuid, job_id, "succeeded", report_id="r-2").state == "succeeded"


def test_a_report_of_what_is_not_known_any_more_is_refused_with_what_is(db: Database) -> None:
    uuid, job_id = bring_to(db, "in_progress")
    part = say(db, uuid, job_id, "in_progress", expected_version=2)

    with pytest.raises(ReportRefused) as told:
        say(db, uuid, job_id, "succeeded", expected_version=2)

    assert (told.value.version, told.value.state) == (part.version, DeviceJobState.IN_PROGRESS)
    assert say(db, uuid, job_id, "succeeded", expected_version=3).state == "succeeded"


def test_a_report_that_comes_too_late_is_kept_beside_and_changes_nothing(db: Database) -> None:
    uuid, job_id = bring_to(db, "timed_out")

    for _ in range(3):
        with pytest.raises(ReportRefused, match="TIMED_OUT"):
            say(db, uuid, job_id, "succeeded", exit_code=0, stdout="done", after=99)

    assert states_of(db, job_id) == ["timed_out"]
    late = [event for event in device_jobs.list_events(db, uuid, job_id) if event.kind == "late_report"]
    assert [(event.to_state, event.data["stdout"]) for event in late] == [("succeeded", "done")]


def test_of_reports_that_come_too_late_no_more_are_kept_than_anybody_reads(db: Database) -> None:
    uuid, job_id = bring_to(db, "timed_out")

    for number in range(device_jobs.MOST_LATE + 5):
        with pytest.raises(ReportRefused, match="TIMED_OUT"):
            say(db, uuid, job_id, "succeeded", exit_code=0, stdout=f"done {number}", after=99)

    late = [event.data["stdout"] for event in device_jobs.list_events(db, uuid, job_id) if event.kind == "late_report"]
    assert late == [f"done {number}" for number in range(device_jobs.MOST_LATE)]


def test_of_one_job_no_device_fills_the_database_with_numbers_of_reports(db: Database) -> None:
    uuid, job_id = bring_to(db, "in_progress")
    with db.write() as session:
        part = session.scalars(select(DeviceJob)).one()
        rows = [
            {"device_id": part.device_id, "report_id": f"r{number}", "digest": "", "device_job_id": part.id, "at": NOW}
            for number in range(device_jobs.MOST_REPORTS - 1)
        ]
        session.execute(insert(DeviceReport), rows)

    for number in range(5):
        say(db, uuid, job_id, "in_progress", stdout=f"at {number}", report_id=f"more {number}")
    say(db, uuid, job_id, "succeeded", exit_code=0, report_id="last")
    say(db, uuid, job_id, "succeeded", exit_code=0, report_id="last")

    assert states_of(db, job_id) == ["succeeded"]
    with db.read() as session:
        assert len(session.scalars(select(DeviceReport.id)).all()) == device_jobs.MOST_REPORTS


def test_a_device_reports_of_its_own_jobs_only(db: Database) -> None:
    uuid, job_id = bring_to(db, "in_progress")
    other = add_device(db)

    for who, what in ((other, job_id), (uuid, "unknown"), ("unknown", job_id)):
        with pytest.raises(PartNotFound):
            say(db, who, what, "succeeded")


def test_a_job_without_a_result_runs_out_of_time_and_a_device_is_told(db: Database) -> None:
    uuid = add_device(db)
    job_id = execute(db, uuid, timeout_seconds=60).execution.job_id
    assert device_jobs.time_out(db, now=NOW + timedelta(days=1)) == 0
    poll(db, uuid)

    assert device_jobs.time_out(db, now=NOW + timedelta(seconds=59)) == 0
    assert device_jobs.time_out(db, now=NOW + timedelta(seconds=60)) == 1

    ((part, _device),) = fleet_jobs.get(db, job_id)[1]
    assert (part.state, part.reason, state_of(db, job_id)) == ("timed_out", "no result within 60 s", "failed")
    assert poll(db, uuid, after=61).cancelled == [job_id]
    assert fleet_jobs.retry(db, job_id, now=NOW, actor="ann") == 1


def test_a_step_may_shorten_the_time_of_the_whole_and_not_lengthen_it(db: Database) -> None:
    uuid = add_device(db)
    job_id = execute(db, uuid, timeout_seconds=60).execution.job_id
    poll(db, uuid)

    part = say(db, uuid, job_id, "in_progress", step_timeout_seconds=10, after=5)
    assert part.deadline_at == NOW + timedelta(seconds=15)
    part = say(db, uuid, job_id, "in_progress", step_timeout_seconds=500, after=6)
    assert part.deadline_at == NOW + timedelta(seconds=60)

    say(db, uuid, job_id, "in_progress", step_timeout_seconds=1, after=7)
    assert device_jobs.time_out(db, now=NOW + timedelta(seconds=8)) == 1


def test_what_a_device_writes_is_bounded_and_its_middle_goes(db: Database) -> None:
    uuid, job_id = bring_to(db, "in_progress")

    part = say(db, uuid, job_id, "failed", stdout="a" * 100_000 + "z", reason="r" * 10_000)

    assert part.stdout.startswith("aaa")
    assert part.stdout.endswith("aaz")
    assert "[34465 characters were not kept]" in part.stdout
    assert len(part.reason) == device_jobs.REASON_LIMIT
    with pytest.raises(InputError):
        say(db, uuid, job_id, "failed", details={"x": "y" * 20_000})


def test_a_handler_goes_with_the_job_that_names_it_and_to_nobody_else(db: Database) -> None:
    uuid, other = add_device(db), add_device(db)
    step = {"type": "runHandler", "input": {"handler": "download-file", "args": ["u", "d"]}}
    job_id = execute(db, uuid, document={"version": "1.0", "steps": [step]}).execution.job_id
    with pytest.raises(NotFound):
        job_handlers.handler_for(db, uuid, "download-file", now=NOW)

    offer = poll(db, uuid).offer

    assert offer is not None
    (sent,) = offer.handlers
    assert (sent.name, len(sent.sha256)) == ("download-file", 64)
    assert job_handlers.handler_for(db, uuid, "download-file", now=NOW).script_content.startswith("#!/bin/bash")
    for who, name in ((other, "download-file"), (uuid, "backup-directory")):
        with pytest.raises(NotFound):
            job_handlers.handler_for(db, who, name, now=NOW)
    say(db, uuid, job_id, "succeeded")
    with pytest.raises(NotFound):
        job_handlers.handler_for(db, uuid, "download-file", now=NOW)


def test_the_history_of_a_device_is_newest_first_and_a_device_that_is_not_there_has_none(db: Database) -> None:
    uuid = add_device(db)
    ids = [execute(db, uuid, now=NOW + timedelta(minutes=n)).execution.job_id for n in range(3)]
    poll(db, uuid, after=600)

    rows, total = device_jobs.history(db, uuid, state=None, limit=2, offset=0)

    assert ([execution.job_id for _part, execution in rows], total) == ([ids[2], ids[1]], 3)
    busy, count = device_jobs.history(db, uuid, state=DeviceJobState.IN_PROGRESS, limit=5, offset=0)
    assert ([execution.job_id for _part, execution in busy], count) == ([ids[0]], 1)
    with pytest.raises(NotFound):
        device_jobs.history(db, "unknown", state=None, limit=5, offset=0)


def test_the_handlers_of_the_beginning_are_what_their_digests_say(db: Database) -> None:
    import hashlib

    found = job_library.list_handlers(db)

    assert [one.name for one in found] == ["backup-directory", "download-file"]
    assert all(hashlib.sha256(one.script_content.encode()).hexdigest() == one.sha256 for one in found)


def test_a_device_is_online_while_it_is_heard_of(db: Database) -> None:
    made, secret = devices.add(db, {"name": "pi"}, now=NOW, actor="ann")
    assert devices.get(db, made.device.uuid, now=NOW).is_online is False

    devices.resolve(db, secret, now=NOW, address="10.0.0.7")

    assert devices.get(db, made.device.uuid, now=NOW + timedelta(seconds=119)).is_online is True
    assert devices.get(db, made.device.uuid, now=NOW + timedelta(seconds=121)).is_online is False
