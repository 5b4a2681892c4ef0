"""The only reader of the machine's clocks; everything else takes ``now`` as an argument."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the wall-clock time, aware, in UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Return seconds on a clock that never jumps; it stands still while the machine is suspended."""
    return time.monotonic()


def boot_time() -> float:
    """Return seconds since boot, suspended time included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def thread_cpu() -> float:
    """Return the seconds of CPU that the calling thread has used."""
    return time.thread_time()


def pause(seconds: float) -> None:
    """Block the calling thread; for the few loops that have nothing to wait on."""
    time.sleep(seconds)
