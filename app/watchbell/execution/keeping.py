"""The scheduler's end of the keeper: starting it, asking it to start commands, and understanding what it answers."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from watchbell.errors import WatchbellError
from watchbell.execution import keeper
from watchbell.execution.record import Record, parse_end

#: Variables that tell about the shell somebody started the scheduler from, and would be untrue for the command.
_STALE = frozenset({"PWD", "OLDPWD", "SHLVL", "_"})
#: How long the keeper may take to say who it is.
_START_SECONDS = 5.0
#: So much is sent at a time when many requests follow each other.
_TOGETHER_BYTES = 16384
#: How long it is waited for at the end, in case that it has nothing to keep any more.
_END_SECONDS = 0.1
#: How long a killed one is waited for: the kernel may hold it, as long as a disk does not answer.
_DEATH_SECONDS = 1.0


class Hello(NamedTuple):
    """The keeper says who it is."""

    pid: int
    start_ticks: int


class HasStarted(NamedTuple):
    """A command runs."""

    number: int
    pid: int
    start_ticks: int
    at_ns: int


class HasEnded(NamedTuple):
    """A command has ended."""

    number: int
    record: Record
    #: Whether it left processes: none, some, or unknown.
    left: str
    #: The keeper's own peak of memory in KiB, which the kernel counts into that of what it starts.
    keeper_rss_kib: int


class HasFailed(NamedTuple):
    """A command was not started, and nothing of it runs."""

    number: int
    #: What was being done: mark, directory or spawn.
    step: str
    errno: int

    @property
    def is_taken(self) -> bool:
        """Return whether the attempt had its mark already: somebody has started it before."""
        return self.step == "mark" and self.errno == errno.EEXIST

    @property
    def has_no_room(self) -> bool:
        """Return whether its folder can hold no more files, while another one may."""
        # With the mark made, the files of its output are all that a start needs room for.
        is_full = self.step in ("mark", "spawn") and self.errno in (errno.ENOSPC, errno.EDQUOT)
        return is_full or (self.step == "mark" and self.errno in (errno.ENOENT, errno.EROFS))


class Pong(NamedTuple):
    """The keeper answers, and has nothing else to tell."""


Answer = Hello | HasStarted | HasEnded | HasFailed | Pong


class KeeperGone(WatchbellError):
    """The keeper of commands could not be started."""


class Person(NamedTuple):
    """As whom a command runs, and the limits that are set before it is that person's; zeros are for none."""

    uid: int
    gid: int
    groups: Sequence[int]
    niceness: int = 0
    #: Bytes of memory of each process, and how many processes the user may have.
    memory_bytes: int = 0
    processes: int = 0
    #: The descriptor on which it notes its steps in a file of their own, since the record is not to be written by anybody else.
    notes: int = 0
    #: Folders of the control groups that it belongs to.
    folders: Sequence[str] = ()

    def encode(self) -> str:
        """Return it as the keeper reads it."""
        groups = " ".join(map(str, self.groups))
        numbers = (self.niceness, self.memory_bytes, self.processes, self.notes)
        return "\n".join([str(self.uid), str(self.gid), groups, *map(str, numbers), *self.folders])


class Request(NamedTuple):
    """What the keeper is asked to start; see keeper.py for what becomes of the paths."""

    number: int
    status: str
    out: str
    err: str
    header: bytes
    directory: str | None
    program: str
    argv: Sequence[str]
    #: What the command sees beyond the common environment.
    environment: Mapping[str, str]
    #: NAME=value of the marker variable.
    marker: str
    #: None for the user of the keeper. Somebody else's command sees its own environment only, and not the common one.
    person: Person | None = None


class Keeping:
    """A keeper of our own and the socket to it. Safe to ask from any thread; read from one only."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        #: Our child until it was waited for.
        self._child = 0
        self._lock = threading.Lock()
        self._unsent = b""
        self._heard = b""
        self._common: Mapping[str, str] = {}
        self.pid = 0
        self.start_ticks = 0

    def start(self) -> None:
        """Start a keeper and wait until it says who it is; raises KeeperGone."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            os.set_inheritable(theirs.fileno(), True)
            self._child = os.posix_spawn(
                sys.executable,
                [sys.executable, "-I", "-S", str(Path(keeper.__file__)), str(theirs.fileno())],
                {"LC_ALL": "C.UTF-8"},
                # It outlives whoever reads what we say, and must not keep them waiting for an end.
                file_actions=[(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)],
                setsid=True,
                setsigmask=(),
            )
        ours.setblocking(False)
        self._socket, self._unsent, self._heard, self._common = ours, b"", b"", {}
        if not select.select([ours], [], [], _START_SECONDS)[0]:
            os.kill(self._child, signal.SIGKILL)
        for answer in self.hear() or ():
            if isinstance(answer, Hello):
                self.pid, self.start_ticks = answer.pid, answer.start_ticks
                return
        self.close()
        raise KeeperGone(
            f"A keeper of commands (PID {self._child}) did not say within {_START_SECONDS:g} s that it is there"
        )

    def fileno(self) -> int:
        """Return the socket's descriptor, for waiting on it."""
        return self._socket.fileno() if self._socket is not None else -1

    @property
    def wants_to_send(self) -> bool:
        """Return whether something waits until the keeper takes it."""
        return bool(self._unsent)

    def ask(self, request: Request, *, more: bool = False) -> None:
        """Ask for a command to be started. Raises ValueError for what no command line can hold.

        With ``more`` others follow at once, and a few are sent together.
        """
        before = [
            "start",
            str(request.number),
            request.status,
            request.out,
            request.err,
        ]
        behind = [
            request.directory or "",
            request.program,
            request.person.encode() if request.person is not None else "",
            str(len(request.argv)),
            *request.argv,
            *[f"{name}={value}" for name, value in request.environment.items() if name not in _STALE],
            request.marker,
        ]
        message = b"\0".join((os.fsencode("\0".join(before)), request.header, os.fsencode("\0".join(behind))))
        if message.count(b"\0") != len(before) + len(behind):
            raise ValueError("embedded null byte")
        if len(message) > keeper.LIMIT:
            # No system would take it either, and it would cost the keeper its life.
            raise ValueError("the command and its environment are too long for this system")
        self._send(message, more=more)

    def share(self, environment: Mapping[str, str]) -> None:
        """Tell the environment that all commands have in common; only what a command adds to it is sent from now on."""
        if environment is not self._common:
            pairs = [f"{name}={value}" for name, value in environment.items() if name not in _STALE]
            self._send(os.fsencode("\0".join(["environment", *pairs])))
            self._common = environment

    def ping(self) -> None:
        """Ask whether it is there."""
        self._send(b"ping")

    def kill(self) -> None:
        """End a keeper that does not answer; from now on it takes no further step, and its commands run on."""
        if self._child:
            os.kill(self._child, signal.SIGKILL)

    def _send(self, message: bytes, *, more: bool = False) -> None:
        with self._lock:
            self._unsent += len(message).to_bytes(4, "big") + message
        if not more or len(self._unsent) > _TOGETHER_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what waits, as far as the keeper takes it. One that is gone takes nothing; reading tells that."""
        with self._lock:
            if not self._unsent or self._socket is None:
                return
            # A full socket takes the rest later, and that nobody is there any more is told by reading.
            with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                self._unsent = self._unsent[self._socket.send(self._unsent) :]

    def hear(self) -> list[Answer] | None:
        """Return what the keeper has told since the last call, None when it is gone and has told all."""
        if self._socket is None:
            return None
        try:
            data = self._socket.recv(1 << 18)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            return None
        *lines, self._heard = (self._heard + data).split(b"\n")
        return [_parse(line) for line in lines]

    def close(self) -> None:
        """Let the keeper alone: it ends when its commands have."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._socket = None
        if self._child:
            # One without commands ends at once, and should not stay as a zombie. Another one outlives us.
            descriptor = os.pidfd_open(self._child)
            select.select([descriptor], [], [], _END_SECONDS)
            os.close(descriptor)
            self._wait(os.WNOHANG)

    def bury(self) -> str:
        """Wait for a keeper whose socket is at its end, so that its commands have come to us, and return how it ended.

        One that is stuck is killed; one that even then stays in the kernel is left to itself: it never goes on.
        """
        how = ""
        if self._child:
            # One that ends by itself, after an error, is given the time to.
            descriptor = os.pidfd_open(self._child)
            select.select([descriptor], [], [], _END_SECONDS)
            os.kill(self._child, signal.SIGKILL)
            select.select([descriptor], [], [], _DEATH_SECONDS)
            os.close(descriptor)
            how = self._wait(os.WNOHANG) or "killed, but held by the kernel"
            self._child = 0
        self.close()
        return how

    def _wait(self, options: int) -> str:
        """Wait for the keeper's end and return it in words; empty when it has not ended or somebody else has waited."""
        try:
            pid, status = os.waitpid(self._child, options)
        except ChildProcessError:
            self._child = 0
            return ""
        if pid == 0:
            return ""
        self._child = 0
        code = os.waitstatus_to_exitcode(status)
        return f"exit code {code}" if code >= 0 else f"signal {-code}"


def _parse(line: bytes) -> Answer:
    kind, *words = line.split(b" ")
    if kind == b"ended":
        number, pid, at, left, ours = words[:5]
        record = parse_end(words[5:], pid=int(pid), at_ns=int(at))
        return HasEnded(int(number), record, left.decode(), int(ours))
    if kind == b"started":
        return HasStarted(*map(int, words))
    if kind == b"failed":
        return HasFailed(int(words[0]), words[1].decode(), int(words[2]))
    if kind == b"pong":
        return Pong()
    if kind == b"keeper":
        return Hello(*map(int, words))
    raise ValueError(f"the keeper said something unknown: {line[:100]!r}")
