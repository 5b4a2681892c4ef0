"""As which users of the system tasks may run, and who may let them.

The settings name the users; the first one is for tasks that name none, and for everybody who may edit. Each further one
is for administrators, unless a role stands behind its name: running as another user is a right of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from watchbell.domain.permissions import Role, is_from


def parse(entries: Sequence[str]) -> Mapping[str, str]:
    """Return the least role that may let tasks run as each user, of entries as NAME or NAME:ROLE, in their order."""
    found: dict[str, str] = {}
    for entry in entries:
        name, _colon, role = entry.partition(":")
        found[name] = role or (Role.ADMIN if found else Role.EDITOR).value
    return found


def default_user(entries: Sequence[str]) -> str:
    """Return as whom a task runs that names nobody; empty for the scheduler's own user."""
    return next(iter(parse(entries)), "")


def may_use(role: str | None, user: str, allowed: Mapping[str, str]) -> bool:
    """Return whether somebody of a role may let tasks run as a user, or as the default for none."""
    if not allowed:
        # Then everything runs as the scheduler's own user, or not at all.
        return True
    return is_from(role, allowed.get(user or next(iter(allowed)), Role.ADMIN.value))
