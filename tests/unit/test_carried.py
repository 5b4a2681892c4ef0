"""Schedules that devices carry: who carries which version, and what becomes of their moments, once each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.database import NOW
from tests.fleet import DOCUMENT, STEP, execute
from watchbell.domain import carried as rules
from watchbell.domain.carried import Outcome
from watchbell.domain.fleet_state import DeviceJobState
from watchbell.domain.policies import CatchUp
from watchbell.domain.schedule import build_schedule, next_occurrence
from watchbell.errors import InputError
from watchbell.services import (
    agents,
    carried,
    carried_moments,
    device_jobs,
    devices,
    enrolment,
    fleet_jobs,
    fleet_schedules,
    job_handlers,
    job_library,
)
from watchbell.services.agents import Answer, Asked, DuplicateIdentity
from watchbell.services.carried import NotCarried
from watchbell.services.carried_moments import Told
from watchbell.services.speakers import NotYet
from watchbell.store.session import Database

ME, COPY = "1" * 32, "2" * 32
HANDLER = {"name": "b", "type": "runHandler", "input": {"handler": "backup-directory", "args": ["/etc", "etc"]}}


def join(db: Database, name: str = "pi") -> str:
    uuid = enrolment.join(db, enrolment.create(db, name=name, now=NOW, actor="ann").secret, now=NOW).uuid
    ask(db, uuid)
    return uuid


def ask(db: Database, uuid: str, carries: Mapping[str, int] | None = None, *, who: str = ME, **more: Any) -> Answer:
    with db.read() as session:
        seq = devices.require(session, uuid).poll_seq + 1
    return agents.poll(db, uuid, Asked(who, (), seq, carries=carries or {}, **more), now=NOW)


def make(db: Database, **fields: Any) -> str:
    given = {
        "name": "night", "document": DOCUMENT, "target_type": "all", "schedule_type": "cron", "cron_expression": "0 2 * * *",
        "is_carried": True,
    }  # fmt: skip
    return fleet_schedules.create(db, {**given, **fields}, now=NOW, zone="UTC", actor="ann").schedule_id


def carry(db: Database, uuid: str, schedule_id: str) -> int:
    """Let a device fetch a schedule and say that it carries it; return the version."""
    _salt, told = agents.give_carried(db, uuid, ME, schedule_id, now=NOW)
    ask(db, uuid, {schedule_id: told["version"]})
    return int(told["version"])


def tell(db: Database, uuid: str, schedule_id: str, day: int = 22, *, who: str = ME, **fields: Any) -> list[bool]:
    due_at = NOW.replace(day=day, hour=2, minute=0, second=0)
    told = Told(schedule_id, 1, f"cal:2026-11-{day}T02:00:00/0", due_at, Outcome.RUN)
    return carried_moments.take(db, uuid, who, [Told(**{**_plain(told), **fields})], now=NOW + timedelta(days=9))


def _plain(told: Told) -> dict[str, Any]:
    return {name: getattr(told, name) for name in Told.__dataclass_fields__}


@pytest.mark.parametrize("text", ["30 2 * * *", "*/20 * * * *", "0 9 L * mon", "15 3 29 2 *"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_a_device_that_is_told_a_cron_text_finds_the_moments_that_the_server_would(text: str, zone: str) -> None:
    schedule = build_schedule({"cron": text, "zone": zone}, now=NOW, default_zone="UTC")
    timing, after = rules.read_told(rules.as_told(schedule)), datetime(2026, 3, 27, 23, 50, tzinfo=UTC)
    for _ in range(200):
        here, there = next_occurrence(schedule, after), timing.next_after(after, zone)
        assert here is not None
        assert there == here
        after = here.due_at


@pytest.mark.parametrize(
    ("choice", "up_for", "became"),
    [
        (CatchUp.SKIP, 0, "mmm"), (CatchUp.LAST, 0, "mmr"), (CatchUp.ALL, 0, "mrr"), (CatchUp.SKIP, 90, "mmm"),
    ],
)  # fmt: skip
def test_what_passed_while_a_device_was_off_is_missed_or_made_up_for_by_choice(
    choice: CatchUp, up_for: int, became: str
) -> None:
    timing = rules.read_told({"every": 12, "unit": "hours", "anchor_at": NOW.isoformat()})
    now = NOW + timedelta(hours=37)

    found = rules.judge(
        timing, "UTC", choice, after=NOW, now=now, up_since=now - timedelta(minutes=up_for)
    )  # fmt: skip

    assert "".join(one.outcome[0] for one in found) == became
    assert all(("off" in one.reason) == (one.due_at < now - timedelta(minutes=up_for)) for one in found)


def test_a_moment_that_is_a_little_late_is_on_time_and_more_than_can_be_looked_at_are_told_together() -> None:
    timing = rules.read_told({"every": 60, "unit": "seconds", "anchor_at": NOW.isoformat()})
    late, up_since = NOW + timedelta(seconds=100), NOW
    found = rules.judge(timing, "UTC", CatchUp.SKIP, after=NOW, now=late, up_since=up_since)
    many = rules.judge(timing, "UTC", CatchUp.LAST, after=NOW, now=NOW + timedelta(days=3), up_since=up_since)

    assert [(one.outcome, one.reason) for one in found] == [(Outcome.RUN, "")]
    assert (len(many), many[0].stands_for, many[0].outcome) == (1, rules.MOST_DUE, Outcome.MISSED)


def test_the_moments_of_devices_in_many_zones_are_one_and_have_one_name() -> None:
    timing = rules.read_told(rules.as_told(build_schedule({"cron": "0 2 * * *"}, now=NOW, default_zone="UTC")))
    found = [timing.next_after(NOW, zone) for zone in ("Europe/Berlin", "Asia/Tokyo")]
    assert len({rules.key_of(one) for one in found if one is not None}) == 1
    assert len({one.due_at for one in found if one is not None}) == 2


def test_a_device_is_told_what_it_is_to_carry_and_what_it_carries_is_known(db: Database) -> None:
    uuid, other = join(db), make(db, target_type="group", target_filter={"tags": {"site": "north"}})
    schedule_id = make(db)

    assert ask(db, uuid).told.carried == {schedule_id: 1}
    assert carry(db, uuid, schedule_id) == 1
    with pytest.raises(NotCarried):
        agents.give_carried(db, uuid, ME, other, now=NOW)

    (one,), total = carried.list_carriers(db, schedule_id, now=NOW, limit=9)
    assert (total, one.version, one.since, one.is_meant, one.is_current) == (1, 1, NOW, True, True)
    devices.set_tags(db, uuid, {"site": "north"}, now=NOW, actor="ann")
    assert ask(db, uuid, {schedule_id: 1}).told.carried == {schedule_id: 1, other: 1}


def test_every_change_reaches_the_device_and_so_does_a_rest(db: Database) -> None:
    uuid, schedule_id = join(db), make(db, document={"version": "1.0", "steps": [HANDLER]})
    carry(db, uuid, schedule_id)
    handler = next(one for one in job_library.list_handlers(db) if one.name == "backup-directory")

    fleet_schedules.update(db, schedule_id, {"name": "other"}, now=NOW, actor="ann")
    job_handlers.update(db, handler.id, {"script_content": "#!/bin/sh\ntrue\n"}, now=NOW, actor="ann")
    fleet_schedules.update(db, schedule_id, {"description": "of no concern to a device"}, now=NOW, actor="ann")

    assert ask(db, uuid, {schedule_id: 1}).told.carried == {schedule_id: 3}
    (late,), _total = carried.list_carriers(db, schedule_id, now=NOW, limit=9)
    assert (late.version, late.is_current) == (1, False)
    assert carry(db, uuid, schedule_id) == 3
    assert job_handlers.handler_for(db, uuid, "backup-directory", now=NOW).script_content == "#!/bin/sh\ntrue\n"
    fleet_schedules.set_active(db, schedule_id, False, now=NOW, actor="ann")
    assert ask(db, uuid, {schedule_id: 3}).told.carried == {}
    (dropping,), _total = carried.list_carriers(db, schedule_id, now=NOW, limit=9)
    assert (dropping.is_meant, dropping.version) == (False, 3)
    ask(db, uuid, {})
    assert carried.list_carriers(db, schedule_id, now=NOW, limit=9) == ([], 0)


def test_a_device_whose_conditions_are_not_met_carries_nothing_of_it(db: Database) -> None:
    uuid = join(db)
    make(db, document={**DOCUMENT, "conditions": [{"key": "device_type", "value": ["sensor"]}]})
    assert ask(db, uuid).told.carried == {}


def test_what_is_carried_gives_no_order_here_and_has_no_number_of_executions(db: Database) -> None:
    schedule_id = make(db)
    assert fleet_schedules.get(db, schedule_id).next_at is None
    with pytest.raises(InputError, match="max_executions"):
        make(db, max_executions=3)
    with pytest.raises(InputError, match="secrets"):
        make(db, document={"version": "1.0", "steps": [{**STEP, "environment": {"P": "${secret:db}"}}]})
    fleet_schedules.update(db, schedule_id, {"is_carried": False}, now=NOW, actor="ann")
    assert fleet_schedules.get(db, schedule_id).next_at is not None


def test_what_devices_have_run_at_a_moment_is_one_order_with_a_part_for_each_once(db: Database) -> None:
    first, second, schedule_id = join(db), join(db, "other"), make(db)
    for uuid in (first, second):
        carry(db, uuid, schedule_id)
    failed = {"state": DeviceJobState.FAILED, "result": {"exit_code": 3, "stdout": "no", "reason": "x"}}

    assert tell(db, first, schedule_id) == tell(db, first, schedule_id) == [True]
    tell(db, second, schedule_id, **failed)
    # What comes later and says something else changes nothing, and is kept.
    tell(db, second, schedule_id)

    (order,) = fleet_jobs.list_page(db, limit=9, schedule_id=fleet_schedules.get(db, schedule_id).id)
    assert (order.execution.state, order.execution.counts) == ("failed", {"succeeded": 1, "failed": 1})
    assert fleet_schedules.get(db, schedule_id).execution_count == 1
    found, total = carried_moments.list_moments(db, schedule_id, limit=9)
    assert total == 2
    assert {(one.device.uuid, one.part.state) for one in found if one.part is not None} == {
        (first, "succeeded"), (second, "failed")
    }  # fmt: skip
    kinds = [one.kind for one in device_jobs.list_events(db, second, order.execution.job_id)]
    assert kinds == ["moved", "moved", "late_report"]


def test_what_was_missed_stands_as_missed_and_what_was_never_given_is_not_believed(db: Database) -> None:
    uuid, schedule_id = join(db), make(db)
    carry(db, uuid, schedule_id)

    assert tell(db, uuid, schedule_id, outcome=Outcome.MISSED, reason="off", stands_for=3) == [True]
    assert tell(db, uuid, make(db)) == [False]

    (one,), _total = carried_moments.list_moments(db, schedule_id, limit=9, outcome=Outcome.MISSED)
    assert (one.moment.reason, one.moment.stands_for, one.part) == ("off", 3, None)
    assert carried_moments.forget(db, now=NOW) == 0
    assert carried_moments.forget(db, now=NOW + timedelta(days=100)) == 1


_DAY = timedelta(days=1)
_AT_TWO = NOW.replace(day=23, hour=2, minute=0, second=0)


@pytest.mark.parametrize(
    ("key", "due_at"),
    [
        ("cal:2026-11-23T02:00:01/0", _AT_TWO),
        ("cal:2026-11-23T03:00:00/0", _AT_TWO + timedelta(hours=1)),
        ("cal:2026-11-31T02:00:00/0", _AT_TWO),
        ("cal:9999-12-31T02:00:00/0", _AT_TWO),
        ("cal:2026-11-23T02:00:00/2", _AT_TWO),
        ("cal:2026-11-23T02:00:00/0x", _AT_TWO),
        ("cal:2026-11-23T02:00:00/0", _AT_TWO + 2 * _DAY),
        ("utc:2026-11-23T02:00:00Z", _AT_TWO),
        ("anything", _AT_TWO),
        ("cal:2026-11-20T02:00:00/0", _AT_TWO - 3 * _DAY),
        ("cal:2027-11-23T02:00:00/0", _AT_TWO + 365 * _DAY),
    ],
)
def test_a_device_cannot_make_up_moments_that_its_schedule_never_had(db: Database, key: str, due_at: datetime) -> None:
    """One could fill the ledger with orders of moments that it thought of."""
    uuid, schedule_id = join(db), make(db)
    carry(db, uuid, schedule_id)

    assert tell(db, uuid, schedule_id, key=key, due_at=due_at) == [False]

    assert fleet_jobs.list_page(db, limit=9) == []
    assert fleet_schedules.get(db, schedule_id).execution_count == 0
    # In another zone the same moment is at another time.
    assert tell(db, uuid, schedule_id, day=23, due_at=_AT_TWO - timedelta(hours=9)) == [True]


def test_a_device_cannot_make_up_moments_of_an_interval(db: Database) -> None:
    uuid, schedule_id = join(db), make(db, schedule_type="interval", cron_expression=None, interval_minutes=90)
    carry(db, uuid, schedule_id)
    _salt, told = agents.give_carried(db, uuid, ME, schedule_id, now=NOW)
    found = rules.read_told(told["timing"]).next_after(NOW, "UTC")
    assert found is not None

    for late, key in ((1, rules.key_of(found)), (0, "utc:2026-11-23T02:00:00Z"), (0, "cal:2026-11-23T02:00:00/0")):
        assert tell(db, uuid, schedule_id, key=key, due_at=found.due_at + timedelta(seconds=late)) == [False]
    assert tell(db, uuid, schedule_id, key=rules.key_of(found), due_at=found.due_at) == [True]


@pytest.mark.parametrize("text", ["30 2 * * *", "*/20 * * * *", "0 9 L * mon"])
@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/New_York", "Pacific/Apia", "Pacific/Kiritimati", "Pacific/Niue"]
)
def test_every_moment_that_a_device_finds_is_one_of_its_schedule(text: str, zone: str) -> None:
    timing = rules.read_told(rules.as_told(build_schedule({"cron": text}, now=NOW, default_zone="UTC")))
    # The day that Apia left out, and the changes of 2026.
    for after in (
        datetime(2011, 12, 28, tzinfo=UTC),
        datetime(2026, 3, 7, tzinfo=UTC),
        datetime(2026, 10, 24, tzinfo=UTC),
    ):
        for _ in range(100):
            found = timing.next_after(after, zone)
            assert found is not None
            assert rules.has_moment(timing, rules.key_of(found), found.due_at)
            assert rules.has_moment(timing, f"anything..{rules.key_of(found)}", found.due_at)
            after = found.due_at


def test_what_a_device_tells_of_a_schedule_that_was_deleted_meanwhile_is_kept(db: Database) -> None:
    uuid, schedule_id = join(db), make(db)
    carry(db, uuid, schedule_id)
    fleet_schedules.delete(db, schedule_id, now=NOW, actor="ann")

    assert tell(db, uuid, schedule_id) == [True]

    (order,) = fleet_jobs.list_page(db, limit=9)
    assert (order.execution.name, order.execution.state, order.execution.document) == ("night", "succeeded", DOCUMENT)


def test_while_two_agents_have_the_credentials_neither_tells_of_moments(db: Database) -> None:
    uuid, schedule_id = join(db), make(db)
    carry(db, uuid, schedule_id)
    with pytest.raises(NotYet):
        tell(db, uuid, schedule_id, who=COPY)
    with pytest.raises(DuplicateIdentity):
        ask(db, uuid, who=COPY)
    with pytest.raises(NotYet):
        tell(db, uuid, schedule_id)
    with pytest.raises(DuplicateIdentity):
        agents.give_carried(db, uuid, ME, schedule_id, now=NOW)


def test_a_device_that_is_at_what_it_carries_is_given_nothing_else(db: Database) -> None:
    uuid = join(db)
    execute(db, uuid)
    assert ask(db, uuid, is_at_carried=True).told.assignment is None
    assert ask(db, uuid).told.assignment is not None
