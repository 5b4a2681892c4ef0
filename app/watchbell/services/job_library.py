"""Templates of job documents, and the handlers that devices keep: making, changing and finding them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from watchbell.domain import job_document
from watchbell.errors import Conflict, InputError, NotFound, Problem, VersionConflict
from watchbell.services import audit
from watchbell.store import job_library as store
from watchbell.store.job_library import JobHandler, JobTemplate
from watchbell.store.session import Database, Session

NAME_LIMIT = 255
DESCRIPTION_LIMIT = 2000
SCRIPT_LIMIT = 256 * 1024
SCRIPT_TYPES = ("bash", "python", "node")
MOST_ARGS = 100
_CATEGORY = re.compile(r"[a-z][a-z0-9_-]{0,99}")
_HANDLER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class TemplateNotFound(NotFound):
    """Job template not found."""


def list_templates(
    db: Database, *, category: str | None = None, is_active: bool | None = None
) -> Sequence[JobTemplate]:
    """Return templates by category and name."""
    with db.read() as session:
        return store.list_templates(session, category=category, is_active=is_active)


def get_template(db: Database, template_id: int) -> JobTemplate:
    """Return a template; raises TemplateNotFound."""
    with db.read() as session:
        return require_template(session, template_id)


def require_template(session: Session, template_id: int) -> JobTemplate:
    """Return a template; raises TemplateNotFound."""
    found = store.find_template(session, template_id)
    if found is None:
        raise TemplateNotFound
    return found


def create_template(db: Database, fields: Mapping[str, Any], *, now: datetime, actor: str) -> JobTemplate:
    """Make a template; raises InputError, and Conflict for a name that is taken."""
    values = {"category": "custom", "description": None, **fields}
    check_template(values)
    with db.write() as session:
        _refuse_taken(session, values["name"])
        made = JobTemplate(
            name=values["name"],
            description=values["description"],
            category=values["category"],
            document=values["document"],
            is_active=values.get("is_active", True),
            created_by=values.get("created_by") or actor,
            created_at=now,
            updated_at=now,
        )
        session.add(made)
        session.flush()
        note(session, "job_template.create", made, now=now, actor=actor)
        return made


def update_template(
    db: Database,
    template_id: int,
    fields: Mapping[str, Any],
    *,
    now: datetime,
    actor: str,
    seen_at: datetime | None = None,
) -> JobTemplate:
    """Change what is given of a template and return it; what was executed stays as it was.

    Raises TemplateNotFound, InputError, also if nothing is given, Conflict for a name that is taken, and VersionConflict if
    it was changed after ``seen_at``.
    """
    check_template(fields)
    with db.write() as session:
        found = require_template(session, template_id)
        if seen_at is not None and found.updated_at != seen_at:
            raise VersionConflict("somebody else has changed this template meanwhile")
        if not fields:
            raise InputError(Problem("", "No fields to update"))
        if fields.get("name", found.name) != found.name:
            _refuse_taken(session, fields["name"])
        for name, value in fields.items():
            setattr(found, name, value)
        found.updated_at = now
        note(session, "job_template.change", found, now=now, actor=actor, changed=sorted(fields))
        return found


def delete_template(db: Database, template_id: int, *, now: datetime, actor: str) -> None:
    """Delete a template; what was executed stays. Raises TemplateNotFound."""
    with db.write() as session:
        found = require_template(session, template_id)
        note(session, "job_template.delete", found, now=now, actor=actor)
        session.delete(found)


def is_of_the_beginning(one: JobTemplate | JobHandler) -> bool:
    """Return whether the fleet began with this: what people and programs make has somebody who made it."""
    return not one.created_by


def list_handlers(db: Database) -> Sequence[JobHandler]:
    """Return the handlers that are in use, by name."""
    with db.read() as session:
        return store.list_handlers(session)


def find_handlers(db: Database, names: Collection[str]) -> Sequence[JobHandler]:
    """Return those of some handlers that are there and in use, by name."""
    with db.read() as session:
        return store.list_handlers(session, names) if names else ()


def create_handler(db: Database, fields: Mapping[str, Any], *, now: datetime, actor: str) -> JobHandler:
    """Make a handler; raises InputError, and Conflict for a name that is taken."""
    values = {"description": None, "script_type": "bash", "default_args": [], **fields}
    check_handler(values)
    with db.write() as session:
        if store.find_handler(session, values["name"]) is not None:
            raise Conflict("A handler with this name already exists")
        made = JobHandler(
            name=values["name"],
            description=values["description"],
            script_type=values["script_type"],
            script_content=values["script_content"],
            sha256=hashlib.sha256(values["script_content"].encode()).hexdigest(),
            default_args=list(values["default_args"]),
            created_by=values.get("created_by") or actor,
            created_at=now,
            updated_at=now,
        )
        session.add(made)
        session.flush()
        store.add_version(session, made, number=1, at=now, by=actor)
        note(session, "job_handler.create", made, now=now, actor=actor, sha256=made.sha256)
        return made


def note(
    session: Session, action: str, made: JobTemplate | JobHandler, *, now: datetime, actor: str, **said: Any
) -> None:
    """Write down in the audit what was done to a template or handler."""
    subject = f"{action.partition('.')[0]}:{made.id}"
    audit.note(session, action, subject, now=now, actor=actor, name=made.name, detail=said)


def _refuse_taken(session: Session, name: str) -> None:
    if store.find_template_by_name(session, name) is not None:
        raise Conflict("A template with this name already exists")


def check_template(fields: Mapping[str, Any]) -> None:
    """Raise InputError for what is wrong with the given fields of a template."""
    problems = _problems_of_texts(fields)
    if "category" in fields and _CATEGORY.fullmatch(fields["category"]) is None:
        problems.append(Problem("category", "must be a word in small letters", "maintenance"))
    if "document" in fields:
        try:
            job_document.read(fields["document"])
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(*problems)


def check_handler(fields: Mapping[str, Any]) -> None:
    """Raise InputError for what is wrong with a handler, all of whose fields are given."""
    problems = _problems_of_texts({"description": fields["description"]})
    if _HANDLER.fullmatch(fields["name"]) is None:
        problems.append(Problem("name", "must be letters, digits, dots, - and _, as in the name of a file", "backup"))
    if fields["script_type"] not in SCRIPT_TYPES:
        problems.append(Problem("script_type", f"must be one of {', '.join(SCRIPT_TYPES)}", "bash"))
    if not 0 < len(fields["script_content"].encode()) <= SCRIPT_LIMIT:
        problems.append(Problem("script_content", f"must be 1 byte to {SCRIPT_LIMIT // 1024} KiB long"))
    if "\0" in fields["script_content"]:
        problems.append(Problem("script_content", "must not hold NUL"))
    if len(fields["default_args"]) > MOST_ARGS:
        problems.append(Problem("default_args", f"must be at most {MOST_ARGS}"))
    if problems:
        raise InputError(*problems)


def _problems_of_texts(fields: Mapping[str, Any]) -> list[Problem]:
    problems = []
    if "name" in fields and not (0 < len(fields["name"].strip()) <= NAME_LIMIT and fields["name"].isprintable()):
        problems.append(Problem("name", f"must be 1 to {NAME_LIMIT} printable characters long", "health-check"))
    if len(fields.get("description") or "") > DESCRIPTION_LIMIT:
        problems.append(Problem("description", f"must be at most {DESCRIPTION_LIMIT} characters long"))
    return problems
