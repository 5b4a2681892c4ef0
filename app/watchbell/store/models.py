"""All tables at once, for migrations and for the web extension that binds the metadata."""

from __future__ import annotations

from watchbell.store.accounts import Account, LoginLink, LoginSession
from watchbell.store.alerts import Alert, AlertRule
from watchbell.store.audit import AuditEntry, AuditHead
from watchbell.store.base import Base
from watchbell.store.blackouts import BlackoutWindow
from watchbell.store.carried import CarriedCopy, CarriedMoment, CarriedVersion
from watchbell.store.chains import ChainArrival, TaskLink
from watchbell.store.day_calendars import NamedCalendar
from watchbell.store.device_reports import DeviceJobEvent, DeviceReport
from watchbell.store.devices import Device, DeviceGroup, DeviceGroupMember, DeviceTag
from watchbell.store.engine import Announcement, EngineBroker, EngineWorker, LiveOutput
from watchbell.store.enrolments import EnrolmentCode
from watchbell.store.environment_sets import EnvironmentSet
from watchbell.store.events import Outbox
from watchbell.store.failures import Failure, FailureGroup
from watchbell.store.fleet_jobs import DeviceJob, Execution
from watchbell.store.fleet_retention import FleetHour
from watchbell.store.fleet_schedules import FleetSchedule
from watchbell.store.heartbeats import Heartbeat, Scheduler
from watchbell.store.idempotency import KeptAnswer
from watchbell.store.identities import Identity
from watchbell.store.incidents import Incident
from watchbell.store.job_library import JobHandler, JobHandlerVersion, JobTemplate
from watchbell.store.leases import Lease
from watchbell.store.log_marks import LogMark
from watchbell.store.metric_days import MetricDay
from watchbell.store.mutes import Mute
from watchbell.store.passkeys import Passkey
from watchbell.store.pauses import Pause
from watchbell.store.queues import Queue
from watchbell.store.runs import Attempt, Output, Run, RunEvent
from watchbell.store.saved_views import SavedView
from watchbell.store.second_factors import RecoveryCode, SecondFactor, WaitingLogin
from watchbell.store.secrets import Secret, SecretUse, SecretVersion
from watchbell.store.steps import AttemptStep
from watchbell.store.task_templates import TaskTemplate
from watchbell.store.tasks import ChangeMark, Task, TaskRevision
from watchbell.store.teams import Team, TeamMember
from watchbell.store.tokens import APIToken
from watchbell.store.totals import RunDay
from watchbell.store.verdicts import RunExpected, RunVerdict

metadata = Base.metadata

__all__ = [
    "APIToken",
    "Account",
    "Alert",
    "AlertRule",
    "Announcement",
    "Attempt",
    "AttemptStep",
    "AuditEntry",
    "AuditHead",
    "BlackoutWindow",
    "CarriedCopy",
    "CarriedMoment",
    "CarriedVersion",
    "ChainArrival",
    "ChangeMark",
    "Device",
    "DeviceGroup",
    "DeviceGroupMember",
    "DeviceJob",
    "DeviceJobEvent",
    "DeviceReport",
    "DeviceTag",
    "EngineBroker",
    "EngineWorker",
    "EnrolmentCode",
    "EnvironmentSet",
    "Execution",
    "Failure",
    "FailureGroup",
    "FleetHour",
    "FleetSchedule",
    "Heartbeat",
    "Identity",
    "Incident",
    "JobHandler",
    "JobHandlerVersion",
    "JobTemplate",
    "KeptAnswer",
    "Lease",
    "LiveOutput",
    "LogMark",
    "LoginLink",
    "LoginSession",
    "MetricDay",
    "Mute",
    "NamedCalendar",
    "Outbox",
    "Output",
    "Passkey",
    "Pause",
    "Queue",
    "RecoveryCode",
    "Run",
    "RunDay",
    "RunEvent",
    "RunExpected",
    "RunVerdict",
    "SavedView",
    "Scheduler",
    "SecondFactor",
    "Secret",
    "SecretUse",
    "SecretVersion",
    "Task",
    "TaskLink",
    "TaskRevision",
    "TaskTemplate",
    "Team",
    "TeamMember",
    "WaitingLogin",
    "metadata",
]
