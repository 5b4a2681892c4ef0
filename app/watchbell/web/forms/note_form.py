"""The form of the note on a kind of failure."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import TextAreaField

from watchbell.services.failures import NOTE_LIMIT
from watchbell.web.i18n import lazy


class NoteForm(FlaskForm):  # type: ignore[misc]
    """What is to be known the next time."""

    note = TextAreaField(lazy("What to do about it"), render_kw={"maxlength": NOTE_LIMIT, "rows": 5})
