"""The forms of an account: logging in and choosing a password."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import EqualTo, InputRequired, Length

from watchbell.services.accounts import PASSWORD_MIN


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
