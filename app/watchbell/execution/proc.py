"""Reading /proc: one process, or all of them in one pass. Nothing is signalled here."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
from collections.abc import Callable, Iterable

from watchbell.execution.bundle import MARKER

_MARKER = f"{MARKER}=".encode()
_PAGE = os.sysconf("SC_PAGE_SIZE")
#: Clock ticks in a second.
TICKS = os.sysconf("SC_CLK_TCK")
#: After how many processes ``meanwhile`` is called; less than a millisecond.
_OFTEN = 32


@dataclasses.dataclass(frozen=True, slots=True)
class Stat:
    """The fields of /proc/PID/stat that matter here."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    #: User and system time so far, in clock ticks.
    cpu_ticks: int
    start_ticks: int
    rss_bytes: int
    threads: int = 1


def read_stat(pid: int) -> Stat | None:
    """Return a process's state, or None when there is no such process."""
    data = _read(f"/proc/{pid}/stat", 1024)
    # The name in parentheses may hold spaces and parentheses itself; what follows the last one is safe to split.
    fields = data[data.rfind(b")") + 2 :].split()
    if len(fields) < 22:
        return None
    return Stat(
        pid,
        fields[0].decode(),
        int(fields[1]),
        int(fields[2]),
        int(fields[3]),
        int(fields[11]) + int(fields[12]),
        int(fields[19]),
        int(fields[21]) * _PAGE,
        int(fields[17]),
    )


def is_alive(pid: int, start_ticks: int) -> bool:
    """Return whether a process, told from a later one of the same number by its start time, has not ended."""
    found = read_stat(pid)
    return found is not None and found.start_ticks == start_ticks and found.state != "Z"


def read_marker(pid: int) -> str | None:
    """Return which run a process belongs to by the marker in its environment, or None."""
    data = _read(f"/proc/{pid}/environ", 1 << 22)
    start = 0 if data.startswith(_MARKER) else data.find(b"\0" + _MARKER) + 1
    if not data.startswith(_MARKER, start):
        return None
    end = data.find(b"\0", start)
    return data[start + len(_MARKER) : end if end >= 0 else None].decode("utf-8", "replace")


def read_output_of_unborn(pid: int) -> str | None:
    """Return where a process writes to that a keeper has made and that has not become its program yet, else None."""
    if b"/keeper.py\0" not in _read(f"/proc/{pid}/cmdline", 4096):
        return None
    # It may not be ours to see, or be gone.
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/fd/1")
    return None


def count_handles(pids: Iterable[int]) -> float:
    """Return how many files processes have open together; not a number when those of none are ours to see."""
    counts = []
    for pid in pids:
        # It may not be ours to see, or be gone.
        with contextlib.suppress(OSError):
            counts.append(len(os.listdir(f"/proc/{pid}/fd")))
    return float(sum(counts)) if counts else math.nan


def list_pids() -> list[int]:
    """Return the numbers of all processes."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def read_all(meanwhile: Callable[[], None] | None = None) -> dict[int, Stat]:
    """Return the state of every process of user space.

    That takes some ten milliseconds on a machine with a thousand of them, so ``meanwhile`` is called every now and then.
    """
    found = {}
    for number, pid in enumerate(list_pids(), 1):
        if meanwhile is not None and number % _OFTEN == 0:
            meanwhile()
        state = read_stat(pid)
        # Kernel threads are children of number 2; no run is among them.
        if state is not None and state.parent != 2 and pid != 2:
            found[pid] = state
    return found


def read_own_children() -> list[int] | None:
    """Return the children of our main thread, to which orphans come, or None when this kernel does not list them."""
    pid = os.getpid()
    try:
        descriptor = os.open(f"/proc/{pid}/task/{pid}/children", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        parts = []
        while part := os.read(descriptor, 65536):
            parts.append(part)
    finally:
        os.close(descriptor)
    return [int(number) for number in b"".join(parts).split()]


def _read(path: str, limit: int) -> bytes:
    """Return a file of /proc, empty when its process is gone or not ours to see."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, limit)
    except OSError:
        # The process ended between the open and the read.
        return b""
    finally:
        os.close(descriptor)
