"""Alerts: raising them as runs end, listing them, and acknowledging them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from watchbell.domain import expressions
from watchbell.domain.alerting import Severity
from watchbell.domain.samples import values_of
from watchbell.errors import InputError, NotFound
from watchbell.services import audit
from watchbell.store import alerts as store
from watchbell.store import events
from watchbell.store.alerts import Alert, AlertRule
from watchbell.store.samples import Measured
from watchbell.store.session import Database, Session

#: So many are acknowledged at once.
MOST_AT_ONCE = 1000
_LONGEST_MESSAGE = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts a list shows; the defaults show all."""

    severities: tuple[Severity, ...] = ()
    task_id: int | None = None
    rule_id: int | None = None
    acknowledged: bool | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class AlertPage:
    """Alerts, newest first."""

    alerts: Sequence[Alert]
    #: What the next page is before; None if there is none.
    older_before: int | None


_TOLD = ("id", "rule_id", "rule_name", "severity", "expression", "run_id", "task_id", "task_name", "at", "seen",
         "message", "further", "last_run_id", "acknowledged_at", "acknowledged_by")  # fmt: skip


def told(alert: Alert) -> dict[str, Any]:
    """Return an alert as programs read it."""
    return {name: getattr(alert, name) for name in _TOLD}


def raise_alerts(session: Session, runs: Sequence[Measured], *, now: datetime) -> int:
    """Look at runs that have ended, the oldest first, by all rules, in the caller's transaction; return how many alerts were raised.

    An alert within the throttle of the one before it, of the same rule and task, is counted in that one instead.
    """
    rules = store.list_rules(session, enabled=True)
    raised = 0
    for run in runs if rules else ():
        ended = run.recorded.ended_at or run.recorded.due_at
        mine = [rule for rule in rules if rule.task_id in (None, run.task_id) and rule.since <= ended]
        values = values_of(run.recorded) if mine else {}
        for rule in mine:
            expression = expressions.parse(rule.expression)
            verdict = expression.evaluate(values)
            if verdict.holds is None:
                rule.untold, rule.untold_run_id, rule.untold_reason = rule.untold + 1, run.run_id, verdict.why_not_told
            elif verdict.holds:
                raised += _raise(session, rule, run, ended, expression.values_in(values), now)
    session.flush()
    return raised


def _raise(
    session: Session, rule: AlertRule, run: Measured, ended: datetime, seen: dict[str, float], now: datetime
) -> bool:
    before = store.find_newest(session, rule.id, run.task_id)
    # One that was raised under an earlier wording of the rule throttles nothing.
    if before is not None and rule.since <= before.at <= ended < before.at + timedelta(seconds=rule.throttle_seconds):
        before.further, before.last_run_id = before.further + 1, run.run_id
        session.flush()
        return False
    told = expressions.told(seen)
    message = f"{rule.name}: {rule.expression} ({told})" if told else f"{rule.name}: {rule.expression}"
    alert = Alert(
        rule_id=rule.id, rule_name=rule.name, severity=rule.severity, expression=rule.expression, run_id=run.run_id,
        task_id=run.task_id, task_name=run.task_name, at=ended, seen=seen, message=message[:_LONGEST_MESSAGE], further=0,
        last_run_id=run.run_id, acknowledged_at=None, acknowledged_by="",
    )  # fmt: skip
    store.add(session, alert)
    data = {"name": run.task_name, "alert_id": alert.id, "rule": rule.name, "severity": rule.severity,
            "message": alert.message}  # fmt: skip
    row = {"type": "alert_raised", "task_id": run.task_id, "run_id": run.run_id, "data": data, "at": now}
    events.add(session, [row])
    return True


def list_page(db: Database, chosen: AlertFilter, *, limit: int, before_id: int | None = None) -> AlertPage:
    """Return a page of the alerts that fit, newest first."""
    with db.read() as session:
        found = store.list_alerts(session, limit=limit + 1, before_id=before_id, **dataclasses.asdict(chosen))
    shown = found[:limit]
    return AlertPage(shown, shown[-1].id if len(found) > limit else None)


def get(db: Database, alert_id: int) -> Alert:
    """Return an alert; raises NotFound."""
    with db.read() as session:
        found = store.find_alert(session, alert_id)
    if found is None:
        raise NotFound(f"there is no alert {alert_id}")
    return found


def of_run(db: Database, run_id: int) -> Sequence[Alert]:
    """Return the alerts about a run, the gravest first."""
    gravity = list(Severity)
    with db.read() as session:
        found = store.list_of_run(session, run_id)
    return sorted(found, key=lambda alert: -gravity.index(Severity(alert.severity)))


def count_open(db: Database) -> dict[str, int]:
    """Return how many alerts nobody has acknowledged, by severity."""
    with db.read() as session:
        return store.count_open(session)


def acknowledge(db: Database, alert_ids: Sequence[int], *, now: datetime, actor: str) -> list[int]:
    """Say that somebody knows of alerts, and return those that nobody had known of; others stay as they are."""
    return _set(db, alert_ids, now=now, actor=actor, is_known=True)


def reopen(db: Database, alert_ids: Sequence[int], *, now: datetime, actor: str) -> list[int]:
    """Take back that somebody knows of alerts, and return those that were acknowledged."""
    return _set(db, alert_ids, now=now, actor=actor, is_known=False)


def _set(db: Database, alert_ids: Sequence[int], *, now: datetime, actor: str, is_known: bool) -> list[int]:
    if len(alert_ids) > MOST_AT_ONCE:
        raise InputError.of("ids", f"must be at most {MOST_AT_ONCE}", "[1, 2]")
    with db.write() as session:
        changed = store.set_acknowledged(session, alert_ids, at=now if is_known else None, by=actor if is_known else "")
        if changed:
            verb = "acknowledge" if is_known else "reopen"
            data = {"alert_ids": changed, "by": actor}
            kind = "alert_acknowledged" if is_known else "alert_reopened"
            events.add(session, [{"type": kind, "task_id": None, "run_id": None, "data": data, "at": now}])
            subject = f"alert:{changed[0]}" if len(changed) == 1 else "alerts"
            audit.note(session, f"alert.{verb}", subject, now=now, actor=actor, detail={"ids": changed})
        return changed
