"""Teams: accounts that have tasks together. Administrators make them; a task names the one that it belongs to."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection, Sequence
from datetime import datetime

from watchbell.domain.shown_text import is_visible
from watchbell.domain.task_fields import TEAM_LIMIT
from watchbell.errors import Conflict, InputError, NotFound, VersionConflict
from watchbell.services import audit, tasks
from watchbell.services.ownership import require_team
from watchbell.store import accounts as account_store
from watchbell.store import teams as store
from watchbell.store.session import Database, Session
from watchbell.store.teams import Team

COMMENT_LIMIT = 500
#: What stands for no team, where somebody says where the tasks of one go.
NO_TEAM = ""


@dataclasses.dataclass(frozen=True, slots=True)
class TeamView:
    """A team as a person sees it."""

    id: int
    name: str
    comment: str
    created_at: datetime
    #: The names of its accounts, in their order.
    members: Sequence[str]
    #: How many tasks are its.
    tasks: int

    @property
    def state(self) -> str:
        """Another text after every change of name, comment or members."""
        return _state(self.name, self.comment, self.members)


class TeamHasTasks(Conflict):
    """The team still has tasks; say where they go."""

    code = "team_has_tasks"


def list_all(db: Database) -> list[TeamView]:
    """Return all teams by name."""
    with db.read() as session:
        members, tasks_of = store.list_members(session), store.count_tasks(session)
        return [
            TeamView(
                team.id, team.name, team.comment, team.created_at,
                [one.username for one in members.get(team.id, ())], tasks_of.get(team.name, 0),
            )
            for team in store.list_teams(session)
        ]  # fmt: skip


def get(db: Database, team_id: int) -> TeamView:
    """Return a team by its number; raises NotFound."""
    found = next((team for team in list_all(db) if team.id == team_id), None)
    if found is None:
        raise NotFound(f"there is no team {team_id}")
    return found


def find_by_name(db: Database, name: str) -> TeamView:
    """Return the team of a name, whatever its case; raises NotFound."""
    with db.read() as session:
        found = store.find_team_by_name(session, name)
    if found is None:
        raise NotFound(f"there is no team {name[:50]!r}")
    return get(db, found.id)


def list_names(db: Database) -> list[str]:
    """Return the names of all teams in their order."""
    with db.read() as session:
        return [team.name for team in store.list_teams(session)]


def list_names_of(db: Database, username: str) -> list[str]:
    """Return the names of the teams of an account, in their order."""
    with db.read() as session:
        return store.list_names_of(session, username)


def is_there(session: Session, name: str) -> bool:
    """Return whether there is a team of a name."""
    return store.find_team_by_name(session, name) is not None


def create(
    db: Database, name: str, *, comment: str = "", members: Collection[str] = (), now: datetime, actor: str
) -> TeamView:
    """Make a team and return it; raises InputError for a bad name and for members without an account, Conflict for a taken name."""
    name, comment = _name(name), _comment(comment)
    with db.write() as session:
        _require_free(session, name)
        chosen = _accounts(session, members)
        team = Team(name=name, comment=comment, created_at=now)
        session.add(team)
        session.flush()
        store.put_members(session, team.id, list(chosen.values()))
        said = {"members": sorted(chosen), "comment": comment}
        audit.note(session, "team.create", f"team:{team.id}", now=now, actor=actor, name=name, detail=said)
        number = team.id
    return get(db, number)


def update(
    db: Database,
    team_id: int,
    *,
    name: str | None = None,
    comment: str | None = None,
    members: Collection[str] | None = None,
    now: datetime,
    actor: str,
    expected_state: str | None = None,
) -> TeamView:
    """Change what is given of a team and return it; with another name its tasks name it by that from now on.

    Raises what ``create`` raises, NotFound, and VersionConflict if ``expected_state`` is given and is not its state any more.
    """
    with db.write() as session:
        team = _require(session, team_id)
        present = {one.username: one.id for one in store.list_members(session).get(team_id, ())}
        if expected_state is not None and expected_state != _state(team.name, team.comment, present):
            raise VersionConflict("somebody has changed this team meanwhile; look at it and change it again")
        wanted = present if members is None else _accounts(session, members)
        before = {"name": team.name, "comment": team.comment, "members": sorted(present)}
        after = {
            "name": team.name if name is None else _name(name),
            "comment": team.comment if comment is None else _comment(comment),
            "members": sorted(wanted),
        }
        differs = audit.changes(before, after)
        if not differs:
            return get(db.within(session), team_id)
        if "name" in differs:
            _require_free(session, str(after["name"]), but=team.id)
        old, team.name, team.comment = team.name, str(after["name"]), str(after["comment"])
        store.put_members(session, team.id, list(wanted.values()))
        audit.note(session, "team.change", f"team:{team.id}", now=now, actor=actor, name=team.name, detail=differs)
        _hand_over(session, old, team.name, now=now, actor=actor)
    return get(db, team_id)


def delete(db: Database, team_id: int, *, tasks_to: str | None = None, now: datetime, actor: str) -> int:
    """Delete a team and return how many tasks went to another one, or to none if ``tasks_to`` is NO_TEAM.

    Raises NotFound, TeamHasTasks if it has tasks and nobody has said where they go, and InputError for a place that is none.
    """
    with db.write() as session:
        team = _require(session, team_id)
        count = store.count_tasks(session).get(team.name, 0)
        if count and tasks_to is None:
            raise TeamHasTasks(f"team {team.name!r} still has {count:,} of the tasks; say where they go")
        if tasks_to is not None and tasks_to.lower() == team.name.lower():
            raise InputError.of("tasks_to", "must be another team, or none")
        if tasks_to:
            _require_target(session, tasks_to)
        moved = _hand_over(session, team.name, tasks_to or NO_TEAM, now=now, actor=actor)
        said = {"tasks": moved, "tasks_to": tasks_to or NO_TEAM}
        audit.note(session, "team.delete", f"team:{team.id}", now=now, actor=actor, name=team.name, detail=said)
        store.delete_team(session, team)
        return moved


def _hand_over(session: Session, old: str, new: str, *, now: datetime, actor: str) -> int:
    """Give all tasks of one team to another, each in a version of its own; return how many."""
    if old == new:
        return 0
    found = store.list_tasks(session, old)
    for task in found:
        definition = dataclasses.replace(tasks.definition_of(task), team=new)
        tasks.change_definition(session, task, definition, now=now, actor=actor)
    return len(found)


def _state(name: str, comment: str, members: Collection[str]) -> str:
    said = json.dumps([name, comment, sorted(members)])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _require(session: Session, team_id: int) -> Team:
    team = store.find_team(session, team_id)
    if team is None:
        raise NotFound(f"there is no team {team_id}")
    return team


def _require_target(session: Session, name: str) -> None:
    try:
        require_team(session, name)
    except InputError as error:
        raise InputError.of("tasks_to", error.problems[0].message, error.problems[0].example) from None


def _require_free(session: Session, name: str, *, but: int | None = None) -> None:
    taken = store.find_team_by_name(session, name)
    if taken is not None and taken.id != but:
        raise Conflict(f"name: there is a team {taken.name!r} already")


def _accounts(session: Session, names: Collection[str]) -> dict[str, int]:
    found = {}
    for name in dict.fromkeys(names):
        account = account_store.find_account_by_name(session, name)
        if account is None:
            raise InputError.of("members", f"there is no account {name[:70]!r}", "ann")
        found[account.username] = account.id
    return found


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name or len(name) > TEAM_LIMIT or "," in name or not is_visible(name):
        raise InputError.of("name", f"must be 1 to {TEAM_LIMIT} printable characters without a comma", "database")
    return name


def _comment(text: str) -> str:
    comment = " ".join(text.split())
    if len(comment) > COMMENT_LIMIT or not is_visible(comment):
        raise InputError.of("comment", f"must be at most {COMMENT_LIMIT} printable characters", "they are on call")
    return comment
