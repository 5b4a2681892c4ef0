"""The words of the socket: what is told to clients, and what they may say."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from watchbell.domain.events import WIRE_NAMES
from watchbell.services.events import Event

#: So many names a client may choose tasks and types by.
MOST_CHOSEN = 200
_NAME_LIMIT = 200
_LARGEST_ID = 2**63 - 1
_TYPES = frozenset(WIRE_NAMES.values())


class BadMessage(Exception):
    """A client has said something that is not understood."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words


@dataclasses.dataclass(frozen=True, slots=True)
class Ping:
    """Asks for a sign of life."""


@dataclasses.dataclass(frozen=True, slots=True)
class Resume:
    """Asks for what has happened after an event; None asks for the point from which on events come."""

    after: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class Room:
    """Asks for what happens to the jobs of a device, beside the devices that were asked for before."""

    device: str


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """Which events a client wants; None is all of them."""

    tasks: frozenset[str] | None = None
    types: frozenset[str] | None = None
    devices: frozenset[str] | None = None

    @property
    def is_everything(self) -> bool:
        """Return whether every event is wanted."""
        return self.tasks is None and self.types is None and self.devices is None

    def takes(self, event_type: str, task_name: str | None, device: str | None) -> bool:
        """Return whether an event is wanted; one that belongs to no task or device is not a matter of these."""
        is_wanted = self.types is None or event_type in self.types
        is_meant = self.devices is None or device is None or device in self.devices
        return is_wanted and is_meant and (self.tasks is None or task_name is None or task_name in self.tasks)

    def with_device(self, device: str) -> Choice:
        """Return this choice with one more device; raises BadMessage if there are as many as may be."""
        if len(self.devices or ()) >= MOST_CHOSEN and device not in (self.devices or ()):
            raise BadMessage("too_many", f"device: at most {MOST_CHOSEN} may be asked for by one connection")
        return dataclasses.replace(self, devices=(self.devices or frozenset()) | {device})


EVERYTHING = Choice()
_FIELDS: Mapping[str, frozenset[str]] = {
    "ping": frozenset({"type"}),
    "resume": frozenset({"type", "after"}),
    "subscribe": frozenset({"type", "tasks", "types"}),
    "subscribe:jobs": frozenset({"type", "device"}),
}


def event_text(event: Event) -> str:
    """Return what is told of an event."""
    data = {**event.data, "task_id": event.task_id}
    return _envelope(event.type, event.at, job_name=event.task_name, run_id=event.run_id, data=data, event_id=event.id)


def gap_text(now: datetime, event_id: int) -> str:
    """Return what is told when something may have been missed; from this event on nothing is."""
    return _envelope("gap", now, event_id=event_id)


def caught_up_text(now: datetime, event_id: int, replayed: int) -> str:
    """Return what is told when all that was missed has been told."""
    return _envelope("caught_up", now, event_id=event_id, data={"replayed": replayed})


def subscribed_text(now: datetime, choice: Choice) -> str:
    """Return what a client is told after it has chosen."""
    chosen = {name: sorted(names) if names is not None else None for name, names in _named(choice)}
    return _envelope("subscribed", now, data=chosen)


def error_text(now: datetime, code: str, words: str) -> str:
    """Return what a client is told of something that it did wrong."""
    return _envelope("error", now, data={"code": code, "detail": words})


def sign_of_life(kind: str, now: datetime) -> str:
    """Return a heartbeat or a pong, which carry nothing else."""
    return json.dumps({"type": kind, "timestamp": now.isoformat()})


def _named(choice: Choice) -> tuple[tuple[str, frozenset[str] | None], ...]:
    named = (("tasks", choice.tasks), ("types", choice.types))
    return named if choice.devices is None else (*named, ("devices", choice.devices))


def _envelope(
    kind: str,
    at: datetime,
    *,
    job_name: str | None = None,
    run_id: int | None = None,
    data: Mapping[str, Any] | None = None,
    event_id: int | None = None,
) -> str:
    told = {"type": kind, "timestamp": at.isoformat(), "job_name": job_name, "run_id": run_id, "data": data or {}}
    # The id comes last and is ours: clients that know the envelope from elsewhere need not look at it.
    return json.dumps(told if event_id is None else {**told, "id": event_id})


def read_message(text: str) -> Ping | Resume | Room | Choice:
    """Return what a client says; raises BadMessage."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise BadMessage("not_json", 'a message must be JSON, as in {"type": "ping"}') from None
    if not isinstance(said, dict):
        raise BadMessage("not_an_object", 'a message must be a JSON object, as in {"type": "ping"}')
    kind = said.get("type")
    fields = _FIELDS.get(kind) if isinstance(kind, str) else None
    if fields is None:
        raise BadMessage("unknown_type", f"type: must be one of {', '.join(_FIELDS)}")
    unknown = sorted(set(said) - fields)
    if unknown:
        raise BadMessage("unknown_field", f"{_short(unknown[0])}: is no field of {kind}")
    if kind == "resume":
        return Resume(_event_id(said.get("after")))
    if kind == "subscribe:jobs":
        return Room(_device(said.get("device")))
    return Ping() if kind == "ping" else Choice(_names(said, "tasks"), _types(said))


def _event_id(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST_ID:
        raise BadMessage("bad_value", "after: must be the id of an event, as in 4711")
    return value


def _device(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _NAME_LIMIT:
        raise BadMessage("bad_value", "device: must be the uuid of a device")
    return value.lower()


def _names(said: Mapping[str, object], field: str) -> frozenset[str] | None:
    values = said.get(field)
    if values is None:
        return None
    names = values if isinstance(values, list) and len(values) <= MOST_CHOSEN else [None]
    if not all(isinstance(name, str) and len(name) <= _NAME_LIMIT for name in names):
        raise BadMessage("bad_value", f"{field}: must be null or a list of at most {MOST_CHOSEN} names")
    return frozenset(names)


def _types(said: Mapping[str, object]) -> frozenset[str] | None:
    types = _names(said, "types")
    unknown = sorted((types or frozenset()) - _TYPES)
    if unknown:
        raise BadMessage("bad_value", f"types: {_short(unknown[0])} is no type of event, as job_failed is")
    return types


def _short(text: str) -> str:
    return repr(text[:50])
