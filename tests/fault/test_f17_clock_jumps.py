"""F17 and F18: the wall clock is set, and everything is suspended, while tasks run; each is told, and nothing runs twice."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest

from tests.fault import faked_time
from tests.fault.scale import LONG
from tests.process.lives import LAB, ROOT, list_processes
from tests.process.oracle import Oracle
from tests.waiting import wait_until
from watchbell import clock
from watchbell.domain.incidents import IncidentKind
from watchbell.services import incidents

pytestmark = pytest.mark.fault

HOUR = 3600.0
DAY = 86_400.0
JUMPS = {
    "+1 h": HOUR,
    "+10 years": 3653 * DAY,
    "-2 h": -2 * HOUR,
    "-1 day": -DAY,
}
CHOSEN = JUMPS if LONG else {name: JUMPS[name] for name in ("+10 years", "-2 h")}


class Clockmaker:
    """A scheduler whose wall clock is off by what a file says."""

    def __init__(self, lab) -> None:
        self.lab = lab
        self.offset = 0.0
        self._file = Path(lab.home) / "clock"
        self._set(0.0)
        settings = {f"WATCHBELL_{name.upper()}": str(value) for name, value in lab.settings.items()}
        fake = {
            "LD_PRELOAD": faked_time.library(),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # Files keep their true ages: compiled modules of another time would be made anew, for all programs.
            "NO_FAKE_STAT": "1",
        }
        with (lab.home / "words.txt").open("ab") as words:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "watchbell", "scheduler", "run"],
                env={**os.environ, "PYTHONPATH": str(ROOT / "app"), **settings, **fake},
                stdout=words,
                stderr=words,
                start_new_session=True,
            )
        wait_until(lambda: lab.rows("SELECT 1 FROM scheduler"), 30, "the first heartbeat")

    def _set(self, offset: float) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(f"{offset:+.0f}\n")
        # In one step: a file that is half written would be another jump.
        new.replace(self._file)

    def jump(self, seconds: float) -> None:
        self.offset += seconds
        self._set(self.offset)

    def now(self) -> datetime:
        """Return what the clock shows there."""
        return clock.now() + timedelta(seconds=self.offset)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, self.lab.scheduler_words()

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(10)


@contextlib.contextmanager
def clockmaker(lab):
    made = Clockmaker(lab)
    try:
        yield made
    finally:
        made.kill()


def ends(lab, name: str) -> int:
    return sum(1 for line in lab.effect_lines("END") if line[3] == name)


def rows_of(lab, task) -> list:
    return lab.rows("SELECT * FROM run WHERE task_id = ? ORDER BY id", task.id)


def occurrences(rows) -> Counter[str]:
    """Return how many rows each occurrence has: by its time and the pass of the clock that it belongs to."""
    found: Counter[str] = Counter()
    for row in rows:
        due = datetime.fromisoformat(row["due_at"])
        mark = row["occurrence_key"].partition("..")[2] or row["occurrence_key"]
        for back in range(min(row["stands_for"], 100_000)):
            found[f"{due - timedelta(seconds=back)} {mark.partition('+')[2]}"] += 1
    return found


def share_of(process: psutil.Process, seconds: float) -> float:
    """Return how much of a processor a process takes for some seconds."""
    used, at = sum(process.cpu_times()[:2]), clock.monotonic()
    wait_until(lambda: clock.monotonic() - at > seconds, 2 * seconds, "these seconds")
    return (sum(process.cpu_times()[:2]) - used) / (clock.monotonic() - at)


@pytest.mark.parametrize("name", CHOSEN)
def test_a_clock_that_is_set_starts_no_flood_and_stops_nothing(lab, claims, name):
    jump = JUMPS[name]
    tick = lab.add_task("tick", 0, 0, every="1s")
    everything = lab.add_task("all", 0, 0, every="1s", catch_up="all", catch_up_limit=5, overlap="queue_all")
    minute = lab.add_task("minute", 0, 0, cron="* * * * *")
    daily = lab.add_task("daily", 0, 0, cron=f"{(clock.now() - timedelta(minutes=30)):%M %H} * * *")
    # Its limit must neither be reached at once nor put off by the jump.
    slow = lab.add_task("slow", 25, 0, every="1h", time_limit_seconds=8, grace_seconds=1)
    # As if they had been there for days: an interval begins at its anchor and never before.
    anchor = (clock.now() - timedelta(days=3)).replace(microsecond=0).isoformat()
    lab.execute(
        "UPDATE task SET schedule = json_set(schedule, '$.anchor_at', ?) WHERE schedule ->> 'kind' = 'interval'", anchor
    )
    lab.execute("UPDATE task SET cursor_at = datetime(cursor_at, '-3601 seconds') WHERE name = 'slow'")
    with clockmaker(lab) as maker:
        wait_until(lambda: ends(lab, "tick") >= 2, 20, "the first ticks")
        watched = psutil.Process(maker.process.pid)
        before = clock.monotonic()
        started = lab.rows("SELECT count(*) FROM attempt")[0][0]
        waiting = lab.rows("SELECT count(*) FROM run WHERE ended_at IS NULL AND id NOT IN (SELECT run_id FROM attempt)")
        maker.jump(jump)

        kind = IncidentKind.CLOCK_SET_FORWARD if jump > 0 else IncidentKind.CLOCK_SET_BACK
        told = wait_until(
            lambda: [found for found in incidents.list_newest(lab.db) if found.kind == kind], 15, "the incident"
        )
        wait_until(lambda: clock.monotonic() - before > 5, 8, "five seconds")
        size, ticks = watched.memory_info().rss, ends(lab, "tick")
        shares: list[float] = []

        def rests() -> bool:
            # A thread that waits for Python's lock asks the library that sets the clock again and again for the time, which on a
            # crowded machine holds up the one that has the lock, seconds at a time. What turned without end would never rest.
            shares.append(share_of(watched, 1))
            return shares[-1] < 0.5

        wait_until(rests, 40, "it to be at rest")
        wait_until(lambda: ends(lab, "tick") >= ticks + 2, 10, "the ticks to go on in real time")
        wait_until(lambda: "timed_out" in [row["state"] for row in rows_of(lab, slow)], 12, "the time limit")
        limit = lab.rows("SELECT a.* FROM attempt a JOIN run ON run.id = run_id WHERE run.state = 'timed_out'")[0]
        maker.stop()
        # What starts until the scheduler is gone belongs to these seconds, too.
        seconds_here = clock.monotonic() - before

    span = json.loads(lab.rows("SELECT data FROM incident WHERE id = ?", told[0].id)[0]["data"])
    assert abs(span["seconds"] - jump) < 3
    started = lab.rows("SELECT count(*) FROM attempt")[0][0] - started
    # Two tasks a second, the rest by policy: the last one of each, and five of one; and what was due before the jump.
    most = 2 * seconds_here + 5 + 5 + waiting[0][0]
    violations = [] if started <= most else [f"{started} starts in {seconds_here:.0f} s"]
    claims.none_of("F17", f"{name}: mass starts", started, violations)
    for task in (tick, everything, minute, daily):
        found = occurrences(rows_of(lab, task))
        twice = [moment for moment, number in found.items() if number > 1]
        if found:
            claims.none_of("F17", f"{name}: occurrences with two rows", sum(found.values()), twice)
    runs_twice = [line for line, number in Counter(line[0] for line in lab.effect_lines()).items() if number > 1]
    claims.none_of("F17", f"{name}: runs started twice", len(lab.effect_lines()), runs_twice)
    # What was started last goes on without the scheduler, and for a moment only; the slow one, which the jump starts again if
    # the first one was over by then on a crowded machine, goes on to its end, since nobody is there to put one to it.
    wait_until(lambda: not list_processes(lab.token), 45, "the last commands")
    assert limit["reason"].startswith("time limit of 8 s reached")
    assert size < 300 * 1024**2
    claims.figure(
        "F17",
        f"{name}: CPU while it rests, resident size",
        f"{shares[-1]:.0%} after {len(shares)} s, {size // 1024**2} MiB",
    )
    reasons = [row["reason"] for row in rows_of(lab, tick) if row["state"] == "missed"]
    if jump > 0:
        # The jump itself, and perhaps a moment before it that was not looked at any more.
        assert any(f"the clock was set forward by {'1 h' if name == '+1 h' else '10 years'}" in r for r in reasons)
        assert not rows_of(lab, daily) or len(rows_of(lab, daily)) <= 12
    else:
        again = [row["state"] for row in rows_of(lab, tick) if "+" in row["occurrence_key"]]
        assert again.count("succeeded") >= 2, again


def test_a_suspended_host_catches_up_once_and_says_why(lab, claims):
    """Everything is stopped while the clock goes on; then the clock is set as well, as a guest's is when it wakes up."""
    seconds = 60 if LONG else 8
    tick = lab.add_task("tick", 0, 0, every="1s")
    with clockmaker(lab) as maker:
        wait_until(lambda: ends(lab, "tick") >= 2, 20, "the first ticks")
        family = [psutil.Process(pid) for pid in {maker.process.pid, *list_processes(lab.token)}]
        for one in family:
            one.send_signal(signal.SIGSTOP)
        at = clock.monotonic()
        wait_until(lambda: clock.monotonic() - at > seconds, seconds + 5, "the suspension")
        maker.jump(300)
        for one in family:
            # A command may be over by now.
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGCONT)
        wait_until(lambda: "missed" in lab.states(task_id=tick.id), 10, "the missed rows")
        ticks = ends(lab, "tick")
        wait_until(lambda: ends(lab, "tick") >= ticks + 2, 10, "the ticks to go on")
        maker.stop()

    found = occurrences(rows_of(lab, tick))
    claims.none_of("F18", "occurrences with two rows", len(found), [m for m, n in found.items() if n > 1])
    first, last = min(found), max(found)
    expected = round((datetime.fromisoformat(last.strip()) - datetime.fromisoformat(first.strip())).total_seconds()) + 1
    claims.none_of("F18", "occurrences without a row", expected, range(expected - len(found)))
    reasons = Counter(row["reason"] for row in rows_of(lab, tick) if row["state"] == "missed")
    assert any("held up for" in r and "the clock was set forward by 5 min" in r for r in reasons), reasons
    kinds = {row["kind"] for row in lab.rows("SELECT kind FROM incident")}
    assert {"held_up", "clock_set_forward"} <= kinds


def test_a_clock_set_back_while_nothing_runs_does_not_silence_the_tasks(lab, claims):
    tick = lab.add_task("tick", 0, 0, every="1s")
    with clockmaker(lab) as maker:
        maker.jump(2 * DAY)
        wait_until(lambda: ends(lab, "tick") >= 3, 20, "the first ticks")
        maker.stop()
    oracle = Oracle(lab.file, lab.effects, (LAB, lab.token))
    count = ends(lab, "tick")
    with lab.running():
        lab.wait(lambda: ends(lab, "tick") >= count + 3, "ticks after the clock was put right")

    found = occurrences(rows_of(lab, tick))
    claims.none_of(
        "F17", "set back while down: occurrences with two rows", len(found), [m for m in found if found[m] > 1]
    )
    words = [row["message"] for row in lab.rows("SELECT message FROM incident WHERE kind = 'clock_set_back'")]
    assert words == ["The clock was set back by at least 2 days while no scheduler was running."]
    assert oracle.read("PRAGMA integrity_check")[0][0] == "ok"
