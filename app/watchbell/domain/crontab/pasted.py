"""Understanding a whole crontab line that somebody has pasted where only the times belong."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime

from watchbell.domain.crontab.jobs import with_input
from watchbell.domain.crontab.lines import Entry, read_entry
from watchbell.domain.schedule import build_schedule
from watchbell.errors import InputError

#: A system crontab names the user before the command; only this name is certain not to be a program.
_SYSTEM_USER = re.compile(r"root[ \t]+(?P<command>\S.*)")
_LONGEST_TEXT = 40_000


@dataclasses.dataclass(frozen=True, slots=True)
class PastedLine:
    """What was understood: the times, the command, and what a person should know about it."""

    cron: str
    command: str
    note: str


def understand(text: str, *, now: datetime) -> PastedLine | None:
    """Return the parts of pasted crontab lines, or None if the text is not certainly that.

    Several lines must name one command: a task has one.
    """
    if len(text) > _LONGEST_TEXT:
        return None
    lines = [line.strip() for line in text.splitlines()]
    found = [read_entry(line) for line in lines if line and not line.startswith("#")]
    entries = [entry for entry in found if entry is not None]
    if not entries or len(entries) != len(found):
        return None
    cron = "\n".join(entry.times for entry in entries)
    if len({(entry.command, entry.given) for entry in entries}) != 1 or not _is_cron(cron, now):
        return None
    return _explained(cron, entries[0])


def _is_cron(cron: str, now: datetime) -> bool:
    try:
        build_schedule({"kind": "cron", "cron": cron}, now=now, default_zone="UTC")
    except InputError:
        return False
    return True


def _explained(cron: str, entry: Entry) -> PastedLine:
    notes = ["A crontab line: its times stay in the cron field, and its command went to the command field."]
    command = entry.command
    system = _SYSTEM_USER.fullmatch(command)
    if system:
        command = system["command"]
        notes.append("The user root in it was left out: a task runs as the user of the scheduler.")
    if entry.given is not None:
        command = with_input(command, entry.given)
        notes.append("What stood behind % is given to the command as input, as cron does.")
    return PastedLine(cron, command, " ".join(notes))
