"""Whose a task is, and what that lets people do: the one place where that is decided.

A task is somebody's if its owner is the account, or its team is one of the account's. What the role of an account allows it
may do with every task, unless the setting ``own_tasks_only`` keeps that for those whose task it is. Administrators are kept
from nothing. Looking is never kept: whoever may see one task sees all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum

from watchbell.domain.permissions import Right, Role


class OwnOnly(StrEnum):
    """What is kept for those whose task it is."""

    NEVER = "never"
    """Nothing."""
    EDIT = "edit"
    """Changing and deleting it."""
    RUN = "run"
    """That, and also running, cancelling, pausing, enabling and disabling it."""


_KEPT: Mapping[OwnOnly, frozenset[Right]] = {
    OwnOnly.NEVER: frozenset(),
    OwnOnly.EDIT: frozenset({Right.EDIT}),
    OwnOnly.RUN: frozenset({Right.EDIT, Right.OPERATE}),
}


def is_kept(rule: OwnOnly, right: Right, role: str | None) -> bool:
    """Return whether somebody of a role, who has a right, may use it with tasks of their own only."""
    return right in _KEPT[rule] and role != Role.ADMIN


def is_theirs(username: str, teams: Collection[str], *, owner: str, team: str) -> bool:
    """Return whether a task with this owner and team is that of an account, which is in some teams.

    A task that names neither is nobody's.
    """
    return (owner != "" and owner.lower() == username.lower()) or (team != "" and team in teams)
