"""The plan in memory: whose turn it is next, what is due, and how a long past is worked off."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.database import NOW
from watchbell.domain import schedule as schedules
from watchbell.domain.catch_up import Trigger
from watchbell.domain.policies import CatchUp, Policies
from watchbell.domain.schedule import build_schedule
from watchbell.scheduler.plan import STEP_LIMIT, Plan
from watchbell.services.turns import DueTask
from watchbell.store.tasks import Task

HOST = "watchtower"
SECOND = timedelta(seconds=1)


def _task(
    task_id: int = 1,
    every: str = "10s",
    *,
    cursor_at: datetime = NOW,
    host: str = HOST,
    change: int = 1,
    enabled: bool = True,
    deleted_at: datetime | None = None,
    cron: str = "",
    **policies: object,
) -> Task:
    given = {"cron": cron} if cron else {"every": every, "anchor_at": NOW - timedelta(days=4000)}
    schedule = build_schedule(given, now=NOW, default_zone="UTC")
    return Task(
        id=task_id,
        name=f"task-{task_id}",
        version=1,
        change=change,
        command="true",
        environment={},
        schedule=schedules.to_json(schedule),
        zone="UTC",
        policies=Policies(**policies).to_json(),  # type: ignore[arg-type]
        cursor_at=cursor_at,
        host=host,
        enabled=enabled,
        deleted_at=deleted_at,
    )


def _plan(*tasks: Task) -> Plan:
    plan = Plan(HOST)
    plan.read(tasks)
    return plan


def _take(plan: Plan, after: timedelta, limit: int = 100, up_since: datetime = NOW) -> list[DueTask]:
    return plan.take_due(NOW + after, limit, up_since)


def test_an_empty_plan_is_never_due() -> None:
    plan = _plan()

    assert (len(plan), plan.next_at(), _take(plan, timedelta(days=9))) == (0, None, [])


def test_the_task_that_is_due_first_decides_the_next_moment() -> None:
    plan = _plan(_task(1, "1h"), _task(2, "10s"), _task(3, "1m"))

    assert plan.next_at() == NOW + 10 * SECOND


def test_a_task_is_due_at_its_moment_and_not_before() -> None:
    plan = _plan(_task())

    assert _take(plan, timedelta(seconds=9, microseconds=999_999)) == []
    (due,) = _take(plan, 10 * SECOND)
    assert [v.occurrence.due_at for v in due.verdicts] == [NOW + 10 * SECOND]
    assert (due.cursor_at, due.next_due_at) == (NOW + 10 * SECOND, NOW + 20 * SECOND)


def test_a_task_that_was_taken_is_not_due_again_until_it_is_given_back() -> None:
    plan = _plan(_task())
    (due,) = _take(plan, 10 * SECOND)

    assert _take(plan, 30 * SECOND) == []
    plan.restore(due)
    (again,) = _take(plan, 10 * SECOND)
    assert again == due


def test_a_settled_task_goes_on_after_its_cursor() -> None:
    plan = _plan(_task())
    (due,) = _take(plan, 10 * SECOND)

    plan.settle(due)

    assert plan.next_at() == NOW + 20 * SECOND


def test_the_longest_due_comes_first_and_no_more_than_there_is_room_for() -> None:
    plan = _plan(_task(1, "30s"), _task(2, "10s"), _task(3, "20s"))

    assert [due.task_id for due in _take(plan, 60 * SECOND, limit=2)] == [2, 3]
    assert [due.task_id for due in _take(plan, 60 * SECOND)] == [1]


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        ({}, 1),
        ({"host": ""}, 1),
        ({"host": "WatchTower"}, 1),
        ({"host": "elsewhere"}, 0),
        ({"enabled": False}, 0),
        ({"deleted_at": NOW}, 0),
    ],
    ids=str,
)
def test_only_what_is_enabled_and_of_this_host_is_planned(values: dict, counts: int) -> None:
    assert len(_plan(_task(**values))) == counts


def test_a_task_that_was_switched_off_is_dropped() -> None:
    plan = _plan(_task())

    plan.read([_task(enabled=False, change=2)])

    assert (len(plan), plan.next_at()) == (0, None)


def test_a_changed_task_takes_the_place_of_the_old_one() -> None:
    plan = _plan(_task(every="10s"))

    plan.read([_task(every="1h", change=2)])

    assert plan.next_at() == NOW + timedelta(hours=1)


@pytest.mark.parametrize("give_back", [Plan.settle, Plan.restore])
def test_giving_back_what_was_changed_meanwhile_does_not_bring_the_old_one_back(give_back) -> None:
    plan = _plan(_task(every="10s"))
    (due,) = _take(plan, 10 * SECOND)
    plan.read([_task(every="1h", change=2)])

    give_back(plan, due)

    assert plan.next_at() == NOW + timedelta(hours=1)
    assert len(_take(plan, timedelta(hours=1))) == 1


def test_a_moment_that_never_comes_again_leaves_the_task_in_peace() -> None:
    task = _task()
    task.schedule = {"kind": "moment", "zone": "UTC", "dst": "cron_like", "moments": ["2026-11-22T12:00:05+00:00"]}
    plan = _plan(task)

    (due,) = _take(plan, 5 * SECOND)
    plan.settle(due)

    assert (due.next_due_at, plan.next_at(), len(plan)) == (None, None, 1)


def test_the_spread_is_always_the_same_and_within_its_bounds() -> None:
    offsets = [_plan(_task(n, spread_seconds=60)).next_at() - NOW - 10 * SECOND for n in range(1, 200)]

    assert offsets == [_plan(_task(n, spread_seconds=60)).next_at() - NOW - 10 * SECOND for n in range(1, 200)]
    assert all(timedelta(0) <= offset <= 60 * SECOND for offset in offsets)
    assert min(offsets) < 5 * SECOND
    assert max(offsets) > 55 * SECOND


def test_the_spread_moves_the_start_and_neither_the_moment_nor_the_verdict() -> None:
    plan = _plan(_task(7, "1h", spread_seconds=1800))
    at = plan.next_at()

    assert plan.take_due(at - timedelta(microseconds=1), 9, NOW) == []
    (due,) = plan.take_due(at, 9, NOW)
    (verdict,) = due.verdicts
    assert verdict.occurrence.due_at == NOW + timedelta(hours=1) < at
    assert verdict.trigger is Trigger.SCHEDULE


def _work_off(plan: Plan, after: timedelta) -> list[DueTask]:
    """Take and settle all that is due at one moment, as the loop does, and return what there was."""
    taken: list[DueTask] = []
    while due := _take(plan, after):
        taken += due
        plan.settle(due[0])
    return taken


def test_a_long_past_takes_several_steps_and_every_moment_is_counted_once() -> None:
    plan = _plan(_task(cron="* * * * *", cursor_at=NOW - timedelta(days=30)))

    steps = _work_off(plan, timedelta(0))

    assert len(steps) == 5
    assert all(len(step.verdicts) <= STEP_LIMIT for step in steps)
    assert sum(verdict.stands_for for step in steps for verdict in step.verdicts) == 43_200
    assert steps[-1].cursor_at == NOW


@pytest.mark.parametrize(
    ("policy", "started"), [(CatchUp.SKIP, 1), (CatchUp.LAST, 1), (CatchUp.ALL, 301)], ids=lambda value: str(value)
)
def test_the_limit_of_what_is_caught_up_holds_for_all_steps_together(policy: CatchUp, started: int) -> None:
    plan = _plan(_task(every="2s", cursor_at=NOW - timedelta(days=1), catch_up=policy, catch_up_limit=300))

    steps = _work_off(plan, timedelta(0))

    run = [v.occurrence.due_at for step in steps for v in step.verdicts if not v.is_missed]
    assert run == [NOW - 2 * SECOND * n for n in reversed(range(started))]


def test_the_last_step_has_all_that_may_be_caught_up_however_short_it_is() -> None:
    past = 2 * SECOND * (STEP_LIMIT + 1)
    plan = _plan(_task(every="2s", cursor_at=NOW - past, catch_up=CatchUp.ALL, catch_up_limit=1000))

    steps = _work_off(plan, timedelta(0))

    assert sum(not v.is_missed for step in steps for v in step.verdicts) == 1001
    assert sum(v.stands_for for step in steps for v in step.verdicts) == STEP_LIMIT + 1


@pytest.mark.parametrize("policy", list(CatchUp), ids=str)
def test_ten_years_of_an_interval_are_counted_and_not_walked_through(policy: CatchUp) -> None:
    past = timedelta(days=3653)
    plan = _plan(_task(every="1s", cursor_at=NOW - past, catch_up=policy, catch_up_limit=300))

    steps = _work_off(plan, timedelta(0))

    assert len(steps) == 2
    assert sum(v.stands_for for step in steps for v in step.verdicts) == past // SECOND
    (far,) = steps[0].verdicts
    assert far.is_missed
    assert far.reason.startswith(f"{far.stands_for} occurrences; no scheduler was running; policy: ")
    assert steps[1].verdicts[0].occurrence.due_at - far.occurrence.due_at == SECOND
    run = [v.occurrence.due_at for step in steps for v in step.verdicts if not v.is_missed]
    assert run == [NOW - SECOND * n for n in reversed(range(301 if policy is CatchUp.ALL else 1))]


def test_ten_years_of_a_calendar_are_not_walked_through_but_its_last_day_is() -> None:
    plan = _plan(_task(cron="* * * * *", cursor_at=NOW - timedelta(days=3653), catch_up_window_seconds=86_400))

    steps = _work_off(plan, timedelta(0))

    (far,) = steps[0].verdicts
    assert far.reason.startswith("at least 1000 occurrences until 2026-11-21 12:00 UTC; no scheduler was running; ")
    assert (far.is_missed, far.stands_for) == (True, 1000)
    assert sum(v.stands_for for step in steps[1:] for v in step.verdicts) == 1440
    assert [v.occurrence.due_at for step in steps for v in step.verdicts if not v.is_missed] == [NOW]


def test_a_plan_knows_the_definition_of_the_present_version_only() -> None:
    plan = _plan(_task())

    assert plan.find_definition(1, 1)["command"] == "true"
    assert plan.find_definition(1, 2) is None
    assert plan.find_definition(2, 1) is None


def test_of_more_that_is_due_than_there_is_room_for_the_highest_priority_comes_first_then_the_longest_due() -> None:
    plan = _plan(_task(1, "30s"), _task(2, "10s", priority=-1), _task(3, "20s"), _task(4, "40s", priority=3))

    taken = [due.task_id for _ in range(5) for due in _take(plan, 60 * SECOND, limit=1)]

    assert taken == [4, 3, 1, 2]


def test_what_waits_for_room_stays_due_and_later_ones_of_a_higher_priority_pass_it() -> None:
    plan = _plan(_task(1, "10s"), _task(2, "10s"), _task(3, "20s", priority=1))
    (first,) = _take(plan, 10 * SECOND, limit=1)
    plan.settle(first)

    assert plan.next_at() == NOW + 10 * SECOND
    assert [due.task_id for due in _take(plan, 20 * SECOND)] == [3, 2, 1]


def test_what_waits_for_room_and_is_switched_off_is_dropped() -> None:
    plan = _plan(_task(1, "10s"), _task(2, "10s"))
    _take(plan, 10 * SECOND, limit=1)

    plan.read([_task(2, enabled=False, change=2)])

    assert (plan.next_at(), _take(plan, 60 * SECOND)) == (None, [])


def test_a_clock_that_is_set_back_keeps_nobody_who_is_due_waiting() -> None:
    plan = _plan(_task(1, "10s"), _task(2, "40s", priority=9), _task(3, "40s"))
    _take(plan, 40 * SECOND, limit=0)

    assert [due.task_id for due in _take(plan, 20 * SECOND)] == [1]
    assert sorted(due.task_id for due in _take(plan, 40 * SECOND)) == [2, 3]


def test_a_due_task_says_where_it_waits_and_until_when_it_must_have_been_started() -> None:
    plan = _plan(_task(queue="backup", priority=4, overlap_limit=7, latest_start_seconds=3))

    (due,) = _take(plan, 11 * SECOND)

    assert (due.queue, due.priority, due.overlap_limit) == ("backup", 4, 7)
    assert due.start_by == NOW + 13 * SECOND


def test_the_latest_start_counts_from_the_start_that_the_spread_has_moved() -> None:
    plan = _plan(_task(7, "1h", spread_seconds=1800, latest_start_seconds=60))
    at = plan.next_at()

    (due,) = plan.take_due(at, 9, NOW)

    assert due.start_by == at + 60 * SECOND
