"""What a login costs says nothing of whether there is such an account."""

from __future__ import annotations

import argon2
import pytest
from argon2 import PasswordHasher

from tests.database import NOW
from watchbell.services import accounts, passwords
from watchbell.store.session import Database

PASSWORD = "a sentence of my own"


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("ann", PASSWORD),
        ("ann", "wrong"),
        ("nobody", "wrong"),
        ("empty", "wrong"),
        ("disabled", PASSWORD),
        ("", "x"),
        ("\ud800", "x" * 9999),
    ],
    ids=["right", "wrong", "no such name", "no password", "disabled", "no name", "no text"],
)
def test_every_login_costs_exactly_one_hash_whether_there_is_such_an_account_or_not(
    db: Database, monkeypatch: pytest.MonkeyPatch, username: str, password: str
) -> None:
    """What a hash costs is all that could be told apart by time: it is a hundred times what the rest of a login costs."""
    for name, given in (("ann", PASSWORD), ("disabled", PASSWORD), ("empty", None)):
        accounts.add(db, name, role="editor", password=given, now=NOW)
    with db.write() as session:
        accounts.store.find_account_by_name(session, "disabled").is_active = False
    hashed = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # noqa: A002 - the library's name.
            hashed.append(argon2.extract_parameters(str(hash)))
            return super().verify(hash, password)

    monkeypatch.setattr(passwords, "_HASHER", Counting(time_cost=1, memory_cost=8, parallelism=1))

    accounts.log_in(db, username, password, now=NOW)

    assert hashed == [argon2.extract_parameters(passwords._DECOY)]
