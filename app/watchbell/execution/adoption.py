"""Taking over attempts that an earlier process had started, or was about to start when it died."""

from __future__ import annotations

import os
from collections.abc import Hashable

from watchbell import clock
from watchbell.execution import tracking
from watchbell.execution.bundle import Bundle, Meta
from watchbell.execution.command import Limits
from watchbell.execution.process import Process, children, current_boot_id, find_shim, open_process
from watchbell.execution.shim import REFUSED, Record, read_record
from watchbell.execution.tracking import Run

#: How long a mark may be without the pid that the shim writes first.
_BIRTH_SECONDS = 0.2
_LOOK_SECONDS = 0.01


def take_over(key: Hashable, bundle: Bundle, process: Process | None, limits: Limits | None) -> Run:
    """Return the run to watch: with a pidfd when its shim lives, without one when there is only a result to be read."""
    meta = bundle.read_meta()
    limits = limits or (meta.limits if meta is not None else Limits())
    started_on = process.boot_id if process is not None else meta.boot_id if meta is not None else current_boot_id()
    if started_on != current_boot_id():
        run = _track(key, bundle, limits, None, None, meta)
        run.ending.rebooted = True
        _set_mark(bundle)
        return run
    # Making the mark first is what keeps a shim that is still on its way from starting after we have said "never".
    if _set_mark(bundle):
        # A folder without a mark was never started in. But it may stand in for one that has been taken away, as a logout
        # does with what lies on tmpfs: a process that is known or found says that the command did start.
        process = process or find_shim(bundle, None)
        is_folder_lost = process is not None
    else:
        process = process or _find(bundle)
        is_folder_lost = False
    pidfd = open_process(process) if process is not None else None
    run = _track(key, bundle, limits, process, pidfd, meta)
    run.ending.is_folder_lost = is_folder_lost
    tracking.resume_if_orphaned_stop(run)
    return run


def goes_on(bundle: Bundle) -> bool:
    """Return whether the shim of a bundle lives."""
    record = read_record(bundle.status)
    return record is not None and not _is_over(record) and find_shim(bundle, record.pid) is not None


def _track(
    key: Hashable, bundle: Bundle, limits: Limits, process: Process | None, pidfd: int | None, meta: Meta | None
) -> Run:
    elapsed = max(clock.now().timestamp() - meta.started, 0.0) if meta is not None else 0.0
    own = process is not None and pidfd is not None and process.pid in children.pids
    return tracking.track(key, bundle, limits, process, pidfd, own=own, now=clock.monotonic(), elapsed=elapsed)


def _set_mark(bundle: Bundle) -> bool:
    """Set the mark if it is not set; True when it was set here, so nothing was ever started."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(bundle.status, flags, 0o600)
    except FileExistsError:
        return False
    except FileNotFoundError:
        # Not even the folder is left; then there is nothing that could be marked or started.
        return True
    try:
        os.write(descriptor, REFUSED)
    finally:
        os.close(descriptor)
    return True


def _find(bundle: Bundle) -> Process | None:
    """Return the living shim, giving one that was only just born the time to say who it is."""
    deadline = clock.monotonic() + _BIRTH_SECONDS
    while True:
        record = read_record(bundle.status)
        if record is None or _is_over(record):
            return None
        found = find_shim(bundle, record.pid)
        if found is not None or record.pid is not None or clock.monotonic() >= deadline:
            return found
        clock.pause(_LOOK_SECONDS)


def _is_over(record: Record) -> bool:
    return record.exit_code is not None or record.text == REFUSED.decode().strip()
