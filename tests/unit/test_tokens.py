"""API tokens: what they are made of, whose they are, when they end, and what is kept of them."""

from __future__ import annotations

import hashlib
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.database import NOW
from watchbell import clock
from watchbell.domain.permissions import Right, Role, Scope, rights_of, scope_for, scopes_of
from watchbell.errors import Conflict, InputError, NotFound
from watchbell.services import accounts, tokens
from watchbell.services.tokens import MOST_PER_ACCOUNT, USED_STEP, NewToken, TokenRefused, TokenState
from watchbell.store.session import Database

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def people(db: Database) -> None:
    for name, role in (("ann", "editor"), ("bo", "viewer"), ("zoe", "admin")):
        accounts.add(db, name, role=role, password=None, now=NOW)


def make(db: Database, username: str = "ann", name: str = "monitor", **how: Any) -> NewToken:
    given: dict[str, Any] = {"scope": "read", "lifetime": 90 * DAY, "now": NOW, **how}
    return tokens.create(db, username, name, **given)


def change(db: Database, statement: str) -> None:
    with db.write() as session:
        session.connection().exec_driver_sql(statement)


def test_a_secret_is_long_random_and_says_whose_it_is(db: Database) -> None:
    made = [make(db, name=f"t{number}").secret for number in range(20)]

    assert all(len(secret) == 43 and secret.startswith("wb_") for secret in made)
    # 160 bits each; no two share even the beginning that lists show.
    assert len({secret[:11] for secret in made}) == 20
    found = tokens.resolve(db, made[3], now=NOW)
    assert (found.username, found.role, found.scope, found.prefix) == ("ann", "editor", "read", made[3][:11])


def test_the_database_holds_nothing_that_opens_anything(db: Database, database_file: Path) -> None:
    secret = make(db).secret
    db.close()

    raw = b"".join(file.read_bytes() for file in database_file.parent.glob(f"{database_file.name}*"))

    assert secret.encode() not in raw
    assert hashlib.sha256(secret.encode()).hexdigest().encode() in raw
    assert secret[:11].encode() in raw
    assert secret[11:].encode() not in raw


@pytest.mark.parametrize(
    "guess",
    ["", "wb_", "{prefix}", "{prefix}" + "0" * 32, "{secret} ", " {secret}", "{secret}\n", "{secret}0", "{upper}", "{bare}",
     "{digest}", "Bearer {secret}", "wb_\ud800", "ü" * 43, "x" * 100_000],
)  # fmt: skip
def test_nothing_but_the_whole_secret_is_a_token(db: Database, guess: str) -> None:
    secret = make(db).secret
    digest = hashlib.sha256(secret.encode()).hexdigest()
    typed = guess.format(secret=secret, prefix=secret[:11], upper=secret.upper(), bare=secret[3:], digest=digest)

    with pytest.raises(TokenRefused) as caught:
        tokens.resolve(db, typed, now=NOW)

    assert secret not in caught.value.message


def test_a_token_ends_at_its_time_and_says_so(db: Database) -> None:
    secret = make(db, lifetime=DAY).secret

    assert tokens.resolve(db, secret, now=NOW + DAY - timedelta(seconds=1)).username == "ann"
    with pytest.raises(TokenRefused, match=r"expired on 2026-11-23$"):
        tokens.resolve(db, secret, now=NOW + DAY)
    assert tokens.resolve(db, make(db, name="for ever", lifetime=None).secret, now=NOW + 10_000 * DAY)


def test_a_revoked_token_is_dead_at_once_and_stays_so(db: Database) -> None:
    made = make(db)

    assert tokens.revoke(db, made.token.id, now=NOW).state is TokenState.REVOKED
    assert tokens.revoke(db, made.token.id, now=NOW + DAY).revoked_at == NOW

    with pytest.raises(TokenRefused, match="was revoked"):
        tokens.resolve(db, made.secret, now=NOW)
    assert tokens.list_all(db, now=NOW) == []
    assert [one.state for one in tokens.list_all(db, now=NOW, with_revoked=True)] == ["revoked"]


def test_a_disabled_account_ends_its_tokens_and_they_come_back_with_it(db: Database) -> None:
    made = make(db)
    change(db, "UPDATE account SET is_active = false WHERE username = 'ann'")

    with pytest.raises(TokenRefused, match=r"account of the token wb_\w+ is disabled"):
        tokens.resolve(db, made.secret, now=NOW)
    assert tokens.get(db, made.token.id, now=NOW).state is TokenState.BLOCKED
    for attempt in (lambda: make(db, name="x"), lambda: tokens.rotate(db, made.token.id, now=NOW)):
        with pytest.raises(Conflict, match="is disabled"):
            attempt()

    change(db, "UPDATE account SET is_active = true WHERE username = 'ann'")
    assert tokens.resolve(db, made.secret, now=NOW).username == "ann"


def test_another_role_counts_with_the_next_request(db: Database) -> None:
    secret = make(db, scope="edit").secret
    change(db, "UPDATE account SET role = 'viewer' WHERE username = 'ann'")

    found = tokens.resolve(db, secret, now=NOW)

    assert rights_of(found.role, found.scope) == {Right.PUBLIC, Right.VIEW}


def test_a_rotated_token_has_another_secret_and_lasts_as_long_again(db: Database) -> None:
    old = make(db, lifetime=30 * DAY, scope="run")
    later = NOW + 40 * DAY

    new = tokens.rotate(db, old.token.id, now=later)

    assert (new.token.name, new.token.scope, new.token.expires_at) == ("monitor", "run", later + 30 * DAY)
    assert tokens.resolve(db, new.secret, now=later).prefix == new.token.prefix
    with pytest.raises(TokenRefused, match="was revoked"):
        tokens.resolve(db, old.secret, now=later)
    with pytest.raises(Conflict, match="is revoked"):
        tokens.rotate(db, old.token.id, now=later)
    assert tokens.rotate(db, make(db, "zoe", "t", lifetime=None).token.id, now=later).token.expires_at is None


def test_whoever_may_touch_only_their_own_finds_nobody_elses(db: Database) -> None:
    made = make(db)

    for touch in (tokens.get, tokens.revoke, tokens.rotate):
        with pytest.raises(NotFound):
            touch(db, made.token.id, now=NOW, username="bo")
        with pytest.raises(NotFound):
            touch(db, 2**70, now=NOW)
    assert tokens.resolve(db, made.secret, now=NOW)


@pytest.mark.parametrize(
    ("how", "field"),
    [
        ({"name": ""}, "name"), ({"name": "  "}, "name"), ({"name": "x" * 65}, "name"), ({"name": "a\nb"}, "name"),
        ({"name": "\ud800"}, "name"), ({"name": "wb_0a1b2c3d"}, "name"), ({"scope": ""}, "scope"),
        ({"scope": "root"}, "scope"), ({"scope": "admin"}, "scope"), ({"lifetime": timedelta(0)}, "expires"),
        ({"lifetime": timedelta(days=-1)}, "expires"), ({"lifetime": timedelta(days=3651)}, "expires"),
    ],
    ids=str,
)  # fmt: skip
def test_what_will_not_do_is_refused_with_what_would(db: Database, how: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as caught:
        make(db, **how)

    (problem,) = caught.value.problems
    assert problem.field == field
    assert problem.example
    assert tokens.list_all(db, now=NOW) == []


def test_everything_that_is_wrong_is_told_at_once(db: Database) -> None:
    with pytest.raises(InputError) as caught:
        make(db, name="", scope="x", lifetime=timedelta(0))

    assert [problem.field for problem in caught.value.problems] == ["name", "scope", "expires"]


def test_a_name_is_taken_until_its_token_is_revoked(db: Database) -> None:
    first = make(db)
    make(db, "bo")

    with pytest.raises(Conflict, match="'monitor' already"):
        make(db, name=" monitor ")

    tokens.revoke(db, first.token.id, now=NOW)
    assert make(db).token.name == "monitor"


def test_an_account_has_no_more_tokens_than_anybody_can_look_after(db: Database) -> None:
    made = [make(db, name=f"t{number}") for number in range(MOST_PER_ACCOUNT)]

    with pytest.raises(Conflict, match="has 50 tokens already"):
        make(db, name="one more")

    assert make(db, "zoe", "another account")
    assert tokens.rotate(db, made[0].token.id, now=NOW)
    tokens.revoke(db, made[1].token.id, now=NOW)
    assert make(db, name="one more")


def test_what_was_revoked_long_ago_is_forgotten(db: Database) -> None:
    for day in range(200):
        made = make(db, now=NOW + day * DAY)
        tokens.revoke(db, made.token.id, now=NOW + day * DAY)

    assert len(tokens.list_all(db, now=NOW + 200 * DAY, with_revoked=True)) == 91


@pytest.mark.parametrize(
    ("days", "state"), [(0, "active"), (75.9, "active"), (76, "expiring"), (89.9, "expiring"), (90, "expired")]
)
def test_a_list_says_which_needs_somebody(db: Database, days: float, state: str) -> None:
    make(db)

    (found,) = tokens.list_all(db, now=NOW + timedelta(days=days))

    assert found.state == state


def test_tokens_are_listed_by_account_and_name(db: Database) -> None:
    for username, name in (("zoe", "b"), ("ann", "B"), ("ann", "a"), ("bo", "c")):
        make(db, username, name)

    assert [one.name for one in tokens.list_all(db, now=NOW)] == ["a", "B", "c", "b"]
    assert [one.name for one in tokens.list_all(db, now=NOW, username="ANN")] == ["a", "B"]
    with pytest.raises(NotFound, match="no account 'nobody'"):
        tokens.list_all(db, now=NOW, username="nobody")


def test_a_token_is_found_by_name_by_its_beginning_and_by_its_secret(db: Database) -> None:
    made = make(db)
    other = make(db, "bo")

    for reference in (made.token.prefix, made.secret):
        assert tokens.find(db, reference, now=NOW).id == made.token.id
    assert tokens.find(db, "monitor", now=NOW, username="bo").id == other.token.id
    with pytest.raises(Conflict, match="ann, bo"):
        tokens.find(db, "monitor", now=NOW)
    with pytest.raises(NotFound) as caught:
        tokens.find(db, "wb_" + "9" * 40, now=NOW)
    assert "9" * 9 not in caught.value.message


def test_the_last_use_and_its_address_are_noted_once_a_minute(db: Database) -> None:
    made = make(db)

    def used(after: timedelta, address: str) -> tuple[object, str]:
        tokens.resolve(db, made.secret, now=NOW + after, address=address)
        found = tokens.get(db, made.token.id, now=NOW)
        return found.used_at, found.used_from

    assert used(timedelta(0), "192.0.2.1") == (NOW, "192.0.2.1")
    assert used(USED_STEP - timedelta(seconds=1), "192.0.2.2") == (NOW, "192.0.2.1")
    assert used(USED_STEP, "192.0.2.3" + "x" * 200) == (NOW + USED_STEP, ("192.0.2.3" + "x" * 200)[:64])


def test_a_refused_token_is_not_used(db: Database) -> None:
    made = make(db, lifetime=DAY)

    with pytest.raises(TokenRefused):
        tokens.resolve(db, made.secret, now=NOW + 2 * DAY, address="192.0.2.1")

    assert tokens.get(db, made.token.id, now=NOW).used_at is None


def test_a_locked_database_neither_keeps_a_token_out_nor_makes_it_wait(db: Database, database_file: Path) -> None:
    secret = make(db).secret
    holder = sqlite3.connect(database_file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    began = clock.monotonic()
    found = tokens.resolve(db, secret, now=NOW)
    passed = clock.monotonic() - began
    holder.close()

    assert found.username == "ann"
    assert passed < 1


def test_a_word_that_is_neither_role_nor_scope_gives_no_right() -> None:
    nothing = {Right.PUBLIC}

    assert rights_of("root") == rights_of(None) == rights_of("admin", "everything") == nothing
    assert rights_of(None, "admin") == nothing


def test_no_token_reaches_the_account_itself() -> None:
    assert all(Right.ACCOUNT not in rights_of(role, scope) for role in Role for scope in Scope)
    assert scope_for(Right.ACCOUNT) is None
    assert [scope_for(right) for right in (Right.VIEW, Right.OPERATE, Right.EDIT, Right.ADMINISTER)] == [
        "read", "run", "edit", "admin",
    ]  # fmt: skip


def test_an_account_makes_tokens_of_what_its_role_may() -> None:
    assert {role.value: " ".join(scopes_of(role)) for role in Role} == {
        "viewer": "read device", "operator": "read run device", "editor": "read run edit device",
        "admin": "read run edit admin device",
    }  # fmt: skip
