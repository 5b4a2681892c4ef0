"""Joining with a code: one device, once, in time; what is refused is written down and told apart only to whoever has the code."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from tests.database import NOW
from tests.fleet import add_device, execute, poll
from watchbell.errors import Conflict, InputError, NotFound
from watchbell.services import audit, devices, enrolment
from watchbell.services.enrolment import CodeState, EnrolmentRefused, NewCode
from watchbell.services.tokens import TokenRefused
from watchbell.store.session import Database

HOUR = timedelta(hours=1)


def make(db: Database, **fields: Any) -> NewCode:
    return enrolment.create(db, now=NOW, actor="ann", **fields)


def deeds(db: Database) -> list[str]:
    return [entry.action for entry in audit.list_page(db, limit=50)]


def test_a_device_joins_with_what_the_code_gives_it_and_is_meant_by_what_is_ordered(db: Database) -> None:
    devices.put_group(db, "kitchens", [], now=NOW, actor="ann")
    code = make(db, name=" pi ", group="kitchens", tags={"site": "north"})
    open_order = execute(db, target_type="group", target_filter={"group": "kitchens"}, execution_type="continuous")

    joined = enrolment.join(db, code.secret, hostname="raspberry", now=NOW + HOUR / 2, address="10.0.0.7")

    view = devices.get(db, joined.uuid, now=NOW)
    assert (view.device.name, view.device.is_active, view.tags) == ("pi", True, {"site": "north"})
    assert devices.resolve(db, joined.key, now=NOW).uuid == joined.uuid
    offer = poll(db, joined.uuid).offer
    assert offer is not None
    assert offer.execution.job_id == open_order.execution.job_id
    (used,) = enrolment.list_all(db, now=NOW)
    assert (used.state, used.device_uuid, used.used_from) == (CodeState.USED, joined.uuid, "10.0.0.7")


def test_neither_the_code_nor_the_key_of_the_device_is_kept(db: Database) -> None:
    code = make(db)
    joined = enrolment.join(db, code.secret, now=NOW)

    with db.read() as session:
        told = [
            repr(session.connection().exec_driver_sql(f"SELECT * FROM {table}").fetchall())
            for table in ("enrolment_code", "device", "audit_entry")
        ]
    assert not any(secret in text for secret in (code.secret, joined.key) for text in told)


def test_a_code_is_for_one_device_however_many_come_at_once(db: Database) -> None:
    code, outcomes = make(db), []
    gate = threading.Barrier(8)

    def come() -> None:
        gate.wait()
        try:
            outcomes.append(enrolment.join(db, code.secret, now=NOW).uuid)
        except EnrolmentRefused:
            outcomes.append("")

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(map(bool, outcomes)) == [False] * 7 + [True]
    with pytest.raises(EnrolmentRefused, match="joined with this enrolment code already"):
        enrolment.join(db, code.secret, now=NOW)
    assert len(devices.list_page(db, now=NOW, is_active=None, is_online=None, page=1, limit=10)[0]) == 1


@pytest.mark.parametrize(
    ("after", "is_revoked", "words"),
    [(HOUR, False, "has expired"), (HOUR / 2, True, "was revoked"), (2 * HOUR, True, "was revoked")],
)
def test_a_code_whose_time_is_over_or_that_was_taken_back_opens_nothing(
    db: Database, after: timedelta, is_revoked: bool, words: str
) -> None:
    code = make(db)
    if is_revoked:
        assert enrolment.revoke(db, code.code.id, now=NOW, actor="ann").state is CodeState.REVOKED

    with pytest.raises(EnrolmentRefused, match=words):
        enrolment.join(db, code.secret, now=NOW + after)

    assert enrolment.list_all(db, now=NOW + after)[0].state is not CodeState.USED


@pytest.mark.parametrize("text", ["", "wbe_" + "0" * 32, "wbd_" + "0" * 40, "wbe_\0", "\ud800", "x" * 5000])
def test_what_is_no_code_is_refused_in_the_same_words_and_not_kept(db: Database, text: str) -> None:
    with pytest.raises(EnrolmentRefused, match="not known here") as told:
        enrolment.join(db, text, now=NOW)
    enrolment.note_refused(db, text, told.value.message, now=NOW)

    (entry,) = audit.list_page(db, limit=5)
    assert (entry.action, entry.detail) == ("enrolment.refuse", {"reason": told.value.message})
    assert entry.name in {"", "wbe_000000"}


def test_a_device_that_needs_approval_waits_and_may_ask_for_nothing_until_then(db: Database) -> None:
    code = make(db, needs_approval=True)
    add_device(db, "by hand", active=False)
    joined = enrolment.join(db, code.secret, hostname="pi\n<b>", now=NOW + HOUR / 2, address="10.0.0.7")

    waiting = {one.device.name: one for one in enrolment.list_pending(db)}

    assert list(waiting) == ["by hand", "pi<b>"]
    assert (waiting["pi<b>"].code_prefix, waiting["pi<b>"].joined_from) == (code.code.prefix, "10.0.0.7")
    assert waiting["by hand"].code_prefix is None
    assert not joined.is_active
    assert devices.resolve(db, joined.key, now=NOW).is_active is False
    devices.set_active(db, joined.uuid, True, now=NOW, actor="ann")
    assert [one.device.name for one in enrolment.list_pending(db)] == ["by hand"]


def test_whoever_is_turned_away_has_a_key_that_opens_nothing(db: Database) -> None:
    joined = enrolment.join(db, make(db, needs_approval=True).secret, now=NOW)

    devices.delete(db, joined.uuid, now=NOW, actor="ann")

    with pytest.raises(TokenRefused):
        devices.resolve(db, joined.key, now=NOW)
    (code,) = enrolment.list_all(db, now=NOW)
    assert (code.state, code.device_uuid) == (CodeState.USED, None)


def test_all_that_is_done_with_codes_is_written_down(db: Database) -> None:
    first, second = make(db), make(db, name="pi")
    enrolment.join(db, first.secret, now=NOW)
    enrolment.revoke(db, second.code.id, now=NOW, actor="ann")
    enrolment.revoke(db, second.code.id, now=NOW, actor="ann")

    made = ["enrolment.create", "enrolment.create", "enrolment.use", "device.enrol", "enrolment.revoke"]
    assert list(reversed(deeds(db))) == made


def test_a_code_that_was_used_is_not_taken_back(db: Database) -> None:
    code = make(db)
    enrolment.join(db, code.secret, now=NOW)

    with pytest.raises(Conflict):
        enrolment.revoke(db, code.code.id, now=NOW, actor="ann")
    with pytest.raises(NotFound):
        enrolment.revoke(db, 999_999, now=NOW, actor="ann")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "a\nb"}, "name"),
        ({"group": "nowhere"}, "group"),
        ({"tags": {"a b": "x"}}, "tags"),
        ({"tags": {f"t{number}": "x" for number in range(51)}}, "tags"),
        ({"lifetime": timedelta(seconds=59)}, "expires"),
        ({"lifetime": timedelta(days=8)}, "expires"),
    ],
)
def test_a_code_that_no_device_could_use_is_not_made(db: Database, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as told:
        make(db, **fields)

    assert told.value.problems[0].field == field
    assert enrolment.list_all(db, now=NOW) == []


def test_a_code_is_found_by_its_id_and_by_how_it_begins_and_forgotten_long_after_its_end(db: Database) -> None:
    code = make(db).code

    assert enrolment.find(db, str(code.id), now=NOW) == enrolment.find(db, code.prefix, now=NOW) == code
    with pytest.raises(NotFound):
        enrolment.find(db, "wbe_nothing", now=NOW)
    later = NOW + enrolment.KEPT + 2 * HOUR
    other = enrolment.create(db, now=later, actor="ann").code
    assert [one.id for one in enrolment.list_all(db, now=later)] == [other.id]
