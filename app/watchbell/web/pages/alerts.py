"""Alerts: which were raised and who knows of them; and the rules that raise them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from watchbell.domain import expressions
from watchbell.errors import Conflict, InputError
from watchbell.services import alert_rules, alerts
from watchbell.services.alert_rules import RuleView, Tried
from watchbell.web import alert_list, current, notices, query, run_sentences, twins
from watchbell.web.db import database
from watchbell.web.forms.alert_form import AlertRuleForm, problem_text, shown_data
from watchbell.web.i18n import _, ngettext
from watchbell.web.presenters import local_text
from watchbell.web.spans import span_words

blueprint = Blueprint("alerts", __name__)

_EXPORT_ROWS = 100_000
_RULE_COLUMNS = ("id", "name", "expression", "task_id", "task_name", "severity", "throttle_seconds", "enabled", "alerts",
                 "open", "since", "untold", "untold_run_id", "untold_reason", "version", "updated_at", "updated_by")  # fmt: skip


@blueprint.get("/alerts")
def index() -> str:
    asked = alert_list.read(request.args)
    counts = alerts.count_open(database())
    has_rules = bool(alert_rules.list_all(database()))
    return render_template(
        "alerts/index.html",
        asked=asked,
        page=alert_list.find(asked),
        answer=alert_list.answer(counts),
        since_words=run_sentences.since(),
        has_rules=has_rules,
    )


@blueprint.get("/alerts.json")
def index_json() -> Response:
    zone = current.zone()
    page = alert_list.find(alert_list.read(request.args), _EXPORT_ROWS)
    return twins.json_response(alert_list.told(one, zone) for one in page.alerts)


@blueprint.get("/alerts.csv")
def index_csv() -> Response:
    zone = current.zone()
    page = alert_list.find(alert_list.read(request.args), _EXPORT_ROWS)
    rows = (alert_list.told(one, zone) | {"seen": expressions.told(one.seen)} for one in page.alerts)
    return twins.csv_response("alerts", alert_list.CSV_COLUMNS, rows)


@blueprint.post("/alerts/acknowledge")
def acknowledge() -> AnyResponse:
    ids = alert_list.ids_of(request.form.get("ids", ""))
    changed = alerts.acknowledge(database(), ids, now=current.now(), actor=current.actor())
    if changed:
        said = ngettext("%(num)s alert is acknowledged.", "%(num)s alerts are acknowledged.", len(changed))
        notices.done(said, url_for("alerts.reopen"), {"ids": ",".join(map(str, changed)), **_back()})
    else:
        flash(_("Somebody has acknowledged that already."), "info")
    return _return()


@blueprint.post("/alerts/reopen")
def reopen() -> AnyResponse:
    ids = alert_list.ids_of(request.form.get("ids", ""))
    changed = alerts.reopen(database(), ids, now=current.now(), actor=current.actor())
    flash(ngettext("%(num)s alert is open again.", "%(num)s alerts are open again.", len(changed)), "success")
    return _return()


def _back() -> dict[str, str]:
    return {"run": request.form["run"]} if "run" in request.form else {}


def _return() -> AnyResponse:
    """Lead back to where the button was: the page of a run, or the list."""
    if "run" in request.form:
        return redirect(url_for("runs.detail", run_id=query.whole(request.form, "run", None, 1, query.HIGHEST_ID)), 303)
    return redirect(url_for("alerts.index"), 303)


@blueprint.get("/alerts/rules")
def rules() -> str:
    return render_template("alerts/rules.html", rules=alert_rules.list_all(database()), span_words=span_words)


@blueprint.get("/alerts/rules.json")
def rules_json() -> Response:
    return jsonify(_rule_rows())


@blueprint.get("/alerts/rules.csv")
def rules_csv() -> Response:
    return twins.csv_response("alert-rules", _RULE_COLUMNS, _rule_rows())


def _rule_rows() -> list[dict[str, object]]:
    zone = current.zone()
    found = [alert_rules.told(view) for view in alert_rules.list_all(database())]
    return [{**one, **{name: local_text(one[name], zone) for name in ("since", "updated_at")}} for one in found]


@blueprint.get("/alerts/rules/new")
def new() -> str:
    """Show the form of a new rule, which a link may have filled in part."""
    given = {name: request.args[name] for name in ("expression", "task") if name in request.args}
    return _form(AlertRuleForm(data=given), None)


@blueprint.post("/alerts/rules/new")
def create() -> AnyResponse | tuple[str, int] | str:
    return _save(None)


@blueprint.get("/alerts/rules/<int:rule_id>/edit")
def edit(rule_id: int) -> str:
    rule = alert_rules.get(database(), rule_id)
    return _form(AlertRuleForm(data=shown_data(rule)), rule)


@blueprint.post("/alerts/rules/<int:rule_id>/edit")
def update(rule_id: int) -> AnyResponse | tuple[str, int] | str:
    return _save(alert_rules.get(database(), rule_id))


@blueprint.post("/alerts/rules/<int:rule_id>/remove")
def remove(rule_id: int) -> AnyResponse:
    gone = alert_rules.remove(database(), rule_id, now=current.now(), actor=current.actor())
    flash(_("Rule %(name)s is removed. Its alerts stay.", name=gone.name), "success")
    return redirect(url_for("alerts.rules"), 303)


@blueprint.post("/alerts/rules/preview")
def preview() -> str:
    """Return what is wrong with the condition that is typed, or what it comes to of the last runs, for the form's script."""
    form = AlertRuleForm()
    try:
        found, problems = _try(form), []
    except InputError as error:
        found, problems = None, list(error.problems)
    shown = [(problem, problem_text(problem)) for problem in problems]
    return render_template("alerts/preview.html", tried=found, problems=shown)


def _try(form: AlertRuleForm) -> Sequence[Tried]:
    return alert_rules.try_out(database(), form.expression.data or "", form.task_id())


def _save(rule: RuleView | None) -> AnyResponse | tuple[str, int] | str:
    form = AlertRuleForm()
    try:
        if "test" in request.form:
            return _form(form, rule, _try(form))
        made = _store(form, rule)
    except InputError as error:
        form.show_problems(error.problems)
        return _form(form, rule), 422
    except Conflict as error:
        form.name.errors = [*form.name.errors, f"{error.message[:1].upper()}{error.message[1:]}."]
        return _form(form, rule), 409
    flash(_("Rule %(name)s looks at runs that end from now on.", name=made.rule.name), "success")
    return redirect(url_for("alerts.rules"), 303)


def _store(form: AlertRuleForm, rule: RuleView | None) -> RuleView:
    now, actor, fields = current.now(), current.actor(), form.fields()
    if rule is None:
        return alert_rules.create(database(), fields, now=now, actor=actor)
    version = query.whole(request.form, "version", None, 1, query.HIGHEST_ID)
    return alert_rules.update(database(), rule.rule.id, fields, now=now, actor=actor, expected_version=version)


def _form(form: AlertRuleForm, rule: RuleView | None, tried: Sequence[Tried] | None = None) -> str:
    shown: dict[str, Any] = {"form": form, "rule": rule, "tried": tried}
    return render_template("alerts/form.html", **shown)
