"""What an order to devices says, whether it makes sense by itself, and the documents that it leads to."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from watchbell.domain import job_document, maintenance, rollout
from watchbell.domain.fleet_targets import TARGET_TYPES
from watchbell.domain.job_document.reading import EXECUTION_TYPES
from watchbell.errors import InputError, Problem
from watchbell.services import job_library
from watchbell.store import job_library as library_store
from watchbell.store import secrets as secret_store
from watchbell.store.session import Database, Session

NAME_LIMIT = 255
MOST_PRIORITY = 100


#: What the schedule of an order may say as well, and which only that of a document means.
_UNREAD = frozenset({"type", "intervalMinutes", "cronExpression", "startTime", "endTime"})


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """What is to be done, and on which devices."""

    name: str
    target_type: str
    document: Mapping[str, Any] | None = None
    template_id: int | None = None
    target_devices: Sequence[str] = ()
    target_filter: Mapping[str, Any] | None = None
    variables: Mapping[str, str] = dataclasses.field(default_factory=dict)
    execution_type: str = "oneTime"
    #: As it was given: ``scheduled_at``, or when devices are to do it by themselves.
    schedule: Mapping[str, Any] | None = None
    max_executions: int | None = None
    timeout_seconds: int = job_document.DEFAULT_TIMEOUT_SECONDS
    priority: int = 0
    created_by: str = ""
    #: The schedule that gives the order, if one does.
    schedule_id: int | None = None
    #: The rules by which it goes through the fleet in waves; None for all devices at once.
    rollout: Mapping[str, Any] | None = None
    #: What undoes it, as a document or as a template, with the same variables.
    rollback_document: Mapping[str, Any] | None = None
    rollback_template_id: int | None = None
    #: The name of the order that this one undoes.
    rollback_of: str | None = None


def check(order: Order) -> dict[str, Any] | None:
    """Raise InputError for what is wrong with an order by itself, and return its schedule as it is kept."""
    if not (0 < len(order.name.strip()) <= NAME_LIMIT and order.name.isprintable()):
        raise InputError.of("job_name", f"must be 1 to {NAME_LIMIT} printable characters long", "Health Check")
    if order.target_type not in TARGET_TYPES:
        raise InputError.of("target_type", f"must be one of {', '.join(TARGET_TYPES)}", "device")
    if order.execution_type not in {*EXECUTION_TYPES, "scheduled"}:
        raise InputError.of("execution_type", f"must be one of {', '.join(EXECUTION_TYPES)}", "oneTime")
    if not -MOST_PRIORITY <= order.priority <= MOST_PRIORITY:
        raise InputError.of("priority", f"must be from {-MOST_PRIORITY} to {MOST_PRIORITY}", "10")
    return read_schedule(order.schedule)


def unread_in(order: Order) -> list[str]:
    """Return the fields of an order that are taken and that nothing acts on: it is given once, and a schedule gives it again."""
    return [
        *(["max_executions"] if order.max_executions is not None else []),
        *(["execution_type"] if order.execution_type == "recurring" else []),
        *(f"schedule.{name}" for name in sorted(_UNREAD & set(order.schedule or {}))),
    ]


def read_schedule(schedule: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the schedule of an order as it is kept; raises InputError."""
    if not schedule:
        return None
    unknown = sorted(set(schedule) - {"scheduled_at", "local_time", "window"} - _UNREAD)
    if unknown:
        raise InputError.of(f"schedule.{unknown[0][:50]}", "is not a field here")
    kept = dict(schedule)
    if "scheduled_at" in kept:
        kept["scheduled_at"] = _moment(kept["scheduled_at"]).isoformat()
    if "local_time" in kept:
        kept["local_time"] = maintenance.read_local(kept["local_time"]).isoformat()
    if "window" in kept:
        maintenance.read_window(kept["window"])
    return kept


def _moment(text: object) -> datetime:
    example = "2026-11-29T12:00:00Z"
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        if moment is not None and moment.tzinfo is not None:
            # At the ends of time there is no such moment in UTC.
            moment.astimezone(UTC)
    except (ValueError, OverflowError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InputError.of("schedule.scheduled_at", "must be a time with its offset", example)
    return moment


def sizes_of(order: Order, total: int) -> list[int]:
    """Return how many devices are in each wave of an order to so many; raises InputError."""
    return rollout.wave_sizes(total, rollout.read(order.rollout)) if order.rollout is not None else [total]


def final_documents(session: Session, order: Order) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the document of an order with all values in place, and that of what undoes it.

    A value may be one's or the other's. Raises InputError and TemplateNotFound.
    """
    document, undo = order.document, order.rollback_document
    if document is None and order.template_id is not None:
        document = _template_document(session, order.template_id, "template_id")
    if document is None:
        raise InputError.of("job_document", "or template_id is required")
    if undo is None and order.rollback_template_id is not None:
        undo = _template_document(session, order.rollback_template_id, "rollback_template_id")
    names = job_document.names_in(undo) if undo is not None else frozenset()
    own = {
        name: value
        for name, value in order.variables.items()
        if name not in names or name in job_document.names_in(document)
    }
    theirs = {name: value for name, value in order.variables.items() if name in names}
    filled, undoing = _fill(document, own), _fill(undo, theirs) if undo is not None else None
    for place, one in (("job_document", filled), ("rollback_document", undoing)):
        # What undoes an order is given as it was kept, whatever has become of what it names: devices say so.
        if order.rollback_of is None:
            _require_handlers(session, one, place)
            _require_secrets(session, one, place)
    return filled, undoing


def _require_handlers(session: Session, document: Mapping[str, Any] | None, place: str) -> None:
    """Raise InputError for handlers that a document names and no device could fetch."""
    names = job_document.read(document, is_filled=True).handlers if document is not None else frozenset()
    known = {one.name for one in library_store.list_handlers(session, names)} if names else set()
    if names - known:
        raise InputError(
            *(Problem(place, f"names the handler {name!r}, which is not here") for name in sorted(names - known))
        )


def _require_secrets(session: Session, document: Mapping[str, Any] | None, place: str) -> None:
    """Raise InputError for secrets that a document names and that are not there to be given."""
    names = job_document.read(document, is_filled=True).secrets if document is not None else ()
    missing = sorted(set(names) - set(secret_store.list_names(session))) if names else ()
    if missing:
        raise InputError(*(Problem(place, f"names the secret {name!r}, which is not here") for name in missing))


def documents_of(db: Database, order: Order) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return what ``final_documents`` returns at this moment."""
    with db.read() as session:
        return final_documents(session, order)


def document_of(db: Database, template_id: int, variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the document of a template with all values in place; raises InputError and TemplateNotFound."""
    with db.read() as session:
        return _fill(_template_document(session, template_id, "template_id"), variables)


def _template_document(session: Session, template_id: int, place: str) -> Mapping[str, Any]:
    template = job_library.require_template(session, template_id)
    if not template.is_active:
        raise InputError.of(place, f"the template {template.name!r} is not in use any more")
    document: Mapping[str, Any] = template.document
    return document


def _fill(document: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    named = job_document.read(document).secrets
    filled = job_document.fill_in(document, values)
    if job_document.read(filled, is_filled=True).secrets != named:
        # Whoever may only execute a template does not choose what its devices are given.
        raise InputError.of("variables", "must not name a secret; the environment of a step does, in the document")
    return filled
