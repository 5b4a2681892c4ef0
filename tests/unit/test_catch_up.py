"""What becomes of occurrences that are due, on time and after an outage."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.database import NOW
from watchbell.domain.catch_up import LATEST_START_LIMIT, ROWS_LIMIT, Trigger, Verdict, judge, latest_start
from watchbell.domain.policies import CatchUp, Overlap, Policies
from watchbell.domain.schedule import Occurrence

MINUTE = timedelta(minutes=1)


def _at(due_at: datetime) -> Occurrence:
    return Occurrence(due_at, f"utc:{due_at:%FT%T}Z", due_at.replace(tzinfo=None), 0, "UTC")


def _ago(*minutes: float) -> list[Occurrence]:
    return [_at(NOW - minute * MINUTE) for minute in minutes]


def _judge(
    due: Sequence[Occurrence],
    *,
    following: Occurrence | None = None,
    up_since: datetime = NOW - timedelta(days=9),
    is_complete: bool = True,
    **policies: object,
) -> list[Verdict]:
    chosen = Policies(**policies)  # type: ignore[arg-type]
    return judge(due, following, chosen, now=NOW, up_since=up_since, is_complete=is_complete)


def _told(verdicts: Sequence[Verdict]) -> str:
    """Return one letter for each verdict: started on time, caught up, missed."""
    return "".join("m" if v.is_missed else "c" if v.trigger is Trigger.CATCH_UP else "s" for v in verdicts)


def test_nothing_due_gives_no_verdict() -> None:
    assert _judge([]) == []


def test_an_occurrence_on_time_starts_and_needs_no_reason() -> None:
    (verdict,) = _judge(_ago(0), following=_at(NOW + MINUTE))

    assert (verdict.is_missed, verdict.trigger, verdict.reason, verdict.stands_for) == (False, "schedule", "", 1)
    assert verdict.key == verdict.occurrence.key


@pytest.mark.parametrize(
    ("policy", "minutes_ago", "told"),
    [
        # The scheduler was held up and is back before the newest one is too late.
        (CatchUp.SKIP, (30, 20, 10, 0), "mmms"),
        (CatchUp.LAST, (30, 20, 10, 0), "mmms"),
        (CatchUp.ALL, (30, 20, 10, 0), "cccs"),
        # The newest one, too, is later than the ten minutes that the task allows.
        (CatchUp.SKIP, (40, 30, 20, 11), "mmmm"),
        (CatchUp.LAST, (40, 30, 20, 11), "mmmc"),
        (CatchUp.ALL, (40, 30, 20, 11), "cccc"),
        # Part of them, or all, are older than the window of a day.
        (CatchUp.ALL, (1500, 1441, 1440, 1439), "mmcc"),
        (CatchUp.LAST, (1500, 1441), "mm"),
        (CatchUp.LAST, (1500, 1440), "mc"),
        (CatchUp.LAST, (11,), "c"),
        (CatchUp.SKIP, (11,), "m"),
    ],
    ids=str,
)
def test_the_policy_decides_after_an_outage(policy: CatchUp, minutes_ago: tuple[int, ...], told: str) -> None:
    due = _ago(*minutes_ago)

    verdicts = _judge(due, latest_start_seconds=600, catch_up=policy)

    assert _told(verdicts) == told
    assert [v.occurrence for v in verdicts] == due


@pytest.mark.parametrize(("limit", "told"), [(1, "mmmc"), (2, "mmcc"), (4, "cccc"), (9, "cccc")])
def test_no_more_are_caught_up_than_the_limit_and_they_are_the_newest(limit: int, told: str) -> None:
    verdicts = _judge(_ago(140, 130, 120, 111), catch_up=CatchUp.ALL, catch_up_limit=limit)

    assert _told(verdicts) == told


def test_the_run_on_time_does_not_count_against_the_limit() -> None:
    assert _told(_judge(_ago(30, 20, 10, 0), catch_up=CatchUp.ALL, catch_up_limit=1)) == "mmcs"


def test_a_window_of_nothing_catches_nothing_up() -> None:
    assert _told(_judge(_ago(121, 120), catch_up=CatchUp.ALL, catch_up_window_seconds=0)) == "mm"


@pytest.mark.parametrize(
    ("said", "gap", "expected"),
    [
        (None, timedelta(seconds=5), timedelta(seconds=5)),
        (None, timedelta(hours=3), LATEST_START_LIMIT),
        (None, None, LATEST_START_LIMIT),
        (7, timedelta(hours=3), timedelta(seconds=7)),
        (7200, None, timedelta(hours=2)),
    ],
)
def test_a_run_may_start_as_late_as_said_or_else_until_the_next_is_due(
    said: int | None, gap: timedelta | None, expected: timedelta
) -> None:
    following = _at(NOW + gap) if gap else None

    assert latest_start(Policies(latest_start_seconds=said), _at(NOW), following) == expected


def test_a_start_exactly_at_the_limit_is_still_in_time() -> None:
    in_time, late = _ago(5), _ago(5.001)

    assert _told(_judge(in_time, latest_start_seconds=300, catch_up=CatchUp.SKIP)) == "s"
    assert _told(_judge(late, latest_start_seconds=300, catch_up=CatchUp.SKIP)) == "m"


def test_the_reason_says_whether_nobody_was_there_or_the_scheduler_was_held_up() -> None:
    before, after = _judge(_ago(90, 70), up_since=NOW - 80 * MINUTE, catch_up=CatchUp.SKIP)

    assert before.reason == "no scheduler was running; policy: skip what was missed"
    assert after.reason == "the scheduler was held up for 4200 s; policy: skip what was missed"


def test_up_to_a_thousand_missed_ones_have_a_row_each() -> None:
    due = [_at(NOW - (2000 - n) * MINUTE) for n in range(ROWS_LIMIT)]

    assert len(_judge(due, catch_up=CatchUp.SKIP)) == ROWS_LIMIT


def test_more_missed_ones_are_told_by_one_row_with_a_count() -> None:
    due = [_at(NOW - (2000 - n) * MINUTE) for n in range(ROWS_LIMIT + 2)]

    folded, last = _judge(due, catch_up=CatchUp.LAST)

    assert (folded.stands_for, folded.first, folded.occurrence) == (ROWS_LIMIT + 1, due[0], due[-2])
    assert folded.key == f"range:{due[0].key}..{due[-2].key}"
    assert folded.reason.startswith("1001 occurrences; ")
    assert (last.occurrence, last.trigger) == (due[-1], Trigger.CATCH_UP)


@pytest.mark.parametrize("policy", CatchUp)
def test_while_there_are_more_to_look_at_nothing_is_started(policy: CatchUp) -> None:
    assert _told(_judge(_ago(3, 2, 1, 0), catch_up=policy, is_complete=False)) == "mmmm"


GAPS = st.lists(st.integers(1, 7200), min_size=1, max_size=60)


@settings(max_examples=150, deadline=None)
@given(
    gaps=GAPS,
    repeat=st.sampled_from([1, 1, 1, 40]),
    newest_age=st.integers(0, 100_000),
    next_in=st.none() | st.integers(1, 10_000),
    up_for=st.integers(0, 200_000),
    is_complete=st.booleans(),
    policy=st.sampled_from(CatchUp),
    limit=st.integers(1, 1000),
    window=st.integers(0, 200_000),
    latest=st.none() | st.integers(1, 100_000),
)
def test_every_due_occurrence_is_accounted_for_exactly_once(
    gaps: list[int],
    repeat: int,
    newest_age: int,
    next_in: int | None,
    up_for: int,
    is_complete: bool,
    policy: CatchUp,
    limit: int,
    window: int,
    latest: int | None,
) -> None:
    newest = NOW - timedelta(seconds=newest_age)
    ages = [*itertools.accumulate(gaps * repeat)]
    due = [_at(newest - timedelta(seconds=age)) for age in (*reversed(ages), 0)]
    policies = Policies(
        catch_up=policy, catch_up_limit=limit, catch_up_window_seconds=window, latest_start_seconds=latest
    )
    following = _at(NOW + timedelta(seconds=next_in)) if next_in else None

    verdicts = judge(
        due, following, policies, now=NOW, up_since=NOW - timedelta(seconds=up_for), is_complete=is_complete
    )

    # One after the other, the verdicts use the due ones up.
    place = 0
    for verdict in verdicts:
        assert verdict.first is None or (verdict.is_missed and verdict.first == due[place])
        place += verdict.stands_for
        assert verdict.occurrence == due[place - 1]
    assert place == len(due)
    assert len({verdict.key for verdict in verdicts}) == len(verdicts)
    # What is started comes last: at most one on time, and no more caught up than was allowed.
    told = _told(verdicts)
    assert told == "m" * told.count("m") + "c" * told.count("c") + "s" * told.count("s")
    assert told.count("s") <= 1
    assert told.count("c") <= {CatchUp.SKIP: 0, CatchUp.LAST: 1, CatchUp.ALL: limit}[policy]
    caught_up = [v for v in verdicts if v.trigger is Trigger.CATCH_UP]
    assert all(v.occurrence.due_at >= NOW - timedelta(seconds=window) for v in caught_up)
    # Whatever is not simply on time says why.
    assert all(bool(v.reason) is (letter != "s") for v, letter in zip(verdicts, told, strict=True))


@pytest.mark.parametrize(
    ("overlap", "minutes"), [("skip", 10), ("allow", 10), ("queue_one", 60), ("queue_all", 60), ("replace", 60)]
)
def test_what_is_to_wait_for_an_earlier_run_may_do_so_for_an_hour(overlap: str, minutes: int) -> None:
    policies, due, following = Policies(overlap=Overlap(overlap)), _at(NOW), _at(NOW + 10 * MINUTE)

    assert latest_start(policies, due, following) == minutes * MINUTE
