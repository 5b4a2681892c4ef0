"""What tests of policies ask of an installation, and what they read from it afterwards."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.process.lives import LAB
from tests.process.oracle import Oracle
from watchbell import clock
from watchbell.services import pauses, tasks, triggers


def run_now(lab, task) -> int:
    return triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester").id


def pause(lab, scope: str, **options: object) -> None:
    pauses.pause(lab.db, scope, now=clock.now(), actor="anna", **options)


def resume(lab, scope: str) -> None:
    assert pauses.resume(lab.db, scope, now=clock.now(), actor="anna")


def disable(lab, task) -> None:
    tasks.set_enabled(lab.db, task.id, False, now=clock.now(), actor="tester")


def reasons(lab, state: str) -> list[str]:
    return [row["reason"] for row in lab.rows("SELECT reason FROM run WHERE state = ? ORDER BY id", state)]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def started(lab) -> list[str]:
    """Return the names of the tasks whose commands have begun, in the order in which they did."""
    return [line[3] for line in lab.effect_lines("START")]


def most_at_once(lab) -> int:
    """Return how many commands were going at a time, by their own words."""
    going = most = 0
    for line in lab.effects.read_text().splitlines():
        going += 1 if line.split()[5] == "START" else -1
        most = max(most, going)
    return most


def all_over(lab) -> bool:
    return not lab.rows("SELECT 1 FROM run WHERE ended_at IS NULL")


def check(lab) -> None:
    """Let the oracle look at what is over, every occurrence of every interval included."""
    oracle = Oracle(lab.file, lab.effects, (LAB, lab.token))
    # The rows of what was due are checked until the tasks were disabled, which is when their cursors stand still.
    rows = lab.rows("SELECT min(cursor_at) AS at FROM task WHERE json_extract(schedule, '$.kind') = 'interval'")
    until = moment(rows[0]["at"]) if rows[0]["at"] else clock.now()
    assert not oracle.judge(until).all_violations
