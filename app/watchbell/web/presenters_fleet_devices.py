"""Devices as the pages, the JSON and the CSV show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from watchbell.domain.presence import Standing
from watchbell.services.device_history import Workload
from watchbell.services.device_lists import DeviceLine, DevicePage
from watchbell.store.device_history import JobLine
from watchbell.web import fleet_words
from watchbell.web.i18n import _, grouped, lazy, ngettext
from watchbell.web.presenters import local_text

#: How a device stands -> its word.
STANDINGS: Mapping[Standing, Any] = {
    Standing.ONLINE: lazy("online"),
    Standing.OFFLINE: lazy("offline"),
    Standing.NEVER: lazy("never heard of"),
    Standing.PENDING: lazy("pending"),
    Standing.INACTIVE: lazy("inactive"),
}
CSV_COLUMNS = (
    "uuid", "name", "type", "state", "is_active", "is_online", "last_contact", "last_contact_from", "groups", "tags", "zone",
    "ip_address", "mac_address", "os_version", "agent_version", "provisioning_state", "job_id", "job_name", "job_state",
    "created_at",
)  # fmt: skip
JOB_COLUMNS = (
    "job_id", "name", "state", "number", "queued_at", "started_at", "completed_at", "duration_seconds", "exit_code",
    "executed_steps", "failed_step", "reason",
)  # fmt: skip
#: So much of what a device says of its step is shown.
_LONGEST_STEP = 500


def device_json(line: DeviceLine, zone: ZoneInfo) -> dict[str, Any]:
    """Return a device for JSON; the CSV is made of the same with its lists as text."""
    device, job = line.device, line.job
    return {
        "uuid": device.uuid,
        "name": device.name,
        "type": device.type,
        "state": line.standing.value,
        "is_active": device.is_active,
        "is_online": line.standing is Standing.ONLINE,
        "last_contact": local_text(device.seen_at, zone),
        "last_contact_from": device.seen_from,
        "groups": list(line.groups),
        "tags": dict(line.tags),
        **{
            name: getattr(device, name) for name in ("zone", "ip_address", "mac_address", "os_version", "agent_version")
        },
        "provisioning_state": device.provisioning_state,
        "job_id": job.job_id if job else None,
        "job_name": job.name if job else None,
        "job_state": job.state if job else None,
        "created_at": local_text(device.created_at, zone),
    }


def device_csv(line: DeviceLine, zone: ZoneInfo) -> Mapping[str, object]:
    """Return a device as a row of CSV_COLUMNS."""
    tags = ", ".join(f"{key}={value}" for key, value in line.tags.items())
    return {**device_json(line, zone), "groups": ", ".join(line.groups), "tags": tags}


def job_json(job: JobLine, zone: ZoneInfo) -> dict[str, Any]:
    """Return a job of a device for JSON and as a row of JOB_COLUMNS."""
    return {
        "job_id": job.job_id,
        "name": job.name,
        "state": job.state,
        "number": job.number,
        **{name: local_text(getattr(job, name), zone) for name in ("queued_at", "started_at", "completed_at")},
        "duration_seconds": seconds_of(job),
        **{name: getattr(job, name) for name in ("exit_code", "executed_steps", "failed_step", "reason")},
    }


def seconds_of(job: JobLine) -> float | None:
    """Return how long a device was at a job that has ended, None for one that it has not begun or is at still."""
    if job.started_at is None or job.completed_at is None:
        return None
    return (job.completed_at - job.started_at).total_seconds()


def answer(found: DevicePage) -> str:
    """Return the sentence above the list: how many devices there are, and how they stand."""
    if not found.total:
        return _("No device yet.")
    parts = [
        f"{grouped(found.standings[standing])} {words}"
        for standing, words in STANDINGS.items()
        if found.standings.get(standing)
    ]
    sentence = ngettext(
        "%(count)s device: %(what)s.",
        "%(count)s devices: %(what)s.",
        found.total,
        count=grouped(found.total),
        what=", ".join(parts),
    )
    return (
        sentence
        if found.filtered == found.total
        else sentence + " " + _("%(count)s shown.", count=grouped(found.filtered))
    )


def success(done: Workload) -> str:
    """Return how many of the newest jobs of a device went well, in words."""
    if not done.judged:
        return _("No job of the last 30 days has ended.")
    return ngettext(
        "%(good)s of %(count)s job of the last 30 days succeeded (%(share)s %%).",
        "%(good)s of %(count)s jobs of the last 30 days succeeded (%(share)s %%).",
        done.judged,
        good=grouped(done.succeeded),
        count=grouped(done.judged),
        share=int(100 * done.succeeded / done.judged),
    )


def step_of(job: JobLine) -> str:
    """Return what a device says that it is at in a job, as far as it does."""
    step = job.details.get("step") or job.details.get("message")
    return fleet_words.whole(str(step)[:_LONGEST_STEP]) if isinstance(step, str | int) else ""
