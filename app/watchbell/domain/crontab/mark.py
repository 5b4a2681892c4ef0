"""The comment line that an export puts above an entry: what a task has beyond times and command, for the way back.

``#watchbell: {"name": "backup", ...}``. The entry below it is what counts: a mark says nothing of times, and its
environment and directory hold only while the entry still begins with the words that they were written as.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping

_SIGN = "watchbell:"
#: What the entry says, and a mark may not.
_ENTRY = frozenset(
    {"command", "steps", "cron", "every", "unit", "at", "every_word", "at_time", "anchor_at", "kind", "zone"}
)


class Mark:
    """One such line, and whether an entry has taken it already."""

    def __init__(self, fields: Mapping[str, object], note: str = "") -> None:
        self._fields = fields
        self._note = note
        self.is_used = False
        #: The command of the entry that has taken it.
        self.command = ""

    def apply(self, command: str) -> tuple[dict[str, object], str, list[str]]:
        """Return the fields that it says, the command without what they were written as, and what a person should know."""
        fields = dict(self._fields)
        if self._note:
            return fields, command, [self._note]
        begin = prefix(fields.get("environment"), fields.get("directory"))
        if command.startswith(begin):
            return fields, command.removeprefix(begin), []
        for name in ("environment", "directory"):
            fields.pop(name, None)
        return fields, command, ["its beginning was changed since it was written, so it is taken as it stands"]


def read(text: str) -> Mark | None:
    """Return the mark in the text of a comment; None for any other comment."""
    if not text.startswith(_SIGN):
        return None
    try:
        data = json.loads(text.removeprefix(_SIGN))
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict) or _ENTRY & set(data):
        return Mark({}, "the mark above it is not understood, and left out")
    policies = data.pop("policies", {})
    return Mark({**data, **(policies if isinstance(policies, dict) else {"policies": policies})})


def write(fields: Mapping[str, object]) -> str:
    """Return the line of a mark; nothing in it can end the line."""
    return f"#{_SIGN} {json.dumps(fields, sort_keys=True)}"


def prefix(environment: object, directory: object) -> str:
    """Return the words of a shell that set an environment and a directory for what follows."""
    words = ""
    if isinstance(environment, Mapping) and environment:
        pairs = (f"{name}={shlex.quote(str(value))}" for name, value in environment.items())
        words += f"export {' '.join(pairs)}; "
    if directory:
        words += f"cd {shlex.quote(str(directory))} || exit 1; "
    return words
