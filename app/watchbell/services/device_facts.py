"""What agents tell of their machines: what is kept of it, and what orders choose by."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class FactsTold:
    """What a device has told of its machine, as it is kept."""

    device_id: int
    at: datetime
    facts: Mapping[str, Any]


def kept_of(
    facts: Mapping[str, Any], *, agents_clock: datetime | None, round_trip_ms: int | None, now: datetime
) -> dict[str, Any]:
    """Return facts as they are kept, with how far the clock of the agent is ahead."""
    derived: dict[str, Any] = {"round_trip_ms": round_trip_ms}
    if agents_clock is not None:
        derived["clock_ahead_seconds"] = round((agents_clock - now).total_seconds(), 1) + 0.0
    return {**facts, **derived}


def attributes_of(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return those facts by which orders choose devices, under the names of the columns in which they look."""
    told = {
        "os_version": facts.get("os"),
        "agent_version": facts.get("agent_version"),
        "zone": facts.get("zone"),
        "ip_address": next(iter(facts.get("addresses", ())), None),
        "mac_address": next(iter(facts.get("mac_addresses", ())), None),
    }
    return {name: value for name, value in told.items() if value}
