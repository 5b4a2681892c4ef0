"""Understanding crontab lines that somebody has pasted where only the times or only the command belong."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from watchbell.domain.crontab.columns import has_users
from watchbell.domain.crontab.jobs import Job, read_crontab
from watchbell.domain.crontab.lines import Entry, Odd, Setting, read_lines
from watchbell.domain.schedule import build_schedule
from watchbell.errors import InputError

_LONGEST_TEXT = 40_000


@dataclasses.dataclass(frozen=True, slots=True)
class PastedLine:
    """What was understood: the times, the command, and what a person should know about it."""

    cron: str
    command: str
    note: str
    #: What the lines say beside that, as fields of a task: a name for it, environment, zone, directory, comment, spread_seconds.
    more: Mapping[str, object] = dataclasses.field(default_factory=dict)


def understand(text: str, *, now: datetime, users: Collection[str] = ()) -> PastedLine | None:
    """Return the parts of pasted crontab lines, or None if the text is not certainly that.

    Several lines must name one command: a task has one. Lines that set variables and comments may stand above. ``users`` are
    names that count as a user before the command, beside those of accounts that every system has.
    """
    if len(text) > _LONGEST_TEXT or "\0" in text:
        return None
    plain = "\n".join(line.strip() for line in text.splitlines())
    is_system = has_users(plain, users)
    lines = list(read_lines(plain, system=is_system))
    entries = [line for line in lines if isinstance(line, Entry)]
    if not entries or any(isinstance(line, Odd) for line in lines):
        return None
    cron = "\n".join(entry.times for entry in entries)
    if len({(entry.command, entry.given) for entry in entries}) != 1 or not _is_cron(cron, now):
        return None
    read = read_crontab(plain, system=is_system)
    if any(job.problem for job in read.jobs):
        return None
    has_settings = any(isinstance(line, Setting) for line in lines)
    return _explained(cron, entries[0], read.jobs, read.remarks if has_settings else ())


def _is_cron(cron: str, now: datetime) -> bool:
    try:
        build_schedule({"kind": "cron", "cron": cron}, now=now, default_zone="UTC")
    except InputError:
        return False
    return True


def _explained(cron: str, entry: Entry, jobs: Sequence[Job], remarks: Sequence[str]) -> PastedLine:
    job = jobs[0]
    more = {name: value for name, value in job.fields.items() if name not in {"cron", "command"}}
    notes = ["A crontab line: its times stay in the cron field, and its command went to the command field."]
    command, comment = _without_comment(str(job.fields["command"]))
    if comment:
        more["comment"] = "\n".join(filter(None, (str(more.get("comment", "")), comment)))
        notes.append("What stood behind # is its comment.")
    if entry.user:
        notes.append(f"The user {entry.user} in it was left out: a task runs as the user of the scheduler.")
    if entry.given is not None:
        notes.append("What stood behind % is given to the command as input, as cron does.")
    if "environment" in more:
        notes.append("Its variables went to the environment.")
    notes += [f"{note[:1].upper()}{note[1:]}." for note in job.notes if entry.given is None or "%" not in note]
    notes += [f"{remark.partition(': ')[2][:1].upper()}{remark.partition(': ')[2][1:]}." for remark in remarks]
    return PastedLine(cron, command, " ".join(notes), more)


def _without_comment(command: str) -> tuple[str, str]:
    """Return a command without the comment behind it, and the comment; a shell passes over what follows a bare #."""
    quote = ""
    for index, char in enumerate(command):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"`":
            quote = char
        elif char == "#" and index and command[index - 1] in " \t" and command[:index].strip():
            return command[:index].rstrip(), command[index + 1 :].strip()
    return command, ""
