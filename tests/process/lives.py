"""One installation under test: its data directory, its database and the lives of its schedulers."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.waiting import crowd, wait_until
from watchbell import clock
from watchbell.config import Config
from watchbell.domain.task_definition import Defaults
from watchbell.execution import runtime_root
from watchbell.services import tasks
from watchbell.store.secret_box import SecretBox
from watchbell.store.session import Database
from watchbell.store.tasks import Task

ROOT = Path(__file__).resolve().parents[2]
#: Every command of an installation carries this in its environment; the value is the installation's own.
LAB = "EFFECT_LAB"
#: Writes one line when it starts and one when it ends, each with a single O_APPEND write, without a single process more
#: than its sleep: run, attempt, fence, task, due, what, pid, seconds since boot, exit code.
EFFECT = r"""#!/bin/sh
# effect.sh SECONDS CODE [BYTES]
note() {
    read -r up _ </proc/uptime
    printf '%s\n' "$WATCHBELL_RUN_ID $WATCHBELL_ATTEMPT $WATCHBELL_FENCE $WATCHBELL_TASK $WATCHBELL_SCHEDULED_FOR $1 $$ $up $2" \
        >>"$EFFECT_LOG"
}
code=$2
[ "$code" = own ] && code=$((WATCHBELL_RUN_ID % 120))
note START -
echo "run $WATCHBELL_RUN_ID"
[ -n "$3" ] && head -c "$3" /dev/zero | tr '\0' x
[ "$1" = 0 ] || sleep "$1"
echo "to stderr" >&2
note END "$code"
exit "$code"
"""


class Nursery:
    """Forks schedulers, or whatever else it is made for; see nursery.py."""

    def __init__(self, *made_for: str) -> None:
        environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'app'}{os.pathsep}{ROOT}"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.process.nursery", *made_for],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=ROOT,
        )
        self._lock = threading.Lock()
        self._answer()

    def ask(self, **order: object) -> dict[str, Any]:
        assert self._process.stdin is not None
        # Tests that do several things at a time ask from several threads.
        with self._lock:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
            return self._answer()

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the nursery has ended with {self._process.wait(20)}"
        return json.loads(line)


@dataclasses.dataclass
class Life:
    """One scheduler process."""

    lab: Lab
    pid: int
    pidfd: int

    def ended(self, seconds: float) -> bool:
        """Wait for its end, at most so long, and return whether it has ended."""
        return bool(select.select([self.pidfd], [], [], seconds)[0])

    def wait_for_beat(self) -> None:
        def has_beaten() -> bool:
            assert not self.ended(0), f"the scheduler ended at once:\n{self.lab.scheduler_words()}"
            return bool(self.lab.rows("SELECT 1 FROM scheduler WHERE pid = ? AND stopped_at IS NULL", self.pid))

        wait_until(has_beaten, 20, "its first heartbeat", interval=0.01)

    def signal(self, number: signal.Signals) -> None:
        signal.pidfd_send_signal(self.pidfd, number)

    def reap(self, timeout: float = 20) -> int:
        """Wait for its end and return the exit code, negative for a signal."""
        assert self.ended(timeout * crowd()), f"the scheduler goes on after {timeout} s:\n{self.lab.scheduler_words()}"
        os.close(self.pidfd)
        self.lab.lives.remove(self)
        return int(self.lab.nursery.ask(do="reap", pid=self.pid)["code"])

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self.reap() == -signal.SIGKILL, f"it had ended by itself:\n{self.lab.scheduler_words()}"

    def keepers(self) -> list[int]:
        """Return the processes that start and keep this scheduler's commands."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            # A process may end while it is looked at.
            with contextlib.suppress(OSError):
                parent = int((place / "stat").read_text().rsplit(")", 1)[1].split()[1])
                if parent == self.pid and b"keeper.py" in (place / "cmdline").read_bytes():
                    found.append(int(place.name))
        return found

    def kill_with_keeper(self) -> None:
        """Kill the scheduler and its keeper at one moment, so that nobody is left who waits for its commands."""
        self.signal(signal.SIGSTOP)
        for pid in self.keepers():
            os.kill(pid, signal.SIGKILL)
        self.kill()

    def stop(self, timeout: float = 20) -> int:
        self.signal(signal.SIGTERM)
        return self.reap(timeout)


class Lab:
    """An installation in a folder of its own, with the means to break it."""

    def __init__(self, home: Path, nursery: Nursery, template: Path, **settings: object) -> None:
        self.home = home
        self.nursery = nursery
        self.token = uuid.uuid4().hex
        self.lives: list[Life] = []
        home.mkdir(parents=True, exist_ok=True)
        self.settings = {"home": str(home), "zone": "UTC", "hostname": "lab", **settings}
        self.config = Config.load(self.settings)
        self.file = Path(self.config.database_url.removeprefix("sqlite:///"))
        if not self.file.exists():
            shutil.copy(template, self.file)
        self.db = Database.open(self.config.database_url, box=SecretBox.of(self.config))
        self.effects = home / "effects.log"
        self.script = home / "effect.sh"
        self.script.write_text(EFFECT)
        self.script.chmod(0o755)

    def add_task(self, name: str, seconds: float = 0, code: int | str = 0, size: int = 0, **fields: object) -> Task:
        """Make a task whose command tells of its start and its end; ``code`` "own" is the run's number modulo 120."""
        command = f"{self.script} {seconds:g} {code} {size or ''}"
        return self.add(name, command, **fields)

    def add(self, name: str, command: str, **fields: object) -> Task:
        environment = {LAB: self.token, "EFFECT_LOG": str(self.effects)}
        given = {"name": name, "command": command, "environment": environment, **fields}
        if not {"every", "at", "cron"} & set(given):
            given["kind"] = "manual"
        defaults = Defaults(zone="UTC", owner="tester", host="")
        return tasks.create(self.db, given, now=clock.now(), actor="tester", defaults=defaults)

    def start(self, die_at: str = "") -> Life:
        """Start a scheduler, without waiting for anything."""
        order = {"settings": self.settings, "out": str(self.home / "words.txt"), "die_at": die_at}
        pid = self.nursery.ask(do="start", **order)["pid"]
        life = Life(self, pid, os.pidfd_open(pid))
        self.lives.append(life)
        return life

    @contextlib.contextmanager
    def running(self) -> Iterator[Life]:
        """Give a scheduler that has beaten, and stop it in good order afterwards."""
        life = self.start()
        life.wait_for_beat()
        yield life
        code = life.stop()
        assert code == 0, f"the scheduler ended with {code}:\n{self.scheduler_words()}"

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        with contextlib.closing(sqlite3.connect(self.file, timeout=20)) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(query, values).fetchall()

    def execute(self, statement: str, *values: object) -> None:
        with contextlib.closing(sqlite3.connect(self.file, timeout=20)) as connection, connection:
            connection.execute(statement, values)

    def states(self, **where: object) -> list[str]:
        condition = " AND ".join(f"{name} = ?" for name in where) or "1"
        return [
            row["state"] for row in self.rows(f"SELECT state FROM run WHERE {condition} ORDER BY id", *where.values())
        ]

    def run(self, run_id: int) -> sqlite3.Row:
        return self.rows("SELECT * FROM run WHERE id = ?", run_id)[0]

    def wait_for_state(self, run_id: int, *states: str, timeout: float = 20) -> sqlite3.Row:
        self.wait(lambda: self.run(run_id)["state"] in states, f"run {run_id} to be {states}", timeout)
        return self.run(run_id)

    def wait(self, predicate: Callable[[], Any], what: str, timeout: float = 20) -> Any:
        """Wait as wait_until does; a failure tells what the schedulers have said."""
        try:
            return wait_until(predicate, timeout, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.scheduler_words()}") from None

    def effect_lines(self, what: str = "START", run_id: int | None = None) -> list[list[str]]:
        if not self.effects.exists():
            return []
        lines = [line.split() for line in self.effects.read_text().splitlines()]
        return [line for line in lines if line[5] == what and run_id in (None, int(line[0]))]

    def scheduler_words(self) -> str:
        """Return what the schedulers have logged and said lately, for the message of a failed test."""
        found = [self.config.log_path, self.home / "words.txt"]
        return "\n".join("\n".join(file.read_text().splitlines()[-15:]) for file in found if file.exists())

    def close(self) -> None:
        """End everything that a failed test may have left."""
        for life in list(self.lives):
            life.signal(signal.SIGKILL)
            life.reap()
        self.db.close()
        for pid in list_processes(self.token):
            # It may have ended since it was listed.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        folder = runtime_root(self.home, self.config.runtime_dir)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def list_processes(token: str) -> dict[int, dict[str, str]]:
    """Return the environment of every living process of an installation's commands, by pid."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        # A process that ends while it is looked at has no environment any more.
        with contextlib.suppress(OSError):
            pairs = (folder / "environ").read_bytes().split(b"\0")
            environment = dict(pair.decode("utf-8", "replace").partition("=")[::2] for pair in pairs)
            if environment.get(LAB) == token:
                found[int(folder.name)] = environment
    return found
