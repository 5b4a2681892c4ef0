"""The audit: who did what, from where; rows are only ever added."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import DDL, JSON, Index, and_, event, func, insert, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base, can_hold, pattern

_LOT = 1000
_NEVER = {
    "sqlite": (
        (
            "CREATE TRIGGER audit_entry_no_update BEFORE UPDATE ON audit_entry "
            "BEGIN SELECT RAISE(ABORT, 'the audit is only ever added to'); END"
        ),
        (
            "CREATE TRIGGER audit_entry_no_delete BEFORE DELETE ON audit_entry "
            "BEGIN SELECT RAISE(ABORT, 'the audit is only ever added to'); END"
        ),
    ),
    "postgresql": (
        (
            "CREATE FUNCTION audit_entry_never() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN RAISE EXCEPTION ''the audit is only ever added to''; END'"
        ),
        (
            "CREATE TRIGGER audit_entry_never BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_never()"
        ),
    ),
}


class AuditEntry(Base):
    """One thing that somebody did, or tried to do."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_actor", "actor", "id"),
        Index("ix_audit_entry_action", "action", "id"),
        Index("ix_audit_entry_subject", "subject", "id"),
        Index("ix_audit_entry_at", "at"),
    )

    #: Without gaps: a missing number is a row that somebody has removed.
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str]
    #: Where it came from: the page, a program, the shell, the scheduler itself.
    way: Mapped[str]
    address: Mapped[str]
    request_id: Mapped[str]
    action: Mapped[str]
    #: What it was done to, as "task:12"; and the name that this had then.
    subject: Mapped[str]
    name: Mapped[str]
    #: What changed: field -> [before, after], or what else there is to know.
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    previous: Mapped[str]
    digest: Mapped[str]


class AuditHead(Base):
    """The newest entry, in one row: whoever adds one locks it, so that no two follow the same."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[int]
    digest: Mapped[str]


_ENTRY: Any = AuditEntry.__table__
for _dialect, _orders in _NEVER.items():
    for _order in _orders:
        _made = DDL(_order)  # type: ignore[no-untyped-call]
        event.listen(_ENTRY, "after_create", _made.execute_if(dialect=_dialect))
_HEAD: Any = AuditHead.__table__


def read_head(session: Session, *, lock: bool = False) -> tuple[int, str] | None:
    """Return number and digest of the newest entry, None without one; locked, it stays so until this transaction ends."""
    statement = select(_HEAD.c.entry_id, _HEAD.c.digest).where(_HEAD.c.id == 1)
    row = session.connection().execute(statement.with_for_update() if lock else statement).one_or_none()
    return (row[0], row[1]) if row else None


def add(session: Session, row: Mapping[str, Any], *, is_first: bool) -> None:
    """Append an entry and make it the newest one."""
    connection = session.connection()
    connection.execute(insert(_ENTRY), [row])
    head = {"entry_id": row["id"], "digest": row["digest"]}
    if is_first:
        connection.execute(insert(_HEAD).values(id=1, **head))
    else:
        connection.execute(update(_HEAD).where(_HEAD.c.id == 1).values(**head))


def list_before(
    session: Session,
    *,
    limit: int,
    before: int | None = None,
    after: int | None = None,
    actor: str = "",
    action: str = "",
    subject: str = "",
    search: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> Sequence[AuditEntry]:
    """Return entries, the newest first, from before an id on, or those next after an id; an action may be a beginning."""
    if not all(can_hold(text) for text in (actor, action, subject, search)):
        return []
    statement = select(AuditEntry).limit(limit)
    if before is not None:
        statement = statement.where(AuditEntry.id < before)
    if after is not None:
        statement = statement.where(AuditEntry.id > after)
    if actor:
        statement = statement.where(AuditEntry.actor == actor)
    if action:
        statement = statement.where(_of_kind(action))
    if subject:
        statement = statement.where(AuditEntry.subject == subject)
    if since is not None:
        statement = statement.where(AuditEntry.at >= since)
    if until is not None:
        statement = statement.where(AuditEntry.at < until)
    for word in search.split():
        like = pattern(word)
        columns = (AuditEntry.name, AuditEntry.actor, AuditEntry.action, AuditEntry.address)
        statement = statement.where(or_(*(column.ilike(like, escape="\\") for column in columns)))
    order = AuditEntry.id.asc() if after is not None else AuditEntry.id.desc()
    found = session.scalars(statement.order_by(order)).all()
    return found[::-1] if after is not None else found


def list_moments(session: Session, actor: str, action: str, *, since: datetime, limit: int) -> Sequence[datetime]:
    """Return when somebody did this since a moment, the newest first, up to so many."""
    chosen = select(AuditEntry.at).where(AuditEntry.at > since, AuditEntry.actor == actor)
    return session.scalars(chosen.where(AuditEntry.action == action).order_by(AuditEntry.id.desc()).limit(limit)).all()


def _of_kind(action: str) -> Any:
    """Return the condition for an action, or for all of a kind, which is the beginning with its dot."""
    if not action.endswith("."):
        return AuditEntry.action == action
    # The slash is the character after the dot, so that an index serves it.
    return and_(AuditEntry.action >= action, AuditEntry.action < f"{action[:-1]}/")


def walk(session: Session) -> Iterator[Sequence[Any]]:
    """Yield all entries in lots, the oldest first, as rows of the table."""
    last = 0
    # A number below the first is one that somebody has put there.
    statement = select(_ENTRY).order_by(_ENTRY.c.id).limit(_LOT)
    rows = session.connection().execute(statement).all()
    while rows:
        yield rows
        last = rows[-1].id
        rows = session.connection().execute(statement.where(_ENTRY.c.id > last)).all()


def count(session: Session) -> int:
    """Return how many entries there are."""
    return int(session.scalar(select(func.count()).select_from(_ENTRY)) or 0)
