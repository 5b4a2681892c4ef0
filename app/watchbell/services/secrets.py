"""Secrets: making, replacing and deleting them, where they are used, and giving them to a run that is about to start.

A value goes in here and comes out only for the environment of a command, and for masking what that writes.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from watchbell.domain import secret_names
from watchbell.errors import Conflict, KeyTrouble, NotFound, VersionConflict
from watchbell.services import audit, secret_places
from watchbell.services.secret_places import Place
from watchbell.services.tickets import Ticket
from watchbell.store import sealed
from watchbell.store import secrets as store
from watchbell.store.secret_box import SecretBox
from watchbell.store.secrets import Secret, SecretUse, SecretVersion
from watchbell.store.session import Database, Session

#: So many of the newest uses of each secret are kept, beside those of runs that go on.
KEPT_USES = 1000
SHOWN_USES = 50
#: Sealed again in one transaction, during which nobody else can write.
SEALED_AT_ONCE = 100


@dataclasses.dataclass(frozen=True, slots=True)
class SecretView:
    """A secret as people may see it."""

    secret: Secret
    places: Sequence[Place]
    #: Its newest uses, the newest first; only where one is looked at by itself.
    uses: Sequence[SecretUse] = ()


def list_all(db: Database) -> list[SecretView]:
    """Return all secrets by name, with what names them."""
    with db.read() as session:
        places = secret_places.by_name(session)
        return [SecretView(secret, places.get(secret.name, ())) for secret in store.list_secrets(session)]


def list_names(db: Database) -> Sequence[str]:
    """Return the names of all secrets."""
    with db.read() as session:
        return store.list_names(session)


def get(db: Database, name: str, *, uses: int = SHOWN_USES) -> SecretView:
    """Return a secret with its newest uses; raises NotFound."""
    with db.read() as session:
        secret = _require(session, name)
        return SecretView(secret, secret_places.of_one(session, name), store.list_uses(session, secret.id, limit=uses))


def put(
    db: Database,
    name: str,
    value: str,
    *,
    now: datetime,
    actor: str,
    is_new: bool = False,
    expected_version: int | None = None,
) -> Secret:
    """Make a secret, or give it another value; what starts from now on gets that one.

    Raises InputError, KeyTrouble, with ``is_new`` Conflict if there is one of that name, and VersionConflict if
    ``expected_version`` is given and it has another one; that of a secret which is not there is 0.
    """
    secret_names.check_name(name)
    secret_names.check_value(value)
    with db.write() as session:
        secret = store.find_secret(session, name, deleted=True)
        is_made = secret is None or secret.deleted_at is not None
        _require_version(secret if not is_made else None, expected_version)
        if is_new and not is_made:
            raise Conflict(f"there is a secret {name} already; replace its value instead")
        if secret is None:
            secret = Secret(name=name, version=0, created_at=now, created_by=actor, changed_at=now, changed_by=actor)
            session.add(secret)
        if is_made:
            secret.created_at, secret.created_by, secret.deleted_at = now, actor, None
        secret.version += 1
        secret.changed_at, secret.changed_by = now, actor
        session.flush()
        # Before anything is sealed: who changes the key waits for the same lock, and so sees what is sealed meanwhile.
        action = "secret.create" if is_made else "secret.replace"
        _note(session, action, secret, now=now, actor=actor)
        purpose = sealed.purpose_of_secret(name, secret.version)
        session.add(
            SecretVersion(
                secret_id=secret.id,
                version=secret.version,
                name=name,
                sealed=sealed.seal(session, db.box, purpose, value),
            )
        )
        session.flush()
        store.delete_stale_values(session)
        return secret


def delete(
    db: Database,
    name: str,
    *,
    now: datetime,
    actor: str,
    is_forced: bool = False,
    expected_version: int | None = None,
) -> Sequence[Place]:
    """Delete a secret and return what named it; runs that go on keep what they were given.

    Raises NotFound, unless ``is_forced`` Conflict while something names it: its next run would fail; and VersionConflict if
    ``expected_version`` is given and it has another one.
    """
    with db.write() as session:
        secret = _require(session, name)
        _require_version(secret, expected_version)
        places = secret_places.of_one(session, name)
        if places and not is_forced:
            raise Conflict(f"{secret_places.told(places)} would fail without the secret {name}")
        secret.deleted_at = now
        secret.changed_at, secret.changed_by = now, actor
        session.flush()
        _note(session, "secret.delete", secret, now=now, actor=actor, named_by=[place.name for place in places])
        store.delete_stale_values(session)
        return places


def take(db: Database, names: Sequence[str], ticket: Ticket, *, now: datetime) -> Mapping[str, str]:
    """Return the values of secrets for a run that is about to start, and write down that it is given them.

    That is durable when this returns, so that whoever reads its output knows what to mask. Raises NotFound that names what
    there is not, KeyTrouble and Unavailable.
    """
    with db.write() as session:
        found = versions_of(session, names)
        values = opened(db.box, found)
        uses = [
            {
                "secret_id": one.secret_id,
                "version": one.version,
                "run_id": ticket.run_id,
                "attempt_id": ticket.attempt_id,
                "attempt": ticket.number,
                "task_id": ticket.task_id,
                "task_name": ticket.task_name,
                **dict.fromkeys(("device_uuid", "device_name", "job_id"), ""),
                "at": now,
                "is_unmasked": False,
            }
            for one in found.values()
        ]
        store.note_uses(session, uses)
    return values


def versions_of(session: Session, names: Sequence[str]) -> Mapping[str, SecretVersion]:
    """Return the values in force of secrets, sealed; raises NotFound that names what there is not."""
    found = {value.name: value for value in store.list_values(session, names)}
    missing = [name for name in names if name not in found]
    if missing:
        raise NotFound(f"there is no secret {', '.join(missing)}")
    return found


def opened(box: SecretBox, found: Mapping[str, SecretVersion]) -> Mapping[str, str]:
    """Return the values of secrets by name; raises KeyTrouble."""
    return {name: box.open(sealed.purpose_of_secret(name, one.version), one.sealed) for name, one in found.items()}


def keys_in_use(db: Database) -> Mapping[str, int]:
    """Return how many texts are sealed with each key, by its name."""
    with db.read() as session:
        return sealed.keys_in_use(session)


def list_broken(db: Database) -> Mapping[str, str]:
    """Return what does not open although its key is here, with the name of that key; raises KeyTrouble without a usable one."""
    with db.read() as session:
        return sealed.list_broken(session, db.box)


def trouble(db: Database) -> str:
    """Return what is wrong with the key that seals secrets, empty if nothing is or nothing is sealed."""
    in_use = keys_in_use(db)
    try:
        known = set(db.box.names()) if in_use else set()
    except KeyTrouble as error:
        return error.message
    unknown = sum(count for key, count in in_use.items() if key not in known)
    return (
        f"{unknown} of {sum(in_use.values())} secrets do not open with the present key; put the right key file back"
        if unknown
        else ""
    )


def list_missing(db: Database) -> Mapping[str, Sequence[str]]:
    """Return the secrets that enabled tasks and fleet schedules name and that are not there, with the names of those."""
    with db.read() as session:
        known = set(store.list_names(session))
        found: dict[str, list[str]] = {}
        for row in store.list_tasks_with(session, secret_names.OPENING):
            for name in secret_names.names_of(secret_places.of_task(row._mapping)) if row.enabled else ():
                if name not in known:
                    found.setdefault(name, []).append(row.name)
        for schedule, names in secret_places.named_by_schedules(session):
            for name in names:
                if name not in known:
                    found.setdefault(name, []).append(schedule.name)
    return found


def sweep(db: Database, limit: int) -> int:
    """Forget up to so many old uses of each secret, and values that nothing needs any more; return how many went."""
    with db.write() as session:
        store.release_uses_of_gone_attempts(session)
        gone = sum(store.delete_old_uses(session, secret, KEPT_USES, limit) for secret in store.list_ids(session))
        return gone + store.delete_stale_values(session)


@dataclasses.dataclass(frozen=True, slots=True)
class Rotated:
    """How far changing the key has come."""

    sealed: int
    #: Texts that are sealed with a key which is not here, so that they stay as they are.
    unknown: int
    #: Whether there is more to do.
    more: bool
    #: What does not open although its key is here, because it was damaged or moved; it stays as it is.
    broken: tuple[str, ...] = ()


def rotate(db: Database, *, now: datetime, actor: str, is_lost: bool = False) -> Iterator[Rotated]:
    """Change the key: put a new one first, then seal everything with it, a few texts in each transaction.

    Whoever is killed in between goes on by calling this again, which makes no further key until all is sealed with the one
    that is first. ``is_lost`` makes a key although none is there for what was sealed. Raises KeyTrouble.
    """
    with db.write() as session:
        in_use = sealed.keys_in_use(session)
        if db.box.is_missing() and in_use and not is_lost:
            raise KeyTrouble(sealed.missing_words(in_use))
        audit.note(session, "secret.rotate", "encryption-key", now=now, actor=actor, detail={"lost": is_lost})
        names = [] if db.box.is_missing() else list(db.box.names())
        broken = sealed.list_broken(session, db.box) if names else {}
    # What cannot be sealed anew must not keep the key from being changed for ever.
    stuck = Counter(broken.values())
    is_unfinished = any(in_use.get(key, 0) > stuck[key] for key in names[1:])
    if not is_unfinished:
        if db.box.is_given:
            raise KeyTrouble(
                "the key is a setting: put a new one before it in WATCHBELL_ENCRYPTION_KEY, a comma between them, restart "
                "what runs, and do this again"
            )
        db.box.add()
    done = 0
    while True:
        with db.write() as session:
            sealed_now = sealed.seal_again(session, db.box, SEALED_AT_ONCE, broken)
            first, *others = db.box.names()
            unknown = sum(count for key, count in sealed.keys_in_use(session).items() if key not in {first, *others})
        done += sealed_now
        yield Rotated(done, unknown, more=sealed_now > 0, broken=tuple(sorted(broken)))
        if not sealed_now:
            return


def forget_keys(db: Database, *, now: datetime, actor: str) -> int:
    """Take the keys out of the key file that nothing in this database is sealed with, and return how many those were.

    A backup from before the change cannot be read any more then. Raises KeyTrouble.
    """
    with db.write() as session:
        # First of all the lock of the audit, which everybody holds who seals something.
        audit.note(session, "secret.forget", "encryption-key", now=now, actor=actor)
        return db.box.keep(list(sealed.keys_in_use(session)))


def _require(session: Session, name: str) -> Secret:
    secret = store.find_secret(session, name)
    if secret is None:
        raise NotFound(f"there is no secret {name[: secret_names.NAME_LIMIT]!r}")
    return secret


def _require_version(secret: Secret | None, expected: int | None) -> None:
    if expected is not None and (secret.version if secret is not None else 0) != expected:
        who = (secret.changed_by if secret is not None else "") or "somebody"
        raise VersionConflict(f"{who} has changed this secret meanwhile; look at it and change it again")


def _note(session: Session, action: str, secret: Secret, *, now: datetime, actor: str, **detail: object) -> None:
    said = {"version": secret.version, **detail}
    audit.note(session, action, f"secret:{secret.name}", now=now, actor=actor, name=secret.name, detail=said)
