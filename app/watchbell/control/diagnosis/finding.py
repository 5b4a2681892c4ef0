"""One thing that was looked at, and what to do about it."""

from __future__ import annotations

import dataclasses
from enum import StrEnum


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    NOTE = "note"
    """Good to know; nothing has to be done."""
    WARNING = "warning"
    """It works, and may not go on to."""
    PROBLEM = "problem"
    """Something does not work."""


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """What was found; its code stays the same from version to version."""

    code: str
    level: Level
    #: What it is and what it means, as the beginning of a sentence.
    words: str
    #: What to do; empty where nothing is to be done.
    remedy: str = ""


def ok(code: str, words: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(code, Level.OK, words)
