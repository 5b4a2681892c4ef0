"""The runs that our own keeper starts and waits for: asking, listening, and what is to be taken over when it dies."""

from __future__ import annotations

import logging
import select
import threading
from collections.abc import Hashable, Iterator

from watchbell import clock
from watchbell.execution import tracking
from watchbell.execution.bundle import Bundle
from watchbell.execution.command import Command, Limits
from watchbell.execution.keeping import Answer, Keeping
from watchbell.execution.request import make_request
from watchbell.execution.tracking import Run

log = logging.getLogger(__name__)


class KeptRuns:
    """A keeper of ours and the runs that it was asked to start, watched by somebody's epoll.

    ``numbers`` names the runs; several keepers share it.
    """

    def __init__(self, epoll: select.epoll, numbers: Iterator[int]) -> None:
        self._epoll = epoll
        self._keeping = Keeping()
        self._by_number: dict[int, Run] = {}
        self._numbers = numbers
        self._is_sending = False
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._by_number)

    @property
    def keeper_pid(self) -> int:
        """Return the number of the keeper's process."""
        return self._keeping.pid

    @property
    def keeper(self) -> tuple[int, int]:
        """Return the number and the start time of the keeper's process."""
        return self._keeping.pid, self._keeping.start_ticks

    @property
    def descriptor(self) -> int:
        """Return what is readable when the keeper has told something."""
        return self._keeping.fileno()

    @property
    def wants_to_send(self) -> bool:
        """Return whether something waits until the keeper takes it."""
        return self._keeping.wants_to_send

    def start(self) -> None:
        """Start a keeper."""
        self._keeping.start()
        self._epoll.register(self.descriptor, select.EPOLLIN)
        self._is_sending = False

    def close(self) -> None:
        """Let the keeper alone; it goes on until its commands have ended."""
        self._keeping.close()

    def prepare(self, key: Hashable, bundle: Bundle, command: Command, limits: Limits) -> Run:
        """Return the run of a command that is to be started; raises SpawnFailed when it is known that it cannot be."""
        keeper = self.keeper
        run = tracking.track(key, bundle, limits, None, None, is_kept=True, now=clock.monotonic(), elapsed=0.0)
        run.number, run.command, run.keeper = next(self._numbers), command, keeper
        run.request = make_request(run.number, bundle, command, limits, keeper)
        return run

    def ask(self, run: Run, *, more: bool = False) -> None:
        """Have the keeper start a run that was prepared; raises ValueError for what no command line can hold."""
        if run.request is None or run.command is None:
            raise ValueError("this run was not prepared to be started")
        with self._lock:
            if run.keeper != self.keeper:
                # Another one has taken its place since; the record has to name the one that writes it.
                run.keeper = self.keeper
                run.request = make_request(run.number, run.bundle, run.command, run.limits, run.keeper)
            self._by_number[run.number] = run
            try:
                self._keeping.share(run.command.common)
                self._keeping.ask(run.request, more=more)
            except BaseException:
                self.forget(run)
                raise

    def forget(self, run: Run) -> None:
        """Expect nothing more about a run."""
        self._by_number.pop(run.number, None)

    def flush(self) -> bool:
        """Send what waits; False when the keeper could not take all of it."""
        self._keeping.flush()
        return not self._keeping.wants_to_send

    def send(self) -> None:
        """Send what the keeper could not take at once, and be told when it can take more."""
        if self._keeping.wants_to_send:
            self._keeping.flush()
        if self._keeping.wants_to_send is not self._is_sending:
            self._is_sending = not self._is_sending
            self._epoll.modify(self.descriptor, select.EPOLLIN | (select.EPOLLOUT if self._is_sending else 0))

    def hear(self) -> list[tuple[Run, Answer]] | None:
        """Return what the keeper has told about which run, None when it is gone."""
        answers = self._keeping.hear()
        if answers is None:
            return None
        about = [(self._by_number.get(getattr(answer, "number", 0)), answer) for answer in answers]
        return [(run, answer) for run, answer in about if run is not None]

    def replace(self) -> list[Run]:
        """Bury a keeper that is gone, start another one, and return the runs whose commands have come to this process."""
        gone = self.keeper_pid
        # Nobody may ask meanwhile: what is asked of the dead is not heard.
        with self._lock:
            self._epoll.unregister(self.descriptor)
            how = self._keeping.bury()
            orphaned = list(self._by_number.values())
            self._by_number.clear()
            self.start()
        log.error("The keeper of commands (PID %d) has died (%s); its commands run on and are taken over", gone, how)
        return orphaned
