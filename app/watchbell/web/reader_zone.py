"""The zone in which a browser's pages show times: the reader's own, the server's, UTC, or one that was picked.

The choice is a cookie, since it is of a browser and a script has to be able to tell what zone its machine is in. Programs
are answered in the server's zone, whatever cookie they carry.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from zoneinfo import ZoneInfo

from watchbell.domain.schedule.zones import valid_zones

COOKIE = "watchbell_zone"
#: What stands before a zone that a browser has told by itself.
_TOLD = "mine:"


class Choice(StrEnum):
    """Whose zone it is."""

    MINE = "mine"
    """That of the reader's machine, as the script of the page tells it; the server's until it has."""
    SERVER = "server"
    UTC = "utc"
    PICKED = "picked"


@dataclasses.dataclass(frozen=True, slots=True)
class ReaderZone:
    """A choice and what it comes to."""

    choice: Choice
    zone: ZoneInfo
    #: What the browser has told, "" if it has not.
    told: str = ""


def read(cookies: Mapping[str, str], server: str) -> ReaderZone:
    """Return what a browser's cookie says; one that makes no sense counts as none."""
    text = cookies.get(COOKIE, "")
    if text == Choice.SERVER:
        return ReaderZone(Choice.SERVER, ZoneInfo(server))
    if text == "UTC":
        return ReaderZone(Choice.UTC, ZoneInfo("UTC"))
    if is_known(text):
        return ReaderZone(Choice.PICKED, ZoneInfo(text))
    told = text.removeprefix(_TOLD) if text.startswith(_TOLD) else ""
    return ReaderZone(Choice.MINE, ZoneInfo(told if is_known(told) else server), told if is_known(told) else "")


def written(choice: Choice, zone: str) -> str:
    """Return the cookie for a choice; the zone is what was picked, or what the browser has told."""
    match choice:
        case Choice.SERVER:
            return str(Choice.SERVER)
        case Choice.UTC:
            return "UTC"
        case Choice.PICKED:
            return zone
    return f"{_TOLD}{zone}"


def is_known(name: str) -> bool:
    """Return whether there is a zone of this name."""
    return name in valid_zones()
