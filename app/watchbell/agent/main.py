"""Starting the agent: joining if it has not yet, then asking and doing until it is asked to stop."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fcntl
import logging
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from watchbell.agent import identity
from watchbell.agent.client import Offline, Server
from watchbell.agent.identity import Credentials
from watchbell.agent.loop import POLL_SECONDS, Agent
from watchbell.errors import AlreadyRunning, ConfigError, NotAllowed, WatchbellError
from watchbell.version import __version__

#: Where an agent keeps what it must not forget, if nothing else is said.
FOLDER = Path("/var/lib/watchbell-agent")
#: A server that is away is waited for.
_JOIN_AGAIN_SECONDS = 10.0

log = logging.getLogger("watchbell.agent")


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """What an agent is started with."""

    url: str
    folder: Path = FOLDER
    #: The code to join with; one that has joined already does not look at it.
    code: str = dataclasses.field(default="", repr=False)
    poll_seconds: float = POLL_SECONDS
    #: A certificate to trust in place of the usual authorities.
    ca_file: Path | None = None
    is_plain_allowed: bool = False

    def server(self) -> Server:
        """Return the way to the server; raises ConfigError."""
        return Server(self.url, ca_file=self.ca_file, is_plain_allowed=self.is_plain_allowed)


def run(options: Options) -> None:
    """Run the agent until it is asked to stop; the job that goes is done first.

    Raises ConfigError, NotAllowed for a code that is refused, and AlreadyRunning.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = options.server()
    with own_folder(options.folder):
        credentials = identity.load_credentials(options.folder)
        while credentials is None and not stop.is_set():
            try:
                credentials = join(server, options)
            except Offline as error:
                log.warning("%s; joining again in a moment", error)
                stop.wait(error.wait_seconds or _JOIN_AGAIN_SECONDS)
        if credentials is None:
            return
        agent = Agent(server, credentials, options.folder, poll_seconds=options.poll_seconds)
        while not stop.is_set():
            stop.wait(agent.step())
        with contextlib.suppress(KeyboardInterrupt):
            # Whoever presses it twice does not want to wait.
            agent.finish()


def join(server: Server, options: Options) -> Credentials:
    """Join with a code and keep the credentials; raises Offline, ConfigError, and NotAllowed for a code that is refused."""
    if not options.code:
        raise ConfigError(
            f"{options.folder} has no credentials; have an enrolment code made, and start with --enroll CODE"
        )
    answer = server.enroll(options.code, socket.gethostname())
    if answer.status == 403:
        raise NotAllowed(answer.error)
    if answer.status != 201 or not all(
        isinstance(answer.body.get(name), str) for name in ("uuid", "key", "signing_key")
    ):
        raise ConfigError(f"the server at {options.url} does not let devices join: {answer.error}")
    given = answer.body
    credentials = Credentials(given["uuid"], given["key"], given["signing_key"])
    identity.keep_credentials(options.folder, credentials)
    waits = "" if given.get("is_active") else "; it waits until somebody lets it take part"
    log.info("Joined as %s, device %s%s", given.get("name"), credentials.uuid, waits)
    return credentials


def join_once(options: Options) -> Credentials:
    """Join if that was not done yet, without waiting for a server that is away, and return the credentials.

    Raises ConfigError, NotAllowed for a code that is refused, and AlreadyRunning.
    """
    server = options.server()
    with own_folder(options.folder):
        try:
            return identity.load_credentials(options.folder) or join(server, options)
        except Offline as error:
            raise ConfigError(f"{error}; nothing was set up") from None


@contextlib.contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """Keep a folder, which nobody else can look into, for this process alone; raises ConfigError and AlreadyRunning."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise ConfigError(f"{folder} cannot be used: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyRunning(f"another agent works in {folder}") from None
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the agent as a program of its own, which loads nothing else of Watchbell, and return its exit code."""
    given = _parser().parse_args(arguments)
    start_log()
    try:
        code = given.enroll_file.read_text().strip() if given.enroll_file else given.enroll
        run(Options(given.url, given.state, code, given.poll_seconds, given.ca_file, given.plain_http))
    except WatchbellError as error:
        log.error("%s", error.message)
        return error.exit_code
    except OSError as error:
        log.error("%s", error)
        return ConfigError.exit_code
    return 0


def start_log() -> None:
    """Let the agent say on standard error what it does."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="watchbell-agent", description="Do the jobs of a Watchbell server here.")
    parser.add_argument("--url", required=True, help="of the server, such as https://bell.example.org")
    parser.add_argument("--enroll", default="", metavar="CODE", help="join with this code, if it has not joined yet")
    parser.add_argument("--enroll-file", type=Path, metavar="FILE", help="the same, with the code in a file")
    parser.add_argument(
        "--state", type=Path, default=FOLDER, metavar="DIR", help="where it keeps what it must not forget"
    )
    parser.add_argument("--poll-seconds", type=float, default=POLL_SECONDS, metavar="N", help="how often it asks")
    parser.add_argument("--ca-file", type=Path, metavar="FILE", help="certificate to trust in place of the usual ones")
    parser.add_argument(
        "--plain-http", action="store_true", help="allow http:// to another machine, where all can be read"
    )
    parser.add_argument("--version", action="version", version=__version__)
    return parser
