"""The agents on devices: which process speaks for a device, what it is told, and what happens when two do.

A page shows what ``list_conflicts`` and the columns ``conflict_at`` and ``conflict_from`` of a device say, and offers
``settle``: the credentials of the device are in two places, one of which has to be switched off first.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from watchbell.domain import job_document
from watchbell.domain.agent_protocol import Assignment, Told
from watchbell.domain.fleet_state import FINAL, DeviceJobState
from watchbell.errors import Conflict
from watchbell.services import audit, carried, device_facts, device_jobs, device_secrets, devices, joining
from watchbell.services.device_facts import FactsTold
from watchbell.services.device_jobs import Offer
from watchbell.services.device_secrets import Way
from watchbell.store import devices as device_store
from watchbell.store import fleet_jobs as store
from watchbell.store.device_polls import Asker
from watchbell.store.devices import Device
from watchbell.store.fleet_jobs import DeviceJob
from watchbell.store.secret_box import SecretBox
from watchbell.store.session import Database, Session

#: Fences count the seconds since then, or one by one where that is more: so that they grow on when an older database is
#: restored, and agents do not take what is new for old.
_FIRST_FENCE = datetime(2025, 1, 1, tzinfo=UTC)


#: Writes down what a device has told of its machine.
FactsNote = Callable[[Database, FactsTold], None]


class DuplicateIdentity(Conflict):
    """Two agents have shown the credentials of this device; neither gets a job until somebody has settled it."""

    code = "duplicate_identity"


class OutOfTurn(Conflict):
    """A later request of this agent was answered already."""

    code = "out_of_turn"


class NotEnrolled(Conflict):
    """This device has not joined with a code, so that nothing can be signed for it; let it join with one."""

    code = "not_enrolled"


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What an agent says when it asks for a job."""

    #: A number that the process of the agent has drawn when it began.
    incarnation: str
    #: The numbers of the processes before it that may have been heard of, as far as it knows.
    earlier: Sequence[str]
    #: Grows with each request of the process.
    seq: int
    #: The job that it is at, and the fence of its assignment.
    holds: tuple[str, int] | None = None
    #: What it tells of its machine, if anything of that has changed; checked, and hostile all the same.
    facts: Mapping[str, Any] | None = None
    #: What its clock says, and how long its last request took.
    clock: datetime | None = None
    round_trip_ms: int | None = None
    #: What it says that it knows beside what every agent does.
    knows: frozenset[str] = frozenset()
    #: Whether nobody between reads the answer.
    is_private: bool = False
    #: The schedules that it carries, each with its version; None of an agent that knows no such things.
    carries: Mapping[str, int] | None = None
    #: Whether it is at something that it carries, and begins nothing else.
    is_at_carried: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What an agent is told, and what that is to be signed with besides the server's own secret."""

    uuid: str
    salt: str
    told: Told


def poll(
    db: Database,
    uuid: str,
    asked: Asked,
    *,
    now: datetime,
    address: str = "",
    asker: Asker | None = None,
    note: FactsNote | None = None,
) -> Answer:
    """Return what the agent of a device is to do and to stop; one assignment goes to one process, which may begin it.

    ``asker`` is the device as it was found by the key of this very request, for whoever has looked already, and ``note``
    writes down a moment later what need not be known at once.
    Raises NotFound, DeviceInactive, NotEnrolled, OutOfTurn for a request that was overtaken by a later one, and
    DuplicateIdentity, which is noted, for a process that follows none of those that were heard of.
    """
    quiet = _quiet(db, asker, asked, now, note) if asker is not None and asker.uuid == uuid else None
    if quiet is not None:
        return quiet
    with db.read() as session:
        device = _require(session, uuid)
        is_known = device.incarnation == asked.incarnation
        if is_known and device.conflict_at is None and asked.facts is None:
            _require_turn(device, asked)
            idle = _idle(session, device, asked, now)
            if idle is not None:
                return idle
    with db.write() as session:
        device = _require(session, uuid, lock=True)
        if not _take_over(session, device, asked, now=now, address=address):
            # Only after this transaction, which keeps what was noted.
            told = None
        else:
            if asked.facts is not None:
                _keep_facts(session, device, asked, asked.facts, now=now)
            told = _tell(session, device, asked, now, db.box)
    if told is None:
        raise DuplicateIdentity
    return told


def _quiet(db: Database, found: Asker, asked: Asked, now: datetime, note: FactsNote | None) -> Answer | None:
    """Return the answer to a request for which there is nothing, as there nearly always is, with no further look.

    What it tells of its machine is left to ``note`` if no order chooses by what of it is new.
    """
    if asked.holds is not None or found.is_in_conflict or found.has_news or not found.is_active:
        return None
    is_new = found.incarnation != asked.incarnation or asked.seq <= found.poll_seq
    # What is carried is looked at more closely if there is any.
    is_other = asked.carries is not None and (found.is_any_carried or found.carried_mark != carried.mark(asked.carries))
    if is_new or is_other or found.signing_salt is None:
        return None
    if asked.facts is not None:
        if note is None or not device_facts.attributes_of(asked.facts).items() <= found.attributes.items():
            return None
        kept = device_facts.kept_of(asked.facts, agents_clock=asked.clock, round_trip_ms=asked.round_trip_ms, now=now)
        note(db, FactsTold(found.id, now, kept))
    return Answer(found.uuid, found.signing_salt, Told(None, (), {} if asked.carries is not None else None))


def give_carried(
    db: Database, uuid: str, incarnation: str, schedule_id: str, *, now: datetime
) -> tuple[str, dict[str, Any]]:
    """Return the salt of a device, and a schedule that it is to carry, which it is told under its own signature.

    Raises NotFound, DeviceInactive, NotEnrolled, NotCarried, and DuplicateIdentity while two agents have its credentials.
    """
    with db.write() as session:
        device = _require(session, uuid, lock=True)
        if device.conflict_at is not None or device.incarnation != incarnation:
            raise DuplicateIdentity
        assert device.signing_salt is not None
        return device.signing_salt, carried.give(session, device, schedule_id, now=now)


def settle(db: Database, uuid: str, *, now: datetime, actor: str) -> None:
    """Say that only one agent is left that has the credentials of a device: the next one that asks is taken to be it.

    Raises NotFound, and Conflict if nothing was to be settled.
    """
    with db.write() as session:
        device = devices.require(session, uuid, lock=True)
        if device.conflict_at is None:
            raise Conflict("only one agent has shown the credentials of this device")
        device.conflict_at, device.conflict_from, device.incarnation, device.poll_seq = None, "", "", 0
        _note(session, "settle", device, now=now, actor=actor)


def note_distrust(db: Database, uuid: str, reason: str, *, now: datetime) -> None:
    """Write down that the agent of a device has not acted on an answer: somebody between has changed it, or made it."""
    with db.read() as session:
        device = devices.require(session, uuid)
    subject = f"device:{device.uuid}"
    audit.note_alone(db, "agent.distrust", subject, now=now, actor=device.uuid, name=device.name, reason=reason)


def list_conflicts(db: Database) -> Sequence[Device]:
    """Return the devices whose credentials two agents have shown, the first one first."""
    with db.read() as session:
        return device_store.list_conflicts(session)


def _require(session: Session, uuid: str, *, lock: bool = False) -> Device:
    device = device_jobs.require_active(session, uuid, lock=lock)
    if device.signing_salt is None:
        raise NotEnrolled
    return device


def _require_turn(device: Device, asked: Asked) -> None:
    if asked.seq <= device.poll_seq:
        raise OutOfTurn


def _idle(session: Session, device: Device, asked: Asked, now: datetime) -> Answer | None:
    """Return the answer to a request that changes nothing, None if it may change something."""
    if store.list_untold(session, device.id) or _has_carried_news(device, asked):
        return None
    found = store.find_next(session, device.id, now)
    is_free = not asked.is_at_carried
    if is_free and found is not None and (found.state == DeviceJobState.QUEUED.value or _may_begin(found, asked)):
        return None
    return _answer(device, Told(None, tuple(_stopped(session, device, asked)), _carried(session, device, asked, now)))


def _has_carried_news(device: Device, asked: Asked) -> bool:
    return asked.carries is not None and carried.is_news(device, asked.carries)


def _carried(session: Session, device: Device, asked: Asked, now: datetime) -> dict[str, int] | None:
    return carried.wanted(session, device, now) if asked.carries is not None else None


def _take_over(session: Session, device: Device, asked: Asked, *, now: datetime, address: str) -> bool:
    """Let a process speak for its device if it follows the one that has, and return whether it may."""
    if device.conflict_at is not None:
        return False
    if device.incarnation == asked.incarnation:
        _require_turn(device, asked)
    elif device.incarnation and device.incarnation not in asked.earlier:
        device.conflict_at, device.conflict_from = now, address[:64]
        said = {"first": device.incarnation, "first_from": device.seen_from, "second": asked.incarnation}
        _note(session, "conflict", device, now=now, actor=device.uuid, second_from=address, **said)
        return False
    else:
        device.incarnation, device.incarnation_at = asked.incarnation, now
    device.poll_seq = asked.seq
    return True


def _keep_facts(session: Session, device: Device, asked: Asked, facts: Mapping[str, Any], *, now: datetime) -> None:
    """Keep what a device tells of its machine; what orders choose by is kept where they look."""
    kept = device_facts.kept_of(facts, agents_clock=asked.clock, round_trip_ms=asked.round_trip_ms, now=now)
    device.facts, device.facts_at = kept, now
    told = device_facts.attributes_of(facts)
    changed = {name: value for name, value in told.items() if value != getattr(device, name)}
    for name, value in changed.items():
        setattr(device, name, value)
    if changed:
        session.flush()
        # An order that stands may mean the device from now on.
        joining.take_in(session, device, now=now)


def _tell(session: Session, device: Device, asked: Asked, now: datetime, box: SecretBox) -> Answer:
    untold = store.list_untold(session, device.id)
    if untold:
        store.note_told(session, [part.id for part, _job_id in untold])
    if asked.carries is not None and _has_carried_news(device, asked):
        carried.note(session, device, asked.carries, now=now)
    cancelled = dict.fromkeys([*(job_id for _part, job_id in untold), *_stopped(session, device, asked)])
    way = Way(box, asked.knows, asked.is_private)
    offer = device_jobs.take_next(session, device, now, way) if not asked.is_at_carried else None
    is_given = offer is not None and _may_begin(offer.part, asked)
    assignment = _assign(session, device, offer, now, way) if offer is not None and is_given else None
    return _answer(device, Told(assignment, tuple(cancelled), _carried(session, device, asked, now)))


def _may_begin(part: DeviceJob, asked: Asked) -> bool:
    """Return whether a process may be given a job that its device has.

    What a process has begun is begun by no other: the one that follows it reports what it knows of it. The same one is given
    it again if it has not heard that it may begin.
    """
    return not part.begun_by or (part.begun_by == asked.incarnation and asked.holds is None)


def _assign(session: Session, device: Device, offer: Offer, now: datetime, way: Way) -> Assignment | None:
    """Return a job as it is signed, with the values of the secrets that it names; None if those cannot be given any more."""
    part = offer.part
    document = job_document.read(offer.execution.document, is_filled=True)
    refusal = device_secrets.refusal(session, document, way)
    if refusal is not None:
        # It was given before, and could be then.
        device_jobs.reject(session, offer.execution, part, device, refusal, now=now)
        return None
    if part.fence == 0:
        device.last_fence = max(device.last_fence + 1, int((now - _FIRST_FENCE).total_seconds()))
        part.fence = device.last_fence
    left = (part.deadline_at - now).total_seconds() if part.deadline_at is not None else offer.execution.timeout_seconds
    payload: dict[str, Any] = {
        "job_name": offer.execution.name,
        "document": offer.execution.document,
        "timeout_seconds": max(math.ceil(left), 1),
        "handlers": [{"name": one.name, "sha256": one.sha256} for one in offer.handlers],
    }
    values = device_secrets.give(session, way.box, document, device, part, offer.execution.job_id, now=now)
    if values:
        payload["secrets"] = dict(values)
    return Assignment(offer.execution.job_id, part.number, part.fence, payload)


def _stopped(session: Session, device: Device, asked: Asked) -> list[str]:
    """Return the job that an agent is at if it has ended here, and is to be stopped there."""
    if asked.holds is None:
        return []
    job_id, fence = asked.holds
    execution = store.find_execution(session, job_id)
    part = store.find_part(session, execution.id, device.id) if execution is not None else None
    is_wanted = part is not None and part.fence == fence and DeviceJobState(part.state) not in FINAL
    return [] if is_wanted else [job_id]


def _answer(device: Device, told: Told) -> Answer:
    assert device.signing_salt is not None
    return Answer(device.uuid, device.signing_salt, told)


def _note(session: Session, deed: str, device: Device, *, now: datetime, actor: str, **said: Any) -> None:
    subject = f"device:{device.uuid}"
    audit.note(session, f"agent.{deed}", subject, now=now, actor=actor, name=device.name, detail=said)
