"""What the numbers of runs cost: taking them, storing them, and asking for them.

    python -m benchmarks.metrics_cost [--seconds 60] [--runs 30000] [--burst 300] [--rounds 3]

Costs are CPU time, so that a busy machine tells the same, and each stands beside the same without samples: of one command that runs
for a minute, and of an engine that runs many short ones. Answers are asked of the API over a database with as many runs as
are named, each with some 35 numbers.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import select
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from benchmarks.figures import commit, cpu_seconds, machine, median, percentile, say, table
from benchmarks.lab import START, Lab, lab, wait_for
from watchbell import clock
from watchbell.domain.samples import Summary
from watchbell.domain.schedule import Schedule, ScheduleKind
from watchbell.execution import Bundles, Command, Limits, Watcher, watcher
from watchbell.store import samples
from watchbell.web.factory import create_app

_MIB = 2**20
TASKS = 10
#: Uses as much CPU as it likes every other tenth of a second, so that no two samples are alike.
UNSTEADY = "while :; do i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 0.1; done"
#: A scheduler that makes nothing of the numbers afterwards, and one that takes no samples either.
UNDIGESTED = "import watchbell.services.digest as d\nd.Digest.is_behind = lambda self: False\n"
WITHOUT = UNDIGESTED + (
    "import watchbell.execution.watcher as w\n"
    "def none(due, *others):\n"
    "    for run in due: run.next_sample = float('inf')\n"
    "w.take_samples = none\n"
)


@contextlib.contextmanager
def without_samples() -> Iterator[None]:
    """Let no watcher of this process take samples for the length of the block."""

    def none(due: list, *_others: object) -> None:
        for run in due:
            run.next_sample = float("inf")

    real, watcher.take_samples = watcher.take_samples, none  # type: ignore[assignment]
    try:
        yield
    finally:
        watcher.take_samples = real


def watch(command: str, seconds: float) -> float:
    """Return the CPU seconds that watching a command for so long costs whoever does it."""
    with tempfile.TemporaryDirectory() as folder:
        bundles = Bundles(None, Path(folder) / "active", 0)
        bundles.prepare()
        made = Watcher(bundles, Path(folder), keepers=1)
        made.start()
        try:
            wanted = Command(("/bin/sh", "-c", command), {"PATH": "/usr/bin:/bin"}, "/")
            made.launch("it", bundles.claim("it", 1), wanted, Limits(time_seconds=seconds, grace_seconds=0))
            before = time.process_time()
            select.select([made.fileno()], [], [], seconds * 5)
            return time.process_time() - before
        finally:
            made.stop()


def look_at_long(seconds: float) -> None:
    """Print what sampling costs while one command runs."""
    rows = []
    for name, command in (("steady", f"sleep {seconds * 2}"), ("unsteady", UNSTEADY)):
        with without_samples():
            bare = watch(command, seconds)
        used = watch(command, seconds)
        rows.append((name, f"{bare:.3f}", f"{used:.3f}", f"{(used - bare) / seconds * 100:.2f} %"))
    there = sum(place.name.isdigit() for place in Path("/proc").iterdir())
    table(
        f"Watching one command for {seconds:g} s, on a machine with {there} processes",
        ("command", "CPU s without samples", "CPU s with", "samples, of one core"),
        rows,
    )


def burst(count: int, command: str, program: str) -> float:
    """Return the CPU milliseconds per run of a scheduler, its commands and what it makes of them."""
    with lab() as place:
        due = (clock.now() + timedelta(seconds=6)).replace(microsecond=0)
        place.add_tasks(count, command, Schedule(ScheduleKind.MOMENT, moments=(due,)))
        with place.scheduler(program) as process:
            time.sleep(max(0.0, due.timestamp() - 0.5 - time.time()))
            before = cpu_seconds(process.pid)
            place.wait_until_recorded(count, 120)
            if program == START:
                wait_for(lambda: place.value("SELECT sum(runs) FROM metric_day") >= count, 60)
            return (cpu_seconds(process.pid) - before) / count * 1000


def look_at_short(count: int, rounds: int) -> None:
    """Print what the numbers of short runs cost an engine."""
    rows = []
    for name, command in (("true", "/bin/true"), ("sleep 0.15", "/bin/sleep 0.15")):
        found = []
        for number in range(rounds):
            say(f"  {name}, round {number + 1} of {rounds}")
            found.append([burst(count, command, program + START) for program in (WITHOUT, UNDIGESTED, "")])
        cells = [f"{median(cost):.2f}" for cost in zip(*found, strict=True)]
        ratios = [f"{median(row[place] / row[0] for row in found):.2f}" for place in (1, 2)]
        rows.append((name, *cells, *ratios))
    table(
        f"{count} short runs of as many tasks at once, CPU ms per run, medians of {rounds}",
        ("command", "no samples", "samples", "and judged, grouped, added to days", "ratio of samples", "ratio of all"),
        rows,
    )


def fill(place: Lab, count: int, *, sampled: bool = True) -> None:
    """Put so many runs of a year into the database, as a scheduler would have left them."""
    place.add_tasks(TASKS, "python3 job.py", Schedule(ScheduleKind.MANUAL))
    source = random.Random(1)
    now = clock.now()
    step = timedelta(days=360) / count

    def runs() -> Iterator[tuple[object, ...]]:
        for number in range(1, count + 1):
            at = now - timedelta(days=360) + step * number
            end = at + timedelta(seconds=source.gauss(60, 5))
            task = number % TASKS + 1
            yield (number, task, f"task-{task}", 1, f"{at.isoformat()}", "schedule", _text(at), "succeeded", 1, "exit code 0",
                   1, "", 0, "bench", 1, _text(at), _text(at), _text(end), 0)  # fmt: skip

    def attempts() -> Iterator[tuple[object, ...]]:
        for number, *_rest, at, end, _code in runs():
            summary = Summary(60, *(source.uniform(1, 90) for _ in range(5)), *(source.uniform(1, 90) * _MIB for _ in range(5)),
                              3, 4, 4, 5.0, 6.0)  # fmt: skip
            packed = samples.pack(summary, {}) if sampled else None
            yield (
                number,
                number,
                1,
                1,
                "bench",
                "",
                at,
                end,
                0,
                "exit code 0",
                12.5,
                1.5,
                90_000,
                5000,
                0,
                0,
                8,
                100,
                20,
                packed,
            )

    with contextlib.closing(sqlite3.connect(place.config.home / "watchbell.db")) as connection, connection:
        connection.executemany(
            "INSERT INTO run (id, task_id, task_name, task_version, occurrence_key, trigger, due_at, state, fence, reason,"
            " stands_for, requested_by, may_overlap, holder, attempts, created_at, started_at, ended_at, exit_code,"
            " local_time, zone) VALUES (" + ",".join("?" * 19) + ", '', 'UTC')",
            runs(),
        )
        connection.executemany(
            "INSERT INTO attempt (id, run_id, number, fence, holder, folder, started_at, ended_at, exit_code, reason,"
            " user_seconds, system_seconds, max_rss_kib, minor_faults, major_faults, block_in, block_out,"
            " voluntary_switches, involuntary_switches, samples) VALUES (" + ",".join("?" * 20) + ")",
            attempts(),
        )
        for start, to, path in (("NULL", "starting", "queued,claimed"), ("'starting'", "succeeded", "")):
            connection.execute(
                "INSERT INTO run_event (run_id, from_state, to_state, path, at, actor, fence, reason)"
                f" SELECT id, {start}, '{to}', '{path}', due_at, 'scheduler@bench', 1, '' FROM run"
            )
        connection.execute(
            "INSERT INTO output (attempt_id, stream, size, head_size, dropped, lines, content)"
            " SELECT id, 'stdout', 200, 200, 0, 4, zeroblob(200) FROM attempt"
        )
    with contextlib.closing(sqlite3.connect(place.config.home / "watchbell.db")) as connection:
        connection.execute("ANALYZE")
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _text(at: object) -> str:
    return str(at).replace("+00:00", "")


def look_at_size(count: int) -> None:
    """Print what a run takes in the database."""
    sizes = []
    for sampled in (False, True):
        with lab() as place:
            empty = (place.config.home / "watchbell.db").stat().st_size
            fill(place, count, sampled=sampled)
            sizes.append(((place.config.home / "watchbell.db").stat().st_size - empty) / count)
    table(
        f"Bytes of {count} runs with two transitions and 200 bytes of output",
        ("what", "bytes per run"),
        [("all of it", f"{sizes[1]:.0f}"), ("of these, what samples told", f"{sizes[1] - sizes[0]:.0f}")],
    )


def look_at_answers(count: int, rounds: int) -> None:
    """Print how long answers over many runs take."""
    with lab(auth="off") as place:
        fill(place, count)
        client = create_app(place.config).test_client()
        one = "script_path=task-3"
        asked = {
            f"analysis of 1,000 runs of {count:,}": [
                f"/api/analysis/trend?{one}&metric_name=cpu_max&days={max(1, min(365, 360 * 1000 * TASKS // count))}",
                *(f"/api/analysis/baseline?{one}&metric_name=cpu_max&method={method}&days={min(365, 360 * 1000 * TASKS // count)}"
                  for method in ("intelligent", "iqr", "percentile", "time-based")),
            ],
            f"history, newest 1,000 of {count:,} runs": [
                f"/api/metrics/history?{one}&metric_name={metric}&days=365" for metric in ("cpu_max", "execution_time_seconds")
            ],
            "history, all scripts": ["/api/metrics/history?metric_name=memory_max_mb&days=365"],
            "latest 100": [f"/api/metrics/latest?{one}"],
        }  # fmt: skip
        rows = []
        for name, addresses in asked.items():
            took, cpu = zip(
                *(timed(lambda address=address: client.get(address)) for address in addresses * rounds), strict=True
            )
            rows.append(
                (name, f"{percentile(cpu, 0.5):.1f}", f"{percentile(cpu, 0.95):.1f}", f"{percentile(took, 0.95):.1f}")
            )
    table(
        f"Answers over {count:,} runs, that is {count * 35:,} numbers",
        ("what is asked", "CPU ms p50", "CPU ms p95", "time ms p95"),
        rows,
    )


def timed(get: Callable[[], object]) -> tuple[float, float]:
    """Return the milliseconds that an answer takes, on the clock and of CPU; raises for one that is none."""
    begin, used = time.perf_counter(), time.process_time()
    answer = get()
    took = ((time.perf_counter() - begin) * 1000, (time.process_time() - used) * 1000)
    if answer.status_code != 200 or b'"error"' in answer.data:  # type: ignore[attr-defined]
        raise RuntimeError(answer.data[:200])  # type: ignore[attr-defined]
    return took


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--runs", type=int, default=30_000)
    parser.add_argument("--burst", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("long", "short", "size", "answers"))
    asked = parser.parse_args()
    print(f"\n{machine()}; {commit()}")
    looks: dict[str, Callable[[], None]] = {
        "long": lambda: look_at_long(asked.seconds),
        "short": lambda: look_at_short(asked.burst, asked.rounds),
        "size": lambda: look_at_size(min(asked.runs, 20_000)),
        "answers": lambda: look_at_answers(asked.runs, 20),
    }
    for name, look in looks.items():
        if asked.only in (None, name):
            say(name)
            look()


if __name__ == "__main__":
    main()
