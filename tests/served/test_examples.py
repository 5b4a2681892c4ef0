"""The examples as their page tells people to use them: added by its commands, run on time by a real scheduler, judged by
the files that they leave behind."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.waiting import wait_until
from watchbell.domain.run_state import ACTIVE, RunState
from watchbell.services import runs, tasks
from watchbell.services.runs import RunFilter
from watchbell.store.runs import Run
from watchbell.store.session import Database

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "examples/README.md").read_text()
#: The five commands of the page by the name of the task that each adds.
COMMANDS = {shlex.split(line)[3]: line for line in re.findall(r"^watchbell task add .+$", PAGE, re.MULTILINE)}
SCHEDULE = re.compile(r"--(?:cron|every) (?:\"[^\"]+\"|\S+)")
ARCHIVE = re.compile(r"Documents-\d{8}T\d{6}Z\.tar\.gz")


class Machine:
    """A person's machine: a home directory, a shell in which the checkout is the current folder, and a scheduler."""

    def __init__(self, home: Path) -> None:
        self.home = home
        programs = home / "bin"
        programs.mkdir(parents=True)
        for name, call in (("watchbell", "-m watchbell"), ("python3", "")):
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {call} "$@"\n')
            program.chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        kept.pop("XDG_DATA_HOME", None)
        path = f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        self.environment = {**kept, "HOME": str(home), "PATH": path, "WATCHBELL_ZONE": "UTC"}

    def shell(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", "-c", line], cwd=ROOT, env=self.environment, text=True, capture_output=True, timeout=60
        )

    def ask(self, line: str):
        answer = self.shell(f"watchbell {line} --json")
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)

    def add(self, example: str, changes: Mapping[str, str]) -> None:
        """Type the page's command with a schedule that a test can wait for, and with other words where it says so."""
        line, count = SCHEDULE.subn("--every 1s", COMMANDS[example])
        assert count == 1, line
        for old, new in changes.items():
            assert old in line, f"{old} is not in {line}"
            line = line.replace(old, new)
        done = self.shell(line)
        assert done.returncode == 0, done.stderr

    @cached_property
    def db(self) -> Database:
        """The database of the machine, to wait for rows without starting a program for each look."""
        return Database.open(f"sqlite:///{self.home}/.local/share/watchbell/watchbell.db")

    def list_runs(self, name: str, *states: RunState) -> list[Run]:
        chosen = RunFilter(task_id=tasks.find_by_name(self.db, name).id, states=states)
        return list(reversed(runs.list_page(self.db, chosen, limit=100).runs))

    def wait_for_runs(self, name: str, count: int = 1, state: RunState = RunState.SUCCEEDED) -> list[Run]:
        """Return the runs of a task in a state, oldest first, when there are enough of them."""

        def enough() -> list[Run]:
            found = self.list_runs(name, state)
            return found if len(found) >= count else []

        return wait_until(enough, 60, f"{count} runs of {name} that {state}", interval=0.1)

    def output(self, run: Run, stream: str) -> str:
        return self.shell(f"watchbell runs logs {run.id} --stream {stream}").stdout


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    made = Machine(tmp_path_factory.mktemp("ann"))
    started = made.ask("scheduler start")
    assert started["state"] == "running"
    yield made
    stopped = made.shell("watchbell scheduler stop --kill")
    assert stopped.returncode == 0, stopped.stderr
    made.db.close()


@pytest.fixture
def site():
    """Give a web page whose status can be changed while it is served."""

    class Handler(BaseHTTPRequestHandler):
        status = 200

        def do_GET(self) -> None:
            body = b"<h1>Example page</h1>"
            self.send_response(self.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_ignored: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Handler, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@contextlib.contextmanager
def added(machine: Machine, example: str, changes: Mapping[str, str] = MappingProxyType({}), name: str = ""):
    """Have an example as a task, perhaps by another name, for as long as the block goes; nothing of it runs after that."""
    name = name or example
    machine.add(example, {f"add {example} ": f"add {name} ", **changes})
    try:
        yield
    finally:
        machine.shell(f"watchbell task disable {name}")
        wait_until(lambda: not machine.list_runs(name, *ACTIVE), 20, f"the end of {name}")


def test_the_page_has_a_command_for_each_example() -> None:
    scripts = {path.name for path in (ROOT / "examples").iterdir()} - {"README.md"}

    used = {re.search(r"examples/([^/' ]+)", line)[1] for line in COMMANDS.values()}

    assert used == scripts
    assert len(COMMANDS) == len(scripts)


def test_the_backup_packs_the_directory_and_prunes_the_oldest_archives(machine) -> None:
    documents, backups = machine.home / "Documents", machine.home / "backups"
    (documents / "letters").mkdir(parents=True)
    (documents / "letters/to bob.txt").write_text("Dear Bob")
    (documents / "empty.bin").touch()
    backups.mkdir()
    old = [backups / f"Documents-2020010{day}T000000Z.tar.gz" for day in range(1, 10)]
    other = backups / "Documents-notes.txt"
    for path in (*old, other):
        path.write_text("made long ago")

    with added(machine, "backup-documents"):
        first = machine.wait_for_runs("backup-documents")[0]
        # Two runs within a second make one archive, so the archives are waited for and not a number of runs.
        wait_until(lambda: not any(path.exists() for path in old[:5]), 60, "the pruning")

    archives = sorted(path for path in backups.iterdir() if ARCHIVE.fullmatch(path.name))
    assert len(archives) == 7
    assert other.exists()
    assert not [path for path in backups.iterdir() if path.name.startswith(".")]
    with tarfile.open(archives[-1]) as archive:
        assert archive.extractfile("./letters/to bob.txt").read() == b"Dear Bob"
        assert {"./letters", "./empty.bin"} <= set(archive.getnames())
    made = re.search(r"made (.+) \(\d+ bytes\)", machine.output(first, "stdout"))[1]
    written = datetime.strptime(made[-len("20260101T000000Z.tar.gz") :], "%Y%m%dT%H%M%SZ.tar.gz").replace(tzinfo=UTC)
    assert abs((written - first.started_at).total_seconds()) < 30


def test_a_page_that_answers_wrongly_makes_the_run_fail_with_the_exit_code_of_the_check(machine, site) -> None:
    page, url = site

    with added(machine, "check-page", {"https://example.org/": url}):
        good = machine.wait_for_runs("check-page")[0]
        page.status = 503
        bad = machine.wait_for_runs("check-page", state=RunState.FAILED)[0]

    assert good.exit_code == 0
    assert "status 200, 21 bytes" in machine.output(good, "stdout")
    assert bad.exit_code == 1
    assert "status 503 instead of 200" in machine.output(bad, "stderr")


def test_the_log_becomes_a_csv_file_with_a_row_per_hour(machine) -> None:
    log = machine.home / ".local/share/watchbell/scheduler.log"
    table = machine.home / "reports/scheduler.csv"

    with added(machine, "summarise-log"):
        machine.wait_for_runs("summarise-log")

    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    dates = set(re.findall(r"^\[(\S+ \d\d):", log.read_text(), re.MULTILINE))
    assert [row["period"] for row in rows] == sorted(f"{date}:00" for date in dates)
    assert sum(int(row["info"]) for row in rows) >= 1
    assert all(int(row["entries"]) == sum(int(row[level]) for level in list(row)[2:]) for row in rows)


@pytest.mark.parametrize(
    ("bound", "state", "code"),
    [("0%", RunState.SUCCEEDED, 0), ("999999T", RunState.FAILED, 1)],
    ids=["room", "no room"],
)
def test_the_disk_check_fails_only_when_there_is_too_little_room(machine, bound, state, code) -> None:
    name = f"disk-{code}"

    with added(machine, "disk-space", {"10%": bound}, name=name):
        run = machine.wait_for_runs(name, state=state)[0]

    assert run.exit_code == code
    assert machine.output(run, "stdout").startswith("/: ")
    assert ("less than 999999T" in machine.output(run, "stderr")) == bool(code)


def test_the_pipeline_runs_its_steps_in_order_and_publishes(machine) -> None:
    status = machine.home / "status"

    with added(machine, "pipeline"):
        machine.wait_for_runs("pipeline", 2)

    steps = [line.split()[1:] for line in (status / "steps.log").read_text().splitlines()]
    expected = [["10_collect.sh", "0"], ["20_summarise.py", "0"], ["30_publish.py", "0"]]
    assert len(steps) >= 6
    assert steps == expected * (len(steps) // 3)
    assert json.loads((status / "summary.json").read_text())["load"] >= 0
    assert "memory_used_percent" in (status / "index.html").read_text()
    with (status / "history.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(steps) // 3


def test_a_pipeline_stops_at_the_step_that_fails(machine) -> None:
    own = machine.home / "own pipeline"
    shutil.copytree(ROOT / "examples/pipeline", own)
    (own / "20_summarise.py").write_text("#!/bin/sh\nexit 7\n")
    changes = {"$PWD/examples/pipeline": str(own), "$HOME/status": "$HOME/broken status"}

    with added(machine, "pipeline", changes, name="broken"):
        run = machine.wait_for_runs("broken", state=RunState.FAILED)[0]

    assert run.exit_code == 7
    assert "20_summarise.py failed with exit code 7" in machine.output(run, "stderr")
    steps = (machine.home / "broken status/steps.log").read_text().split()
    assert "20_summarise.py" in steps
    assert "30_publish.py" not in steps
