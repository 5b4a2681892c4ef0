"""Teams and their members, and every query about them. A task names its team by its name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, Index, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.accounts import Account
from watchbell.store.base import Base, can_hold
from watchbell.store.tasks import Task


class Team(Base):
    """Some accounts that have tasks together."""

    __tablename__ = "team"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    comment: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]


class TeamMember(Base):
    """That an account is in a team."""

    __tablename__ = "team_member"
    __table_args__ = (Index("ix_team_member_account", "account_id"),)

    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), primary_key=True)


def find_team(session: Session, team_id: int) -> Team | None:
    """Return a team, or None."""
    return session.get(Team, team_id) if can_hold(team_id) else None


def find_team_by_name(session: Session, name: str) -> Team | None:
    """Return the team of that name, whatever the case of the letters A to Z, or None."""
    statement = select(Team).where(func.lower(Team.name) == func.lower(name))
    return session.scalars(statement).one_or_none() if can_hold(name) else None


def list_teams(session: Session) -> Sequence[Team]:
    """Return all teams by name."""
    return session.scalars(select(Team).order_by(Team.name)).all()


def list_members(session: Session) -> Mapping[int, Sequence[Account]]:
    """Return the accounts of each team by its id, by name."""
    rows = session.execute(
        select(TeamMember.team_id, Account)
        .join(Account, Account.id == TeamMember.account_id)
        .order_by(Account.username)
    )
    found: dict[int, list[Account]] = {}
    for team_id, account in rows:
        found.setdefault(team_id, []).append(account)
    return found


def list_names_of(session: Session, username: str) -> list[str]:
    """Return the names of the teams of an account, in their order."""
    statement = (
        select(Team.name)
        .join(TeamMember, TeamMember.team_id == Team.id)
        .join(Account, Account.id == TeamMember.account_id)
        .where(func.lower(Account.username) == func.lower(username))
    )
    return list(session.scalars(statement.order_by(Team.name))) if can_hold(username) else []


def put_members(session: Session, team_id: int, account_ids: Collection[int]) -> None:
    """Let a team have these members and no others."""
    session.execute(delete(TeamMember).where(TeamMember.team_id == team_id))
    session.add_all(TeamMember(team_id=team_id, account_id=number) for number in sorted(set(account_ids)))
    session.flush()


def delete_team(session: Session, team: Team) -> None:
    """Delete a team and that accounts are in it."""
    session.execute(delete(TeamMember).where(TeamMember.team_id == team.id))
    session.delete(team)
    session.flush()


def count_tasks(session: Session) -> Mapping[str, int]:
    """Return how many tasks each team has, by its name."""
    rows = session.execute(
        select(Task.team, func.count()).where(Task.team != "", Task.deleted_at.is_(None)).group_by(Task.team)
    )
    return {str(name): int(count) for name, count in rows}


def list_tasks(session: Session, name: str) -> Sequence[Task]:
    """Return the tasks of a team that are not deleted, by id."""
    return session.scalars(select(Task).where(Task.team == name, Task.deleted_at.is_(None)).order_by(Task.id)).all()
