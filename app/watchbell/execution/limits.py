"""Limits on what a command may use, set by a small shell that then becomes the command.

Memory and processes are bounded by a control group where one can be made (see cgroups.py): for all processes of the run
together, and the end tells that the limit was reached. Elsewhere rlimits stand in, with less to them: memory is
bounded for each process by itself and counts reserved addresses too; processes are counted for the whole user,
so the bound lies above what the user has at the start, and none holds for root.
"""

from __future__ import annotations

import os
import re
import resource
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from watchbell.execution import cgroups, proc
from watchbell.execution.cgroups import MEMORY, PIDS, Group
from watchbell.execution.command import SHELL, Limits

_CAP_SYS_NICE = 23
_NICE = "/usr/bin/nice"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Variables that a shell does not pass on as they are.
_OWN_TO_SHELLS = frozenset({"IFS", "OPTIND", "PPID", "LINENO"})
#: What a shell adds of its own.
_FORGET = "unset PWD OLDPWD SHLVL"
_REFUSAL = "watchbell: the limits of this run could not be set"


class CannotLimit(Exception):
    """A limit that was asked for cannot be set on this machine; the command must not run without it."""


def wrap(argv: tuple[str, ...], environment: Mapping[str, str], limits: Limits, token: str) -> tuple[str, ...]:
    """Return the arguments that run a command under its limits; without limits they stay what they are.

    ``environment`` is what the command will see. Makes the control group of the attempt. Raises CannotLimit.
    """
    if limits.niceness:
        _check_niceness(limits.niceness)
        argv = (_NICE, "-n", str(limits.niceness), *argv)
    steps = _steps(limits, token) if limits.is_confined else []
    if not steps:
        return argv
    # A shell would lose or change variables with such names, so env(1) sets them again behind it.
    odd = [name for name in environment if name in _OWN_TO_SHELLS or not _NAME.fullmatch(name)]
    if odd:
        argv = ("/usr/bin/env", "--", *(f"{name}={environment[name]}" for name in odd), *argv)
    text = f'{{ {"&&".join(steps)};}} 2>/dev/null||{{ echo {_REFUSAL} >&2;exit 126;}};{_FORGET};exec "$@"'
    return (SHELL, "-c", text, "watchbell-limits", *argv)


class Bounds(NamedTuple):
    """What bounds an attempt: the control groups that it joins, and rlimits where those do not; 0 for none."""

    folders: tuple[str, ...] = ()
    memory_bytes: int = 0
    processes: int = 0


def set_bounds(limits: Limits, token: str, *, uid: int) -> Bounds:
    """Return what bounds an attempt that runs as a user, and make its control group; raises CannotLimit."""
    if not limits.is_confined:
        return Bounds()
    wanted = {MEMORY: limits.memory_bytes, PIDS: limits.processes}
    try:
        group = cgroups.make(token, {name: value for name, value in wanted.items() if value})
    except OSError as error:
        raise CannotLimit(f"no control group could be made for its limits: {error.strerror}") from error
    bounded = cgroups.controllers() if group else {}
    memory = limits.memory_bytes if limits.memory_bytes and MEMORY not in bounded else 0
    processes = 0
    if limits.processes and PIDS not in bounded and uid != 0:
        processes = limits.processes + _count_processes(uid)
    return Bounds(tuple(group.folders) if group else (), memory, processes)


def _steps(limits: Limits, token: str) -> list[str]:
    """Return what a shell has to do to put itself under the limits."""
    bounds = set_bounds(limits, token, uid=os.geteuid())
    steps = [f"echo 0 >{shlex.quote(folder)}/cgroup.procs" for folder in bounds.folders]
    if bounds.memory_bytes:
        steps.append(f"ulimit -v {bounds.memory_bytes // 1024}")
    if bounds.processes:
        # The letter differs from shell to shell.
        steps.append(f"{{ ulimit -u {bounds.processes}||ulimit -p {bounds.processes};}}")
    return steps


def explain(limits: Limits, group: Group | None) -> str:
    """Return the words for the limit that a run has reached, as far as that can be known."""
    reached = group.reached() if group is not None else frozenset()
    if MEMORY in reached and limits.memory_bytes:
        return f"memory limit of {limits.memory_bytes // 2**20} MiB reached"
    if PIDS in reached and limits.processes:
        return f"process limit of {limits.processes} reached"
    return ""


def remark(limits: Limits, group: Group | None) -> str:
    """Return what is added to the reason of a failure when it cannot be known whether a limit was its cause."""
    if limits.memory_bytes and (group is None or MEMORY not in cgroups.controllers()):
        return f"under a memory limit of {limits.memory_bytes // 2**20} MiB for each process"
    return ""


def describe_limits() -> str:
    """Return one line about what bounds the memory and the processes of runs on this machine."""
    found = cgroups.controllers()
    memory = f"by cgroup v{found[MEMORY]}" if MEMORY in found else "by rlimit, for each process"
    if PIDS in found:
        processes = f"by cgroup v{found[PIDS]}"
    elif os.geteuid() == 0:
        processes = "not possible (they would not apply to root)"
    else:
        processes = "by rlimit, for all processes of the user"
    return f"memory limits {memory}; process limits {processes}"


def _check_niceness(niceness: int) -> None:
    now = os.getpriority(os.PRIO_PROCESS, 0)
    if niceness >= 0 or _has_capability(_CAP_SYS_NICE):
        return
    lowest = 20 - min(resource.getrlimit(resource.RLIMIT_NICE)[0], 40)
    if now + niceness < lowest:
        raise CannotLimit(f"a niceness of {niceness} needs a right that the scheduler's user does not have")


def _has_capability(number: int) -> bool:
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    held = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff"))
    return bool(int(held, 16) >> number & 1)


def _count_processes(uid: int) -> int:
    """Return how many processes and threads a user has."""
    count = 0
    for pid in proc.list_pids():
        try:
            if os.stat(f"/proc/{pid}").st_uid == uid:
                count += len(os.listdir(f"/proc/{pid}/task"))
        except OSError:
            continue  # It ended while we counted.
    return count
