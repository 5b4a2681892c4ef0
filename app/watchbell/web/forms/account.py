"""The forms of an account: logging in and choosing a password."""

from __future__ import annotations

from collections.abc import Iterable

from flask_wtf import FlaskForm
from wtforms import BooleanField, PasswordField, RadioField, StringField
from wtforms.validators import EqualTo, InputRequired, Length

from watchbell.domain.permissions import Role
from watchbell.errors import Problem
from watchbell.services.passkeys import NAME_LIMIT
from watchbell.services.passwords import PASSWORD_MIN
from watchbell.web.forms.policy_fields import choices
from watchbell.web.forms.token_form import ProofForm
from watchbell.web.i18n import _, lazy
from watchbell.web.told import sentence


class LoginForm(FlaskForm):  # type: ignore[misc]
    """Name and password; the name is left out where there is one account only."""

    class Meta:
        # A program that posts only the password logs in, too; browsers are checked by the origin of the request.
        csrf = False

    username = StringField(lazy("Name"), [Length(max=64)])
    password = PasswordField(lazy("Password"), [InputRequired(lazy("Type the password."))])


class CodeForm(FlaskForm):  # type: ignore[misc]
    """A code of the app, or a recovery code."""

    code = StringField(
        lazy("Code"),
        [InputRequired(lazy("Type the code that the app shows, or a recovery code.")), Length(max=64)],
        render_kw={"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"},
    )


class RenewForm(FlaskForm):  # type: ignore[misc]
    """A code of the app, or a recovery code, in a second form of the same page."""

    code = StringField(
        lazy("Code"),
        [InputRequired(lazy("Type the code that the app shows, or a recovery code.")), Length(max=64)],
        id="renewing_code",
        render_kw={"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"},
    )


class FactorProofForm(ProofForm):
    """What somebody proves before their second factors change: the password, and a second factor if there is one."""

    code = StringField(
        lazy("Code"),
        [Length(max=64)],
        description=lazy("The one that the app shows now, or a recovery code."),
        id="proof_code",
        render_kw={"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"},
    )


class PasskeyForm(FactorProofForm):
    """What a new passkey is called."""

    name = StringField(
        lazy("Name"),
        [Length(max=NAME_LIMIT)],
        description=lazy("The device that keeps it, by which you will know it again."),
        render_kw={"maxlength": NAME_LIMIT, "required": True, "autocomplete": "off"},
    )


class PasswordForm(FlaskForm):  # type: ignore[misc]
    """A new password, typed twice."""

    current = PasswordField(lazy("Present password"), [InputRequired(lazy("Type the present password."))])
    password = PasswordField(
        lazy("New password"),
        [InputRequired(lazy("Choose a password."))],
        description=lazy(
            "At least %(number)s characters. A short sentence is easy to keep and hard to guess.", number=PASSWORD_MIN
        ),
    )
    repeat = PasswordField(
        lazy("Once more"),
        [InputRequired(lazy("Type the new password a second time.")), EqualTo("password", lazy("The two differ."))],
    )


class UserForm(ProofForm):
    """What an account is called and may do."""

    username = StringField(
        lazy("Name"),
        description=lazy("Letters, digits, dots, dashes, @ and underscores."),
        render_kw={"maxlength": 64, "required": True, "autocomplete": "off", "autocapitalize": "none"},
    )
    role = RadioField(
        lazy("What it may do"),
        choices=choices(
            [
                (Role.VIEWER.value, lazy("viewer: sees everything but changes nothing")),
                (
                    Role.OPERATOR.value,
                    lazy("operator: also runs, cancels, enables and pauses, and starts and stops the scheduler"),
                ),
                (Role.EDITOR.value, lazy("editor: also decides what is run; makes, edits and deletes tasks")),
                (Role.ADMIN.value, lazy("admin: also manages accounts and reads the audit")),
            ]
        ),
        validate_choice=False,
    )
    is_active = BooleanField(
        lazy("May log in"), description=lazy("Without it sessions, links and tokens open nothing; nothing is deleted.")
    )

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Put each problem on its field."""
        for problem in problems:
            field = self[problem.field if problem.field in self._fields else "role"]
            example = _(" For example: %(example)s", example=problem.example) if problem.example else ""
            field.errors = [*field.errors, f"{sentence(problem.message)}{example}"]
