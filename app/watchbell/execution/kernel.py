"""The few system calls that Python 3.11 has no function for."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
_libc.inotify_add_watch.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)
_libc.prctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)

_FALLOC_FL_KEEP_SIZE = 1
_FALLOC_FL_PUNCH_HOLE = 2
_PR_SET_CHILD_SUBREAPER = 36
_IN_MODIFY = 0x2
_IN_ONESHOT = 0x80000000


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def punch_hole(descriptor: int, start: int, length: int) -> None:
    """Give the blocks of a range back to the file system; the range reads as zeros and the size stays."""
    _check(_libc.fallocate(descriptor, _FALLOC_FL_PUNCH_HOLE | _FALLOC_FL_KEEP_SIZE, start, length))


def become_subreaper() -> None:
    """Make orphans among this process's descendants its own children, so that none escapes by a double fork."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))


def inotify_open() -> int:
    """Return a new non-blocking inotify descriptor."""
    return _check(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))


def inotify_once(descriptor: int, path: str) -> int:
    """Ask for one event at the next write to a file; return the number of the watch."""
    return _check(_libc.inotify_add_watch(descriptor, os.fsencode(path), _IN_MODIFY | _IN_ONESHOT))


def boot_id() -> str:
    """Return the identity of the running kernel's boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def close_inherited_descriptors_on_exec() -> None:
    """Keep descriptors that this process inherited from whoever started it out of every command."""
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        if descriptor > 2:
            try:
                os.set_inheritable(descriptor, False)
            except OSError:
                # The listing's own descriptor is closed by now.
                continue
