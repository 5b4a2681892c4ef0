"""The page that gives a template to one device to see what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from watchbell.errors import InputError, NotFound
from watchbell.services import device_choice, fleet_jobs
from watchbell.services.fleet_orders import Order
from watchbell.store.job_library import JobTemplate
from watchbell.web import current, once, order_reading
from watchbell.web import presenters_fleet_library as presenters
from watchbell.web.db import database
from watchbell.web.forms.execute_form import ExecuteForm, form_with
from watchbell.web.i18n import _

ACT, FIND = "act", "find"
_OPTIONS: dict[str, Sequence[tuple[str, str]]] = {
    "template_id": (), "rollback_template_id": (), "group": (), "match_group": (),
}  # fmt: skip


def form(template: JobTemplate) -> str:
    """Return the form: which device, and with which values."""
    return _page(_form(template, data={"timeout": "10m"}), template, request.args.get("device", "").lower())


def act(template: JobTemplate) -> Response | tuple[str, int] | str:
    """Search devices, or give the template to the one that is chosen."""
    typed = _form(template)
    chosen = request.form.get("device", "").lower()
    if request.form.get(ACT) == FIND:
        return _page(typed, template, chosen)
    try:
        return redirect(once.lead(lambda: _order(typed, template, chosen)), 303)
    except (InputError, NotFound) as error:
        order_reading.tell(typed, error)
        return _page(typed, template, chosen), 422


def _form(template: JobTemplate, **how: object) -> ExecuteForm:
    return form_with(order_reading.names_in([template.document]), _OPTIONS, **how)


def _order(typed: ExecuteForm, template: JobTemplate, chosen: str) -> str:
    if not chosen:
        raise InputError.of("device_q", _("choose a device"))
    order = Order(
        name=_("Test of %(name)s", name=template.name)[:255],
        target_type="device",
        template_id=template.id,
        target_devices=(chosen,),
        variables=typed.values(),
        timeout_seconds=order_reading.seconds_of(typed.timeout.data, "timeout"),
    )
    made = fleet_jobs.execute(database(), order, now=current.now(), actor=current.actor())
    return url_for("fleet_executions.detail", job_id=made.execution.job_id)


def _page(typed: ExecuteForm, template: JobTemplate, chosen: str) -> str:
    return render_template(
        "fleet/templates/test.html",
        section="fleet",
        form=typed,
        template=template,
        chosen=device_choice.find(database(), [chosen] if chosen else [], now=current.now()),
        found=device_choice.search(database(), typed.device_q.data or "", now=current.now()),
        variables=presenters.variables_of([template.document]),
        key=once.new_key(),
    )
