"""What a server tells one device, sealed: an agent acts on nothing else, however it came and whatever the clocks say."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.database import NOW
from watchbell.domain import agent_protocol
from watchbell.domain.agent_protocol import Assignment, BadlySigned, NotTrusted, Told

KEY = agent_protocol.signing_key("s" * 64, "device-1", "salt")
NONCE = "0" * 32
JOB = Assignment("job-1", 2, 7, {"document": {"steps": ["ü"]}, "timeout_seconds": 60, "handlers": []})


def sealed(told: Told = Told(JOB, ()), **how: Any) -> dict[str, Any]:
    # As it is after it has come over the wire.
    given = {"key": KEY, "device": "device-1", "nonce": NONCE, "now": NOW, **how}
    return json.loads(json.dumps(agent_protocol.seal(told, **given)))


def unseal(answer: dict[str, Any], **how: Any) -> Told:
    given = {"key": KEY, "device": "device-1", "nonce": NONCE, "elapsed_seconds": 0.5, **how}
    return agent_protocol.unseal(answer, **given)


@pytest.mark.parametrize("told", [Told(JOB, ()), Told(None, ("job-2", "job-3")), Told(JOB, ("job-2",))])
def test_what_was_sealed_is_what_is_read(told: Told) -> None:
    assert unseal(sealed(told)) == told


def test_each_device_has_a_key_of_its_own_and_another_with_another_server_or_salt() -> None:
    given = [("s" * 64, "a", "x"), ("t" * 64, "a", "x"), ("s" * 64, "b", "x"), ("s" * 64, "a", "y")]

    assert len({agent_protocol.signing_key(*one) for one in given}) == 4


@pytest.mark.parametrize("name", ["device", "nonce", "cancelled", "valid_seconds", "version", "issued_at"])
def test_an_envelope_in_which_anything_was_changed_is_refused(name: str) -> None:
    answer = sealed()
    envelope = json.loads(answer["envelope"])
    envelope[name] = "x"
    answer["envelope"] = json.dumps(envelope)

    with pytest.raises(BadlySigned):
        unseal(answer)


@pytest.mark.parametrize(
    "change",
    [
        {"signature": None},
        {"signature": ""},
        {"signature": "ü"},
        {"signature": 5},
        {"signature": "0" * 64},
        {"envelope": None},
        {"envelope": ""},
        {"envelope": "\ud800"},
        {"payload": None},
        {"payload": "{}"},
        {"payload": {"document": {}}},
        {"payload": "\ud800"},
    ],
    ids=str,
)
def test_what_is_unsigned_or_badly_signed_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadlySigned):
        unseal({**sealed(), **change})


def test_the_answer_to_another_device_or_of_another_server_is_refused() -> None:
    foreign = sealed(key=agent_protocol.signing_key("s" * 64, "device-2", "salt"), device="device-2")
    elsewhere = sealed(key=agent_protocol.signing_key("t" * 64, "device-1", "salt"))

    for answer in (foreign, elsewhere):
        with pytest.raises(BadlySigned):
            unseal(answer)
    # Should two devices ever have the same key, the name in the envelope tells them apart.
    with pytest.raises(NotTrusted, match="another device"):
        unseal(sealed(device="device-2"))


def test_an_answer_that_comes_again_answers_no_later_request() -> None:
    with pytest.raises(NotTrusted, match="another request"):
        unseal(sealed(), nonce="1" * 32)


@pytest.mark.parametrize("elapsed", [120.1, 3600.0, -1.0])
def test_an_answer_that_took_too_long_is_refused(elapsed: float) -> None:
    with pytest.raises(NotTrusted, match="older than 120 s"):
        unseal(sealed(), elapsed_seconds=elapsed)


@pytest.mark.parametrize("skew", [timedelta(days=-9999), timedelta(hours=-1), timedelta(hours=1), timedelta(days=9999)])
def test_no_clock_of_the_two_matters_for_how_long_an_answer_is_good(skew: timedelta) -> None:
    assert unseal(sealed(now=NOW + skew), elapsed_seconds=119.9).assignment == JOB


def test_an_answer_of_a_protocol_to_come_is_not_guessed_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_protocol, "VERSION", 2)
    later = sealed()
    monkeypatch.undo()

    with pytest.raises(NotTrusted, match="version 2"):
        unseal(later)
