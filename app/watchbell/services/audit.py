"""The audit: what somebody did that matters for who may do what, or for what is run."""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from watchbell.domain import audit_chain
from watchbell.domain.audit_chain import Link, Verdict
from watchbell.errors import Unavailable
from watchbell.store import audit as store
from watchbell.store.audit import AuditEntry
from watchbell.store.session import Database, Session

log = logging.getLogger(__name__)

#: The longest text of a detail; a command of any length stands in the revision of its task.
_LONGEST = 500
_COLUMNS = ("at", "actor", "way", "address", "request_id", "action", "subject", "name", "detail")


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """Where something comes from: page, api, shell or scheduler, and what is known of it."""

    way: str = ""
    address: str = ""
    request_id: str = ""


_NOWHERE = Origin()
_origin: contextvars.ContextVar[Origin] = contextvars.ContextVar("watchbell_origin", default=_NOWHERE)


def come_from(origin: Origin) -> None:
    """Say where whatever this thread does from now on comes from."""
    _origin.set(origin)


@contextlib.contextmanager
def coming_from(origin: Origin) -> Iterator[None]:
    """Say where whatever is done in this block comes from."""
    token = _origin.set(origin)
    try:
        yield
    finally:
        _origin.reset(token)


def note(
    session: Session,
    action: str,
    subject: str,
    *,
    now: datetime,
    actor: str,
    name: str = "",
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write down what somebody does, in the transaction in which it is done: both are durable, or neither.

    ``action`` is a kind and a deed, as "task.delete"; ``subject`` a kind and a number or name, as "task:12".
    """
    head = store.read_head(session, lock=True)
    number, previous = head or (0, audit_chain.FIRST)
    origin = _origin.get()
    row: dict[str, Any] = {
        "at": now,
        "actor": actor,
        "way": origin.way,
        "address": origin.address,
        "request_id": origin.request_id,
        "action": action,
        "subject": subject,
        "name": name,
        "detail": _bounded(detail or {}),
    }
    digest = audit_chain.digest(previous, _content(row))
    store.add(session, {**row, "id": number + 1, "previous": previous, "digest": digest}, is_first=head is None)


def note_alone(
    db: Database, action: str, subject: str, *, now: datetime, actor: str, name: str = "", **detail: Any
) -> None:
    """Write down what changes nothing in the database, such as a login that was refused; a database that is busy loses it to the log."""
    try:
        with db.write() as session:
            note(session, action, subject, now=now, actor=actor, name=name, detail=detail)
    except Unavailable as error:
        log.warning("Not in the audit, since %s: %s %s by %r", error.message, action, subject, actor)


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return what differs between two things, by field: what it was and what it is."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {name: [before.get(name), after.get(name)] for name in names}


def list_page(db: Database, *, limit: int, **filters: Any) -> Sequence[AuditEntry]:
    """Return a page of entries, newest first; filters are those of ``store.audit.list_before``."""
    with db.read() as session:
        return store.list_before(session, limit=limit, **filters)


def verify(db: Database, *, anchor: str = "") -> Verdict:
    """Look at every entry, from the first to the newest."""
    with db.read() as session:
        verdict = audit_chain.verify(_links(session), anchor=anchor)
        head = store.read_head(session)
    if verdict.broken_at or head is None or head[1] == verdict.newest:
        return verdict
    return dataclasses.replace(
        verdict, broken_at=head[0], reason="the newest entries are missing: the database remembers more of them"
    )


def anchor_of(db: Database) -> tuple[int, str]:
    """Return number and digest of the newest entry, to be kept elsewhere; 0 and the beginning of all without one."""
    with db.read() as session:
        return store.read_head(session) or (0, audit_chain.FIRST)


def _links(session: Session) -> Iterator[Link]:
    for rows in store.walk(session):
        for row in rows:
            yield Link(row.id, row.previous, row.digest, _content({name: getattr(row, name) for name in _COLUMNS}))


def _content(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "at": row["at"].astimezone(UTC).isoformat(timespec="microseconds")}


def _bounded(value: Any) -> Any:
    """Return a value that JSON keeps as it is and that is not long."""
    if isinstance(value, Mapping):
        return {str(key): _bounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_bounded(one) for one in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value).encode("utf-8", "replace").decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"
