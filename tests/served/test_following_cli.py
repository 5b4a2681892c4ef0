"""Looking on while runs go: tail, wait, trigger and the service, with a real scheduler."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

import pytest

from tests.process.programs import end_scheduler, environment_of, watchbell
from tests.waiting import wait_until
from watchbell import errors


@pytest.fixture
def place(lab):
    yield lab
    end_scheduler(lab.home)


def run(place, *arguments, **more):
    return watchbell(place.home, *arguments, WATCHBELL_HOSTNAME="lab", **more)


def test_what_a_run_writes_is_followed_to_its_end_and_the_exit_code_tells_how_it_ended(place, tmp_path):
    go_on = tmp_path / "go-on"
    place.add("slow", f"seq 1 30; while [ ! -e {go_on} ]; do sleep 0.05; done; echo last; exit 3")
    with place.running():
        run_id = run(place, "task", "trigger", "slow").stdout.strip()
        output = tmp_path / "followed.txt"
        with output.open("wb") as file:
            follower = subprocess.Popen(
                [sys.executable, "-m", "watchbell", "tail", "-f", "-n", "2", "slow"],
                env=environment_of(place.home, WATCHBELL_HOSTNAME="lab"), stdout=file, stderr=subprocess.PIPE,
            )  # fmt: skip
        wait_until(lambda: b"30\n" in output.read_bytes(), 20, "what is written so far")
        still = run(place, "wait", run_id, "--timeout", "1s")
        go_on.touch()
        _, err = follower.communicate(timeout=20)
        waited = run(place, "wait", run_id, "--json")

    assert output.read_bytes().endswith(b"30\nlast\n")
    assert follower.returncode == errors.EXIT_RUN_FAILED
    assert b"failed: exit code 3" in err
    assert still.returncode == errors.EXIT_STILL_ACTIVE
    assert waited.returncode == errors.EXIT_RUN_FAILED
    assert json.loads(waited.stdout)["exit_code"] == 3


def test_the_last_lines_are_printed_of_each_output(place):
    place.add("loud", "seq 1 100; seq 200 300 >&2")
    with place.running():
        run_id = run(place, "task", "trigger", "loud", "--wait").stdout.strip()

    assert run(place, "tail", "-n", "3", run_id).stdout == "98\n99\n100\n298\n299\n300\n"
    assert run(place, "tail", "-n", "1", "--stream", "stderr", "loud").stdout == "300\n"
    assert run(place, "tail", "-n", "0", "loud").stdout == ""
    assert len(run(place, "tail", "-n", "1000", "--stream", "stdout", "loud").stdout.splitlines()) == 100


@pytest.mark.parametrize(
    ("command", "limit", "code"),
    [("true", "1h", 0), ("exit 7", "1h", errors.EXIT_RUN_FAILED), ("sleep 60", "1s", errors.EXIT_RUN_TIMED_OUT)],
)
def test_the_exit_code_of_a_wait_tells_the_result(place, command, limit, code):
    run(place, "task", "add", "job", "--command", command, "--manual", "--time-limit", limit, "--grace", "0")
    with place.running():
        run_id = run(place, "task", "trigger", "job").stdout.strip()

        assert run(place, "wait", run_id).returncode == code
        assert run(place, "wait", "job").returncode == code


def test_a_cancelled_run_is_told_from_a_failed_one(place):
    place.add("job", "sleep 60")
    with place.running():
        run_id = run(place, "task", "trigger", "job").stdout.strip()
        wait_until(lambda: place.rows("SELECT 1 FROM run WHERE state = 'running'"), 20, "its start")
        asked = run(place, "runs", "cancel", run_id)

        assert run(place, "wait", run_id).returncode == errors.EXIT_RUN_CANCELLED
        assert run(place, "runs", "cancel", run_id).returncode == errors.EXIT_CONFLICT
    assert asked.stdout == f"Run {run_id} is being ended.\n"


def test_a_job_is_triggered_and_looked_at_to_its_end(place):
    run(place, "add", "job", "--cron", "0 0 1 1 *", "--cmd", "echo hello; echo oops >&2; exit 2", "--disabled")
    with place.running():
        done = run(place, "trigger", "job")

    assert done.returncode == errors.EXIT_RUN_FAILED
    # Each stream keeps its own order; what came first of both is not known.
    assert sorted(done.stdout.splitlines()) == ["hello", "oops"]
    assert re.search(r"run \d+: FAILED, ", done.stderr)
    assert "FAILED" in run(place, "last", "job").stdout


def test_a_service_with_the_page_runs_from_an_older_configuration_file(place, tmp_path):
    file = tmp_path / "cc_director.conf"
    file.write_text(
        f"# an older file\ndb_path = {place.home}/watchbell.db\nlog_dir = {tmp_path}/logs\nlog_level=DEBUG\n"
        "check_interval=60\nshutdown_timeout=30\ngateway_enabled=yes\ngateway_host=127.0.0.1\ngateway_port=0\n"
    )
    service = subprocess.Popen(
        [sys.executable, "-u", "-m", "watchbell", "service", "run", "-c", str(file)],
        env=environment_of(place.home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        log = tmp_path / "logs" / "scheduler.log"
        wait_until(lambda: log.is_file() and "Scheduler started" in log.read_text(), 30, "the scheduler's log")
    finally:
        service.send_signal(signal.SIGINT)
        out, _ = service.communicate(timeout=30)

    assert "Open http://127.0.0.1:" in out
    assert service.returncode == 0


@pytest.mark.parametrize(
    ("line", "says"),
    [("db_pth = x", "unknown key: 'db_pth'"), ("gateway_port = many", "gateway_port"), ("nonsense", "line 1"),
     ("log_level=INFO\nLOG_LEVEL=DEBUG", "once more")],
)  # fmt: skip
def test_a_wrong_configuration_file_stops_the_service_with_one_line(place, tmp_path, line, says):
    file = tmp_path / "cc_director.conf"
    file.write_text(line)

    for done in (run(place, "service", "run", "-c", str(file)), run(place, "list", CC_DIRECTOR_CONFIG=str(file))):
        assert done.returncode == errors.EXIT_CONFIG
        assert says in done.stderr
        assert done.stderr.count("\n") == 1
