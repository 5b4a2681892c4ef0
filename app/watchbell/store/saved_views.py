"""Saved views of lists, and every query about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import UniqueConstraint, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base, can_hold


class SavedView(Base):
    """Filters, order and columns of a list, under the name that somebody gave them."""

    __tablename__ = "saved_view"
    __table_args__ = (UniqueConstraint("owner", "page", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    #: Name of the account that has saved it, and that alone may change it.
    owner: Mapped[str]
    #: Which list it is of: tasks, runs, next_runs or audit.
    page: Mapped[str]
    name: Mapped[str]
    #: What stands behind the question mark of its address.
    query: Mapped[str]
    #: Whether its owner meets it first.
    is_default: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]


def find_view(session: Session, view_id: int) -> SavedView | None:
    """Return a view, whoever has saved it, or None."""
    return session.get(SavedView, view_id) if can_hold(view_id) else None


def find_view_by_name(session: Session, owner: str, page: str, name: str) -> SavedView | None:
    """Return somebody's view of a list by its name, or None."""
    statement = select(SavedView).where(SavedView.owner == owner, SavedView.page == page, SavedView.name == name)
    return session.scalars(statement).one_or_none() if can_hold(name) else None


def find_default(session: Session, owner: str, page: str) -> SavedView | None:
    """Return the view of a list that somebody meets first, or None."""
    statement = select(SavedView).where(SavedView.owner == owner, SavedView.page == page, SavedView.is_default)
    return session.scalars(statement.order_by(SavedView.id).limit(1)).one_or_none()


def list_views(session: Session, owner: str, page: str | None = None) -> Sequence[SavedView]:
    """Return somebody's views, of one list or of all, by list and name."""
    statement = select(SavedView).where(SavedView.owner == owner)
    if page is not None:
        statement = statement.where(SavedView.page == page)
    return session.scalars(statement.order_by(SavedView.page, func.lower(SavedView.name), SavedView.id)).all()


def count_views(session: Session, owner: str) -> int:
    """Return how many views somebody has."""
    return int(session.scalar(select(func.count()).where(SavedView.owner == owner)) or 0)


def forget_default(session: Session, owner: str, page: str) -> None:
    """Let none of somebody's views of a list be the first one."""
    statement = update(SavedView).where(SavedView.owner == owner, SavedView.page == page, SavedView.is_default)
    session.execute(statement.values(is_default=False))
