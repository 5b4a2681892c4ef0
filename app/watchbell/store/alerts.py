"""Rules about the numbers of runs, and the alerts that they have raised."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, and_, func, or_, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base, can_hold, id_list, ids_select
from watchbell.store.tasks import Task

_OPEN = text("acknowledged_at IS NULL")


class AlertRule(Base):
    """A condition that is worth a word when it holds of a run."""

    __tablename__ = "alert_rule"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    #: None for the runs of all tasks.
    task_id: Mapped[int | None] = mapped_column(ForeignKey("task.id"))
    expression: Mapped[str]
    #: One of domain.alerting.Severity.
    severity: Mapped[str]
    #: So long after an alert, further runs of the same task are only counted in it.
    throttle_seconds: Mapped[int]
    enabled: Mapped[bool]
    #: Runs that ended before are none of its business.
    since: Mapped[datetime]
    #: Of how many runs it could not be told since then, of which one last, and why.
    untold: Mapped[int] = mapped_column(default=0)
    untold_run_id: Mapped[int | None]
    untold_reason: Mapped[str] = mapped_column(default="")
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(default="")
    updated_at: Mapped[datetime]
    updated_by: Mapped[str] = mapped_column(default="")


class Alert(Base):
    """What a rule has said of a run, as the rule was then; it goes when its run does."""

    __tablename__ = "alert"
    __table_args__ = (
        Index("ix_alert_rule", "rule_id", "task_id", "id"),
        Index("ix_alert_run", "run_id"),
        Index("ix_alert_task", "task_id", "id"),
        Index("ix_alert_open", "severity", "id", sqlite_where=_OPEN, postgresql_where=_OPEN),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    #: The rule may be gone.
    rule_id: Mapped[int]
    rule_name: Mapped[str]
    severity: Mapped[str]
    expression: Mapped[str]
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"))
    task_id: Mapped[int]
    task_name: Mapped[str]
    #: When the run ended.
    at: Mapped[datetime]
    #: The numbers that the condition looks at.
    seen: Mapped[dict[str, Any]]
    message: Mapped[str]
    #: How many further runs it stands for, and the newest of them.
    further: Mapped[int] = mapped_column(default=0)
    last_run_id: Mapped[int]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str] = mapped_column(default="")


def list_rules(session: Session, *, enabled: bool | None = None, task_id: int | None = None) -> Sequence[AlertRule]:
    """Return the rules by name: all, or those that apply to a task."""
    statement = select(AlertRule).order_by(AlertRule.name)
    if enabled is not None:
        statement = statement.where(AlertRule.enabled.is_(enabled))
    if task_id is not None:
        statement = statement.where(or_(AlertRule.task_id == task_id, AlertRule.task_id.is_(None)))
    return session.scalars(statement).all()


def find_rule(session: Session, rule_id: int) -> AlertRule | None:
    """Return a rule, or None."""
    return session.get(AlertRule, rule_id) if can_hold(rule_id) else None


def find_rule_by_name(session: Session, name: str) -> AlertRule | None:
    """Return the rule of a name, or None."""
    return session.scalars(select(AlertRule).where(AlertRule.name == name)).one_or_none() if can_hold(name) else None


def add(session: Session, row: AlertRule | Alert) -> None:
    """Store a rule or an alert, which gets its number; a rule never that of a removed one whose alerts are still there."""
    if isinstance(row, AlertRule) and session.get_bind().dialect.name == "sqlite":
        # SQLite gives the number of the newest row again once that is gone; PostgreSQL counts on.
        used = (session.scalar(select(func.max(column))) or 0 for column in (AlertRule.id, Alert.rule_id))
        row.id = max(used) + 1
    session.add(row)
    session.flush()


def delete_rule(session: Session, rule: AlertRule) -> None:
    """Delete a rule; its alerts stay."""
    session.delete(rule)
    session.flush()


def find_newest(session: Session, rule_id: int, task_id: int) -> Alert | None:
    """Return the newest alert that a rule has raised about a task, or None."""
    mine = select(Alert).where(Alert.rule_id == rule_id, Alert.task_id == task_id)
    return session.scalars(mine.order_by(Alert.id.desc()).limit(1)).one_or_none()


def count_open(session: Session) -> dict[str, int]:
    """Return how many alerts nobody has acknowledged, by severity."""
    statement = select(Alert.severity, func.count()).where(_OPEN).group_by(Alert.severity)
    return {severity: int(count) for severity, count in session.connection().execute(statement)}


def count_by_rule(session: Session) -> dict[int, tuple[int, int]]:
    """Return how many alerts each rule has raised that are still kept, and how many of them are open."""
    is_open = func.count().filter(Alert.acknowledged_at.is_(None))
    statement = select(Alert.rule_id, func.count(), is_open).group_by(Alert.rule_id)
    return {rule_id: (int(count), int(still)) for rule_id, count, still in session.connection().execute(statement)}


def count_all(session: Session) -> int:
    """Return how many alerts are kept."""
    return int(session.scalar(select(func.count(Alert.id))) or 0)


def list_alerts(
    session: Session,
    *,
    limit: int,
    severities: Sequence[str] = (),
    task_id: int | None = None,
    rule_id: int | None = None,
    acknowledged: bool | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before_id: int | None = None,
) -> Sequence[Alert]:
    """Return the alerts that fit, newest first."""
    statement = select(Alert).order_by(Alert.id.desc()).limit(limit)
    conditions: list[Any] = []
    if severities:
        conditions.append(Alert.severity.in_(severities))
    if task_id is not None:
        conditions.append(Alert.task_id == task_id)
    if rule_id is not None:
        conditions.append(Alert.rule_id == rule_id)
    if acknowledged is not None:
        conditions.append(Alert.acknowledged_at.is_not(None) if acknowledged else _OPEN)
    if since is not None:
        conditions.append(Alert.at >= since)
    if until is not None:
        conditions.append(Alert.at < until)
    if before_id is not None:
        conditions.append(Alert.id < before_id)
    return session.scalars(statement.where(and_(True, *conditions))).all()


def find_alert(session: Session, alert_id: int) -> Alert | None:
    """Return an alert, or None."""
    return session.get(Alert, alert_id) if can_hold(alert_id) else None


def list_of_run(session: Session, run_id: int) -> Sequence[Alert]:
    """Return the alerts about a run, in the order of their rules' names."""
    return session.scalars(select(Alert).where(Alert.run_id == run_id).order_by(Alert.rule_name)).all()


def set_acknowledged(session: Session, alert_ids: Sequence[int], *, at: datetime | None, by: str) -> list[int]:
    """Acknowledge alerts, or open them again without a time; return those that were the other way before."""
    state = Alert.acknowledged_at.is_(None) if at is not None else Alert.acknowledged_at.is_not(None)
    wanted = Alert.id.in_(ids_select(session.get_bind().dialect.name))
    given = {"ids": id_list(session, alert_ids)}
    changed = list(session.scalars(select(Alert.id).where(wanted, state).order_by(Alert.id), given))
    if changed:
        again = {"ids": id_list(session, changed)}
        session.connection().execute(update(Alert).where(wanted).values(acknowledged_at=at, acknowledged_by=by), again)
    return changed


def list_reading_own(session: Session) -> set[int]:
    """Return the tasks that are not deleted and whose commands may tell numbers of their own."""
    reads = Task.policies["own_metrics"].as_string() == "read"
    return set(session.scalars(select(Task.id).where(reads, Task.deleted_at.is_(None))))
