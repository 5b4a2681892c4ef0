"""Telling whether a crontab has the column of users that /etc/crontab has."""

from __future__ import annotations

from collections.abc import Collection

from watchbell.domain.crontab.lines import Entry, read_lines

#: Accounts of systems that are not the names of programs, so that none of them begins a command.
_ACCOUNTS = frozenset(
    {"root", "www-data", "nobody", "daemon", "postgres", "nginx", "apache", "ubuntu", "debian", "admin", "deploy", "ec2-user", "vagrant"}
)  # fmt: skip


def has_users(text: str, users: Collection[str] = ()) -> bool:
    """Return whether a user stands before each command of a crontab; ``users`` are further names that are accounts."""
    commands = [line.command for line in read_lines(text, system=False) if isinstance(line, Entry)]
    return bool(commands) and all(_begins_with_user(command, users) for command in commands)


def _begins_with_user(command: str, users: Collection[str]) -> bool:
    first, _, rest = command.replace("\t", " ").partition(" ")
    # What goes on with an option is a program, whatever its name.
    return (first in _ACCOUNTS or first in users) and bool(rest.strip()) and not rest.lstrip().startswith("-")
