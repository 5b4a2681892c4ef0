"""F03: whoever asks for a run and dies, or never hears the answer, may ask again by the same key: there is one run.

The web page takes no keys from its visitors; that a kill of its workers doubles no run is in
tests/process/test_page_kills.py. The key is the one of `triggers.run_now`, which the shell and programs use.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.fault.scale import SEED, count
from tests.process.lives import ROOT

pytestmark = pytest.mark.fault

#: Forks askers that the kernel kills at a random moment, before, within or after their transaction.
ASK = """
import json, os, random, signal, sys
from watchbell import clock
from watchbell.services import triggers
from watchbell.store.session import Database

url, task, rounds, seed = sys.argv[1], *map(int, sys.argv[2:])
chance, killed, ids = random.Random(seed), 0, {}
for number in range(rounds):
    after = chance.uniform(0.0002, 0.03)
    pid = os.fork()
    if pid == 0:
        db = Database.open(url)
        signal.setitimer(signal.ITIMER_REAL, after)
        triggers.run_now(db, task, now=clock.now(), actor="tester", key=f"key-{number}")
        os._exit(0)
    killed += os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGALRM
    db = Database.open(url)
    ids[f"key-{number}"] = [
        triggers.run_now(db, task, now=clock.now(), actor="tester", key=f"key-{number}").id for _ in range(2)
    ]
    db.close()
print(json.dumps({"killed": killed, "ids": ids}))
"""


def test_a_run_that_was_asked_for_twice_by_one_key_is_one_run(lab, claims):
    task = lab.add_task("job", 0, 7)
    rounds = count("ASKS", 40, 5000)
    arguments = [sys.executable, "-c", ASK, lab.config.database_url, str(task.id), str(rounds), str(SEED)]
    told = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT, timeout=60 + rounds, check=True)
    answer = json.loads(told.stdout)

    rows = {row["occurrence_key"]: row for row in lab.rows("SELECT * FROM run")}
    births = lab.rows("SELECT run_id, count(*) AS n FROM run_event WHERE from_state IS NULL GROUP BY run_id")
    doubled = [key for key, ids in answer["ids"].items() if len(set(ids)) != 1 or rows[f"man:{key}"]["id"] != ids[0]]
    doubled += [f"run {row['run_id']} was born {row['n']} times" for row in births if row["n"] != 1]
    claims.figure("F03", "askers killed before they had their answer", f"{answer['killed']} of {rounds}")
    claims.none_of("F03", "keys with more than one run", len(rows), doubled)
    assert len(rows) == rounds
    assert answer["killed"], "nobody was killed"
