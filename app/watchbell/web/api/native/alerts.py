"""Alerts and their rules."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for

from watchbell.domain.alerting import Severity
from watchbell.errors import NotFound, VersionConflict
from watchbell.services import alert_rules, alerts
from watchbell.services.alert_rules import RuleView
from watchbell.services.alerts import AlertFilter
from watchbell.web import current
from watchbell.web.api import parsing, versions
from watchbell.web.api.idempotency import idempotent
from watchbell.web.api.native import alert_schemas, answers
from watchbell.web.api.native.family import Stale, blueprint
from watchbell.web.db import database

_NO_RULE = "There is no such rule."
_TAKEN = "There is a rule of that name, or there are too many."
_STALE = "The rule is not the version that If-Match names any more; `current` is it as it is now."
_NO_VERSION = "If-Match is missing."


@blueprint.route("/alerts")
@blueprint.query(alert_schemas.AlertsAsked)
@blueprint.answers(200, alert_schemas.AlertPage)
def list_alerts(asked: dict[str, Any]) -> Response:
    """List alerts, newest first."""
    names = ("task_id", "rule_id", "acknowledged", "since", "until")
    chosen = AlertFilter(
        severities=tuple(map(Severity, asked["severity"])), **{name: asked.get(name) for name in names}
    )
    found = alerts.list_page(database(), chosen, limit=asked["limit"], before_id=asked.get("before"))
    leads_on = ("before", str(found.older_before)) if found.older_before is not None else None
    return answers.page(list(map(alerts.told, found.alerts)), leads_on, open=alerts.count_open(database()))


@blueprint.route("/alerts/acknowledge", methods=["POST"])
@blueprint.body(alert_schemas.Chosen)
@idempotent()
@blueprint.answers(200, alert_schemas.Changed)
def acknowledge_alerts(given: dict[str, Any]) -> Response:
    """Say that you know of alerts; those that somebody knows of already stay as they are."""
    changed = alerts.acknowledge(database(), given["ids"], now=current.now(), actor=current.actor())
    return answers.answer({"changed": changed})


@blueprint.route("/alerts/reopen", methods=["POST"])
@blueprint.body(alert_schemas.Chosen)
@idempotent()
@blueprint.answers(200, alert_schemas.Changed)
def reopen_alerts(given: dict[str, Any]) -> Response:
    """Take back that somebody knows of alerts."""
    changed = alerts.reopen(database(), given["ids"], now=current.now(), actor=current.actor())
    return answers.answer({"changed": changed})


@blueprint.route("/alert-rules")
@blueprint.answers(200, alert_schemas.RuleList)
def list_alert_rules() -> Response:
    """List the rules, by name."""
    return answers.answer({"items": list(map(alert_rules.told, alert_rules.list_all(database())))})


@blueprint.route("/alert-rules", methods=["POST"])
@blueprint.body(alert_schemas.NewRule)
@idempotent()
@blueprint.errors(_409=_TAKEN)
@blueprint.answers(201, alert_schemas.Rule)
def create_alert_rule(given: dict[str, Any]) -> Response:
    """Make a rule; runs that end from now on are looked at by it."""
    made = alert_rules.create(database(), given, now=current.now(), actor=current.actor())
    response = _shown(made)
    response.status_code = 201
    response.headers["Location"] = url_for("native.get_alert_rule", rule_id=made.rule.id)
    return response


@blueprint.route("/alert-trials", methods=["POST"])
@blueprint.body(alert_schemas.Trial)
@blueprint.answers(200, alert_schemas.TriedList)
def test_alert_rule(given: dict[str, Any]) -> Response:
    """Try a condition on the last runs; nothing is changed, and no alert is raised."""
    found = alert_rules.try_out(database(), given["expression"], given["task_id"], limit=given["limit"])
    return answers.answer(alert_rules.told_of(found))


@blueprint.route("/alert-rules/<number:rule_id>")
@blueprint.errors(_404=_NO_RULE, _422="This is not a number.")
@blueprint.answers(200, alert_schemas.Rule)
def get_alert_rule(rule_id: str) -> Response:
    """Get a rule."""
    return _shown(alert_rules.get(database(), parsing.path_id("rule_id", rule_id)))


@blueprint.route("/alert-rules/<number:rule_id>", methods=["PATCH"])
@blueprint.body(alert_schemas.RuleChange)
@versions.needed
@blueprint.errors(_404=_NO_RULE, _409=_TAKEN, _412=_STALE, _428=_NO_VERSION)
@blueprint.answers(200, alert_schemas.Rule)
def update_alert_rule(given: dict[str, Any], rule_id: str) -> Response:
    """Change a rule: what is not named stays as it is. Runs that have ended before do not matter to it any more."""
    number, expected = parsing.path_id("rule_id", rule_id), versions.required()
    now, actor = current.now(), current.actor()
    try:
        changed = alert_rules.update(database(), number, given, now=now, actor=actor, expected_version=expected)
    except VersionConflict as error:
        raise _stale(error, number) from None
    return _shown(changed)


@blueprint.route("/alert-rules/<number:rule_id>", methods=["DELETE"])
@versions.needed
@blueprint.errors(_404=_NO_RULE, _412=_STALE, _422="This is not a number.", _428=_NO_VERSION)
@blueprint.answers(204)
def delete_alert_rule(rule_id: str) -> Response:
    """Remove a rule; the alerts that it has raised stay."""
    number, expected = parsing.path_id("rule_id", rule_id), versions.required()
    try:
        alert_rules.remove(database(), number, now=current.now(), actor=current.actor(), expected_version=expected)
    except VersionConflict as error:
        raise _stale(error, number) from None
    return answers.nothing()


def _shown(found: RuleView) -> Response:
    versions.note(found.rule.version)
    return answers.answer(alert_rules.told(found))


def _stale(error: VersionConflict, rule_id: int) -> VersionConflict:
    try:
        return Stale(error.message, answers.plain(alert_rules.told(alert_rules.get(database(), rule_id))))
    except NotFound:
        # Removed between the two looks.
        return error
