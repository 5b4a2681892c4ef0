"""A file system whose server never answers, as a network mount after the server has gone: FUSE without anybody behind it."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_MNT_FORCE, _MNT_DETACH = 1, 2


@contextlib.contextmanager
def mounted(folder: Path) -> Iterator[bool]:
    """Mount one and take it away at the end; gives False, said aloud, where nothing can be mounted."""
    folder.mkdir(parents=True)
    descriptor = -1
    # A machine without it has no such file systems; that is said below.
    with contextlib.suppress(OSError):
        descriptor = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={descriptor},rootmode=40000,user_id={os.geteuid()},group_id={os.getegid()}".encode()
    is_mounted = descriptor >= 0 and _libc.mount(b"watchbell-test", os.fsencode(folder), b"fuse", 0, options) == 0
    if not is_mounted:
        print(f"No dead file system can be mounted here ({os.strerror(ctypes.get_errno())}).")
    try:
        yield is_mounted
    finally:
        if is_mounted:
            _libc.umount2(os.fsencode(folder), _MNT_FORCE | _MNT_DETACH)
        if descriptor >= 0:
            # Whoever is still held by it is let go with an error.
            os.close(descriptor)
