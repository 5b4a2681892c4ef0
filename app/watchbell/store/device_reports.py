"""What devices have said, and what has happened to their jobs: the log of every change, and of what came too late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, delete, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from watchbell.store.base import Base


class DeviceJobEvent(Base):
    """One thing that has happened to a device's part in an order; it is never changed."""

    __tablename__ = "device_job_event"
    __table_args__ = (Index("ix_device_job_event_device_job_id", "device_job_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    device_job_id: Mapped[int] = mapped_column(ForeignKey("device_job.id", ondelete="CASCADE"))
    #: moved, progress or late_report.
    kind: Mapped[str]
    from_state: Mapped[str | None]
    to_state: Mapped[str | None]
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(default="")
    reason: Mapped[str] = mapped_column(default="")
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)


class DeviceReport(Base):
    """A report under a number of the device's own, and what was answered to it."""

    __tablename__ = "device_report"
    __table_args__ = (
        UniqueConstraint("device_id", "report_id"),
        Index("ix_device_report_at", "at"),
        # A job that is deleted looks for its reports.
        Index("ix_device_report_device_job_id", "device_job_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    device_id: Mapped[int] = mapped_column(ForeignKey("device.id", ondelete="CASCADE"))
    report_id: Mapped[str]
    digest: Mapped[str]
    device_job_id: Mapped[int] = mapped_column(ForeignKey("device_job.id", ondelete="CASCADE"))
    #: Whether it was taken; if not, because of what.
    refusal: Mapped[str | None]
    at: Mapped[datetime]


def add_events(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append to the log."""
    if rows:
        session.connection().execute(insert(DeviceJobEvent), [dict(row) for row in rows])


def list_events(session: Session, device_job_id: int) -> Sequence[DeviceJobEvent]:
    """Return what has happened to a part, oldest first."""
    statement = select(DeviceJobEvent).where(DeviceJobEvent.device_job_id == device_job_id)
    return session.scalars(statement.order_by(DeviceJobEvent.id)).all()


def list_late(session: Session, device_job_id: int) -> Sequence[dict[str, Any]]:
    """Return what was reported of a part after its end."""
    mine = (DeviceJobEvent.device_job_id == device_job_id, DeviceJobEvent.kind == "late_report")
    return session.scalars(select(DeviceJobEvent.data).where(*mine)).all()


def find_report(session: Session, device_id: int, report_id: str) -> DeviceReport | None:
    """Return what a device has reported under a number, or None."""
    statement = select(DeviceReport).where(DeviceReport.device_id == device_id, DeviceReport.report_id == report_id)
    return session.scalars(statement).one_or_none()


def has_reports(session: Session, device_job_id: int, number: int) -> bool:
    """Return whether so many numbers are known of the reports of a part."""
    statement = select(DeviceReport.id).where(DeviceReport.device_job_id == device_job_id)
    return session.scalar(statement.offset(number - 1).limit(1)) is not None


def add_report(session: Session, report: DeviceReport) -> None:
    """Keep a report."""
    session.add(report)
    session.flush()


def has_older(session: Session, before: datetime) -> bool:
    """Return whether a report is older than a time."""
    return session.scalar(select(DeviceReport.id).where(DeviceReport.at < before).limit(1)) is not None


def delete_older(session: Session, before: datetime, limit: int) -> int:
    """Delete up to so many reports that are older than a time; their results stay."""
    old = select(DeviceReport.id).where(DeviceReport.at < before).order_by(DeviceReport.at).limit(limit)
    return int(session.connection().execute(delete(DeviceReport).where(DeviceReport.id.in_(old))).rowcount)
