"""The page that makes or changes a template of jobs: its fields, its document in either view, and saving them."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from watchbell.errors import Conflict, InputError, VersionConflict
from watchbell.services import fleet_jobs, job_library
from watchbell.store.job_library import JobTemplate
from watchbell.web import current, document_editor, query
from watchbell.web import presenters_fleet_library as presenters
from watchbell.web.db import database
from watchbell.web.document_editor import ACT, JSON, STEPS, Editor
from watchbell.web.forms.job_template_form import JobTemplateForm, shown_data
from watchbell.web.i18n import _
from watchbell.web.told import sentence


def new() -> str:
    """Return the editor of a new template: empty, or with what another template, or an order, says."""
    copied = query.optional_id(request.args, "from")
    data: dict[str, object] = {}
    document = None
    if copied is not None:
        template = job_library.get_template(database(), copied)
        data = {**shown_data(template), "name": f"{template.name}-copy", "seen": "", "is_active": True}
        document = template.document
    elif request.args.get("execution"):
        order = fleet_jobs.get(database(), request.args["execution"])[0].execution
        data, document = {"name": order.name}, order.document
    return _page(JobTemplateForm(data=data), None, document_editor.begin(document, _view()))


def edit(template: JobTemplate) -> str:
    """Return the editor of a template."""
    return _page(
        JobTemplateForm(data=shown_data(template)), template, document_editor.begin(template.document, _view())
    )


def act(template: JobTemplate | None) -> Response | tuple[str, int] | str:
    """Do what the pressed button says: something with the document, or save it all."""
    form, editor = JobTemplateForm(), document_editor.from_form(request.form)
    word = request.form.get(ACT, "")
    if word:
        editor.act(word)
        return _page(form, template, editor)
    try:
        made = _save(form, editor, template)
    except VersionConflict:
        return _refused(form, template, editor), 412
    except InputError as error:
        editor.check()
        form.show_problems(document_editor.problems_of(error))
        return _page(form, template, editor), 422
    except Conflict as error:
        form.name.errors = [*form.name.errors, sentence(error.message)]
        return _page(form, template, editor), 409
    flash(_("The template %(name)s is saved.", name=made.name), "success")
    endpoint = "fleet_templates.test" if "try" in request.form else "fleet_templates.show"
    return redirect(url_for(endpoint, template_id=made.id), 303)


def checked() -> str:
    """Return the parts of the page that follow what is typed into the document."""
    editor = document_editor.from_form(request.form)
    return render_template("fleet/templates/checked.html", **_parts(editor))


def _save(form: JobTemplateForm, editor: Editor, template: JobTemplate | None) -> JobTemplate:
    document: dict[str, Any] | None = None
    wrong: list[InputError] = []
    try:
        document, _read = editor.read()
    except InputError as error:
        wrong.append(error)
    seen_at = form.seen_at()
    # The fields are checked with a document that is right, too, so that all that is wrong is told at once.
    fields = {**form.fields(), "document": document if document is not None else document_editor.EXAMPLE}
    try:
        job_library.check_template(fields)
    except InputError as error:
        wrong.append(error)
    if wrong:
        raise InputError.joined(wrong)
    now, actor = current.now(), current.actor()
    if template is None:
        return job_library.create_template(database(), fields, now=now, actor=actor)
    return job_library.update_template(database(), template.id, fields, now=now, actor=actor, seen_at=seen_at)


def _refused(form: JobTemplateForm, template: JobTemplate | None, editor: Editor) -> str:
    """Return the editor with what was typed, which from now on may replace what somebody else has saved meanwhile."""
    assert template is not None
    form.seen.data = template.updated_at.isoformat()
    return _page(form, template, editor, conflict=template)


def _view() -> str:
    return query.word(request.args, "view", (STEPS, JSON), STEPS)


def _page(
    form: JobTemplateForm, template: JobTemplate | None, editor: Editor, *, conflict: JobTemplate | None = None
) -> str:
    return render_template(
        "fleet/templates/form.html",
        section="fleet",
        form=form,
        template=template,
        conflict=conflict,
        categories=presenters.categories(job_library.list_templates(database())),
        handlers=[one.name for one in job_library.list_handlers(database())],
        focus=presenters.focus_of(request.form.get(ACT, ""), editor),
        **_parts(editor),
    )


def _parts(editor: Editor) -> dict[str, Any]:
    document = editor.check() if not editor.problems else None
    shown = editor.read()[0] if document is not None else None
    return {
        "editor": editor,
        "document": document,
        "reading": presenters.reading_of(shown, document) if document is not None and shown is not None else None,
    }
