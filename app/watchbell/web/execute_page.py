"""The pages that give an order to devices: its form, the look at what it would be, and giving it once."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from watchbell.domain import job_document, json_text
from watchbell.errors import InputError, NotFound
from watchbell.services import device_choice, devices, fleet_jobs, fleet_orders, job_library
from watchbell.services.device_choice import MOST_CHOSEN, Found
from watchbell.services.devices import DeviceView
from watchbell.services.fleet_jobs import NoDevices, Previewed
from watchbell.services.fleet_orders import Order
from watchbell.web import current, once, order_filling, order_reading
from watchbell.web import presenters_fleet_library as presenters
from watchbell.web.db import database
from watchbell.web.forms.execute_form import ExecuteForm, form_with
from watchbell.web.i18n import _, grouped

ACT = "act"
PREVIEW, GIVE, FIND, ALL, NONE = "preview", "give", "find", "all", "none"
#: Devices that the look at an order lists.
LISTED = 200
_CONFIRMED = "confirmed"
_LOOKED_AT = "looked_at"
#: What the question adds to the form.
_OF_THE_QUESTION = frozenset({"csrf_token", ACT, once.FIELD, _CONFIRMED, _LOOKED_AT})


class OtherNumber(Exception):
    """An order would go to another number of devices than was confirmed."""


class OtherOrder(Exception):
    """An order would not be what was looked at: a template or a group was changed meanwhile."""


@dataclasses.dataclass(frozen=True, slots=True)
class Picked:
    """The devices that are chosen, and those that a search has found."""

    chosen: Sequence[DeviceView]
    #: Chosen, but there is no such device any more.
    gone: Sequence[str]
    found: Found

    @property
    def uuids(self) -> list[str]:
        """Return who is chosen."""
        return [one.device.uuid for one in self.chosen] + list(self.gone)

    @property
    def others(self) -> list[DeviceView]:
        """Return those that were found and are not chosen."""
        chosen = set(self.uuids)
        return [one for one in self.found.devices if one.device.uuid not in chosen]


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """What an order would be."""

    order: Order
    document: Mapping[str, Any]
    devices: Sequence[Previewed]
    waves: Sequence[int]
    #: What undoes it.
    undo: Mapping[str, Any] | None = None

    @property
    def mark(self) -> str:
        """A mark of all that is given: the documents, and the devices in their waves."""
        given = [self.document, self.undo, [one.uuid for one in self.devices], list(self.waves)]
        return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()

    @property
    def unread(self) -> list[str]:
        """Return the fields of the document that say nothing here."""
        return job_document.unread_in(self.document)

    @property
    def rejecting(self) -> list[Previewed]:
        """Return the devices that would reject it."""
        return [one for one in self.devices if one.unmet is not None]

    @property
    def listed(self) -> list[Previewed]:
        """Return the devices that are listed, those first that would reject it."""
        return sorted(self.devices, key=lambda one: (one.unmet is None, one.name.lower()))[:LISTED]

    @property
    def wave_of(self) -> dict[str, int]:
        """Return the wave of each device by its uuid: they go in the order in which they were made."""
        numbers = [number for number, size in enumerate(self.waves, start=1) for _ in range(size)]
        return {one.uuid: number for one, number in zip(self.devices, numbers, strict=True)}

    @property
    def is_open(self) -> bool:
        """Return whether it goes on to devices that join later."""
        return self.order.execution_type == "continuous" and self.order.target_type != "device"


def show() -> str:
    """Return the form, filled in as the address says."""
    filling = order_filling.read(request.args)
    return _page(_form(filling.data), _picked(filling.devices, ""), notes=filling.notes)


def act() -> Response | tuple[str, int] | str:
    """Do what the pressed button says: search, choose, look at the order, or give it."""
    word = request.form.get(ACT, PREVIEW)
    form = _form(None)
    picked = _picked(_chosen(word), form.device_q.data or "")
    if word == GIVE:
        return _give(form, picked)
    return _confirm(form, picked) if word == PREVIEW else _page(form, picked)


def _chosen(word: str) -> list[str]:
    chosen = [] if word == NONE else list(dict.fromkeys(uuid.lower() for uuid in request.form.getlist("device")))
    if word == ALL:
        found = device_choice.search(database(), request.form.get("device_q", ""), now=current.now(), limit=MOST_CHOSEN)
        chosen = list(dict.fromkeys([*chosen, *(one.device.uuid for one in found.devices)]))
    return chosen[:MOST_CHOSEN]


def _picked(uuids: Sequence[str], text: str) -> Picked:
    chosen = device_choice.find(database(), uuids, now=current.now())
    there = {one.device.uuid for one in chosen}
    found = device_choice.search(database(), text, now=current.now())
    return Picked(chosen, [uuid for uuid in uuids if uuid not in there], found)


def _form(data: Mapping[str, Any] | None) -> ExecuteForm:
    documents = order_reading.documents_of(request.form if data is None else data)
    templates = [
        (str(one.id), f"{one.category}: {one.name}") for one in job_library.list_templates(database(), is_active=True)
    ]
    groups = [(one.name, f"{one.name} ({grouped(count)})") for one, count in devices.list_groups(database())]
    options = {
        "template_id": [("", _("choose one")), *templates],
        "rollback_template_id": [("", _("choose one")), *templates],
        "group": [("", _("choose one")), *groups],
        "match_group": [("", _("any")), *groups],
    }
    return form_with(order_reading.names_in(documents), options, **({} if data is None else {"data": data}))


def _page(form: ExecuteForm, picked: Picked, *, notes: Sequence[str] = ()) -> str:
    documents = order_reading.documents_of(form.data)
    return render_template(
        "fleet/execute/form.html",
        section="fleet",
        form=form,
        picked=picked,
        most=MOST_CHOSEN,
        variables=presenters.variables_of(documents),
        may_write=order_reading.may_write(),
        notes=notes,
    )


def _look(form: ExecuteForm, uuids: Sequence[str]) -> Look:
    """Return what an order would be; raises InputError and NotFound."""
    order = order_reading.order_of(form, uuids, total=1)
    document, found = fleet_jobs.preview(database(), order, now=current.now())
    order = order_reading.order_of(form, uuids, total=len(found))
    _same, undo = fleet_orders.documents_of(database(), order)
    look = Look(order, document, found, fleet_orders.sizes_of(order, len(found)), undo)
    if not found and not look.is_open:
        raise NoDevices
    return look


def _confirm(
    form: ExecuteForm, picked: Picked, *, was: int | None = None, is_other: bool = False
) -> str | tuple[str, int]:
    """Return the question with the number of devices; ``was`` is the number that was confirmed and is not right any more.

    ``is_other`` says that what was looked at is not what would be given any more.
    """
    try:
        look = _look(form, picked.uuids)
    except (InputError, NotFound) as error:
        order_reading.tell(form, error)
        return _page(form, picked), 422
    kept = [(name, value) for name, value in request.form.items(multi=True) if name not in _OF_THE_QUESTION]
    return render_template(
        "fleet/execute/confirm.html",
        section="fleet",
        form=form,
        look=look,
        reading=presenters.reading_of_final(look.document),
        text=json_text.write(look.document),
        kept=kept,
        key=once.new_key(),
        was=was,
        is_other=is_other,
    )


def _give(form: ExecuteForm, picked: Picked) -> Response | str | tuple[str, int]:
    confirmed = request.form.get(_CONFIRMED, "")
    number = int(confirmed) if confirmed.isascii() and confirmed.isdigit() and len(confirmed) < 9 else None
    if number is None:
        return _confirm(form, picked)
    try:
        return redirect(once.lead(lambda: _order(form, picked.uuids, number)), 303)
    except OtherNumber:
        return _confirm(form, picked, was=number)
    except OtherOrder:
        return _confirm(form, picked, is_other=True)
    except (InputError, NotFound) as error:
        order_reading.tell(form, error)
        return _page(form, picked), 422


def _order(form: ExecuteForm, uuids: Sequence[str], number: int) -> str:
    """Give the order and return the address of its page; raises OtherNumber and OtherOrder."""
    look = _look(form, uuids)
    if len(look.devices) != number:
        raise OtherNumber
    if request.form.get(_LOOKED_AT) != look.mark:
        raise OtherOrder
    made = fleet_jobs.execute(database(), look.order, now=current.now(), actor=current.actor())
    return url_for("fleet_executions.detail", job_id=made.execution.job_id)
