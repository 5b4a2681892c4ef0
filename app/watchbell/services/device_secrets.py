"""Secrets for devices: they are given with the job that names them, at the moment in which its device is told of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime

from watchbell.domain.agent_protocol import STEP_ENVIRONMENT
from watchbell.domain.job_document import Document
from watchbell.errors import KeyTrouble, NotFound
from watchbell.services import secrets
from watchbell.store import secrets as store
from watchbell.store.devices import Device
from watchbell.store.fleet_jobs import DeviceJob
from watchbell.store.secret_box import SecretBox
from watchbell.store.session import Session


@dataclasses.dataclass(frozen=True, slots=True)
class Way:
    """How a device asks, which decides whether secrets can go to it."""

    box: SecretBox
    #: What its agent says that it knows; None of a device that asks at the addresses where nothing is signed.
    knows: frozenset[str] | None = None
    #: Whether nobody between reads the answer.
    is_private: bool = False


def refusal(session: Session, document: Document, way: Way) -> str | None:
    """Return why a device cannot be given what a document names; None if it can be, or there is nothing."""
    named = document.secrets
    if way.knows is None:
        return "secrets are given only to the agent of Watchbell, in answers that are signed" if named else None
    if document.has_environment and STEP_ENVIRONMENT not in way.knows:
        return "the agent of this device is too old: it does not know the environment of a step; update it"
    if not named:
        return None
    if not way.is_private:
        return (
            "secrets are given over https only; this device asked over http, where anybody on the way could read them"
        )
    try:
        secrets.opened(way.box, secrets.versions_of(session, named))
    except (NotFound, KeyTrouble) as error:
        return error.message
    return None


def give(
    session: Session, box: SecretBox, document: Document, device: Device, part: DeviceJob, job_id: str, *, now: datetime
) -> Mapping[str, str]:
    """Return the values of the secrets that a document names, and write down that the device is given them.

    The same attempt may ask again, if it has not heard the answer; that it was given a version is written down once. Raises
    NotFound for a secret that is not there, and KeyTrouble.
    """
    if not document.secrets:
        return {}
    found = secrets.versions_of(session, document.secrets)
    values = secrets.opened(box, found)
    for one in found.values():
        store.note_device_use(
            session,
            {
                "secret_id": one.secret_id, "version": one.version, "attempt": part.number, "at": now, "job_id": job_id,
                "device_uuid": device.uuid, "device_name": device.name,
            },
        )  # fmt: skip
    return values
