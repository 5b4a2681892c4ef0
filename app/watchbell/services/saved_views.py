"""Saved views of lists: keeping what a list was asked for under a name, so that it can be opened and passed on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from watchbell.domain.shown_text import is_visible
from watchbell.errors import Conflict, InputError, NotFound
from watchbell.store import saved_views as store
from watchbell.store.saved_views import SavedView
from watchbell.store.session import Database, Session

#: The lists that have views.
PAGES = ("tasks", "runs", "next_runs", "audit", "fleet_devices")
NAME_LIMIT = 60
QUERY_LIMIT = 2000
#: So many views may one account have; their names have to fit into a menu.
MOST_VIEWS = 100


def save(
    db: Database, *, owner: str, page: str, name: str, query: str, is_default: bool = False, now: datetime
) -> SavedView:
    """Keep a view and return it; one of the same name is replaced. Raises InputError, and Conflict for too many."""
    if page not in PAGES:
        raise InputError.of("page", f"must be one of {', '.join(PAGES)}", "runs")
    name = _name(name)
    if len(query) > QUERY_LIMIT or not query.isprintable():
        raise InputError.of("query", f"must be at most {QUERY_LIMIT} printable characters long")
    with db.write() as session:
        found = store.find_view_by_name(session, owner, page, name)
        if found is None:
            if store.count_views(session, owner) >= MOST_VIEWS:
                raise Conflict(f"{MOST_VIEWS} views are saved already; delete one first")
            found = SavedView(owner=owner, page=page, name=name, query=query, is_default=False, created_at=now)
            session.add(found)
        found.query = query
        if is_default:
            store.forget_default(session, owner, page)
            found.is_default = True
        session.flush()
        return found


def get(db: Database, view_id: int) -> SavedView:
    """Return a view, whoever has saved it: a link to it can be passed on. Raises NotFound."""
    with db.read() as session:
        found = store.find_view(session, view_id)
        if found is None:
            raise NotFound(f"there is no saved view {view_id}")
        return found


def list_all(db: Database, owner: str, page: str | None = None) -> Sequence[SavedView]:
    """Return somebody's views, of one list or of all, by list and name."""
    with db.read() as session:
        return store.list_views(session, owner, page)


def find_default(db: Database, owner: str, page: str) -> SavedView | None:
    """Return the view of a list that somebody meets first, or None."""
    with db.read() as session:
        return store.find_default(session, owner, page)


def rename(db: Database, view_id: int, name: str, *, owner: str) -> SavedView:
    """Give a view of one's own another name and return it; raises NotFound, InputError and Conflict for a name that is taken."""
    name = _name(name)
    with db.write() as session:
        found = _require_own(session, view_id, owner)
        there = store.find_view_by_name(session, owner, found.page, name)
        if there is not None and there.id != view_id:
            raise Conflict(f"another view of this list is called {name!r} already")
        found.name = name
        return found


def set_default(db: Database, view_id: int, is_default: bool, *, owner: str) -> SavedView:
    """Make a view of one's own the one that one meets first, or not any more, and return it; raises NotFound."""
    with db.write() as session:
        found = _require_own(session, view_id, owner)
        store.forget_default(session, owner, found.page)
        session.flush()
        found.is_default = is_default
        return found


def delete(db: Database, view_id: int, *, owner: str) -> SavedView:
    """Delete a view of one's own and return what it was; raises NotFound."""
    with db.write() as session:
        found = _require_own(session, view_id, owner)
        session.delete(found)
        return found


def _require_own(session: Session, view_id: int, owner: str) -> SavedView:
    found = store.find_view(session, view_id)
    if found is None or found.owner != owner:
        raise NotFound(f"there is no saved view {view_id} of yours")
    return found


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not (0 < len(name) <= NAME_LIMIT and is_visible(name)):
        raise InputError.of("name", f"must be 1 to {NAME_LIMIT} printable characters long", "Failed this week")
    return name
