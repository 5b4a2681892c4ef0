"""Which agent speaks for a device, what it is given, and that one job is begun by one process however many ask."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from tests.database import NOW
from tests.fleet import add_device, execute
from watchbell.domain.agent_protocol import Assignment
from watchbell.domain.fleet_state import DeviceJobState
from watchbell.errors import Conflict
from watchbell.services import agents, audit, device_jobs, devices, enrolment, fleet_jobs
from watchbell.services.agents import Answer, Asked, DuplicateIdentity, NotEnrolled, OutOfTurn
from watchbell.services.device_jobs import DeviceInactive, Report, ReportRefused
from watchbell.services.speakers import NotYet
from watchbell.store.session import Database

FIRST, SECOND, THIRD = "1" * 32, "2" * 32, "3" * 32


@pytest.fixture
def uuid(db: Database) -> str:
    code = enrolment.create(db, name="pi", now=NOW, actor="ann")
    return enrolment.join(db, code.secret, now=NOW).uuid


def ask(
    db: Database, uuid: str, who: str = FIRST, seq: int = 1, *, after: float = 0, holds: Any = None, earlier: Any = ()
) -> Answer:
    return agents.poll(
        db, uuid, Asked(who, earlier, seq, holds), now=NOW + timedelta(seconds=after), address="10.0.0.7"
    )


def given(db: Database, uuid: str, *arguments: Any, **how: Any) -> Assignment:
    found = ask(db, uuid, *arguments, **how).told.assignment
    assert found is not None
    return found


def say(
    db: Database, uuid: str, job: Assignment, state: str, who: str = FIRST, *, after: float = 0, **more: Any
) -> str:
    report = Report(
        DeviceJobState(state), {}, report_id=f"{state}-{who}-{job.fence}", fence=job.fence, incarnation=who, **more
    )
    return device_jobs.report(db, uuid, job.job_id, report, now=NOW + timedelta(seconds=after))[0].state


def test_a_device_is_given_one_job_after_the_other_with_growing_fences(db: Database, uuid: str) -> None:
    orders = [execute(db, uuid, timeout_seconds=600).execution.job_id for _ in range(2)]

    first = given(db, uuid)
    say(db, uuid, first, "in_progress")
    say(db, uuid, first, "succeeded")
    second = given(db, uuid, seq=2)

    assert [first.job_id, second.job_id] == orders
    assert (first.attempt, second.fence - first.fence) == (1, 1)
    assert (first.payload["timeout_seconds"], first.payload["document"]["version"]) == (600, "1.0")


def test_fences_grow_on_when_an_older_database_is_restored(db: Database, uuid: str) -> None:
    execute(db, uuid)
    with db.write() as session:
        before = devices.require(session, uuid).last_fence
    newest = given(db, uuid).fence

    with db.write() as session:
        devices.require(session, uuid).last_fence = before
        session.connection().exec_driver_sql("UPDATE device_job SET fence = 0")

    assert given(db, uuid, seq=2, after=1).fence > newest


def test_what_a_device_has_not_begun_comes_again_as_it_was_with_what_is_left_of_its_time(
    db: Database, uuid: str
) -> None:
    execute(db, uuid, timeout_seconds=600)
    first = given(db, uuid)

    again = given(db, uuid, seq=2, after=100)

    assert (again.job_id, again.fence, again.payload["timeout_seconds"]) == (first.job_id, first.fence, 500)


def test_whoever_has_not_heard_that_it_may_begin_is_given_it_again_and_whoever_is_at_it_is_not(
    db: Database, uuid: str
) -> None:
    execute(db, uuid)
    first = given(db, uuid)
    say(db, uuid, first, "in_progress")

    assert given(db, uuid, seq=2).fence == first.fence
    assert ask(db, uuid, seq=3, holds=(first.job_id, first.fence)).told.assignment is None


def test_many_requests_at_once_give_one_job_to_one_of_them(db: Database, uuid: str) -> None:
    execute(db, uuid)
    ask(db, uuid, seq=1)
    outcomes: list[str] = []
    gate = threading.Barrier(20)

    def come() -> None:
        gate.wait()
        try:
            outcomes.append("given" if ask(db, uuid, seq=2).told.assignment else "nothing")
        except OutOfTurn:
            outcomes.append("out of turn")

    threads = [threading.Thread(target=come) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["given", *["out of turn"] * 19]


def test_a_request_that_was_overtaken_is_given_nothing(db: Database, uuid: str) -> None:
    execute(db, uuid)
    given(db, uuid, seq=5)

    for seq in (5, 4, 1):
        with pytest.raises(OutOfTurn):
            ask(db, uuid, seq=seq)


def test_a_process_follows_those_before_it_of_which_the_server_may_have_heard(db: Database, uuid: str) -> None:
    ask(db, uuid, FIRST, 9)

    ask(db, uuid, SECOND, 1, earlier=(FIRST,))
    # The answer to the second was lost, which it therefore knows nothing of but its number.
    ask(db, uuid, THIRD, 1, earlier=(FIRST, SECOND))

    assert devices.get(db, uuid, now=NOW).device.incarnation == THIRD


def test_a_second_agent_with_the_same_credentials_is_found_out_and_neither_is_given_anything(
    db: Database, uuid: str
) -> None:
    ask(db, uuid, FIRST, 1)
    # It goes on from a copy of the first one's folder, so that it looks like the next process of it.
    ask(db, uuid, SECOND, 1, earlier=(FIRST,))
    execute(db, uuid)

    for who, earlier in ((FIRST, ()), (SECOND, (FIRST,)), (THIRD, (FIRST, SECOND)), (FIRST, ())):
        with pytest.raises(DuplicateIdentity):
            ask(db, uuid, who, 9, earlier=earlier)

    (device,) = agents.list_conflicts(db)
    assert (device.uuid, device.conflict_from) == (uuid, "10.0.0.7")
    entries = [entry for entry in audit.list_page(db, limit=20) if entry.action == "agent.conflict"]
    assert [entry.subject for entry in entries] == [f"device:{uuid}"]
    assert (entries[0].detail["first"], entries[0].detail["second"]) == (SECOND, FIRST)


def test_what_one_agent_has_begun_no_other_with_its_credentials_is_given_or_may_begin(db: Database, uuid: str) -> None:
    execute(db, uuid)
    job = given(db, uuid, FIRST, 1)
    say(db, uuid, job, "in_progress", FIRST)

    assert ask(db, uuid, SECOND, 1, earlier=(FIRST,)).told.assignment is None
    with pytest.raises(ReportRefused, match="another agent"):
        say(db, uuid, job, "in_progress", SECOND)
    assert say(db, uuid, job, "succeeded", FIRST) == "succeeded"


def test_while_there_are_two_agents_only_the_one_that_has_begun_a_job_ends_it(db: Database, uuid: str) -> None:
    execute(db, uuid)
    job = given(db, uuid, FIRST, 1)
    say(db, uuid, job, "in_progress", FIRST)
    ask(db, uuid, SECOND, 1, earlier=(FIRST,))
    with pytest.raises(DuplicateIdentity):
        ask(db, uuid, FIRST, 2)

    with pytest.raises(NotYet):
        say(db, uuid, job, "failed", SECOND)
    # Nor does it in the way of devices that know no such things.
    with pytest.raises(ReportRefused, match="another agent"):
        device_jobs.report(db, uuid, job.job_id, Report(DeviceJobState.FAILED), now=NOW)
    assert say(db, uuid, job, "succeeded", FIRST) == "succeeded"


def test_a_copy_does_not_end_the_job_of_the_original_before_it_is_known_that_there_are_two(
    db: Database, uuid: str
) -> None:
    execute(db, uuid)
    job = given(db, uuid, FIRST, 1)
    say(db, uuid, job, "in_progress", FIRST, place="a/b")

    with pytest.raises(NotYet):
        say(db, uuid, job, "failed", SECOND, place="a/c")
    ask(db, uuid, SECOND, 1, earlier=(FIRST,))
    with pytest.raises(NotYet):
        say(db, uuid, job, "failed", SECOND, place="a/c")

    with pytest.raises(DuplicateIdentity):
        ask(db, uuid, FIRST, 2, after=5)
    with pytest.raises(NotYet):
        say(db, uuid, job, "failed", SECOND, after=600, place="a/b")
    assert say(db, uuid, job, "succeeded", FIRST, place="a/b") == "succeeded"


@pytest.mark.parametrize(
    ("place", "after", "is_heir"),
    [
        # The same folder since one start of the machine has one agent at a time.
        ("a/b", 0, True),
        # After another start the first one would be heard of as well, if it went on.
        ("a/c", 60, False), ("a/c", 130, True), ("/c", 130, True), ("", 130, True),
        # Another machine is no heir, however long the first one is silent.
        ("x/c", 100_000, False),
    ],
)  # fmt: skip
def test_who_says_what_has_become_of_the_job_of_an_agent_that_has_crashed(
    db: Database, uuid: str, place: str, after: float, is_heir: bool
) -> None:
    execute(db, uuid)
    job = given(db, uuid, FIRST, 1)
    say(db, uuid, job, "in_progress", FIRST, place="a/b")
    if after:
        ask(db, uuid, SECOND, 1, earlier=(FIRST,))

    if is_heir:
        assert say(db, uuid, job, "failed", SECOND, after=after, place=place) == "failed"
    else:
        with pytest.raises(NotYet):
            say(db, uuid, job, "failed", SECOND, after=after, place=place)


def test_while_there_are_two_agents_neither_is_given_a_job_over_the_old_address(db: Database, uuid: str) -> None:
    ask(db, uuid, FIRST, 1)
    with pytest.raises(DuplicateIdentity):
        ask(db, uuid, SECOND, 1)
    execute(db, uuid)

    assert device_jobs.poll(db, uuid, now=NOW).offer is None

    agents.settle(db, uuid, now=NOW, actor="ann")
    assert device_jobs.poll(db, uuid, now=NOW).offer is not None


def test_a_job_that_was_given_to_two_is_begun_by_the_one_that_asked_last(db: Database, uuid: str) -> None:
    execute(db, uuid)
    job = given(db, uuid, FIRST, 1)
    assert given(db, uuid, SECOND, 1, earlier=(FIRST,)) == job

    with pytest.raises(ReportRefused, match="another agent"):
        say(db, uuid, job, "in_progress", FIRST)
    assert say(db, uuid, job, "in_progress", SECOND) == "in_progress"
    with pytest.raises(ReportRefused, match="another agent"):
        say(db, uuid, job, "in_progress", FIRST)


def test_a_report_under_an_old_fence_changes_nothing(db: Database, uuid: str) -> None:
    order = execute(db, uuid).execution
    old = given(db, uuid)
    say(db, uuid, old, "in_progress")
    say(db, uuid, old, "failed")
    fleet_jobs.retry(db, order.job_id, now=NOW, actor="ann")
    new = given(db, uuid, seq=2)

    assert (new.job_id, new.attempt, new.fence) == (old.job_id, 2, old.fence + 1)
    with pytest.raises(ReportRefused, match=f"fence {new.fence}, not {old.fence}"):
        say(db, uuid, old, "succeeded")
    assert say(db, uuid, new, "in_progress") == "in_progress"


def test_a_job_that_is_not_wanted_any_more_is_stopped_as_often_as_it_is_asked(db: Database, uuid: str) -> None:
    order = execute(db, uuid).execution.job_id
    job = given(db, uuid)
    say(db, uuid, job, "in_progress")
    holds = (job.job_id, job.fence)
    assert ask(db, uuid, seq=2, holds=holds).told.cancelled == ()

    fleet_jobs.cancel(db, order, now=NOW, actor="ann", force=True)

    assert [ask(db, uuid, seq=seq, holds=holds).told.cancelled for seq in (3, 4)] == [(order,), (order,)]
    assert ask(db, uuid, seq=5).told.cancelled == ()
    # One that was deleted is wanted by nobody either.
    assert ask(db, uuid, seq=6, holds=("gone", 1)).told.cancelled == ("gone",)


def test_when_one_of_two_agents_is_off_somebody_says_so_and_the_other_goes_on(db: Database, uuid: str) -> None:
    ask(db, uuid, FIRST, 1)
    with pytest.raises(DuplicateIdentity):
        ask(db, uuid, SECOND, 1)

    agents.settle(db, uuid, now=NOW, actor="ann")

    assert agents.list_conflicts(db) == []
    ask(db, uuid, SECOND, 2)
    with pytest.raises(DuplicateIdentity):
        ask(db, uuid, FIRST, 2)
    agents.settle(db, uuid, now=NOW, actor="ann")
    with pytest.raises(Conflict):
        agents.settle(db, uuid, now=NOW, actor="ann")


def test_another_key_settles_it_as_well(db: Database, uuid: str) -> None:
    ask(db, uuid, FIRST, 1)
    with pytest.raises(DuplicateIdentity):
        ask(db, uuid, SECOND, 1)

    devices.rotate_key(db, uuid, now=NOW, actor="ann")

    assert ask(db, uuid, SECOND, 1).uuid == uuid


def test_a_device_that_waits_or_has_joined_by_no_code_is_told_so(db: Database, uuid: str) -> None:
    devices.set_active(db, uuid, False, now=NOW, actor="ann")
    with pytest.raises(DeviceInactive):
        ask(db, uuid)
    with pytest.raises(NotEnrolled):
        ask(db, add_device(db))


def test_who_was_refused_while_there_were_two_may_begin_once_it_is_the_only_one(db: Database, uuid: str) -> None:
    execute(db, uuid)
    job = given(db, uuid, FIRST, 1)
    ask(db, uuid, SECOND, 1, earlier=(FIRST,))
    with pytest.raises(ReportRefused):
        say(db, uuid, job, "in_progress", FIRST)
    with pytest.raises(DuplicateIdentity):
        ask(db, uuid, FIRST, 2)

    agents.settle(db, uuid, now=NOW, actor="ann")

    assert given(db, uuid, FIRST, 3) == job
    # Under the same number as before, since it is about the same.
    assert say(db, uuid, job, "in_progress", FIRST) == "in_progress"
