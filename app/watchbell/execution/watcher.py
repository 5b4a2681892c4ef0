"""The watcher: one thread and one epoll for all runs, from the moment a command was launched until its result is known.

It enforces time limits, cancels, bounds output, takes samples and sweeps what a command leaves behind: no process of a
run lives on when its Finished is handed out. With nothing to watch it sleeps without a timeout.
"""

from __future__ import annotations

import contextlib
import dataclasses
import heapq
import itertools
import logging
import math
import os
import select
import threading
from collections import deque
from collections.abc import Callable, Hashable
from functools import partial
from pathlib import Path

from watchbell import clock
from watchbell.execution import adoption, kernel, proc, tracking
from watchbell.execution.bundle import Bundle, Bundles
from watchbell.execution.command import Limits
from watchbell.execution.orphans import Orphans
from watchbell.execution.outcome import Finished, SamplePoint
from watchbell.execution.process import Process, children
from watchbell.execution.result import Ending, Why, capture, conclude, measure
from watchbell.execution.sampling import group_by_session
from watchbell.execution.shim import read_record
from watchbell.execution.throttle import WriteAlarm
from watchbell.execution.tracking import Output, Phase, Run

log = logging.getLogger(__name__)

#: A run whose handling failed is looked at again after this time.
_RETRY_SECONDS = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class Live:
    """What is known about a run that goes on."""

    elapsed: float
    series: tuple[SamplePoint, ...]
    stdout_bytes: int
    stderr_bytes: int
    #: It was told to end and has not ended yet.
    is_ending: bool


class Watcher:
    """Watches runs. Every public method may be called from any thread.

    ``output_root`` is the folder for outputs that are too long to be handed over as bytes; a file there is named after
    the bundle, ``<run_id>.<attempt>.out`` or ``.err``.
    """

    def __init__(self, bundles: Bundles, output_root: Path) -> None:
        self._bundles = bundles
        self._output_root = output_root
        self._epoll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._done = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._alarm: WriteAlarm[tuple[Run, Output]] = WriteAlarm()
        self._orphans = Orphans()
        self._epoll.register(self._wake, select.EPOLLIN)
        self._epoll.register(self._alarm.descriptor, select.EPOLLIN)
        self._runs: dict[Hashable, Run] = {}
        self._by_fd: dict[int, Run] = {}
        self._incoming: deque[Run] = deque()
        self._cancels: deque[tuple[Hashable, str]] = deque()
        self._finished: deque[Finished] = deque()
        self._timers: list[tuple[float, int, Run]] = []
        self._count = itertools.count()
        # When the thread will wake by itself; 0 while it is awake.
        self._asleep_until = 0.0
        self._stopping = False
        self._thread = threading.Thread(target=self._loop, name="watcher", daemon=True)

    def start(self) -> None:
        """Start watching, and make this process the one to which orphans of its runs come."""
        kernel.close_inherited_descriptors_on_exec()
        kernel.become_subreaper()
        self._thread.start()

    def stop(self) -> None:
        """Stop watching. The commands run on, and their results can be had by adopting them later."""
        self._stopping = True
        os.eventfd_write(self._wake, 1)
        if self._thread.is_alive():
            self._thread.join()
        for run in self._runs.values():
            if run.pidfd is not None:
                os.close(run.pidfd)
        self._epoll.close()
        self._alarm.close()
        os.close(self._wake)
        os.close(self._done)

    def is_alive(self) -> bool:
        """Return whether the thread runs; when it does not after a start, nothing is watched and the host should end."""
        return self._thread.is_alive()

    def fileno(self) -> int:
        """Return a descriptor that is readable when drain() has something."""
        return self._done

    def __len__(self) -> int:
        return len(self._runs)

    def watch(self, key: Hashable, bundle: Bundle, process: Process, limits: Limits, *, elapsed: float = 0.0) -> None:
        """Watch a run that this process has launched ``elapsed`` seconds ago."""
        pidfd = os.pidfd_open(process.pid)
        now = clock.monotonic()
        self._add(tracking.track(key, bundle, limits, process, pidfd, own=True, now=now, elapsed=elapsed))

    def adopt(
        self, key: Hashable, bundle: Bundle, process: Process | None = None, limits: Limits | None = None
    ) -> Process | None:
        """Take over an attempt that an earlier process had started, or was about to start; return its shim if it lives.

        A living shim is watched on. A finished one gives its result. Without a mark nothing was ever started, and by setting
        the mark it is made sure that nothing will be: the outcome is ``not_started``. Else it is ``lost``. Without
        ``process`` the shim is found by what it wrote down and by its marker. A folder made anew for a run whose own one
        has been taken away is no proof of anything: such a run is watched while it lives and is then ``lost``.
        """
        run = adoption.take_over(key, bundle, process, limits)
        self._add(run)
        return run.process if run.pidfd is not None else None

    def cancel(self, key: Hashable, why: str = "cancelled") -> bool:
        """Tell a run to end: TERM, its grace, KILL. False when it is not being watched (any more)."""
        if key not in self._runs:
            return False
        self._cancels.append((key, why))
        os.eventfd_write(self._wake, 1)
        return True

    def drain(self) -> list[Finished]:
        """Return what has finished since the last call."""
        # The counter is at zero when drain() is called without having been told to.
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._done)
        found = []
        while self._finished:
            found.append(self._finished.popleft())
        return found

    def live(self) -> dict[Hashable, Live]:
        """Return what is known about every run that goes on."""
        now = clock.monotonic()
        return {
            key: Live(
                now - run.started,
                tuple(run.series.points),
                run.outputs[0].stream.size,
                run.outputs[1].stream.size,
                run.phase is not Phase.RUNNING,
            )
            for key, run in list(self._runs.items())
        }

    def _add(self, run: Run) -> None:
        if run.key in self._runs:
            raise ValueError(f"run {run.key!r} is being watched already")
        self._runs[run.key] = run
        self._incoming.append(run)
        if run.pidfd is not None:
            self._by_fd[run.pidfd] = run
            self._epoll.register(run.pidfd, select.EPOLLIN)
        # An end wakes the thread by itself; only a timer earlier than the one it sleeps for needs a call. It announces
        # how long it will sleep before it looks for incoming runs, so one of both sees the other.
        if run.pidfd is None or self._asleep_until > run.next_due():
            os.eventfd_write(self._wake, 1)

    def _loop(self) -> None:
        try:
            while not self._stopping:
                self._turn()
        except Exception:
            log.exception("The watcher has failed; nothing is watched any more")
            os.eventfd_write(self._done, 1)
            raise

    def _turn(self) -> None:
        """Wait for something to happen and handle all of it."""
        while self._timers and self._timers[0][2].phase is Phase.DONE:
            heapq.heappop(self._timers)
        due = self._timers[0][0] if self._timers else math.inf
        self._asleep_until = due
        if self._incoming or self._cancels:
            due = 0.0
        events = self._epoll.poll(None if due == math.inf else max(due - clock.monotonic(), 0.0))
        self._asleep_until = 0.0
        now = clock.monotonic()
        ended: list[Run] = []
        for descriptor, _ in events:
            if descriptor == self._wake:
                os.eventfd_read(self._wake)
            elif descriptor == self._alarm.descriptor:
                self._answer_alarm(now)
            elif descriptor in self._by_fd:
                ended.append(self._by_fd[descriptor])
        while self._incoming:
            run = self._incoming.popleft()
            if run.pidfd is None:
                ended.append(run)
            self._set_timer(run)
        if ended:
            self._shims_ended(ended, now)
        while self._cancels:
            key, words = self._cancels.popleft()
            if key in self._runs:
                self._guarded(self._runs[key], partial(tracking.begin_end, why=Why.CANCEL, words=words, now=now))
        self._run_timers(now)

    def _run_timers(self, now: float) -> None:
        sampled = []
        while self._timers and self._timers[0][0] <= now:
            at, _, run = heapq.heappop(self._timers)
            if at != run.timer or run.phase is Phase.DONE:
                continue
            run.timer = math.inf
            if run.next_sample <= now and run.phase < Phase.SWEEP:
                sampled.append(run)
                run.next_sample = math.inf
            self._guarded(run, partial(self._tick, now=now))
        if sampled:
            self._sample(sampled, now)
            for run in sampled:
                self._set_timer(run)

    def _guarded(self, run: Run, step: Callable[[Run], None]) -> None:
        """Take a step for one run. What goes wrong there must not keep the others from being watched."""
        try:
            step(run)
        except Exception:
            log.exception("Run %s could not be handled; it is looked at again", run.bundle.name)
            run.retry_at = clock.monotonic() + _RETRY_SECONDS
        self._set_timer(run)

    def _set_timer(self, run: Run) -> None:
        due = run.retry_at or run.next_due()
        if run.phase is not Phase.DONE and due < run.timer:
            run.timer = due
            heapq.heappush(self._timers, (due, next(self._count), run))

    def _tick(self, run: Run, now: float) -> None:
        """Do what is due for one run."""
        run.retry_at = 0.0
        if run.phase >= Phase.SWEEP:
            if not tracking.proceed_sweep(run, now):
                self._finish(run)
            self._orphans.look()
            return
        if run.pidfd is None or run.pidfd not in self._by_fd:
            # Its end was seen but could not be handled; it is taken up where it stood.
            self._shims_ended([run], now)
            return
        tracking.resume(run, now)
        tracking.look_at_output(run, now, self._alarm)
        self._bundles.charge(run.bundle, sum(output.stream.allocated for output in run.outputs))
        if now >= run.deadline:
            tracking.begin_end(run, Why.TIME, f"time limit of {run.limits.time_seconds:g} s reached", now)
            run.deadline = math.inf
        elif tracking.cannot_be_bounded(run):
            tracking.begin_end(
                run, Why.CANCEL, "output limit reached on a file system that cannot drop the middle", now
            )
        elif now >= run.next_step:
            tracking.proceed(run, now)

    def _answer_alarm(self, now: float) -> None:
        for run, output in self._alarm.ring():
            output.next_look = output.looked = now
            self._set_timer(run)

    def _sample(self, due: list[Run], now: float) -> None:
        """Take one sample of each run that is due, all from one pass over /proc."""
        self._orphans.look()
        # Copies, since another thread may add a run meanwhile.
        by_token = {run.bundle.token: run for run in list(self._runs.values())}
        watched = list(self._by_fd.values())
        leaders: dict[int, Run] = {run.process.pid: run for run in watched if run.process is not None}
        strays = {pid: by_token[token] for pid, token in self._orphans.tokens().items() if token in by_token}
        groups = group_by_session(proc.read_all(), leaders, strays)
        for run in due:
            run.series.add(groups.get(run, ()), now)
            run.next_sample = now + run.series.interval

    def _shims_ended(self, ended: list[Run], now: float) -> None:
        """Handle runs whose shim has ended: sweep what is left behind, or finish them at once."""
        complete = self._orphans.look()
        for run in ended:
            if run.pidfd is not None and self._by_fd.pop(run.pidfd, None) is not None:
                # By hand, since a child that is just being spawned may hold a copy of the descriptor for a moment longer.
                self._epoll.unregister(run.pidfd)
            self._guarded(run, partial(self._after_shim, now=now, complete=complete))

    def _after_shim(self, run: Run, now: float, *, complete: bool) -> None:
        # The list of our children says all about runs of our own. Orphans of an adopted shim may have gone to another
        # process, and so may those of an older kernel's list: then all processes are looked at.
        nothing_left = run.own and complete and not self._orphans.belong_to(run.bundle.token)
        if run.ending.rebooted or nothing_left or not tracking.begin_sweep(run, now):
            self._finish(run)

    def _finish(self, run: Run) -> None:
        """Read the result, tell it and forget the run."""
        ending = run.ending
        if run.own and run.process is not None and ending.wait_status is None:
            self._wait(run.process.pid, ending)
        record = read_record(run.bundle.status)
        ending.left_behind = len(run.left)
        outcome = conclude(record, ending)
        stdout, stderr, trouble = capture(run.bundle, run.limits.output_bytes, self._output_root)
        if trouble:
            outcome = dataclasses.replace(outcome, reason=outcome.reason + trouble)
        if run.pidfd is not None:
            os.close(run.pidfd)
            run.pidfd = None
        run.phase = Phase.DONE
        del self._runs[run.key]
        self._finished.append(
            Finished(
                run.key, outcome, measure(record, ending, run.series.points), tuple(run.series.points), stdout, stderr
            )
        )
        os.eventfd_write(self._done, 1)

    def _wait(self, pid: int, ending: Ending) -> None:
        """Wait for a shim of ours that has ended. Only now may its number be given to somebody else."""
        with children.lock:
            children.pids.discard(pid)
            try:
                _, ending.wait_status, ending.usage = os.wait4(pid, 0)
            except ChildProcessError:
                log.warning("Somebody else has waited for process %d; its exact usage is unknown", pid)
