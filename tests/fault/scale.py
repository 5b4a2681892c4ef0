"""How much the experiments do: seconds of work in `make test`, as much as there is time for in `make fault`.

Variables: WATCHBELL_TEST_LONG=1 takes the long counts, WATCHBELL_TEST_<NAME>=<number> sets one count (such as KILLS),
WATCHBELL_TEST_BUDGET=<seconds> bounds each loop of an experiment, and WATCHBELL_TEST_SEED=<number> repeats a run.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator

LONG = os.environ.get("WATCHBELL_TEST_LONG", "") not in {"", "0"}
#: Told with every claim, so that a run that found something can be made again.
SEED = int(os.environ.get("WATCHBELL_TEST_SEED", "0")) or random.SystemRandom().randrange(1 << 32)
_BUDGET = float(os.environ.get("WATCHBELL_TEST_BUDGET", "0")) or float("inf")


def count(name: str, short: int, long: int) -> int:
    """Return how often an experiment does what it does, by the lane or by the variable of its name."""
    return int(os.environ.get(f"WATCHBELL_TEST_{name}", "0")) or (long if LONG else short)


def rounds(name: str, short: int, long: int) -> Iterator[int]:
    """Yield the numbers of the rounds of an experiment, until all are done or the time for them is over."""
    until = time.monotonic() + _BUDGET
    for number in range(count(name, short, long)):
        if number and time.monotonic() > until:
            return
        yield number
