"""Keeping tasks for those whose they are, where the settings say so; domain.ownership decides.

Whoever serves a request says for whom; everything that changes a task asks here, in its transaction. Where nobody has said
so, as in the scheduler and in commands on the machine itself, nothing is kept from anybody.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
from collections.abc import Callable, Iterator, Mapping

from watchbell.domain.ownership import OwnOnly, is_kept, is_theirs
from watchbell.domain.permissions import Right, Role
from watchbell.domain.run_as import may_use
from watchbell.domain.task_definition import TaskDefinition
from watchbell.errors import InputError, NotAllowed
from watchbell.store import tasks as task_store
from watchbell.store import teams as store
from watchbell.store.session import Database, Session
from watchbell.store.tasks import Task

#: So many teams are named to somebody who has named another one.
_NAMED = 5


class NotYours(NotAllowed):
    """This is for the owner of the task, its team and administrators."""

    code = "not_yours"


@dataclasses.dataclass(slots=True)
class Doer:
    """For whom something is done."""

    username: str
    role: str | None
    own_only: OwnOnly = OwnOnly.NEVER
    #: How many tasks it may own, and how many runs it may start within a minute; 0 for any number. See services.quotas.
    task_quota: int = 0
    start_quota: int = 0
    #: The users of the system as whom tasks may run, with the least role that may let them; see domain.run_as.
    users: Mapping[str, str] = dataclasses.field(default_factory=dict)
    #: The teams of the account, once somebody has asked.
    teams: frozenset[str] | None = None


_doer: contextvars.ContextVar[Doer | None] = contextvars.ContextVar("watchbell_doer", default=None)


def doer() -> Doer | None:
    """Return for whom this thread does what it does; None is for the installation itself."""
    return _doer.get()


def act_for(somebody: Doer | None) -> None:
    """Say for whom this thread does what it does from now on; None is for the installation itself."""
    _doer.set(somebody)


@contextlib.contextmanager
def acting_for(somebody: Doer | None) -> Iterator[None]:
    """Say for whom everything in this block is done."""
    token = _doer.set(somebody)
    try:
        yield
    finally:
        _doer.reset(token)


def may(session: Session, right: Right, *, owner: str, team: str) -> bool:
    """Return whether whoever asks may use a right, which the role has, with a task of this owner and team."""
    asking = _doer.get()
    if asking is None or not is_kept(asking.own_only, right, asking.role):
        return True
    # Which teams somebody is in is asked only where that decides.
    teams = _teams_of(session, asking) if team and owner.lower() != asking.username.lower() else ()
    return is_theirs(asking.username, teams, owner=owner, team=team)


def require(session: Session, right: Right, task: Task) -> None:
    """Raise NotYours unless whoever asks may use a right with a task."""
    if not may(session, right, owner=task.owner, team=task.team):
        raise NotYours(_refusal(right, task))
    if right is Right.EDIT:
        require_user(task.name, user_of(task))


def user_of(task: Task) -> str:
    """Return as which user of the system a task says that it runs, empty where it says nothing."""
    return str(task.policies.get("as_user") or "")


def require_user(name: str, user: str) -> None:
    """Raise NotYours unless whoever asks may say what runs as a user of the system, by the name of the task."""
    asking = _doer.get()
    if asking is not None and not may_use(asking.role, user, asking.users):
        who = user or next(iter(asking.users), "")
        role = asking.users.get(who, Role.ADMIN.value)
        raise NotYours(
            f"task {name!r} runs as the user {who}: what does so is decided by accounts from the role {role} on"
        )


def require_of_run(session: Session, right: Right, task_id: int) -> None:
    """Raise NotYours unless whoever asks may use a right with the task of a run, be it deleted by now or not."""
    task = task_store.find_task(session, task_id, deleted=True)
    if task is not None:
        require(session, right, task)


def require_result(session: Session, before: TaskDefinition | None, after: TaskDefinition) -> None:
    """Raise what speaks against the owner and team that a definition gives a task: InputError for a team that there is not, NotYours.

    Nobody gives a task away whom it would be kept from then.
    """
    require_user(after.name, after.policies.as_user)
    if before is not None and (before.owner, before.team) == (after.owner, after.team):
        return
    if after.team and (before is None or before.team != after.team):
        require_team(session, after.team)
    if not may(session, Right.EDIT, owner=after.owner, team=after.team):
        raise NotYours(
            f"task {after.name!r} would not be yours: only an administrator gives tasks away; name yourself as its "
            "owner, or a team of yours"
        )


def require_team(session: Session, name: str) -> None:
    """Raise InputError unless there is a team of exactly this name."""
    found = store.find_team_by_name(session, name)
    if found is None or found.name != name:
        names = [one.name for one in store.list_teams(session)][:_NAMED]
        known = found.name if found is not None else ", ".join(names)
        told = f"; there are: {', '.join(names)}" if names else "; administrators make teams"
        raise InputError.of("team", f"there is no team {name[:50]!r}{told}", known or None)


def claim(session: Session, definition: TaskDefinition) -> TaskDefinition:
    """Return the definition as one of whoever asks, if it would be kept from them otherwise; so somebody copies a task of others."""
    asking = _doer.get()
    if asking is None or may(session, Right.EDIT, owner=definition.owner, team=definition.team):
        return definition
    return dataclasses.replace(definition, owner=asking.username, team="")


def may_task(db: Database, right: Right, task_id: int) -> bool:
    """Return whether whoever asks may use a right with a task, for a page that offers it; True for one that there is not."""
    asking = _doer.get()
    if asking is None or not (asking.users or is_kept(asking.own_only, right, asking.role)):
        return True
    with db.read() as session:
        task = task_store.find_task(session, task_id, deleted=True)
    return task is None or judge(db, right)(task)


def require_known(db: Database, right: Right, task: Task) -> None:
    """Raise NotYours unless whoever asks may use a right with a task, before they have typed anything."""
    with db.read() as session:
        require(session, right, task)


def judge(db: Database, right: Right) -> Callable[[Task], bool]:
    """Return a function that says of tasks whether whoever asks may use a right with them, for a list that offers it."""
    asking = _doer.get()
    if asking is None:
        return lambda _task: True
    if not is_kept(asking.own_only, right, asking.role):
        return lambda task: right is not Right.EDIT or may_use(asking.role, user_of(task), asking.users)
    with db.read() as session:
        teams = _teams_of(session, asking)

    def is_open(task: Task) -> bool:
        is_usable = right is not Right.EDIT or may_use(asking.role, user_of(task), asking.users)
        return is_usable and is_theirs(asking.username, teams, owner=task.owner, team=task.team)

    return is_open


def _teams_of(session: Session, asking: Doer) -> frozenset[str]:
    if asking.teams is None:
        asking.teams = frozenset(store.list_names_of(session, asking.username))
    return asking.teams


def _refusal(right: Right, task: Task) -> str:
    who = ", ".join(filter(None, (task.owner, f"team {task.team}" if task.team else ""))) or "nobody"
    if right is Right.EDIT:
        return f"task {task.name!r} is not yours: it is changed by its owner, its team and administrators ({who})"
    return f"task {task.name!r} is not yours: it is run and stopped by its owner, its team and administrators ({who})"
