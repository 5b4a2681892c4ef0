"""The pages of one handler: what it says, what it said, the difference between two versions, and its editor."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from flask import Response, render_template, request

from watchbell.domain import likeness
from watchbell.domain.likeness import Comparison
from watchbell.errors import NotFound
from watchbell.services import job_handlers, job_library
from watchbell.store.job_library import JobHandler, JobHandlerVersion
from watchbell.web import query
from watchbell.web.db import database
from watchbell.web.forms.job_handler_form import JobHandlerForm
from watchbell.web.i18n import _

_HIGHEST = 2**31 - 1


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """The version that is shown, and the one that it is laid against, if any is."""

    version: JobHandlerVersion
    other: JobHandlerVersion | None
    comparison: Comparison | None
    #: Whether the kind of script or its default arguments differ, too.
    changed: Sequence[tuple[str, str, str]] = ()


def show(handler: JobHandler) -> str:
    """Return the page of a handler, with the version that the address asks for."""
    versions = job_handlers.versions(database(), handler.id)
    return render_template(
        "fleet/handlers/detail.html",
        section="fleet",
        handler=handler,
        versions=versions,
        shown=_shown(versions),
        uses=job_handlers.uses(database(), handler.id),
        is_ready_made=job_library.is_of_the_beginning(handler),
    )


def _shown(versions: Sequence[JobHandlerVersion]) -> Shown:
    number = query.whole(request.args, "version", versions[0].number, 1, _HIGHEST)
    version = _find(versions, number)
    if not request.args.get("against"):
        return Shown(version, None, None)
    other = _find(versions, query.whole(request.args, "against", None, 1, _HIGHEST))
    told = [
        (_("Kind of script"), other.script_type, version.script_type),
        (_("Default arguments"), " ".join(map(str, other.default_args)), " ".join(map(str, version.default_args))),
    ]
    compared = likeness.compare(other.script_content.split("\n"), version.script_content.split("\n"), is_exact=True)
    return Shown(version, other, compared, [one for one in told if one[1] != one[2]])


def _find(versions: Sequence[JobHandlerVersion], number: int) -> JobHandlerVersion:
    found = next((one for one in versions if one.number == number), None)
    if found is None:
        raise NotFound(_("there is no version %(number)s of this handler", number=number))
    return found


def download(handler_id: int, number: int) -> Response:
    """Return the script of a version as a file."""
    handler = job_handlers.get(database(), handler_id)
    version = _find(job_handlers.versions(database(), handler_id), number)
    response = Response(version.script_content.encode(), mimetype="application/octet-stream")
    response.headers["Content-Disposition"] = f"attachment; filename={handler.name}"
    return response


def form(form: JobHandlerForm, handler: JobHandler | None, *, is_conflict: bool = False) -> str:
    """Return the editor of a handler."""
    uses = job_handlers.uses(database(), handler.id) if handler is not None else None
    return render_template(
        "fleet/handlers/form.html", section="fleet", form=form, handler=handler, is_conflict=is_conflict, uses=uses
    )
