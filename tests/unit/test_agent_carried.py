"""What an agent carries: done once when it is due, told when it can be, whatever crashes and whichever way the clock goes."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.database import NOW
from watchbell import clock
from watchbell.agent import carried as kept
from watchbell.agent.carried import Carried
from watchbell.agent.carrier import Carrier

HOUR = timedelta(hours=1)


def schedule(command: str, version: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "schedule_id": "s", "version": version, "name": "night", "timeout_seconds": 60, "catch_up": "last",
        "document": {"version": "1.0", "steps": [{"type": "runCommand", "input": {"command": command}}]},
        "timing": {"every": 3600, "unit": "seconds", "anchor_at": NOW.isoformat()}, "counts_from": NOW.isoformat(),
        "handlers": [], **more,
    }  # fmt: skip


@pytest.fixture
def carried(tmp_path: Path) -> Carried:
    made = Carried(tmp_path)
    made.put(schedule(f"echo x >> {tmp_path}/count"), now=NOW)
    return made


def carrier_of(carried: Carried, up_since: Any = NOW) -> Carrier:
    made = Carrier(carried, threading.Lock(), "a/b")
    made._up_since = up_since
    return made


def count(folder: Path) -> int:
    file = folder / "count"
    return len(file.read_text().split()) if file.exists() else 0


def results(carried: Carried) -> list[dict[str, Any]]:
    return [found for _file, found in carried.results()]


def test_a_moment_is_done_once_and_its_result_waits_to_be_told(carried: Carried, tmp_path: Path) -> None:
    carrier = carrier_of(carried)

    assert 0 < carrier.look(NOW) <= 20
    assert carrier.look(NOW + HOUR) == 0
    assert carrier.look(NOW + HOUR) > 0
    again = Carried(tmp_path)
    assert carrier_of(again).look(NOW + HOUR) > 0

    (result,) = results(again)
    assert (result["outcome"], result["status"], result["key"]) == ("run", "SUCCEEDED", "utc:2026-11-22T13:00:00Z")
    assert count(tmp_path) == 1


def test_what_passed_while_the_agent_was_off_is_told_as_missed_and_the_last_is_made_up_for(
    carried: Carried, tmp_path: Path
) -> None:
    now = NOW + 5.5 * HOUR
    carrier_of(carried, up_since=now).look(now)

    assert [one["outcome"] for one in carried.untold(9)] == ["missed"] * 4
    assert "begun 1800 s late: the device or its agent was off" in results(carried)[0]["reason"]
    assert count(tmp_path) == 1
    carried.note_told(carried.untold(4))
    assert Carried(tmp_path).untold(9) == []


def test_what_a_killed_agent_was_at_is_unknown_and_never_done_again(carried: Carried, tmp_path: Path) -> None:
    moment = {"schedule_id": "s", "version": 1, "key": "utc:2026-11-22T13:00:00Z", "due_at": (NOW + HOUR).isoformat()}
    carried.begin({**moment, "outcome": "run", "name": "night"}, NOW + HOUR)

    after = Carried(tmp_path)
    carrier = carrier_of(after)
    carrier._is_closing = True
    carrier.start()
    carrier.look(NOW + HOUR)
    # Not even if the clock is put back, or the state says of an earlier time that it was looked at.
    after.set_back("s", NOW)
    carrier.look(NOW + HOUR)

    (result,) = results(after)
    assert (result["status"], result["failure"][:7], after.begun()) == ("FAILED", "unknown", None)
    assert count(tmp_path) == 0


def test_one_that_was_killed_between_result_and_note_tells_the_result(carried: Carried, tmp_path: Path) -> None:
    state = tmp_path / "carried" / "state.json"
    carried.begin({"schedule_id": "s", "version": 1, "key": "k", "name": "night"}, NOW + HOUR)
    begun = state.read_text()
    carried.finish({"status": "SUCCEEDED"})
    state.write_text(begun)

    after = Carried(tmp_path)

    assert after.begun() is None
    assert [one["status"] for one in results(after)] == ["SUCCEEDED"]


def test_a_change_a_rest_and_a_new_one_count_from_their_own_time(carried: Carried, tmp_path: Path) -> None:
    now = NOW + 3.5 * HOUR
    carried.put(schedule("true", 2, counts_from=(NOW + 2.5 * HOUR).isoformat()), now=now)
    carrier_of(carried).look(now)
    assert (len(carried.untold(9)), [one["version"] for one in results(carried)]) == (0, [2])

    carried.drop("s")
    assert (carried.versions, carrier_of(carried).look(now + 9 * HOUR)) == ({}, 20)
    carried.put(schedule("true", 3), now=now + 9 * HOUR)
    carrier_of(Carried(tmp_path)).look(now + 9 * HOUR)
    assert len(results(carried)) == 1


def test_a_clock_that_was_far_ahead_does_not_let_a_schedule_rest_for_years(carried: Carried) -> None:
    carrier = carrier_of(carried)
    carrier.look(NOW + timedelta(days=400))
    before = len(results(carried))

    carrier.look(NOW + timedelta(minutes=30))
    carrier.look(NOW + HOUR)

    assert len(results(carried)) == before + 1


def test_nothing_is_begun_that_cannot_be_written_down(carried: Carried, tmp_path: Path) -> None:
    # A folder in its place, which also root cannot write over.
    (tmp_path / "carried" / "state.part").mkdir()

    with pytest.raises(OSError, match=r"state\.part"):
        carrier_of(carried).look(NOW + HOUR)

    (tmp_path / "carried" / "state.part").rmdir()
    assert (count(tmp_path), carrier_of(carried).look(NOW + HOUR), count(tmp_path)) == (0, 0, 1)


def test_a_handler_that_is_not_what_was_told_is_not_run(carried: Carried, tmp_path: Path) -> None:
    step = {"type": "runHandler", "input": {"handler": "h"}}
    told = schedule("", 2, handlers=[{"name": "h", "sha256": "0" * 64}])
    carried.put({**told, "document": {"version": "1.0", "steps": [step]}}, now=NOW)

    carrier_of(carried).look(NOW + HOUR)

    assert [(one["status"], "digest" in one["failure"]) for one in results(carried)] == [("REJECTED", True)]
    with pytest.raises(ValueError, match="no name"):
        carried.put({**told, "schedule_id": "../x"}, now=NOW)


def test_very_much_that_was_missed_is_told_together(carried: Carried, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_UNTOLD", 4)
    told = [{"schedule_id": "s", "key": f"k{number}", "stands_for": 1} for number in range(6)]

    carried.note("s", clock.now(), told)

    assert [(one["key"], one["stands_for"]) for one in carried.untold(9)] == [("k0..k3", 4), ("k4", 1), ("k5", 1)]
