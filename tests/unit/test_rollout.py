"""Waves, gates and abort rules of rollouts: sizes that sum up, and a rollout that stops where its rule says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from watchbell.domain import rollout
from watchbell.domain.fleet_state import DeviceJobState
from watchbell.domain.rollout import AbortAction, AbortRule, Rollout, Step, decide, wave_sizes
from watchbell.errors import InputError

GOOD, BAD, LATE, UNFIT, BUSY = (
    DeviceJobState.SUCCEEDED,
    DeviceJobState.FAILED,
    DeviceJobState.TIMED_OUT,
    DeviceJobState.REJECTED,
    DeviceJobState.IN_PROGRESS,
)


@pytest.mark.parametrize(
    ("total", "rules", "sizes"),
    [
        (10, Rollout(wave=4), [4, 4, 2]),
        (10, Rollout(canary=1, wave=4), [1, 4, 4, 1]),
        (1000, Rollout(canary=5, wave=50, factor=2, largest=300), [5, 50, 100, 200, 300, 300, 45]),
        (3, Rollout(canary=10, wave=50), [3]),
        (0, Rollout(canary=10, wave=50), []),
        (7, Rollout(wave=2, factor=1.5), [2, 3, 2]),
    ],
)
def test_waves_are_as_large_as_the_rules_say(total, rules, sizes):
    assert wave_sizes(total, rules) == sizes


@given(
    some.integers(0, 50_000),
    some.integers(0, 100),
    some.integers(1, 100),
    some.floats(1, 100),
    some.none() | some.integers(1, 1000),
)
def test_every_device_is_in_exactly_one_wave_and_none_is_empty(total, canary, wave, factor, largest):
    rules = Rollout(canary=canary, wave=wave, factor=factor, largest=largest)
    try:
        sizes = wave_sizes(total, rules)
    except InputError as error:
        # What is told to be large enough is so.
        rules = Rollout(canary=canary, wave=int(error.problems[0].example))
        largest, sizes = None, wave_sizes(total, rules)

    assert sum(sizes) == total
    assert all(size >= 1 for size in sizes)
    assert len(sizes) <= rollout.MOST_WAVES
    assert all(size <= (largest or total) for size in sizes[1 if canary else 0 : -1])


@pytest.mark.parametrize(
    ("rules", "reached", "newest", "left", "since", "step", "words"),
    [
        (Rollout(), {GOOD: 5}, {GOOD: 5}, 1, 0, Step.RELEASE, ""),
        (Rollout(), {GOOD: 4, BUSY: 1}, {GOOD: 4, BUSY: 1}, 1, 0, Step.WAIT, "4 of the 5 devices"),
        (Rollout(ended_percentage=80), {GOOD: 4, BUSY: 1}, {GOOD: 4, BUSY: 1}, 1, 0, Step.RELEASE, ""),
        # So many a minute, however they end.
        (Rollout(interval_seconds=60, success_percentage=0, ended_percentage=0), {BUSY: 5}, {BUSY: 5}, 1, 59, Step.WAIT, "60 s"),
        (Rollout(interval_seconds=60, success_percentage=0, ended_percentage=0), {BUSY: 5}, {BUSY: 5}, 1, 60, Step.RELEASE, ""),
        (Rollout(interval_seconds=60), {GOOD: 5}, {GOOD: 5}, 1, 59, Step.WAIT, "60 s"),
        (Rollout(interval_seconds=60), {GOOD: 5}, {GOOD: 5}, 1, 60, Step.RELEASE, ""),
        (Rollout(), {GOOD: 9, BAD: 1}, {GOOD: 4, BAD: 1}, 1, 0, Step.PAUSE, "9 of 10 devices have succeeded, 90 %"),
        (Rollout(success_percentage=90), {GOOD: 9, BAD: 1}, {GOOD: 4, BAD: 1}, 1, 0, Step.RELEASE, ""),
        (Rollout(), {GOOD: 9, BAD: 1}, {GOOD: 4, BAD: 1}, 0, 0, Step.WAIT, ""),
        (Rollout(abort=(AbortRule("FAILED", 10),)), {GOOD: 9, BAD: 1}, {BUSY: 1}, 1, 0, Step.PAUSE, "1 of 10"),
        (Rollout(abort=(AbortRule("FAILED", 11),)), {GOOD: 9, BAD: 1}, {BUSY: 1}, 1, 0, Step.WAIT, ""),
        (Rollout(abort=(AbortRule("FAILED", 10, 11),)), {GOOD: 9, BAD: 1}, {BUSY: 1}, 1, 0, Step.WAIT, ""),
        (Rollout(abort=(AbortRule("TIMED_OUT", 5),)), {GOOD: 9, BAD: 1}, {BUSY: 1}, 1, 0, Step.WAIT, ""),
        (Rollout(abort=(AbortRule("ALL", 20),)), {GOOD: 8, LATE: 1, UNFIT: 1}, {BUSY: 1}, 1, 0, Step.PAUSE, "2 of 10"),
        (Rollout(abort=(AbortRule("ALL", 0, 1),)), {GOOD: 8}, {GOOD: 8}, 1, 0, Step.RELEASE, ""),
        (
            Rollout(abort=(AbortRule("REJECTED", 50, 2, AbortAction.CANCEL),)),
            {GOOD: 1, UNFIT: 1, BUSY: 8}, {BUSY: 8}, 1, 0, Step.CANCEL, "1 of 2 devices have rejected",
        ),
        # Of nobody it cannot be said that it went well.
        (Rollout(), {}, {}, 1, 0, Step.PAUSE, "no device is left in the last wave"),
        (Rollout(), {GOOD: 5, DeviceJobState.CANCELLED: 1}, {DeviceJobState.CANCELLED: 1}, 1, 0, Step.PAUSE, "no device"),
        # What a person has taken back is neither good nor bad.
        (Rollout(), {GOOD: 4, DeviceJobState.CANCELLED: 1}, {GOOD: 4, DeviceJobState.CANCELLED: 1}, 1, 0, Step.RELEASE, ""),
    ],
)  # fmt: skip
def test_the_next_wave_goes_waits_or_never_comes(rules, reached, newest, left, since, step, words):
    decision = decide(rules, reached, newest, waves_left=left, seconds_since=since)

    assert decision.step is step
    assert words in decision.reason


@pytest.mark.parametrize(
    ("given_rules", "field"),
    [
        ({"canary": -1}, "rollout.canary"),
        ({"wave": 0}, "rollout.wave"),
        ({"wave": 1.5}, "rollout.wave"),
        ({"wave": True}, "rollout.wave"),
        ({"wave": float("nan")}, "rollout.wave"),
        ({"factor": 0.5}, "rollout.factor"),
        ({"factor": float("inf")}, "rollout.factor"),
        ({"success_percentage": 101}, "rollout.success_percentage"),
        ({"success_percentage": "90"}, "rollout.success_percentage"),
        ({"surprise": 1}, "rollout.surprise"),
        ({"abort": "FAILED"}, "rollout.abort"),
        ({"abort": [{}] * 11}, "rollout.abort"),
        ({"abort": ["FAILED"]}, "rollout.abort.0"),
        ({"abort": [{"failure_type": "LOST"}]}, "rollout.abort.0.failure_type"),
        ({"abort": [{"action": "EXPLODE"}]}, "rollout.abort.0.action"),
        ({"abort": [{"minimum": 0}]}, "rollout.abort.0.minimum"),
        ({"abort": [{"more": 0}]}, "rollout.abort.0.more"),
    ],
)
def test_rules_that_make_no_sense_are_refused_by_their_field(given_rules, field):
    with pytest.raises(InputError) as refused:
        rollout.read(given_rules)

    assert [problem.field for problem in refused.value.problems] == [field]


def test_rules_are_kept_as_they_are_read():
    rules = rollout.read(
        {
            "canary": 5, "wave": 50.0, "factor": 2, "largest": 500, "interval_seconds": 30, "success_percentage": 95,
            "abort": [{"failure_type": "failed", "threshold_percentage": 5, "minimum": 10, "action": "cancel"}],
        }
    )  # fmt: skip

    assert rules == Rollout(5, 50, 2.0, 500, 30, 95.0, abort=(AbortRule("FAILED", 5.0, 10, AbortAction.CANCEL),))
    assert rollout.read(rollout.as_document(rules)) == rules
    assert rollout.read({}) == Rollout()
