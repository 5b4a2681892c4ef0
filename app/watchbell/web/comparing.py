"""What the comparison of two runs shows: what became of them, their definitions field by field, and their environments."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from watchbell.domain import chains, environment_sets, likeness, runbooks
from watchbell.domain import schedule as schedules
from watchbell.domain import steps as task_steps
from watchbell.domain.likeness import FieldChange
from watchbell.domain.masking import mask
from watchbell.domain.policies import Policies
from watchbell.domain.schedule import line_values
from watchbell.services import parameters
from watchbell.services.comparisons import Sides
from watchbell.services.retention import Rules
from watchbell.services.runs import RunDetail
from watchbell.web import schedule_words
from watchbell.web.forms.after_fields import after_lines, after_rows, join_words
from watchbell.web.forms.parameter_fields import parameter_lines, parameter_rows
from watchbell.web.forms.task_form import link_lines
from watchbell.web.i18n import _
from watchbell.web.presenters import size_words, state_word
from watchbell.web.presenters_policies import policy_facts
from watchbell.web.spans import short_words
from watchbell.web.told import told

_NOTHING = "\N{EN DASH}"


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """Something that both runs have, side by side."""

    label: str
    before: str
    after: str
    #: How the newer one differs, in words; empty where it does not.
    change: str


def outcome_rows(sides: Sides) -> list[Row]:
    """Return how both ended, where they were, and what they used; ``before`` is the one that it is laid against."""
    assert sides.other is not None
    old, new = sides.other, sides.run
    rows = [
        _words(_("Result"), state_word(old.run.state), state_word(new.run.state)),
        _words(_("Exit code"), _text(old.run.exit_code), _text(new.run.exit_code)),
        _words(_("Version of the task"), str(old.run.task_version), str(new.run.task_version)),
        _words(_("Host"), sides.hosts.get(old.run.id, _NOTHING), sides.hosts.get(new.run.id, _NOTHING)),
        _words(_("Attempts"), str(old.run.attempts), str(new.run.attempts)),
        _amount(_("Started after due"), _lag(old), _lag(new), short_words),
        _amount(_("Took"), _took(old), _took(new), short_words),
    ]
    for label, name in ((_("User time"), "user_seconds"), (_("System time"), "system_seconds")):
        rows.append(_amount(label, _used(old, name), _used(new, name), short_words))
    rows.append(_amount(_("Most memory"), _used(old, "max_rss_kib"), _used(new, "max_rss_kib"), _kib_words))
    return [row for row in rows if (row.before, row.after) != (_NOTHING, _NOTHING)]


def definition_changes(sides: Sides, rules: Rules) -> list[FieldChange]:
    """Return the fields in which the definitions that both used differ, but for the environment."""
    assert sides.other is not None
    return changed_definition(sides.other.definition, sides.run.definition, rules)


def changed_definition(before: Mapping[str, object], after: Mapping[str, object], rules: Rules) -> list[FieldChange]:
    """Return the fields in which two definitions differ, but for the environment."""
    return likeness.changed_fields(_fields(before, rules), _fields(after, rules))


def environment_changes(sides: Sides) -> list[FieldChange]:
    """Return the variables that only one of both has, or whose values differ; what looks like a secret is masked."""
    assert sides.other is not None
    return changed_environment(sides.other.definition, sides.run.definition)


def changed_environment(before: Mapping[str, object], after: Mapping[str, object]) -> list[FieldChange]:
    """Return the variables that only one of two definitions has, or whose values differ, masked."""
    old, new = _environment(before), _environment(after)
    changes = []
    for name in sorted({*old, *new}):
        if old.get(name) == new.get(name):
            continue
        was, is_now = (mask(name, side[name]) if name in side else _("not set") for side in (old, new))
        changes.append(FieldChange(name, was, _("another value") if was == is_now else is_now))
    return changes


def parameter_changes(sides: Sides) -> list[FieldChange]:
    """Return the parameters of which both were given different values."""
    assert sides.other is not None
    old, new = ({one.name: one.value for one in parameters.told(side.definition, side.run.parameters)}
                for side in (sides.other, sides.run))  # fmt: skip
    return likeness.changed_fields(old, new)


def _fields(definition: Mapping[str, object], rules: Rules) -> dict[str, str]:
    plain = (("name", _("Name")), ("command", _("Command")), ("directory", _("Working directory")), ("owner", _("Owner")),
             ("team", _("Team")), ("host", _("Host")), ("comment", _("Comment")))  # fmt: skip
    fields = {label: str(definition.get(key) or "") for key, label in plain}
    stored = task_steps.from_json(definition.get("steps"))
    declared = parameter_rows(parameters.declared(definition))
    fields[_("Parameters")] = parameter_lines(declared)
    fields[_("Runbook")] = str(definition.get("runbook") or "")
    fields[_("Links")] = link_lines(runbooks.links_from_json(definition.get("links")))
    after = chains.after_from_json(definition.get("after"))
    fields[_("After other tasks")] = after_lines(after_rows(after))
    fields[_("Wait for")] = join_words(str(definition.get("join") or chains.ALL)) if len(after) > 1 else ""
    fields[_("Sets of values")] = _set_lines(definition.get("parameter_sets"))
    fields[_("Environment sets")] = ", ".join(map(str, definition.get(environment_sets.FIELD) or ()))  # type: ignore[call-overload]
    fields[_("Steps")] = told(task_steps.describe(stored)) if stored else ""
    schedule, policies = definition.get("schedule"), definition.get("policies")
    if isinstance(schedule, Mapping):
        found = schedules.from_json(schedule)
        fields[_("Schedule")] = f"{schedule_words.sentence(found)} ({found.zone})"
        fields[_("Values of lines of the schedule")] = line_values.as_text(found)
    if isinstance(policies, Mapping):
        for group in policy_facts(Policies.from_json(policies), rules):
            fields |= {fact[0]: fact[1] for fact in group.facts}
    tags = definition.get("tags")
    fields[_("Tags")] = ", ".join(map(str, tags)) if isinstance(tags, Sequence) and not isinstance(tags, str) else ""
    return fields


def _set_lines(stored: object) -> str:
    sets = stored if isinstance(stored, Mapping) else {}
    return "\n".join(
        f"{title}: {' '.join(f'{name}={value}' for name, value in values.items())}" for title, values in sets.items()
    )


def _environment(definition: Mapping[str, object]) -> dict[str, str]:
    return environment_sets.merged(definition)


def _words(label: str, before: str, after: str) -> Row:
    return Row(label, before, after, "" if before == after else _("differs"))


def _amount(label: str, before: float | None, after: float | None, words: Callable[[float], str]) -> Row:
    shown = [words(value) if value is not None else _NOTHING for value in (before, after)]
    return Row(label, shown[0], shown[1], _change(before, after))


def _kib_words(size: float) -> str:
    return size_words(int(size * 1024))


def _change(before: float | None, after: float | None) -> str:
    """Return by how much an amount differs, such as +12 %; nothing of what differs by less than a twentieth."""
    if before is None or after is None or before <= 0:
        return ""
    percent = (after - before) / before * 100
    if abs(percent) < 5:
        return ""
    return f"{percent:+,.0f} %" if abs(percent) < 1000 else f"\N{MULTIPLICATION SIGN} {after / before:,.0f}"


def _text(value: object) -> str:
    return _NOTHING if value is None else str(value)


def _lag(one: RunDetail) -> float | None:
    return max((one.run.started_at - one.run.due_at).total_seconds(), 0.0) if one.run.started_at else None


def _took(one: RunDetail) -> float | None:
    run = one.run
    return (run.ended_at - run.started_at).total_seconds() if run.started_at and run.ended_at else None


def _used(one: RunDetail, name: str) -> float | None:
    found = getattr(one.attempt, name, None)
    return float(found) if found is not None else None
