"""F23: commands that take all they can get, within limits: the others start in time, the scheduler lives, the hog is told."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.fault.bounds import rss_mib, seconds, start, trigger, wait
from tests.fault.scale import count
from tests.process.lives import list_processes
from watchbell import clock
from watchbell.execution import cgroups
from watchbell.execution.limits import describe_limits
from watchbell.execution.proc import list_pids
from watchbell.services import tasks

pytestmark = pytest.mark.fault

LAG_SECONDS = 5.0
#: Forks as fast as it can, in every child too, and goes on when it is refused; within a bound of its own where the
#: system has none for us, since that is what would end the machine and not the experiment.
BOMB = """
import os, sys, time
own = int(sys.argv[1])
while True:
    try:
        if own and len(os.listdir("/proc")) > own: raise OSError
        os.fork()
    except OSError: time.sleep(0.01)
"""
FILES = """
files = []
try:
    while True: files.append(open("/dev/null"))
except OSError as error: raise SystemExit(f"no more than {len(files)}: {error}")
"""
MEMORY = "data = []\nwhile True: data.append(bytearray(8 << 20))"
SPIN = "while :; do :; done"
PROCESSES = 60
MEMORY_MIB = 200


@pytest.fixture
def hogs(lab) -> dict[str, tuple[str, dict[str, object], Callable[[object], bool]]]:
    """Return the commands by name, with their policies and what must be true of the row of each."""
    bounded = cgroups.controllers()
    for name, text in (("bomb", BOMB), ("files", FILES), ("memory", MEMORY)):
        (lab.home / f"{name}.py").write_text(text)
    python = f"{sys.executable} {lab.home}"
    spare = 0 if cgroups.PIDS in bounded else len(list_pids()) + 150
    limit = f"process limit of {PROCESSES} reached" if cgroups.PIDS in bounded else ""
    memory = f"memory limit of {MEMORY_MIB} MiB"
    return {
        "a fork bomb": (
            f"{python}/bomb.py {spare}",
            {"process_limit": PROCESSES},
            lambda row: row["state"] == "timed_out" and limit in row["reason"],
        ),
        "a fork bomb whose leader goes on": (
            "b() { b | b & }; b; sleep 2" if cgroups.PIDS in bounded else "exit 1",
            {"process_limit": PROCESSES},
            lambda row: row["state"] == "failed" and limit in row["reason"],
        ),
        "a memory hog": (
            f"{python}/memory.py",
            {"memory_limit_mib": MEMORY_MIB},
            lambda row: row["state"] == "failed" and memory in row["reason"],
        ),
        # Of the million that some systems allow, opening takes longer than this hog is given beside the others.
        "a file hog": (
            f"ulimit -n 4096 && {python}/files.py",
            {},
            lambda row: (row["state"], row["exit_code"]) == ("failed", 1),
        ),
        "a CPU hog": (f"{SPIN} & {SPIN}", {"niceness": 19}, lambda row: row["state"] == "timed_out"),
        "a CPU hog that pushes": (
            SPIN,
            {"niceness": -20 if os.geteuid() == 0 and (os.cpu_count() or 1) > 1 else 0},
            lambda row: row["state"] == "timed_out",
        ),
    }


def test_hogs_within_limits_leave_the_others_alone(lab, claims, hogs):
    print(describe_limits())
    going = count("HOG_SECONDS", 4, 60)
    wrong: list[str] = []
    with lab.running() as life:
        before = rss_mib(life.pid)
        innocent = [lab.add_task(f"innocent-{number}", 0, 0, every="1s", overlap="allow") for number in range(3)]
        begun = {
            name: (start(lab, name, command, time_limit_seconds=going, grace_seconds=1, **policies), told)
            for name, (command, policies, told) in hogs.items()
        }
        for name, (run, is_told) in begun.items():
            row = wait(lab, run, going + 60)
            if not is_told(row):
                wrong.append(f"{name}: {row['state']} {row['reason']!r}")
            # Whoever gives way to all others on a busy machine takes its time to die as well.
            if seconds(row) > going + 1 + 4 * LAG_SECONDS:
                wrong.append(f"{name}: took {seconds(row):.1f} s")
        over = time.time()
        for task in innocent:
            tasks.set_enabled(lab.db, task.id, False, now=clock.now(), actor="tester")
        active = "SELECT count(*) FROM run WHERE ended_at IS NULL"
        lab.wait(lambda: lab.rows(active)[0][0] == 0, "the last runs to end", 30)
        wrong += [] if not life.ended(0) else ["the scheduler has ended"]
        wrong += [] if rss_mib(life.pid) - before < 64 else [f"the scheduler grew to {rss_mib(life.pid):.0f} MiB"]
        lab.wait(lambda: not list_processes(lab.token), "the hogs to be gone", 5)
    runs, late, longest = judge_innocent(lab, over)
    claims.figure("F23", "what bounds here", describe_limits())
    claims.figure("F23", "longest start lag of the others", f"{longest:.2f} s")
    claims.none_of("F23", f"others started more than {LAG_SECONDS:g} s late, missed or failed", runs, late)
    claims.none_of("F23", "hogs that were not ended in time or wrongly told", 2 * len(hogs) + 2, wrong)


def judge_innocent(lab, over: float) -> tuple[int, list[str], float]:
    """Return how many runs of the others there were, which were late or not made, and the longest lag.

    What was due just before it was ``over`` may have been disabled before it could start.
    """
    rows = lab.rows(
        "SELECT run.id, run.state, run.reason, run.due_at, run.started_at FROM run JOIN task ON task.id = run.task_id"
        " WHERE task.name LIKE 'innocent%'"
    )
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    effects = {int(line[0]): booted + float(line[7]) for line in lab.effect_lines()}
    late, longest = [], 0.0
    for row in rows:
        due = datetime.fromisoformat(row["due_at"]).replace(tzinfo=UTC).timestamp()
        if row["id"] not in effects and due > over - LAG_SECONDS and "was disabled" in row["reason"]:
            continue
        lag = effects.get(row["id"], due + 1000) - due
        longest = max(longest, lag)
        if row["state"] != "succeeded" or lag > LAG_SECONDS:
            late.append(f"run {row['id']}: {row['state']} {row['reason']!r}, {lag:.2f} s late")
    return len(rows), late, longest


@pytest.mark.parametrize("limits", [{"memory_limit_mib": 256}, {"process_limit": 50}, {"niceness": 5}])
def test_limits_survive_a_kill_of_the_scheduler(lab, claims, limits):
    """What was started under limits is taken over with them, and its end is told as if nothing had happened."""
    life = lab.start()
    life.wait_for_beat()
    task = lab.add("outlives", f"until [ -e {lab.home}/go ]; do sleep 0.05; done; exit 7", **limits)
    run = trigger(lab, task.id)
    lab.wait_for_state(run, "running")
    life.kill()
    (lab.home / "go").touch()
    with lab.running():
        row = wait(lab, run)
    wrong = [] if (row["state"], row["exit_code"]) == ("failed", 7) else [f"{row['state']}: {row['reason']}"]
    claims.none_of("F23", "ends under limits lost with the scheduler", 1, wrong)
