"""Spawning a scheduler that belongs to nobody: it outlives its starter and leaves no zombie there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from watchbell import resources
from watchbell.config import Config
from watchbell.control import logfile
from watchbell.control.logfile import LogLine
from watchbell.errors import ConfigError, WatchbellError

# The process in the middle forks and ends, so that the scheduler's parent is init from its first moment on. It is a
# program of its own because a server with threads must not fork, and because the web server waits for all its children.
_MIDDLE = """
import os, signal, sys
pid = os.fork()
if pid:
    os.write(1, str(pid).encode())
    os._exit(0)
os.setsid()
os.dup2(2, 1)
signal.pthread_sigmask(signal.SIG_SETMASK, ())
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD):
    signal.signal(number, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""
_MIDDLE_SECONDS = 10


class StartFailed(WatchbellError):
    """The scheduler did not start."""

    code = "start_failed"

    def __init__(self, message: str, lines: tuple[LogLine, ...] = ()) -> None:
        super().__init__(message)
        #: What it wrote to its log last.
        self.lines = lines


def spawn(config: Config) -> int:
    """Start a scheduler and return its PID without waiting for anything; what it prints goes to its log."""
    command = [sys.executable, "-m", "watchbell", "scheduler", "run"]
    # A checkout is found through the directory that Python starts in; an installed package is found anywhere.
    directory = Path(resources.__file__).parents[1] if resources.is_checkout() else Path("/")
    logfile.make_folder(config.log_path)
    try:
        log = os.open(config.log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"the log {config.log_path} cannot be written: {error.strerror}") from None
    try:
        middle = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _MIDDLE, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=directory,
            env=config.process_environment(),
            timeout=_MIDDLE_SECONDS,
            check=False,
        )
        return int(middle.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise StartFailed(f"no process could be started for the scheduler: {error}") from None
    finally:
        os.close(log)


def why_it_ended(config: Config, pid: int, log_offset: int) -> StartFailed:
    """Return the error for a scheduler that has ended before its first heartbeat, with what it wrote last."""
    lines = tuple(logfile.read_from(config.log_path, log_offset).lines[-5:])
    said = next((line.message.strip() for line in reversed(lines) if line.message.strip()), "")
    said = said.removeprefix("watchbell: error: ").rstrip(".")
    reason = said or "it wrote nothing to its log"
    return StartFailed(f"the scheduler (PID {pid}) ended while it was starting: {reason}", lines)
