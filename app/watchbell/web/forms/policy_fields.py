"""The fields of a task's form that stand for its policies, in the groups in which the form folds them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from typing import Any

from wtforms import SelectChoice, SelectField, StringField, TextAreaField

from watchbell.domain.policies import Policies
from watchbell.errors import Problem
from watchbell.web.i18n import _, lazy
from watchbell.web.presenters_policies import GROUP_FIELDS, WITH_WHAT, group_words, policies_of
from watchbell.web.spans import seconds_text, span_text

HOW_FIELDS = (*WITH_WHAT, *(name for names in GROUP_FIELDS.values() for name in names))
#: Those that are typed as a length of time.
SPAN_FIELDS = tuple(name for name in HOW_FIELDS if name.endswith("_seconds"))


def choices(pairs: Iterable[tuple[str, Any]]) -> list[SelectChoice]:
    """Return choices of a field from values and their labels."""
    return [SelectChoice(value, label) for value, label in pairs]


def _select(label: Any, *pairs: tuple[str, Any]) -> Any:
    # What is not among the choices is refused by the service, with the words that are.
    return SelectField(label, choices=choices(pairs), validate_choice=False)


def _number(label: Any) -> Any:
    return StringField(label, render_kw={"inputmode": "numeric", "autocomplete": "off"})


def _text(label: Any) -> Any:
    return StringField(label, render_kw={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"})


class PolicyFields:
    """The part of the form that says how."""

    interpreter = StringField(
        lazy("Interpreter"),
        render_kw={"list": "interpreters", "autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"},
    )

    overlap = _select(
        lazy("If an earlier run is still going"),
        ("skip", lazy("skip the new one")), ("queue_one", lazy("queue one")), ("queue_all", lazy("queue all")),
        ("replace", lazy("stop it and run the new one")), ("allow", lazy("run both")),
    )  # fmt: skip
    overlap_limit = _number(lazy("So many may wait"))
    catch_up = _select(
        lazy("Missed while the scheduler was down"),
        ("last", lazy("run the last one")), ("all", lazy("run all")), ("skip", lazy("run none")),
    )  # fmt: skip
    catch_up_limit = _number(lazy("At most so many of them"))
    catch_up_window_seconds = _text(lazy("Not older than"))
    latest_start_seconds = _text(lazy("Latest start after due"))
    uncertain = _select(
        lazy("If nobody can know whether it ran"),
        ("lost", lazy("mark it lost (at most once)")), ("run_again", lazy("run it again (at least once)")),
        ("ask", lazy("ask me")),
    )  # fmt: skip

    retries = _number(lazy("Retries"))
    retry_backoff = _select(
        lazy("Delays grow"),
        ("exponential", lazy("by a factor")), ("exponential_jitter", lazy("by a factor, scattered")),
        ("linear", lazy("by the first delay each time")), ("fibonacci", lazy("as 1, 1, 2, 3, 5, 8")),
    )  # fmt: skip
    retry_delay_seconds = _text(lazy("First delay"))
    retry_multiplier = StringField(lazy("Factor"), render_kw={"inputmode": "decimal", "autocomplete": "off"})
    retry_max_delay_seconds = _text(lazy("Longest delay"))
    retry_total_seconds = _text(lazy("No retry later than"))
    retry_on = _text(lazy("Retry only on"))
    retry_not_on = _text(lazy("Never retry on"))

    time_limit_seconds = _text(lazy("Time limit"))
    grace_seconds = _text(lazy("Grace between TERM and KILL"))
    output_limit_mib = _number(lazy("Kept output per stream, in MiB"))
    output_excess = _select(
        lazy("If it writes more"), ("drop", lazy("give up the middle")), ("end", lazy("end the run as failed"))
    )
    memory_limit_mib = _number(lazy("Memory, in MiB"))
    process_limit = _number(lazy("Processes"))
    niceness = _number(lazy("Niceness"))
    #: Its choices are given to the form; where the settings name no users there is nothing to choose.
    as_user = SelectField(lazy("Run as"), choices=[], validate_choice=False)
    own_metrics = _select(
        lazy("Metrics of its own"), ("ignore", lazy("none")), ("read", lazy("read lines from its output"))
    )
    gates = TextAreaField(
        lazy("Gates"), render_kw={"rows": 3, "autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
    )

    queue = _text(lazy("Queue"))
    priority = _number(lazy("Priority"))
    spread_seconds = _text(lazy("Spread starts over"))

    keep_days = _number(lazy("Keep runs for, in days"))
    keep_runs = _number(lazy("Keep so many runs"))

    def offer_users(self, names: Sequence[str]) -> None:
        """Let one of these users of the system be chosen, the one that was chosen before, or the first for none."""
        offered = dict.fromkeys([*names, *filter(None, [self.as_user.data])])
        first = _("%(user)s, as usual", user=names[0]) if names else _("the scheduler's own user")
        self.as_user.choices = choices([("", first), *((name, name) for name in offered)])

    def how_data(self) -> dict[str, object]:
        """Return what the task service is told of the policies; lengths of time in seconds."""
        given = {name: self[name].data for name in HOW_FIELDS if self[name].data is not None}  # type: ignore[index]
        return {name: seconds_text(str(text)) if name in SPAN_FIELDS else text for name, text in given.items()}

    def wrong_groups(self) -> set[str]:
        """Return the folds that must be open because something in them is wrong."""
        return {key for key, names in GROUP_FIELDS.items() if any(self[name].errors for name in names)}  # type: ignore[index]

    def how_words(self) -> dict[str, str]:
        """Return each fold in short words, for its summary; what cannot be read yet is left to its errors."""
        return group_words(policies_of(self.how_data()))


def in_spans(problem: Problem) -> Problem:
    """Return a problem of a length of time in the words in which lengths are typed here, such as 1d for 86400."""
    if problem.field not in SPAN_FIELDS:
        return problem
    if problem.message.endswith(" seconds"):
        message = re.sub(r"[0-9]+", lambda found: span_text(int(found[0])), problem.message.removesuffix(" seconds"))
    else:
        message = _("must be a length of time in s, m, h or d")
    example = span_text(int(problem.example)) if problem.example and problem.example.isdigit() else problem.example
    return dataclasses.replace(problem, message=message, example=example)


def policy_data(policies: Policies) -> dict[str, object]:
    """Return what the fields show of policies."""
    data: dict[str, object] = {}
    for name, value in policies.to_json().items():
        if value is None:
            data[name] = ""
        elif name in SPAN_FIELDS:
            data[name] = span_text(int(str(value)))
        else:
            data[name] = f"{value:g}" if isinstance(value, float) else str(value)
    return data
