"""Runs that somebody says were as they should be: on the page, in the shell and for programs, and what the next ones are then."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.api_fixtures import Program
from tests.database import NOW, add_task
from tests.unit.run_rows import add_execution
from tests.web_fixtures import Enter, Person
from watchbell import clock
from watchbell.domain.analysis.judgement import Verdict
from watchbell.errors import Conflict
from watchbell.services import audit, judgements, retention
from watchbell.services.judgements import Judge
from watchbell.services.retention import Rules
from watchbell.store import samples, verdicts
from watchbell.store.session import Database
from watchbell.store.tasks import Task


@pytest.fixture
def task(db: Database) -> Task:
    """Give a task that has taken 20 s twenty times."""
    made = add_task(db, "nightly")
    for number in range(20):
        add_execution(db, made, 20, hours_ago=50 - number)
    return made


@pytest.fixture
def slow(db: Database, task: Task) -> int:
    """Give a run that took 90 s."""
    return add_execution(db, task, 90, hours_ago=25)


def judged(db: Database, judge: Judge, run_id: int) -> Verdict:
    """Let a judge do its work on a run."""
    with db.write() as session:
        judge.judge(session, samples.list_measured_by_id(session, [run_id]))
    return judgements.of_run(db, run_id).verdict


def test_what_is_expected_is_not_unusual_any_more_and_so_is_what_is_like_it(
    db: Database, task: Task, slow: int
) -> None:
    judge = Judge()
    assert judged(db, judge, slow) is Verdict.SLOW
    assert judgements.tell(db, slow).is_unusual

    told = judgements.expect(db, slow, now=NOW, actor="ann")

    assert (told.is_unusual, told.expected_by, told.judgement.verdict) == (False, "ann", Verdict.SLOW)
    assert not judgements.tell(db, slow).is_unusual
    # The judge had learned already, and takes notice.
    assert judged(db, judge, add_execution(db, task, 95, hours_ago=24)) is Verdict.USUAL
    assert judged(db, judge, add_execution(db, task, 400, hours_ago=23)) is Verdict.SLOW

    judgements.retract(db, slow, now=NOW, actor="bob")

    assert judgements.tell(db, slow).is_unusual
    entries = [(one.action, one.actor, one.subject) for one in audit.list_page(db, limit=5)]
    assert entries[:2] == [("run.retract", "bob", f"run:{slow}"), ("run.expect", "ann", f"run:{slow}")]


def test_said_twice_the_first_one_stands_and_what_was_usual_cannot_be_expected(
    db: Database, task: Task, slow: int
) -> None:
    judgements.expect(db, slow, now=NOW, actor="ann")
    assert judgements.expect(db, slow, now=NOW, actor="bob").expected_by == "ann"
    assert len(audit.list_page(db, limit=9, action="run.expect")) == 1

    usual = add_execution(db, task, 20, hours_ago=20)
    failed = add_execution(db, task, 90, hours_ago=19, code=1)

    for run_id in (usual, failed):
        with pytest.raises(Conflict, match="was not unusual"):
            judgements.expect(db, run_id, now=NOW, actor="ann")


def test_the_runs_that_were_unusual_are_listed_with_what_was_said(db: Database, task: Task, slow: int) -> None:
    judge = Judge()
    judged(db, judge, slow)
    other = add_execution(db, task, 1, hours_ago=18)
    judged(db, judge, other)
    judgements.expect(db, slow, now=NOW, actor="ann")

    found = judgements.list_unusual(db, task.id, limit=10)

    assert [(run.run_id, told.judgement.verdict, told.is_expected) for run, told in found] == [
        (other, "fast", False),
        (slow, "slow", True),
    ]


def test_what_was_said_goes_with_its_run(db: Database, task: Task, slow: int, tmp_path: Path) -> None:
    judgements.expect(db, slow, now=NOW, actor="ann")
    add_execution(db, task, 20)
    prune = retention.Pass(db, Rules(runs=1), now=clock.now() + timedelta(days=1000), output_root=tmp_path)
    while prune.step().more:
        pass

    with db.read() as session:
        assert verdicts.find_expected(session, slow) is None


def test_the_page_says_why_and_takes_the_word_of_who_knows_with_an_undo(admin: Person, slow: int) -> None:
    page = admin.see(f"/runs/{slow}")
    told = " ".join(page.select_one(".wb-run-verdict").text.split())  # type: ignore[union-attr]
    assert "Slow: took 1m 30s; usually 15s to 25s (median 20s of 20 runs)." in told

    answer = admin.post(f"/runs/{slow}/expect", follow_redirects=True)

    assert "is as it should be" in answer.text
    assert f'action="/runs/{slow}/retract"' in answer.text
    told = " ".join(admin.see(f"/runs/{slow}").select_one(".wb-run-verdict").text.split())  # type: ignore[union-attr]
    assert told.startswith("Slow, as expected by admin just now")

    admin.post(f"/runs/{slow}/retract")
    assert "Mark as expected" in admin.see(f"/runs/{slow}").text


def test_on_the_page_of_a_usual_run_nothing_is_asked(admin: Person, db: Database, task: Task) -> None:
    usual = add_execution(db, task, 20, hours_ago=20)

    assert admin.see(f"/runs/{usual}").select_one(".wb-run-verdict").text.strip() == ""  # type: ignore[union-attr]
    answer = admin.post(f"/runs/{usual}/expect", follow_redirects=True)
    assert "was not unusual" in answer.text


def test_who_only_looks_is_not_asked(enter: Enter, slow: int) -> None:
    viewer = enter("viewer")

    assert "Mark as expected" not in viewer.see(f"/runs/{slow}").text
    assert viewer.post(f"/runs/{slow}/expect").status_code == 403
    assert viewer.post("/runs/999999/expect").status_code == 403
    assert enter("operator").post(f"/runs/{slow}/expect").status_code == 303


def test_programs_are_told_and_may_say_so(program: Program, slow: int) -> None:
    told = program.get(f"/api/v2/runs/{slow}/verdict")
    assert (told["verdict"], told["is_expected"], told["expected_by"]) == ("slow", False, None)
    assert told["reason"].startswith("took 90 s; usually 15 to 25 s")
    (finding,) = told["findings"]
    assert (finding["metric"], finding["value"], finding["runs"]) == ("execution_time_seconds", 90, 20)

    assert program.want(200, "POST", f"/api/v2/runs/{slow}/expect")["is_expected"] is True
    assert program.get(f"/api/v2/runs/{slow}/verdict")["is_expected"] is True
    assert program.want(200, "POST", f"/api/v2/runs/{slow}/retract")["is_expected"] is False
