"""The forms of a token: making one, and proving who one is before it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from flask_wtf import FlaskForm
from wtforms import PasswordField, RadioField, SelectField, StringField

from watchbell.domain.permissions import Scope
from watchbell.errors import InputError, Problem
from watchbell.services.tokens import DEFAULT_LIFETIME, NAME_LIMIT
from watchbell.web.forms.policy_fields import choices
from watchbell.web.i18n import _, lazy
from watchbell.web.told import sentence

#: What a token of each scope can do, for whoever chooses; a scope that opens nothing yet is no choice.
SCOPES: dict[Scope, Any] = {
    Scope.READ: lazy("read: sees everything but changes nothing"),
    Scope.RUN: lazy("run: also runs, cancels, enables, disables and pauses, and starts and stops the scheduler"),
    Scope.EDIT: lazy("edit: also decides what is run; it makes, edits and deletes tasks"),
    Scope.ADMIN: lazy("admin: all that the account may do, but for its own password and tokens"),
}
#: Choice -> how long, and its words.
LIFETIMES: dict[str, tuple[timedelta | None, Any]] = {
    "7d": (timedelta(days=7), lazy("7 days")),
    "30d": (timedelta(days=30), lazy("30 days")),
    "90d": (DEFAULT_LIFETIME, lazy("90 days")),
    "365d": (timedelta(days=365), lazy("a year")),
    "never": (None, lazy("never")),
}


class ProofForm(FlaskForm):  # type: ignore[misc]
    """The password once more, where the login is not of just now."""

    #: Where to log in once more, for whoever has no password and whose login is not of just now.
    again_at = ""
    #: Whether somebody has neither, so that only a new login link proves anything.
    needs_link = False
    current = PasswordField(lazy("Your password"), description=lazy("Your login is not of just now."))


class TokenForm(ProofForm):
    """What a token is called, what it is for and how long it lasts."""

    name = StringField(
        lazy("Name"),
        description=lazy("The program or the place that uses it, by which you will know it again."),
        render_kw={"maxlength": NAME_LIMIT, "required": True, "autocomplete": "off"},
    )
    scope = RadioField(lazy("What it may do"), default=Scope.READ.value, validate_choice=False)
    expires = SelectField(
        lazy("Expires after"),
        choices=choices((key, words) for key, (_lifetime, words) in LIFETIMES.items()),
        default="90d",
        validate_choice=False,
    )

    def offer(self, scopes: Sequence[Scope]) -> None:
        """Offer these scopes, as far as they open anything."""
        self.scope.choices = choices((scope.value, SCOPES[scope]) for scope in scopes if scope in SCOPES)

    def lifetime(self) -> timedelta | None:
        """Return the chosen lifetime, None for one without an end; raises InputError."""
        chosen = self.expires.data or ""
        if chosen not in LIFETIMES:
            raise InputError.of("expires", _("must be one of %(choices)s", choices=", ".join(LIFETIMES)), "90d")
        return LIFETIMES[chosen][0]

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Put each problem on its field."""
        for problem in problems:
            field = problem.field if problem.field in self._fields else "name"
            example = _(" For example: %(example)s", example=problem.example) if problem.example else ""
            text = f"{sentence(problem.message)}{example}"
            self[field].errors = [*self[field].errors, text]
