"""What the age of a heartbeat says: the four tiers of the dashboard, and whether a scheduler works."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from enum import StrEnum

#: A scheduler whose last beat is older than this is said to be stalled.
STALL_SECONDS = 12.0
#: A device that was not heard of for so long is offline: it asks about every half minute.
DEVICE_ONLINE = timedelta(seconds=120)


class Tier(StrEnum):
    """How alive something is, by the age of its last heartbeat."""

    ACTIVE = "active"
    IDLE_MINUTES = "idle_minutes"
    IDLE_HOURS = "idle_hours"
    INACTIVE = "inactive"


@dataclasses.dataclass(frozen=True, slots=True)
class Presence:
    """A tier with the words that people read."""

    tier: Tier
    words: str


def presence(last_beat_at: datetime, now: datetime) -> Presence:
    """Return the tier by whole minutes: under 5 Active, under 60 Idle Nm, under 1440 Idle Nh, else Inactive Nd."""
    minutes = max(0, int((now - last_beat_at) / timedelta(minutes=1)))
    if minutes < 5:
        return Presence(Tier.ACTIVE, "Active")
    if minutes < 60:
        return Presence(Tier.IDLE_MINUTES, f"Idle ({minutes}m ago)")
    if minutes < 1440:
        return Presence(Tier.IDLE_HOURS, f"Idle ({minutes // 60}h ago)")
    return Presence(Tier.INACTIVE, f"Inactive ({minutes // 1440}d ago)")


class Standing(StrEnum):
    """How a device stands; each stands in exactly one way."""

    PENDING = "pending"
    """Nobody has let it take part yet."""
    INACTIVE = "inactive"
    """It may not take part any more."""
    ONLINE = "online"
    OFFLINE = "offline"
    NEVER = "never"
    """It may take part and was never heard of."""


#: What the provisioning of a device is called until somebody has let it take part.
PENDING_WORD = "pending"


def standing(*, is_active: bool, provisioning_state: str, seen_at: datetime | None, now: datetime) -> Standing:
    """Return how a device stands; whether it is heard of counts only for one that may take part."""
    if not is_active:
        return Standing.PENDING if provisioning_state == PENDING_WORD else Standing.INACTIVE
    if seen_at is None:
        return Standing.NEVER
    return Standing.ONLINE if now - seen_at <= DEVICE_ONLINE else Standing.OFFLINE


class SchedulerState(StrEnum):
    """What can be said of the scheduler from outside."""

    RUNNING = "running"
    STARTING = "starting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    STALLED = "stalled"
    """The process lives, but its loop has not turned for a while."""
    UNKNOWN = "unknown"
    """It belongs to another host or user and has not been heard of lately."""


def is_stalled(last_beat_at: datetime, now: datetime) -> bool:
    """Return whether a living scheduler has not turned its loop for too long."""
    return (now - last_beat_at).total_seconds() > STALL_SECONDS
