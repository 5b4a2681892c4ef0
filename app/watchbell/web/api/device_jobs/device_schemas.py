"""What the routes about devices, and those that devices call, take and answer with."""

from __future__ import annotations

from watchbell.domain.fleet_state import DeviceJobState, wire_word
from watchbell.services.device_jobs import REPORT_ID_LIMIT
from watchbell.web.api import fields
from watchbell.web.api.device_jobs.schemas import DOCUMENT, MOST_ROWS, UUID, Delivered

_STATES = [wire_word(state) for state in DeviceJobState]
_FILTERS = {"active": True, "inactive": False}
_MOST_PAGES = 1_000_000


class DevicesAsked(fields.Schema):
    """Which devices."""

    online = fields.Flag(
        texts=True, metadata={"description": "Only those that were heard of lately, or only the others."}
    )
    filter = fields.Word(_FILTERS, metadata={"example": "active"})
    page = fields.Whole(texts=True, load_default=1, validate=fields.between(1, _MOST_PAGES), metadata={"example": 1})
    limit = fields.limit(10, MOST_ROWS)


class Device(fields.Schema):
    """A managed machine."""

    uuid = fields.Text(required=True, metadata={"example": UUID})
    device_name = fields.Text(required=True, metadata={"example": "pi-kitchen"})
    device_type = fields.Text(required=True, metadata={"example": "gateway"})
    is_online = fields.Flag(required=True)
    is_active = fields.Flag(required=True, metadata={"description": "Whether it may ask for jobs."})
    status = fields.Word(("online", "offline"), required=True)
    provisioning_state = fields.Text(required=True, metadata={"example": "provisioned"})
    last_connectivity_event = fields.Moment(required=True, allow_none=True)
    ip_address = fields.Text(required=True, allow_none=True)
    mac_address = fields.Text(required=True, allow_none=True)
    os_version = fields.Text(required=True, allow_none=True)
    agent_version = fields.Text(required=True, allow_none=True)
    zone = fields.Text(required=True, allow_none=True)
    tags = fields.Mapped(values=fields.Text(), required=True, metadata={"example": {"site": "north"}})
    created_at = fields.Moment(required=True)
    modified_at = fields.Moment(required=True)


class Pagination(fields.Schema):
    """Where in the list this answer is."""

    page = fields.Whole(required=True)
    limit = fields.Whole(required=True)
    totalDevices = fields.Whole(required=True)  # noqa: N815 - this is its name on the wire.
    totalPages = fields.Whole(required=True)  # noqa: N815 - as above.


class DeviceList(fields.Schema):
    """Devices by name."""

    count = fields.Whole(required=True, metadata={"description": "How many there are in this answer."})
    devices = fields.Many(fields.Nested(Device), required=True)
    pagination = fields.Nested(Pagination, required=True)


class DeviceFound(fields.Schema):
    """A device."""

    success = fields.Flag(required=True)
    device = fields.Nested(Device, required=True)


class DeviceWithFacts(Device):
    """A managed machine with what its agent has told of it."""

    facts = fields.Mapped(
        required=True,
        metadata={
            "description": "What its agent tells: system, load, memory, disk, addresses and more. Nobody has checked it.",
            "example": {"load_1": 0.4, "memory_available_bytes": 1_073_741_824},
        },
    )
    facts_at = fields.Moment(required=True, allow_none=True)


class DeviceShown(fields.Schema):
    """A device with what its agent has told of it."""

    success = fields.Flag(required=True)
    device = fields.Nested(DeviceWithFacts, required=True)


class DeviceMade(DeviceFound):
    """A device that was made, and its key, which is told this once."""

    api_key = fields.Text(required=True, metadata={"example": "wbd_…"})


class DeviceChange(fields.Schema):
    """What is to be changed of a device."""

    deviceName = fields.Text(metadata={"example": "pi-kitchen"})  # noqa: N815 - this is its name on the wire.
    deviceType = fields.Text(metadata={"example": "gateway"})  # noqa: N815 - as above.
    ipAddress = fields.Text(allow_none=True, metadata={"example": "10.0.0.7"})  # noqa: N815 - as above.
    macAddress = fields.Text(allow_none=True)  # noqa: N815 - as above.


class NewDevice(DeviceChange):
    """A device to be made."""

    deviceName = fields.Text(required=True, metadata={"example": "pi-kitchen"})  # noqa: N815 - as above.
    deviceType = fields.Text(load_default="gateway", metadata={"example": "gateway"})  # noqa: N815 - as above.
    uuid = fields.Text(metadata={"description": "Its own, if it has one already.", "example": UUID})


class Activity(fields.Schema):
    """Whether a device takes part."""

    is_active = fields.Flag(required=True, metadata={"example": True})


class Tags(fields.Schema):
    """All tags of a device."""

    tags = fields.Mapped(required=True, metadata={"example": {"site": "north"}})


class Key(fields.Schema):
    """A device's key, which is told this once."""

    success = fields.Flag(required=True)
    api_key = fields.Text(required=True, metadata={"example": "wbd_…"})


class Done(fields.Schema):
    """It is done."""

    success = fields.Flag(required=True)
    message = fields.Text(required=True)


class Query(fields.Schema):
    """Tags that devices must have, all of them."""

    tagSelectors = fields.Mapped(required=True, metadata={"example": {"site": "north"}})  # noqa: N815 - its name.


class DevicesFound(fields.Schema):
    """The active devices that have all of the tags."""

    count = fields.Whole(required=True)
    devices = fields.Many(fields.Nested(Device), required=True)


class GroupChange(fields.Schema):
    """The devices that a group is to be of."""

    description = fields.Text(load_default="", validate=fields.long(0, 2000))
    devices = fields.Many(fields.Text(), required=True, metadata={"example": [UUID]})


class Group(fields.Schema):
    """A set of devices under a name."""

    name = fields.Text(required=True, metadata={"example": "kitchens"})
    description = fields.Text(required=True)
    devices = fields.Whole(required=True, metadata={"description": "How many there are."})


class GroupList(fields.Schema):
    """All groups by name."""

    groups = fields.Many(fields.Nested(Group), required=True)
    total = fields.Whole(required=True)


class NextJob(fields.Schema):
    """What a device is to do, or only a message that there is nothing."""

    message = fields.Text(
        metadata={"description": "In place of all else if there is no job.", "example": "No pending jobs"}
    )
    job_id = fields.Text()
    job_name = fields.Text()
    job_document = fields.Mapped(metadata=DOCUMENT)
    timeout_seconds = fields.Whole(metadata={"description": "After so long without a result it is TIMED_OUT."})
    created_at = fields.Moment(metadata={"description": "When it was queued."})
    execution_number = fields.Whole(metadata={"description": "Which attempt of this device it is."})
    version_number = fields.Whole(metadata={"description": "What a report may expect."})
    handlers = fields.Many(fields.Nested(Delivered), metadata={"description": "What its steps name."})
    cancelled_jobs = fields.Many(
        fields.Text(), metadata={"description": "What the device may be at still and is to stop; told once."}
    )


class HandlerAsked(fields.Schema):
    """Which script of a handler."""

    sha256 = fields.Text(
        metadata={
            "description": "The digest that the job told; by default the script as it is now.",
            "example": "9f86…",
        }
    )


class NewReport(fields.Schema):
    """What a device says of a job; what is absent stays as it is."""

    status = fields.Word(_STATES, required=True, metadata={"example": "SUCCEEDED"})
    exit_code = fields.Whole(allow_none=True, validate=fields.between(-(2**31), 2**31 - 1), metadata={"example": 0})
    stdout = fields.Output(allow_none=True)
    stderr = fields.Output(allow_none=True)
    reason = fields.Output(allow_none=True)
    message = fields.Output(allow_none=True, metadata={"description": "The same as in `status_details`."})
    executed_steps = fields.Whole(allow_none=True, validate=fields.between(0, 1000))
    failed_step = fields.Output(allow_none=True)
    status_details = fields.Mapped(allow_none=True, metadata={"example": {"message": "Job completed successfully"}})
    report_id = fields.Text(
        allow_none=True,
        validate=fields.long(1, REPORT_ID_LIMIT),
        metadata={"description": "A number of the device's own; under it the report is taken once."},
    )
    expected_version = fields.Whole(
        allow_none=True,
        validate=fields.between(1, 2**31 - 1),
        metadata={"description": "The version that the device knows; the report of another one is refused."},
    )
    step_timeout_seconds = fields.Whole(
        allow_none=True,
        validate=fields.between(1, 604_800),
        metadata={"description": "How long the present step may take; never more than the whole."},
    )


class DeviceJob(fields.Schema):
    """What has become of a job on a device."""

    id = fields.Whole(required=True)
    job_id = fields.Text(required=True)
    device_uuid = fields.Text(required=True, metadata={"example": UUID})
    status = fields.Word(_STATES, required=True)
    execution_number = fields.Whole(required=True)
    version_number = fields.Whole(required=True)
    queued_at = fields.Moment(required=True)
    started_at = fields.Moment(required=True, allow_none=True)
    last_updated_at = fields.Moment(required=True)
    completed_at = fields.Moment(required=True, allow_none=True)
    exit_code = fields.Whole(required=True, allow_none=True)
    stdout = fields.Text(required=True, allow_none=True)
    stderr = fields.Text(required=True, allow_none=True)
    reason = fields.Text(required=True, allow_none=True)
    executed_steps = fields.Whole(required=True, allow_none=True)
    failed_step = fields.Text(required=True, allow_none=True)
    status_details = fields.Mapped(required=True)
    created_at = fields.Moment(required=True)
    updated_at = fields.Moment(required=True)


class NamedDeviceJob(DeviceJob):
    """What has become of a job on a device, with the device."""

    device_name = fields.Text(required=True)
    ip_address = fields.Text(required=True, allow_none=True)


class PastJob(DeviceJob):
    """A job in the history of a device."""

    job_name = fields.Text(required=True)
    job_document = fields.Mapped(required=True, metadata=DOCUMENT)
    execution_type = fields.Text(required=True)
    schedule = fields.Mapped(required=True, allow_none=True)


class HistoryAsked(fields.Schema):
    """Which jobs of a device."""

    status = fields.Word(_STATES, metadata={"example": "FAILED"})
    limit = fields.limit(20, MOST_ROWS)
    offset = fields.Whole(texts=True, load_default=0, validate=fields.between(0, 10_000_000))


class History(fields.Schema):
    """The jobs of a device, newest first, with the beginnings of what they wrote."""

    device_uuid = fields.Text(required=True)
    jobs = fields.Many(fields.Nested(PastJob), required=True)
    total = fields.Whole(required=True, metadata={"description": "How many there are altogether."})
    page = fields.Whole(required=True)
    pageSize = fields.Whole(required=True)  # noqa: N815 - this is its name on the wire.
    totalPages = fields.Whole(required=True)  # noqa: N815 - as above.
