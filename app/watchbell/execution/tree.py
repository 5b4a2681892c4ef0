"""Finding and signalling every process of a run, wherever it has moved to.

A process belongs to a run when it is in the session that its command leads, when it carries the run's marker in its
environment, or when an ancestor of it does. Each is signalled through a pidfd that was opened before the proof was
looked at, so a number that has passed to a stranger in between is never hit.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import signal
from collections.abc import Collection, Iterable, Iterator

from watchbell import clock
from watchbell.execution import proc

_PIDFD_SIGNAL_PROCESS_GROUP = 4
#: Of what is slowed down, on the scale of nice.
_LOW_PRIORITY = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Member:
    """One process of a run."""

    pid: int
    start_ticks: int
    group: int
    zombie: bool


class Census:
    """All processes at a moment and the markers that were looked at, for all runs that are looked at together."""

    def __init__(self) -> None:
        self.taken = clock.monotonic()
        self.processes = proc.read_all()
        self._markers: dict[int, str | None] = {}

    def marker(self, pid: int) -> str | None:
        """Return the marker of a process."""
        if pid not in self._markers:
            self._markers[pid] = proc.read_marker(pid)
        return self._markers[pid]


#: The newest census; one thread looks at all runs.
_newest: list[Census] = []


def take_census(since: float) -> Census:
    """Return a census that was taken at ``since`` or later.

    Many runs that are being killed at once are looked at twenty times a second each, and a pass over /proc takes
    milliseconds: what was taken after the last signal to a run says all about it.
    """
    if not _newest or _newest[0].taken < since:
        _newest[:] = [Census()]
    return _newest[0]


def find_members(leader: tuple[int, int] | None, token: str, since: float) -> list[Member]:
    """Return the processes of a run, as they were at ``since`` or later.

    ``leader`` is the number and start time of its command's own process, whose session is the run's. The number cannot
    pass to a stranger while anybody is left in that session; a stranger who bears it says that nobody is.
    """
    census = take_census(since)
    processes = census.processes
    session = leader[0] if leader is not None else None
    if leader is not None and leader[0] in processes and processes[leader[0]].start_ticks != leader[1]:
        session = None
    verdicts: dict[int, bool] = {os.getpid(): False, 1: False}
    return [
        Member(pid, state.start_ticks, state.group, state.state == "Z")
        for pid, state in processes.items()
        if _belongs(pid, census, verdicts, session, token)
    ]


def _belongs(pid: int, census: Census, verdicts: dict[int, bool], session: int | None, token: str) -> bool:
    """Return whether a process belongs to the run, walking up until that is decided."""
    path: list[int] = []
    verdict = False
    while True:
        if pid in verdicts:
            verdict = verdicts[pid]
            break
        state = census.processes.get(pid)
        # The table was read one process at a time, so a reused number could close a circle.
        if state is None or pid in path:
            break
        path.append(pid)
        if (session is not None and state.session == session) or census.marker(pid) == token:
            verdict = True
            break
        pid = state.parent
    # Everything below the place of decision shares the verdict.
    for place in path:
        verdicts[place] = verdict
    return verdict


def signal_member(member: Member, number: int) -> bool:
    """Send a signal to exactly this process; False when it is gone."""
    try:
        descriptor = os.pidfd_open(member.pid)
    except OSError as error:
        if error.errno != errno.ESRCH:
            raise
        return False
    try:
        state = proc.read_stat(member.pid)
        if state is None or state.start_ticks != member.start_ticks:
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def signal_group(pidfd: int, number: int) -> None:
    """Send a signal to the process group that a living process leads, at one stroke; nothing when it has ended.

    Newer kernels do it through the pidfd. On older ones the group is named by its number right after the pidfd has shown
    that the leader lives.
    """
    try:
        signal.pidfd_send_signal(pidfd, number, None, _PIDFD_SIGNAL_PROCESS_GROUP)
        return
    except ProcessLookupError:
        return
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    leader = _pid_of(pidfd)
    if leader > 0:
        try:
            os.killpg(leader, number)
        except ProcessLookupError:
            return


@contextlib.contextmanager
def halted(pidfd: int, others: Collection[Member]) -> Iterator[None]:
    """Stop the group that a living process leads, and others, for as long as the block takes."""
    signal_group(pidfd, signal.SIGSTOP)
    try:
        for member in others:
            signal_member(member, signal.SIGSTOP)
        yield
    finally:
        for member in others:
            signal_member(member, signal.SIGCONT)
        signal_group(pidfd, signal.SIGCONT)


def slow_down(groups: Iterable[int]) -> None:
    """Let process groups give way to everything else."""
    for group in groups:
        # A group that has just ended, or belongs to another user by now, needs no slowing down.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.setpriority(os.PRIO_PGRP, group, _LOW_PRIORITY)
        # Where the kernel gives every session its own share of the processors, priorities count only within one. Other
        # kernels have no such file.
        with contextlib.suppress(OSError), open(f"/proc/{group}/autogroup", "w", encoding="ascii") as share:
            share.write(str(_LOW_PRIORITY))


def _pid_of(pidfd: int) -> int:
    """Return the number of a living process, -1 when it has ended."""
    with open(f"/proc/self/fdinfo/{pidfd}", encoding="ascii") as info:
        for line in info:
            name, _, value = line.partition(":")
            if name == "Pid":
                return int(value)
    return -1
