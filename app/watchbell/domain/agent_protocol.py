"""What server and agent have agreed on: what the server tells one device, sealed so that the agent acts on nothing else.

An answer is an envelope, which is a text that is signed as it stands, and beside it the payload of an assignment, whose digest
stands in the envelope. The envelope names the device, and the nonce of the very request that it answers: an answer that was
meant for another device, that answers another request or that comes twice is none, whatever the clocks of both say. How long it
is good counts from that request, on the agent's own clock that never jumps.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

VERSION = 1
#: So long after the agent has asked, an answer may be acted on.
VALID_FOR = timedelta(seconds=120)
#: Of the processes of an agent, so many are told that have drawn a number and have not heard from the server since.
MOST_EARLIER = 50
#: What an agent says that it knows, of those that know the variables of steps and secrets in them.
STEP_ENVIRONMENT = "step-environment"
_SIGNED = b"watchbell agent answer v1\n"


class NotTrusted(Exception):
    """An answer is not what the server has said to this device now; its text says why."""


class BadlySigned(NotTrusted):
    """An answer carries no signature of the server for this device."""


@dataclasses.dataclass(frozen=True, slots=True)
class Assignment:
    """What a device is to do."""

    job_id: str
    #: Which attempt of the device at the order it is.
    attempt: int
    #: Grows with every assignment of the device, so that an old one is known as such.
    fence: int
    #: The name, the document, the handlers and the time limit.
    payload: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """What a device is told when it asks."""

    assignment: Assignment | None
    #: The jobs that it is at and is to stop.
    cancelled: Sequence[str]
    #: The schedules that it is to carry, each with its version, and no others; None where the server says nothing of that.
    carried: Mapping[str, int] | None = None


def signing_key(server_secret: str, uuid: str, salt: str) -> str:
    """Return the key, hexadecimal, with which a server signs what it tells one device.

    The device gets it once, on joining, and never sends it; the server makes it anew from its own secret, so that nobody can
    sign who has nothing but the database.
    """
    text = f"watchbell agent signing key v1\n{uuid}\n{salt}"
    return hmac.new(server_secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def seal(told: Told, *, key: str, device: str, nonce: str, now: datetime) -> dict[str, Any]:
    """Return the answer to the request with a nonce, for one device, as it is sent."""
    envelope = {**_head(device, nonce, now), "cancelled": list(told.cancelled), "assignment": None}
    if told.carried is not None:
        envelope["carried"] = dict(told.carried)
    payload = None
    if told.assignment is not None:
        payload = json.dumps(told.assignment.payload, separators=(",", ":"))
        envelope["assignment"] = {
            "job_id": told.assignment.job_id,
            "attempt": told.assignment.attempt,
            "fence": told.assignment.fence,
            "expires_at": (now + VALID_FOR).isoformat(),
            "payload_sha256": hashlib.sha256(payload.encode()).hexdigest(),
        }
    return _sealed(envelope, payload, key)


def seal_schedule(schedule: Mapping[str, Any], *, key: str, device: str, nonce: str, now: datetime) -> dict[str, Any]:
    """Return the answer to the request for a schedule that a device is to carry, as it is sent."""
    payload = json.dumps(schedule, separators=(",", ":"))
    digest = hashlib.sha256(payload.encode()).hexdigest()
    return _sealed({**_head(device, nonce, now), "schedule_sha256": digest}, payload, key)


def _head(device: str, nonce: str, now: datetime) -> dict[str, Any]:
    """Return what every envelope says: for whom it is, to which request it is the answer, and how long it is good."""
    return {
        "version": VERSION,
        "device": device,
        "nonce": nonce,
        "issued_at": now.isoformat(),
        "valid_seconds": int(VALID_FOR.total_seconds()),
    }


def _sealed(envelope: Mapping[str, Any], payload: str | None, key: str) -> dict[str, Any]:
    text = json.dumps(envelope, separators=(",", ":"))
    return {"envelope": text, "signature": _signature(key, text), "payload": payload}


def unseal(answer: Mapping[str, Any], *, key: str, device: str, nonce: str, elapsed_seconds: float) -> Told:
    """Return what an answer says; ``elapsed_seconds`` is how long ago the agent has asked.

    Raises BadlySigned for whatever the server has not signed for this device as it stands, and NotTrusted for what it has
    signed for another request or device, or too long ago.
    """
    envelope = _opened(answer, key=key, device=device, nonce=nonce, elapsed_seconds=elapsed_seconds)
    carried = envelope.get("carried")
    return Told(_assignment(envelope["assignment"], answer.get("payload")), tuple(envelope["cancelled"]), carried)


def unseal_schedule(
    answer: Mapping[str, Any], *, key: str, device: str, nonce: str, elapsed_seconds: float
) -> dict[str, Any]:
    """Return the schedule that an answer holds; raises as ``unseal`` does."""
    envelope = _opened(answer, key=key, device=device, nonce=nonce, elapsed_seconds=elapsed_seconds)
    text = _checked(answer.get("payload"), envelope.get("schedule_sha256"), "schedule")
    schedule: dict[str, Any] = json.loads(text)
    return schedule


def _opened(answer: Mapping[str, Any], *, key: str, device: str, nonce: str, elapsed_seconds: float) -> dict[str, Any]:
    """Return what the envelope of an answer says, if the server has signed it for this request of this device."""
    text, signature = answer.get("envelope"), answer.get("signature")
    if not isinstance(text, str) or not isinstance(signature, str):
        raise BadlySigned("the answer is not signed")
    expected = _signature(key, text).encode()
    if not hmac.compare_digest(expected, signature.encode("utf-8", "replace")):
        raise BadlySigned("the signature of the answer is not the server's")
    envelope: dict[str, Any] = json.loads(text)
    if envelope["version"] != VERSION:
        raise NotTrusted(
            f"the answer is of version {envelope['version']} of the protocol, and this agent knows {VERSION}"
        )
    if envelope["device"] != device:
        raise NotTrusted("the answer is for another device")
    if envelope["nonce"] != nonce:
        raise NotTrusted("the answer is to another request")
    if not 0 <= elapsed_seconds <= envelope["valid_seconds"]:
        raise NotTrusted(f"the answer is older than {envelope['valid_seconds']} s")
    return envelope


def _assignment(told: Mapping[str, Any] | None, payload: object) -> Assignment | None:
    if told is None:
        return None
    text = _checked(payload, told["payload_sha256"], "assignment")
    return Assignment(told["job_id"], told["attempt"], told["fence"], json.loads(text))


def _checked(payload: object, digest: object, what: str) -> str:
    if not isinstance(payload, str) or hashlib.sha256(payload.encode("utf-8", "replace")).hexdigest() != digest:
        raise BadlySigned(f"the {what} is not what its digest in the signed envelope says")
    return payload


def _signature(key: str, text: str) -> str:
    return hmac.new(key.encode(), _SIGNED + text.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
