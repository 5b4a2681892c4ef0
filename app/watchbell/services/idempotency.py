"""Doing what a request asks for once, however often it comes: its answer is kept under a key that its sender chooses.

The answer is written with the effect, so that one is there if and only if the other is; a server that is killed between the
two leaves neither, and one that is killed before the answer was heard leaves both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime, timedelta

from watchbell.errors import Conflict, InputError
from watchbell.store import idempotency as store
from watchbell.store.idempotency import KeptAnswer
from watchbell.store.session import Database

#: So long an answer is kept.
KEPT_FOR = timedelta(hours=24)
#: A request that has begun longer ago and has no answer was cut off, as by a server that was killed.
GIVEN_UP_AFTER = timedelta(seconds=60)
KEY_LIMIT = 200


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """A request under a key."""

    principal: str
    route: str
    key: str
    #: Of all that decides what is done.
    digest: str


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it is sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def begin(db: Database, asked: Asked, *, now: datetime) -> Answer | None:
    """Return the answer that this request has had already, or None and note that it is being served.

    Raises InputError if the key was another request's, and Conflict while that very request is being served.
    """
    if not (0 < len(asked.key) <= KEY_LIMIT and asked.key.isascii() and asked.key.isprintable()):
        raise InputError.of(
            "Idempotency-Key", f"must be 1 to {KEY_LIMIT} printable ASCII characters", "deploy-2026-11-29"
        )
    with db.write() as session:
        found = store.find_answer(session, asked.principal, asked.route, asked.key)
        if found is not None and found.at > now - (KEPT_FOR if found.status is not None else GIVEN_UP_AFTER):
            return _again(found, asked)
        if found is not None:
            store.delete_answer(session, found)
        row = KeptAnswer(principal=asked.principal, route=asked.route, key=asked.key, digest=asked.digest, at=now)
        store.add_answer(session, row)
    return None


def _again(found: KeptAnswer, asked: Asked) -> Answer:
    if found.digest != asked.digest:
        raise InputError.of("Idempotency-Key", "has been used for another request; choose a new key for this one")
    if found.status is None:
        raise Conflict("the request with this Idempotency-Key is being served; ask again in a moment")
    return Answer(found.status, found.headers, found.body or b"")


def keep(db: Database, asked: Asked, answer: Answer) -> None:
    """Keep the answer to a request that has begun."""
    with db.write() as session:
        found = store.find_answer(session, asked.principal, asked.route, asked.key)
        if found is not None:
            found.status, found.headers, found.body = answer.status, dict(answer.headers), answer.body


def forget(db: Database, asked: Asked) -> None:
    """Take back that a request has begun, because nothing has come of it."""
    with db.write() as session:
        found = store.find_answer(session, asked.principal, asked.route, asked.key)
        if found is not None and found.status is None:
            store.delete_answer(session, found)
