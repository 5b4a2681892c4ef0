"""Who speaks of a job of a device: the process of an agent that has begun it, the one that follows it, and nobody else."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from watchbell.domain.fleet_state import DeviceJobState
from watchbell.domain.presence import DEVICE_ONLINE
from watchbell.errors import Conflict
from watchbell.store.devices import Device
from watchbell.store.fleet_jobs import DeviceJob


class NotYet(Conflict):
    """It is not known yet whether this agent speaks for the device alone; tell it again later."""

    code = "not_yet"


@dataclasses.dataclass(frozen=True, slots=True)
class Speaker:
    """Who says of a job that it has come to a state."""

    state: DeviceJobState
    #: The fence of the assignment, and the process of an agent; None of a device that knows no such things.
    fence: int | None
    incarnation: str | None
    #: By which machine and folder that process is known, as far as it says.
    place: str


def foreign(part: DeviceJob, device: Device, given: Speaker) -> str:
    """Return why a report is not of whoever has the job, if it is not."""
    two = "another agent with the same credentials has it"
    if given.fence is None:
        return two if device.conflict_at is not None and part.begun_by else ""
    if given.fence != part.fence:
        return f"the job was given out under the fence {part.fence}, not {given.fence}"
    if given.state is not DeviceJobState.IN_PROGRESS:
        return ""
    # Only one process may begin it, and only the one that asks for the device.
    owner = part.begun_by or device.incarnation
    return "" if given.incarnation == owner else two


def require_heir(part: DeviceJob, device: Device, given: Speaker, now: datetime) -> None:
    """Raise NotYet for the result of a job from a process that has not begun it, unless that one has surely ended.

    The process that follows one that has crashed says what has become of its job, and so does a copy of its folder, while
    the one that has begun it still goes on. In the same folder of the same machine since it was started, of which one process
    has a lock, it has ended. Else it would be heard of while the other one speaks for the device, and that is waited for. On
    another machine there is nothing to wait for: that is no heir.
    """
    if given.fence is None or given.incarnation == part.begun_by:
        return
    if part.begun_place and given.place == part.begun_place and device.conflict_at is None:
        return
    speaks_alone = device.conflict_at is None and given.incarnation == device.incarnation
    if not part.begun_by:
        is_heir = speaks_alone
    else:
        has_waited = device.incarnation_at is not None and now - device.incarnation_at >= DEVICE_ONLINE
        is_heir = speaks_alone and has_waited and not _is_elsewhere(part.begun_place, given.place)
    if not is_heir:
        raise NotYet


def _is_elsewhere(place: str, other: str) -> bool:
    """Return whether two places are on two machines, as far as these have names."""
    machines = (place.partition("/")[0], other.partition("/")[0])
    return all(machines) and machines[0] != machines[1]
