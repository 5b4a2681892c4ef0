"""Passkeys: what makes one, what it opens, and what opens nothing."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pyotp
import pytest

from tests.database import NOW
from tests.unit.passkey_device import ORIGIN, PRESENT, Device
from watchbell.errors import Conflict, InputError, NotFound
from watchbell.services import accounts, audit, passkeys, second_factors
from watchbell.services.logins import Grant, Place, Waiting, Way
from watchbell.services.passkeys import Asked, Party, PasskeyWrong
from watchbell.store.second_factors import RecoveryCode
from watchbell.store.session import Database

PASSWORD = "a bell at noon"
HERE = Party("localhost", ORIGIN)
PLACE = Place("192.0.2.1", "a browser")
SECOND = timedelta(seconds=1)


@pytest.fixture
def ann(db: Database) -> str:
    return accounts.add(db, "ann", role="editor", password=PASSWORD, now=NOW).username


def add(db: Database, device: Device, name: str = "laptop", *, username: str = "ann", party: Party = HERE) -> list[str]:
    asked = Asked.anew(NOW)
    made = device.make(passkeys.registration(db, username, asked, party))
    return passkeys.add(db, username, name, made, asked, party, now=NOW, keep_token="")


@pytest.fixture
def device(db: Database, ann: str) -> Device:
    made = Device()
    add(db, made)
    return made


def log_in(db: Database, device: Device, *, after: int = 1, party: Party = HERE, **changed: bytes) -> Grant | None:
    asked = Asked.anew(NOW + after * SECOND)
    answer = device.answer(passkeys.login(asked, HERE), **changed)
    return passkeys.log_in(db, answer, asked, party, now=NOW, place=PLACE)


def finish(db: Database, device: Device, *, after: int = 1) -> Grant | None:
    waiting = accounts.log_in(db, "ann", PASSWORD, now=NOW)
    assert isinstance(waiting, Waiting)
    asked = Asked.anew(NOW + after * SECOND)
    options = passkeys.login_of(db, waiting.token, asked, HERE, now=NOW)
    assert options is not None
    return passkeys.finish(db, waiting.token, device.answer(options), asked, HERE, now=NOW, place=PLACE)


def notes(db: Database, *actions: str) -> list[Any]:
    return [(one.action, one.actor, one.detail) for one in audit.list_page(db, limit=20) if one.action in actions]


def test_a_passkey_that_has_looked_who_it_is_logs_in_alone(db: Database, device: Device) -> None:
    found = log_in(db, device)

    assert found is not None
    assert (found.account.username, found.way) == ("ann", Way.PASSKEY)
    assert accounts.resume(db, found.token, now=NOW) is not None
    (one,) = passkeys.list_of(db, "ann")
    assert (one.name, one.host, one.used_at, one.sign_count) == ("laptop", "localhost", NOW, 1)
    assert notes(db, "login.passkey") == [("login.passkey", "ann", {"agent": "a browser", "passkey": "laptop"})]


def test_the_first_one_ends_other_sessions_and_gives_recovery_codes_and_the_password_alone_logs_in_no_more(
    db: Database, ann: str
) -> None:
    old = accounts.log_in(db, "ann", PASSWORD, now=NOW)
    assert isinstance(old, Grant)
    device = Device()

    codes = add(db, device)

    assert accounts.resume(db, old.token, now=NOW) is None
    waiting = accounts.log_in(db, "ann", PASSWORD, now=NOW)
    assert isinstance(waiting, Waiting)
    assert second_factors.finish(db, waiting.token, codes[0], now=NOW, place=PLACE) is not None
    assert add(db, Device(), "phone") == []


def test_one_stands_in_for_the_code_also_without_looking_who_it_is_but_does_not_log_in_alone_then(
    db: Database, device: Device
) -> None:
    device.flags = PRESENT

    assert log_in(db, device) is None
    found = finish(db, device, after=2)

    assert found is not None
    assert found.way is Way.PASSWORD
    assert notes(db, "login.password")[0][2]["factor"] == "passkey"


def test_an_answer_opens_once_and_none_that_is_older_than_another(db: Database, device: Device) -> None:
    asked, earlier = Asked.anew(NOW + 2 * SECOND), Asked.anew(NOW + SECOND)
    device.counts = False
    answers = [device.answer(passkeys.login(one, HERE)) for one in (earlier, asked)]

    def send(one: Asked, answer: str) -> Grant | None:
        return passkeys.log_in(db, answer, one, HERE, now=NOW, place=PLACE)

    assert send(asked, answers[1]) is not None
    assert send(asked, answers[1]) is None
    assert send(earlier, answers[0]) is None


def test_what_is_not_its_answer_here_and_now_opens_nothing(db: Database, device: Device) -> None:
    asked, other = Asked.anew(NOW + SECOND), Asked.anew(NOW + SECOND)
    replayed = device.answer(passkeys.login(other, HERE))
    assert passkeys.log_in(db, replayed, asked, HERE, now=NOW, place=PLACE) is None
    assert log_in(db, device, signature=b"0" * 70) is None
    assert log_in(db, device, userHandle=b"1" * 32) is None
    assert log_in(db, device, party=Party("elsewhere.example", "https://elsewhere.example")) is None
    device.origin = "http://localhost.evil.example"
    assert log_in(db, device) is None
    device.origin = ORIGIN
    assert log_in(db, Device()) is None
    accounts.add(db, "bob", role="admin", password=PASSWORD, now=NOW)
    accounts.set_active(db, "ann", False, now=NOW, actor="bob")
    assert log_in(db, device) is None
    assert {note[2]["at"] for note in notes(db, "login.refuse")} == {"passkey"}


def test_one_that_has_counted_less_than_before_was_copied_and_opens_nothing(db: Database, device: Device) -> None:
    device.count = 10
    assert log_in(db, device) is not None
    device.count = 5

    assert log_in(db, device, after=2) is None


def test_the_passkey_of_another_account_is_no_second_factor(db: Database, device: Device) -> None:
    accounts.add(db, "bob", role="editor", password=PASSWORD, now=NOW)
    of_bob = Device()
    add(db, of_bob, username="bob")

    for handle in (of_bob.handle, b""):
        of_bob.handle = handle
        assert finish(db, of_bob) is None
    assert finish(db, device, after=2) is not None


@pytest.mark.parametrize(
    "answer", ["", "x", "[]", "{}", '{"response": 1}', '{"id": 1, "response": {}}', "[" * 100_000, '{"id": "\\u0000"}',
               '{"id": "\\ud800", "rawId": "", "response": {"clientDataJSON": "!", "attestationObject": "AA"}}']
)  # fmt: skip
def test_nonsense_is_refused_and_breaks_nothing(db: Database, device: Device, answer: str) -> None:
    asked = Asked.anew(NOW + SECOND)
    assert passkeys.log_in(db, answer, asked, HERE, now=NOW, place=PLACE) is None
    with pytest.raises(PasskeyWrong):
        passkeys.add(db, "ann", "x", answer, asked, HERE, now=NOW, keep_token="")


def test_whatever_is_changed_in_an_answer_it_makes_no_passkey_and_opens_nothing(db: Database, device: Device) -> None:
    asked = Asked.anew(NOW + SECOND)
    made = json.loads(Device().make(passkeys.registration(db, "ann", asked, HERE)))
    told = json.loads(device.answer(passkeys.login(asked, HERE)))
    for whole in (made, told):
        for name, value in whole["response"].items():
            for wrong in ("", value[:-8], "A" * len(value), value[::-1], 7, None, ["a"], "ä"):
                if name == "userHandle" and not wrong:
                    continue
                sent = json.dumps({**whole, "response": {**whole["response"], name: wrong}})
                assert passkeys.log_in(db, sent, asked, HERE, now=NOW, place=PLACE) is None
                with pytest.raises(PasskeyWrong):
                    passkeys.add(db, "ann", "x", sent, asked, HERE, now=NOW, keep_token="")


def test_one_that_does_not_look_who_it_is_is_not_taken_up(db: Database, ann: str) -> None:
    device = Device()
    device.flags = PRESENT

    with pytest.raises(PasskeyWrong):
        add(db, device)
    assert passkeys.list_of(db, "ann") == []


def test_the_same_one_twice_a_name_of_nothing_and_one_too_many_are_refused(db: Database, device: Device) -> None:
    with pytest.raises(Conflict, match="registered already"):
        add(db, device)
    for name in ("", "  ", "a\nb", "x" * 65):
        with pytest.raises(InputError):
            add(db, Device(), name)
    for _ in range(passkeys.MOST_OF_ACCOUNT - 1):
        add(db, Device())
    with pytest.raises(Conflict, match="at most 20"):
        add(db, Device())


def test_removing_the_last_one_leaves_no_second_factor_and_no_recovery_code(db: Database, device: Device) -> None:
    (one,) = passkeys.list_of(db, "ann")
    passkeys.rename(db, "ann", one.id, " old laptop ", now=NOW)
    with pytest.raises(NotFound):
        passkeys.remove(db, "ann", one.id + 1, now=NOW)

    assert passkeys.remove(db, "ann", one.id, now=NOW, actor="bob") == "old laptop"

    assert log_in(db, device) is None
    assert second_factors.state_of(db, "ann") == second_factors.State(is_on=False)
    with db.read() as session:
        assert session.query(RecoveryCode).count() == 0
    assert isinstance(accounts.log_in(db, "ann", PASSWORD, now=NOW), Grant)
    assert [note[1:] for note in notes(db, "account.passkey")] == [
        ("bob", {"did": "remove", "passkey": "old laptop"}),
        ("ann", {"did": "rename", "passkey": "laptop", "to": "old laptop"}),
        ("ann", {"did": "add", "passkey": "laptop"}),
    ]


def test_app_and_passkey_are_factors_of_their_own_and_switching_off_by_an_administrator_takes_both(
    db: Database, device: Device
) -> None:
    begun = second_factors.begin(db, "ann", now=NOW)
    waiting = second_factors.set_up_of(db, "ann", begun=begun, now=NOW)
    assert waiting is not None
    code = pyotp.TOTP(waiting.secret).at(NOW)
    # An app that nobody has confirmed opens nothing.
    assert not second_factors.fits(db, "ann", code, now=NOW)
    codes = second_factors.confirm(db, "ann", code, begun=begun, now=NOW, keep_token="")
    assert codes
    second_factors.forget_app(db, "ann", now=NOW)
    assert second_factors.state_of(db, "ann") == second_factors.State(True, None, len(codes), 1)
    assert finish(db, device) is not None

    assert second_factors.switch_off(db, "ann", now=NOW, actor="root")

    assert passkeys.list_of(db, "ann") == []
    assert not second_factors.state_of(db, "ann").is_on


def test_a_key_that_nothing_can_be_checked_with_is_not_taken_up_as_it_would_lock_its_owner_out(
    db: Database, ann: str
) -> None:
    for wrong in ({-2: b"1" * 32}, {3: -8}, {3: -257}, {-1: 7}, {1: 3}, {3: 10**30}):
        device = Device()
        device.key_changed = wrong
        with pytest.raises(PasskeyWrong):
            add(db, device)
    long = Device()
    long.credential_id = b"i" * 1024
    with pytest.raises(PasskeyWrong, match="1023"):
        add(db, long)
    assert passkeys.list_of(db, "ann") == []
    assert isinstance(accounts.log_in(db, "ann", PASSWORD, now=NOW), Grant)


@pytest.mark.parametrize(
    "said", [{"crossOrigin": True}, {"crossOrigin": "no"}, {"topOrigin": "https://elsewhere.example"}]
)
def test_within_a_page_of_somebody_else_nothing_is_made_and_nothing_opened(
    db: Database, device: Device, said: dict[str, object]
) -> None:
    device.says = said
    assert log_in(db, device) is None
    other = Device()
    other.says = said
    with pytest.raises(PasskeyWrong, match="somebody else"):
        add(db, other)

    device.says = {}
    assert log_in(db, device, after=2) is not None
