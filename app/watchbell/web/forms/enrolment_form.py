"""The form of an enrolment code: what the device gets with which it joins, and for how long it can be used."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from wtforms import BooleanField, SelectField, StringField

from watchbell.errors import InputError
from watchbell.services.devices import NAME_LIMIT
from watchbell.web.forms.device_form import PLAIN, ProblemForm, tags_field, typed_tags
from watchbell.web.forms.policy_fields import choices
from watchbell.web.forms.token_form import ProofForm
from watchbell.web.i18n import _, lazy

#: Choice -> how long, and its words.
LIFETIMES: dict[str, tuple[timedelta, Any]] = {
    "15m": (timedelta(minutes=15), lazy("15 minutes")),
    "1h": (timedelta(hours=1), lazy("an hour")),
    "1d": (timedelta(days=1), lazy("a day")),
    "7d": (timedelta(days=7), lazy("7 days")),
}


class EnrolmentForm(ProblemForm, ProofForm):
    """What a device that joins by a code gets."""

    name = StringField(
        lazy("Name"),
        description=lazy("Empty is what the device calls itself."),
        render_kw={"maxlength": NAME_LIMIT, **PLAIN},
    )
    group = StringField(lazy("Group"), render_kw={"maxlength": NAME_LIMIT, "list": "groups", **PLAIN})
    tags = tags_field()
    expires = SelectField(
        lazy("Can be used for"),
        choices=choices((key, words) for key, (_lifetime, words) in LIFETIMES.items()),
        default="1h",
        validate_choice=False,
    )
    needs_approval = BooleanField(
        lazy("The device waits until somebody lets it take part"),
        description=lazy("For a code that goes through several hands."),
    )

    def lifetime(self) -> timedelta:
        """Return how long the code can be used; raises InputError."""
        chosen = self.expires.data or ""
        if chosen not in LIFETIMES:
            raise InputError.of("expires", _("must be one of %(choices)s", choices=", ".join(LIFETIMES)), "1h")
        return LIFETIMES[chosen][0]

    def given(self) -> dict[str, Any]:
        """Return what was typed, under the names of the service; raises InputError."""
        return {
            "name": self.name.data or "",
            "group": (self.group.data or "").strip(),
            "tags": typed_tags(self.tags.data or ""),
            "needs_approval": bool(self.needs_approval.data),
            "lifetime": self.lifetime(),
        }
