"""F06: commands that hang in every way there is end within their time limit and grace, with their whole tree."""

from __future__ import annotations

import pytest

from tests.fault.bounds import seconds, start, wait
from tests.process.lives import list_processes
from tests.waiting import crowd

pytestmark = pytest.mark.fault

LIMIT, GRACE, SLACK = 2, 1, 2.0
HANGS = {
    "a stopped child": "sleep 300 & kill -STOP $!; wait",
    "a stopped leader": "sleep 300 & kill -STOP $$; wait",
    "a stopped group": "sleep 300 & kill -STOP 0; wait",
    "TERM is ignored": "trap '' TERM HUP INT; while :; do sleep 0.1; done",
    "TERM is ignored by all": "trap '' TERM; sh -c \"trap '' TERM; sleep 300; :\" & while :; do sleep 0.1; done",
    "blocked on a fifo": "mkfifo {home}/fifo1; cat {home}/fifo1",
    "blocked on a fifo, TERM is ignored": "mkfifo {home}/fifo2; trap '' TERM; read line <{home}/fifo2",
    "blocked on writing": "mkfifo {home}/fifo3; sleep 300 <>{home}/fifo3 & yes >{home}/fifo3",
    "a stopped session of its own": "setsid sh -c 'kill -STOP $$; sleep 300' & sleep 300; :",
    "it waits for what ignores TERM": "sh -c \"trap '' TERM; sleep 300; :\"; echo never",
}


def slack() -> float:
    """Return what an end may take beyond limit and grace: 2 s, and more where several processes wait for each processor."""
    return SLACK * crowd()


def test_what_hangs_ends_in_time_with_its_tree(lab, claims):
    wrong: list[str] = []
    longest = 0.0
    with lab.running():
        begun = {
            name: start(
                lab, f"hang-{number}", text.format(home=lab.home), time_limit_seconds=LIMIT, grace_seconds=GRACE
            )
            for number, (name, text) in enumerate(HANGS.items())
        }
        for name, run in begun.items():
            row = wait(lab, run, 30)
            longest = max(longest, seconds(row))
            if row["state"] != "timed_out" or f"time limit of {LIMIT} s" not in row["reason"]:
                wrong.append(f"{name}: {row['state']} {row['reason']!r}")
            if seconds(row) < LIMIT - 0.05 or seconds(row) > LIMIT + GRACE + slack():
                wrong.append(f"{name}: took {seconds(row):.2f} s")
            left = [pid for pid, seen in list_processes(lab.token).items() if seen.get("WATCHBELL_RUN_ID") == str(run)]
            if left:
                wrong.append(f"{name}: {left} live on")
    claims.figure("F06", "allowed beyond limit and grace on a machine as busy as this", f"{slack():.1f} s")
    claims.figure("F06", f"longest end after a time limit of {LIMIT} s and {GRACE} s of grace", f"{longest:.2f} s")
    claims.none_of("F06", "hanging commands that end too late, wrongly told or not as a whole", 3 * len(HANGS), wrong)
