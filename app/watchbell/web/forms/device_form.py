"""The forms of a device and of a group of devices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flask_wtf import FlaskForm
from wtforms import SelectMultipleField, StringField, TextAreaField

from watchbell.domain.fleet_targets import read_tag
from watchbell.domain.schedule.zones import valid_zones
from watchbell.errors import Conflict, InputError, Problem
from watchbell.services.device_groups import DESCRIPTION_LIMIT, MOST_NAMED
from watchbell.services.device_lists import DeviceLine
from watchbell.services.devices import NAME_LIMIT
from watchbell.web.forms.token_form import ProofForm
from watchbell.web.i18n import _, lazy
from watchbell.web.told import sentence

PLAIN = {"autocomplete": "off", "spellcheck": "false"}


class ProblemForm(FlaskForm):  # type: ignore[misc]
    """A form that shows what is wrong at its fields."""

    #: At this field stands what is wrong with nothing that the form has.
    first = "name"

    def show(self, error: InputError | Conflict) -> None:
        """Put what is wrong on its fields; what is in the way of all of it stands at the first."""
        problems = error.problems if isinstance(error, InputError) else [Problem(self.first, error.message)]
        self.show_problems(problems)

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Put each problem on its field."""
        for problem in problems:
            name = problem.field.partition(".")[0]
            field = next((one for one in (name, f"{name}s") if one in self._fields), self.first)
            example = _(" For example: %(example)s", example=problem.example) if problem.example else ""
            text = f"{sentence(problem.message)}{example}"
            self[field].errors = [*self[field].errors, text]


def tags_field() -> TextAreaField:
    """Return the field of tags."""
    return TextAreaField(lazy("Tags"), description=lazy("One a line, as key=value."), render_kw={"rows": 4, **PLAIN})


def typed_tags(typed: str) -> dict[str, str]:
    """Return the tags that were typed; raises InputError for one that is none, and for a key that is there twice."""
    found: dict[str, str] = {}
    for text in filter(None, map(str.strip, typed.splitlines())):
        key, value = read_tag(text)
        if key in found:
            raise InputError.of("tags", _("%(key)s is there twice; a key has one value", key=key))
        found[key] = value
    return found


class DeviceForm(ProblemForm, ProofForm):
    """What people say of a device; what it tells of itself is not theirs to say."""

    name = StringField(lazy("Name"), render_kw={"maxlength": NAME_LIMIT, "required": True, **PLAIN})
    type = StringField(
        lazy("Type"),
        default="gateway",
        description=lazy("Documents and filters can ask for it."),
        render_kw={"maxlength": NAME_LIMIT, "required": True, "list": "types", **PLAIN},
    )
    zone = StringField(
        lazy("Time zone"),
        description=lazy("Windows and start times are by its clock. Empty is UTC, until it tells one itself."),
        render_kw={"maxlength": NAME_LIMIT, "list": "zones", **PLAIN},
    )
    ip_address = StringField(lazy("IP address"), render_kw={"maxlength": 60, **PLAIN})
    mac_address = StringField(lazy("MAC address"), render_kw={"maxlength": 60, **PLAIN})
    tags = tags_field()
    groups = SelectMultipleField(lazy("Groups"), validate_choice=False)

    def offer(self, groups: Sequence[str]) -> None:
        """Offer these groups."""
        self.groups.choices = [(name, name) for name in groups]

    def fill(self, line: DeviceLine) -> None:
        """Fill in what is said of a device."""
        for name in ("name", "type", "zone", "ip_address", "mac_address"):
            self[name].data = getattr(line.device, name)
        self.tags.data = "\n".join(f"{key}={value}" for key, value in line.tags.items())
        self.groups.data = list(line.groups)

    def fields(self) -> dict[str, str]:
        """Return what was typed of the device itself; raises InputError for a zone that is none."""
        found = {name: self[name].data or "" for name in ("name", "type", "zone", "ip_address", "mac_address")}
        zone = found["zone"].strip()
        if zone and zone not in valid_zones():
            raise InputError.of("zone", _("is no time zone"), "Europe/Berlin")
        return found

    def chosen_groups(self) -> Sequence[str]:
        """Return the names of the groups that were ticked."""
        return self.groups.data or []


class GroupForm(ProblemForm):
    """What a group is called."""

    name = StringField(lazy("Name"), render_kw={"maxlength": NAME_LIMIT, "required": True, **PLAIN})
    description = StringField(lazy("Description"), render_kw={"maxlength": DESCRIPTION_LIMIT, "autocomplete": "off"})


class MembersForm(ProblemForm):
    """Devices that are to belong to a group."""

    first = "devices"
    devices = TextAreaField(
        lazy("Devices"),
        description=lazy("Names or UUIDs, one a line."),
        render_kw={"rows": 4, "maxlength": MOST_NAMED * 260, "required": True, **PLAIN},
    )
