"""Understanding a whole crontab line that somebody has pasted where only the times belong."""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime

from watchbell.domain.schedule import build_schedule
from watchbell.errors import InputError

_TIMES = re.compile(r"(?P<times>@[a-z]+|(?:\S+[ \t]+){4}\S+)[ \t]+(?P<command>\S.*)", re.IGNORECASE)
#: A system crontab names the user before the command; only this name is certain not to be a program.
_SYSTEM_USER = re.compile(r"root[ \t]+(?P<command>\S.*)")
_LONGEST_TEXT = 40_000


@dataclasses.dataclass(frozen=True, slots=True)
class CrontabLine:
    """What was understood: the times, the command, and what a person should know about it."""

    cron: str
    command: str
    note: str


def understand(text: str, *, now: datetime) -> CrontabLine | None:
    """Return the parts of pasted crontab lines, or None if the text is not certainly that.

    Several lines must name one command: a task has one.
    """
    if len(text) > _LONGEST_TEXT:
        return None
    lines = [line.strip() for line in text.splitlines()]
    found = [_TIMES.fullmatch(line) for line in lines if line and not line.startswith("#")]
    matches = [match for match in found if match is not None]
    if not matches or len(matches) != len(found):
        return None
    commands = {match["command"].strip() for match in matches}
    cron = "\n".join(match["times"].strip() for match in matches)
    if len(commands) != 1 or not _is_cron(cron, now):
        return None
    return _explained(cron, commands.pop())


def _is_cron(cron: str, now: datetime) -> bool:
    try:
        build_schedule({"kind": "cron", "cron": cron}, now=now, default_zone="UTC")
    except InputError:
        return False
    return True


def _explained(cron: str, command: str) -> CrontabLine:
    notes = ["A crontab line: its times stay in the cron field, and its command went to the command field."]
    system = _SYSTEM_USER.fullmatch(command)
    if system:
        command = system["command"]
        notes.append("The user root in it was left out: a task runs as the user of the scheduler.")
    if re.search(r"(?<!\\)%", command):
        notes.append("cron ends the command at the first % and gives it the rest as input; a task has no such sign.")
    return CrontabLine(cron, command.replace("\\%", "%"), " ".join(notes))
