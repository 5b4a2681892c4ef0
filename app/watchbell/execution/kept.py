"""The runs that our own keeper starts and waits for: asking, listening, and what is to be taken over when it dies."""

from __future__ import annotations

import select
import threading
from collections.abc import Callable, Hashable, Iterator

from watchbell import clock
from watchbell.execution import tracking
from watchbell.execution.bundle import Bundle
from watchbell.execution.command import Command, Limits
from watchbell.execution.keeping import Answer, KeeperGone, Keeping
from watchbell.execution.request import make_request
from watchbell.execution.tracking import Run

#: So many keepers are started until one greets.
_STARTS = 3
#: Nothing is asked of a keeper that is silent while there is another one.
_SILENT_BURDEN = 1 << 40


class KeptRuns:
    """A keeper of ours and the runs that it was asked to start, watched by somebody's epoll.

    ``numbers`` names the runs; several keepers share it. ``tell`` hears in words what befell the keeper.
    """

    def __init__(self, epoll: select.epoll, numbers: Iterator[int], tell: Callable[[str], None]) -> None:
        self._epoll = epoll
        self._tell = tell
        self._has_spoken = self._is_asked = False
        #: For how many seconds it has owed an answer.
        self.silence = 0.0
        #: When it was ended because it did not answer.
        self.killed_at: float | None = None
        self._keeping = Keeping()
        self._by_number: dict[int, Run] = {}
        self._numbers = numbers
        self._is_sending = False
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._by_number)

    def burden(self) -> int:
        """Return how much it has to do already; whoever has least is asked next."""
        return len(self._by_number) + (_SILENT_BURDEN if self.silence else 0)

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
        """Start a keeper, and another one in the place of one that does not even greet; raises KeeperGone in the end."""
        for left in reversed(range(_STARTS)):
            try:
                self._keeping.start()
                break
            except KeeperGone as error:
                if not left:
                    raise
                self._tell(f"{error.message}. Nothing was asked of it yet; another one is started in its place.")
        self._epoll.register(self.descriptor, select.EPOLLIN)
        self._is_sending = self._has_spoken = self._is_asked = False
        self.silence, self.killed_at = 0.0, None

    def note_silence(self, seconds: float) -> None:
        """Note that so much time has passed since the last look, and ask whether it is there if it has something to do."""
        if self._has_spoken or not self._is_asked:
            self.silence = 0.0
            self._is_asked = bool(self._by_number)
            if self._is_asked:
                self._keeping.ping()
        else:
            self.silence += seconds
        self._has_spoken = False

    def kill(self, now: float) -> None:
        """End a keeper that does not answer; what becomes of its commands, its socket's end tells."""
        self.killed_at = now
        self._keeping.kill()

    def close(self) -> None:
        """Let the keeper alone; it goes on until its commands have ended."""
        self._keeping.close()

    def prepare(self, key: Hashable, bundle: Bundle, command: Command, limits: Limits) -> Run:
        """Return the run of a command that is to be started; raises SpawnFailed when it is known that it cannot be."""
        keeper = self.keeper
        run = tracking.track(key, bundle, limits, None, None, is_kept=True, now=clock.monotonic(), elapsed=0.0)
        for output, reader in zip(run.outputs, command.readers, strict=False):
            output.stream.reader = reader
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
                if run.command.user is None:
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
        self._has_spoken = True
        about = [(self._by_number.get(getattr(answer, "number", 0)), answer) for answer in answers]
        return [(run, answer) for run, answer in about if run is not None]

    def replace(self) -> list[Run]:
        """Bury a keeper that is gone, start another one, and return the runs whose commands have come to this process."""
        gone, silence = self.keeper_pid, self.silence if self.killed_at is not None else 0.0
        # Nobody may ask meanwhile: what is asked of the dead is not heard.
        with self._lock:
            self._epoll.unregister(self.descriptor)
            how = self._keeping.bury()
            orphaned = list(self._by_number.values())
            self._by_number.clear()
            self.start()
        what = f"did not answer for {silence:.0f} s and was ended" if silence else f"has died ({how})"
        self._tell(
            f"The keeper of commands (PID {gone}) {what}. Another one starts commands now; of the {len(orphaned)} that it "
            "had, those that run go on and are taken over, and those that it had not begun are started anew."
        )
        return orphaned
