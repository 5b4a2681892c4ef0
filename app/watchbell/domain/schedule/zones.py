"""The names of time zones that Watchbell accepts."""

from __future__ import annotations

import difflib
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from watchbell.errors import InputError

#: Names that exist on disk and do not name a place: `localtime` means something else on each machine, and a schedule
#: has to mean the same wherever its database is opened.
_NOT_PLACES = frozenset({"localtime", "Factory", "posixrules"})
_LONGEST_NAME = 64


@cache
def valid_zones() -> frozenset[str]:
    """Return the names of all zones of the time zone database."""
    return frozenset(available_timezones() - _NOT_PLACES)


def zone_named(name: str) -> ZoneInfo:
    """Return the zone of this name; raise InputError that offers the nearest name."""
    if len(name) <= _LONGEST_NAME and name in valid_zones():
        return ZoneInfo(name)
    raise InputError.of("zone", f"{name[:_LONGEST_NAME]!r} is not the name of a time zone", _nearest(name))


def _nearest(name: str) -> str:
    by_lower_case = {zone.lower(): zone for zone in valid_zones()}
    wanted = name[:_LONGEST_NAME].strip().lower().replace(" ", "_")
    # A city alone ("berlin") is the commonest mistake after a wrong case.
    for lower, zone in sorted(by_lower_case.items()):
        if wanted and (lower == wanted or lower.endswith(f"/{wanted}")):
            return zone
    near = difflib.get_close_matches(wanted, by_lower_case, n=1, cutoff=0.7)
    return by_lower_case[near[0]] if near else "Europe/Berlin"
