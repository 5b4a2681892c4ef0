"""Handlers as people keep them and devices fetch them: changing one, what it said before, who names it, and deleting it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from watchbell.domain import job_document
from watchbell.errors import Conflict, InputError, NotFound, VersionConflict
from watchbell.services import carried, devices, job_library
from watchbell.store import fleet_jobs as fleet_store
from watchbell.store import fleet_schedules as schedule_store
from watchbell.store import job_library as store
from watchbell.store import library_uses
from watchbell.store.fleet_jobs import Execution
from watchbell.store.fleet_schedules import FleetSchedule
from watchbell.store.job_library import JobHandler, JobHandlerVersion, JobTemplate
from watchbell.store.session import Database, Session

#: What of a handler has versions; its description has none.
_VERSIONED = ("script_type", "script_content", "default_args")


class HandlerNotFound(NotFound):
    """Handler not found."""


class HandlerInUse(Conflict):
    """Something names the handler."""


@dataclasses.dataclass(frozen=True, slots=True)
class Uses:
    """What names a handler."""

    templates: Sequence[JobTemplate]
    schedules: Sequence[FleetSchedule]
    #: Orders that have not ended.
    executions: Sequence[Execution]

    def __bool__(self) -> bool:
        return bool(self.templates or self.schedules or self.executions)

    def __len__(self) -> int:
        return len(self.templates) + len(self.schedules) + len(self.executions)


@dataclasses.dataclass(frozen=True, slots=True)
class HandlerView:
    """A handler as a list shows it."""

    handler: JobHandler
    #: The number of its newest version.
    version: int
    #: The names of the templates that name it.
    templates: Sequence[str]


def list_views(db: Database) -> list[HandlerView]:
    """Return the handlers that are in use, by name."""
    with db.read() as session:
        named = _templates_by_handler(session)
        numbers = store.last_version_numbers(session)
        return [
            HandlerView(one, numbers.get(one.id, 1), [template.name for template in named.get(one.name, ())])
            for one in store.list_handlers(session)
        ]


def get(db: Database, handler_id: int) -> JobHandler:
    """Return a handler; raises HandlerNotFound."""
    with db.read() as session:
        return _require(session, handler_id)


def versions(db: Database, handler_id: int) -> Sequence[JobHandlerVersion]:
    """Return all that a handler has said, newest first; raises HandlerNotFound."""
    with db.read() as session:
        return store.list_versions(session, _require(session, handler_id).id)


def uses(db: Database, handler_id: int) -> Uses:
    """Return what names a handler; raises HandlerNotFound."""
    with db.read() as session:
        return _uses(session, _require(session, handler_id).name)


def update(
    db: Database,
    handler_id: int,
    fields: Mapping[str, Any],
    *,
    now: datetime,
    actor: str,
    seen_version: int | None = None,
) -> JobHandler:
    """Change what is given of a handler and return it; another script is another version.

    A device that has been told the digest of the version before still gets that one. Raises HandlerNotFound, InputError,
    also for another name, since steps name it, and VersionConflict if there is a version behind ``seen_version``.
    """
    with db.write() as session:
        handler = _require(session, handler_id)
        if fields.get("name", handler.name) != handler.name:
            raise InputError.of("name", "cannot be changed, since steps name it; copy the handler")
        values = {field: getattr(handler, field) for field in ("name", "description", *_VERSIONED)} | dict(fields)
        job_library.check_handler(values)
        newest = _newest(session, handler)
        if seen_version is not None and newest != seen_version:
            raise VersionConflict("somebody else has changed this handler meanwhile")
        before = [getattr(handler, field) for field in _VERSIONED]
        handler.description = values["description"]
        _put(handler, values)
        handler.updated_at = now
        is_new = before != [getattr(handler, field) for field in _VERSIONED]
        if is_new:
            store.add_version(session, handler, number=newest + 1, at=now, by=actor)
            carried.note_handler(session, handler.name, now=now)
        said = {"sha256": handler.sha256, "version": newest + is_new}
        job_library.note(session, "job_handler.change", handler, now=now, actor=actor, **said)
        return handler


def restore(db: Database, handler_id: int, number: int, *, now: datetime, actor: str) -> JobHandler:
    """Let a handler say again what it said in a version, which is a version of its own, and return it.

    Raises HandlerNotFound, NotFound for a version that is not there, and Conflict if it says the same now.
    """
    with db.write() as session:
        handler = _require(session, handler_id)
        version = store.find_version(session, handler.id, number)
        if version is None:
            raise NotFound(f"handler {handler.name} has no version {number}")
        if all(getattr(handler, field) == getattr(version, field) for field in _VERSIONED):
            raise Conflict(f"handler {handler.name} says the same as version {number} already")
        newest = _newest(session, handler)
        _put(handler, {field: getattr(version, field) for field in _VERSIONED})
        handler.updated_at = now
        store.add_version(session, handler, number=newest + 1, at=now, by=actor, restores=number)
        carried.note_handler(session, handler.name, now=now)
        said = {"sha256": handler.sha256, "version": newest + 1, "restores": number}
        job_library.note(session, "job_handler.restore", handler, now=now, actor=actor, **said)
        return handler


def delete(db: Database, handler_id: int, *, now: datetime, actor: str) -> None:
    """Delete a handler with its versions; raises HandlerNotFound, and HandlerInUse while anything names it."""
    with db.write() as session:
        handler = _require(session, handler_id)
        found = _uses(session, handler.name)
        if found:
            raise HandlerInUse(f"{len(found)} templates, schedules or jobs that have not ended name the handler")
        job_library.note(session, "job_handler.delete", handler, now=now, actor=actor, sha256=handler.sha256)
        session.delete(handler)


def _put(handler: JobHandler, values: Mapping[str, Any]) -> None:
    handler.script_type = values["script_type"]
    handler.script_content = values["script_content"]
    handler.default_args = list(values["default_args"])
    handler.sha256 = hashlib.sha256(handler.script_content.encode()).hexdigest()


def _require(session: Session, handler_id: int) -> JobHandler:
    found = store.get_handler(session, handler_id)
    if found is None:
        raise HandlerNotFound
    return found


def _newest(session: Session, handler: JobHandler) -> int:
    found = store.list_versions(session, handler.id)
    return found[0].number if found else 0


def _templates_by_handler(session: Session) -> dict[str, list[JobTemplate]]:
    named: dict[str, list[JobTemplate]] = {}
    for template in store.list_templates(session, category=None, is_active=None):
        for name in _named_in(template.document):
            named.setdefault(name, []).append(template)
    return named


def _uses(session: Session, name: str) -> Uses:
    return Uses(
        _templates_by_handler(session).get(name, ()),
        [one for one in schedule_store.list_schedules(session) if name in _named_in(one.document)],
        [
            one
            for one in library_uses.list_unfinished(session)
            if name in _named_in(one.document) or name in _named_in(one.rollback_document)
        ],
    )


def _named_in(document: Mapping[str, Any] | None) -> frozenset[str]:
    if document is None:
        return frozenset()
    try:
        return job_document.read(document).handlers
    except InputError:
        # An older version took what this one does not; it is not executed any more either.
        return frozenset()


def handler_for(db: Database, uuid: str, name: str, sha256: str | None = None, *, now: datetime) -> JobHandler:
    """Return a handler to a device that has a job, or carries a schedule, which names it; raises NotFound for any reason.

    With the digest that the device was told it is the version of that digest, also if the handler was changed meanwhile.
    """
    with db.read() as session:
        device = devices.require(session, uuid)
        held = fleet_store.list_held(session, device.id)
        is_named = any(name in job_document.read(one.document, is_filled=True).handlers for _part, one in held)
        if is_named or carried.names_handler(session, device, name, now):
            found = store.list_handlers(session, [name])
            if found:
                return _with_digest(session, found[0], sha256)
    raise NotFound("Handler not found")


def _with_digest(session: Session, handler: JobHandler, sha256: str | None) -> JobHandler:
    if sha256 is None or sha256 == handler.sha256:
        return handler
    version = store.find_version_by_digest(session, handler.id, sha256)
    if version is None:
        raise NotFound("Handler not found")
    return store.as_in(handler, version)
