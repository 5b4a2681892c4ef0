"""Codes of an app and recovery codes: what fits, what fits once, and what is kept of them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyotp
import pytest
from sqlalchemy import select

from watchbell.errors import Conflict
from watchbell.services import accounts, logins, second_factors
from watchbell.services.logins import Grant, Place, Waiting
from watchbell.services.second_factors import RECOVERY_CODES
from watchbell.store import second_factors as store
from watchbell.store.audit import AuditEntry
from watchbell.store.session import Database

NOW = datetime(2026, 10, 22, 12, 0, 1, tzinfo=UTC)
PASSWORD = "a bell at noon"
STEP = timedelta(seconds=30)
PLACE = Place("192.0.2.1", "a browser")


@pytest.fixture
def secret(db: Database) -> str:
    """Give ann a second factor, and return its secret."""
    accounts.add(db, "ann", role="admin", password=PASSWORD, now=NOW)
    return switch_on(db, "ann", now=NOW - 10 * STEP)[0]


def switch_on(db: Database, username: str, *, now: datetime) -> tuple[str, list[str]]:
    begun = second_factors.begin(db, username, now=now)
    waiting = second_factors.set_up_of(db, username, begun=begun, now=now)
    assert waiting is not None
    code = pyotp.TOTP(waiting.secret).at(now)
    codes = second_factors.confirm(db, username, code, begun=begun, now=now, keep_token="")
    assert codes is not None
    return waiting.secret, codes


def log_in(db: Database, now: datetime = NOW) -> str:
    """Return the token of a login whose password fits."""
    found = accounts.log_in(db, "ann", PASSWORD, now=now)
    assert isinstance(found, Waiting)
    return found.token


def finish(db: Database, code: str, now: datetime = NOW, token: str | None = None) -> Grant | None:
    return second_factors.finish(db, token or log_in(db, now), code, now=now, place=PLACE)


def notes(db: Database) -> list[tuple[str, dict[str, object]]]:
    with db.read() as session:
        return [(entry.action, entry.detail) for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id))]


#: The table of RFC 6238, appendix B, of which apps show the last six digits.
RFC_6238 = {59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924",
            2000000000: "69279037", 20000000000: "65353130"}  # fmt: skip


def test_the_codes_are_those_of_the_standard(db: Database) -> None:
    secret = base64.b32encode(b"12345678901234567890").decode()
    accounts.add(db, "ann", role="admin", password=None, now=NOW)
    for seconds, code in RFC_6238.items():
        now = datetime.fromtimestamp(seconds, UTC)
        second_factors.begin(db, "ann", now=now)
        with db.write() as session:
            found = store.find(session, accounts.find(db, "ann").id)
            assert found is not None
            found.sealed_secret = db.box.seal(store.purpose(found.account_id), secret)

        assert second_factors.confirm(db, "ann", code[-6:], begun=now, now=now, keep_token="") is not None, seconds
        second_factors.switch_off(db, "ann", now=now)


def test_a_password_alone_is_no_login(db: Database, secret: str) -> None:
    token = log_in(db)

    assert accounts.resume(db, token, now=NOW) is None
    assert accounts.list_logins(db, "ann", now=NOW) == []
    grant = finish(db, pyotp.TOTP(secret).at(NOW), token=token)
    assert grant is not None
    assert accounts.resume(db, grant.token, now=NOW) is not None


def test_a_link_does_not_stand_in_for_the_second_factor(db: Database, secret: str) -> None:
    found = accounts.use_link(db, accounts.make_link(db, "ann", now=NOW), now=NOW)

    assert isinstance(found, Waiting)
    grant = finish(db, pyotp.TOTP(secret).at(NOW), token=found.token)
    assert grant is not None
    assert grant.way == "link"


def test_clocks_may_be_one_step_apart(db: Database, secret: str) -> None:
    totp = pyotp.TOTP(secret)

    fitting = [finish(db, totp.at(NOW + steps * STEP)) is not None for steps in (-2, 2, -1, 0, 1)]
    assert fitting == [False, False, True, True, True]


def test_a_code_is_accepted_once(db: Database, secret: str) -> None:
    code = pyotp.TOTP(secret).at(NOW)

    assert finish(db, code) is not None
    assert finish(db, code) is None
    # Nor is one of before, which somebody may have seen over a shoulder.
    assert finish(db, pyotp.TOTP(secret).at(NOW - STEP)) is None
    assert finish(db, pyotp.TOTP(secret).at(NOW + STEP), NOW + STEP) is not None


def test_a_code_that_has_switched_it_on_logs_nobody_in(db: Database) -> None:
    accounts.add(db, "ann", role="admin", password=PASSWORD, now=NOW)
    secret, _codes = switch_on(db, "ann", now=NOW)

    assert finish(db, pyotp.TOTP(secret).at(NOW)) is None


def test_what_is_no_code_fits_nothing(db: Database, secret: str) -> None:
    wide = "".join(chr(0xFF10 + int(digit)) for digit in pyotp.TOTP(secret).at(NOW))

    for code in ("", "0", "12345", "1234567", "abcdef", wide, "\ud800", "x" * 10_000):
        assert finish(db, code) is None, code


def test_a_code_may_be_typed_in_groups(db: Database, secret: str) -> None:
    code = pyotp.TOTP(secret).at(NOW)

    assert finish(db, f" {code[:3]} {code[3:]} ") is not None


def test_a_recovery_code_logs_in_once_however_it_is_typed(db: Database) -> None:
    accounts.add(db, "ann", role="admin", password=PASSWORD, now=NOW)
    _secret, codes = switch_on(db, "ann", now=NOW)

    assert len(set(codes)) == RECOVERY_CODES
    assert finish(db, codes[0].upper().replace("-", " ")) is not None
    assert finish(db, codes[0]) is None
    assert finish(db, codes[1]) is not None
    assert second_factors.state_of(db, "ann").codes_left == RECOVERY_CODES - 2
    assert ("login.password", {"agent": "a browser", "factor": "recovery", "codes_left": 8}) in notes(db)


def test_new_recovery_codes_make_those_before_worthless(db: Database) -> None:
    accounts.add(db, "ann", role="admin", password=PASSWORD, now=NOW)
    _secret, before = switch_on(db, "ann", now=NOW)

    after = second_factors.renew_codes(db, "ann", now=NOW)

    assert finish(db, before[0]) is None
    assert finish(db, after[0]) is not None


def test_a_code_of_somebody_else_fits_nothing(db: Database, secret: str) -> None:
    accounts.add(db, "bo", role="viewer", password=PASSWORD, now=NOW)
    others_secret, others_codes = switch_on(db, "bo", now=NOW)

    assert finish(db, pyotp.TOTP(others_secret).at(NOW + STEP)) is None
    assert finish(db, others_codes[0]) is None


def test_neither_the_secret_nor_the_codes_can_be_read_from_the_database(db: Database, database_file: Path) -> None:
    accounts.add(db, "ann", role="admin", password=PASSWORD, now=NOW)
    secret, codes = switch_on(db, "ann", now=NOW)

    kept = b"".join(path.read_bytes() for path in database_file.parent.glob(f"{database_file.name}*"))
    for text in (secret, *codes, *(code.replace("-", "") for code in codes)):
        assert text.encode() not in kept


def test_a_secret_that_was_put_in_the_place_of_another_one_does_not_open(db: Database, secret: str) -> None:
    accounts.add(db, "bo", role="viewer", password=PASSWORD, now=NOW)
    switch_on(db, "bo", now=NOW)
    with db.write() as session:
        ann, bo = (store.find(session, accounts.find(db, name).id) for name in ("ann", "bo"))
        assert ann is not None and bo is not None
        ann.sealed_secret = bo.sealed_secret

    with pytest.raises(Conflict, match="damaged, or was put in the place of another one"):
        finish(db, "123456")


def test_a_login_waits_for_its_code_for_a_while_and_for_one(db: Database, secret: str) -> None:
    token = log_in(db)
    late = NOW + logins.WAITING_LIMIT

    assert second_factors.waiting_for(db, token, now=late - STEP) == "ann"
    assert second_factors.waiting_for(db, token, now=late) is None
    assert finish(db, pyotp.TOTP(secret).at(late), late, token=token) is None

    token = log_in(db)
    assert finish(db, pyotp.TOTP(secret).at(NOW), token=token) is not None
    assert finish(db, pyotp.TOTP(secret).at(NOW + STEP), NOW + STEP, token=token) is None


@pytest.mark.parametrize("end", ["password", "disabled", "switched off"])
def test_a_login_that_waits_ends_with_what_it_stands_on(db: Database, secret: str, end: str) -> None:
    accounts.add(db, "bo", role="admin", password=None, now=NOW)
    token = log_in(db)
    if end == "password":
        accounts.set_password(db, "ann", "another bell", now=NOW)
    elif end == "disabled":
        accounts.set_active(db, "ann", False, now=NOW, actor="bo")
    else:
        second_factors.switch_off(db, "ann", now=NOW, actor="bo")

    assert second_factors.waiting_for(db, token, now=NOW) is None
    assert finish(db, pyotp.TOTP(secret).at(NOW), token=token) is None


def test_switching_it_on_ends_all_other_sessions(db: Database) -> None:
    accounts.add(db, "ann", role="admin", password=PASSWORD, now=NOW)
    here, there = (accounts.log_in(db, "ann", PASSWORD, now=NOW) for _ in range(2))
    assert isinstance(here, Grant) and isinstance(there, Grant)
    second_factors.begin(db, "ann", now=NOW)
    waiting = second_factors.set_up_of(db, "ann", begun=NOW, now=NOW)
    assert waiting is not None

    assert second_factors.confirm(db, "ann", "000000", begun=NOW, now=NOW, keep_token=here.token) is None
    code = pyotp.TOTP(waiting.secret).at(NOW)
    assert second_factors.confirm(db, "ann", code, begun=None, now=NOW, keep_token=here.token) is None
    assert second_factors.confirm(db, "ann", code, begun=NOW, now=NOW, keep_token=here.token)

    assert accounts.resume(db, here.token, now=NOW) is not None
    assert accounts.resume(db, there.token, now=NOW) is None


def test_one_that_is_not_confirmed_asks_nobody_for_a_code(db: Database) -> None:
    accounts.add(db, "ann", role="admin", password=PASSWORD, now=NOW)
    second_factors.begin(db, "ann", now=NOW)

    assert isinstance(accounts.log_in(db, "ann", PASSWORD, now=NOW), Grant)
    assert not second_factors.state_of(db, "ann").is_on
    # It is to be begun anew after a while, and its secret is then another one.
    assert second_factors.set_up_of(db, "ann", begun=NOW, now=NOW + second_factors.SET_UP_LIMIT + STEP) is None


def test_a_secret_that_counts_is_neither_shown_again_nor_replaced(db: Database, secret: str) -> None:
    assert second_factors.set_up_of(db, "ann", begun=NOW, now=NOW) is None
    with pytest.raises(Conflict, match="switch it off"):
        second_factors.begin(db, "ann", now=NOW)


def test_the_audit_tells_what_became_of_it(db: Database, secret: str) -> None:
    finish(db, "000000")
    second_factors.renew_codes(db, "ann", now=NOW)
    second_factors.switch_off(db, "ann", now=NOW, actor="bo")

    told = [(action, detail.get("did") or detail.get("at")) for action, detail in notes(db)]
    assert told == [
        ("account.create", None), ("account.factor", "begin"), ("account.factor", "on"), ("login.ask", None),
        ("login.refuse", "code"), ("account.factor", "codes"), ("account.factor", "off"),
    ]  # fmt: skip
    assert secret not in str(notes(db))
