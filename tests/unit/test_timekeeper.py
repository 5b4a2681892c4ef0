"""Clock jumps, suspends and hold-ups told apart by three clocks, and what the rows then say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from watchbell.domain.catch_up import judge
from watchbell.domain.incidents import Gap, IncidentKind, explain, span_words
from watchbell.domain.policies import Policies
from watchbell.domain.schedule import Schedule, ScheduleKind, occurrences
from watchbell.scheduler.timekeeper import Reading, Timekeeper

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class Clocks:
    """Three clocks that a test sets."""

    def __init__(self) -> None:
        self.wall, self.monotonic, self.boot = NOON, 1000.0, 5000.0

    def go(self, *, awake: float = 0.1, slept: float = 0.0, jump: float = 0.0) -> None:
        self.monotonic += awake
        self.boot += awake + slept
        self.wall += timedelta(seconds=awake + slept + jump)

    def read(self) -> Reading:
        return Reading(self.wall, self.monotonic, self.boot)


@pytest.mark.parametrize(
    ("step", "kinds", "words"),
    [
        ({}, [], ""),
        ({"jump": 1.9}, [], ""),
        ({"jump": -1.9}, [], ""),
        ({"awake": 4.9}, [], ""),
        ({"awake": 65.0}, [IncidentKind.HELD_UP], "the scheduler was held up for 65 s"),
        (
            {"slept": 10_800.0},
            [IncidentKind.SUSPENDED],
            "the host was suspended from 2026-11-22 12:00:00 to 2026-11-22 15:00:00",
        ),
        ({"jump": 3600.0}, [IncidentKind.CLOCK_SET_FORWARD], "the clock was set forward by 1 h"),
        ({"jump": 10 * 31_557_600.0}, [IncidentKind.CLOCK_SET_FORWARD], "the clock was set forward by 10 years"),
        ({"jump": -7200.0}, [IncidentKind.CLOCK_SET_BACK], ""),
        (
            {"awake": 65.0, "jump": 3600.0},
            [IncidentKind.HELD_UP, IncidentKind.CLOCK_SET_FORWARD],
            "the scheduler was held up for 65 s and the clock was set forward by 1 h",
        ),
    ],
)
def test_what_happened_is_told_by_three_clocks(step: dict[str, float], kinds: list[IncidentKind], words: str) -> None:
    clocks = Clocks()
    keeper = Timekeeper("UTC", clocks.read)
    clocks.go(**step)

    found = keeper.look()

    assert [happening.kind for happening in found] == kinds
    assert [gap.words for gap in keeper.gaps] == ([words] if words else [])
    clocks.go()
    assert keeper.look() == []


def test_a_clock_that_is_steered_slowly_is_no_jump() -> None:
    clocks = Clocks()
    keeper = Timekeeper("UTC", clocks.read)
    for _ in range(1000):
        clocks.go(jump=0.05)
        assert keeper.look() == []


def test_after_a_clock_was_set_back_the_scheduler_was_not_started_in_the_future() -> None:
    clocks = Clocks()
    keeper = Timekeeper("UTC", clocks.read)
    clocks.go(jump=-86_400.0)
    (told,) = keeper.look()

    assert told.message == "The clock was set back by 24 h, from 2026-11-22 12:00:00 to 2026-11-21 12:00:00."
    assert keeper.up_since == clocks.wall


def test_the_rows_say_what_the_clocks_have_told() -> None:
    gap = Gap(NOON - timedelta(hours=1), NOON, "the clock was set forward by 1 h")
    schedule = Schedule(ScheduleKind.INTERVAL, every=10, unit="minutes", anchor_at=NOON - timedelta(hours=3))
    due = list(occurrences(schedule, NOON - timedelta(hours=1, minutes=5), 100, until=NOON + timedelta(minutes=15)))
    verdicts = judge(
        due,
        None,
        Policies(latest_start_seconds=60),
        now=NOON + timedelta(minutes=15),
        up_since=NOON - timedelta(days=1),
        gaps=[gap],
    )

    assert [verdict.reason.partition(";")[0] for verdict in verdicts] == [
        *["the clock was set forward by 1 h"] * 7,
        "the scheduler was held up for 300 s",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(2, "2 s"), (65, "65 s"), (119, "119 s"), (120, "2 min"), (3600, "1 h"), (-7200, "2 h"), (86_400, "24 h"),
     (5400, "1.5 h"), (172_800, "2 days"), (315_576_000, "10 years")],
)  # fmt: skip
def test_a_length_of_time_is_told_with_one_unit(seconds: float, words: str) -> None:
    assert span_words(seconds) == words


def test_the_newest_gap_that_holds_a_moment_explains_it() -> None:
    gaps = [Gap(NOON, NOON + timedelta(hours=1), "old"), Gap(NOON, NOON + timedelta(minutes=1), "new")]

    assert explain(gaps, NOON) == "new"
    assert explain(gaps, NOON + timedelta(minutes=2)) == "old"
    assert explain(gaps, NOON - timedelta(seconds=1)) == ""
