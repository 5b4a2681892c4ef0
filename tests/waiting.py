"""Waiting for a condition with a deadline, which is what tests do here in place of sleeping."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def crowd() -> float:
    """Return how much longer than usual something may take: 1, and more where several processes wait for each processor."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1) / 2)


def wait_until(predicate: Callable[[], T], timeout: float = 10.0, what: str = "", interval: float = 0.02) -> T:
    """Return the first true answer of the predicate; fail the test with ``what`` when the deadline passes.

    On a crowded machine it is put off.
    """
    deadline = time.monotonic() + timeout * crowd()
    while True:
        # The answer is asked for once more after the deadline, so that a slow machine is not mistaken for a wrong one.
        expired = time.monotonic() >= deadline
        answer = predicate()
        if answer:
            return answer
        if expired:
            raise AssertionError(f"waited {timeout:g} s in vain for {what or predicate}; last answer: {answer!r}")
        time.sleep(interval)


def spends_at_most(seconds: float, work: Callable[[], T]) -> T:
    """Return what the work returns; fail the test if it takes more of a processor than so many seconds, three times over.

    What takes too long does so every time. What happens to be done beside it, by a thread or the collector of garbage, or
    is done but once, does not.
    """
    spent = []
    while True:
        begun = time.process_time()
        found = work()
        spent.append(time.process_time() - begun)
        if spent[-1] <= seconds:
            return found
        assert len(spent) < 3, f"took {min(spent):.3f} s of a processor at best, where {seconds:g} are allowed"
