"""What the routes of alerts and of their rules take and answer with."""

from __future__ import annotations

from watchbell.domain import expressions
from watchbell.domain.alerting import MOST_THROTTLE_SECONDS, NAME_LIMIT, THROTTLE_SECONDS, Severity
from watchbell.services.alert_rules import TRIED_ON
from watchbell.services.alerts import MOST_AT_ONCE
from watchbell.web.api import fields
from watchbell.web.api.native import schemas
from watchbell.web.query import HIGHEST_ID

_EXPRESSION = {"description": "A condition over the numbers of a run.", "example": expressions.EXAMPLE}
_TASK = {"description": "Null for all tasks.", "example": None}
_THROTTLE = {"description": "So long after an alert, further runs of the task are only counted in it.", "example": 300}
_SEEN = {"description": "The numbers that the condition looks at.", "example": {"cpu_max": 93.5}}


class AlertsAsked(schemas.OlderAsked):
    """Which alerts."""

    severity = fields.Many(fields.Word(list(Severity)), load_default=[])
    task_id = schemas.number(description="Only those about runs of this task.")
    rule_id = schemas.number(description="Only those that this rule has raised.")
    acknowledged = fields.Flag(texts=True, metadata={"description": "Only those of which somebody knows, or nobody."})
    since = fields.Moment(metadata={"description": "Only those of runs that ended then or later."})
    until = fields.Moment(metadata={"description": "Only those of runs that ended before."})


class Alert(fields.Schema):
    """What a rule has said of a run, as the rule was then."""

    id = fields.Whole(required=True)
    rule_id = fields.Whole(required=True, metadata={"description": "The rule may be gone."})
    rule_name = fields.Text(required=True, metadata={"example": "hot"})
    severity = fields.Word(list(Severity), required=True)
    expression = fields.Text(required=True, metadata=_EXPRESSION)
    run_id = fields.Whole(required=True)
    task_id = fields.Whole(required=True)
    task_name = fields.Text(required=True)
    at = fields.Moment(required=True, metadata={"description": "When the run ended."})
    seen = fields.Mapped(keys=fields.Text(), values=fields.Number(), required=True, metadata=_SEEN)
    message = fields.Text(required=True, metadata={"example": "hot: cpu_max > 80 (cpu_max 93.5)"})
    further = fields.Whole(required=True, metadata={"description": "Further runs within the throttle."})
    last_run_id = fields.Whole(required=True, metadata={"description": "The newest run that it stands for."})
    acknowledged_at = fields.Moment(required=True, allow_none=True)
    acknowledged_by = fields.Text(required=True)


class AlertPage(fields.Schema):
    """Alerts, newest first."""

    items = fields.Many(fields.Nested(Alert), required=True)
    next = schemas.following("before")
    open = fields.Mapped(
        keys=fields.Text(), values=fields.Whole(), required=True,
        metadata={"description": "How many nobody knows of, by severity, whatever was asked for.", "example": {"warning": 2}},
    )  # fmt: skip


class Chosen(fields.Schema):
    """Some alerts."""

    ids = fields.Many(
        fields.Whole(validate=fields.between(0, HIGHEST_ID)),
        required=True,
        validate=fields.long(1, MOST_AT_ONCE),
        metadata={"example": [1, 2]},
    )


class Changed(fields.Schema):
    """Those of the alerts that were the other way before."""

    changed = fields.Many(fields.Whole(), required=True)


class Rule(fields.Schema):
    """A rule, how it does and which version it is."""

    id = fields.Whole(required=True)
    name = fields.Text(required=True, metadata={"example": "hot"})
    expression = fields.Text(required=True, metadata=_EXPRESSION)
    task_id = fields.Whole(required=True, allow_none=True, metadata=_TASK)
    task_name = fields.Text(required=True, allow_none=True)
    severity = fields.Word(list(Severity), required=True)
    throttle_seconds = fields.Whole(required=True, metadata=_THROTTLE)
    enabled = fields.Flag(required=True)
    alerts = fields.Whole(required=True, metadata={"description": "How many alerts of it are kept."})
    open = fields.Whole(required=True, metadata={"description": "How many of them nobody knows of."})
    since = fields.Moment(required=True, metadata={"description": "Runs that ended before do not matter to it."})
    untold = fields.Whole(
        required=True,
        metadata={"description": "Of how many runs it could not be told since then, for want of a number."},
    )
    untold_run_id = fields.Whole(required=True, allow_none=True)
    untold_reason = fields.Text(required=True, metadata={"example": "no memory_avg_mb"})
    version = fields.Whole(required=True)
    updated_at = fields.Moment(required=True)
    updated_by = fields.Text(required=True)


class RuleList(fields.Schema):
    """All rules, by name."""

    items = fields.Many(fields.Nested(Rule), required=True)


class RuleChange(fields.Schema):
    """The fields of a rule; what is absent stays."""

    name = fields.Text(validate=fields.long(1, NAME_LIMIT), metadata={"example": "hot"})
    expression = fields.Text(validate=fields.long(1, expressions.LENGTH_LIMIT), metadata=_EXPRESSION)
    task_id = fields.Whole(allow_none=True, validate=fields.between(0, HIGHEST_ID), metadata=_TASK)
    severity = fields.Word(list(Severity))
    throttle_seconds = fields.Whole(validate=fields.between(0, MOST_THROTTLE_SECONDS), metadata=_THROTTLE)
    enabled = fields.Flag(metadata={"example": True})


class NewRule(RuleChange):
    """A rule."""

    name = fields.Text(required=True, validate=fields.long(1, NAME_LIMIT), metadata={"example": "hot"})
    expression = fields.Text(required=True, validate=fields.long(1, expressions.LENGTH_LIMIT), metadata=_EXPRESSION)
    throttle_seconds = fields.Whole(
        load_default=THROTTLE_SECONDS, validate=fields.between(0, MOST_THROTTLE_SECONDS), metadata=_THROTTLE
    )


class Trial(fields.Schema):
    """A condition that is to be tried on the last runs."""

    expression = fields.Text(required=True, validate=fields.long(1, expressions.LENGTH_LIMIT), metadata=_EXPRESSION)
    task_id = fields.Whole(allow_none=True, load_default=None, validate=fields.between(0, HIGHEST_ID), metadata=_TASK)
    limit = fields.Whole(load_default=TRIED_ON, validate=fields.between(1, 1000), metadata={"example": TRIED_ON})


class Tried(fields.Schema):
    """What a condition comes to of one run."""

    run_id = fields.Whole(required=True)
    task_id = fields.Whole(required=True)
    task_name = fields.Text(required=True)
    state = fields.Text(required=True)
    at = fields.Moment(required=True)
    holds = fields.Flag(required=True, allow_none=True, metadata={"description": "Null where it cannot be told."})
    seen = fields.Text(required=True, metadata={"example": "cpu_max 93.5"})
    reason = fields.Text(required=True, metadata={"description": "Why it cannot be told.", "example": "no rows"})


class TriedList(fields.Schema):
    """What a condition comes to of the last runs, newest first; throttling is left out of account."""

    items = fields.Many(fields.Nested(Tried), required=True)
    would_fire = fields.Whole(required=True)
    untold = fields.Whole(required=True)
