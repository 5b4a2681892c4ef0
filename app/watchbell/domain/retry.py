"""Whether, and when, a run whose attempt has failed is tried again."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from watchbell.domain.policies import Backoff, Policies

#: What a shell says of a command that is not there, or may not be executed: trying again changes nothing about that.
HOPELESS_CODES = frozenset({126, 127})
#: How the reason of a failed attempt ends that has a next one, before its moment.
NEXT_ATTEMPT = "; next attempt at "


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """How an attempt failed, and what came before it in the same run."""

    #: How many attempts have failed, this one included.
    count: int
    #: When the first attempt was started; None if that is not known.
    first_started_at: datetime | None
    ended_at: datetime
    exit_code: int | None
    signal: int | None
    timed_out: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a run after a failure."""

    #: When the next attempt is to be made; None if there is none.
    at: datetime | None
    #: What is added to the reason of the failure, in words.
    words: str


def decide(policies: Policies, failure: Failure, random: Callable[[], float]) -> Decision:
    """Return when a run is tried again, or why it is not; without retries there is nothing to say about it."""
    if not policies.retries:
        return Decision(None, "")
    if failure.count > policies.retries:
        return Decision(None, f"given up after {failure.count} attempts")
    if not is_retried(policies, failure.exit_code, failure.signal, failure.timed_out):
        return Decision(None, f"attempt {failure.count} of {policies.retries + 1}; policy: this result is not retried")
    at = failure.ended_at + timedelta(seconds=delay(policies, failure.count, random))
    if policies.retry_total_seconds is not None and failure.first_started_at is not None:
        if at > failure.first_started_at + timedelta(seconds=policies.retry_total_seconds):
            words = f"no attempt later than {policies.retry_total_seconds} s after the first"
            return Decision(None, f"given up after {failure.count} of {policies.retries + 1} attempts; policy: {words}")
    return Decision(at, f"{NEXT_ATTEMPT.removeprefix('; ')}{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")


def delay(policies: Policies, failures: int, random: Callable[[], float]) -> float:
    """Return the seconds until the next attempt after so many failures, at least one; ``random`` gives 0 to 1."""
    first, before = float(policies.retry_delay_seconds), failures - 1
    if policies.retry_backoff is Backoff.LINEAR:
        seconds = first * failures
    elif policies.retry_backoff is Backoff.FIBONACCI:
        seconds = first * _fibonacci(failures)
    else:
        seconds = first * policies.retry_multiplier**before
        if policies.retry_backoff is Backoff.EXPONENTIAL_JITTER:
            seconds += random() * seconds
    return min(seconds, float(policies.retry_max_delay_seconds))


def _fibonacci(number: int) -> int:
    one, two = 0, 1
    for _ in range(number):
        one, two = two, one + two
    return one


def is_retried(policies: Policies, exit_code: int | None, signal: int | None, timed_out: bool) -> bool:
    """Return whether the task's filters let this result of a failed attempt be tried again."""
    word = "timeout" if timed_out else "signal" if signal is not None else str(exit_code)
    if word in _results(policies.retry_not_on):
        return False
    wanted = _results(policies.retry_on)
    if not wanted:
        return timed_out or exit_code not in HOPELESS_CODES
    return word in wanted


@functools.lru_cache(maxsize=256)
def _results(text: str) -> frozenset[str]:
    """Return the results that a list such as ``1, 75-77, timeout`` names, each as a word."""
    found: set[str] = set()
    for part in filter(None, text.split(", ")):
        low, dash, high = part.partition("-")
        found |= {str(code) for code in range(int(low), int(high) + 1)} if dash else {part}
    return frozenset(found)
