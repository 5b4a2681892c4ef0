"""Every column that holds sealed texts: what it is sealed for, and sealing it anew when the key is changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from watchbell.errors import KeyTrouble
from watchbell.store import second_factors
from watchbell.store.second_factors import SecondFactor
from watchbell.store.secret_box import SecretBox
from watchbell.store.secrets import SecretVersion


@dataclasses.dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of sealed texts; None in it is nothing that was sealed."""

    column: InstrumentedAttribute[Any]
    #: What the text of a row is sealed for, as ``SecretBox.seal`` was told.
    purpose: Callable[[Any], str]


def purpose_of_secret(name: str, version: int) -> str:
    """Return what the value of a secret is sealed for."""
    return f"secret:{name}, version {version}"


SEALED: tuple[SealedColumn, ...] = (
    SealedColumn(SecretVersion.sealed, lambda row: purpose_of_secret(row.name, row.version)),
    SealedColumn(SecondFactor.sealed_secret, lambda row: second_factors.purpose(row.account_id)),
)


def keys_in_use(session: Session) -> dict[str, int]:
    """Return how many texts are sealed with each key, by the name of the key."""
    found: dict[str, int] = {}
    for sealed in SEALED:
        key = _key_of(sealed)
        statement = select(key, func.count()).where(sealed.column.is_not(None)).group_by(key)
        for name, count in session.execute(statement):
            found[name] = found.get(name, 0) + int(count)
    return found


def missing_words(in_use: Mapping[str, int]) -> str:
    """Return what is said where no key is there for what was sealed."""
    return (
        f"the key of the secrets is missing, with which {sum(in_use.values())} are sealed; put its file back, watchbell doctor says "
        "where it belongs; if it is lost, run watchbell secret rotate-key --lost and set each secret again"
    )


def seal(session: Session, box: SecretBox, purpose: str, text: str) -> str:
    """Return a text sealed for a purpose. The first one makes the key; raises KeyTrouble if the key of others is gone.

    An audit entry must have been noted in this transaction before: its lock is what whoever changes the key waits for.
    """
    if box.is_missing() and (in_use := keys_in_use(session)):
        raise KeyTrouble(missing_words(in_use))
    return box.seal(purpose, text)


def list_broken(session: Session, box: SecretBox) -> dict[str, str]:
    """Return what does not open although its key is here, by what it is sealed for, with the name of its key.

    Raises KeyTrouble if there is no usable key.
    """
    known = box.names()
    found: dict[str, str] = {}
    for sealed in SEALED:
        rows = session.scalars(select(sealed.column.class_).where(_key_of(sealed).in_(known)))
        for row in rows:
            purpose, text = sealed.purpose(row), getattr(row, sealed.column.key)
            try:
                box.open(purpose, text)
            except KeyTrouble:
                found[purpose] = text[2:18]
    return found


def seal_again(session: Session, box: SecretBox, limit: int, broken: Collection[str] = ()) -> int:
    """Seal up to so many texts with the first key that were sealed with one of the others; return how many those were.

    Those for the purposes ``broken`` are left as they are. Raises KeyTrouble for another one that does not open; nothing of the
    transaction should be kept then.
    """
    done = 0
    _first, *others = box.names()
    for sealed in SEALED:
        rows = _sealed_with(session, sealed, others, limit - done + len(broken))
        name = sealed.column.key
        for row in rows:
            purpose = sealed.purpose(row)
            if purpose not in broken and done < limit:
                setattr(row, name, box.seal(purpose, box.open(purpose, getattr(row, name))))
                done += 1
        session.flush()
    return done


def _key_of(sealed: SealedColumn) -> Any:
    # A sealed text is 1:KEY:DATA.
    return func.substr(sealed.column, 3, 16)


def _sealed_with(session: Session, sealed: SealedColumn, keys: Sequence[str], limit: int) -> Sequence[Any]:
    if limit <= 0 or not keys:
        return []
    statement = select(sealed.column.class_).where(_key_of(sealed).in_(keys)).limit(limit)
    return session.scalars(statement.with_for_update()).all()
