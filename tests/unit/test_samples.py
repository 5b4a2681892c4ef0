"""What a run's numbers are, from what is recorded of it: by table, through the packing, and in the database."""

from __future__ import annotations

import dataclasses
import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.database import NOW, add_run, add_task
from tests.unit.run_rows import SUMMARY, add_attempt, add_output
from watchbell.domain.run_state import RunState
from watchbell.domain.samples import METRICS, ORIGINAL, Recorded, Summary, values_of
from watchbell.execution.proc import Stat
from watchbell.execution.sampling import Series
from watchbell.services import metrics
from watchbell.store import samples as store
from watchbell.store.session import Database

#: The names that the dashboard before us stored of each execution.
BEFORE_US = """execution_time_seconds success timed_out stdout_length stderr_length cpu_avg cpu_max cpu_min memory_avg_mb
memory_max_mb memory_min_mb sample_count sampling_efficiency user_time_seconds system_time_seconds max_memory_kb
max_memory_mb page_faults_minor page_faults_major block_input_ops block_output_ops voluntary_context_switches
involuntary_context_switches memory_before memory_after memory_delta cpu_percent_before cpu_percent_after
num_threads_before num_threads_after num_fds_before num_fds_after num_fds_delta""".split()
MIB = 1024 * 1024
#: Two seconds of a run that was due two seconds before it began.
RECORDED = Recorded(
    state="succeeded",
    due_at=NOW - timedelta(seconds=2),
    created_at=NOW - timedelta(seconds=1),
    first_started_at=NOW,
    started_at=NOW,
    ended_at=NOW + timedelta(seconds=2),
    user_seconds=0.75,
    system_seconds=0.25,
    max_rss_kib=20 * 1024,
    minor_faults=11,
    major_faults=1,
    block_in=8,
    block_out=16,
    voluntary_switches=5,
    involuntary_switches=6,
    stdout_bytes=100,
    stdout_lines=3,
    stderr_bytes=20,
    stderr_lines=1,
    summary=SUMMARY,
    own={"rows": 120.0},
)


def test_all_names_of_the_dashboard_before_us_are_there_in_their_order() -> None:
    assert list(ORIGINAL) == BEFORE_US
    assert list(values_of(RECORDED)) == [*METRICS, "rows"]


def test_the_numbers_of_a_run_with_samples() -> None:
    found = values_of(RECORDED)

    assert (found["execution_time_seconds"], found["success"], found["timed_out"]) == (2, 1, 0)
    assert (found["start_lag_seconds"], found["queue_seconds"]) == (2, 1)
    assert (found["output_bytes"], found["output_lines"], found["stdout_length"]) == (120, 4, 100)
    # One second of CPU in two: what the kernel tells beats what was sampled.
    assert (found["cpu_avg"], found["cpu_max"], found["cpu_min"]) == (50, 90, 10)
    assert (found["memory_avg_mb"], found["memory_min_mb"], found["memory_delta"]) == (8, 4, 2)
    # One process had more at its peak than was seen of all at any sample.
    assert (found["memory_max_mb"], found["max_memory_kb"], found["max_memory_mb"]) == (20, 20 * 1024, 20)
    assert (found["num_fds_before"], found["num_fds_after"], found["num_fds_delta"]) == (6, 9, 3)
    assert (found["sample_count"], found["sampling_efficiency"]) == (20, 0)
    assert found["rows"] == 120


def test_a_run_that_ended_before_its_first_sample_has_what_the_kernel_told() -> None:
    found = values_of(dataclasses.replace(RECORDED, summary=None, own={}))

    assert (found["cpu_avg"], found["cpu_max"], found["cpu_min"], found["sample_count"]) == (50, 50, 50, 0)
    assert found["memory_max_mb"] == 20
    assert "memory_avg_mb" not in found, "nobody has seen it"


def test_what_nobody_can_know_is_left_out() -> None:
    blank = Recorded("lost", NOW, NOW, None, None, None)

    assert set(values_of(blank)) == {
        "success", "timed_out", "stdout_length", "stderr_length", "output_bytes", "output_lines", "sample_count",
        "sampling_efficiency",
    }  # fmt: skip
    assert "output_lines" not in values_of(dataclasses.replace(RECORDED, stdout_lines=None))
    assert "num_fds_delta" not in values_of(
        dataclasses.replace(RECORDED, summary=SUMMARY._replace(handles_first=math.nan, handles_last=math.nan))
    )


def test_a_clock_that_was_set_back_makes_no_negative_time() -> None:
    found = values_of(dataclasses.replace(RECORDED, ended_at=NOW - timedelta(hours=1)))

    assert found["execution_time_seconds"] == 0


def test_what_lives_too_shortly_to_be_sampled_is_in_the_highest_value_all_the_same() -> None:
    busy = dataclasses.replace(RECORDED, user_seconds=2.0, system_seconds=0.5)

    assert values_of(busy)["cpu_max"] == values_of(busy)["cpu_avg"] == 125


@given(
    st.tuples(*[st.floats(0, 2**39, width=32) for _ in Summary._fields]), st.dictionaries(st.text(), st.floats(0, 1))
)
def test_what_is_packed_comes_out_again(numbers: tuple[float, ...], own: dict[str, float]) -> None:
    summary = store._summary(numbers)

    assert store.unpack(store.pack(summary, own)) == (summary, own)
    assert store.unpack(store.pack(None, own)) == (None, own)


def test_a_run_without_samples_costs_no_byte_and_one_with_them_65() -> None:
    assert store.pack(None, {}) is None
    assert len(store.pack(SUMMARY, {}) or b"") == 65


def test_the_series_of_a_run_counts_also_the_samples_that_it_gives_up() -> None:
    series = Series(started=100.0)
    for step in range(1, 3001):
        process = Stat(7, "R", 1, 7, 7, step * 5, 1, (900 if step == 1700 else 10) * MIB, 2)
        series.add([process], 100.0 + step * 0.1)
    found = series.totals.summary()

    assert found is not None
    assert len(series.points) <= 240
    assert found.taken == 3000
    assert found.rss_max == 900 * MIB
    assert (found.cpu_avg, found.cpu_min, found.processes_max, found.threads_last) == (pytest.approx(50), 50, 1, 2)


def test_an_average_is_over_time_not_over_samples() -> None:
    series = Series(started=0.0)
    series.add([Stat(7, "R", 1, 7, 7, 100, 1, 10 * MIB)], 1.0)
    series.add([Stat(7, "R", 1, 7, 7, 100, 1, 20 * MIB)], 10.0)
    found = series.totals.summary()

    assert found is not None
    assert (found.cpu_avg, found.rss_avg) == (pytest.approx(10), pytest.approx(19 * MIB))


def measured_run(db: Database, task: object, state: RunState = RunState.SUCCEEDED, **values: object) -> int:
    run = add_run(db, task, state, started_at=NOW, ended_at=NOW, attempts=1, exit_code=0, **values)
    add_attempt(
        db, run, ended_at=NOW + timedelta(seconds=3), user_seconds=1.0, samples=store.pack(SUMMARY, {"rows": 7})
    )
    return run.id


def test_the_numbers_of_runs_are_read_from_their_last_attempts(db: Database) -> None:
    task, other = add_task(db), add_task(db, "other")
    first, _second = measured_run(db, task), measured_run(db, other)
    add_run(db, task, RunState.SKIPPED)
    again = add_run(db, task, RunState.FAILED, started_at=NOW, attempts=2)
    add_attempt(db, again, number=1, ended_at=NOW + timedelta(seconds=9))
    attempt = add_attempt(db, again, number=2, ended_at=NOW + timedelta(seconds=1))
    add_output(db, attempt, b"a\nb\n", "stderr", lines=2)

    found = metrics.list_runs(db, task_ids=[task.id], limit=10)

    assert [run.run_id for run in found] == [again.id, first]
    newest, oldest = (values_of(run.recorded) for run in found)
    assert (newest["execution_time_seconds"], newest["stderr_length"], newest["output_lines"]) == (1, 4, 2)
    assert (oldest["memory_avg_mb"], oldest["rows"]) == (8, 7)
    assert len(metrics.list_runs(db, limit=10)) == 3
    assert metrics.list_runs(db, since=NOW + timedelta(seconds=1), limit=10) == []


def test_of_a_run_that_was_tried_again_the_lag_is_that_of_its_first_start(db: Database) -> None:
    again = NOW + timedelta(seconds=90)
    times = {"due_at": NOW, "created_at": NOW, "started_at": again, "ended_at": again + timedelta(seconds=3)}
    run = add_run(db, add_task(db), RunState.SUCCEEDED, attempts=2, exit_code=0, **times)
    add_attempt(db, run, started_at=NOW + timedelta(seconds=2), exit_code=1)
    add_attempt(db, run, number=2, started_at=again, ended_at=times["ended_at"], exit_code=0)

    found = metrics.find_run(db, run.id)

    assert found is not None
    numbers = values_of(found.recorded)
    assert (numbers["start_lag_seconds"], numbers["queue_seconds"], numbers["execution_time_seconds"]) == (2, 2, 3)
    assert found.at == NOW + timedelta(seconds=2)
