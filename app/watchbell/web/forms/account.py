"""The forms of an account: logging in and choosing a password."""

from __future__ import annotations

from collections.abc import Iterable

from flask_wtf import FlaskForm
from wtforms import BooleanField, PasswordField, RadioField, StringField
from wtforms.validators import EqualTo, InputRequired, Length

from watchbell.domain.permissions import Role
from watchbell.errors import Problem
from watchbell.services.accounts import PASSWORD_MIN
from watchbell.web.forms.policy_fields import choices
from watchbell.web.forms.token_form import ProofForm


class LoginForm(FlaskForm):  # type: ignore[misc]
    """Name and password; the name is left out where there is one account only."""

    class Meta:
        # A program that posts only the password logs in, too; browsers are checked by the origin of the request.
        csrf = False

    username = StringField("Name", [Length(max=64)])
    password = PasswordField("Password", [InputRequired("Type the password.")])


class PasswordForm(FlaskForm):  # type: ignore[misc]
    """A new password, typed twice."""

    current = PasswordField("Present password", [InputRequired("Type the present password.")])
    password = PasswordField(
        "New password",
        [InputRequired("Choose a password.")],
        description=f"At least {PASSWORD_MIN} characters. A short sentence is easy to keep and hard to guess.",
    )
    repeat = PasswordField(
        "Once more", [InputRequired("Type the new password a second time."), EqualTo("password", "The two differ.")]
    )


class UserForm(ProofForm):
    """What an account is called and may do."""

    username = StringField(
        "Name",
        description="Letters, digits, dots, dashes, @ and underscores.",
        render_kw={"maxlength": 64, "required": True, "autocomplete": "off", "autocapitalize": "none"},
    )
    role = RadioField(
        "What it may do",
        choices=choices(
            [
                (Role.VIEWER.value, "viewer: sees everything but changes nothing"),
                (
                    Role.OPERATOR.value,
                    "operator: also runs, cancels, enables and pauses, and starts and stops the scheduler",
                ),
                (Role.EDITOR.value, "editor: also decides what is run; makes, edits and deletes tasks"),
                (Role.ADMIN.value, "admin: also manages accounts and reads the audit"),
            ]
        ),
        validate_choice=False,
    )
    is_active = BooleanField(
        "May log in", description="Without it sessions, links and tokens open nothing; nothing is deleted."
    )

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Put each problem on its field."""
        for problem in problems:
            field = self[problem.field if problem.field in self._fields else "role"]
            example = f" For example: {problem.example}" if problem.example else ""
            field.errors = [*field.errors, f"{problem.message[:1].upper()}{problem.message[1:]}.{example}"]
