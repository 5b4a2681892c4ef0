"""The commands that need a scheduler, run as a person runs them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from tests.process.programs import end_scheduler, environment_of, watchbell
from tests.waiting import wait_until
from watchbell import errors
from watchbell.control import pidfile


@pytest.fixture
def place(lab):
    yield lab
    end_scheduler(lab.home)


def run(place, *arguments):
    return watchbell(place.home, *arguments, WATCHBELL_HOSTNAME="lab")


def test_a_scheduler_is_started_watched_restarted_and_stopped_from_the_shell(place):
    started = run(place, "scheduler", "start", "--json")
    second = run(place, "scheduler", "start")
    status = run(place, "scheduler", "status")
    restarted = run(place, "scheduler", "restart", "--json")
    stopped = run(place, "scheduler", "stop")

    pid, new_pid = (json.loads(done.stdout)["pid"] for done in (started, restarted))
    assert second.returncode == errors.EXIT_ALREADY_RUNNING
    assert second.stderr == f"watchbell: error: the scheduler is running already (PID {pid})\n"
    assert status.returncode == 0
    assert str(pid) in status.stdout
    assert stopped.stdout == f"The scheduler (PID {new_pid}) has stopped; nothing is left running.\n"
    assert run(place, "scheduler", "status").returncode == errors.EXIT_NOT_RUNNING
    assert "Scheduler started" in run(place, "scheduler", "logs").stdout


def test_a_second_scheduler_in_the_foreground_is_refused_with_the_owners_pid(place):
    life = place.start()
    life.wait_for_beat()

    done = run(place, "scheduler", "run")

    assert done.returncode == errors.EXIT_ALREADY_RUNNING
    assert f"PID {life.pid}" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_scheduler_in_the_foreground_ends_in_good_order_on_ctrl_c(place):
    process = subprocess.Popen(
        [sys.executable, "-m", "watchbell", "scheduler", "run"], env=environment_of(place.home), stderr=subprocess.PIPE
    )
    wait_until(lambda: place.rows("SELECT 1 FROM scheduler"), 20, "its first heartbeat")

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)

    assert process.returncode == 0, err
    assert err == b""
    assert place.rows("SELECT stopped_at FROM scheduler")[0]["stopped_at"]


def test_waiting_for_a_trigger_tells_success_from_failure(place):
    place.add("good", "echo fine")
    place.add("bad", "exit 3")
    with place.running():
        good = run(place, "task", "trigger", "good", "--wait", "--json")
        bad = run(place, "task", "trigger", "bad", "--wait")

    assert good.returncode == 0
    assert json.loads(good.stdout)["state"] == "succeeded"
    assert bad.returncode == errors.EXIT_RUN_FAILED
    assert "failed: exit code 3" in bad.stderr
    assert bad.stderr.count("\n") == 1


def test_output_is_printed_safely_and_raw_byte_for_byte(place):
    place.add("loud", r"printf 'a\033[31mred\033[0m \303\251\377\000b'; printf 'oops\n' >&2")
    with place.running():
        run_id = run(place, "task", "trigger", "loud", "--wait").stdout.strip()

    command = [sys.executable, "-m", "watchbell", "runs", "logs", run_id]
    environment = environment_of(place.home)
    shown = subprocess.run(command, env=environment, capture_output=True, check=True).stdout.decode()
    raw = subprocess.run([*command, "--raw", "--stream", "stdout"], env=environment, capture_output=True, check=True)

    assert "\x1b" not in shown
    assert "\0" not in shown
    assert shown.startswith("ared é\ufffd")
    assert "oops" in shown
    assert raw.stdout == b"a\x1b[31mred\x1b[0m \xc3\xa9\xff\x00b"


def test_output_is_followed_while_it_grows_and_ends_with_the_run(place, tmp_path):
    go_on = tmp_path / "go-on"
    place.add("slow", f"echo first; while [ ! -e {go_on} ]; do sleep 0.05; done; printf last")
    with place.running():
        run_id = run(place, "task", "trigger", "slow").stdout.strip()
        output = tmp_path / "followed.txt"
        with output.open("wb") as file:
            follower = subprocess.Popen(
                [sys.executable, "-m", "watchbell", "runs", "logs", run_id, "--follow"],
                env=environment_of(place.home),
                stdout=file,
            )
        wait_until(lambda: output.read_text() == "first\n", 15, "the first line")
        go_on.touch()

        assert follower.wait(15) == 0
        assert output.read_text() == "first\nlast"


def test_the_reader_of_a_list_may_have_had_enough(place):
    place.add("one", "true")
    command = f"{sys.executable} -m watchbell task list --json | true"

    done = subprocess.run(
        command, shell=True, env=environment_of(place.home), capture_output=True, text=True, check=False
    )

    assert done.returncode == 0
    assert done.stderr == ""


def test_a_start_that_fails_is_one_line_with_the_reason(place):
    place.execute("UPDATE alembic_version SET version_num = 'from_the_future'")

    done = run(place, "scheduler", "start")

    assert done.returncode == errors.EXIT_CONFIG
    assert "newer Watchbell" in done.stderr
    assert done.stderr.count("\n") == 1
    assert pidfile.is_held(place.config) is False
