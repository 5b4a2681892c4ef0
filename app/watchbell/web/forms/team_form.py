"""The forms of a team: what it is called and who is in it, and where its tasks go when it is deleted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flask_wtf import FlaskForm
from wtforms import RadioField, SelectMultipleField, StringField

from watchbell.domain.task_fields import TEAM_LIMIT
from watchbell.errors import Problem
from watchbell.services.teams import COMMENT_LIMIT
from watchbell.web.forms.policy_fields import choices
from watchbell.web.i18n import _, lazy
from watchbell.web.told import sentence


class TeamForm(FlaskForm):  # type: ignore[misc]
    """A name, a comment, and the accounts that are in it."""

    name = StringField(
        lazy("Name"),
        render_kw={"maxlength": TEAM_LIMIT, "required": True, "autocomplete": "off", "spellcheck": "false"},
    )
    comment = StringField(lazy("Comment"), render_kw={"maxlength": COMMENT_LIMIT, "autocomplete": "off"})
    members = SelectMultipleField(lazy("Members"), choices=[], validate_choice=False)

    def offer(self, usernames: Sequence[str]) -> None:
        """Let these accounts be chosen."""
        self.members.choices = choices((name, name) for name in usernames)

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Put each problem on its field."""
        for problem in problems:
            field = problem.field if problem.field in self._fields else "name"
            example = _(" For example: %(example)s", example=problem.example) if problem.example else ""
            self[field].errors = [*self[field].errors, f"{sentence(problem.message)}{example}"]


class TeamEndForm(FlaskForm):  # type: ignore[misc]
    """Where the tasks of a team go that is deleted."""

    #: Nothing is chosen beforehand; "none" is no team, and "to:NAME" another one.
    tasks_to = RadioField(lazy("Its tasks go to"), choices=[], validate_choice=False)

    def offer(self, names: Sequence[str]) -> None:
        """Let one of these teams be chosen, or none."""
        self.tasks_to.choices = choices([*((f"to:{name}", name) for name in names), ("none", _("no team"))])

    def target(self) -> str | None:
        """Return the team that was chosen, empty for none; None if nothing was."""
        chosen = str(self.tasks_to.data or "")
        if chosen == "none":
            return ""
        return chosen.removeprefix("to:") if chosen.startswith("to:") else None
