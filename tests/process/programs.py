"""Starting the real ``watchbell`` program and ending whatever a test may leave behind."""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from tests.process.lives import ROOT, Nursery
from tests.waiting import wait_until
from watchbell.config import Config
from watchbell.control import pidfile
from watchbell.errors import ConfigError

_LINK = re.compile(r"Open (http://\S+)\n")


def environment_of(home: Path, **more: str) -> dict[str, str]:
    """Return the environment that makes the program live in a folder of the test."""
    return {**os.environ, "WATCHBELL_HOME": str(home), "WATCHBELL_ZONE": "UTC", **more}


def watchbell(home: Path, *arguments: str, text: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    with tempfile.TemporaryDirectory(prefix="watchbell-command-") as folder:
        given, out, err = (Path(folder) / name for name in ("given", "out", "err"))
        given.write_text(text or "")
        process = Forked(["watchbell", *arguments], environment_of(home, **more), out, err=err, given=given)
        try:
            code = process.wait()
        finally:
            process.kill()
        return subprocess.CompletedProcess(arguments, code, out.read_text(), err.read_text())


class Forked:
    """A program in a process that need not import Watchbell anew; what the tests want of a Popen. Files are its input and output."""

    _nursery: ClassVar[Nursery | None] = None

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], out: Path, **files: Path) -> None:
        if Forked._nursery is None:
            Forked._nursery = Nursery("serve")
            atexit.register(Forked._nursery.close)
        order = {"arguments": list(arguments), "environment": dict(environment), "out": str(out)}
        order.update({name: str(path) for name, path in files.items()})
        self.pid = int(Forked._nursery.ask(do="serve", **order)["pid"])
        self._descriptor = os.pidfd_open(self.pid)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, None while it goes on."""
        return self._code_within(0)

    def wait(self, timeout: float = 60) -> int:
        """Wait for the end and return the exit code, negative for a signal."""
        code = self._code_within(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("watchbell", timeout)
        return code

    def kill(self) -> None:
        """Kill it as kill -9 does."""
        self.send_signal(signal.SIGKILL)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._descriptor, number)

    def _code_within(self, seconds: float) -> int | None:
        if self.returncode is None and select.select([self._descriptor], [], [], seconds)[0]:
            assert Forked._nursery is not None
            os.close(self._descriptor)
            self.returncode = int(Forked._nursery.ask(do="reap", pid=self.pid)["code"])
        return self.returncode


def serve(command: Sequence[str], environment: Mapping[str, str], out: Path) -> Forked | subprocess.Popen[bytes]:
    """Start what Python runs as ``command``, in a session of its own, with all its output at the end of a file."""
    # Who puts something before the package wants it imported anew.
    is_ours = environment["PYTHONPATH"].split(os.pathsep)[0] == str(ROOT / "app")
    if is_ours and command[0] == "-m":
        return Forked(command[1:], environment, out)
    with out.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, *command], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env=environment, cwd=ROOT, start_new_session=True,
        )  # fmt: skip


class Server:
    """A program that serves, with what it has printed so far."""

    def __init__(self, folder: Path, home: Path, command: Sequence[str], **more: str) -> None:
        self.home = home
        self.output = folder / "output.txt"
        self.output.write_bytes(b"")
        self.process = serve(command, environment_of(home, **more), self.output)

    def words(self) -> str:
        return self.output.read_text()

    def wait_for_address(self) -> str:
        """Return the address that it tells to open."""

        def told() -> re.Match[str] | None:
            assert self.process.poll() is None, f"it ended at once:\n{self.words()}"
            return _LINK.search(self.words())

        return wait_until(told, 30, "the address")[1]

    @property
    def root(self) -> str:
        """The address without the path of a login link."""
        return "/".join(self.wait_for_address().split("/")[:3])

    def interrupt(self) -> int:
        """Press Ctrl-C and return the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(20)

    def workers(self) -> list[int]:
        """Return the processes that it has forked."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(number) for number in listed.split()]

    def close(self) -> None:
        # The group may be gone already, which is what is wanted.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


def end_scheduler(home: Path) -> None:
    """Kill the scheduler of a folder if one is left."""
    # A test may leave a PID file that holds garbage, or settings that do.
    with contextlib.suppress(ConfigError):
        owner = pidfile.find_owner(Config.load({"home": home}, environ={}))
        descriptor = owner.open() if owner else None
        if descriptor is not None:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            os.close(descriptor)


def get(url: str) -> int:
    """Return the status of a page, 0 if nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
