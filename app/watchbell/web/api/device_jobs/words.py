"""Our rows in the words of this family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from watchbell.domain import job_document
from watchbell.domain.fleet_state import DeviceJobState, ExecutionState, wire_word
from watchbell.services import fleet_orders
from watchbell.services.carried import Carrier
from watchbell.services.carried_moments import Shown as ShownMoment
from watchbell.services.device_jobs import Poll
from watchbell.services.devices import DeviceView
from watchbell.services.fleet_jobs import Previewed, Shown
from watchbell.services.fleet_orders import Order
from watchbell.services.fleet_rollouts import Wave
from watchbell.store.devices import Device
from watchbell.store.fleet_jobs import DeviceJob, Execution
from watchbell.store.fleet_schedules import FleetSchedule
from watchbell.store.job_library import JobHandler, JobTemplate
from watchbell.web import current

#: A list carries so much of an output.
EXCERPT = 500
#: An order with more devices is a list of them.
MOST_WHOLE = 20
_PLAIN_PART = ("id", "exit_code", "reason", "executed_steps", "failed_step")


def moment(at: datetime | None) -> str | None:
    """Return a time as ISO 8601."""
    return at.isoformat() if at is not None else None


def maker(given: Mapping[str, Any]) -> str:
    """Return who is to stand as who made something: whom the request names, and behind that who has sent it, if that is known."""
    claimed, actor = str(given.get("created_by") or ""), current.actor()
    if not claimed or claimed == actor:
        return actor
    return f"{claimed} ({actor})" if current.config().uses_login else claimed


def template(row: JobTemplate) -> dict[str, Any]:
    """Return a template."""
    names = ("id", "name", "description", "category", "created_by", "is_active")
    return {
        **{name: getattr(row, name) for name in names},
        "job_document": row.document,
        "created_at": moment(row.created_at),
        "updated_at": moment(row.updated_at),
    }


def handler(row: JobHandler) -> dict[str, Any]:
    """Return a handler with its script."""
    names = ("id", "description", "script_content", "created_by", "is_active")
    return {
        **delivered(row),
        **{name: getattr(row, name) for name in names},
        "created_at": moment(row.created_at),
        "updated_at": moment(row.updated_at),
    }


def delivered(row: JobHandler) -> dict[str, Any]:
    """Return what a device is told of a handler that it may have already."""
    names = ("name", "script_type", "sha256", "permissions", "default_args")
    return {name: getattr(row, name) for name in names}


def execution(shown: Shown) -> dict[str, Any]:
    """Return an order."""
    row = shown.execution
    counts = {f"{_counted(state)}_devices": int(row.counts.get(state.value, 0)) for state in DeviceJobState}
    return {
        "id": row.id,
        "job_id": row.job_id,
        "template_id": row.template_id,
        "job_name": row.name,
        "job_document": row.document,
        "target_type": row.target_type,
        "target_devices": list(shown.targets),
        "target_filter": row.target_filter,
        **_order(row),
        "status": wire_word(ExecutionState(row.state)),
        **{name: getattr(row, name) for name in ("rollout", "wave", "waves", "paused_reason", "rollback_document")},
        "is_paused": row.paused_reason is not None,
        "rollback_of": row.rollback_of,
        "queued_at": moment(row.queued_at),
        "started_at": moment(row.started_at),
        "completed_at": moment(row.completed_at),
        "total_devices": row.total,
        **counts,
        "priority": row.priority,
        "created_by": row.created_by,
        "created_at": moment(row.created_at),
        "updated_at": moment(row.updated_at),
    }


def previewed(one: Previewed) -> dict[str, Any]:
    """Return what becomes of an order on a device."""
    return {
        "uuid": one.uuid,
        "device_name": one.name,
        "is_online": one.is_online,
        "unmet": one.unmet,
        "begins_at": moment(one.begins_at),
    }


def warnings(order: Order, document: Mapping[str, Any], undo: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """Return a warning for each field of an order and its documents that nothing acts on."""
    once = "says nothing here and changes nothing; an order is given once, and POST /jobs/schedules gives it again and again"
    said = "says nothing here and changes nothing; the order and its schedule say when, how often and for how long"
    documents = (("job_document", document), ("rollback_document", undo or {}))
    return [
        *({"field": name, "message": once} for name in fleet_orders.unread_in(order)),
        *(
            {"field": f"{place}.{name}", "message": said}
            for place, one in documents
            for name in job_document.unread_in(one)
        ),
    ]


def waves(found: Sequence[Wave]) -> list[dict[str, Any]]:
    """Return the waves of an order."""
    return [
        {
            "wave": wave.number,
            "is_released": wave.is_released,
            "total_devices": sum(wave.counts.values()),
            "devices": {wire_word(state): count for state, count in sorted(wave.counts.items())},
        }
        for wave in found
    ]


def _order(row: Execution) -> dict[str, Any]:
    return {
        "execution_type": row.execution_type,
        "schedule": row.schedule,
        "max_executions": row.max_executions,
        "timeout_minutes": -(-row.timeout_seconds // 60),
        "timeout_seconds": row.timeout_seconds,
    }


def _counted(state: DeviceJobState) -> str:
    return wire_word(state).lower()


def part(row: DeviceJob, job_id: str, uuid: str, *, whole: bool = True) -> dict[str, Any]:
    """Return what has become of an order on a device; in a list without ``whole`` outputs."""
    return {
        **{name: getattr(row, name) for name in _PLAIN_PART},
        "job_id": job_id,
        "device_uuid": uuid,
        "status": wire_word(DeviceJobState(row.state)),
        "execution_number": row.number,
        "version_number": row.version,
        "queued_at": moment(row.queued_at),
        "started_at": moment(row.started_at),
        "last_updated_at": moment(row.updated_at),
        "completed_at": moment(row.completed_at),
        "stdout": row.stdout if whole or row.stdout is None else row.stdout[:EXCERPT],
        "stderr": row.stderr if whole or row.stderr is None else row.stderr[:EXCERPT],
        "status_details": row.details,
        "created_at": moment(row.queued_at),
        "updated_at": moment(row.updated_at),
    }


def parts(job_id: str, rows: Sequence[tuple[DeviceJob, Device]]) -> list[dict[str, Any]]:
    """Return what has become of an order on all of its devices."""
    whole = len(rows) <= MOST_WHOLE
    return [
        {
            **part(row, job_id, device.uuid, whole=whole),
            "device_name": device.name,
            "ip_address": device.ip_address or None,
        }
        for row, device in rows
    ]


def past_job(row: DeviceJob, order: Execution, uuid: str) -> dict[str, Any]:
    """Return a job in the history of a device."""
    more = {name: value for name, value in _order(order).items() if name in {"execution_type", "schedule"}}
    return {
        **part(row, order.job_id, uuid, whole=False),
        "job_name": order.name,
        "job_document": order.document,
        **more,
    }


def poll(found: Poll) -> dict[str, Any]:
    """Return what a device is told when it asks."""
    cancelled = {"cancelled_jobs": list(found.cancelled)} if found.cancelled else {}
    if found.offer is None:
        return {"message": "No pending jobs", **cancelled}
    order, row = found.offer.execution, found.offer.part
    return {
        "job_id": order.job_id,
        "job_name": order.name,
        "job_document": order.document,
        "timeout_seconds": order.timeout_seconds,
        "created_at": moment(row.queued_at),
        "execution_number": row.number,
        "version_number": row.version,
        "handlers": [delivered(one) for one in found.offer.handlers],
        **cancelled,
    }


def device(view: DeviceView) -> dict[str, Any]:
    """Return a device."""
    row = view.device
    return {
        "uuid": row.uuid,
        "device_name": row.name,
        "device_type": row.type,
        "is_online": view.is_online,
        "is_active": row.is_active,
        "status": "online" if view.is_online else "offline",
        "provisioning_state": row.provisioning_state,
        "last_connectivity_event": moment(row.seen_at),
        "ip_address": row.ip_address or None,
        "mac_address": row.mac_address or None,
        "os_version": row.os_version or None,
        "agent_version": row.agent_version or None,
        "zone": row.zone or None,
        "tags": dict(view.tags),
        "created_at": moment(row.created_at),
        "modified_at": moment(row.modified_at),
    }


def device_with_facts(view: DeviceView) -> dict[str, Any]:
    """Return a device with what its agent has told of it."""
    return {**device(view), "facts": view.device.facts, "facts_at": moment(view.device.facts_at)}


def schedule(row: FleetSchedule) -> dict[str, Any]:
    """Return a schedule."""
    names = (
        *("schedule_id", "description", "target_type", "target_devices", "target_filter", "schedule_type"),
        *("cron_expression", "interval_minutes", "max_executions", "is_active", "execution_count", "created_by"),
        *("is_carried", "catch_up", "version"),
    )
    return {
        "id": row.id,
        **{name: getattr(row, name) for name in names},
        "job_name": row.name,
        "job_document": row.document,
        "timeout_minutes": -(-row.timeout_seconds // 60),
        "timeout_seconds": row.timeout_seconds,
        "zone": row.zone,
        "last_execution_at": moment(row.last_execution_at),
        "next_execution_at": moment(row.next_at),
        "created_at": moment(row.created_at),
        "updated_at": moment(row.updated_at),
    }


def carrier(one: Carrier) -> dict[str, Any]:
    """Return a device that carries a schedule."""
    return {
        "device_uuid": one.device.uuid,
        "device_name": one.device.name,
        **{name: getattr(one, name) for name in ("version", "is_meant", "is_current")},
        "since": moment(one.since),
        "seen_at": moment(one.device.seen_at),
        "zone": one.device.zone,
    }


def carried_moment(one: ShownMoment) -> dict[str, Any]:
    """Return what has become of a moment on a device."""
    row = one.moment
    return {
        "device_uuid": one.device.uuid,
        "device_name": one.device.name,
        **{name: getattr(row, name) for name in ("key", "version", "outcome", "reason", "stands_for")},
        "due_at": moment(row.due_at),
        "reported_at": moment(row.reported_at),
        "job_id": one.execution.job_id if one.execution is not None else None,
        "status": wire_word(DeviceJobState(one.part.state)) if one.part is not None else None,
    }
