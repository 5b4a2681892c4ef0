"""Starting the agent: joining if it has not yet, then asking and doing until it is asked to stop."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from watchbell.agent import environment, identity
from watchbell.agent.client import Offline
from watchbell.agent.environment import Adapter
from watchbell.agent.joining import FOLDER, Options, join, own_folder
from watchbell.agent.loop import POLL_SECONDS, Agent
from watchbell.errors import ConfigError, WatchbellError
from watchbell.version import __version__

#: A server that is away is waited for.
_JOIN_AGAIN_SECONDS = 10.0
#: The word of sysexits.h for what may go well later.
_EXIT_LATER = 75

log = logging.getLogger("watchbell.agent")


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
        agent = Agent(server, credentials, options.folder, poll_seconds=options.poll_seconds, handlers=options.handlers)
        while not stop.is_set():
            stop.wait(agent.step())
        with contextlib.suppress(KeyboardInterrupt):
            # Whoever presses it twice does not want to wait.
            agent.finish()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the agent, or set it up or take it away, and return the exit code; nothing else of Watchbell is loaded for it."""
    given = _parser().parse_args(arguments)
    start_log()
    try:
        _do(given)
    except WatchbellError as error:
        log.error("%s", error.message)
        return error.exit_code
    except OSError as error:
        # A disk that is full or does not answer now may be well again when systemd starts the agent anew.
        log.error("%s", error)
        return _EXIT_LATER
    return 0


def _do(given: argparse.Namespace) -> None:
    if given.uninstall:
        from watchbell.agent import install

        _tell(install.uninstall(given.state, install.Place.here(), is_dry=given.dry_run))
        return
    adapter = environment.read(os.environ)
    options = _options(given, adapter)
    if given.install:
        from watchbell.agent import install

        _tell(install.set_up(options, given.user, install.Place.here(), is_dry=given.dry_run))
    elif adapter.is_on:
        run(options)
    else:
        log.info("ENABLE_CLOUD_JOBS or ENABLE_JOB_ENGINE says that nothing is to be done")


def _options(given: argparse.Namespace, adapter: Adapter) -> Options:
    try:
        code = given.enroll_file.read_text().strip() if given.enroll_file else given.enroll
    except (OSError, ValueError) as error:
        raise ConfigError(f"{given.enroll_file} holds no code that can be read: {error}") from None
    told = [every for every in (given.poll_seconds, adapter.poll_seconds) if every is not None]
    every = told[0] if told else POLL_SECONDS
    url = given.url or adapter.url or ""
    return Options(url, given.state, code, every, given.ca_file, given.plain_http, adapter.handlers)


def _tell(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        log.info("%s", sentence)


def start_log() -> None:
    """Let the agent say on standard error what it does."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="watchbell-agent", description="Do the jobs of a Watchbell server here.")
    parser.add_argument("--url", help="of the server, such as https://bell.example.org (or CLOUD_API_URL)")
    parser.add_argument("--enroll", default="", metavar="CODE", help="join with this code, if it has not joined yet")
    parser.add_argument("--enroll-file", type=Path, metavar="FILE", help="the same, with the code in a file")
    parser.add_argument(
        "--state", type=Path, default=FOLDER, metavar="DIR", help="where it keeps what it must not forget"
    )
    parser.add_argument("--poll-seconds", type=float, metavar="N", help="how often it asks; 30 if nothing is said")
    parser.add_argument("--ca-file", type=Path, metavar="FILE", help="certificate to trust in place of the usual ones")
    parser.add_argument(
        "--plain-http", action="store_true", help="allow http:// to another machine, where all can be read"
    )
    parser.add_argument("--install", action="store_true", help="join, and let systemd start the agent")
    parser.add_argument("--uninstall", action="store_true", help="stop the agent and remove what was set up")
    parser.add_argument("--user", default="root", metavar="NAME", help="with --install: as whom agent and jobs run")
    parser.add_argument("--dry-run", action="store_true", help="with these two: only say what would be done")
    parser.add_argument("--version", action="version", version=__version__)
    return parser
