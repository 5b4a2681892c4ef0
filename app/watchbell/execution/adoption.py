"""Taking over attempts that an earlier process had started, or was about to start when it died."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable

from watchbell import clock
from watchbell.execution import proc, tracking
from watchbell.execution.bundle import Bundle, Bundles
from watchbell.execution.command import Limits
from watchbell.execution.identity import Process
from watchbell.execution.order import Order
from watchbell.execution.outcome import Usage
from watchbell.execution.process import Census, current_boot_id, find_leader, open_process
from watchbell.execution.record import REFUSED, Meta, Record, read_record
from watchbell.execution.tracking import Run

#: How long a mark may be without the number of the process that the keeper writes as soon as there is one.
_BIRTH_SECONDS = 0.5
_LOOK_SECONDS = 0.02
#: How soon the record of a command that has ended is looked for again while its keeper lives: each time later, up to the other.
_RECORD_SECONDS = 0.01
_RECORD_MOST_SECONDS = 1.0
#: With so many looks behind it, about four seconds have passed.
_MANY_LOOKS = 18


def take_over(
    key: Hashable, bundle: Bundle, process: Process | None, limits: Limits | None, census: Census | None = None
) -> Run:
    """Return the run to watch: with a pidfd when its command lives, without one when there is only a record to be read.

    ``census`` serves many runs whose marks are all set.
    """
    census = census or Census()
    # Making the mark first is what keeps a keeper that is still about to start it from doing so after we said "never".
    set_mark(bundle)
    record = read_record(bundle.status) or Record(is_refused=True)
    meta = record.meta
    limits = limits or (meta.limits if meta is not None else Limits())
    started_on = process.boot_id if process is not None else meta.boot_id if meta is not None else current_boot_id()
    if started_on != current_boot_id():
        run = _track(key, bundle, limits, None, None, meta)
        run.ending.rebooted = True
        return run
    if record.is_refused:
        # Without another mark than ours it was never started. But its files may have been taken away, as a logout does with what lies on
        # tmpfs: a process that is known or found says that the command did start.
        process = process or census.find(bundle)
    elif record.is_over:
        process = None
    else:
        process = process or _find(bundle, census)
    pidfd = open_process(process) if process is not None else None
    run = _track(key, bundle, limits, process, pidfd, meta)
    run.at_ns = record.at_ns
    run.ending.is_folder_lost = record.is_refused and process is not None
    tracking.resume_if_orphaned_stop(run)
    return run


def inherit(run: Run, others: Iterable[Run], census: Census) -> None:
    """Take over a run whose keeper has died: its command has come to this process."""
    found = take_over(run.key, run.bundle, run.process, run.limits, census)
    run.is_kept, run.process, run.at_ns = False, found.process, found.at_ns
    run.ending.is_folder_lost = found.ending.is_folder_lost
    run.close()
    run.pidfd = found.pidfd
    if run.process is None:
        _find_unnamed(run, others)


def _find_unnamed(run: Run, others: Iterable[Run]) -> None:
    """Find the process of a command that had ended before its keeper, killed meanwhile, could write down its number.

    It can be told by what it is not: a keeper makes one process at a time, so this is the only one that led a session, has
    come to us, has ended, is younger than the order to start it, and is nobody else's. Where there are several nothing is known.
    """
    record = read_record(run.bundle.status)
    if record is None or record.is_over or record.pid is not None or record.meta is None:
        return
    known = {pid for other in others for pid in _numbers_of(other)}
    asked = int(record.meta.boot_clock * proc.TICKS)
    states = [proc.read_stat(pid) for pid in proc.read_own_children() or () if pid not in known]
    ended = [state for state in states if state is not None and state.state == "Z" and state.session == state.pid]
    found = [state for state in ended if state.start_ticks >= asked]
    if len(found) == 1:
        run.process = Process(found[0].pid, found[0].start_ticks, current_boot_id())
        run.at_ns = int(record.meta.started * 1e9)


def _numbers_of(run: Run) -> list[int]:
    """Return the numbers that the process of a run is known by."""
    record = read_record(run.bundle.status)
    told = record.pid if record is not None else None
    return [pid for pid in (told, run.process.pid if run.process is not None else None) if pid is not None]


def refuse(bundles: Bundles, run_id: str, attempt: int) -> Bundle:
    """Make sure that an attempt does not start any more, wherever it may have been about to; return where it was, or is not.

    Which of the two folders was chosen for it is not known before its mark is there, so it is set in both.
    """
    places = bundles.places(run_id, attempt)
    started = [place for place in places if not set_mark(place)]
    bundles.note_refused(places[0])
    return next((place for place in started if not (read_record(place.status) or Record()).is_refused), places[0])


def goes_on(bundle: Bundle, census: Census) -> bool:
    """Return whether the command of a bundle lives."""
    record = read_record(bundle.status)
    if record is None or record.is_over:
        return False
    if record.pid is None:
        return census.find(bundle) is not None
    return find_leader(bundle, record.pid, record.start_ticks) is not None


def is_being_kept(keeper: tuple[int, int]) -> bool:
    """Return whether a keeper lives, so that the record of a command that has just ended is still to come."""
    return bool(keeper[0]) and proc.is_alive(*keeper)


def is_awaited(run: Run) -> bool:
    """Return whether a run's keeper still has something to write: how its command has ended, or that it has begun."""
    if run.ending.rebooted or not is_being_kept(run.keeper):
        return False
    if run.process is not None:
        return True
    record = read_record(run.bundle.status)
    return record is not None and not record.is_over


def put_off(run: Run, now: float, tell: Callable[[str], None]) -> None:
    """Let what a keeper has still to write be looked for later, and tell once that it takes long."""
    run.retry_at = now + min(_RECORD_SECONDS * 1.3 ** min(run.waits, _MANY_LOOKS), _RECORD_MOST_SECONDS)
    run.waits += 1
    if run.waits == _MANY_LOOKS:
        what = "has ended" if run.process is not None else "may have begun"
        tell(
            f"The command of run {run.bundle.run_id} {what}, but its keeper (PID {run.keeper[0]}), which knows, does not "
            "answer. The run stays as it is until then."
        )


def was_born(run: Run) -> bool:
    """Return whether a command whose process was not known is known by now."""
    record = read_record(run.bundle.status) if run.process is None else None
    return record is not None and record.pid is not None and find_leader(run.bundle, record.pid) is not None


def read_end(run: Run) -> Record | None:
    """Return the record of an end: what the keeper wrote, else what we are told as the one who inherited the command."""
    record = read_record(run.bundle.status)
    if record is not None and record.is_over:
        return record
    # A keeper that died before it wrote the end has not waited either, so the number is still the command's own.
    pid = run.process.pid if run.process is not None else record.pid if record is not None else None
    if pid is None:
        return None
    try:
        done, status, used = os.wait4(pid, os.WNOHANG)
    except ChildProcessError:
        return None  # It is somebody else's child, whose word is still to come or never will.
    if not done:
        return None
    usage = Usage(used.ru_utime, used.ru_stime, used.ru_maxrss, used.ru_minflt, used.ru_majflt,
                  used.ru_inblock, used.ru_oublock, used.ru_nvcsw, used.ru_nivcsw)  # fmt: skip
    return Record(pid, run.at_ns, None, status, usage, int(clock.now().timestamp() * 1e9))


def set_mark(bundle: Bundle) -> bool:
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


def _track(
    key: Hashable, bundle: Bundle, limits: Limits, process: Process | None, pidfd: int | None, meta: Meta | None
) -> Run:
    # By the clock that counts from the boot: the wall clock may have been set since.
    elapsed = 0.0
    if process is not None and process.start_ticks:
        elapsed = clock.boot_time() - process.start_ticks / proc.TICKS
    elif meta is not None and meta.boot_id == current_boot_id():
        elapsed = clock.boot_time() - meta.boot_clock
    elapsed = max(elapsed, 0.0)
    now = clock.monotonic()
    run = tracking.track(key, bundle, limits, process, pidfd, is_kept=False, now=now, elapsed=elapsed)
    run.keeper = meta.keeper if meta is not None else (0, 0)
    run.order = Order.resume(bundle.order)
    return run


def _find(bundle: Bundle, census: Census) -> Process | None:
    """Return the living process of a command, giving its keeper the time to say who it is.

    A keeper that was killed while it made a process could not say so any more, and the process may not be its own
    program yet. Of one keeper that can only be one, so it is looked for again and again.
    """
    deadline = clock.monotonic() + _BIRTH_SECONDS
    while True:
        record = read_record(bundle.status)
        if record is None or record.is_over:
            return None
        if record.pid is not None:
            return find_leader(bundle, record.pid, record.start_ticks)
        is_kept = record.meta is not None and is_being_kept(record.meta.keeper)
        found = None if is_kept else census.find(bundle)
        if found is not None or clock.monotonic() >= deadline:
            return found or census.find(bundle)
        clock.pause(_LOOK_SECONDS)
        census = Census()
