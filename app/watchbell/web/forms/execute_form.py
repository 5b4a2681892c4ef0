"""The form of an order to devices: what they are to do, which ones, with which values, when, and in which waves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.widgets import CheckboxInput, ListWidget

from watchbell.domain.maintenance import DAYS
from watchbell.services.fleet_orders import NAME_LIMIT
from watchbell.web.forms.policy_fields import choices
from watchbell.web.i18n import lazy

_PLAIN = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
_NUMBER = {**_PLAIN, "inputmode": "numeric"}
#: The attributes by which devices are chosen here; their fields are called ``match_NAME``.
MATCHED = (
    ("device_type", lazy("Type")), ("device_name", lazy("Name")), ("zone", lazy("Time zone")),
    ("os_version", lazy("System")), ("agent_version", lazy("Agent")), ("ip_address", lazy("IP address")),
    ("mac_address", lazy("MAC address")), ("provisioning_state", lazy("Enrolment")),
)  # fmt: skip
DAY_WORDS = (lazy("Monday"), lazy("Tuesday"), lazy("Wednesday"), lazy("Thursday"), lazy("Friday"), lazy("Saturday"),
             lazy("Sunday"))  # fmt: skip
#: The name of the field of a variable begins so.
VALUE = "var_"


class _Boxes(SelectMultipleField):  # type: ignore[misc]
    """Several of a few, each with a box."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


def _select(label: Any, *pairs: tuple[str, Any], **more: Any) -> Any:
    return SelectField(label, choices=choices(pairs), validate_choice=False, **more)


def _radio(label: Any, *pairs: tuple[str, Any], default: str) -> Any:
    return RadioField(label, choices=choices(pairs), validate_choice=False, default=default)


def _text(label: Any, **more: Any) -> Any:
    return StringField(label, render_kw=_PLAIN, **more)


class ExecuteForm(FlaskForm):  # type: ignore[misc]
    """An order as people type it; ``form_with`` adds the fields of its variables."""

    name = StringField(
        lazy("Name of the job"), render_kw={"maxlength": NAME_LIMIT, "required": True, "autocomplete": "off"}
    )
    source = _radio(
        lazy("What is to be done"), ("template", lazy("a template")), ("own", lazy("a document of one's own")), default="template"
    )  # fmt: skip
    template_id = _select(lazy("Template"))
    document = TextAreaField(lazy("Document as JSON"), render_kw={**_PLAIN, "rows": 14, "wrap": "off"})

    target = _radio(
        lazy("Which devices"), ("device", lazy("chosen ones")), ("group", lazy("a group")),
        ("match", lazy("by tags and attributes")), ("all", lazy("all that are active")), default="device",
    )  # fmt: skip
    device_q = StringField(lazy("Search devices"), render_kw={**_PLAIN, "type": "search", "maxlength": 200})
    group = _select(lazy("Group"))
    match_tags = TextAreaField(lazy("Tags"), render_kw={**_PLAIN, "rows": 2})
    match_group = _select(lazy("In the group"))
    match_online = _select(
        lazy("Heard of"), ("", lazy("at any time")), ("yes", lazy("in the last two minutes")), ("no", lazy("not lately"))
    )  # fmt: skip

    timeout = _text(lazy("Time limit on each device"), default="1h")
    priority = StringField(lazy("Priority"), render_kw=_NUMBER, default="0")
    continuous = BooleanField(lazy("Also for devices that join later"))
    start = _radio(
        lazy("Begins"), ("now", lazy("as soon as a device asks")), ("at", lazy("not before a moment")),
        ("local", lazy("not before a time of each device's own clock")), default="now",
    )  # fmt: skip
    start_at = _text(lazy("Moment"))
    start_local = _text(lazy("Time of the device's clock"))
    window_start = _text(lazy("Opens at"))
    window_end = _text(lazy("Closes at"))
    window_days = _Boxes(lazy("On"), choices=choices(zip(DAYS, DAY_WORDS, strict=True)), validate_choice=False)

    rollout = _select(
        lazy("In waves"),
        ("", lazy("no: all devices at once")),
        ("careful", lazy("one device first, then 10 %, then all others")),
        ("tenths", lazy("in ten parts, one after the other")),
        ("doubling", lazy("one, then two, then four and so on")),
        ("own", lazy("with numbers of one's own")),
    )
    canary = StringField(lazy("Devices that go first"), render_kw=_NUMBER, default="1")
    wave = StringField(lazy("Devices in the next wave"), render_kw=_NUMBER, default="10")
    factor = StringField(lazy("Each wave is so many times the one before"), render_kw={**_PLAIN, "inputmode": "decimal"}, default="2")  # fmt: skip
    largest = StringField(lazy("No wave has more than"), render_kw=_NUMBER)
    interval = _text(lazy("At least so long between two waves"), default="0")
    success = StringField(lazy("The next wave goes when so many percent have succeeded"), render_kw={**_PLAIN, "inputmode": "decimal"}, default="100")  # fmt: skip
    ended = StringField(lazy("and so many percent of the last wave have ended"), render_kw={**_PLAIN, "inputmode": "decimal"}, default="100")  # fmt: skip
    abort_percent = StringField(
        lazy("Stop when so many percent have gone wrong"), render_kw={**_PLAIN, "inputmode": "decimal"}
    )
    abort_minimum = StringField(lazy("and at least so many devices have ended"), render_kw=_NUMBER, default="1")
    abort_on = _select(
        lazy("Gone wrong is"), ("ALL", lazy("anything but success")), ("FAILED", lazy("failed")),
        ("TIMED_OUT", lazy("timed out")), ("REJECTED", lazy("rejected")),
    )  # fmt: skip
    abort_action = _select(
        lazy("Stopping means"), ("PAUSE", lazy("pause and wait for a person")),
        ("CANCEL", lazy("take it back from all who have not begun, and undo it")),
    )  # fmt: skip

    rollback = _radio(
        lazy("What undoes it"), ("none", lazy("nothing")), ("template", lazy("a template")),
        ("own", lazy("a document of one's own")), default="none",
    )  # fmt: skip
    rollback_template_id = _select(lazy("Template that undoes it"))
    rollback_document = TextAreaField(lazy("Document that undoes it, as JSON"), render_kw={**_PLAIN, "rows": 8, "wrap": "off"})  # fmt: skip

    def values(self) -> dict[str, str]:
        """Return the values that were typed for variables, without empty ones."""
        return {
            name.removeprefix(VALUE): str(self[name].data or "")
            for name in self._fields
            if name.startswith(VALUE) and str(self[name].data or "").strip()
        }

    def wrong(self, field: str, text: str) -> None:
        """Say what is wrong with a field, once."""
        place = field if field in self._fields else "name"
        if text not in self[place].errors:
            self[place].errors = [*self[place].errors, text]

    @property
    def is_wrong(self) -> bool:
        """Return whether anything was found to be wrong."""
        return any(field.errors for field in self)

    def wrong_among(self, *names: str) -> bool:
        """Return whether anything is wrong with one of some fields."""
        return any(self[name].errors for name in names)


for _name, _label in MATCHED:
    setattr(ExecuteForm, f"match_{_name}", _text(_label))


def form_with(variables: Iterable[str], options: Mapping[str, Sequence[tuple[str, Any]]], **how: Any) -> ExecuteForm:
    """Return the form with a field for each variable, and with choices for the fields that ``options`` names."""
    fields = {f"{VALUE}{name}": _text(name) for name in variables}
    made: ExecuteForm = type("ExecuteForm", (ExecuteForm,), fields)(**how)
    for name, pairs in options.items():
        # What was chosen and is not there any more is shown all the same, and refused when it is looked at.
        chosen = str(made[name].data or "")
        gone = [(chosen, chosen)] if chosen and chosen not in {value for value, _label in pairs} else []
        made[name].choices = choices([*pairs, *gone])
    return made
