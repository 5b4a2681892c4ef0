"""Signals by which a person, or whoever started us, asks for the end of what runs in the foreground."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Endings:
    """What has been asked so far, and a descriptor that tells of it."""

    def __init__(self, heard: Callable[[], None]) -> None:
        """``heard`` is called from the signal handler."""
        self._heard = heard
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        #: The signals, in the order in which they came.
        self.numbers: list[int] = []

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def first(self) -> int | None:
        """Return the first signal, None if there was none."""
        return self.numbers[0] if self.numbers else None

    def wait(self, seconds: float, *others: int) -> None:
        """Wait until a signal comes, or one of other descriptors is readable."""
        poll = select.poll()
        for descriptor in (self._bell, *others):
            poll.register(descriptor, select.POLLIN)
        poll.poll(seconds * 1000)
        try:
            os.eventfd_read(self._bell)
        except BlockingIOError:
            # Something else was there first, or nothing.
            return

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Let the signals come here for the length of the block."""

        def note(number: int, _frame: FrameType | None) -> None:
            self.numbers.append(number)
            self._heard()
            os.eventfd_write(self._bell, 1)

        before = {number: signal.signal(number, note) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(self._bell)
