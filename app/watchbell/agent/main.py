"""Starting the agent from a command line: which server, which device, and where it keeps what it must not forget."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from watchbell.agent.client import Server
from watchbell.agent.loop import POLL_SECONDS, Agent
from watchbell.errors import EXIT_ALREADY_RUNNING, EXIT_CONFIG, EXIT_OK

_FOLDER = Path("/var/lib/watchbell-agent")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the agent until it is asked to stop; the job that goes is done first."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    log = logging.getLogger("watchbell.agent")
    try:
        key = options.key_file.read_text().strip()
        options.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (options.folder / "lock").open("w")
    except OSError as error:
        log.error("%s", error)
        return EXIT_CONFIG
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            log.error("Another agent works in %s", options.folder)
            return EXIT_ALREADY_RUNNING
        _loop(Agent(Server(options.url, options.uuid, key), options.folder, poll_seconds=options.poll_seconds))
    return EXIT_OK


def _loop(agent: Agent) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    while not stop.is_set():
        stop.wait(agent.step())
    with contextlib.suppress(KeyboardInterrupt):
        # Whoever presses it twice does not want to wait.
        agent.finish()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="watchbell-agent", description="Do the jobs of a Watchbell server here.")
    parser.add_argument("--url", required=True, help="of the server's device jobs, such as https://host/api/v1")
    parser.add_argument("--uuid", required=True, help="of this device")
    parser.add_argument("--key-file", required=True, type=Path, help="a file with the key of this device")
    parser.add_argument("--folder", type=Path, default=_FOLDER, help="where it keeps what it must not forget")
    parser.add_argument("--poll-seconds", type=float, default=POLL_SECONDS, help="how often it asks")
    return parser
