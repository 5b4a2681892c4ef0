"""Networks of their own for agents: each in a namespace, joined by a cable with the one in which a server can be reached."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.waiting import wait_until

#: Opens a port in the namespace in which it runs and hands it over.
_OPEN = """
import socket, sys
made = socket.create_server(("0.0.0.0", 0))
socket.send_fds(socket.socket(fileno=int(sys.argv[1])), [b"x"], [made.fileno()])
"""


class Networks:
    """A namespace whose port is answered by this process, and agents' namespaces around it."""

    def __init__(self) -> None:
        self._is_root = os.geteuid() == 0
        self._holders: list[subprocess.Popen[bytes]] = []
        own = [] if self._is_root else ["--map-root-user"]
        missing = [program for program in ("unshare", "nsenter", "ip") if shutil.which(program) is None]
        if missing:
            pytest.skip(f"{', '.join(missing)} not found; install util-linux and iproute2")
        tried = subprocess.run(["unshare", *own, "--net", "true"], capture_output=True, text=True, check=False)
        if tried.returncode != 0:
            pytest.skip(
                f"no network namespaces can be made here ({tried.stderr.strip()}); run this as root, or allow them to users: "
                "sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0"
            )
        self._hub = self._hold(["unshare", *own, "--net"])
        self._ends: dict[int, int] = {}
        self.port = self._open_port()

    def close(self) -> None:
        self.port.close()
        for holder in self._holders:
            holder.kill()
            holder.wait(20)

    def address(self, number: int) -> str:
        """Return the address of the middle on a cable."""
        return f"10.77.{number}.1"

    def join(self, number: int) -> None:
        """Make a namespace with a cable to the middle."""
        holder = self._hold([*self.enter(None), "unshare", "--net"])
        self._ends[number] = holder
        ours = ("ip", "link", "add", f"wb{number}", "type", "veth", "peer", "name", "eth0", "netns", str(holder))
        self._do(self._hub, *ours)
        self._do(self._hub, "ip", "address", "add", f"{self.address(number)}/24", "dev", f"wb{number}")
        self._do(holder, "ip", "address", "add", f"10.77.{number}.2/24", "dev", "eth0")
        self._do(self._hub, "ip", "link", "set", f"wb{number}", "up")
        self._do(holder, "ip", "link", "set", "eth0", "up")

    def pull(self, number: int) -> None:
        """Pull the cable at the far end: what is sent goes nowhere, and nobody says so."""
        self._do(self._hub, "ip", "link", "set", f"wb{number}", "down")

    def plug(self, number: int) -> None:
        """Put both ends of the cable in."""
        self._do(self._hub, "ip", "link", "set", f"wb{number}", "up")
        self._do(self._ends[number], "ip", "link", "set", "eth0", "up")

    def switch_off(self, number: int) -> None:
        """Let the device itself have no network: each request fails at once."""
        self._do(self._ends[number], "ip", "link", "set", "eth0", "down")

    def enter(self, number: int | None) -> list[str]:
        """Return what starts a command in the namespace of an agent, or in the middle."""
        return self._entering(self._hub if number is None else self._ends[number])

    def _open_port(self) -> socket.socket:
        """Return a socket that listens in the middle, on every cable."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self._do(self._hub, sys.executable, "-c", _OPEN, str(theirs.fileno()), keep=[theirs.fileno()])
            _word, handed_over, _flags, _address = socket.recv_fds(ours, 1, 1)
        return socket.socket(fileno=handed_over[0])

    def _entering(self, pid: int) -> list[str]:
        user = [] if self._is_root else ["--user", "--preserve-credentials"]
        return ["nsenter", "--target", str(pid), *user, "--net", "--"]

    def _hold(self, command: Sequence[str]) -> int:
        """Keep a namespace by a process that does nothing; each of these programs becomes the next, under one number."""
        holder = subprocess.Popen([*command, "sleep", "infinity"], start_new_session=True)
        self._holders.append(holder)
        command_line = Path(f"/proc/{holder.pid}/cmdline")
        wait_until(lambda: command_line.read_bytes().startswith(b"sleep\0"), 20, "a namespace")
        return holder.pid

    def _do(self, pid: int, *command: str, keep: Sequence[int] = ()) -> None:
        done = subprocess.run(
            [*self._entering(pid), *command], pass_fds=keep, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
