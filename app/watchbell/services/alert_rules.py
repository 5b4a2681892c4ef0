"""Rules about the numbers of runs: making, changing and removing them, and what one would have said of the last runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from watchbell.domain import expressions
from watchbell.domain.alerting import FIELDS, RuleDefinition, Severity, build_rule, read_expression
from watchbell.domain.expressions import Verdict
from watchbell.domain.samples import values_of
from watchbell.errors import Conflict, InputError, NotFound, VersionConflict
from watchbell.services import audit
from watchbell.store import alerts as store
from watchbell.store import samples as sample_store
from watchbell.store import tasks as task_store
from watchbell.store.alerts import AlertRule
from watchbell.store.samples import Measured
from watchbell.store.session import Database, Session

#: A rule is tried on so many of the last runs.
TRIED_ON = 20
#: More would cost every run of every task.
MOST_RULES = 500


@dataclasses.dataclass(frozen=True, slots=True)
class RuleView:
    """A rule as a person sees it."""

    rule: AlertRule
    #: None for all tasks.
    task_name: str | None
    #: How many of its alerts are kept, and how many of them nobody has acknowledged.
    alerts: int
    open: int


@dataclasses.dataclass(frozen=True, slots=True)
class Tried:
    """What a condition comes to of one run."""

    run: Measured
    verdict: Verdict
    #: The numbers that it looks at, in words.
    seen: str


def definition_of(rule: AlertRule) -> RuleDefinition:
    """Return what a person has decided about a rule."""
    return RuleDefinition(**{**{name: getattr(rule, name) for name in FIELDS}, "severity": Severity(rule.severity)})


#: What is told of a rule beside what a person decides.
_MORE = ("since", "untold", "untold_run_id", "untold_reason", "version", "updated_at", "updated_by")


def told(view: RuleView) -> dict[str, Any]:
    """Return a rule as programs read it."""
    rule = view.rule
    decided = {name: getattr(rule, name) for name in FIELDS}
    counted = {"task_name": view.task_name, "alerts": view.alerts, "open": view.open}
    return {"id": rule.id, **decided, **counted, **{name: getattr(rule, name) for name in _MORE}}


def told_of(tried: Sequence[Tried]) -> dict[str, Any]:
    """Return what a condition comes to of some runs as programs read it."""
    items = [
        {
            "run_id": one.run.run_id,
            "task_id": one.run.task_id,
            "task_name": one.run.task_name,
            "state": one.run.recorded.state,
            "at": one.run.recorded.ended_at or one.run.at,
            "holds": one.verdict.holds,
            "seen": one.seen,
            "reason": one.verdict.why_not_told,
        }
        for one in tried
    ]
    fires = sum(one.verdict.holds is True for one in tried)
    return {"items": items, "would_fire": fires, "untold": sum(one.verdict.holds is None for one in tried)}


def list_all(db: Database) -> list[RuleView]:
    """Return all rules by name."""
    with db.read() as session:
        return _views(session, store.list_rules(session))


def get(db: Database, rule_id: int) -> RuleView:
    """Return a rule; raises NotFound."""
    with db.read() as session:
        return _views(session, [_require(session, rule_id)])[0]


def find_by_name(db: Database, name: str) -> RuleView:
    """Return the rule of a name or an id; raises NotFound."""
    with db.read() as session:
        found = store.find_rule_by_name(session, name)
        if found is None and name.isascii() and name.isdigit():
            found = store.find_rule(session, int(name[:18]))
        if found is None:
            raise NotFound(f"there is no alert rule {name[:100]!r}")
        return _views(session, [found])[0]


def create(db: Database, fields: Mapping[str, object], *, now: datetime, actor: str) -> RuleView:
    """Make a rule; raises InputError, and Conflict for a name that is taken or one rule too many."""
    definition = build_rule(fields)
    with db.write() as session:
        _check(session, definition)
        if len(store.list_rules(session)) >= MOST_RULES:
            raise Conflict(f"there are {MOST_RULES} alert rules already; remove one first")
        rule = AlertRule(
            **_columns(definition), since=now, untold=0, untold_reason="", version=1,
            created_at=now, created_by=actor, updated_at=now, updated_by=actor,
        )  # fmt: skip
        store.add(session, rule)
        detail = _columns(definition)
        audit.note(
            session, "alert_rule.create", f"alert_rule:{rule.id}", now=now, actor=actor, name=rule.name, detail=detail
        )
        return _views(session, [rule])[0]


def update(
    db: Database,
    rule_id: int,
    fields: Mapping[str, object],
    *,
    now: datetime,
    actor: str,
    expected_version: int | None = None,
) -> RuleView:
    """Change a rule; absent fields stay. What is changed counts for the runs that end from now on.

    Raises NotFound, InputError, Conflict, and VersionConflict if the rule has another version than the one that is expected.
    """
    with db.write() as session:
        rule = _require(session, rule_id)
        _require_version(rule, expected_version)
        before = definition_of(rule)
        after = build_rule(fields, before)
        changed = audit.changes(_columns(before), _columns(after))
        if changed:
            _check(session, after, rule)
            for name, value in _columns(after).items():
                setattr(rule, name, value)
            rule.since, rule.version = now, rule.version + 1
            rule.untold, rule.untold_run_id, rule.untold_reason = 0, None, ""
            rule.updated_at, rule.updated_by = now, actor
            session.flush()
            subject = f"alert_rule:{rule.id}"
            audit.note(session, "alert_rule.update", subject, now=now, actor=actor, name=rule.name, detail=changed)
        return _views(session, [rule])[0]


def remove(db: Database, rule_id: int, *, now: datetime, actor: str, expected_version: int | None = None) -> AlertRule:
    """Remove a rule; its alerts stay. Raises NotFound and VersionConflict."""
    with db.write() as session:
        rule = _require(session, rule_id)
        _require_version(rule, expected_version)
        detail = _columns(definition_of(rule))
        audit.note(
            session, "alert_rule.delete", f"alert_rule:{rule.id}", now=now, actor=actor, name=rule.name, detail=detail
        )
        store.delete_rule(session, rule)
        return rule


def check_expression(db: Database, text: str, task_id: int | None) -> None:
    """Raise InputError for a text that is no condition over the numbers of a task, or of all of them."""
    with db.read() as session:
        _check_expression(session, text, task_id)


def try_out(db: Database, text: str, task_id: int | None, *, limit: int = TRIED_ON) -> list[Tried]:
    """Return what a condition comes to of the last runs of a task, or of all tasks, newest first; raises InputError."""
    with db.read() as session:
        expression = _check_expression(session, text, task_id)
        ids = None if task_id is None else [task_id]
        runs = sample_store.list_measured(session, task_ids=ids, limit=limit)
    found = []
    for run in runs:
        values = values_of(run.recorded)
        seen = expressions.told(expression.values_in(values))
        found.append(Tried(run, expression.evaluate(values), seen))
    return found


def _check(session: Session, definition: RuleDefinition, rule: AlertRule | None = None) -> None:
    """Raise InputError for a task that is not there or a metric that it cannot have, and Conflict for a name that is taken."""
    _check_expression(session, definition.expression, definition.task_id)
    other = store.find_rule_by_name(session, definition.name)
    if other is not None and other is not rule:
        raise Conflict(f"there is an alert rule {definition.name!r} already")


def _check_expression(session: Session, text: str, task_id: int | None) -> expressions.Expression:
    if task_id is not None and task_store.find_task(session, task_id) is None:
        raise InputError.of("task_id", "there is no such task", None)
    reading = store.list_reading_own(session)
    return read_expression(text, reads_own=task_id in reading if task_id is not None else bool(reading))


def _require(session: Session, rule_id: int) -> AlertRule:
    rule = store.find_rule(session, rule_id)
    if rule is None:
        raise NotFound(f"there is no alert rule {rule_id}")
    return rule


def _require_version(rule: AlertRule, expected: int | None) -> None:
    if expected is not None and rule.version != expected:
        who = rule.updated_by or "somebody"
        raise VersionConflict(f"{who} has changed this rule meanwhile; look at it and change it again")


def _columns(definition: RuleDefinition) -> dict[str, Any]:
    return {**{name: getattr(definition, name) for name in FIELDS}, "severity": definition.severity.value}


def _views(session: Session, rules: Sequence[AlertRule]) -> list[RuleView]:
    counts = store.count_by_rule(session)
    names: dict[int, str] = {}
    for rule in rules:
        if rule.task_id is not None and rule.task_id not in names:
            task = task_store.find_task(session, rule.task_id, deleted=True)
            names[rule.task_id] = task.name if task is not None else ""
    return [
        RuleView(rule, None if rule.task_id is None else names[rule.task_id], *counts.get(rule.id, (0, 0)))
        for rule in rules
    ]
