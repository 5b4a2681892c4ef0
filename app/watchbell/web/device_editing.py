"""The form of a device on its page: making one, changing one, and the page that shows a key once."""

from __future__ import annotations

from flask import render_template, request

from watchbell.domain.schedule.zones import valid_zones
from watchbell.errors import InputError, Problem
from watchbell.services import device_groups, device_lists, devices
from watchbell.services.device_lists import DeviceLine
from watchbell.web import current
from watchbell.web.db import database
from watchbell.web.forms.device_form import DeviceForm, typed_tags
from watchbell.web.forms.token_form import ProofForm
from watchbell.web.proving import asking


def page(form: DeviceForm, line: DeviceLine | None = None) -> str:
    """Return the page with the form, of a device or of a new one, which asks who makes it: its key outlives the session."""
    asking(form)
    if line is not None:
        # Nothing that outlives the session is made by changing one.
        del form.current
        form.again_at, form.needs_link = "", False
    marks = device_lists.list_marks(database())
    # A group that it is in is offered, however many others there are: whoever saves the form does not take it out.
    form.offer(sorted({*marks.groups, *(line.groups if line else ())}))
    return render_template(
        "fleet/devices/form.html", form=form, line=line, types=marks.types, zones=sorted(valid_zones())
    )


def create(form: DeviceForm) -> tuple[DeviceLine, str]:
    """Make the device of a form and return it with the secret of its key; all of it or nothing. Raises InputError."""
    db, now, actor = database(), current.now(), current.actor()
    fields, tags = _read(form)
    with db.write() as session:
        within = db.within(session)
        made, secret = devices.add(within, fields, now=now, actor=actor)
        uuid = made.device.uuid
        if tags:
            devices.set_tags(within, uuid, tags, now=now, actor=actor)
        device_groups.set_of(within, uuid, form.chosen_groups(), now=now, actor=actor)
        return device_lists.line_of(within, uuid, now=now), secret


def update(form: DeviceForm, line: DeviceLine) -> DeviceLine:
    """Change a device to what its form says and return it; all of it or nothing. Raises InputError and NotFound."""
    db, now, actor = database(), current.now(), current.actor()
    fields, tags = _read(form)
    uuid = line.device.uuid
    changed = {name: value for name, value in fields.items() if value.strip() != getattr(line.device, name)}
    with db.write() as session:
        within = db.within(session)
        if changed:
            devices.update(within, uuid, changed, now=now, actor=actor)
        if tags != dict(line.tags):
            devices.set_tags(within, uuid, tags, now=now, actor=actor)
        device_groups.set_of(within, uuid, form.chosen_groups(), now=now, actor=actor)
        return device_lists.line_of(within, uuid, now=now)


def key_page(line: DeviceLine, secret: str) -> str:
    """Return the page that shows the key of a device, this once, with how it is used."""
    url = f"{request.url_root}api/v1"
    return render_template("fleet/devices/key.html", line=line, secret=secret, url=url)


def rotate_page(form: ProofForm, line: DeviceLine) -> str:
    """Return the page that asks who gives a device another key."""
    return render_template("fleet/devices/rotate.html", form=asking(form), line=line)


def _read(form: DeviceForm) -> tuple[dict[str, str], dict[str, str]]:
    """Return the fields and the tags of a form; raises InputError with all that is wrong with both."""
    problems: list[Problem] = []
    fields, tags = {}, {}
    try:
        fields = form.fields()
        devices.check(fields)
    except InputError as error:
        problems += error.problems
    try:
        tags = typed_tags(form.tags.data or "")
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(*problems)
    return fields, tags
