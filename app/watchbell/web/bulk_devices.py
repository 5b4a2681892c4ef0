"""What the form below the list of devices does with the devices that were ticked, or with all that match."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from watchbell.domain.fleet_targets import read_tag
from watchbell.domain.permissions import Right
from watchbell.errors import InputError, NotAllowed
from watchbell.services import bulk_parts, device_bulk, device_groups, device_lists
from watchbell.services.bulk_parts import Part
from watchbell.services.device_bulk import DeviceAction, DeviceOrder
from watchbell.services.device_lists import DeviceFilter
from watchbell.web import bulk_forms, current, device_list, list_look, progress
from watchbell.web.bulk_forms import Asked, Chosen, Undo
from watchbell.web.db import database
from watchbell.web.i18n import _, ngettext
from watchbell.web.progress import Work

#: What leads to the form that gives them an order, and how many an address has room for.
EXECUTE = "execute"
_MOST_EXECUTED = 150
_OPPOSITES = {
    DeviceAction.ACTIVATE: DeviceAction.DEACTIVATE,
    DeviceAction.DEACTIVATE: DeviceAction.ACTIVATE,
    DeviceAction.GROUP: DeviceAction.UNGROUP,
    DeviceAction.UNGROUP: DeviceAction.GROUP,
}
_OF_GROUPS = frozenset({DeviceAction.GROUP, DeviceAction.UNGROUP})
_OF_TAGS = frozenset({DeviceAction.TAG, DeviceAction.UNTAG})


def answer() -> Response | str:
    """Do what was asked for, or ask before it is done."""
    chosen = bulk_forms.read([*(action.value for action in DeviceAction), EXECUTE], url_for("fleet_devices.index"))
    if chosen.action == EXECUTE:
        return _to_order(chosen)
    if Right.EDIT not in current.user().rights:
        raise NotAllowed(_("to %(action)s needs the right to edit", action=chosen.action))
    action = DeviceAction(chosen.action)
    names = device_lists.list_names(database(), _filter(chosen), bulk_parts.MOST + 1, now=current.now())
    bulk_forms.require_few(len(names))
    title, verb, text = _question(action, len(names))
    if not chosen.is_sure or not _is_said(action, chosen):
        return bulk_forms.question(chosen, "fleet_devices.bulk", names, title, verb, text, asked=_asked(action))
    order = _order(action, chosen)
    work = functools.partial(
        device_bulk.change_devices, database(), order, names, now=current.now(), actor=current.actor()
    )
    return _do(work, len(names), verb, chosen.back, _undo(order))


def _filter(chosen: Chosen) -> DeviceFilter:
    if chosen.ids is not None:
        return DeviceFilter(ids=chosen.ids)
    look = list_look.read(device_list.SHAPE, {}, {})
    return device_list.as_filter(device_list.from_page(chosen.filters, look))


def _to_order(chosen: Chosen) -> Response:
    """Lead to the form that gives an order, whose address names the devices, or the group if a group is what was chosen."""
    found = _filter(chosen)
    if found == DeviceFilter(group=found.group) and found.group:
        return redirect(url_for("fleet_execute.index", group=found.group), 303)
    uuids = device_lists.list_uuids(database(), found, _MOST_EXECUTED + 1, now=current.now())
    if len(uuids) > _MOST_EXECUTED:
        told = _("chooses more than %(most)s devices; put them into a group and execute on that", most=_MOST_EXECUTED)
        raise InputError.of("all", told)
    return redirect(url_for("fleet_execute.index", device=list(uuids)), 303)


def _group() -> str:
    # What takes a change back names its group in the address.
    return str(request.values.get("group", "")).strip()


def _is_said(action: DeviceAction, chosen: Chosen) -> bool:
    if action in _OF_GROUPS:
        return bool(_group())
    return bool(chosen.tags) if action in _OF_TAGS else True


def _order(action: DeviceAction, chosen: Chosen) -> DeviceOrder:
    order = DeviceOrder(action)
    if action in _OF_GROUPS:
        return dataclasses.replace(order, group_id=device_groups.require_named(database(), _group()).id)
    if action is DeviceAction.TAG:
        return dataclasses.replace(order, tags=dict(read_tag(text) for text in chosen.tags))
    return dataclasses.replace(order, keys=[text.partition("=")[0] for text in chosen.tags])


def _asked(action: DeviceAction) -> Asked | None:
    """Return the field that the question has."""
    if action in _OF_GROUPS:
        groups = device_lists.list_marks(database()).groups
        told = "" if groups else _("There is no group yet; make one first.")
        return Asked("group", _("Group"), _group(), told, choices=groups)
    if action is DeviceAction.TAG:
        told = _("Several with commas between them. One of the same key is replaced.")
        return Asked("tags", _("Tags"), request.form.get("tags", ""), told, "site=north, floor=2")
    if action is DeviceAction.UNTAG:
        return Asked(
            "tags",
            _("Keys of the tags"),
            request.form.get("tags", ""),
            _("Several with commas between them."),
            "site, floor",
        )
    return None


def _undo(order: DeviceOrder) -> Undo | None:
    opposite = _OPPOSITES.get(order.action)
    if opposite is None:
        return None
    group = _group() if order.group_id is not None else None
    return Undo(url_for("fleet_devices.bulk", group=group), opposite.value)


def _do(work: Callable[..., list[Part]], number: int, title: str, back: str, undo: Undo | None) -> Response:
    """Do it and say what has become of each, on a page of its own if that takes a while."""
    if number <= progress.FEW:
        return bulk_forms.result(back, work(), words=_outcomes(), undo=undo)
    return progress.page(
        Work(
            title=title,
            total=number,
            do=lambda tell: work(tell=tell),
            end=lambda done: bulk_forms.ending(back, done, words=_outcomes(), undo=undo),
            back=back,
            back_label=_("Devices"),
            section="fleet",
        )
    )


def _question(action: DeviceAction, number: int) -> tuple[str, str, str]:
    """Return the question, what its button says, and what comes of it."""
    some = ngettext("%(num)s device", "%(num)s devices", number)
    match action:
        case DeviceAction.ACTIVATE:
            told = _("They may ask for jobs, and orders that take in devices which join reach them.")
            return _("Activate %(devices)s?", devices=some), _("Activate"), told
        case DeviceAction.DEACTIVATE:
            told = _("They may ask for nothing any more, and no order means them; what they have done stays.")
            return _("Deactivate %(devices)s?", devices=some), _("Deactivate"), told
        case DeviceAction.GROUP:
            return _("Put %(devices)s into a group", devices=some), _("Put into the group"), ""
        case DeviceAction.UNGROUP:
            return _("Take %(devices)s out of a group", devices=some), _("Take out of the group"), ""
        case DeviceAction.TAG:
            return _("Tag %(devices)s", devices=some), _("Add tags"), ""
        case DeviceAction.UNTAG:
            return _("Take tags from %(devices)s", devices=some), _("Take tags away"), ""
        case DeviceAction.DELETE:
            told = _(
                "Each goes with its key and with all that is known of its jobs; orders go on without it. This cannot be undone. "
                "To keep what they have done, deactivate them."
            )
            return _("Delete %(devices)s?", devices=some), _("Delete"), told


def _outcomes() -> dict[str, str]:
    return {
        "activated": _("activated"),
        "deactivated": _("deactivated"),
        "grouped": _("put into the group"),
        "ungrouped": _("taken out of the group"),
        "tagged": _("tagged"),
        "untagged": _("untagged"),
        "deleted": _("deleted"),
    }
