"""What several experiments do with an installation: let it come to an end, and judge it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from tests.process.lives import LAB, Lab
from tests.process.oracle import Oracle, Verdict
from watchbell import clock
from watchbell.services import tasks
from watchbell.store.tasks import Task


def oracle_of(lab: Lab) -> Oracle:
    return Oracle(lab.file, lab.effects, (LAB, lab.token))


def come_to_an_end(lab: Lab, made: Sequence[Task], timeout: float = 60) -> datetime:
    """With a scheduler at work: catch up, switch the tasks off, wait for the last run; return until when all was due."""
    now = datetime.now(UTC).replace(tzinfo=None)
    behind = "SELECT count(*) FROM task WHERE schedule LIKE '%interval%' AND enabled AND cursor_at < ?"
    lab.wait(lambda: lab.rows(behind, str(now))[0][0] == 0, "the scheduler to catch up", timeout)
    for task in made:
        tasks.set_enabled(lab.db, task.id, False, now=clock.now(), actor="tester")
    lab.wait(lambda: not lab.rows("SELECT 1 FROM run WHERE ended_at IS NULL"), "the last runs to end", timeout)
    return now.replace(tzinfo=UTC)


def finish_and_judge(lab: Lab, made: Sequence[Task], timeout: float = 60) -> Verdict:
    """Let one more scheduler do what is left, and judge the installation."""
    oracle = oracle_of(lab)
    with lab.running():
        until = come_to_an_end(lab, made, timeout)
    return oracle.judge(until)
