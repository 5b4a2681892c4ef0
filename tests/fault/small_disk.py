"""A disk that is full: a small tmpfs where one can be mounted, else a bound on the size of the scheduler's files."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

MIB = 1024 * 1024


@contextlib.contextmanager
def mounted(folder: Path, size: int) -> Iterator[bool]:
    """Mount a disk of so many bytes and unmount it at the end; gives False, said aloud, where nothing can be mounted."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "watchbell-test", str(folder)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        print(f"No disk can be mounted here ({found.stderr.strip()}); files are bounded in size instead.")
        yield False
        return
    try:
        yield True
    finally:
        # Something may still be on its way out.
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all the room that is left and return the file that holds it."""
    file = folder / "filler"
    with file.open("wb") as handle:
        step = MIB
        while step >= 4096:
            try:
                os.posix_fallocate(handle.fileno(), os.fstat(handle.fileno()).st_size, step)
            except OSError:
                step //= 2
    return file


@contextlib.contextmanager
def bounded(pid: int, size: int) -> Iterator[None]:
    """Let a process write no file beyond so many bytes while the block lasts; its children are not bounded."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        # It may be over by now.
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
