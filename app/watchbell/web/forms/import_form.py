"""The form that brings tasks from elsewhere: a text or a file, what kind it is, and what is done with all of them."""

from __future__ import annotations

from collections.abc import Iterable

from flask_wtf import FlaskForm
from wtforms import BooleanField, FileField, HiddenField, SelectField, StringField, TextAreaField

from watchbell.errors import InputError, Problem
from watchbell.services.imports import Form, Wish
from watchbell.web.forms.policy_fields import choices
from watchbell.web.i18n import _, lazy
from watchbell.web.told import sentence

#: What a request may hold at the most, less what stands around the text.
LONGEST_BYTES = 7_000_000


class ImportForm(FlaskForm):  # type: ignore[misc]
    """A crontab, or a document of tasks."""

    text = TextAreaField(lazy("Paste it here"), render_kw={"rows": 8, "spellcheck": "false", "autocapitalize": "none"})
    file = FileField(lazy("Or choose a file"))
    form = SelectField(
        lazy("What it is"),
        choices=choices(
            [
                (Form.AUTO.value, lazy("found out by itself")),
                (Form.CRONTAB.value, lazy("a crontab of a user")),
                (Form.SYSTEM.value, lazy("a crontab with a user before each command")),
                (Form.DOCUMENT.value, lazy("YAML or JSON, as exported here")),
            ]
        ),
        validate_choice=False,
    )
    disabled = BooleanField(lazy("Make them disabled"))
    tags = StringField(lazy("Tags for all of them"), render_kw={"autocomplete": "off"})
    #: What the list of offers was made of; what has changed since is looked at again before it is imported.
    seen = HiddenField()

    def wish(self) -> Wish:
        """Return what is asked for; a file comes before a pasted text, and takes its place. Raises InputError."""
        given = self.file.data
        if given and given.filename:
            self.text.data = _text_of(given.read(LONGEST_BYTES + 1))
        word = self.form.data or Form.AUTO.value
        if word not in set(Form):
            raise InputError.of("form", f"must be one of {', '.join(Form)}", Form.AUTO.value)
        tags = [tag.strip() for tag in (self.tags.data or "").split(",") if tag.strip()]
        return Wish((self.text.data or "").replace("\r\n", "\n"), Form(word), bool(self.disabled.data), tags)

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Put each problem on its field; those of places in the text stand at the text."""
        for problem in problems:
            field = problem.field if problem.field in self._fields else "text"
            place = "" if field == problem.field else f"{problem.field}: "
            example = " " + _("For example: %(example)s", example=problem.example) if problem.example else ""
            self[field].errors = [*self[field].errors, f"{sentence(place + problem.message)}{example}"]


def _text_of(content: bytes) -> str:
    if len(content) > LONGEST_BYTES:
        raise InputError.of("file", _("is too long; the command line takes longer ones: watchbell task import FILE"))
    try:
        return content.decode("utf-8-sig").replace("\0", "")
    except UnicodeDecodeError:
        raise InputError.of("file", _("is not a text in UTF-8")) from None
