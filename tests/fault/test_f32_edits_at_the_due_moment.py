"""F32: tasks are edited, disabled, moved to another zone and deleted around the second in which they are due."""

from __future__ import annotations

import json
import random
import time
from datetime import datetime, timedelta

import pytest

from tests.fault.life_work import oracle_of
from tests.fault.scale import SEED, count, rounds
from tests.process.oracle import Verdict
from watchbell import clock
from watchbell.domain.task_definition import Defaults
from watchbell.errors import NotFound
from watchbell.services import tasks

pytestmark = pytest.mark.fault

DEFAULTS = Defaults(zone="UTC", owner="tester", host="")
ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns")
TASKS = 6


def command(lab, version: int) -> str:
    """Return a command whose exit code tells which version of the task it belongs to."""
    return f"{lab.script} 0.1 {version % 100}"


def change(lab, chance: random.Random, task, number: int) -> None:
    """Do one thing to a task that a person might do to it."""
    kind = chance.randrange(10)
    if kind == 0:
        tasks.delete(lab.db, task.id, now=clock.now(), actor="tester")
    elif kind <= 3:
        tasks.set_enabled(lab.db, task.id, chance.random() < 0.6, now=clock.now(), actor="tester")
    else:
        fields = {
            "every": f"{chance.choice((1, 2, 3))}s",
            "zone": chance.choice(ZONES),
            "command": command(lab, task.version + 1),
            "comment": f"change {number}",
        }
        tasks.update(lab.db, task.id, fields, now=clock.now(), actor="tester", defaults=DEFAULTS)


def test_a_change_in_the_second_a_task_is_due_starts_nothing_wrong(lab, claims):
    chance = random.Random(SEED)
    made = [lab.add(f"task-{n}", command(lab, 1), every="1s", overlap="allow") for n in range(TASKS)]
    oracle = oracle_of(lab)
    changes = 0

    with lab.running() as life:
        for number in rounds("DUE_EDITS", 60, 2000):
            # A little before or after a whole second, which is when all of them are due.
            moment = (1.0 - time.time() % 1.0 + chance.uniform(-0.06, 0.06)) % 0.35
            assert not life.ended(moment), lab.scheduler_words()
            task = chance.choice(made)
            try:
                change(lab, chance, tasks.get(lab.db, task.id), number)
                changes += 1
            except NotFound:
                made[made.index(task)] = lab.add(f"later-{number}", command(lab, 1), every="1s", overlap="allow")
            if number % 20 == 0:
                oracle.snapshot()
        for task in made:
            if not lab.rows("SELECT 1 FROM task WHERE id = ? AND deleted_at IS NOT NULL", task.id):
                tasks.set_enabled(lab.db, task.id, False, now=clock.now(), actor="tester")
        lab.wait(lambda: not lab.rows("SELECT 1 FROM run WHERE ended_at IS NULL"), "the last runs to end", 60)

    claims.figure("F32", "changes around a due moment", f"{changes} of {count('DUE_EDITS', 60, 2000)} rounds")
    claims.judged("F32", judge(lab, oracle))


def schedule_of(revision) -> object:
    """Return the schedule that a revision says, or None where there was no revision before."""
    return json.loads(revision["definition"])["schedule"] if revision else None


def judge(lab, oracle) -> Verdict:
    """Check what does not depend on which schedule was in force: rows, events, starts, and the version of each run."""
    verdict: Verdict = oracle.verdict
    oracle.snapshot()
    oracle.scan_processes(none_expected=True)
    runs = {row["id"]: row for row in lab.rows("SELECT * FROM run")}
    held = {row["id"]: row for row in lab.rows("SELECT * FROM task")}
    effects = oracle.effects()
    oracle._judge_database()
    oracle._judge_ends(runs)
    oracle._judge_events(runs)
    oracle._judge_starts(held, runs, effects)
    revisions = {(row["task_id"], row["version"]): row for row in lab.rows("SELECT * FROM task_revision")}
    ends = {effect.run: effect.code for effect in effects if effect.what == "END"}
    dues = [(row["task_id"], row["due_at"]) for row in runs.values() if row["trigger"] != "manual"]
    for run, row in runs.items():
        revision = revisions[row["task_id"], row["task_version"]]
        said = json.loads(revision["definition"])["command"].split()[-1]
        if run in ends:
            verdict.check(
                "a run does what its version says", ends[run] == int(said), f"run {run}: {ends[run]} for {said}"
            )
            verdict.check("P8 true exit code recorded", row["exit_code"] == ends[run], f"run {run}: {tuple(row)}")
            # A new schedule counts from the moment of the change; one that stayed as it was goes on, with the new command.
            if schedule_of(revision) != schedule_of(revisions.get((row["task_id"], row["task_version"] - 1))):
                early = datetime.fromisoformat(revision["at"]) - datetime.fromisoformat(row["due_at"])
                words = f"run {run}, due {row['due_at']}, by version {row['task_version']} of {revision['at']}"
                verdict.check("an edit starts no moment that has passed", early <= timedelta(0), words)
        once = dues.count((row["task_id"], row["due_at"])) == 1
        verdict.check("one row per occurrence", once, f"task {row['task_id']} at {row['due_at']}")
    verdict.counts.update(row["state"] for row in runs.values())
    return verdict
