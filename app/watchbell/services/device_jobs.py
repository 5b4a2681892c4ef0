"""The part of one device in orders: what it is to do next, what it reports, and what becomes of it when its time is over."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from watchbell.domain import job_document
from watchbell.domain.fleet_state import (
    FINAL,
    REPORTABLE,
    DeviceJobState,
    IllegalTransition,
    advance,
    reported,
    wire_word,
)
from watchbell.errors import Conflict, InputError, NotFound
from watchbell.services import device_secrets, devices, fleet_jobs, fleet_moves, joining, speakers
from watchbell.services.device_secrets import Way
from watchbell.services.speakers import Speaker
from watchbell.store import device_polls as poll_store
from watchbell.store import device_reports as log_store
from watchbell.store import devices as device_store
from watchbell.store import fleet_jobs as store
from watchbell.store import job_library as library_store
from watchbell.store.device_reports import DeviceJobEvent, DeviceReport
from watchbell.store.devices import Device
from watchbell.store.fleet_jobs import DeviceJob, Execution
from watchbell.store.job_library import JobHandler
from watchbell.store.session import Database, Session

#: So much of an output is kept, half of it from the beginning and half from the end.
OUTPUT_LIMIT = 64 * 1024
REASON_LIMIT = 4096
DETAILS_LIMIT = 16 * 1024
REPORT_ID_LIMIT = 100
#: So many reports of a job that has ended are kept beside it.
MOST_LATE = 20
#: Of one job so many numbers of reports are known. Behind that the same report again is known by what it says alone.
MOST_REPORTS = 500
#: The numbers of reports are known for so long.
REPORTS_KEPT = timedelta(days=30)
#: The fields of a report that describe the result; those that are absent stay as they are.
RESULT_FIELDS = ("exit_code", "stdout", "stderr", "reason", "executed_steps", "failed_step")
_CUT = "\n[{} characters were not kept]\n"
#: Of one device so many jobs are looked at in one poll, should it reject all of them.
_MOST_REJECTED = 100


class PartNotFound(NotFound):
    """Job status not found."""


class ReportRefused(Conflict):
    """The job is not in a state that this could follow."""

    def __init__(self, message: str, part: DeviceJob, *, is_lasting: bool = True) -> None:
        super().__init__(message)
        #: Whether the same report will be refused whenever it comes.
        self.is_lasting = is_lasting
        #: The part as it is.
        self.state = DeviceJobState(part.state)
        self.version = part.version


class DeviceInactive(Conflict):
    """The device is not active."""

    code = "device_inactive"


@dataclasses.dataclass(frozen=True, slots=True)
class Offer:
    """What a device is to do."""

    part: DeviceJob
    execution: Execution
    #: The handlers that it names, as the device is to have them.
    handlers: Sequence[JobHandler]


@dataclasses.dataclass(frozen=True, slots=True)
class Poll:
    """What a device is told when it asks."""

    offer: Offer | None
    #: What it had and is to stop.
    cancelled: Sequence[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What a device says of its part in an order."""

    state: DeviceJobState
    #: Those of RESULT_FIELDS that it says anything of.
    result: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    details: Mapping[str, Any] | None = None
    #: A number of the device's own: the same report under it is taken once, however often it comes.
    report_id: str | None = None
    #: The version of the part that the device knows.
    expected_version: int | None = None
    #: How long the step that it is at may take; it shortens the time of the whole and never lengthens it.
    step_timeout_seconds: int | None = None
    #: The assignment that it is about, and the process of an agent that says it; None of a device that knows no such things.
    fence: int | None = None
    incarnation: str | None = None
    #: By which machine and folder that process is known, as far as it says.
    place: str = ""

    @property
    def digest(self) -> str:
        """A mark of all that it says."""
        told = [self.state.value, dict(self.result), self.details, self.step_timeout_seconds]
        told += [] if self.fence is None else [self.fence, self.incarnation]
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def poll(db: Database, uuid: str, *, now: datetime) -> Poll:
    """Return what a device is to do next, which it has from now on, and what it is to stop.

    What it has already comes again before anything new, so that a device that crashed finds it. While two agents show its
    credentials it is told nothing, here as there. Raises NotFound for a device
    that is not there and DeviceInactive.
    """
    with db.read() as session:
        asker = poll_store.find_asker(session, uuid.lower(), now)
        if asker is not None and asker.is_active and (asker.is_in_conflict or not asker.has_news):
            return Poll(None, ())
        device = require_active(session, uuid)
        found = store.find_next(session, device.id, now)
        untold = store.list_untold(session, device.id)
        if not untold and (found is None or found.state == DeviceJobState.IN_PROGRESS.value):
            return Poll(_offer(session, found) if found is not None else None, ())
    with db.write() as session:
        device = require_active(session, uuid, lock=True)
        untold = store.list_untold(session, device.id)
        if untold:
            store.note_told(session, [part.id for part, _job_id in untold])
        return Poll(take_next(session, device, now, Way(db.box)), [job_id for _part, job_id in untold])


def report(db: Database, uuid: str, job_id: str, given: Report, *, now: datetime) -> tuple[DeviceJob, str]:
    """Take what a device says of its part and return the part as it is then, with the name of its order.

    The same report again changes nothing and is answered as before. Raises NotFound, InputError, NotYet, and ReportRefused for
    what cannot follow: of a part that has ended it is kept beside it.
    """
    _check(given)
    refusal: ReportRefused | None = None
    with db.write() as session:
        execution, device, part = _require_part(session, uuid, job_id, lock=True)
        known = log_store.find_report(session, device.id, given.report_id) if given.report_id else None
        if known is not None and known.digest != given.digest:
            raise Conflict(f"report_id {given.report_id!r} was another report's")
        if known is None:
            refusal = _take(session, execution, device, part, given, now=now)
            is_lasting = refusal is None or refusal.is_lasting
            if given.report_id and is_lasting and not log_store.has_reports(session, part.id, MOST_REPORTS):
                words = refusal.message if refusal is not None else None
                log_store.add_report(
                    session,
                    DeviceReport(
                        device_id=device.id, report_id=given.report_id, digest=given.digest, device_job_id=part.id,
                        refusal=words, at=now,
                    ),
                )  # fmt: skip
        elif known.refusal is not None:
            refusal = ReportRefused(known.refusal, part)
    # Only now: what was noted of a report that is refused stays.
    if refusal is not None:
        raise refusal
    return part, execution.job_id


def history(
    db: Database, uuid: str, *, state: DeviceJobState | None, limit: int, offset: int
) -> tuple[Sequence[tuple[DeviceJob, Execution]], int]:
    """Return what a device has had to do, newest first, and how much that is; raises DeviceNotFound."""
    with db.read() as session:
        device = devices.require(session, uuid)
        word = state.value if state is not None else None
        return store.list_history(session, device.id, state=word, limit=limit, offset=offset)


def list_events(db: Database, uuid: str, job_id: str) -> Sequence[DeviceJobEvent]:
    """Return all that has happened to the part of a device in an order, oldest first; raises NotFound."""
    with db.read() as session:
        _execution, _device, part = _require_part(session, uuid, job_id)
        return log_store.list_events(session, part.id)


def time_out(db: Database, *, now: datetime, limit: int = 200) -> int:
    """End the parts whose time is over and return how many; there may be more if it is the limit."""
    with db.read() as session:
        if not store.list_overdue(session, now, 1):
            return 0
    ended = 0
    with db.write() as session:
        for part in store.list_overdue(session, now, limit):
            execution = store.get_execution(session, part.execution_id, lock=True)
            session.refresh(part)
            if part.deadline_at is None or part.deadline_at > now or DeviceJobState(part.state) in FINAL:
                continue
            uuid = store.uuids_of(session, [part.device_id])[part.device_id]
            seconds = int((part.deadline_at - (part.started_at or part.queued_at)).total_seconds())
            ended += fleet_moves.move(
                session,
                execution,
                part,
                DeviceJobState.TIMED_OUT,
                uuid=uuid,
                now=now,
                actor="watchbell",
                reason=f"no result within {seconds} s",
                # The device may be at it still; it is told when it asks.
                values={"is_cancel_told": False},
            )
    return ended


def forget_reports(db: Database, *, now: datetime, limit: int = 500) -> int:
    """Forget the numbers of reports that no device sends again, and return how many; their results stay."""
    before = now - REPORTS_KEPT
    with db.read() as session:
        if not log_store.has_older(session, before):
            return 0
    with db.write() as session:
        return log_store.delete_older(session, before, limit)


def take_next(session: Session, device: Device, now: datetime, way: Way) -> Offer | None:
    """Return what a device is to do next, which it has from now on, or None.

    What it would need secrets for that cannot be given ``way``, it does not get: that is rejected in its place.
    """
    for _ in range(_MOST_REJECTED):
        part = store.find_next(session, device.id, now)
        if part is None:
            return None
        execution = store.get_execution(session, part.execution_id, lock=True)
        session.refresh(part)
        if part.state == DeviceJobState.IN_PROGRESS.value:
            return _offer(session, part)
        if part.state != DeviceJobState.QUEUED.value or part.is_held:
            continue
        opening = joining.first_moment(execution.schedule or {}, device.zone, now)
        if opening is not None:
            # Its window has closed since it was asked for last.
            store.swap_part(session, part, {"not_before": opening})
            continue
        if not _reject(session, execution, part, device, now, way):
            deadline = now + timedelta(seconds=execution.timeout_seconds)
            values = {"started_at": now, "deadline_at": deadline}
            to = DeviceJobState.IN_PROGRESS
            fleet_moves.move(session, execution, part, to, uuid=device.uuid, now=now, actor=device.uuid, values=values)
            return _offer(session, part)
    return None


def _reject(session: Session, execution: Execution, part: DeviceJob, device: Device, now: datetime, way: Way) -> bool:
    """Reject a part for a device that does not meet the conditions, or cannot be given the secrets; return whether it was."""
    document = job_document.read(execution.document, is_filled=True)
    reason = _unmet_words(session, document, device) or device_secrets.refusal(session, document, way)
    if reason is not None:
        reject(session, execution, part, device, reason, now=now)
    return reason is not None


def reject(
    session: Session, execution: Execution, part: DeviceJob, device: Device, reason: str, *, now: datetime
) -> None:
    """End the part of a device which is not to do it, for a reason of the server's."""
    to = DeviceJobState.REJECTED
    fleet_moves.move(session, execution, part, to, uuid=device.uuid, now=now, actor="watchbell", reason=reason)


def _unmet_words(session: Session, document: job_document.Document, device: Device) -> str | None:
    """Return in words which condition of a document a device does not meet, None if it meets all."""
    if not document.conditions:
        return None
    known = fleet_jobs.known_of(device, device_store.tags_of(session, [device.id])[device.id])
    unmet = job_document.unmet(document, known)
    return f"{unmet.key} is {known.get(unmet.key, 'not known')}, not {' or '.join(unmet.values)}" if unmet else None


def _offer(session: Session, part: DeviceJob) -> Offer:
    execution = store.get_execution(session, part.execution_id)
    names = job_document.read(execution.document, is_filled=True).handlers
    return Offer(part, execution, library_store.list_handlers(session, names) if names else ())


def _take(
    session: Session, execution: Execution, device: Device, part: DeviceJob, given: Report, *, now: datetime
) -> ReportRefused | None:
    """Take a report into the ledger, or return why it cannot be taken."""
    before = DeviceJobState(part.state)
    speaker = Speaker(given.state, given.fence, given.incarnation, given.place)
    foreign = speakers.foreign(part, device, speaker)
    if foreign:
        return ReportRefused(foreign, part, is_lasting=False)
    if before not in FINAL and given.state is not DeviceJobState.IN_PROGRESS:
        speakers.require_heir(part, device, speaker, now)
    if before is DeviceJobState.QUEUED and part.is_held:
        return ReportRefused("the job waits for its wave, or is paused", part, is_lasting=False)
    if part.report_digest == given.digest:
        # The device did not hear our answer.
        return None
    if given.expected_version is not None and given.expected_version != part.version:
        words = f"the job is at version {part.version}, not {given.expected_version}"
        return ReportRefused(words, part)
    if before in FINAL:
        keep_late(session, part, device, given, now)
        return ReportRefused(f"the job is {wire_word(before)} already", part)
    to = reported(given.state, given.result.get("exit_code"))
    values = _values(execution, part, given, to, now)
    if to is before:
        store.swap_part(session, part, {"updated_at": now, **values})
        fleet_moves.tell(session, execution, [(device.uuid, to)], now=now)
        return None
    try:
        advance(before, to)
    except IllegalTransition as error:
        return ReportRefused(str(error), part)
    reason = str(given.result.get("reason") or "")
    fleet_moves.move(
        session, execution, part, to, uuid=device.uuid, now=now, actor=device.uuid, reason=reason, values=values
    )
    return None


def _values(execution: Execution, part: DeviceJob, given: Report, to: DeviceJobState, now: datetime) -> dict[str, Any]:
    """Return the columns that a report changes."""
    values: dict[str, Any] = {name: cut(name, value) for name, value in given.result.items()}
    values["report_digest"] = given.digest
    if given.details is not None:
        values["details"] = dict(given.details)
    if to is not DeviceJobState.IN_PROGRESS:
        return values
    if given.incarnation is not None:
        values["begun_by"], values["begun_place"] = given.incarnation, given.place
    started_at = part.started_at or now
    end = started_at + timedelta(seconds=execution.timeout_seconds)
    if given.step_timeout_seconds is not None:
        end = min(end, now + timedelta(seconds=given.step_timeout_seconds))
    return {**values, "started_at": started_at, "deadline_at": end}


def cut(name: str, value: Any) -> Any:
    """Return a field of a result as it is kept."""
    if name in {"stdout", "stderr"} and isinstance(value, str) and len(value) > OUTPUT_LIMIT:
        half = OUTPUT_LIMIT // 2
        return f"{value[:half]}{_CUT.format(len(value) - 2 * half)}{value[-half:]}"
    return value[:REASON_LIMIT] if name == "reason" and isinstance(value, str) else value


def keep_late(session: Session, part: DeviceJob, device: Device, given: Report, now: datetime) -> None:
    """Keep a report of a part that has ended beside it, once however often it comes, and no more of them than anybody reads."""
    known = log_store.list_late(session, part.id)
    if len(known) >= MOST_LATE or any(data.get("digest") == given.digest for data in known):
        return
    told = {name: str(cut("reason", str(value)))[:1000] for name, value in given.result.items() if value is not None}
    row = fleet_moves.log_row(part.id, None, given.state, now=now, actor=device.uuid, reason="it had ended before")
    log_store.add_events(session, [{**row, "kind": "late_report", "data": {"digest": given.digest, **told}}])


def require_active(session: Session, uuid: str, *, lock: bool = False) -> Device:
    """Return a device that takes part; raises NotFound and DeviceInactive."""
    device = devices.require(session, uuid, lock=lock)
    if not device.is_active:
        raise DeviceInactive
    return device


def _require_part(
    session: Session, uuid: str, job_id: str, *, lock: bool = False
) -> tuple[Execution, Device, DeviceJob]:
    device = device_store.find_device(session, uuid.lower())
    execution = store.find_execution(session, job_id, lock=lock)
    part = store.find_part(session, execution.id, device.id, lock=lock) if execution and device else None
    if execution is None or device is None or part is None:
        raise PartNotFound
    return execution, device, part


def _check(given: Report) -> None:
    if given.state not in REPORTABLE:
        words = ", ".join(sorted(wire_word(state) for state in REPORTABLE))
        raise InputError.of("status", f"must be one of {words}; the others are the server's to say", "SUCCEEDED")
    if given.details is not None and len(json.dumps(given.details, default=str)) > DETAILS_LIMIT:
        raise InputError.of("status_details", f"must be at most {DETAILS_LIMIT // 1024} KiB")
