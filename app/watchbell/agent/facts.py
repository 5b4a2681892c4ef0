"""What the agent tells of its machine: at the start, when something of it has changed, and else now and then."""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from watchbell import clock
from watchbell.version import __version__

#: What moves all the time is told so often, unless something else has changed before.
AGAIN_SECONDS = 300.0
_MOST_ADDRESSES = 16
#: The request of the kernel for the IPv4 address of an interface.
_SIOCGIFADDR = 0x8915


class Facts:
    """The facts about one machine, and which of them the server has heard."""

    def __init__(self, folder: Path, server: tuple[str, int]) -> None:
        self._folder = folder
        self._server = server
        self._told: dict[str, Any] = {}
        self._told_at = 0.0
        self._waiting: dict[str, Any] = {}

    def due(self) -> dict[str, Any] | None:
        """Return what is to be told now, None if nothing is."""
        lasting = lasting_facts(self._server)
        if lasting == self._told and clock.boot_time() - self._told_at < AGAIN_SECONDS:
            return None
        self._waiting = lasting
        return {**lasting, **moving_facts(self._folder)}

    def note_told(self) -> None:
        """Note that the server has heard what was due."""
        self._told, self._told_at = self._waiting, clock.boot_time()


def lasting_facts(server: tuple[str, int]) -> dict[str, Any]:
    """Return what stays as it is until somebody changes the machine or it boots anew."""
    system = os.uname()
    found: dict[str, Any] = {
        "hostname": socket.gethostname()[:255],
        "os": _os_name(),
        "kernel": f"{system.sysname} {system.release}"[:255],
        "architecture": system.machine[:64],
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "agent_version": __version__,
        "boot_id": _read("/proc/sys/kernel/random/boot_id").strip()[:64],
        "zone": zone(),
        "addresses": _addresses(server),
        "mac_addresses": _mac_addresses(),
    }
    return {name: value for name, value in found.items() if value not in ("", None, [])}


def moving_facts(folder: Path) -> dict[str, Any]:
    """Return what is never the same for long: uptime, load, memory, and the disk that a folder is on."""
    found: dict[str, Any] = {"uptime_seconds": int(clock.boot_time())}
    # Not every machine has each of them; what it does not tell is not told.
    with contextlib.suppress(OSError):
        found["load_averages"] = [round(one, 2) for one in os.getloadavg()]
    memory = dict(_memory())
    for name, key in (("memory_total_bytes", "MemTotal"), ("memory_available_bytes", "MemAvailable")):
        if key in memory:
            found[name] = memory[key]
    # As above.
    with contextlib.suppress(OSError):
        disk = os.statvfs(folder)
        found |= {"disk_total_bytes": disk.f_blocks * disk.f_frsize, "disk_free_bytes": disk.f_bavail * disk.f_frsize}
    return found


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def _os_name() -> str:
    for line in _read("/etc/os-release").splitlines():
        name, _, value = line.partition("=")
        if name == "PRETTY_NAME":
            return value.strip().strip('"')[:255]
    return platform.system()


def zone() -> str:
    """Return the name of the zone that this machine says it is in, an empty text if it says none."""
    named = _read("/etc/timezone").strip()
    if named:
        return named[:64]
    _, _, place = os.path.realpath("/etc/localtime").partition("zoneinfo/")
    return place[:64]


def _memory() -> Iterator[tuple[str, int]]:
    for line in _read("/proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        words = value.split()
        if words and words[0].isdigit():
            yield name, int(words[0]) * 1024


def _addresses(server: tuple[str, int]) -> list[str]:
    """Return the addresses of this machine, first the one that the server sees."""
    return list(dict.fromkeys([*_way_to(server), *_ipv4(), *_ipv6()]))[:_MOST_ADDRESSES]


def _way_to(server: tuple[str, int]) -> Iterator[str]:
    # Without a network, or a name of the server, there is no way.
    with contextlib.suppress(OSError):
        family, _, _, _, address = socket.getaddrinfo(*server, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as way:
            # Nothing is sent; the kernel only says by which of our addresses it would be.
            way.connect(address)
            yield str(way.getsockname()[0])


def _ipv4() -> Iterator[str]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        for _, name in socket.if_nameindex():
            # An interface without an address.
            with contextlib.suppress(OSError):
                told = fcntl.ioctl(asker.fileno(), _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                address = socket.inet_ntoa(told[20:24])
                if not address.startswith("127."):
                    yield address


def _ipv6() -> Iterator[str]:
    for line in _read("/proc/net/if_inet6").splitlines():
        digits, _, _, scope, *_ = line.split()
        # Those of the link and of the machine itself are of no use elsewhere.
        if scope == "00":
            yield socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits))


def _mac_addresses() -> list[str]:
    found = []
    for _, name in socket.if_nameindex():
        address = _read(f"/sys/class/net/{name}/address").strip()
        if address.strip("0:") and len(address) <= 60:
            found.append(address)
    return sorted(set(found))[:_MOST_ADDRESSES]
