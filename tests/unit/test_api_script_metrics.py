"""The family of the script dashboard: every address of its contract, what it refuses, and what it tells of planted runs."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from tests.api_fixtures import Program
from tests.database import add_run, add_task
from tests.unit.run_rows import add_execution
from watchbell import clock
from watchbell.domain.run_state import RunState
from watchbell.domain.samples import METRICS, ORIGINAL
from watchbell.services.digest import Digest
from watchbell.store.session import Database
from watchbell.store.tasks import Task

PATHS = (
    "/api/scripts", "/api/executions", "/api/executions/failed", "/api/metrics/latest", "/api/metrics/history",
    "/api/metrics/aggregated", "/api/metrics/available", "/api/metrics/export.json", "/api/metrics/export.csv",
    "/api/analysis/trend", "/api/analysis/baseline", "/api/stats/database", "/api/stats/execution",
    "/api/stats/performance",
)  # fmt: skip


@pytest.fixture
def executed(db: Database) -> tuple[Task, Task]:
    """Give a script that was executed ten times in ten hours, the last five slower, and one that failed."""
    script = add_task(db, "nightly", command="python3 backup.py", directory="/tmp")
    other = add_task(db, "other")
    for number in range(10):
        seconds = 10 if number < 5 else 11.2
        add_execution(db, script, seconds, hours_ago=20 - number, stdout=b"line\n" * 200)
    add_execution(db, other, 3, hours_ago=2, code=7, stderr=b"no\n")
    return script, other


@pytest.mark.parametrize("path", PATHS)
def test_everything_answers_where_nothing_was_ever_executed(program: Program, path: str) -> None:
    program.want(200, "GET", path)
    program.want(200, "GET", f"{path}?script_path=nowhere")


@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("/api/executions?limit=0", "limit"),
        ("/api/executions?limit=10001", "limit"),
        ("/api/executions?limit=ten", "limit"),
        ("/api/executions?offset=-1", "offset"),
        ("/api/executions?exit_code=x", "exit_code"),
        ("/api/executions/failed?limit=0", "limit"),
        ("/api/metrics/latest?limit=10001", "limit"),
        ("/api/metrics/history?days=0", "days"),
        ("/api/metrics/history?days=366", "days"),
        ("/api/metrics/history?limit=100001", "limit"),
        ("/api/metrics/history?metric_name=", "metric_name"),
        ("/api/metrics/aggregated?days=1.5", "days"),
        ("/api/analysis/trend?days=-1", "days"),
        ("/api/analysis/trend?method=magic", "method"),
        ("/api/analysis/trend?threshold=nan", "threshold"),
        ("/api/analysis/trend?regression_threshold=-3", "regression_threshold"),
        ("/api/analysis/baseline?method=magic", "method"),
        ("/api/analysis/baseline?percentile=101", "percentile"),
        ("/api/stats/execution?limit=0", "limit"),
        ("/api/stats/performance?days=366", "days"),
        ("/api/metrics/export.csv?days=0", "days"),
    ],
)
def test_what_is_not_valid_is_refused_by_its_name(program: Program, address: str, where: str) -> None:
    detail = program.get(address, 422)["detail"]

    assert [problem["loc"] for problem in detail] == [["query", where]]


def test_scripts_are_listed_by_their_last_execution_with_their_counts(program: Program, executed: object) -> None:
    newest, oldest = program.get("/api/scripts")

    assert (newest["path"], newest["execution_count"], newest["success_rate"]) == ("other", 1, 0)
    assert (oldest["path"], oldest["execution_count"], oldest["successful_runs"]) == ("/tmp/backup.py", 10, 10)
    assert oldest["last_execution"] < newest["last_execution"]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 11),
        ("?limit=4", 4),
        ("?limit=50&offset=9", 2),
        ("?script_path=/tmp/backup.py", 10),
        ("?script_path=nightly", 10),
        ("?script_path=backup.py", 0),
        ("?script_path=all", 11),
        ("?exit_code=7", 1),
        ("?exit_code=-1", 0),
        ("?exit_code=0", 10),
    ],
)
def test_executions_are_chosen(program: Program, executed: object, query: str, count: int) -> None:
    rows = program.get(f"/api/executions{query}")

    assert len(rows) == count
    assert [row["timestamp"] for row in rows] == sorted((row["timestamp"] for row in rows), reverse=True)


def test_a_list_has_the_beginning_of_the_output_and_an_execution_all_of_it(program: Program, executed: object) -> None:
    failed, first, *_ = program.get("/api/executions")
    whole = program.get(f"/api/execution/{first['id']}")

    assert (len(first["stdout"]), first["stdout_lines"], first["success"]) == (500, 200, True)
    assert whole["stdout"] == "line\n" * 200
    assert (failed["exit_code"], failed["stderr"], failed["success"]) == (7, "no\n", False)
    assert program.get("/api/executions/failed") == [failed]


def test_an_execution_has_every_metric_that_the_dashboard_knew(program: Program, db: Database) -> None:
    run = add_execution(db, add_task(db), 4, own={"rows": 12.0})

    found = {one["name"]: one["value"] for one in program.get(f"/api/execution/{run}")["metrics"]}

    assert list(found) == [*METRICS, "rows"] or set(ORIGINAL) <= set(found)
    assert (found["execution_time_seconds"], found["cpu_max"], found["rows"]) == (4, 90, 12)
    assert found["user_time_seconds"] is None, "nobody has told"


@pytest.mark.parametrize(
    ("execution", "status"), [("999999", 404), ("x", 422), ("-1", 422), ("99999999999999999999", 422)]
)
def test_an_execution_that_is_not_there(program: Program, execution: str, status: int) -> None:
    assert program.get(f"/api/execution/{execution}", status)["detail"]


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.SKIPPED, RunState.MISSED, RunState.QUEUED])
def test_what_was_not_executed_is_no_execution(program: Program, db: Database, state: RunState) -> None:
    run = add_run(db, add_task(db), state, attempts=0)

    assert "not over" in program.get(f"/api/execution/{run.id}", 404)["detail"]
    assert program.get("/api/executions") == []


def test_the_latest_values_and_what_they_come_to(program: Program, executed: object) -> None:
    found = program.get("/api/metrics/latest?script_path=nightly&limit=5")["execution_time_seconds"]

    assert found.items() >= {"latest": 11.2, "count": 5, "min": 11.2, "max": 11.2, "avg": 11.2, "stddev": 0}.items()


def test_the_history_is_in_the_order_of_time_and_its_newest_part(program: Program, executed: object) -> None:
    found = program.get("/api/metrics/history?script_path=nightly&days=1&limit=6")

    assert [point["value"] for point in found["data"]] == [10, *[11.2] * 5]
    assert (found["metric_name"], found["script_path"], found["data_points"]) == (
        "execution_time_seconds",
        "nightly",
        6,
    )
    times = [point["timestamp"] for point in found["data"]]
    assert times == sorted(times)
    assert program.get("/api/metrics/history")["script_path"] == "all"
    assert program.get("/api/metrics/history?metric_name=nothing")["data"] == []


def test_what_is_older_than_the_days_is_left_out(program: Program, db: Database) -> None:
    task = add_task(db)
    for days in (40, 20, 3):
        add_execution(db, task, days, hours_ago=days * 24)

    counts = {
        days: program.get(f"/api/metrics/aggregated?days={days}")["metrics"]["execution_time_seconds"]["count"]
        for days in (7, 30, 365)
    }
    assert counts == {7: 1, 30: 2, 365: 3}


def test_available_are_the_metrics_that_there_are(program: Program, db: Database) -> None:
    add_execution(db, add_task(db), 1, own={"rows": 5.0})

    names = program.get("/api/metrics/available")["available_metrics"]

    assert {"execution_time_seconds", "cpu_max", "memory_max_mb", "rows"} <= set(names)
    assert "user_time_seconds" not in names


def test_the_analysis_tells_trend_regression_anomalies_and_percentiles(program: Program, executed: object) -> None:
    found = program.get("/api/analysis/trend?script_path=nightly")

    assert (found["data_points"], found["period_days"]) == (10, 30)
    assert (found["first_value"], found["latest_value"]) == (10, 11.2)
    assert found["trend"]["trend"] == "increasing"
    assert (
        found["regression"].items() >= {"regression_detected": True, "severity": "medium", "percent_change": 12}.items()
    )
    assert found["anomalies"] == {"anomalies": [], "method": "iqr", "count": 0, "percentage": 0}
    assert found["percentiles"]["median"] == 10.6


@pytest.mark.parametrize(("method", "score"), [("iqr", "deviation"), ("mad", "modified_z"), ("zscore", "z_score")])
def test_an_anomaly_is_told_with_the_score_of_its_method(
    program: Program, db: Database, method: str, score: str
) -> None:
    task = add_task(db)
    for number, seconds in enumerate((100, 101, 99, 102, 500, 100)):
        add_execution(db, task, seconds, hours_ago=10 - number)

    found = program.get(f"/api/analysis/trend?method={method}&threshold=1.5")["anomalies"]

    assert (found["count"], found["percentage"], found["method"]) == (1, 16.67, method)
    assert found["anomalies"][0].items() >= {"index": 4, "value": 500, "type": "outlier"}.items()
    assert score in found["anomalies"][0]


def test_without_values_an_analysis_says_so(program: Program) -> None:
    told = {"error": "no data available", "script_path": "x", "metric_name": "cpu_max"}

    assert program.get("/api/analysis/trend?script_path=x&metric_name=cpu_max") == told
    assert program.get("/api/analysis/baseline?script_path=x&metric_name=cpu_max") == told


@pytest.mark.parametrize(
    ("values", "method", "expected"),
    [
        ([100, 102, 101, 103, 105], "intelligent", {"baseline": 102, "method": "percentile", "percentile": 50}),
        ([10, 12, 11, 13, 12, 11, 10, 50], "iqr", {"baseline": 11, "outliers_removed": 1, "outlier_percentage": 12.5}),
        ([1, 2, 3, 4], "percentile", {"baseline": 3, "min": 1, "max": 4}),
        ([3, 4], "intelligent", {"baseline": 3.5, "method": "mean_fallback"}),
        ([1, 2, 3], "iqr", {"error": "needs at least 4 values, there are 3"}),
        ([10, 10, 10], "time-based", {"recent_baseline": 10, "historical_baseline": 10, "status": "stable"}),
        ([0] * 10, "intelligent", {"baseline": 0}),
    ],
)
def test_a_baseline_by_each_method(
    program: Program, db: Database, values: list[float], method: str, expected: dict[str, object]
) -> None:
    task = add_task(db)
    for number, seconds in enumerate(values):
        add_execution(db, task, seconds, hours_ago=20 - number)

    assert program.get(f"/api/analysis/baseline?method={method}").items() >= expected.items()


def test_three_wild_values_are_told_with_their_characteristics_and_an_error(program: Program, db: Database) -> None:
    task = add_task(db)
    for number, seconds in enumerate((1, 10, 100)):
        add_execution(db, task, seconds, hours_ago=20 - number)

    found = program.get("/api/analysis/baseline")

    assert "baseline" not in found
    assert found["error"]
    assert found["data_characteristics"]["data_points"] == 3


def test_the_database_in_numbers(program: Program, db: Database, executed: object) -> None:
    follow = Digest(db, Path())
    while follow.step(now=clock.now(), limit=100):
        pass
    found = program.get("/api/stats/database")

    assert (found["total_executions"], found["unique_scripts"], found["total_alerts"]) == (11, 2, 0)
    assert found["total_execution_time_seconds"] == pytest.approx(109, abs=0.1)
    assert found["database_size_mb"] > 0
    assert (
        program.get("/api/stats/execution").items() >= {"total_executions": 11, "successful": 10, "failed": 1}.items()
    )
    assert program.get("/api/stats/execution?limit=1")["success_rate"] == 0
    assert program.get("/api/stats/performance?script_path=nightly") == {
        "metric": "execution_time_seconds", "min": 10, "max": 11.2, "avg": 10.6, "count": 10,
    }  # fmt: skip
    assert program.get("/api/stats/performance?metric_name=nothing")["avg"] is None


def test_an_export_has_the_dashboards_columns_as_json_and_as_a_table(program: Program, executed: object) -> None:
    query = "?metric_name=execution_time_seconds&days=365"
    rows = program.get(f"/api/metrics/export.json{query}")
    table = list(csv.DictReader(io.StringIO(program.get(f"/api/metrics/export.csv{query}"))))

    assert list(table[0]) == ["timestamp", "metric_name", "value", "script_path", "exit_code"]
    assert [row["value"] for row in rows] == [10] * 5 + [11.2] * 5 + [3]
    assert [(row["timestamp"], float(row["value"])) for row in table] == [
        (row["timestamp"], row["value"]) for row in rows
    ]
    assert (rows[-1]["script_path"], rows[-1]["exit_code"]) == ("other", 7)
    assert len(program.get("/api/metrics/export.json?limit=1")) > 20


def test_a_name_that_would_be_a_formula_is_defused_in_the_table(program: Program, db: Database) -> None:
    add_execution(db, add_task(db, "=1+1"), 1)

    assert ",=1+1," not in program.get("/api/metrics/export.csv?metric_name=success")


def test_health_counts_those_who_listen(program: Program) -> None:
    assert program.call("GET", "/api/health").get_json()["websocket_clients"] == 0
