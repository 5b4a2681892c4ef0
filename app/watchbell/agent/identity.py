"""Who this agent is: the credentials that it got when it joined, and which of its processes asks."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path

from watchbell.agent import files
from watchbell.domain.agent_protocol import MOST_EARLIER
from watchbell.errors import ConfigError

_CREDENTIALS = "credentials.json"
_PROCESSES = "processes.json"


@dataclasses.dataclass(frozen=True, slots=True)
class Credentials:
    """What a device got for its enrolment code."""

    uuid: str
    #: What it shows with each request.
    key: str = dataclasses.field(repr=False)
    #: What it never sends: by it, it knows that an answer is the server's.
    signing_key: str = dataclasses.field(repr=False)


def load_credentials(folder: Path) -> Credentials | None:
    """Return the credentials of the agent whose files are in a folder, None if it has not joined yet.

    Raises ConfigError for credentials that others can read or that are not whole.
    """
    file = folder / _CREDENTIALS
    if not file.exists():
        return None
    if file.stat().st_mode & 0o077:
        raise ConfigError(f"{file} can be read by others; take the device's key from it on the server, and join anew")
    found = files.load(file) or {}
    names = ("uuid", "key", "signing_key")
    if not all(isinstance(found.get(name), str) and found[name] for name in names):
        raise ConfigError(f"{file} is damaged; remove it and join with a new enrolment code")
    return Credentials(*(found[name] for name in names))


def keep_credentials(folder: Path, credentials: Credentials) -> None:
    """Keep the credentials where only the agent's own user can read them."""
    files.write(folder / _CREDENTIALS, dataclasses.asdict(credentials))


def place_of(folder: Path) -> str:
    """Return marks of this machine and of a folder of it, by which the server knows the next process there from a copy.

    The first one is empty for a machine without a name. The second one is another after each start of the machine, and that
    of a copy is another one: of one folder since one start there is one process at a time, which has the lock of it.
    """
    found = folder.stat()
    since_start = f"{_read('/proc/sys/kernel/random/boot_id')} {found.st_dev} {found.st_ino}"
    named = _read("/etc/machine-id")
    return f"{_mark(named) if named else ''}/{_mark(since_start)}"


def _mark(text: str) -> str:
    return hashlib.sha256(f"watchbell agent place\n{text}".encode()).hexdigest()[:32]


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError:
        return ""


class Process:
    """The number of this process of the agent, and of those before it that the server may have heard of.

    The server follows from one to the next, so that a copy of the folder elsewhere, which goes on from an older one, is found
    out. The number is written down before it is ever sent.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / _PROCESSES
        known = files.load(self._file) or {}
        heard, drawn = str(known.get("heard", "")), [str(one) for one in known.get("drawn", [])]
        #: Those before this one that the server may know.
        older = [one for one in drawn if one != heard][-(MOST_EARLIER - 1) :]
        #: Also those of which it has heard before, for a server that was set back to an older database.
        self.earlier = [*([heard] if heard else []), *older]
        self.number = os.urandom(16).hex()
        self._drawn = [*older, self.number]
        self._heard = heard
        self.place = place_of(folder)
        files.write(self._file, {"heard": heard, "drawn": self._drawn})

    def confirm(self) -> None:
        """Note that the server has heard of this process; whichever number is forgotten one day, this one is not."""
        if self._heard != self.number:
            kept = [*([self._heard] if self._heard else []), *self._drawn]
            files.write(self._file, {"heard": self.number, "drawn": kept})
            self._heard = self.number
