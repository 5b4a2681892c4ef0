"""Writing tasks as a crontab that cron takes, and saying what of them cron cannot do.

Nothing that a person wrote can end a line or begin another one: commands and values with line feeds are refused, percent
signs quoted, and comments stand behind their sign line by line.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from datetime import datetime

from watchbell.domain import interpreters
from watchbell.domain.crontab import mark
from watchbell.domain.crontab.jobs import read_crontab
from watchbell.domain.crontab.lines import quote_percent
from watchbell.domain.plain_command import plain_argv
from watchbell.domain.schedule import ScheduleKind
from watchbell.domain.schedule.cron_text import read_cron
from watchbell.domain.task_definition import Defaults, TaskDefinition
from watchbell.domain.task_document import entry_of
from watchbell.errors import InputError

#: The longest command that every cron takes.
_LONGEST = 998
#: What a mark carries of a task: all but what the entry says.
_SAID_BY_ENTRY = frozenset({"command", "steps", "schedule", "enabled", "comment"})
_LINE_ENDS = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """A crontab, and what of the tasks it does not say, by their names."""

    text: str
    #: Tasks that stand in it as comments only, or not at all, and why.
    left_out: tuple[tuple[str, str], ...]
    #: Tasks that cron runs, but not quite as they are run here.
    differences: tuple[tuple[str, str], ...]


def write_crontab(
    definitions: Sequence[TaskDefinition], *, now: datetime, defaults: Defaults, user: str | None = None
) -> Written:
    """Return the tasks as a crontab; with a user as one of the system, which names who runs each command."""
    lines = ["# Written by watchbell crontab export; the lines that begin with #watchbell: are for the way back."]
    left_out: list[tuple[str, str]] = []
    differences: list[tuple[str, str]] = []
    zone = defaults.zone
    for task in definitions:
        definition = task.standing_alone()
        if task.environment_sets:
            differences.append((task.name, "what its environment sets say now is written as its own environment"))
        reason = _why_not(definition)
        command = quote_percent(_full_command(definition)) if not reason else None
        if command is None:
            left_out.append((definition.name, reason or "its command holds \\%, which a crontab cannot say"))
            continue
        lines.append("")
        if definition.schedule.zone != zone:
            zone = definition.schedule.zone
            lines.append(f"CRON_TZ={zone}")
        lines += _head(definition)
        sign = "" if definition.enabled else "#"
        column = f" {user}" if user else ""
        lines += [f"{sign}{_portable(text)}{column} {command}" for text in definition.schedule.expressions]
        if not definition.enabled:
            left_out.append((definition.name, "it is disabled, and so a comment"))
        differences += [(definition.name, words) for words in _differences(definition, command, defaults.zone)]
    text = "\n".join(lines) + "\n"
    differences += _lost_on_the_way_back(text, definitions, {name for name, _ in left_out}, now, defaults, user)
    return Written(text, tuple(left_out), tuple(differences))


def _why_not(definition: TaskDefinition) -> str:
    schedule = definition.schedule
    if definition.steps:
        return "it has steps"
    if definition.parameters:
        return "it has parameters, which cron does not give it"
    if words := _needs_no_shell(definition):
        return words
    if schedule.kind is not ScheduleKind.CRON:
        return f"it is due in a way that cron does not know ({schedule.kind})"
    if any(_portable(text) is None for text in schedule.expressions):
        return f"cron does not know L and # ({'; '.join(schedule.expressions)})"
    if _LINE_ENDS.search(_full_command(definition)):
        return "its command or environment has several lines"
    return ""


def _needs_no_shell(definition: TaskDefinition) -> str:
    """Return why a task cannot be run by the shell of cron; empty if it can."""
    interpreter, command = definition.policies.interpreter, definition.command
    if interpreters.words_of(interpreter):
        return f"it is a script for {interpreter}, and cron gives everything to a shell"
    if interpreter and plain_argv(command) != interpreters.direct_argv(command):
        return "it runs without a shell, to which its command would mean something else"
    return ""


def _full_command(definition: TaskDefinition) -> str:
    return mark.prefix(definition.environment, definition.directory) + definition.command


def _head(definition: TaskDefinition) -> list[str]:
    entry = entry_of(definition)
    fields = {name: value for name, value in entry.items() if name not in _SAID_BY_ENTRY}
    if definition.schedule.dst != "cron_like":
        fields["dst"] = str(definition.schedule.dst)
    comment = [f"# {line}" for line in _LINE_ENDS.split(definition.comment)] if definition.comment else []
    return [*comment, mark.write(fields)]


def _portable(text: str) -> str | None:
    """Return cron text as every cron takes it; None for what only we know."""
    if text.startswith("@"):
        return text
    canonical = read_cron(text).canonical
    if re.search(r"[LW#]", canonical):
        return None
    fields = zip(text.split(), canonical.split(), (59, 23, 31, 12, 6), strict=True)
    return " ".join(_portable_field(typed, meant, last) for typed, meant, last in fields)


def _portable_field(typed: str, meant: str, last: int) -> str:
    """Return a field as it was typed, or as what it means where it has ranges over the end or steps without a range."""
    pairs = list(zip(typed.split(","), meant.split(","), strict=False))
    is_plain = len(pairs) == meant.count(",") + 1 and all(
        ("-" in one) == ("-" in other) and not re.fullmatch(r"[0-9]+/[0-9]+", other) for one, other in pairs
    )
    return typed if is_plain else re.sub(r"(?<![-\d])([0-9]+)/([0-9]+)", rf"\1-{last}/\2", meant)


def _differences(definition: TaskDefinition, command: str, zone: str) -> list[str]:
    """Return what cron does otherwise with a task than is done here."""
    found = []
    if definition.schedule.zone != zone:
        found.append(
            f"its zone {definition.schedule.zone} is written as CRON_TZ, which cronie knows and Debian's cron does not"
        )
    if definition.schedule.dst != "cron_like":
        found.append("cron has its own rule for changes of the clock")
    if definition.environment:
        found.append("its environment is written into the command, where others on the machine can see it")
    policies = entry_of(definition).get("policies")
    if isinstance(policies, dict):
        found.append(f"cron does not know {', '.join(policies)}")
    if len(command) > _LONGEST:
        found.append(f"its line has more than {_LONGEST} characters, which some crons refuse")
    return found


def _lost_on_the_way_back(
    text: str,
    definitions: Sequence[TaskDefinition],
    left_out: set[str],
    now: datetime,
    defaults: Defaults,
    user: str | None,
) -> list[tuple[str, str]]:
    """Return which tasks an import of the text would not make as they are: the proof of the pudding."""
    made: dict[str, TaskDefinition] = {}
    for job in read_crontab(text, system=user is not None).jobs:
        try:
            made[job.name] = job.definition(now=now, defaults=defaults)
        except InputError:
            continue  # What cannot be read back is told below, as what is missing.
    lost = []
    for definition in definitions:
        again = made.get(definition.name)
        if definition.name in left_out or again == definition:
            continue
        before, after = definition.to_json(), again.to_json() if again else {}
        names = [name for name, value in before.items() if after.get(name) != value]
        lost.append((definition.name, f"an import of this would change its {', '.join(names)}"))
    return lost
