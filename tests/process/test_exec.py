"""``watchbell exec`` as a program: its output, its exit code, and what the ledger says, whatever befalls it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.lives import ROOT, Lab
from tests.waiting import crowd, wait_until
from watchbell.domain.samples import values_of
from watchbell.services.metrics import find_run

SCRIPT = """
import os, sys, time
print("out", *sys.argv[1:], os.getcwd(), os.environ["SCRIPT_RUNNER_ATTEMPT"], flush=True)
print("err", file=sys.stderr, flush=True)
if "stay" in sys.argv:
    while not os.path.exists("go"):
        time.sleep(0.02)
sys.exit(3 if "fail" in sys.argv else 0)
"""


class Calls:
    """Calls of the program in one installation."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.folder = lab.home.parent / f"scripts-{lab.home.name}"
        self.folder.mkdir()
        self.script = self.folder / "job.py"
        self.script.write_text(SCRIPT)
        self._begun: list[subprocess.Popen[bytes]] = []

    def begin(self, *arguments: object, **settings: object) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ, "PYTHONPATH": str(ROOT / "app"), "WATCHBELL_HOME": str(self.lab.home),
            "WATCHBELL_HOSTNAME": "lab", "WATCHBELL_ZONE": "UTC",
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "watchbell", "exec", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            **settings,
        )
        self._begun.append(process)
        return process

    def call(self, *arguments: object) -> tuple[int, bytes, bytes]:
        return self.end(self.begin(*arguments))

    def end(self, process: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
        out, err = process.communicate(timeout=30 * crowd())
        return process.returncode, out, err

    def runs(self) -> list[sqlite3.Row]:
        return self.lab.rows("SELECT * FROM run ORDER BY id")

    def newest(self) -> sqlite3.Row:
        return self.runs()[-1]

    def wait_for(self, state: str, *, number: int = 1) -> sqlite3.Row:
        def there() -> bool:
            found = self.runs()
            return len(found) >= number and found[-1]["state"] == state

        self.lab.wait(there, f"a run that is {state}")
        return self.newest()

    def path_of(self, run_id: int) -> str:
        """Return all states that a run went through."""
        rows = self.lab.rows("SELECT path, to_state FROM run_event WHERE run_id = ? ORDER BY id", run_id)
        return " ".join(step for row in rows for step in (*filter(None, row["path"].split(",")), row["to_state"]))

    def let_go(self) -> None:
        (self.folder / "go").touch()

    def close(self) -> None:
        self.let_go()
        for process in self._begun:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def calls(lab) -> Iterator[Calls]:
    made = Calls(lab)
    yield made
    made.close()


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Keep everybody from writing for the length of the block."""
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def test_a_script_runs_in_its_folder_with_its_arguments_and_is_recorded(calls):
    code, out, err = calls.call("--timeout", "90s", calls.script, "fail", "--retry", "x")

    assert (code, out) == (2, b""), "nobody can know whose option that is"
    assert b"put it before" in err

    code, out, err = calls.call("--timeout", "90s", calls.script, "--", "fail", "--retry", "x")

    assert code == 3
    assert out == f"out fail --retry x {calls.folder} 1\n".encode()
    assert err == b"err\nwatchbell: run 1 failed: exit code 3\n"
    run = calls.newest()
    assert (run["state"], run["exit_code"], run["task_name"]) == ("failed", 3, str(calls.script))
    assert calls.path_of(1) in {
        "queued claimed starting failed",
        "queued claimed starting running failed",
    }
    measured = find_run(calls.lab.db, 1)
    assert measured is not None
    assert values_of(measured.recorded)["stdout_length"] == len(out)
    assert calls.lab.rows("SELECT runs FROM metric_day")[0]["runs"] == 1, "no scheduler is needed for that"


def test_an_attempt_that_fails_is_made_again(calls):
    code, out, _err = calls.call("--retry", "2", "--strategy", "linear", "--retry-delay", "0", calls.script, "fail")

    assert code == 3
    assert [line.split()[-1] for line in out.splitlines()] == [b"1", b"2", b"3"]
    run = calls.newest()
    assert (run["state"], run["attempts"], run["reason"]) == ("failed", 3, "exit code 3; given up after 3 attempts")
    path = calls.path_of(run["id"]).replace(" running", "")
    assert path == " ".join(["queued claimed starting"] + ["retry_wait queued claimed starting"] * 2 + ["failed"])


def test_ctrl_c_ends_the_command_and_the_row_says_so(calls):
    process = calls.begin(calls.script, "stay")
    calls.wait_for("running")
    process.send_signal(signal.SIGINT)

    assert calls.end(process)[0] == 130
    run = calls.newest()
    assert (run["state"], run["reason"]) == ("cancelled", "ended by SIGINT: killed by SIGTERM")
    assert not list((calls.lab.home / "active").iterdir())


def test_whoever_cancels_its_run_ends_it(calls):
    process = calls.begin("--retry", "3", calls.script, "stay")
    run = calls.wait_for("running")
    from watchbell import clock
    from watchbell.services import runs

    runs.cancel(calls.lab.db, run["id"], now=clock.now(), actor="somebody")

    assert calls.end(process)[0] == 12
    assert calls.newest()["state"] == "cancelled"


def test_after_a_kill_the_next_call_writes_down_how_the_command_ended(calls):
    process = calls.begin("--retry", "3", calls.script, "stay", "fail")
    run = calls.wait_for("running")
    process.kill()
    process.wait()
    assert calls.call("true")[0] == 0
    assert calls.lab.run(run["id"])["state"] == "running", "its command goes on"

    calls.let_go()
    wait_until(lambda: not _lives(calls, run["id"]), 10, "the end of the command")
    assert calls.call("true")[0] == 0

    run = calls.lab.run(run["id"])
    assert (run["state"], run["exit_code"], run["attempts"]) == ("failed", 3, 1)
    assert "the call that would have made it is gone" in run["reason"]
    assert calls.lab.rows("SELECT content FROM output WHERE stream = 'stdout'")[0]["content"].startswith(
        b"out stay fail"
    )


def test_a_call_that_is_killed_between_two_attempts_is_not_tried_again(calls):
    process = calls.begin("--retry", "3", "--retry-delay", "60", calls.script, "fail")
    run = calls.wait_for("retry_wait")
    process.kill()
    process.wait()

    with calls.lab.running():
        row = calls.lab.wait_for_state(run["id"], "cancelled")

    assert row["reason"] == ("attempt 1 of 4: exit code 3; no other attempt: the call that would have made it is gone")


def test_a_scheduler_leaves_a_living_call_alone_and_takes_over_what_a_killed_one_has_left(calls):
    staying = calls.begin("--name", "one", calls.script, "stay")
    one = calls.wait_for("running")
    with calls.lab.running():
        left = calls.begin("--name", "two", calls.script, "stay", "fail")
        two = calls.wait_for("running", number=2)
        left.kill()
        left.wait()
        calls.lab.wait(lambda: calls.lab.run(two["id"])["holder"] != two["holder"], "the scheduler to take it over", 30)
        assert calls.lab.run(one["id"])["holder"] == one["holder"]
        calls.let_go()

        assert calls.end(staying)[0] == 0
        assert calls.lab.wait_for_state(two["id"], "failed")["exit_code"] == 3
    assert calls.lab.run(one["id"])["state"] == "succeeded"


def test_a_locked_database_delays_the_start_and_loses_no_end(calls):
    with locked(calls.lab.file):
        process = calls.begin(calls.script, "stay")
        assert process.stderr is not None
        assert b"waiting for the database" in process.stderr.readline()
        assert not calls.runs(), "nothing is started that no row tells of"
    run = calls.wait_for("running")
    with locked(calls.lab.file):
        calls.let_go()
        wait_until(lambda: not _lives(calls, run["id"]), 10, "the end of the command")
        assert process.poll() is None
    assert calls.end(process)[0] == 0
    assert calls.newest()["state"] == "succeeded"


def test_output_passes_whole_through_a_pipe_however_much_it_is(calls):
    size = 96 * 1024 * 1024
    code, out, err = calls.call("sh", "-c", f"head -c {size} /dev/zero | tr '\\0' 'y'; echo; echo end >&2")

    assert (code, err) == (0, b"end\n")
    assert len(out) == size + 1
    assert hashlib.sha256(out).digest() == hashlib.sha256(b"y" * size + b"\n").digest()
    assert calls.lab.rows("SELECT dropped FROM output WHERE stream = 'stdout'")[0]["dropped"] > 0, "not all is kept"


def _lives(calls: Calls, run_id: int) -> bool:
    pid = calls.lab.rows("SELECT pid FROM attempt WHERE run_id = ?", run_id)[0]["pid"]
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
