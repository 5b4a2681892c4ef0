"""What real commands are measured to have used, beside what time(1) says of the same commands; and their own metrics."""

from __future__ import annotations

import re
import shutil
import sys

import pytest

from tests.process.execution_bench import Bench, kept_bytes, make_bench
from watchbell import clock
from watchbell.domain.samples import ORIGINAL, Recorded, values_of
from watchbell.execution import Finished, runtime_root
from watchbell.services import metrics, triggers

#: What tells of a command alone: time(1), or wait4 where that is not installed, in the same words.
TIME = shutil.which("time")
WAIT4 = """
import os, sys
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
used = os.wait4(pid, 0)[2]
for name, value in {
    "User time (seconds)": used.ru_utime, "System time (seconds)": used.ru_stime,
    "Maximum resident set size (kbytes)": used.ru_maxrss, "Minor (reclaiming a frame) page faults": used.ru_minflt,
    "Voluntary context switches": used.ru_nvcsw,
}.items():
    print(f"\t{name}: {value}", file=sys.stderr)
"""
#: How much memory in KiB either needs itself, and how many faults it makes, which are in ours.
JUDGES_KIB, JUDGES_FAULTS = (2_000, 300) if TIME is not None else (15_000, 2_500)
JUDGE = (TIME,) if TIME is not None else (sys.executable, "-c", WAIT4)
BUSY = "import time\nend = time.process_time() + 1.2\nwhile time.process_time() < end: pass"
LARGE = "import time\ndata = bytearray(200 * 1024 * 1024)\ndata[::4096] = b'x' * len(data[::4096])\ntime.sleep(1)"
FORKS = "i=0; while [ $i -lt 400 ]; do /bin/true; i=$((i+1)); done"


@pytest.fixture
def bench(tmp_path):
    made = make_bench(tmp_path)
    yield made
    made.watcher.stop()
    shutil.rmtree(runtime_root(tmp_path), ignore_errors=True)


def numbers_of(finished: Finished) -> dict[str, float]:
    """Return the numbers of an attempt as they are stored of a run."""
    assert finished.started_at is not None
    started, ended = finished.started_at, finished.outcome.ended_at
    out, err = finished.stdout, finished.stderr
    sizes = (out.size, out.lines, err.size, err.lines)
    recorded = Recorded(
        "succeeded", started, started, started, started, ended, *finished.usage, *sizes, finished.summary
    )
    return values_of(recorded)


def measured_by_both(bench: Bench, *command: str) -> tuple[dict[str, float], dict[str, str]]:
    """Run a command under what tells of it alone, and return our numbers and its own."""
    finished = bench.run((*JUDGE, "-v", *command))
    told = re.findall(r"^\s*(.+?): (.+)$", kept_bytes(finished, "stderr").decode(), re.MULTILINE)
    return numbers_of(finished), dict(told)


@pytest.mark.parametrize(
    "command",
    [(sys.executable, "-c", BUSY), (sys.executable, "-c", LARGE), ("/bin/sh", "-c", FORKS)],
    ids=["busy", "large", "forks"],
)
def test_our_numbers_are_those_of_time(bench, command):
    ours, theirs = measured_by_both(bench, *command)

    cpu = float(theirs["User time (seconds)"]) + float(theirs["System time (seconds)"])
    # time(1) counts in hundredths of a second, and what it costs itself is in ours.
    assert ours["user_time_seconds"] + ours["system_time_seconds"] == pytest.approx(cpu, rel=0.1, abs=0.02)
    assert ours["max_memory_kb"] == pytest.approx(
        float(theirs["Maximum resident set size (kbytes)"]), rel=0.1, abs=JUDGES_KIB
    )
    assert ours["page_faults_minor"] == pytest.approx(
        float(theirs["Minor (reclaiming a frame) page faults"]), rel=0.1, abs=JUDGES_FAULTS
    )
    switches = ours["voluntary_context_switches"]
    assert switches == pytest.approx(float(theirs["Voluntary context switches"]), rel=0.1, abs=20)
    took = ours["execution_time_seconds"]
    assert ours["cpu_avg"] == pytest.approx(cpu / took * 100, rel=0.1, abs=3 + 0.02 / took * 100)
    assert ours["cpu_min"] <= ours["cpu_avg"] <= ours["cpu_max"]


def test_a_run_of_some_time_has_every_number(bench):
    found = numbers_of(bench.run((sys.executable, "-c", LARGE)))

    assert set(ORIGINAL) <= set(found)
    assert found["memory_max_mb"] > 200
    assert found["memory_min_mb"] <= found["memory_avg_mb"] <= found["memory_max_mb"]
    assert found["num_fds_before"] >= 3
    assert found["num_threads_after"] >= 1
    assert found["sample_count"] >= 3


def test_a_second_run_is_not_measured_with_what_the_first_one_used(bench):
    first = numbers_of(bench.run((sys.executable, "-c", BUSY)))
    second = numbers_of(bench.run("true", run_id="r2"))

    cpu = [numbers["user_time_seconds"] + numbers["system_time_seconds"] for numbers in (first, second)]
    assert cpu[0] > 1
    assert cpu[1] < 0.2


def test_lines_are_counted_as_people_count_them(bench):
    finished = bench.run("printf 'one\\ntwo\\nthree'; seq 100000 >&2")

    assert (finished.stdout.lines, finished.stderr.lines) == (3, 100_000)
    assert finished.stderr.path is not None, "this one is kept as a file"


def test_a_task_that_says_so_tells_numbers_of_its_own(lab):
    text = "echo '::watchbell metric=rows value=120'; sleep 0.3; echo '::watchbell metric=rows value=121'"
    told = lab.add("told", text, own_metrics="read")
    untold = lab.add("untold", text)
    with lab.running():
        for task in (told, untold):
            run = triggers.run_now(lab.db, task.id, now=clock.now(), actor="tester")
            lab.wait_for_state(run.id, "succeeded", timeout=20)

    found = {run.task_name: values_of(run.recorded) for run in metrics.list_runs(lab.db, limit=10)}
    assert found["told"]["rows"] == 121
    assert "rows" not in found["untold"]
    assert set(ORIGINAL) <= set(found["told"])
    assert (found["told"]["output_lines"], found["told"]["num_fds_before"] > 0) == (2, True)
