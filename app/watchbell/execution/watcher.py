"""The watcher: one thread and one epoll for all runs, from the moment a command was launched until its result is known.

It enforces time limits, cancels, bounds output, takes samples and sweeps what a command leaves behind: no process of a
run lives on when its Finished is handed out. With nothing to watch it sleeps without a timeout.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import math
import os
import select
import threading
from collections import deque
from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from watchbell import clock
from watchbell.execution import adoption, kernel, tracking
from watchbell.execution.bundle import Bundle, Bundles
from watchbell.execution.command import Command, Limits
from watchbell.execution.health import LOOK_SECONDS, KeeperHealth
from watchbell.execution.identity import Process
from watchbell.execution.keeping import Answer, HasEnded, HasFailed, HasStarted
from watchbell.execution.kept import KeptRuns
from watchbell.execution.measuring import take_samples
from watchbell.execution.orphans import Orphans
from watchbell.execution.outcome import Finished
from watchbell.execution.output_looks import look_at_output
from watchbell.execution.process import Census, fail_start
from watchbell.execution.result import Why
from watchbell.execution.telling import tell
from watchbell.execution.throttle import WriteAlarm
from watchbell.execution.tracking import Live, Output, Phase, Run

log = logging.getLogger(__name__)

#: A run whose handling failed is looked at again after this time.
_RETRY_SECONDS = 1.0


class Watcher:
    """Watches runs. Every public method may be called from any thread.

    ``output_root`` is the folder for outputs that are too long to be handed over as bytes; a file there is named after
    the bundle, ``<run_id>.<attempt>.out`` or ``.err``. ``tell`` hears, from the watcher's thread, what befell a keeper.
    """

    def __init__(
        self, bundles: Bundles, output_root: Path, *, keepers: int = 1, tell: Callable[[str], None] | None = None
    ) -> None:
        self._bundles = bundles
        self._output_root = output_root
        self._epoll = select.epoll()
        numbers = itertools.count(1)
        self._tell = tell or log.error
        self._kept = [KeptRuns(self._epoll, numbers, self._tell) for _ in range(keepers)]
        self._health = KeeperHealth(self._kept)
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
        self._stopping = self._is_inheriting = False
        self._thread = threading.Thread(target=self._loop, name="watcher", daemon=True)

    def start(self) -> None:
        """Start the keepers, and watch. Should a keeper ever die, its orphans come to this process."""
        kernel.close_inherited_descriptors_on_exec()
        kernel.become_subreaper()
        for kept in self._kept:
            kept.start()
        self._thread.start()

    def stop(self) -> None:
        """Stop watching. The commands run on, and their results can be had by adopting them later."""
        self._stopping = True
        os.eventfd_write(self._wake, 1)
        if self._thread.is_alive():
            self._thread.join()
        # A keeper goes on until its commands have ended.
        for kept in self._kept:
            kept.close()
        for run in self._runs.values():
            run.close()
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

    def launch(self, key: Hashable, bundle: Bundle, command: Command, limits: Limits, *, more: bool = False) -> None:
        """Ask the keeper to start a command, and watch it.

        Raises SpawnFailed when it is known at once that it cannot be started. What turns out later comes as a Finished that
        says so; an attempt that had been started before is adopted instead. With ``more`` others follow at once, and the
        request may wait for them until ``flush``.
        """
        kept = min(self._kept, key=KeptRuns.burden)
        run = kept.prepare(key, bundle, command, limits)
        if self._runs.setdefault(key, run) is not run:
            raise ValueError(f"run {key!r} is being watched already")
        try:
            kept.ask(run, more=more)
        except BaseException:
            del self._runs[key]
            raise
        if self._asleep_until == math.inf:
            # Should no keeper answer, nobody else would tell that there is something to watch.
            os.eventfd_write(self._wake, 1)
        if not more:
            self.flush()

    def flush(self) -> None:
        """Send what was asked for; what a keeper does not take at once is sent by the thread."""
        for kept in self._kept:
            if kept.wants_to_send and not kept.flush():
                os.eventfd_write(self._wake, 1)

    def started(self, key: Hashable) -> tuple[Process, datetime] | None:
        """Return the process of a run that goes on and when it was started; None while that is not known."""
        run = self._runs.get(key)
        if run is None or run.process is None or not run.at_ns:
            return None
        return run.process, datetime.fromtimestamp(run.at_ns / 1e9, UTC)

    def adopt(
        self,
        key: Hashable,
        bundle: Bundle,
        process: Process | None = None,
        limits: Limits | None = None,
        census: Census | None = None,
    ) -> Process | None:
        """Take over an attempt that an earlier process had started, or was about to start; return its process if it lives.

        A living command is watched on. A finished one gives its result. Without a mark nothing was ever started, and by
        setting the mark it is made sure that nothing will be: the outcome is ``not_started``. Else it is ``lost``. Without
        ``process`` the command is found by what its keeper wrote down or by its marker. Where the files of a run have been
        taken away, a mark made anew is no proof of anything: such a run is watched while it lives and is then ``lost``.
        """
        run = adoption.take_over(key, bundle, process, limits, census)
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
        return [self._finished.popleft() for _ in range(len(self._finished))]

    def live(self) -> dict[Hashable, Live]:
        """Return what is known about every run that goes on."""
        now = clock.monotonic()
        return {key: run.live(now) for key, run in list(self._runs.items())}

    def _add(self, run: Run) -> None:
        if self._runs.setdefault(run.key, run) is not run:
            raise ValueError(f"run {run.key!r} is being watched already")
        if run.pidfd is not None:
            # Before its timer can ring: one that is not in here is taken to have ended.
            self._by_fd[run.pidfd] = run
        self._incoming.append(run)
        if run.pidfd is not None:
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
        if self._runs:
            due = min(due, clock.monotonic() + LOOK_SECONDS) if not (self._incoming or self._cancels) else 0.0
        events = self._epoll.poll(None if due == math.inf else max(due - clock.monotonic(), 0.0))
        self._asleep_until = 0.0
        now = clock.monotonic()
        ended: list[Run] = []
        for descriptor, _ in events:
            if descriptor == self._wake:
                os.eventfd_read(self._wake)
            elif descriptor == self._alarm.descriptor:
                for run, output in self._alarm.ring():
                    run.note_write(output, now)
                    self._set_timer(run)
            elif descriptor in self._by_fd:
                ended.append(self._by_fd[descriptor])
            else:
                for kept in [kept for kept in self._kept if kept.descriptor == descriptor]:
                    self._hear(kept, now)
        for hanging in self._health.look(now):
            self._replace(hanging, now)
        for kept in self._kept:
            kept.send()
        while self._incoming:
            run = self._incoming.popleft()
            if run.pidfd is None:
                ended.append(run)
            self._set_timer(run)
        for run in ended:
            self._adopted_ended(run, now)
        while self._cancels:
            key, words = self._cancels.popleft()
            if key in self._runs:
                self._guarded(self._runs[key], partial(tracking.begin_end, why=Why.CANCEL, words=words, now=now))
        self._run_timers(now)
        if self._finished:
            os.eventfd_write(self._done, 1)

    def _hear(self, kept: KeptRuns, now: float) -> None:
        """Act on what a keeper tells, or on its death."""
        told = kept.hear()
        if told is None:
            self._replace(kept, now)
        for run, answer in told or ():
            self._guarded(run, partial(self._act, answer=answer, now=now))

    def _replace(self, kept: KeptRuns, now: float) -> None:
        """Put another keeper in the place of one that is gone, and take its commands over."""
        orphaned = [run for run in kept.replace() if run.phase is not Phase.DONE]
        for run in orphaned:
            adoption.set_mark(run.bundle)
        census = Census()
        # Nothing of ours may be waited for as a stranger before it is known what is ours.
        self._is_inheriting = True
        for run in orphaned:
            self._guarded(run, partial(self._inherit, census=census, now=now))
        self._is_inheriting = False

    def _act(self, run: Run, answer: Answer, now: float) -> None:
        if isinstance(answer, HasStarted):
            run.note_start(answer)
        elif isinstance(answer, HasEnded):
            run.note_end(answer)
            self._after_end(run, now)
        elif isinstance(answer, HasFailed):
            self._has_failed(run, answer)

    def _has_failed(self, run: Run, answer: HasFailed) -> None:
        """Handle a start that was not made: on disk instead of a full tmpfs, by whoever made it before, or not at all."""
        if answer.is_taken:
            self._forget(run)
            self.adopt(run.key, run.bundle, None, run.limits)
        elif answer.has_no_room and run.bundle.on_tmpfs and run.command is not None:
            self._forget(run)
            self.launch(run.key, self._bundles.move_to_disk(run.bundle), run.command, run.limits)
        elif run.command is not None:
            run.ending.failure = fail_start(answer.step, answer.errno, run.command)
            self._finish(run)

    def _forget(self, run: Run) -> None:
        run.phase = Phase.DONE
        for kept in self._kept:
            kept.forget(run)
        del self._runs[run.key]

    def _inherit(self, run: Run, census: Census, now: float) -> None:
        adoption.inherit(run, list(self._runs.values()), census)
        if run.pidfd is None:
            self._adopted_ended(run, now)
        else:
            self._by_fd[run.pidfd] = run
            self._epoll.register(run.pidfd, select.EPOLLIN)

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
            # A copy, since another thread may add a run meanwhile.
            watched = list(self._runs.values())
            meanwhile = partial(self._look_meanwhile, [run for run in watched if run.times_ahead])
            keepers = {kept.keeper_pid for kept in self._kept}
            take_samples(sampled, watched, self._orphans, keepers, now, meanwhile)
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
            return
        if run.ending.record is not None or not (run.is_kept or run.pidfd in self._by_fd):
            # Its end was seen but could not be handled, or not yet; it is taken up where it stood.
            self._after_end(run, now)
            return
        look_at_output(run, now, self._alarm)
        self._bundles.charge(run.bundle, sum(output.stream.allocated for output in run.outputs))
        if now >= run.deadline:
            tracking.begin_end(run, Why.TIME, f"time limit of {run.limits.time_seconds:g} s reached", now)
            run.deadline = math.inf
        elif run.phase is Phase.RUNNING and (words := tracking.excess(run)):
            tracking.begin_end(run, Why.LIMIT, words, now)
        elif now >= run.next_step:
            tracking.proceed(run, now)

    def _look_meanwhile(self, floods: list[Run]) -> None:
        """Keep outputs that flood within their bound while something else is done."""
        for run in floods:
            self._guarded(run, partial(look_at_output, now=clock.monotonic(), alarm=self._alarm))

    def _adopted_ended(self, run: Run, now: float) -> None:
        """Handle a run that is not our keeper's and whose command has ended."""
        if run.pidfd is not None and self._by_fd.pop(run.pidfd, None) is not None:
            self._epoll.unregister(run.pidfd)
        self._guarded(run, partial(self._after_end, now=now))

    def _after_end(self, run: Run, now: float) -> None:
        """Sweep what a command has left behind, or finish it at once."""
        if run.ending.record is None:
            run.ending.record = adoption.read_end(run)
        if run.ending.record is None and adoption.was_born(run):
            self._inherit(run, Census(), now)
        elif run.ending.record is None and adoption.is_awaited(run):
            adoption.put_off(run, now, self._tell)
        elif run.ending.rebooted or not run.may_leave_some() or not tracking.begin_sweep(run, now):
            self._finish(run)

    def _finish(self, run: Run) -> None:
        """Read the result, note it and forget the run."""
        if not run.is_kept and not self._is_inheriting:
            ours = {other.process.pid for other in list(self._runs.values()) if other.process is not None}
            self._orphans.reap(ours, [kept.keeper for kept in self._kept])
        finished = tell(run, self._output_root)
        run.close()
        self._forget(run)
        self._finished.append(finished)
