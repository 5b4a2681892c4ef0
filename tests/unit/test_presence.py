"""The four tiers of a heartbeat's age, at their edges."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.database import NOW
from watchbell.domain.presence import STALL_SECONDS, Tier, is_stalled, presence


@pytest.mark.parametrize(
    ("age", "tier", "words"),
    [
        (timedelta(0), Tier.ACTIVE, "Active"),
        (timedelta(minutes=4, seconds=59), Tier.ACTIVE, "Active"),
        (timedelta(minutes=5), Tier.IDLE_MINUTES, "Idle (5m ago)"),
        (timedelta(minutes=59, seconds=59), Tier.IDLE_MINUTES, "Idle (59m ago)"),
        (timedelta(minutes=60), Tier.IDLE_HOURS, "Idle (1h ago)"),
        (timedelta(hours=23, minutes=59, seconds=59), Tier.IDLE_HOURS, "Idle (23h ago)"),
        (timedelta(hours=24), Tier.INACTIVE, "Inactive (1d ago)"),
        (timedelta(days=400), Tier.INACTIVE, "Inactive (400d ago)"),
        # The clock of another machine may be ahead of ours.
        (timedelta(minutes=-3), Tier.ACTIVE, "Active"),
    ],
    ids=str,
)
def test_the_age_of_a_beat_decides_the_tier(age: timedelta, tier: Tier, words: str) -> None:
    found = presence(NOW - age, NOW)

    assert (found.tier, found.words) == (tier, words)


def test_a_scheduler_is_stalled_only_after_the_limit() -> None:
    limit = timedelta(seconds=STALL_SECONDS)

    assert not is_stalled(NOW - limit, NOW)
    assert is_stalled(NOW - limit - timedelta(milliseconds=1), NOW)


def test_a_stalled_scheduler_is_known_within_fifteen_seconds() -> None:
    assert is_stalled(NOW - timedelta(seconds=15), NOW)
