"""Joining: a code for credentials, kept in a folder that is one agent's alone."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from watchbell.agent import identity
from watchbell.agent.client import Offline, Server
from watchbell.agent.identity import Credentials
from watchbell.agent.loop import POLL_SECONDS
from watchbell.errors import AlreadyRunning, ConfigError, NotAllowed

#: Where an agent keeps what it must not forget, if nothing else is said.
FOLDER = Path("/var/lib/watchbell-agent")
_SHORTEST_SECONDS, _LONGEST_SECONDS = 0.1, 86_400.0
_LOCK = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
#: What a disk says that is in need of somebody, and not what the agent was told wrongly.
_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE})

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
    #: Where handlers are put; by default among what it keeps.
    handlers: Path | None = None

    def __post_init__(self) -> None:
        """Raise ConfigError for an interval that is none."""
        # Also of a number that is none, which is neither more nor less than another.
        if not _SHORTEST_SECONDS <= self.poll_seconds <= _LONGEST_SECONDS:
            raise ConfigError(
                f"it asks every {_SHORTEST_SECONDS:g} to {_LONGEST_SECONDS:g} seconds, not {self.poll_seconds!r}"
            )

    def server(self) -> Server:
        """Return the way to the server; raises ConfigError."""
        return Server(self.url, ca_file=self.ca_file, is_plain_allowed=self.is_plain_allowed)


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
        # Root looks into the folders of others, who may have put a link there.
        lock = os.fdopen(os.open(folder / "lock", _LOCK, 0o600), "w")
    except OSError as error:
        if error.errno in _PASSING:
            raise
        raise ConfigError(f"{folder} cannot be used: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AlreadyRunning(f"another agent works in {folder}") from None
        yield
