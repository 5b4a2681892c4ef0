"""The yardstick: a loop that does nothing but spawn and reap, as fast as this machine and Python allow.

It uses what the fastest way is made of: posix_spawn, which copies no memory; a pidfd per child in one epoll; wait4. The same
loop in C takes some hundredths of a millisecond of CPU less for each command, most of which goes to the kernel and to
the command in either case.
"""

from __future__ import annotations

import os
import resource
import select
import time

from benchmarks.figures import Burst

#: As many commands as the loop has in the air at once. Four suffice to keep two cores busy, and 64 are no faster.
IN_FLIGHT = 16
SHELL = ("/bin/sh", "-c", "true")
DIRECT = ("/bin/true",)


def bare(count: int, argv: tuple[str, ...] = SHELL) -> Burst:
    """Spawn and reap a command so many times; its moment is the beginning, its record the reaping."""
    poller = select.epoll()
    cpu = _cpu()
    begin = time.perf_counter()
    lags: list[float] = []
    succeeded = 0
    descriptors: dict[int, int] = {}
    while len(lags) < count or descriptors:
        while len(lags) < count and len(descriptors) < IN_FLIGHT:
            lags.append(time.perf_counter() - begin)
            pid = os.posix_spawn(argv[0], argv, {"PATH": os.defpath})
            descriptor = os.pidfd_open(pid)
            descriptors[descriptor] = pid
            poller.register(descriptor, select.EPOLLIN)
        for descriptor, _event in poller.poll():
            _pid, status, _usage = os.wait4(descriptors.pop(descriptor), 0)
            succeeded += status == 0
            # Unregistered before it is closed: a child that is just being born may hold a copy for a moment, which
            # would go on to report.
            poller.unregister(descriptor)
            os.close(descriptor)
    seconds = time.perf_counter() - begin
    poller.close()
    return Burst(count, succeeded, lags, seconds, _cpu() - cpu)


def between(first: Burst, second: Burst) -> Burst:
    """Return the mean of the loops before and after a measurement, since the speed of a shared machine drifts."""
    return Burst(
        first.due,
        min(first.recorded, second.recorded),
        [(one + other) / 2 for one, other in zip(first.lags, second.lags, strict=True)],
        (first.seconds + second.seconds) / 2,
        (first.cpu_seconds + second.cpu_seconds) / 2,
    )


def _cpu() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)
